//! What a run is made of, all of it drawn from its seed.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sluice::policy::RateTable;
use sluice::units::Ppm;

use crate::planted::Mistake;

/// One run of so many has real range and surjection proofs: they are what costs time.
const PROOFS_EVERY: u64 = 100;

/// In one run of so many, in any weather, daemons are away for longer than the timelocks.
const ABSENCES_EVERY: u32 = 8;

fn rate(rng: &mut StdRng) -> Option<Ppm> {
    Some(Ppm(rng.gen_range(-3_000..6_000)))
}

/// What goes wrong in a run, and how often. Chances are in ten thousandths.
#[derive(Debug, Clone)]
pub struct Plan {
    pub seed: u64,
    /// Swaps to begin.
    pub swaps: u32,
    pub channels: u32,
    /// Swaps on Bitcoin; the others are on Liquid.
    pub btc: u32,
    /// What both daemons charge, in millionths: one may pay for being asked.
    pub rates: RateTable,
    /// Liquid's outputs are confidential, with real proofs.
    pub proofs: bool,
    /// Between two sendings of the same message.
    pub resend: Duration,
    /// A call is slow.
    pub slow: u32,
    /// A call has no answer: half of them have had their effect, or will have it.
    pub lost: u32,
    /// A call is refused although nothing is wrong with it.
    pub refused: u32,
    /// The daemon dies in a call, before or after its effect.
    pub dies: u32,
    /// A message is lost, comes twice, comes late.
    pub message_lost: u32,
    pub message_twice: u32,
    pub message_late: u32,
    /// A payment's attempt fails on its way.
    pub payment_fails: u32,
    /// A payment takes minutes to hours.
    pub payment_slow: u32,
    /// The operator ends a swap.
    pub abort: u32,
    /// An operator who looks at a swap wants another version of what waits for a block.
    pub bump: u32,
    /// A block undoes others.
    pub reorg: u32,
    /// A transaction that a reorg undid is forgotten by the network.
    pub evicted: u32,
    /// A transaction is left out of a block that it could be in.
    pub passed_over: u32,
    /// The price of a block rises many times over for a while.
    pub fee_spike: u32,
    /// Mean times between misfortunes; None: never.
    pub crash_every: Option<Duration>,
    pub power_cut_every: Option<Duration>,
    pub disk_full_every: Option<Duration>,
    pub outage_every: Option<Duration>,
    pub disconnect_every: Option<Duration>,
    pub clock_jump_every: Option<Duration>,
    /// Between two times that one daemon is away for longer than every timelock.
    pub absence_every: Option<Duration>,
    /// The longest time that a daemon, a backend or the connection is away.
    pub longest_outage: Duration,
    /// What alice does wrong: nothing, but where the simulation itself is tested.
    pub mistake: Option<Mistake>,
}

impl Plan {
    pub fn draw(seed: u64, swaps: u32) -> Plan {
        let mut rng = StdRng::seed_from_u64(seed ^ 0x005e_ed0f_fa17);
        let mut plan = Plan::calm(seed, swaps, &mut rng);
        match rng.gen_range(0..8) {
            0 => {}
            1 => plan.calls(&mut rng),
            2 => plan.messages(&mut rng),
            3 => plan.payments(&mut rng),
            4 => plan.chains(&mut rng),
            5 => plan.crashes(&mut rng),
            6 => plan.outages(&mut rng),
            _ => plan.storm(&mut rng),
        }
        if rng.gen_range(0..ABSENCES_EVERY) == 0 {
            plan.absence_every = Some(Duration::from_secs(rng.gen_range(1_800..7_200)));
        }
        plan.bump = rng.gen_range(0..1_000);
        plan
    }

    /// A run in which little goes wrong by itself.
    pub fn fair(seed: u64, swaps: u32) -> Plan {
        Plan::calm(seed, swaps, &mut StdRng::seed_from_u64(seed))
    }

    fn calm(seed: u64, swaps: u32, rng: &mut StdRng) -> Plan {
        let resends = [60, 180, 300, 300].map(Duration::from_secs);
        let (channels, btc) = (rng.gen_range(4..=12), [0, 2_500, 5_000, 10_000][rng.gen_range(0..4)]);
        let proofs = seed.is_multiple_of(PROOFS_EVERY);
        Plan {
            seed,
            swaps,
            channels,
            // Bitcoin has no such proofs.
            btc: if proofs { 0 } else { btc },
            rates: RateTable {
                btc_in: rate(rng),
                btc_out: rate(rng),
                lbtc_in: rate(rng),
                lbtc_out: rate(rng),
            },
            proofs,
            resend: resends[rng.gen_range(0..resends.len())],
            slow: 500,
            lost: 0,
            refused: 0,
            dies: 0,
            message_lost: 0,
            message_twice: 0,
            message_late: 0,
            payment_fails: 0,
            payment_slow: 0,
            abort: 50,
            bump: 50,
            reorg: 0,
            evicted: 0,
            passed_over: 0,
            fee_spike: 0,
            crash_every: None,
            power_cut_every: None,
            disk_full_every: None,
            outage_every: None,
            disconnect_every: None,
            clock_jump_every: None,
            absence_every: None,
            longest_outage: Duration::from_secs(3 * 3600),
            mistake: None,
        }
    }

    fn storm(&mut self, rng: &mut StdRng) {
        self.calls(rng);
        self.messages(rng);
        self.payments(rng);
        self.chains(rng);
        self.crashes(rng);
        self.outages(rng);
    }

    pub fn rates(&self) -> RateTable {
        self.rates
    }

    fn calls(&mut self, rng: &mut StdRng) {
        self.slow = rng.gen_range(500..4_000);
        self.lost = rng.gen_range(0..600);
        self.refused = rng.gen_range(0..40);
    }

    fn messages(&mut self, rng: &mut StdRng) {
        self.message_lost = rng.gen_range(0..2_500);
        self.message_twice = rng.gen_range(0..2_000);
        self.message_late = rng.gen_range(0..3_000);
    }

    fn payments(&mut self, rng: &mut StdRng) {
        self.payment_fails = rng.gen_range(0..5_000);
        self.payment_slow = rng.gen_range(0..2_000);
        self.abort = rng.gen_range(0..1_000);
    }

    fn chains(&mut self, rng: &mut StdRng) {
        self.reorg = rng.gen_range(0..800);
        self.evicted = rng.gen_range(0..5_000);
        self.passed_over = rng.gen_range(0..3_000);
        self.fee_spike = rng.gen_range(0..150);
    }

    fn crashes(&mut self, rng: &mut StdRng) {
        let mut every = || Some(Duration::from_secs(rng.gen_range(1_800..20_000)));
        (self.crash_every, self.power_cut_every, self.disk_full_every) = (every(), every(), every());
        self.clock_jump_every = every();
        self.dies = rng.gen_range(0..25);
    }

    fn outages(&mut self, rng: &mut StdRng) {
        let mut every = || Some(Duration::from_secs(rng.gen_range(1_800..20_000)));
        (self.outage_every, self.disconnect_every) = (every(), every());
    }
}

//! What happens in the world by itself: blocks, and everything that goes wrong without a call.

use std::sync::Arc;
use std::time::Duration;

use rand::Rng;
use sluice::swap::timelocks::Timelocks;
use sluice::units::{Asset, FeeRate};
use tokio::time::sleep;

use crate::absence;
use crate::node::Machine;
use crate::prices::{floor, usual_price};
use crate::rescue;
use crate::world::{Backend, State, Who, World};

/// By how much a daemon's clock may be wrong.
const LARGEST_SKEW: i64 = 300;

/// Lets it begin; it ends with the run.
pub fn begin(world: &Arc<World>, machines: &[Arc<Machine>; 2]) {
    for asset in Asset::ALL {
        tokio::spawn(mine(world.clone(), asset));
    }
    tokio::spawn(rescue::inspect(world.clone()));
    let plan = world.plan.clone();
    if let Some(every) = plan.absence_every {
        tokio::spawn(absence::happen(world.clone(), every));
    }
    for machine in machines {
        let (who, disk) = (machine.who, machine.disk.clone());
        again(world, plan.crash_every, Duration::ZERO, move |state, begins| {
            if begins {
                state.kill(who);
            }
        });
        let cut = disk.clone();
        again(world, plan.power_cut_every, Duration::ZERO, move |_, begins| {
            if begins {
                cut.cut_soon();
            }
        });
        let longest = plan.longest_outage;
        again(world, plan.disk_full_every, longest, move |_, begins| disk.fill(begins));
        again(world, plan.clock_jump_every, Duration::ZERO, move |state, begins| {
            if begins {
                state.skew[who.index()] = state.rng.gen_range(-LARGEST_SKEW..=LARGEST_SKEW);
            }
        });
        for backend in Backend::ALL {
            again(world, plan.outage_every, longest, move |state, begins| {
                state.set_away(who, backend, begins);
            });
        }
    }
    again(world, plan.disconnect_every, plan.longest_outage, |state, begins| {
        state.connect(!begins)
    });
}

/// Something that happens every now and then, and lasts; ends when the world heals.
fn again(
    world: &Arc<World>,
    every: Option<Duration>,
    longest: Duration,
    happen: impl Fn(&mut State, bool) + Send + 'static,
) {
    let Some(every) = every else { return };
    let world = world.clone();
    tokio::spawn(async move {
        loop {
            let pause = world.lock().between(Duration::from_secs(1), every * 2);
            sleep(pause).await;
            if !world.is_rough() {
                return;
            }
            happen(&mut world.lock(), true);
            world.tell();
            if !longest.is_zero() {
                let lasts = world.lock().stretch(Duration::from_secs(1), longest);
                sleep(lasts).await;
            }
            happen(&mut world.lock(), false);
            world.tell();
        }
    });
}

impl State {
    fn set_away(&mut self, who: Who, backend: Backend, away: bool) {
        if away {
            self.away.insert((who, backend));
        } else {
            self.away.remove(&(who, backend));
        }
        match backend {
            // The stream of messages ends.
            Backend::Lightning => drop(self.inboxes.remove(&who)),
            Backend::Chain(asset) => {
                // A wallet may keep its locks in memory only.
                if away && self.rng.gen_bool(0.5) {
                    self.locks.remove(&(who, asset));
                }
                self.push_tip(asset);
            }
        }
    }

    /// Nothing goes wrong from now on.
    pub fn heal(&mut self, machines: &[Arc<Machine>; 2]) {
        self.rough = false;
        for (who, backend) in self.away.clone() {
            self.set_away(who, backend, false);
        }
        machines.iter().for_each(|machine| machine.disk.fill(false));
        self.skew = [0; 2];
        if !self.connected {
            self.connect(true);
        }
    }
}

async fn mine(world: Arc<World>, asset: Asset) {
    let every = match asset {
        Asset::Lbtc => [60, 60],
        Asset::Btc => [200, 1_000],
    };
    let [least, most] = every.map(Duration::from_secs);
    // The deepest reorg that leaves alone what counts as final.
    let deepest = Timelocks::of(asset, 7).unwrap().confirmations.0 - 1;
    let mut spike = 0;
    loop {
        let pause = world.lock().between(least, most);
        sleep(pause).await;
        let mut guard = world.lock();
        let state = &mut *guard;
        let plan = &world.plan;
        if state.chance(plan.fee_spike) {
            spike = state.rng.gen_range(1..15);
            let times = state.rng.gen_range(2..20);
            state.ledger(asset).price = FeeRate(usual_price(asset).0 * times);
        }
        spike = if state.rough { spike } else { 0 };
        if spike == 0 {
            state.ledger(asset).price = if state.rough { usual_price(asset) } else { floor(asset) };
        }
        spike = u32::saturating_sub(spike, 1);
        let (passed_over, evicted) = if state.rough {
            (plan.passed_over, plan.evicted)
        } else {
            (0, 0)
        };
        let mut blocks = 1;
        let reorg = state.chance(plan.reorg);
        let (rng, ledger) = (&mut state.rng, state.ledgers.get_mut(&asset).unwrap());
        if reorg {
            let depth = rng.gen_range(1..=deepest);
            ledger.undo(depth as usize, rng, evicted);
            blocks += depth;
        }
        for _ in 0..blocks {
            ledger.mine(rng, passed_over);
        }
        ledger.forget_premature();
        state.push_tip(asset);
    }
}

//! Everything outside the two daemons, behind one lock: what is there, what time it is, and what goes wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sluice::ports::{PeerEvent, Tip};
use sluice::units::{Asset, OutPoint, Timestamp};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::evidence::Evidence;
use crate::ledger::Ledger;
use crate::lightning::Lightning;
use crate::node::Running;
use crate::plan::Plan;
use crate::rescue::Vault;

/// When every run begins, by the true clock.
const EPOCH: u64 = 1_700_000_000;

/// One of the two daemons, with its node and its wallets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    Alice,
    Bob,
}

impl Who {
    pub const BOTH: [Who; 2] = [Who::Alice, Who::Bob];

    pub fn other(self) -> Who {
        match self {
            Who::Alice => Who::Bob,
            Who::Bob => Who::Alice,
        }
    }

    pub fn index(self) -> usize {
        self as usize
    }
}

/// Something that a daemon calls, and that may be away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Backend {
    Lightning,
    Chain(Asset),
}

impl Backend {
    pub const ALL: [Backend; 3] = [
        Backend::Lightning,
        Backend::Chain(Asset::Lbtc),
        Backend::Chain(Asset::Btc),
    ];
}

pub struct World {
    pub plan: Plan,
    began: Instant,
    state: Mutex<State>,
    /// Who waits for news of the Lightning network. Not a channel of tokio's, which wakes its waiters in random order.
    waiting: Mutex<Vec<oneshot::Sender<()>>>,
    accused: Notify,
}

pub struct State {
    pub rng: StdRng,
    /// False once the world has healed: nothing goes wrong any more.
    pub rough: bool,
    pub ledgers: BTreeMap<Asset, Ledger>,
    pub lightning: Lightning,
    pub locks: BTreeMap<(Who, Asset), BTreeSet<OutPoint>>,
    pub away: BTreeSet<(Who, Backend)>,
    /// A channel for each listener: tokio wakes those of the same channel in random order.
    pub tips: BTreeMap<(Who, Asset), Vec<watch::Sender<Option<Tip>>>>,
    pub inboxes: BTreeMap<Who, mpsc::UnboundedSender<PeerEvent>>,
    /// The connection between the two Lightning nodes.
    pub connected: bool,
    /// Who is away for longer than the timelocks.
    pub absent: Option<Who>,
    /// By how many seconds each daemon's clock is wrong.
    pub skew: [i64; 2],
    pub running: [Option<Running>; 2],
    pub evidence: Evidence,
    pub vaults: BTreeMap<Who, Vault>,
}

impl World {
    pub fn new(plan: Plan) -> Arc<World> {
        let mut rng = StdRng::seed_from_u64(plan.seed);
        let lightning = Lightning::new(plan.channels, &mut rng);
        let ledgers = Asset::ALL.map(|asset| (asset, Ledger::new(asset, plan.proofs)));
        let state = State {
            rng,
            rough: true,
            ledgers: ledgers.into(),
            lightning,
            locks: BTreeMap::new(),
            away: BTreeSet::new(),
            tips: BTreeMap::new(),
            inboxes: BTreeMap::new(),
            connected: true,
            absent: None,
            skew: [0; 2],
            running: [None, None],
            evidence: Evidence::default(),
            vaults: BTreeMap::new(),
        };
        Arc::new(World {
            plan,
            began: Instant::now(),
            state: Mutex::new(state),
            waiting: Mutex::default(),
            accused: Notify::new(),
        })
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The true time.
    pub fn now(&self) -> Timestamp {
        Timestamp(EPOCH + self.began.elapsed().as_secs())
    }

    /// Wakes whoever waits for a change in the Lightning network.
    pub fn tell(&self) {
        for waiter in self.waiting.lock().unwrap().drain(..) {
            // It may have gone.
            let _ = waiter.send(());
        }
    }

    /// Resolves at the next change in the Lightning network.
    pub fn news(&self) -> oneshot::Receiver<()> {
        let (waiter, told) = oneshot::channel();
        self.waiting.lock().unwrap().push(waiter);
        told
    }

    /// A line of the run's journal.
    pub fn note(&self, line: impl FnOnce() -> String) {
        let at = self.began.elapsed();
        self.lock().evidence.note(at, line());
    }

    /// Something that must never happen has: the run ends.
    pub fn accuse(&self, what: String) {
        let at = self.began.elapsed();
        self.lock().evidence.accuse(at, what);
        self.accused.notify_one();
    }

    /// Returns once something has happened that must never happen.
    pub async fn accused(&self) {
        self.accused.notified().await;
    }

    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    pub fn is_rough(&self) -> bool {
        self.lock().rough
    }
}

impl State {
    /// True so many times in ten thousand.
    pub fn chance(&mut self, per_myriad: u32) -> bool {
        self.rough && self.rng.gen_range(0..10_000) < per_myriad
    }

    pub fn between(&mut self, least: Duration, most: Duration) -> Duration {
        let (least, most) = (least.as_millis() as u64, most.as_millis() as u64);
        Duration::from_millis(self.rng.gen_range(least..=most))
    }

    /// Mostly short, sometimes long: about evenly over the orders of magnitude.
    pub fn stretch(&mut self, least: Duration, most: Duration) -> Duration {
        let (least, most) = (least.as_millis() as f64, most.as_millis() as f64);
        let drawn = least.ln() + self.rng.gen_range(0.0..1.0) * (most.ln() - least.ln());
        Duration::from_millis(drawn.exp() as u64)
    }

    pub fn ledger(&mut self, asset: Asset) -> &mut Ledger {
        self.ledgers.get_mut(&asset).unwrap()
    }

    /// What a daemon's chain node shows as its tip; None while it is away.
    fn shown(&self, who: Who, asset: Asset) -> Option<Tip> {
        let there = !self.away.contains(&(who, Backend::Chain(asset)));
        there.then(|| self.ledgers[&asset].tip())
    }

    /// Shows a chain's tip to those of its nodes that are there.
    pub fn push_tip(&mut self, asset: Asset) {
        for who in Who::BOTH {
            let shown = self.shown(who, asset);
            if let Some(listeners) = self.tips.get_mut(&(who, asset)) {
                listeners.retain(|tips| tips.send(shown).is_ok());
            }
        }
    }

    /// Another listener to a chain's tips, for as long as its daemon lives.
    pub fn listen(&mut self, who: Who, asset: Asset) -> watch::Receiver<Option<Tip>> {
        let (tips, listener) = watch::channel(self.shown(who, asset));
        self.tips.entry((who, asset)).or_default().push(tips);
        listener
    }
}

//! The shell around the machine: drivers, effects, admission, peers. It knows ports, never adapters.
//!
//! ```text
//!  api ──► Engine::start ──► admit ──► store.create ──► driver ──► perform ──► ports
//!  peer ─► inbox ──────────► admit / driver
//! ```

mod admit;
mod answers;
mod aside;
mod backoff;
mod desk;
mod driver;
#[cfg(test)]
mod examples;
mod guard;
mod inbox;
mod judging;
mod locks;
mod opening_fee;
mod openings;
mod order;
mod peers;
mod perform;
mod quarantine;
mod rescue;
mod settings;
mod side;
mod sides;
mod sight;
mod signal;
mod start;
mod switch;
mod versions;

use std::collections::{BTreeMap, HashMap};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tracing::{Instrument, error, info, info_span};

use crate::keys::Seed;
use crate::policy::{Pauses, Policy, Premiums, Quarantines};
use crate::ports::{Clock, Entropy, LightningNode, NodeInfo, PeerMessenger};
use crate::store::{Loaded, Store, StoreError};
use crate::swap::fees::Wish;
use crate::swap::{Event, Role, State, Swap};
use crate::units::{Asset, Height, SwapId};
use answers::Answers;
use driver::Inbox;
use guard::Guard;
use judging::Judging;
use rescue::Rescue;
use sides::Sides;

pub use admit::Denial;
pub use order::{NewSwap, Started};
pub use peers::{PeerState, Peers};
pub use quarantine::Conduct;
pub use rescue::{RescueFolders, RescueHealth};
pub use side::Side;
pub use sides::{Absence, Awaited};
pub use start::StartError;
pub use versions::{replacement_fee, size_with_child};

/// How long the engine waits between things. Production uses the default; simulations are faster.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// The first pause after a failed call.
    pub retry_first: Duration,
    /// The longest one.
    pub retry_cap: Duration,
    /// Between two sendings of the same message (peer-protocol.md; Go: messages/sender.go).
    pub resend: Duration,
    /// Between two questions for a payment whose answer is no proof yet.
    pub ask_again: Duration,
    /// How long a payment call lets the node look for a way.
    pub payment: Duration,
    /// Between two polls of the same peer.
    pub poll: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Pace {
            retry_first: Duration::from_millis(50),
            retry_cap: Duration::from_secs(5),
            resend: Duration::from_secs(10),
            ask_again: Duration::from_secs(15),
            payment: Duration::from_secs(30),
            poll: Duration::from_secs(300),
        }
    }
}

/// What an engine is made of.
pub struct Parts {
    /// The chains, by the asset that lives on them.
    pub sides: BTreeMap<Asset, Side>,
    /// The configured chains that are not there yet ([`Engine::join`]).
    pub awaited: BTreeMap<Asset, Awaited>,
    /// The Lightning node.
    pub node: Arc<dyn LightningNode>,
    /// The same node's connections to its peers.
    pub messenger: Arc<dyn PeerMessenger>,
    /// What the node is.
    pub identity: NodeInfo,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Where ids and keys are drawn from.
    pub entropy: Arc<dyn Entropy>,
    /// The store, bound to this node and these chains.
    pub store: Store,
    /// What was read of it.
    pub loaded: Loaded,
    /// The seed of all keys.
    pub seed: Arc<Seed>,
    /// Where rescue files are kept.
    pub rescue: RescueFolders,
    /// How long to wait between things.
    pub pace: Pace,
    /// Fee invoices up to this multiple of our own estimate are paid (`opening_fee::bound` in this module).
    pub fee_invoice_factor: u64,
}

/// What drivers and effects share.
struct Shared {
    sides: Sides,
    node: Arc<dyn LightningNode>,
    messenger: Arc<dyn PeerMessenger>,
    identity: NodeInfo,
    network: String,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    store: Arc<Store>,
    seed: Arc<Seed>,
    rescue: Rescue,
    pace: Pace,
    fee_invoice_factor: u64,
    judging: Judging,
    answers: Answers,
    policy: RwLock<Policy>,
    premiums: RwLock<Premiums>,
    pauses: RwLock<Pauses>,
    quarantines: RwLock<Quarantines>,
    guard: Guard,
    peers: Peers,
    running: Mutex<HashMap<SwapId, Running>>,
    changes: broadcast::Sender<Arc<Swap>>,
    failed: watch::Sender<Option<String>>,
}

/// A swap with a driver.
struct Running {
    inbox: mpsc::Sender<Inbox>,
    swap: watch::Receiver<Arc<Swap>>,
}

impl Shared {
    fn tip(&self, asset: Asset) -> Option<Height> {
        let side = self.side(asset)?;
        let tip = *side.chain.tips().borrow();
        tip.map(|tip| tip.height)
    }

    /// Tells subscribers, and takes a closed swap off the list of running ones.
    fn announce(self: &Arc<Self>, swap: Arc<Swap>) {
        self.judge(&swap);
        if matches!(swap.state, State::Closed(_)) {
            self.running().remove(&swap.id);
            if let Some(side) = self.side(swap.terms.asset) {
                side.chain.forget(swap.id);
            }
        }
        // Nobody may be listening.
        let _ = self.changes.send(swap);
    }

    /// Ends the daemon: what is in memory is not what is on disk any more, or never will be.
    fn fail(&self, reason: String) {
        error!(
            reason,
            "ALARM: the daemon ends; its next start takes up every swap from the disk"
        );
        self.failed.send_replace(Some(reason));
    }

    fn running(&self) -> MutexGuard<'_, HashMap<SwapId, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn policy(&self) -> Policy {
        self.policy.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn premiums(&self) -> Premiums {
        self.premiums.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn spawn(self: &Arc<Self>, swap: Swap, resumed: bool) {
        self.watch_over(&swap);
        let (inbox, received) = mpsc::channel(32);
        let (current, seen) = watch::channel(Arc::new(swap.clone()));
        self.running().insert(swap.id, Running { inbox, swap: seen });
        if !resumed {
            // A responder's first step may be hours away. Nobody may be listening.
            let _ = self.changes.send(current.borrow().clone());
        }
        let side = match swap.role {
            Role::Maker => "maker",
            Role::Taker => "taker",
        };
        let span = info_span!("swap", id = swap.id.short(), side);
        self.run(driver::drive(self.clone(), current, resumed, received).instrument(span));
    }

    /// Has work done beside everything else. If it panics the daemon ends: it would live on deaf, or with a swap that
    /// nobody looks after, and its next start takes up everything from the disk.
    fn run(self: &Arc<Self>, work: impl Future<Output = ()> + Send + 'static) {
        let shared = self.clone();
        tokio::spawn(async move {
            if AssertUnwindSafe(work).catch_unwind().await.is_err() {
                shared.fail("a part of it panicked, which is a bug of Sluice".into());
            }
        });
    }
}

/// The engine: what the API drives.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

impl Engine {
    /// Takes up every open swap of the store, frees coins that were locked for openings never committed, and begins
    /// to listen to peers. Must be called within a runtime.
    #[must_use]
    pub fn start_up(parts: Parts) -> Engine {
        let Loaded {
            policy,
            premiums,
            pauses,
            quarantines,
            capabilities,
            open,
        } = parts.loaded;
        let (changes, _) = broadcast::channel(256);
        let store = Arc::new(parts.store);
        let shared = Arc::new(Shared {
            sides: Sides::new(parts.sides, parts.awaited),
            node: parts.node,
            messenger: parts.messenger,
            network: parts.identity.network.clone(),
            identity: parts.identity,
            rescue: Rescue::new(parts.rescue, &parts.seed, parts.clock.clone(), &store),
            clock: parts.clock,
            entropy: parts.entropy,
            store,
            seed: parts.seed,
            pace: parts.pace,
            fee_invoice_factor: parts.fee_invoice_factor,
            judging: Judging::default(),
            answers: Answers::default(),
            policy: RwLock::new(policy),
            premiums: RwLock::new(premiums),
            pauses: RwLock::new(pauses),
            quarantines: RwLock::new(quarantines),
            guard: Guard::default(),
            peers: Peers::new(capabilities),
            running: Mutex::default(),
            changes,
            failed: watch::channel(None).0,
        });
        shared.run(rescue::look_after(shared.clone()));
        info!(open = open.len(), "taking up the open swaps");
        for swap in open {
            shared.spawn(swap, true);
        }
        for side in shared.sides.here() {
            shared.run(side::look_after(shared.clone(), side));
        }
        shared.run(inbox::listen(shared.clone()));
        shared.run(peers::keep_polling(shared.clone()));
        Engine { shared }
    }

    /// Begins a swap that this node requests. Returns when it is committed; nothing has been said yet.
    ///
    /// # Errors
    /// Why it cannot be: nothing is changed then.
    pub async fn start(&self, new: NewSwap) -> Result<Started, StartError> {
        order::place(&self.shared, new).await
    }

    /// Asks a running swap to end as well as its state allows. Returns the swap before and after; equal states mean
    /// that nothing can be done now.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn abort(&self, id: SwapId, reason: &str) -> Result<Option<(Arc<Swap>, Arc<Swap>)>, StoreError> {
        self.tell(id, Event::Abort(reason.into())).await
    }

    /// Asks a running swap for another version of its transaction that waits for a block. Returns the swap before and
    /// after; equal states mean that there is none.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn bump(&self, id: SwapId, wish: Wish) -> Result<Option<(Arc<Swap>, Arc<Swap>)>, StoreError> {
        self.tell(id, Event::Bump(wish)).await
    }

    async fn tell(&self, id: SwapId, event: Event) -> Result<Option<(Arc<Swap>, Arc<Swap>)>, StoreError> {
        let running = self
            .shared
            .running()
            .get(&id)
            .map(|running| (running.inbox.clone(), running.swap.borrow().clone()));
        if let Some((inbox, before)) = running {
            let (answer, answered) = oneshot::channel();
            if inbox.send(Inbox::Wish { event, answer }).await.is_ok()
                && let Ok(after) = answered.await
            {
                return Ok(Some((before, after)));
            }
        }
        Ok(self.swap(id)?.map(|swap| (swap.clone(), swap)))
    }

    /// A swap, running or closed.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn swap(&self, id: SwapId) -> Result<Option<Arc<Swap>>, StoreError> {
        if let Some(running) = self.shared.running().get(&id) {
            return Ok(Some(running.swap.borrow().clone()));
        }
        Ok(self.shared.store.swap(id)?.map(Arc::new))
    }

    /// Returns once the engine cannot go on, with the reason.
    pub async fn failed(&self) -> String {
        let mut failed = self.shared.failed.subscribe();
        match failed.wait_for(Option::is_some).await.map(|reason| reason.clone()) {
            Ok(Some(reason)) => reason,
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }

    /// Every change of every swap, from now on. A reader that lags misses the oldest.
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<Arc<Swap>> {
        self.shared.changes.subscribe()
    }

    /// The store, for reading.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.shared.store
    }

    /// The Lightning node.
    #[must_use]
    pub fn node(&self) -> &dyn LightningNode {
        self.shared.node.as_ref()
    }

    /// What the Lightning node was when the daemon started.
    #[must_use]
    pub fn identity(&self) -> &NodeInfo {
        &self.shared.identity
    }

    /// The present tip of an asset's chain; None while its node does not answer.
    #[must_use]
    pub fn tip(&self, asset: Asset) -> Option<Height> {
        self.shared.tip(asset)
    }

    /// What peers offer.
    #[must_use]
    pub fn peers(&self) -> &Peers {
        &self.shared.peers
    }
}

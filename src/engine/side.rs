//! One chain beside the engine: its adapter, the wallet on it, and whether new swaps may rely on it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use tokio::time::timeout;
use tracing::{error, info, warn};

use super::locks::Locks;
use super::openings::Openings;
use super::{Shared, locks};
use crate::policy::PausedBy;
use crate::ports::{Chain, ChainInfo, PortError, Wallet};
use crate::protocol;
use crate::swap::timelocks::Timelocks;
use crate::units::{Asset, Blocks, Timestamp};

/// How often a node that new swaps may not rely on is asked whether that is still so.
const LOOK_AGAIN: Duration = Duration::from_secs(15);

/// How long a chain may be without a block before new swaps wait for the next one: ten blocks of Liquid, which come by
/// the clock; on Bitcoin three hours, which chance alone takes once in years. Test chains have blocks when they like.
const STALL: [(&str, Duration); 2] = [
    ("liquidv1", Duration::from_secs(10 * 60)),
    ("main", Duration::from_secs(180 * 60)),
];

/// How a chain does, as seen last.
struct Health {
    /// Since when something is wrong.
    problem_since: Option<Timestamp>,
    /// When the newest block came, as far as is known.
    newest_block: Timestamp,
    /// No block has come for too long.
    stalled: Option<String>,
    /// A second node shows another chain.
    doubt: Option<String>,
    /// The second node did not answer when it was asked last.
    witness_away: bool,
}

/// One chain: its node, the wallet on it, and what the node is.
pub struct Side {
    /// The chain.
    pub chain: Arc<dyn Chain>,
    /// The operator's wallet on it.
    pub wallet: Arc<dyn Wallet>,
    info: RwLock<ChainInfo>,
    /// How long the chain may be without a block before new swaps wait for the next one; None: as long as it likes.
    patience: Option<Duration>,
    health: Mutex<Health>,
    /// Held while the second node is asked.
    asking: tokio::sync::Mutex<()>,
    /// What the wallet makes just now.
    pub(super) openings: Openings,
    /// Whether its locks are what they should be.
    pub(super) locks: Locks,
}

impl Side {
    /// A chain whose node has just said what it is. `stalled_after`: how long it may be without a block before new
    /// swaps wait for the next one; None: what fits the chain.
    #[must_use]
    pub fn new(
        chain: Arc<dyn Chain>,
        wallet: Arc<dyn Wallet>,
        info: ChainInfo,
        stalled_after: Option<Duration>,
    ) -> Side {
        let now = Timestamp::now();
        let usual = STALL.iter().find(|(name, _)| *name == info.chain);
        let patience = stalled_after.or(usual.map(|(_, limit)| *limit));
        let newest_block = info.tip_time.map_or(now, |time| time.min(now));
        Side {
            chain,
            wallet,
            info: RwLock::new(info),
            patience,
            health: Mutex::new(Health {
                problem_since: None,
                newest_block,
                stalled: None,
                doubt: None,
                witness_away: false,
            }),
            asking: tokio::sync::Mutex::default(),
            openings: Openings::default(),
            locks: Locks::default(),
        }
    }

    /// What the node said last that it is.
    #[must_use]
    pub fn info(&self) -> ChainInfo {
        self.info.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Why no new swap may begin on it now; None when all is well.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        if self.chain.tips().borrow().is_none() {
            return Some("its node does not answer".into());
        }
        self.info().unfit.or_else(|| {
            let health = self.health();
            health.doubt.clone().or_else(|| health.stalled.clone())
        })
    }

    /// Since when there is a problem; None when all is well, or when it has come this moment.
    #[must_use]
    pub fn problem_since(&self) -> Option<Timestamp> {
        self.health().problem_since
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a look at the chain: whether a block has come, and what is wrong now. True if that has changed.
    fn note(&self, block: bool, now: Timestamp) -> bool {
        {
            let mut health = self.health();
            if block {
                health.newest_block = now;
            }
            let quiet = now.since(health.newest_block);
            health.stalled = self
                .patience
                .filter(|patience| quiet > *patience)
                .map(|_| format!("no block for {} minutes", quiet.as_secs() / 60));
        }
        // One problem that follows another, and a count of minutes that grows, are the same to peers.
        let wrong = self.problem().is_some();
        let mut health = self.health();
        let changed = health.problem_since.is_some() != wrong;
        health.problem_since = wrong.then(|| health.problem_since.unwrap_or(now));
        changed
    }

    /// Asks the second node what it shows otherwise; None: they agree, or there is none. While it does not answer, what it
    /// said last holds.
    pub(super) async fn ask_witness(&self) -> Option<String> {
        // an older answer must not take the place of a newer one
        let _turn = self.asking.lock().await;
        let answer = self.chain.doubt().await;
        let mut health = self.health();
        match answer {
            Ok(doubt) => {
                health.witness_away = false;
                match (&health.doubt, &doubt) {
                    (None, Some(reason)) => error!(reason, "ALARM: no new swaps on this chain while its nodes differ"),
                    (Some(_), None) => info!("both nodes show the same chain again"),
                    (None, None) | (Some(_), Some(_)) => {}
                }
                health.doubt = doubt;
            }
            Err(reason) if !health.witness_away => {
                health.witness_away = true;
                warn!(%reason, "the chain's two nodes cannot be compared for now");
            }
            Err(_) => {}
        }
        health.doubt.clone()
    }

    async fn look_again(&self) -> Result<(), PortError> {
        let before = self.info();
        let now = self.chain.info().await?;
        if now.genesis != before.genesis {
            return Err(PortError::Broken(format!(
                "block 0 is {} now, was {}: the node serves another chain",
                now.genesis, before.genesis
            )));
        }
        match (&before.unfit, &now.unfit) {
            (Some(_), None) => info!("new swaps may rely on the chain's node again"),
            (None, Some(reason)) => warn!(reason, "no new swaps on this chain for now"),
            (None, None) | (Some(_), Some(_)) => {}
        }
        *self.info.write().unwrap_or_else(PoisonError::into_inner) = now;
        Ok(())
    }
}

/// Looks after a chain's node and wallet for as long as the daemon runs.
///
/// Ends the daemon when nobody follows the chain any more: it would take the last block for the newest one for ever, and
/// the next start follows again.
pub(super) async fn look_after(shared: Arc<Shared>, side: Arc<Side>) {
    tokio::select! {
        biased;
        () = locks::keep(&shared, &side) => {}
        () = look(&shared, &side) => {}
    }
    let asset = side.chain.asset();
    shared.fail(format!(
        "what follows the chain of {asset} has ended, which is a bug of Sluice"
    ));
}

async fn look(shared: &Shared, side: &Side) {
    let mut tips = side.chain.tips();
    let (mut known, mut reorg, mut newest) = (false, Blocks(0), None);
    loop {
        let tip = *tips.borrow_and_update();
        let answering = tip.is_some();
        // The first tip after a start is no news: its block may be old.
        let block = answering && newest.is_some() && tip != newest;
        newest = tip.or(newest);
        // An absence may be over before anybody sees it: the node is asked at every block as well.
        known &= answering && !block;
        if answering && !(known && side.info().unfit.is_none()) {
            known = told(side.look_again().await, "the node does not say what it is");
        }
        if answering {
            side.ask_witness().await;
        }
        if side.note(block, shared.clock.now()) {
            // Peers must know at once what can be swapped with us, and what not.
            shared.peers.poll_now();
        }
        let deepest = side.chain.deepest_reorg();
        if deepest > reorg {
            reorg = deepest;
            pause_after(shared, side.chain.asset(), deepest);
        }
        if let Ok(Err(_gone)) = timeout(LOOK_AGAIN, tips.changed()).await {
            return;
        }
    }
}

/// What was final has been undone: nothing new is built on that chain until the operator has looked.
fn pause_after(shared: &Shared, asset: Asset, undone: Blocks) {
    let trusted = Timelocks::of(asset, protocol::VERSION).map(|limits| limits.confirmations);
    if trusted.is_none_or(|trusted| undone <= trusted) {
        return;
    }
    let note = format!("{} blocks were undone", undone.0);
    error!(%asset, note, "ALARM: a deep reorg; no new swaps on this chain until `sluice chain resume`");
    if let Err(failure) = shared.pause(asset, PausedBy::DeepReorg, &note) {
        error!(%failure, "the pause could not be stored");
    }
}

/// Whether it was done; if not, the log tells why, unless the node is only away.
pub(super) fn told(done: Result<(), PortError>, failure: &str) -> bool {
    match done {
        Ok(()) => return true,
        Err(PortError::Unreachable(_)) => {}
        Err(PortError::Refused(reason)) => warn!(reason, "{failure}"),
        Err(PortError::Broken(reason)) => error!(reason, "ALARM: the chain's node is not what it was"),
    }
    false
}

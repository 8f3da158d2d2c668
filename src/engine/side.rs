//! One chain beside the engine: its adapter, the wallet on it, and whether new swaps may rely on it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout};
use tracing::{error, info, warn};

use super::Shared;
use super::openings::Openings;
use crate::policy::PausedBy;
use crate::ports::{Chain, ChainInfo, PortError, Wallet};
use crate::protocol;
use crate::swap::state::{Claim, Opening};
use crate::swap::timelocks::Timelocks;
use crate::swap::{Maker, State, Swap};
use crate::tx::{self, Coin};
use crate::units::{Asset, Blocks, OutPoint, Timestamp};

/// How often a node that new swaps may not rely on is asked whether that is still so.
const LOOK_AGAIN: Duration = Duration::from_secs(15);

/// How long a node may be at work on a call that was given up. It may lock coins after we have looked: so long the locks
/// are put in order at every block.
const LATE: Duration = Duration::from_secs(10 * 60);

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
    /// What the wallet makes just now.
    pub(super) openings: Openings,
    /// The wallet's locks may not be what they should be.
    locks_in_doubt: Notify,
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
            openings: Openings::default(),
            locks_in_doubt: Notify::new(),
        }
    }

    /// Passes on the answer to a call that locks coins. Where it was lost, coins may be locked that nobody knows of: the
    /// locks are put in order as soon as the node answers.
    pub(super) fn without_lost_locks<T>(&self, answer: Result<T, PortError>) -> Result<T, PortError> {
        if let Err(PortError::Unreachable(_) | PortError::Broken(_)) = &answer {
            self.locks_in_doubt.notify_one();
        }
        answer
    }

    /// Has the locks put in order: of what was locked not all is needed any more.
    pub(super) fn tidy_locks(&self) {
        self.locks_in_doubt.notify_one();
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

    /// What a second node shows otherwise; None: they agree, or there is none.
    pub(super) fn doubt(&self) -> Option<String> {
        self.health().doubt.clone()
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

    /// Asks the second node, if there is one. While it does not answer, what it said last holds.
    async fn ask_witness(&self) {
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

/// Looks after a chain's node for as long as the daemon runs: whenever it has come (back), what it is, and that the
/// coins of unpublished openings are locked in its wallet, which may keep locks in memory only.
///
/// Ends the daemon when nobody follows the chain any more: it would take the last block for the newest one for ever, and
/// the next start follows again.
pub(super) async fn look_after(shared: Arc<Shared>, side: Arc<Side>) {
    tokio::select! {
        () = notice_absences(&side) => {}
        () = look(&shared, &side) => {}
    }
    let asset = side.chain.asset();
    shared.fail(format!(
        "what follows the chain of {asset} has ended, which is a bug of Sluice"
    ));
}

/// A node that was away may have forgotten its locks. Who is busy with the node would not notice an absence that is over
/// by then.
async fn notice_absences(side: &Side) {
    let mut tips = side.chain.tips();
    while tips.changed().await.is_ok() {
        if tips.borrow_and_update().is_none() {
            side.locks_in_doubt.notify_one();
        }
    }
}

async fn look(shared: &Shared, side: &Side) {
    let mut tips = side.chain.tips();
    let (mut in_order, mut reorg, mut newest) = (false, Blocks(0), None);
    // A call of a daemon that ran before this one may be among those that are late.
    let mut doubted = Some(Instant::now());
    loop {
        let tip = *tips.borrow_and_update();
        let answering = tip.is_some();
        // The first tip after a start is no news: its block may be old.
        let block = answering && newest.is_some() && tip != newest;
        newest = tip.or(newest);
        in_order &= answering && !(block && doubted.is_some());
        if answering && !in_order {
            in_order = put_in_order(shared, side).await;
            doubted = doubted.filter(|since| !in_order || !block || since.elapsed() < LATE);
        } else if answering && side.info().unfit.is_some() {
            told(side.look_again().await);
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
        tokio::select! {
            changed = timeout(LOOK_AGAIN, tips.changed()) => if let Ok(Err(_gone)) = changed { return },
            () = side.locks_in_doubt.notified() => (in_order, doubted) = (false, Some(Instant::now())),
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

async fn put_in_order(shared: &Shared, side: &Side) -> bool {
    let committed = || {
        let running = shared.running();
        let swaps = running.values().map(|running| running.swap.borrow());
        swaps
            .filter(|swap| swap.terms.asset == side.chain.asset())
            .filter_map(|swap| unsettled(&swap))
            .collect()
    };
    let locks = side.openings.keep_only(side.wallet.as_ref(), committed).await;
    told(side.look_again().await) && told(locks)
}

/// Whether it was done; if not, the log tells why, unless the node is only away.
fn told(done: Result<(), PortError>) -> bool {
    match done {
        Ok(()) => return true,
        Err(PortError::Unreachable(_)) => {}
        Err(PortError::Refused(reason)) => warn!(reason, "the wallet's locks could not be put in order"),
        Err(PortError::Broken(reason)) => error!(reason, "ALARM: the chain's node is not what it was"),
    }
    false
}

/// The opening whose coins must stay locked, with those of the child that pushes it, or of what voids it: committed, not
/// known to be in a block.
fn unsettled(swap: &Swap) -> Option<Opening> {
    let State::Maker(_, maker) = &swap.state else {
        return None;
    };
    let opened = maker.opened();
    let confirmed = opened.is_some_and(|opened| opened.confirmed_at.is_some());
    let mut opening = maker.opening().filter(|_| !confirmed).cloned()?;
    let beside = match maker {
        Maker::Voiding(voiding) => voiding.voids.last(),
        Maker::AwaitingFee { .. }
        | Maker::Funding { .. }
        | Maker::Publishing { .. }
        | Maker::Opened(_)
        | Maker::ClaimingCoop { .. }
        | Maker::ClaimingCsv { .. } => opened.and_then(|opened| opened.children.last()),
    };
    if let Some(beside) = beside {
        opening.inputs.extend(inputs_of(swap, beside));
    }
    Some(opening)
}

/// What a transaction spends that pushes or voids the swap's opening.
pub(super) fn inputs_of(swap: &Swap, child: &Claim) -> Vec<OutPoint> {
    let coin = Coin::of(swap.terms.asset, swap.terms.policy_asset);
    let inputs = coin.and_then(|coin| tx::inputs_of(coin, &child.tx));
    inputs.expect("a transaction of ours, in the encoding of its chain")
}

//! One chain beside the engine: its adapter, the wallet on it, and whether new swaps may rely on it.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::time::timeout;
use tracing::{error, info, warn};

use super::Shared;
use crate::ports::{Chain, ChainInfo, PortError, Wallet};
use crate::swap::state::Opening;
use crate::swap::{State, Swap};

/// How often a node that new swaps may not rely on is asked whether that is still so.
const LOOK_AGAIN: Duration = Duration::from_secs(15);

/// One chain: its node, the wallet on it, and what the node is.
pub struct Side {
    /// The chain.
    pub chain: Arc<dyn Chain>,
    /// The operator's wallet on it.
    pub wallet: Arc<dyn Wallet>,
    info: RwLock<ChainInfo>,
}

impl Side {
    /// A chain whose node has just said what it is.
    #[must_use]
    pub fn new(chain: Arc<dyn Chain>, wallet: Arc<dyn Wallet>, info: ChainInfo) -> Side {
        Side {
            chain,
            wallet,
            info: RwLock::new(info),
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
        self.info().unfit
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
pub(super) async fn look_after(shared: Arc<Shared>, side: Arc<Side>) {
    let mut tips = side.chain.tips();
    let (mut in_order, mut problem) = (false, side.problem());
    loop {
        let answering = tips.borrow_and_update().is_some();
        in_order &= answering;
        if answering && !in_order {
            in_order = put_in_order(&shared, &side).await;
        } else if answering && side.info().unfit.is_some() {
            told(side.look_again().await);
        }
        if side.problem() != problem {
            problem = side.problem();
            // Peers must know at once what can be swapped with us, and what not.
            shared.peers.poll_now();
        }
        if let Ok(Err(_gone)) = timeout(LOOK_AGAIN, tips.changed()).await {
            return;
        }
    }
}

async fn put_in_order(shared: &Shared, side: &Side) -> bool {
    let committed = || {
        let running = shared.running();
        running
            .values()
            .filter_map(|running| unsettled(&running.swap.borrow()))
            .collect()
    };
    let locks = shared.openings.keep_only(side.wallet.as_ref(), committed).await;
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

/// The opening whose coins must stay locked: committed, not known to be in a block.
fn unsettled(swap: &Swap) -> Option<Opening> {
    let State::Maker(_, maker) = &swap.state else {
        return None;
    };
    let confirmed = maker.opened().is_some_and(|opened| opened.confirmed_at.is_some());
    maker.opening().filter(|_| !confirmed).cloned()
}

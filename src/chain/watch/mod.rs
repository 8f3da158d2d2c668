//! Follows one chain for all swaps: one waiting call at the node, each block read once, everything else from memory.
//!
//! ```text
//!          wait_for ─▶ block ─▶ match against all watches ─▶ Book ─▶ publish the tip
//!                                                             │
//!   view(watch): first time lookup (a few calls) ──▶ Book ────┴──▶ Sighting, all at one tip
//! ```
//!
//! Knows blocks and transactions. Must not know which daemon serves them, nor what a swap does with what is seen.

mod book;
mod follow;
mod lookup;
mod matches;
mod scan;
mod source;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::book::Book;
use self::lookup::LookedUp;
use self::scan::Pass;
pub use self::source::{Block, ChainTx, Source, UnspentOutput};
use crate::ports::{PortError, Sighting, Tip, Watch};
use crate::units::{Blocks, SwapId, TxId};

/// Lookups that a moving chain may spoil before the caller is told to come again.
const LOOKUP_TRIES: u32 = 10;
/// How long to wait for the block that a lookup's answer was ahead by.
const SETTLE: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct Shared<S> {
    source: S,
    book: Mutex<Book>,
    /// Ends with the follower.
    tips: watch::Receiver<Option<Tip>>,
    /// Blocks undone by the deepest reorg that was seen.
    deepest_reorg: AtomicU32,
    /// One lookup at a time: the others' watches are looked up along with it.
    turn: tokio::sync::Mutex<()>,
    /// The blocks that are read for watches of which a lookup does not tell.
    pass: tokio::sync::Mutex<Pass>,
    /// Blocks were undone, or it is time, and the mempool has not been looked into since.
    mempool_is_due: AtomicBool,
    /// The mempool as it was soon after that tip was published.
    mempool: tokio::sync::Mutex<Option<(Tip, HashSet<TxId>)>>,
}

impl<S> Shared<S> {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().expect("no holder panics")
    }
}

/// Follows a chain. Stops when dropped.
#[derive(Debug)]
pub struct Watcher<S> {
    shared: Arc<Shared<S>>,
    task: JoinHandle<()>,
}

impl<S> Drop for Watcher<S> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl<S: Source> Watcher<S> {
    /// Starts to follow.
    pub fn start(source: S) -> Self {
        let (publisher, tips) = watch::channel(None);
        let shared = Arc::new(Shared {
            source,
            book: Mutex::default(),
            tips,
            deepest_reorg: AtomicU32::new(0),
            turn: tokio::sync::Mutex::default(),
            pass: tokio::sync::Mutex::default(),
            mempool_is_due: AtomicBool::new(false),
            mempool: tokio::sync::Mutex::default(),
        });
        let task = tokio::spawn(follow::follow(Arc::clone(&shared), publisher));
        Self { shared, task }
    }

    /// What it follows.
    pub fn source(&self) -> &S {
        &self.shared.source
    }

    /// The newest tip whose block is matched; None while the node does not answer. Closed when nobody follows any more.
    pub fn tips(&self) -> watch::Receiver<Option<Tip>> {
        let mut tips = self.shared.tips.clone();
        // who waits for a change waits for the next one
        tips.mark_unchanged();
        tips
    }

    /// Blocks undone by the deepest reorg since this began to follow.
    pub fn deepest_reorg(&self) -> Blocks {
        Blocks(self.shared.deepest_reorg.load(Ordering::Relaxed))
    }

    /// Stops looking for a swap's transactions.
    pub fn forget(&self, swap: SwapId) {
        self.shared.book().forget(swap);
    }

    /// Whether a transaction was seen in a block, for some watch.
    pub fn has_confirmed(&self, txid: TxId) -> bool {
        self.shared.book().has_confirmed(txid)
    }

    /// Whether the mempool holds a transaction. The node is asked once per block, for all who want to know.
    pub async fn has_in_mempool(&self, txid: TxId) -> Result<bool, PortError> {
        let tip = self.tip()?;
        let mut known = self.shared.mempool.lock().await;
        if let Some((at, ids)) = &*known
            && *at == tip
        {
            return Ok(ids.contains(&txid));
        }
        let ids = self.shared.source.mempool().await?;
        let held = ids.contains(&txid);
        *known = Some((tip, ids));
        Ok(held)
    }

    fn tip(&self) -> Result<Tip, PortError> {
        let tip = *self.shared.tips.borrow();
        tip.ok_or_else(|| self.no_tip())
    }

    fn no_tip(&self) -> PortError {
        PortError::Unreachable(format!("{}: no tip yet", self.source().daemon()))
    }

    /// What the chain shows of a watch. Calls the node only when the watch is new.
    pub async fn view(&self, watch: &Watch) -> Result<Sighting, PortError> {
        let mut tips = self.tips();
        for _ in 0..LOOKUP_TRIES {
            if let Some(sighting) = self.peek(watch)? {
                return Ok(sighting);
            }
            let turn = self.shared.turn.lock().await;
            if let Some(sighting) = self.peek(watch)? {
                return Ok(sighting);
            }
            tips.mark_unchanged();
            let LookedUp { mut refused, to_scan } = self.shared.look_up().await?;
            drop(turn);
            if to_scan.iter().any(|(open, _)| open.swap == watch.swap) {
                refused.extend(self.shared.scan(to_scan).await?);
            }
            if let Some(reason) = refused.remove(&watch.swap) {
                // what the node says no to is not what this swap asked for: a block that it has pruned
                return Err(PortError::Broken(reason));
            }
            if let Some(sighting) = self.peek(watch)? {
                return Ok(sighting);
            }
            // the answer was ahead of the blocks matched so far, or a reorg came between: the follower is at it
            let _ = tokio::time::timeout(SETTLE, tips.changed()).await;
        }
        Err(PortError::Unreachable(format!(
            "{}: its chain keeps moving",
            self.source().daemon()
        )))
    }

    /// What is known without a call; takes the watch up if it is new.
    fn peek(&self, watch: &Watch) -> Result<Option<Sighting>, PortError> {
        let mut book = self.shared.book();
        let (Some(tip), Some(_)) = (book.tip(), *self.shared.tips.borrow()) else {
            return Err(self.no_tip());
        };
        book.register(watch, tip);
        Ok(book.sighting(watch))
    }
}

#[cfg(test)]
mod tests;

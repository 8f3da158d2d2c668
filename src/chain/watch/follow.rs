//! The one task per chain: waits for blocks, reads each once, matches it, and only then tells of it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use tracing::{debug, info, warn};

use super::Shared;
use super::matches::Index;
use super::source::{ChainTx, Source};
use crate::ports::{PortError, Tip, Watch};
use crate::units::{Blocks, Height};

/// First pause after a failed call; doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause between two tries while the node is away.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Every so many blocks, and after a reorg, openings that no block holds are looked for in the mempool again.
const MEMPOOL_EVERY: u32 = 30;

type Publisher = watch::Sender<Option<Tip>>;

pub(super) async fn follow<S: Source>(shared: Arc<Shared<S>>, tips: Publisher) {
    let mut pause = FIRST_PAUSE;
    let mut away = false;
    loop {
        match shared.advance(&tips).await {
            Ok(tip) => {
                if away {
                    info!(height = tip.height.0, hash = %tip.hash, "{} answers again", shared.source.daemon());
                }
                (pause, away) = (FIRST_PAUSE, false);
            }
            Err(error) => {
                publish(&tips, None);
                if away {
                    debug!(%error, "{} is still away", shared.source.daemon());
                } else {
                    warn!(%error, "{} is away, trying again until it answers", shared.source.daemon());
                }
                away = true;
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

fn publish(tips: &Publisher, tip: Option<Tip>) {
    tips.send_if_modified(|published| std::mem::replace(published, tip) != tip);
}

impl<S: Source> Shared<S> {
    /// Waits for the next tip, or for the node's patience to end.
    async fn advance(&self, tips: &Publisher) -> Result<Tip, PortError> {
        let known = *tips.borrow();
        let tip = match known {
            Some(tip) => self.source.wait_for(tip.height.plus(Blocks(1))).await?,
            // it was away, or we have just begun: any tip will do, at once
            None => {
                self.source.verify().await?;
                self.source.wait_for(Height(0)).await?
            }
        };
        if known != Some(tip) {
            self.move_to(tip).await?;
            publish(tips, Some(tip));
        }
        Ok(tip)
    }

    /// Reads the blocks between the known chain and `tip`, from `tip` downwards.
    async fn move_to(&self, tip: Tip) -> Result<(), PortError> {
        let (watches, generation): (Vec<Watch>, u64) = {
            let book = self.book();
            (book.watches().cloned().collect(), book.generation)
        };
        let index = Index::of(&watches);
        let (mut path, mut hits, mut cursor) = (Vec::new(), Vec::new(), tip);
        while !self.book().contains(cursor) {
            if self.book().bottom().is_none_or(|bottom| cursor.height <= bottom) {
                self.book().restart(tip);
                return Ok(());
            }
            let block = match self.source.block(cursor.hash).await {
                // it went on without us and has pruned what came between: each watch is looked up for itself
                Err(PortError::Refused(reason)) => {
                    warn!(
                        reason,
                        height = cursor.height.0,
                        "a block that was missed is not to be had"
                    );
                    self.book().restart(tip);
                    return Ok(());
                }
                block => block?,
            };
            hits.extend(index.hits(cursor, &block.txs));
            path.push(cursor);
            // above the lowest known height, hence above 0
            cursor = Tip {
                height: Height(cursor.height.0 - 1),
                hash: block.previous,
            };
        }
        path.reverse();
        let undone = self.book().extend(cursor, &path, hits, generation);
        if undone > 0 {
            self.deepest_reorg
                .fetch_max(u32::try_from(undone).unwrap_or(u32::MAX), Ordering::Relaxed);
            info!(undone, height = tip.height.0, hash = %tip.hash, "chain reorganised");
        }
        if undone > 0 || tip.height.0.is_multiple_of(MEMPOOL_EVERY) {
            self.mempool_is_due.store(true, Ordering::Relaxed);
        }
        // also after a look that failed: nobody undoes the same blocks again
        if self.mempool_is_due.load(Ordering::Relaxed) {
            match self.look_into_mempool().await {
                // it says no to this call, whenever it is asked: what is in its blocks must be seen all the same
                Err(PortError::Refused(reason)) => warn!(reason, "the mempool is not to be had"),
                looked => {
                    looked?;
                    self.mempool_is_due.store(false, Ordering::Relaxed);
                }
            }
        }
        Ok(())
    }

    async fn look_into_mempool(&self) -> Result<(), PortError> {
        let open = self.book().unconfirmed();
        if open.is_empty() {
            return Ok(());
        }
        let present = self.source.mempool().await?;
        for (swap, txid) in open {
            let was_there = self.book().in_mempool(swap);
            match (was_there, present.contains(&txid)) {
                (false, true) => {
                    let tx = self.source.mempool_tx(txid).await?;
                    self.book().set_mempool(swap, tx.map(|tx| tx.raw()));
                }
                (true, false) => self.book().set_mempool(swap, None),
                (true, true) | (false, false) => {}
            }
        }
        Ok(())
    }
}

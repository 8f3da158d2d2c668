//! What the blocks before a watch hold for it. Asked once per watch; from then on blocks are matched as they come.
//!
//! An opening that is unspent, or still in the mempool, costs a few calls. Blocks are read only for the others, for all
//! of them in one pass.

use std::collections::HashSet;

use futures::{StreamExt, TryStreamExt, stream};

use super::Shared;
use super::book::Answer;
use super::matches::{Hit, Index, Role, is_spent};
use super::source::{ChainTx, Source, UnspentOutput};
use crate::ports::{PortError, Tip, Watch};
use crate::units::{Height, OutPoint, SwapId, TxId};

/// Outputs asked for by index: payment and change in either order, and one more.
const PROBED_OUTPUTS: u32 = 3;

/// A node has four threads for calls, and the long poll holds one.
const LOOKUPS_AT_A_TIME: usize = 3;

/// What a few calls told.
enum Quick {
    Known(Answer),
    /// Blocks must be read from this height on.
    Scan(Height),
    /// The chain moved between two calls.
    Moved,
}

impl<S: Source> Shared<S> {
    /// Looks up every watch that waits for it. Those under which the chain moved go on waiting.
    pub(super) async fn look_up(&self) -> Result<(), PortError> {
        let (open, tip) = {
            let book = self.book();
            (book.unresolved(), book.tip())
        };
        let Some(tip) = tip else { return Ok(()) };
        let asked = open.into_iter().map(|watch| async move {
            let told = self.ask(&watch, tip).await?;
            Ok::<_, PortError>((watch, told))
        });
        let mut answers = stream::iter(asked).buffer_unordered(LOOKUPS_AT_A_TIME);
        let mut to_scan = Vec::new();
        while let Some((watch, told)) = answers.try_next().await? {
            match told {
                Quick::Known(answer) => {
                    self.book().resolve(&watch, answer);
                }
                Quick::Scan(since) => to_scan.push((watch, since)),
                Quick::Moved => {}
            }
        }
        self.scan(to_scan, tip).await
    }

    async fn ask(&self, watch: &Watch, tip: Tip) -> Result<Quick, PortError> {
        let Some(opening) = watch.opening else {
            return Ok(Quick::Moved); // nothing to look for: such a watch waits for no lookup
        };
        let mut since = watch.since;
        for vout in 0..PROBED_OUTPUTS {
            let Some(output) = self.source.unspent(OutPoint { txid: opening, vout }).await? else {
                continue;
            };
            let Some(height) = self.height_of(&output) else {
                return Ok(Quick::Moved);
            };
            if output.script == watch.script {
                return self.unspent_opening(watch, opening, height, &output).await;
            }
            since = since.max(height);
        }
        Ok(match self.source.mempool_tx(opening).await? {
            Some(tx) => Quick::Known(Answer {
                swap: watch.swap,
                as_of: tip.hash,
                hits: Vec::new(),
                mempool: Some(tx.raw()),
            }),
            None => Quick::Scan(since),
        })
    }

    /// The height of the block that holds an output; None if the tip it was told for is not known here yet.
    fn height_of(&self, output: &UnspentOutput) -> Option<Height> {
        let best = self.book().find(output.best)?;
        Some(Height((best.height.0 + 1).checked_sub(output.confirmations)?))
    }

    async fn unspent_opening(
        &self,
        watch: &Watch,
        opening: TxId,
        height: Height,
        output: &UnspentOutput,
    ) -> Result<Quick, PortError> {
        let block = Tip {
            height,
            hash: self.hash_at(height).await?,
        };
        let tx = match &watch.tx {
            Some(known) => self.source.read(known)?,
            None => match self.source.confirmed_tx(opening, block.hash).await {
                Ok(tx) => tx,
                Err(PortError::Refused(_)) => return Ok(Quick::Moved),
                Err(error @ (PortError::Unreachable(_) | PortError::Broken(_))) => return Err(error),
            },
        };
        let role = Role::Opening(tx.outputs_to(&watch.script));
        let hit = Hit {
            swap: watch.swap,
            block,
            txid: opening,
            tx: tx.raw(),
            role,
        };
        Ok(Quick::Known(Answer {
            swap: watch.swap,
            as_of: output.best,
            hits: vec![hit],
            mempool: None,
        }))
    }

    async fn hash_at(&self, height: Height) -> Result<bitcoin::BlockHash, PortError> {
        let known = self.book().hash_at(height);
        match known {
            Some(hash) => Ok(hash),
            None => self.source.block_hash(height).await,
        }
    }

    /// Reads blocks up to `tip`, each once for all watches.
    async fn scan(&self, watches: Vec<(Watch, Height)>, tip: Tip) -> Result<(), PortError> {
        let Some(start) = watches.iter().map(|(_, since)| *since).min() else {
            return Ok(());
        };
        let index = Index::of(watches.iter().map(|(watch, _)| watch));
        let mut hits: Vec<Hit> = Vec::new();
        let mut open: HashSet<SwapId> = watches.iter().map(|(watch, _)| watch.swap).collect();
        let mut previous = None;
        let heights = stream::iter((start.0..=tip.height.0).map(Height));
        let read = heights.map(|height| async move {
            let hash = self.hash_at(height).await?;
            Ok::<_, PortError>((Tip { height, hash }, self.source.block(hash).await?))
        });
        let mut blocks = read.buffered(LOOKUPS_AT_A_TIME);
        while let Some((at, block)) = blocks.try_next().await? {
            if previous.is_some_and(|previous| previous != block.previous) {
                return Ok(()); // a reorg came between two calls: the watches wait for the next try
            }
            previous = Some(at.hash);
            hits.extend(index.hits(at, &block.txs));
            open.retain(|swap| !is_spent(&hits, *swap));
            if open.is_empty() {
                break;
            }
        }
        let mut book = self.book();
        for (watch, _) in &watches {
            let own = hits.iter().filter(|hit| hit.swap == watch.swap).cloned().collect();
            let answer = Answer {
                swap: watch.swap,
                as_of: tip.hash,
                hits: own,
                mempool: None,
            };
            book.resolve(watch, answer);
        }
        Ok(())
    }
}

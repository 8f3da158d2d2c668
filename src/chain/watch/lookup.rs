//! What the blocks before a watch hold for it. Asked once per watch; from then on blocks are matched as they come.
//!
//! An opening that is unspent, or still in the mempool, costs a few calls. Blocks are read only for the others, for all
//! of them in one pass.

use std::collections::{BTreeMap, HashSet};

use futures::{StreamExt, TryStreamExt, stream};

use super::Shared;
use super::book::Answer;
use super::matches::{Hit, Index, Role, is_spent};
use super::source::{Block, ChainTx, Source, UnspentOutput};
use crate::ports::{PortError, Tip, Watch};
use crate::units::{Height, OutPoint, SwapId, TxId};

/// Outputs asked for by index: payment and change in either order, and one more.
const PROBED_OUTPUTS: u32 = 3;

/// A node has four threads for calls, and the long poll holds one.
const LOOKUPS_AT_A_TIME: usize = 3;

/// Watches of which the node does not tell, such as when it has pruned what must be read, or nothing that can be read, each
/// with its words.
pub(super) type Refusals = BTreeMap<SwapId, String>;

/// What a few calls told.
enum Quick {
    Known(Answer),
    /// Blocks must be read from this height on.
    Scan(Height),
    /// The chain moved between two calls.
    Moved,
    /// The node's no.
    Refused(String),
}

/// What became of a block that was to be read.
enum Read<T> {
    Block(Tip, Block<T>),
    /// The chain has become shorter.
    Moved,
    /// The node's no, and of which height.
    Refused(Height, String),
}

impl<S: Source> Shared<S> {
    /// Looks up every watch that waits for it. Those under which the chain moved go on waiting, and so do those that the
    /// node refuses: one of them keeps no other waiting.
    pub(super) async fn look_up(&self) -> Result<Refusals, PortError> {
        let (open, tip) = {
            let book = self.book();
            (book.unresolved(), book.tip())
        };
        let mut refused = Refusals::new();
        let Some(tip) = tip else { return Ok(refused) };
        let asked = open.into_iter().map(|watch| async move {
            let told = match self.ask(&watch, tip).await {
                Err(PortError::Refused(reason) | PortError::Broken(reason)) => Quick::Refused(reason),
                told => told?,
            };
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
                Quick::Refused(reason) => {
                    refused.insert(watch.swap, reason);
                }
            }
        }
        while let Some((pruned, reason)) = self.scan(&to_scan, tip).await? {
            let (lost, rest) = to_scan.into_iter().partition(|(_, since)| *since <= pruned);
            to_scan = rest;
            let lost: Vec<(Watch, Height)> = lost;
            refused.extend(lost.into_iter().map(|(watch, _)| (watch.swap, reason.clone())));
        }
        Ok(refused)
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
                Err(PortError::Refused(_)) if self.source.block_hash(height).await? != block.hash => {
                    return Ok(Quick::Moved);
                }
                told => told?,
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

    /// Reads blocks up to `tip`, each once for all watches. Resolves none if the node refuses a block: tells its height
    /// and the node's words.
    async fn scan(&self, watches: &[(Watch, Height)], tip: Tip) -> Result<Option<(Height, String)>, PortError> {
        let Some(start) = watches.iter().map(|(_, since)| *since).min() else {
            return Ok(None);
        };
        let index = Index::of(watches.iter().map(|(watch, _)| watch));
        let mut hits: Vec<Hit> = Vec::new();
        let mut open: HashSet<SwapId> = watches.iter().map(|(watch, _)| watch.swap).collect();
        let mut previous = None;
        let heights = stream::iter((start.0..=tip.height.0).map(Height));
        let read = heights.map(|height| async move {
            let hash = match self.hash_at(height).await {
                Err(PortError::Refused(_)) => return Ok(Read::Moved),
                hash => hash?,
            };
            Ok::<_, PortError>(match self.source.block(hash).await {
                Err(PortError::Refused(reason)) => Read::Refused(height, reason),
                block => Read::Block(Tip { height, hash }, block?),
            })
        });
        let mut blocks = read.buffered(LOOKUPS_AT_A_TIME);
        while let Some(read) = blocks.try_next().await? {
            let (at, block) = match read {
                Read::Block(at, block) => (at, block),
                Read::Refused(height, reason) => return Ok(Some((height, reason))),
                Read::Moved => return Ok(None),
            };
            if previous.is_some_and(|previous| previous != block.previous) {
                return Ok(None); // a reorg came between two calls: the watches wait for the next try
            }
            previous = Some(at.hash);
            hits.extend(index.hits(at, &block.txs));
            open.retain(|swap| !is_spent(&hits, *swap));
            if open.is_empty() {
                break;
            }
        }
        self.resolve_scanned(watches, &hits, tip);
        Ok(None)
    }

    fn resolve_scanned(&self, watches: &[(Watch, Height)], hits: &[Hit], tip: Tip) {
        let mut book = self.book();
        for (watch, _) in watches {
            let own = hits.iter().filter(|hit| hit.swap == watch.swap).cloned().collect();
            let answer = Answer {
                swap: watch.swap,
                as_of: tip.hash,
                hits: own,
                mempool: None,
            };
            book.resolve(watch, answer);
        }
    }
}

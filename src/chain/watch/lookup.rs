//! What the blocks before a watch hold for it. Asked once per watch; from then on blocks are matched as they come.
//!
//! An opening that is unspent, or still in the mempool, costs a few calls. For the others blocks must be read.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt, stream};

use super::Shared;
use super::book::Answer;
use super::matches::{Hit, Role};
use super::source::{ChainTx, Source, UnspentOutput};
use crate::ports::{PortError, Tip, Watch};
use crate::units::{Height, OutPoint, SwapId, TxId};

/// Outputs asked for by index: payment and change in either order, and one more.
const PROBED_OUTPUTS: u32 = 3;

/// A node has four threads for calls, and the long poll holds one.
pub(super) const LOOKUPS_AT_A_TIME: usize = 3;

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

/// What became of the watches that waited for a lookup.
#[derive(Debug, Default)]
pub(super) struct LookedUp {
    pub(super) refused: Refusals,
    /// Those for which blocks must be read, each from its height on.
    pub(super) to_scan: Vec<(Watch, Height)>,
}

impl<S: Source> Shared<S> {
    /// Looks up every watch that waits for it, by a few calls. Those under which the chain moved go on waiting, and so do
    /// those that the node refuses: one of them keeps no other waiting.
    pub(super) async fn look_up(&self) -> Result<LookedUp, PortError> {
        let (open, tip) = {
            let book = self.book();
            (book.unresolved(), book.tip())
        };
        let mut looked_up = LookedUp::default();
        let Some(tip) = tip else { return Ok(looked_up) };
        let asked = open.into_iter().map(|watch| async move {
            let told = match self.ask(&watch, tip).await {
                Err(PortError::Refused(reason) | PortError::Broken(reason)) => Quick::Refused(reason),
                told => told?,
            };
            Ok::<_, PortError>((watch, told))
        });
        let mut answers = stream::iter(asked).buffer_unordered(LOOKUPS_AT_A_TIME);
        while let Some((watch, told)) = answers.try_next().await? {
            match told {
                Quick::Known(answer) => {
                    self.book().resolve(&watch, answer);
                }
                Quick::Scan(since) => looked_up.to_scan.push((watch, since)),
                Quick::Moved => {}
                Quick::Refused(reason) => {
                    looked_up.refused.insert(watch.swap, reason);
                }
            }
        }
        Ok(looked_up)
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

    pub(super) async fn hash_at(&self, height: Height) -> Result<bitcoin::BlockHash, PortError> {
        let known = self.book().hash_at(height);
        match known {
            Some(hash) => Ok(hash),
            None => self.source.block_hash(height).await,
        }
    }
}

//! Reads the blocks before watches of which a few calls do not tell, each once for all of them.
//!
//! That may be a week of blocks, and take minutes. Nobody waits for it whose watch needs none of them, and a call that fails
//! costs no block that was read before it.

use futures::{StreamExt, TryStreamExt, stream};

use super::Shared;
use super::book::Answer;
use super::lookup::{LOOKUPS_AT_A_TIME, Refusals};
use super::matches::{Hit, Index, is_spent};
use super::source::{Block, Source};
use crate::ports::{PortError, Tip, Watch};
use crate::units::{Blocks, Height};

/// How far the reading has come.
#[derive(Debug, Default)]
pub(super) struct Pass {
    /// For whom, each from its height on.
    watches: Vec<(Watch, Height)>,
    /// The newest block that was read.
    read: Option<Tip>,
    hits: Vec<Hit>,
}

/// What became of a block that was to be read.
enum Read<T> {
    Block(Tip, Block<T>),
    /// The chain has become shorter.
    Moved,
    /// The node's no, and of which height.
    Refused(Height, String),
}

impl Pass {
    /// The first block to read; None: for nobody.
    fn next(&self) -> Option<Height> {
        let first = self.watches.iter().map(|(_, since)| *since).min();
        self.read.map(|read| read.height.plus(Blocks(1))).or(first)
    }

    /// Whether no later block matters to anybody.
    fn is_over(&self) -> bool {
        self.watches.iter().all(|(watch, _)| is_spent(&self.hits, watch.swap))
    }
}

impl<S: Source> Shared<S> {
    /// Reads blocks for those watches, one caller at a time. Those under which the chain moved go on waiting.
    pub(super) async fn scan(&self, mut watches: Vec<(Watch, Height)>) -> Result<Refusals, PortError> {
        let mut pass = self.pass.lock().await;
        let (open, tip) = {
            let book = self.book();
            (book.unresolved(), book.tip())
        };
        // another caller may have done it meanwhile
        watches.retain(|(watch, _)| open.contains(watch));
        watches.sort_by_key(|(watch, _)| watch.swap);
        let mut refused = Refusals::new();
        let Some(tip) = tip else { return Ok(refused) };
        while let Some((pruned, reason)) = self.go_on(&mut pass, &watches, tip).await? {
            let (lost, rest): (Vec<_>, _) = watches.into_iter().partition(|(_, since)| *since <= pruned);
            watches = rest;
            refused.extend(lost.into_iter().map(|(watch, _)| (watch.swap, reason.clone())));
        }
        Ok(refused)
    }

    /// Reads on, up to `tip`. Resolves nobody if the node refuses a block: tells its height and the node's words. After a
    /// failure the next call goes on where this one came to.
    async fn go_on(
        &self,
        pass: &mut Pass,
        watches: &[(Watch, Height)],
        tip: Tip,
    ) -> Result<Option<(Height, String)>, PortError> {
        // first those for whom blocks were read already: who came since waits for the next pass
        let wanted = !pass.watches.is_empty() && pass.watches.iter().all(|open| watches.contains(open));
        let goes_on = wanted && pass.read.is_none_or(|read| read.height < tip.height);
        if !goes_on {
            *pass = Pass {
                watches: watches.to_vec(),
                ..Pass::default()
            };
        }
        let Some(start) = pass.next() else { return Ok(None) };
        let sought: Vec<Watch> = pass.watches.iter().map(|(watch, _)| watch.clone()).collect();
        let index = Index::of(&sought);
        let heights = stream::iter((start.0..=tip.height.0).map(Height));
        let mut blocks = heights.map(|height| self.read(height)).buffered(LOOKUPS_AT_A_TIME);
        while let Some(read) = blocks.try_next().await? {
            let (at, block) = match read {
                Read::Block(at, block) => (at, block),
                Read::Refused(height, reason) => {
                    *pass = Pass::default();
                    return Ok(Some((height, reason)));
                }
                Read::Moved => {
                    *pass = Pass::default();
                    return Ok(None);
                }
            };
            if pass.read.is_some_and(|previous| previous.hash != block.previous) {
                // a reorg came between two calls: the watches wait for the next try
                *pass = Pass::default();
                return Ok(None);
            }
            pass.read = Some(at);
            pass.hits.extend(index.hits(at, &block.txs));
            if pass.is_over() {
                break;
            }
        }
        self.resolve(&std::mem::take(pass), tip);
        Ok(None)
    }

    async fn read(&self, height: Height) -> Result<Read<S::Tx>, PortError> {
        let hash = match self.hash_at(height).await {
            Err(PortError::Refused(_)) => return Ok(Read::Moved),
            hash => hash?,
        };
        Ok(match self.source.block(hash).await {
            Err(PortError::Refused(reason)) => Read::Refused(height, reason),
            block => Read::Block(Tip { height, hash }, block?),
        })
    }

    fn resolve(&self, pass: &Pass, tip: Tip) {
        let mut book = self.book();
        for (watch, _) in &pass.watches {
            let own = pass.hits.iter().filter(|hit| hit.swap == watch.swap).cloned().collect();
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

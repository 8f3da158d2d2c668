//! What is known: the newest blocks of the best chain, and what each watch has found in them. Pure.

use std::collections::{BTreeMap, VecDeque};

use bitcoin::BlockHash;

use super::matches::{Hit, Role};
use crate::ports::{Found, Sighting, Tip, Watch};
use crate::units::{Height, RawTx, SwapId, TxId};

/// Hashes kept. A reorg deeper than that starts every watch over; Liquid has none deeper than one block.
pub(super) const KEPT_BLOCKS: usize = 100;

/// One watch and what is known of it.
#[derive(Debug)]
struct Entry {
    watch: Watch,
    /// Blocks above this one were matched as they came; this one and those below are for the lookup.
    from: Tip,
    /// The generation that it came with.
    generation: u64,
    /// The lookup is done: all that the best chain holds is in `hits`.
    resolved: bool,
    hits: Vec<Hit>,
    mempool: Option<RawTx>,
}

/// The best chain's end, and the watches.
#[derive(Debug, Default)]
pub(super) struct Book {
    /// Without gaps, the oldest first.
    blocks: VecDeque<Tip>,
    entries: BTreeMap<SwapId, Entry>,
    /// Grows with every change of the watches: tells whether blocks were matched for all of them.
    pub(super) generation: u64,
}

/// What a lookup found of one watch.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) swap: SwapId,
    /// The tip it holds for.
    pub(super) as_of: BlockHash,
    pub(super) hits: Vec<Hit>,
    pub(super) mempool: Option<RawTx>,
}

impl Book {
    pub(super) fn tip(&self) -> Option<Tip> {
        self.blocks.back().copied()
    }

    /// The lowest height whose block is known.
    pub(super) fn bottom(&self) -> Option<Height> {
        self.blocks.front().map(|block| block.height)
    }

    pub(super) fn hash_at(&self, height: Height) -> Option<BlockHash> {
        let index = height.0.checked_sub(self.bottom()?.0)?;
        self.blocks.get(usize::try_from(index).ok()?).map(|block| block.hash)
    }

    pub(super) fn contains(&self, block: Tip) -> bool {
        self.hash_at(block.height) == Some(block.hash)
    }

    pub(super) fn find(&self, hash: BlockHash) -> Option<Tip> {
        self.blocks.iter().rev().find(|block| block.hash == hash).copied()
    }

    pub(super) fn watches(&self) -> impl Iterator<Item = &Watch> {
        self.entries.values().map(|entry| &entry.watch)
    }

    /// Those that the node must be asked about.
    pub(super) fn unresolved(&self) -> Vec<Watch> {
        let open = self.entries.values().filter(|entry| !entry.resolved);
        open.map(|entry| entry.watch.clone()).collect()
    }

    /// Takes a watch up, or notices that it looks for something else now.
    pub(super) fn register(&mut self, watch: &Watch, tip: Tip) {
        if let Some(entry) = self.entries.get_mut(&watch.swap) {
            // what is sought stays the same when its bytes become known
            entry.watch.tx.clone_from(&watch.tx);
            if entry.watch == *watch {
                return;
            }
        }
        self.generation += 1;
        // nothing to look for is known at once
        let resolved = watch.opening.is_none();
        let (hits, generation) = (Vec::new(), self.generation);
        let entry = Entry {
            watch: watch.clone(),
            from: tip,
            generation,
            resolved,
            hits,
            mempool: None,
        };
        self.entries.insert(watch.swap, entry);
    }

    pub(super) fn forget(&mut self, swap: SwapId) {
        self.entries.remove(&swap);
    }

    /// Makes `path` (the oldest first, child after child) the chain's end, on top of the known block `fork`. `hits` were
    /// matched for the watches of `generation`. Returns how many blocks are no longer in the chain.
    pub(super) fn extend(&mut self, fork: Tip, path: &[Tip], hits: Vec<Hit>, generation: u64) -> usize {
        let mut undone = 0;
        while let Some(last) = self.blocks.back().copied().filter(|block| block.height > fork.height) {
            self.blocks.pop_back();
            undone += 1;
            for entry in self.entries.values_mut() {
                entry.hits.retain(|hit| hit.block != last);
            }
        }
        self.blocks.extend(path);
        while self.blocks.len() > KEPT_BLOCKS {
            self.blocks.pop_front();
        }
        self.note(hits);
        // a watch that came while the blocks were read was not matched against them: its lookup must reach to here
        self.start_over(|entry| entry.generation > generation);
        undone
    }

    /// The chain's end is elsewhere altogether: everything must be looked up again.
    pub(super) fn restart(&mut self, tip: Tip) {
        self.blocks = VecDeque::from([tip]);
        self.start_over(|_| true);
    }

    fn start_over(&mut self, which: impl Fn(&Entry) -> bool) {
        let Some(tip) = self.tip() else { return };
        for entry in self.entries.values_mut().filter(|entry| which(entry)) {
            entry.from = tip;
            entry.resolved = entry.watch.opening.is_none();
            entry.hits.clear();
        }
    }

    fn note(&mut self, hits: Vec<Hit>) {
        for hit in hits {
            let Some(entry) = self.entries.get_mut(&hit.swap) else {
                continue;
            };
            if matches!(hit.role, Role::Opening(_)) {
                entry.mempool = None;
            }
            if !entry.hits.contains(&hit) {
                entry.hits.push(hit);
            }
        }
    }

    /// Takes a lookup's answer for `watch`. False if the chain has moved from under it: look again.
    pub(super) fn resolve(&mut self, watch: &Watch, answer: Answer) -> bool {
        let Some(as_of) = self.find(answer.as_of) else {
            return false;
        };
        let Some(entry) = self.entries.get_mut(&answer.swap).filter(|entry| entry.watch == *watch) else {
            return true; // forgotten or changed meanwhile: nobody wants it
        };
        if entry.resolved {
            // two answers were on their way: reading blocks takes minutes, and tells nothing of the mempool
            if answer.mempool.is_some() && entry.opening().is_none() {
                entry.mempool = answer.mempool;
            }
            return true;
        }
        if as_of.height < entry.from.height {
            return false;
        }
        entry.resolved = true;
        entry.mempool = answer.mempool;
        self.note(answer.hits);
        true
    }

    /// Openings that no block holds, as far as is known.
    pub(super) fn unconfirmed(&self) -> Vec<(SwapId, TxId)> {
        let open = self
            .entries
            .values()
            .filter(|entry| entry.resolved && entry.opening().is_none());
        open.filter_map(|entry| Some((entry.watch.swap, entry.watch.opening?)))
            .collect()
    }

    /// Whether the opening was in the mempool when it was last looked for.
    pub(super) fn in_mempool(&self, swap: SwapId) -> bool {
        self.entries.get(&swap).is_some_and(|entry| entry.mempool.is_some())
    }

    pub(super) fn set_mempool(&mut self, swap: SwapId, tx: Option<RawTx>) {
        if let Some(entry) = self.entries.get_mut(&swap).filter(|entry| entry.opening().is_none()) {
            entry.mempool = tx;
        }
    }

    /// Whether a transaction is known to be in a block.
    pub(super) fn has_confirmed(&self, txid: TxId) -> bool {
        self.entries
            .values()
            .any(|entry| entry.hits.iter().any(|hit| hit.txid == txid))
    }

    /// What is seen of a watch, if all of it is known.
    pub(super) fn sighting(&self, watch: &Watch) -> Option<Sighting> {
        let tip = self.tip()?;
        let entry = self
            .entries
            .get(&watch.swap)
            .filter(|entry| entry.resolved && entry.watch == *watch)?;
        let opening = entry.opening();
        let spend = opening.and_then(|(_, vouts)| entry.spend_of(vouts));
        let conflict = entry.hits.iter().find(|hit| hit.role == Role::Conflict);
        let in_block = |hit: &Hit| Found {
            at: Some(hit.block.height),
            tx: hit.tx.clone(),
        };
        Some(Sighting {
            tip,
            opening: match opening {
                Some((hit, _)) => Some(in_block(hit)),
                None => entry.mempool.clone().map(|tx| Found { at: None, tx }),
            },
            spend: spend.map(in_block),
            conflict: conflict.map(in_block),
        })
    }
}

impl Entry {
    fn opening(&self) -> Option<(&Hit, &[u32])> {
        self.hits.iter().find_map(|hit| match &hit.role {
            Role::Opening(vouts) => Some((hit, vouts.as_slice())),
            Role::Spend(_) | Role::Conflict => None,
        })
    }

    fn spend_of(&self, vouts: &[u32]) -> Option<&Hit> {
        self.hits.iter().find(|hit| match &hit.role {
            Role::Spend(spent) => spent.iter().any(|vout| vouts.contains(vout)),
            Role::Opening(_) | Role::Conflict => false,
        })
    }
}

#[cfg(test)]
mod tests;

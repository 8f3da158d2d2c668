//! Blocks, the active branch and the outputs that exist on it.
//!
//! Knows blocks that were made here, hence valid. Must not know the mempool, wallets, RPC.
//!
//! ```text
//!   entries (every block ever seen) ⊇ active (genesis … tip) ──connect/disconnect──▶ coins
//! ```

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::Ledger;
use super::consensus::script::MAX_SCRIPT_SIZE;
use super::consensus::{Coin, LockContext};

/// Blocks whose times make the median time past.
const MEDIAN_SPAN: usize = 11;

/// A block with what is needed to show it and to undo it.
#[derive(Debug)]
pub struct BlockEntry<L: Ledger> {
    /// Its hash.
    pub hash: L::BlockHash,
    /// The block.
    pub block: L::Block,
    /// Its height.
    pub height: u32,
    /// Median time of the eleven blocks up to this one, seconds since 1970.
    pub median_time: u32,
    /// The outputs that its transactions spend, in order: one list per transaction, empty for the coinbase.
    pub spent: Vec<Vec<Coin<L>>>,
    /// Order of arrival: of two branches of one length the older stays.
    sequence: u64,
}

impl<L: Ledger> BlockEntry<L> {
    /// Its transactions, the coinbase first.
    pub fn transactions(&self) -> &[L::Transaction] {
        L::transactions(&self.block)
    }

    /// The block before it.
    pub fn previous(&self) -> L::BlockHash {
        L::previous_block(&self.block)
    }

    /// When it was made, seconds since 1970.
    pub fn time(&self) -> u32 {
        L::block_time(&self.block)
    }
}

/// What changed when the tip moved.
#[derive(Debug)]
pub struct Reorganisation<L: Ledger> {
    /// Blocks that left the active branch, tip first.
    pub disconnected: Vec<Arc<BlockEntry<L>>>,
    /// Blocks that joined it, lowest first.
    pub connected: Vec<Arc<BlockEntry<L>>>,
}

/// The block chain. Cloning it is cheap enough for snapshots: blocks are shared.
#[derive(Clone, Debug)]
pub struct Chain<L: Ledger> {
    entries: HashMap<L::BlockHash, Arc<BlockEntry<L>>>,
    active: Vec<Arc<BlockEntry<L>>>,
    invalid: HashSet<L::BlockHash>,
    coins: HashMap<L::OutPoint, Coin<L>>,
    transactions: HashMap<L::Txid, u32>,
    next_sequence: u64,
    bytes: u64,
}

impl<L: Ledger> Default for Chain<L> {
    fn default() -> Self {
        Self::new()
    }
}

impl<L: Ledger> Chain<L> {
    /// A chain of the genesis block alone.
    pub fn new() -> Self {
        let mut chain = Self {
            entries: HashMap::new(),
            active: Vec::new(),
            invalid: HashSet::new(),
            coins: HashMap::new(),
            transactions: HashMap::new(),
            next_sequence: 0,
            bytes: 0,
        };
        chain.extend(L::genesis()).expect("the genesis block spends nothing");
        chain
    }

    /// The last block of the active branch.
    pub fn tip(&self) -> &Arc<BlockEntry<L>> {
        self.active.last().expect("the genesis block is never disconnected")
    }

    /// Height of the tip.
    pub fn height(&self) -> u32 {
        self.tip().height
    }

    /// The active block of this height.
    pub fn at(&self, height: u32) -> Option<&Arc<BlockEntry<L>>> {
        self.active.get(height as usize)
    }

    /// Any block ever seen.
    pub fn entry(&self, hash: &L::BlockHash) -> Option<&Arc<BlockEntry<L>>> {
        self.entries.get(hash)
    }

    /// Whether this block is part of the active branch.
    pub fn is_active(&self, entry: &BlockEntry<L>) -> bool {
        self.at(entry.height).is_some_and(|active| active.hash == entry.hash)
    }

    /// Blocks of the active branch, lowest first.
    pub fn active(&self) -> &[Arc<BlockEntry<L>>] {
        &self.active
    }

    /// Blocks that have no child, with whether they lie under an invalid block.
    pub fn tips(&self) -> Vec<(Arc<BlockEntry<L>>, bool)> {
        let parents: HashSet<_> = self.entries.values().map(|entry| entry.previous()).collect();
        let leaves = self.entries.values().filter(|entry| !parents.contains(&entry.hash));
        let invalid = self.under_invalid();
        leaves
            .map(|entry| (entry.clone(), invalid.contains(&entry.hash)))
            .collect()
    }

    /// An unspent output of the active branch.
    pub fn coin(&self, outpoint: &L::OutPoint) -> Option<&Coin<L>> {
        self.coins.get(outpoint)
    }

    /// The active block that holds this transaction.
    pub fn block_of(&self, txid: &L::Txid) -> Option<&Arc<BlockEntry<L>>> {
        self.transactions.get(txid).and_then(|height| self.at(*height))
    }

    /// A transaction of the active branch.
    pub fn transaction(&self, txid: &L::Txid) -> Option<&L::Transaction> {
        self.block_of(txid)?
            .transactions()
            .iter()
            .find(|tx| L::txid(tx) == *txid)
    }

    /// Median time past as of an active block, seconds since 1970.
    pub fn median_time_at(&self, height: u32) -> u32 {
        self.at(height).map_or(0, |entry| entry.median_time)
    }

    /// Runs a check against the place of the next block.
    pub fn with_next_block<T>(&self, check: impl FnOnce(&LockContext<'_>) -> T) -> T {
        let median_time_at = |height| self.median_time_at(height);
        check(&LockContext {
            height: self.height() + 1,
            median_time_past: self.tip().median_time,
            median_time_at: &median_time_at,
        })
    }

    /// Puts a new block on the tip. `None` if it spends what does not exist.
    pub fn extend(&mut self, block: L::Block) -> Option<Arc<BlockEntry<L>>> {
        let (hash, height) = (L::block_hash(&block), self.active.len() as u32);
        let spent = self.connect(&block, height)?;
        let entry = Arc::new(BlockEntry {
            hash,
            median_time: self.median_with(L::block_time(&block)),
            block,
            height,
            spent,
            sequence: self.next_sequence,
        });
        self.next_sequence += 1;
        self.bytes += L::block_bytes(&entry.block).len() as u64;
        self.entries.insert(hash, entry.clone());
        self.active.push(entry.clone());
        Some(entry)
    }

    fn median_with(&self, time: u32) -> u32 {
        let before = self.active.iter().rev().take(MEDIAN_SPAN - 1).map(|entry| entry.time());
        let mut times: Vec<u32> = before.chain([time]).collect();
        times.sort_unstable();
        times[times.len() / 2]
    }

    /// Marks a block invalid and moves to the best branch without it. `None` for an unknown block or genesis.
    pub fn invalidate(&mut self, hash: &L::BlockHash) -> Option<Reorganisation<L>> {
        let entry = self.entries.get(hash)?;
        if entry.height == 0 {
            return None;
        }
        self.invalid.insert(*hash);
        Some(self.activate_best())
    }

    /// Clears the mark from a block, what it stands on and what stands on it, and moves to the best branch.
    pub fn reconsider(&mut self, hash: &L::BlockHash) -> Option<Reorganisation<L>> {
        let entry = self.entries.get(hash)?.clone();
        let marked: Vec<_> = self
            .invalid
            .iter()
            .filter_map(|hash| self.entries.get(hash))
            .cloned()
            .collect();
        for other in marked {
            if self.descends(&entry, &other) || self.descends(&other, &entry) {
                self.invalid.remove(&other.hash);
            }
        }
        Some(self.activate_best())
    }

    /// Whether `entry` is `ancestor` or stands on it.
    fn descends(&self, entry: &BlockEntry<L>, ancestor: &BlockEntry<L>) -> bool {
        let mut hash = entry.hash;
        while let Some(walk) = self.entries.get(&hash) {
            if walk.height <= ancestor.height {
                return walk.hash == ancestor.hash;
            }
            hash = walk.previous();
        }
        false
    }

    /// The blocks marked invalid and all that stand on them. One pass: a week's blocks may be replaced at once.
    fn under_invalid(&self) -> HashSet<L::BlockHash> {
        if self.invalid.is_empty() {
            return HashSet::new();
        }
        let mut arrived: Vec<_> = self.entries.values().collect();
        // A block arrives after its parent.
        arrived.sort_unstable_by_key(|entry| entry.sequence);
        let mut found = self.invalid.clone();
        for entry in arrived {
            if found.contains(&entry.previous()) {
                found.insert(entry.hash);
            }
        }
        found
    }

    fn activate_best(&mut self) -> Reorganisation<L> {
        let invalid = self.under_invalid();
        let best = self
            .entries
            .values()
            .filter(|entry| !invalid.contains(&entry.hash))
            .max_by_key(|entry| (entry.height, std::cmp::Reverse(entry.sequence)))
            .expect("genesis is never invalid")
            .clone();
        let mut branch = Vec::new();
        let mut walk = best;
        while !self.is_active(&walk) {
            let parent = walk.previous();
            branch.push(walk);
            walk = self
                .entries
                .get(&parent)
                .expect("a block arrives after its parent")
                .clone();
        }
        let mut change = Reorganisation {
            disconnected: Vec::new(),
            connected: Vec::new(),
        };
        while self.height() > walk.height {
            change.disconnected.push(self.disconnect_tip());
        }
        for entry in branch.into_iter().rev() {
            self.connect(&entry.block, entry.height)
                .expect("the block was connected on this very branch before");
            self.active.push(entry.clone());
            change.connected.push(entry);
        }
        change
    }

    fn connect(&mut self, block: &L::Block, height: u32) -> Option<Vec<Vec<Coin<L>>>> {
        let txdata = L::transactions(block);
        let mut spent = Vec::with_capacity(txdata.len());
        for (position, tx) in txdata.iter().enumerate() {
            let txid = L::txid(tx);
            // Neither a coinbase nor the genesis issuance spends an output.
            let spends = if position == 0 || height == 0 {
                Vec::new()
            } else {
                L::inputs(tx)
            };
            let coins = spends.iter().map(|input| self.coins.remove(&input.previous));
            spent.push(coins.collect::<Option<_>>()?);
            self.transactions.insert(txid, height);
            self.add_outputs(tx, txid, height, position == 0);
        }
        Some(spent)
    }

    fn add_outputs(&mut self, tx: &L::Transaction, txid: L::Txid, height: u32, coinbase: bool) {
        if height == 0 && !L::GENESIS_COINS {
            return;
        }
        for (vout, output) in (0_u32..).zip(L::outputs(tx)) {
            if L::is_fee(output) || is_unspendable(L::script(output)) {
                continue;
            }
            self.coins
                .insert(L::outpoint(txid, vout), coin_of(output, height, coinbase));
        }
    }

    fn disconnect_tip(&mut self) -> Arc<BlockEntry<L>> {
        let entry = self.active.pop().expect("genesis is never disconnected");
        for (tx, spent) in entry.transactions().iter().zip(&entry.spent).rev() {
            let txid = L::txid(tx);
            self.transactions.remove(&txid);
            for vout in 0..L::outputs(tx).len() as u32 {
                self.coins.remove(&L::outpoint(txid, vout));
            }
            for (input, coin) in L::inputs(tx).iter().zip(spent) {
                self.coins.insert(input.previous, coin.clone());
            }
        }
        entry
    }

    /// Bytes of all blocks ever seen, together.
    pub fn size_on_disk(&self) -> u64 {
        self.bytes
    }
}

/// A coin of this output, without its proofs, which nobody needs again.
pub fn coin_of<L: Ledger>(output: &L::TxOut, height: u32, coinbase: bool) -> Coin<L> {
    Coin {
        output: L::without_proofs(output),
        height,
        coinbase,
    }
}

/// Whether nothing can ever satisfy a script (`CScript::IsUnspendable`).
pub fn is_unspendable(script: &bitcoin::Script) -> bool {
    script.is_op_return() || script.len() > MAX_SCRIPT_SIZE
}

//! Transactions that wait for a block.
//!
//! Knows who spends whom. Must not decide what is let in: that is `policy` and `node`.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use elements::{OutPoint, Transaction, Txid, Wtxid};

use super::chain::coin_of;
use super::consensus::Coin;

/// One waiting transaction.
#[derive(Clone, Debug)]
pub struct MempoolEntry {
    /// The transaction.
    pub tx: Arc<Transaction>,
    /// Its id.
    pub txid: Txid,
    /// Its id with witnesses.
    pub wtxid: Wtxid,
    /// Fee in the policy asset, sat.
    pub fee_sat: u64,
    /// Virtual size, undiscounted.
    pub vsize: u64,
    /// Virtual size by ELIP-200.
    pub discount_vsize: u64,
    /// When it came in, seconds since 1970.
    pub time: u64,
    /// Height of the tip when it came in.
    pub height: u32,
    /// Order of arrival.
    sequence: u64,
}

/// Totals over a transaction and its unconfirmed relatives in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Family {
    /// How many, the transaction itself included.
    pub count: u64,
    /// Sum of undiscounted virtual sizes.
    pub vsize: u64,
    /// Sum of discounted virtual sizes.
    pub discount_vsize: u64,
    /// Sum of fees, sat.
    pub fee_sat: u64,
}

/// The waiting transactions.
#[derive(Clone, Debug, Default)]
pub struct Mempool {
    entries: HashMap<Txid, MempoolEntry>,
    spenders: HashMap<OutPoint, Txid>,
    next_sequence: u64,
}

impl Mempool {
    /// How many transactions wait.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entry of this transaction.
    pub fn get(&self, txid: &Txid) -> Option<&MempoolEntry> {
        self.entries.get(txid)
    }

    /// Entries in the order of arrival, hence parents before children.
    pub fn in_order(&self) -> Vec<&MempoolEntry> {
        let mut entries: Vec<_> = self.entries.values().collect();
        entries.sort_unstable_by_key(|entry| entry.sequence);
        entries
    }

    /// Who spends this output, among the waiting.
    pub fn spender(&self, outpoint: &OutPoint) -> Option<Txid> {
        self.spenders.get(outpoint).copied()
    }

    /// An output made by a waiting transaction, spent or not, as if it were in the block of this height.
    pub fn coin(&self, outpoint: &OutPoint, next_height: u32) -> Option<Coin> {
        let entry = self.entries.get(&outpoint.txid)?;
        let output = entry
            .tx
            .output
            .get(outpoint.vout as usize)
            .filter(|output| !output.is_fee())?;
        Some(coin_of(output, next_height, false))
    }

    /// Takes a transaction in. The caller has checked it.
    pub fn insert(&mut self, tx: Arc<Transaction>, fee_sat: u64, time: u64, height: u32) -> Txid {
        let txid = tx.txid();
        for input in &tx.input {
            self.spenders.insert(input.previous_output, txid);
        }
        let entry = MempoolEntry {
            txid,
            wtxid: tx.wtxid(),
            fee_sat,
            vsize: tx.vsize() as u64,
            discount_vsize: tx.discount_vsize() as u64,
            time,
            height,
            sequence: self.next_sequence,
            tx,
        };
        self.next_sequence += 1;
        self.entries.insert(txid, entry);
        txid
    }

    /// Takes one transaction out and leaves its children, which is right once a block holds it.
    pub fn remove(&mut self, txid: &Txid) -> Option<MempoolEntry> {
        let entry = self.entries.remove(txid)?;
        for input in &entry.tx.input {
            self.spenders.remove(&input.previous_output);
        }
        Some(entry)
    }

    /// Takes a transaction out with everything that stands on it.
    pub fn remove_with_descendants(&mut self, txid: &Txid) {
        for descendant in self.descendants(txid) {
            self.remove(&descendant);
        }
    }

    /// After a block: takes out what it holds, and what conflicts with what it holds.
    pub fn remove_for_block(&mut self, txdata: &[Transaction]) {
        if self.is_empty() {
            return;
        }
        for tx in txdata {
            self.remove(&tx.txid());
            let conflicts: HashSet<_> = tx
                .input
                .iter()
                .filter_map(|input| self.spender(&input.previous_output))
                .collect();
            conflicts
                .iter()
                .for_each(|conflict| self.remove_with_descendants(conflict));
        }
    }

    /// Empties the pool, parents first.
    pub fn drain(&mut self) -> Vec<MempoolEntry> {
        let mut entries: Vec<_> = self.entries.drain().map(|(_, entry)| entry).collect();
        entries.sort_unstable_by_key(|entry| entry.sequence);
        self.spenders.clear();
        entries
    }

    /// Waiting transactions that this one spends from.
    pub fn parents(&self, tx: &Transaction) -> BTreeSet<Txid> {
        tx.input
            .iter()
            .map(|input| input.previous_output.txid)
            .filter(|txid| self.entries.contains_key(txid))
            .collect()
    }

    /// Waiting transactions that spend from this one.
    pub fn children(&self, txid: &Txid) -> BTreeSet<Txid> {
        let Some(entry) = self.entries.get(txid) else {
            return BTreeSet::new();
        };
        (0..entry.tx.output.len() as u32)
            .filter_map(|vout| self.spender(&OutPoint::new(*txid, vout)))
            .collect()
    }

    /// All waiting transactions that this one, itself waiting or not, stands on.
    pub fn ancestors(&self, tx: &Transaction) -> BTreeSet<Txid> {
        self.closure(self.parents(tx), |txid| self.parents(&self.entries[txid].tx))
    }

    /// A waiting transaction and all that stand on it.
    pub fn descendants(&self, txid: &Txid) -> BTreeSet<Txid> {
        self.closure(BTreeSet::from([*txid]), |txid| self.children(txid))
    }

    fn closure(&self, start: BTreeSet<Txid>, next: impl Fn(&Txid) -> BTreeSet<Txid>) -> BTreeSet<Txid> {
        let mut queue: VecDeque<_> = start.iter().copied().collect();
        let mut found = start;
        while let Some(txid) = queue.pop_front() {
            queue.extend(next(&txid).into_iter().filter(|other| found.insert(*other)));
        }
        found
    }

    /// Totals over these transactions.
    pub fn family<'a>(&self, txids: impl IntoIterator<Item = &'a Txid>) -> Family {
        txids
            .into_iter()
            .filter_map(|txid| self.entries.get(txid))
            .fold(Family::default(), |sum, entry| Family {
                count: sum.count + 1,
                vsize: sum.vsize + entry.vsize,
                discount_vsize: sum.discount_vsize + entry.discount_vsize,
                fee_sat: sum.fee_sat + entry.fee_sat,
            })
    }
}

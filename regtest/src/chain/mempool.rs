//! Transactions that wait for a block.
//!
//! Knows who spends whom. Must not decide what is let in: that is `policy` and `node`.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use super::Ledger;
use super::blocks::coin_of;
use super::consensus::Coin;

/// One waiting transaction.
#[derive(Clone, Debug)]
pub struct MempoolEntry<L: Ledger> {
    /// The transaction.
    pub tx: Arc<L::Transaction>,
    /// Its id.
    pub txid: L::Txid,
    /// Its id with witnesses.
    pub wtxid: L::Wtxid,
    /// Fee, sat.
    pub fee_sat: u64,
    /// Virtual size.
    pub vsize: u64,
    /// Size by which its fee is judged when it is relayed, in vbytes.
    pub fee_vsize: u64,
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
    /// Sum of virtual sizes.
    pub vsize: u64,
    /// Sum of fees, sat.
    pub fee_sat: u64,
}

/// The waiting transactions.
#[derive(Clone, Debug)]
pub struct Mempool<L: Ledger> {
    entries: HashMap<L::Txid, MempoolEntry<L>>,
    spenders: HashMap<L::OutPoint, L::Txid>,
    next_sequence: u64,
}

impl<L: Ledger> Default for Mempool<L> {
    fn default() -> Self {
        Self {
            entries: HashMap::new(),
            spenders: HashMap::new(),
            next_sequence: 0,
        }
    }
}

impl<L: Ledger> Mempool<L> {
    /// How many transactions wait.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entry of this transaction.
    pub fn get(&self, txid: &L::Txid) -> Option<&MempoolEntry<L>> {
        self.entries.get(txid)
    }

    /// Entries in the order of arrival, hence parents before children.
    pub fn in_order(&self) -> Vec<&MempoolEntry<L>> {
        let mut entries: Vec<_> = self.entries.values().collect();
        entries.sort_unstable_by_key(|entry| entry.sequence);
        entries
    }

    /// Who spends this output, among the waiting.
    pub fn spender(&self, outpoint: &L::OutPoint) -> Option<L::Txid> {
        self.spenders.get(outpoint).copied()
    }

    /// An output made by a waiting transaction, spent or not, as if it were in the block of this height.
    pub fn coin(&self, outpoint: &L::OutPoint, next_height: u32) -> Option<Coin<L>> {
        let entry = self.entries.get(&L::outpoint_txid(outpoint))?;
        let output = L::outputs(&entry.tx)
            .get(L::outpoint_vout(outpoint) as usize)
            .filter(|output| !L::is_fee(output))?;
        Some(coin_of(output, next_height, false))
    }

    /// Takes a transaction in. The caller has checked it.
    pub fn insert(&mut self, tx: Arc<L::Transaction>, fee_sat: u64, time: u64, height: u32) -> L::Txid {
        let txid = L::txid(&tx);
        for input in L::inputs(&tx) {
            self.spenders.insert(input.previous, txid);
        }
        let entry = MempoolEntry {
            txid,
            wtxid: L::wtxid(&tx),
            fee_sat,
            vsize: L::vsize(&tx),
            fee_vsize: L::fee_vsize(&tx),
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
    pub fn remove(&mut self, txid: &L::Txid) -> Option<MempoolEntry<L>> {
        let entry = self.entries.remove(txid)?;
        for input in L::inputs(&entry.tx) {
            self.spenders.remove(&input.previous);
        }
        Some(entry)
    }

    /// Takes a transaction out with everything that stands on it.
    pub fn remove_with_descendants(&mut self, txid: &L::Txid) {
        for descendant in self.descendants(txid) {
            self.remove(&descendant);
        }
    }

    /// After a block: takes out what it holds, and what conflicts with what it holds.
    pub fn remove_for_block(&mut self, txdata: &[L::Transaction]) {
        if self.is_empty() {
            return;
        }
        for tx in txdata {
            self.remove(&L::txid(tx));
            let conflicts: HashSet<_> = L::inputs(tx)
                .iter()
                .filter_map(|input| self.spender(&input.previous))
                .collect();
            conflicts
                .iter()
                .for_each(|conflict| self.remove_with_descendants(conflict));
        }
    }

    /// Empties the pool, parents first.
    pub fn drain(&mut self) -> Vec<MempoolEntry<L>> {
        let mut entries: Vec<_> = self.entries.drain().map(|(_, entry)| entry).collect();
        entries.sort_unstable_by_key(|entry| entry.sequence);
        self.spenders.clear();
        entries
    }

    /// Waiting transactions that this one spends from.
    pub fn parents(&self, tx: &L::Transaction) -> BTreeSet<L::Txid> {
        L::inputs(tx)
            .iter()
            .map(|input| L::outpoint_txid(&input.previous))
            .filter(|txid| self.entries.contains_key(txid))
            .collect()
    }

    /// Waiting transactions that spend from this one.
    pub fn children(&self, txid: &L::Txid) -> BTreeSet<L::Txid> {
        let Some(entry) = self.entries.get(txid) else {
            return BTreeSet::new();
        };
        (0..L::outputs(&entry.tx).len() as u32)
            .filter_map(|vout| self.spender(&L::outpoint(*txid, vout)))
            .collect()
    }

    /// All waiting transactions that this one, itself waiting or not, stands on.
    pub fn ancestors(&self, tx: &L::Transaction) -> BTreeSet<L::Txid> {
        self.closure(self.parents(tx), |txid| self.parents(&self.entries[txid].tx))
    }

    /// A waiting transaction and all that stand on it.
    pub fn descendants(&self, txid: &L::Txid) -> BTreeSet<L::Txid> {
        self.closure(BTreeSet::from([*txid]), |txid| self.children(txid))
    }

    fn closure(&self, start: BTreeSet<L::Txid>, next: impl Fn(&L::Txid) -> BTreeSet<L::Txid>) -> BTreeSet<L::Txid> {
        let mut queue: VecDeque<_> = start.iter().copied().collect();
        let mut found = start;
        while let Some(txid) = queue.pop_front() {
            queue.extend(next(&txid).into_iter().filter(|other| found.insert(*other)));
        }
        found
    }

    /// Totals over these transactions.
    pub fn family<'a>(&self, txids: impl IntoIterator<Item = &'a L::Txid>) -> Family {
        txids
            .into_iter()
            .filter_map(|txid| self.entries.get(txid))
            .fold(Family::default(), |sum, entry| Family {
                count: sum.count + 1,
                vsize: sum.vsize + entry.vsize,
                fee_sat: sum.fee_sat + entry.fee_sat,
            })
    }
}

//! A chain and its one mempool: blocks, reorgs, replacement, relative timelocks, fees.

use std::collections::{BTreeMap, BTreeSet};

use bitcoin::hashes::Hash;
use bitcoin::{Amount, BlockHash, ScriptBuf};
use rand::Rng;
use rand::rngs::StdRng;
use sluice::ports::{Found, Sighting, Tip, Watch};
use sluice::units::{Asset, Blocks, FeeRate, Height, OutPoint, RawTx, TxId};

use crate::prices::{floor, increment, usual_price};
use crate::txs::{self, Output, Tx};
use crate::wallet::Owned;
use crate::world::Who;

/// The height at which every run begins.
const BEGINNING: u32 = 100;

/// Confirmations after which no reorg here undoes a transaction.
const FINAL: Blocks = Blocks(3);

pub struct Ledger {
    pub asset: Asset,
    /// Whether outputs are confidential: Liquid, in a sample of the runs.
    pub confidential: bool,
    blocks: Vec<Block>,
    txs: BTreeMap<TxId, Held>,
    spenders: BTreeMap<OutPoint, TxId>,
    /// In the order of arrival, so that parents come before children.
    mempool: Vec<TxId>,
    owners: BTreeMap<ScriptBuf, Owned>,
    /// What each wallet has that nothing spends, in a block or not.
    coins: [BTreeMap<OutPoint, Amount>; 2],
    /// What a place in a block costs now.
    pub price: FeeRate,
    deepest_reorg: u32,
    /// What reorgs took out of blocks.
    pub undone: BTreeSet<TxId>,
    scripts: u64,
}

struct Block {
    hash: BlockHash,
    txs: Vec<TxId>,
}

pub struct Held {
    pub tx: Tx,
    pub at: Option<Height>,
    pub fee: Amount,
}

impl Ledger {
    pub fn new(asset: Asset, proofs: bool) -> Ledger {
        let genesis = Block {
            hash: hash(asset, BEGINNING, 0),
            txs: Vec::new(),
        };
        Ledger {
            asset,
            confidential: proofs && asset == Asset::Lbtc,
            blocks: vec![genesis],
            txs: BTreeMap::new(),
            spenders: BTreeMap::new(),
            mempool: Vec::new(),
            owners: BTreeMap::new(),
            coins: [BTreeMap::new(), BTreeMap::new()],
            price: usual_price(asset),
            deepest_reorg: 0,
            undone: BTreeSet::new(),
            scripts: 0,
        }
    }

    pub fn genesis(asset: Asset) -> BlockHash {
        hash(asset, 0, 0)
    }

    pub fn tip(&self) -> Tip {
        Tip {
            height: Height(BEGINNING + self.blocks.len() as u32 - 1),
            hash: self.blocks.last().unwrap().hash,
        }
    }

    pub fn deepest_reorg(&self) -> Blocks {
        Blocks(self.deepest_reorg)
    }

    pub fn held(&self, id: TxId) -> Option<&Held> {
        self.txs.get(&id)
    }

    pub fn confirmed(&self) -> impl Iterator<Item = &Held> {
        self.txs.values().filter(|held| held.at.is_some())
    }

    pub fn mempool_len(&self) -> usize {
        self.mempool.len()
    }

    pub fn is_in_mempool(&self, id: TxId) -> bool {
        self.txs.get(&id).is_some_and(|held| held.at.is_none())
    }

    pub fn spender(&self, point: OutPoint) -> Option<&Held> {
        self.spenders.get(&point).map(|id| &self.txs[id])
    }

    /// A number that no script of a wallet has yet.
    pub fn next_script(&mut self) -> u64 {
        self.scripts += 1;
        self.scripts
    }

    pub fn own(&mut self, script: ScriptBuf, owned: Owned) {
        self.owners.insert(script, owned);
    }

    pub fn owner(&self, script: &ScriptBuf) -> Option<&Owned> {
        self.owners.get(script)
    }

    /// What a wallet could spend, and whether it is deep enough to stay: what hangs on a coin that a reorg takes away
    /// for ever can neither confirm nor be voided.
    pub fn coins(&self, who: Who) -> impl Iterator<Item = (OutPoint, Amount, bool)> + '_ {
        let deep = |at: Height| at.confirmations_at(self.tip().height) >= Some(FINAL);
        let coins = self.coins[who.index()].iter();
        coins.map(move |(point, amount)| (*point, *amount, self.txs[&point.txid].at.is_some_and(deep)))
    }

    /// Puts a transaction that nobody had to make into the first block: the wallets' first coins.
    pub fn endow(&mut self, tx: Tx) {
        self.insert(tx, Amount::ZERO);
        let at = Height(BEGINNING - FINAL.0);
        let id = self.mempool.pop().unwrap();
        self.txs.get_mut(&id).unwrap().at = Some(at);
    }

    /// Takes a transaction into the mempool, as a node does.
    pub fn submit(&mut self, raw: &RawTx) -> Result<TxId, String> {
        let tx = txs::decode(self.asset, raw)?;
        if self.txs.contains_key(&tx.id) {
            return Ok(tx.id);
        }
        let spent: Vec<Output> = tx
            .inputs
            .iter()
            .map(|input| self.output(input.point))
            .collect::<Result<_, _>>()?;
        let ages: Vec<u32> = tx.inputs.iter().map(|input| self.age(input.point)).collect();
        if tx.inputs.iter().zip(&ages).any(|(input, age)| input.age > *age) {
            return Err("non-BIP68-final".into());
        }
        let fee = self.fee(&tx, &spent)?;
        if fee < floor(self.asset).fee(tx.size) {
            return Err(format!("min relay fee not met: {fee}"));
        }
        let conflicts = self.conflicts(&tx)?;
        let replaced: Amount = conflicts.iter().map(|id| self.txs[id].fee).sum();
        if !conflicts.is_empty() && fee < replaced + increment(self.asset).fee(tx.vsize) {
            return Err(format!(
                "insufficient fee, rejecting replacement: {fee} after {replaced}"
            ));
        }
        txs::judge(self.asset, &tx, &spent, &ages)?;
        for conflict in conflicts {
            self.remove(conflict);
        }
        let id = tx.id;
        self.insert(tx, fee);
        Ok(id)
    }

    fn output(&self, point: OutPoint) -> Result<Output, String> {
        let held = self.txs.get(&point.txid).ok_or("missing inputs")?;
        held.tx
            .outputs
            .get(point.vout as usize)
            .cloned()
            .ok_or("missing inputs".into())
    }

    /// How deep an output would be in the next block.
    fn age(&self, point: OutPoint) -> u32 {
        let at = self.txs.get(&point.txid).and_then(|held| held.at);
        at.map_or(0, |at| self.tip().height.0 + 1 - at.0)
    }

    pub fn fee(&self, tx: &Tx, spent: &[Output]) -> Result<Amount, String> {
        if let Some(fee) = tx.stated_fee {
            return Ok(fee);
        }
        let sum = |outputs: &[Output]| outputs.iter().filter_map(|output| output.value).sum::<Amount>();
        sum(spent).checked_sub(sum(&tx.outputs)).ok_or("in belowout".into())
    }

    /// What it would replace; what is in a block is not replaced.
    fn conflicts(&self, tx: &Tx) -> Result<Vec<TxId>, String> {
        let mut found: Vec<TxId> = tx
            .inputs
            .iter()
            .filter_map(|input| self.spenders.get(&input.point).copied())
            .collect();
        found.dedup();
        if found.iter().any(|id| self.txs[id].at.is_some()) {
            return Err("missing inputs: spent in the chain".into());
        }
        Ok(found)
    }

    fn insert(&mut self, mut tx: Tx, fee: Amount) {
        for input in &tx.inputs {
            self.spenders.insert(input.point, tx.id);
            for coins in &mut self.coins {
                coins.remove(&input.point);
            }
        }
        for (vout, output) in (0..).zip(&mut tx.outputs) {
            let Some(owned) = self.owners.get(&output.script) else {
                continue;
            };
            if output.value.is_none() {
                output.value = owned.open(output);
            }
            let point = OutPoint { txid: tx.id, vout };
            if let Some(value) = output.value
                && !self.spenders.contains_key(&point)
            {
                self.coins[owned.who.index()].insert(point, value);
            }
        }
        self.mempool.push(tx.id);
        self.txs.insert(tx.id, Held { tx, at: None, fee });
    }

    /// The network forgets a transaction, and what hangs on it.
    fn remove(&mut self, id: TxId) {
        let Some(held) = self.txs.get(&id) else { return };
        let outputs = held.tx.outputs.len() as u32;
        let inputs: Vec<OutPoint> = held.tx.inputs.iter().map(|input| input.point).collect();
        for vout in 0..outputs {
            let point = OutPoint { txid: id, vout };
            if let Some(child) = self.spenders.get(&point).copied() {
                self.remove(child);
            }
            for coins in &mut self.coins {
                coins.remove(&point);
            }
        }
        self.txs.remove(&id);
        self.mempool.retain(|other| *other != id);
        for point in inputs {
            self.spenders.remove(&point);
            let output = self.output(point).ok();
            let owned = output.and_then(|output| Some((self.owners.get(&output.script)?.who, output.value?)));
            if let Some((who, value)) = owned {
                self.coins[who.index()].insert(point, value);
            }
        }
    }

    /// Whether a child pays for its parent (CPFP).
    fn is_pushed(&self, held: &Held) -> bool {
        (0..held.tx.outputs.len() as u32).any(|vout| {
            let child = self.spender(OutPoint { txid: held.tx.id, vout });
            child.is_some_and(|child| child.fee + held.fee >= self.price.fee(child.tx.size + held.tx.size))
        })
    }

    /// A block of what pays its price, without some that the miner has not heard of.
    pub fn mine(&mut self, rng: &mut StdRng, passed_over: u32) {
        let height = self.tip().height.plus(Blocks(1));
        let mut taken = Vec::new();
        for id in std::mem::take(&mut self.mempool) {
            let held = &self.txs[&id];
            let pays = held.fee >= self.price.fee(held.tx.size) || self.is_pushed(held);
            let parents = held
                .tx
                .inputs
                .iter()
                .all(|input| self.txs[&input.point.txid].at.is_some());
            let heard = passed_over == 0 || rng.gen_range(0..10_000) >= passed_over;
            if pays && parents && heard {
                self.txs.get_mut(&id).unwrap().at = Some(height);
                taken.push(id);
            } else {
                self.mempool.push(id);
            }
        }
        let block = Block {
            hash: hash(self.asset, height.0, rng.r#gen()),
            txs: taken,
        };
        self.blocks.push(block);
    }

    /// Takes the last blocks out of the chain; their transactions wait again, but for those that are forgotten.
    pub fn undo(&mut self, depth: usize, rng: &mut StdRng, evicted: u32) {
        let depth = depth.min(self.blocks.len() - 1);
        let mut back = Vec::new();
        for block in self.blocks.drain(self.blocks.len() - depth..) {
            back.extend(block.txs);
        }
        for id in &back {
            self.txs.get_mut(id).unwrap().at = None;
        }
        self.undone.extend(&back);
        let later = std::mem::replace(&mut self.mempool, back.clone());
        self.mempool.extend(later);
        for id in back {
            if rng.gen_range(0..10_000) < evicted {
                self.remove(id);
            }
        }
        self.deepest_reorg = self.deepest_reorg.max(depth as u32);
    }

    /// Forgets what has become too young for its timelock: after a reorg.
    pub fn forget_premature(&mut self) {
        let young = |id: &TxId| {
            self.txs[id]
                .tx
                .inputs
                .iter()
                .any(|input| input.age > self.age(input.point))
        };
        let gone: Vec<TxId> = self.mempool.iter().filter(|id| young(id)).copied().collect();
        for id in gone {
            self.remove(id);
        }
    }

    /// Whether an output is nowhere, or spent in the chain.
    pub fn is_gone(&self, point: OutPoint) -> bool {
        !self.txs.contains_key(&point.txid) || self.spender(point).is_some_and(|held| held.at.is_some())
    }

    /// What in the mempool stands on a transaction of the mempool.
    pub fn standing_on(&self, id: TxId) -> Option<u32> {
        let held = self.txs.get(&id).filter(|held| held.at.is_none())?;
        let children: BTreeSet<TxId> = (0..held.tx.outputs.len() as u32)
            .filter_map(|vout| Some(self.spender(OutPoint { txid: id, vout })?.tx.id))
            .collect();
        Some(
            children
                .iter()
                .filter_map(|child| Some(1 + self.standing_on(*child)?))
                .sum(),
        )
    }

    pub fn view(&self, watch: &Watch) -> Sighting {
        let found = |held: &Held| Found {
            at: held.at,
            tx: held.tx.raw.clone(),
        };
        let opening = watch.opening.and_then(|id| self.txs.get(&id));
        let spent_at = opening.and_then(|held| {
            let vout = held
                .tx
                .outputs
                .iter()
                .position(|output| output.script == watch.script)?;
            self.spender(OutPoint {
                txid: held.tx.id,
                vout: vout as u32,
            })
        });
        let conflict = watch.inputs.iter().find_map(|point| {
            let spender = self.spender(*point)?;
            (Some(spender.tx.id) != watch.opening && spender.at.is_some()).then_some(spender)
        });
        Sighting {
            tip: self.tip(),
            opening: opening.map(found),
            spend: spent_at.filter(|held| held.at.is_some()).map(found),
            conflict: conflict.map(found),
        }
    }
}

fn hash(asset: Asset, height: u32, nonce: u64) -> BlockHash {
    BlockHash::hash(format!("{asset} {height} {nonce}").as_bytes())
}

//! Makes blocks: of what waits, or of exactly what the caller gives.

use std::collections::{HashMap, HashSet};

use bitcoin::Script;

use super::blocks::coin_of;
use super::consensus::{self, Coin, MAX_BLOCK_WEIGHT, Reject, script};
use super::ledger::{Ledger, Place};
use super::node::Node;
use super::policy;

/// Weight that block templates leave for header and coinbase (`DEFAULT_BLOCK_RESERVED_WEIGHT`).
const RESERVED_WEIGHT: usize = 8_000;

impl<L: Ledger> Node<L> {
    /// Mines one block of what waits; its fees go to this script.
    pub fn mine(&mut self, coinbase_script: &Script) -> L::BlockHash {
        let (txdata, fees_sat) = self.select();
        let block = self.template(txdata, fees_sat, coinbase_script);
        self.connect(block)
    }

    /// A block of exactly these transactions on top of the chain. They need not wait, and policy does not matter: this is
    /// how a double spend is mined. Fees are burnt, as by the real `generateblock`.
    ///
    /// # Errors
    /// The first consensus rule that a transaction breaks.
    pub fn block_of(&mut self, txdata: Vec<L::Transaction>, coinbase_script: &Script) -> Result<L::Block, Reject> {
        let mut made = HashMap::new();
        let mut spent = HashSet::new();
        for tx in &txdata {
            self.check_for_block(tx, &made, &spent)?;
            let (txid, height) = (L::txid(tx), self.state.chain.height() + 1);
            spent.extend(L::inputs(tx).iter().map(|input| input.previous));
            let outputs = (0_u32..).zip(L::outputs(tx));
            made.extend(outputs.map(|(vout, output)| (L::outpoint(txid, vout), coin_of(output, height, false))));
        }
        Ok(self.template(txdata, 0, coinbase_script))
    }

    /// Puts a block that was made here on top of the chain.
    pub fn connect(&mut self, block: L::Block) -> L::BlockHash {
        let entry = self
            .state
            .chain
            .extend(block)
            .expect("its transactions were checked against this very tip");
        self.state.mempool.remove_for_block(entry.transactions());
        let now = self.now();
        for wallet in self.state.wallets.values_mut() {
            entry.transactions().iter().for_each(|tx| wallet.see(tx, now));
        }
        self.announce();
        entry.hash
    }

    fn template(&self, txdata: Vec<L::Transaction>, fees_sat: u64, coinbase_script: &Script) -> L::Block {
        let tip = self.state.chain.tip();
        let time = (self.now() as u32).max(tip.median_time + 1);
        let place = Place {
            height: tip.height + 1,
            previous: tip.hash,
            time,
            script: coinbase_script,
        };
        let mut block = L::assemble(&place, txdata, fees_sat);
        // Mined again within a second, a block that was made invalid would be the very same block.
        while self.state.chain.entry(&L::block_hash(&block)).is_some() {
            L::postpone(&mut block);
        }
        block
    }

    /// What goes into the next block, parents before children, and its fees.
    fn select(&self) -> (Vec<L::Transaction>, u64) {
        let mempool = &self.state.mempool;
        let mut chosen = Vec::new();
        let (mut fees_sat, mut weight, mut left_out) = (0, RESERVED_WEIGHT, HashSet::new());
        let worth_it = self.worth_mining();
        for entry in mempool.in_order() {
            let parents = mempool.parents(&entry.tx);
            let pays = worth_it.contains(&entry.txid);
            let fits = weight + L::weight(&entry.tx) < MAX_BLOCK_WEIGHT;
            let ready = self
                .state
                .chain
                .with_next_block(|next| consensus::is_final::<L>(&entry.tx, next));
            if pays && fits && ready && parents.iter().all(|parent| !left_out.contains(parent)) {
                weight += L::weight(&entry.tx);
                fees_sat += entry.fee_sat;
                chosen.push((*entry.tx).clone());
            } else {
                left_out.insert(entry.txid);
            }
        }
        (chosen, fees_sat)
    }

    /// What pays what miners want: by itself, or by a child that pays for it and all else that it stands on.
    fn worth_mining(&self) -> HashSet<L::Txid> {
        let mempool = &self.state.mempool;
        let rate = self.market.mined.unwrap_or(0).max(L::MIN_RELAY_FEE_RATE);
        let mut worth_it = HashSet::new();
        for entry in mempool.in_order() {
            let mut package = mempool.ancestors(&entry.tx);
            package.insert(entry.txid);
            package.retain(|txid| !worth_it.contains(txid));
            let entries = || package.iter().filter_map(|txid| mempool.get(txid));
            let fees_sat: u64 = entries().map(|entry| entry.fee_sat).sum();
            let size = entries().map(|entry| entry.fee_vsize).sum();
            if fees_sat >= policy::fee_for(rate, size) {
                worth_it.extend(package);
            }
        }
        worth_it
    }

    /// The rules of blocks alone. `made` and `spent` are the outputs of the transactions before it in the same block.
    fn check_for_block(
        &mut self,
        tx: &L::Transaction,
        made: &HashMap<L::OutPoint, Coin<L>>,
        spent: &HashSet<L::OutPoint>,
    ) -> Result<(), Reject> {
        consensus::check_transaction::<L>(tx)?;
        if L::is_coinbase(tx) {
            return Err(Reject::new("bad-cb-multiple"));
        }
        let chain = &self.state.chain;
        if !chain.with_next_block(|next| consensus::is_final::<L>(tx, next)) {
            return Err(Reject::with("bad-txns-nonfinal", "non-final transaction"));
        }
        let coin = |at: &L::OutPoint| {
            chain
                .coin(at)
                .or_else(|| made.get(at))
                .filter(|_| !spent.contains(at))
                .cloned()
        };
        let coins: Option<Vec<Coin<L>>> = L::inputs(tx).iter().map(|input| coin(&input.previous)).collect();
        let coins = coins.ok_or_else(Reject::missing_inputs)?;
        if !chain.with_next_block(|next| consensus::sequence_locks_met(tx, &coins, next)) {
            return Err(Reject::with(
                "bad-txns-nonfinal",
                "contains a non-BIP68-final transaction",
            ));
        }
        consensus::check_maturity(&coins, chain.height() + 1)?;
        L::fee_sat(tx, &coins)?;
        if !self.verified.contains(&L::wtxid(tx)) {
            let outputs: Vec<L::TxOut> = coins.into_iter().map(|coin| coin.output).collect();
            L::verify_amounts(&outputs, tx)?;
            script::verify_inputs_for_block::<L>(tx, &outputs)?;
        }
        Ok(())
    }
}

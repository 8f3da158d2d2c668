//! Makes blocks: of what waits, or of exactly what the caller gives.

use std::collections::{HashMap, HashSet};

use elements::{Block, BlockHash, OutPoint, Script, Transaction, TxOut};

use super::chain::coin_of;
use super::consensus::{self, Coin, Reject, script};
use super::node::Node;
use super::params::{MAX_BLOCK_WEIGHT, MIN_RELAY_FEE_RATE, policy_asset};
use super::policy;
use super::template;

/// Weight that block templates leave for header and coinbase (`DEFAULT_BLOCK_RESERVED_WEIGHT`).
const RESERVED_WEIGHT: usize = 8_000;

impl Node {
    /// Mines one block of what waits; its fees go to this script.
    pub fn mine(&mut self, coinbase_script: &Script) -> BlockHash {
        let (txdata, fees_sat) = self.select();
        let block = self.template(txdata, fees_sat, coinbase_script);
        self.connect(block)
    }

    /// A block of exactly these transactions on top of the chain. They need not wait, and policy does not matter: this is
    /// how a double spend is mined. Fees are burnt, as by the real `generateblock`.
    ///
    /// # Errors
    /// The first consensus rule that a transaction breaks.
    pub fn block_of(&mut self, txdata: Vec<Transaction>, coinbase_script: &Script) -> Result<Block, Reject> {
        let mut made = HashMap::new();
        let mut spent = HashSet::new();
        for tx in &txdata {
            self.check_for_block(tx, &made, &spent)?;
            let (txid, height) = (tx.txid(), self.state.chain.height() + 1);
            spent.extend(tx.input.iter().map(|input| input.previous_output));
            let outputs = (0_u32..).zip(&tx.output);
            made.extend(outputs.map(|(vout, output)| (OutPoint::new(txid, vout), coin_of(output, height, false))));
        }
        Ok(self.template(txdata, 0, coinbase_script))
    }

    /// Puts a block that was made here on top of the chain.
    pub fn connect(&mut self, block: Block) -> BlockHash {
        let entry = self
            .state
            .chain
            .extend(block)
            .expect("its transactions were checked against this very tip");
        self.state.mempool.remove_for_block(&entry.block.txdata);
        let now = self.now();
        for wallet in self.state.wallets.values_mut() {
            entry.block.txdata.iter().for_each(|tx| wallet.see(tx, now));
        }
        self.announce();
        entry.hash
    }

    fn template(&self, txdata: Vec<Transaction>, fees_sat: u64, coinbase_script: &Script) -> Block {
        let tip = self.state.chain.tip();
        let time = (self.now() as u32).max(tip.median_time + 1);
        let mut block = template::assemble(tip.height() + 1, tip.hash, time, txdata, fees_sat, coinbase_script);
        // Mined again within a second, a block that was made invalid would be the very same block.
        while self.state.chain.entry(&block.block_hash()).is_some() {
            block.header.time += 1;
        }
        block
    }

    /// What goes into the next block, parents before children, and its fees in the policy asset.
    fn select(&self) -> (Vec<Transaction>, u64) {
        let mempool = &self.state.mempool;
        let mut chosen = Vec::new();
        let (mut fees_sat, mut weight, mut left_out) = (0, RESERVED_WEIGHT, HashSet::new());
        for entry in mempool.in_order() {
            let parents = mempool.parents(&entry.tx);
            let pays = entry.fee_sat >= policy::fee_for(MIN_RELAY_FEE_RATE, entry.discount_vsize);
            let fits = weight + entry.tx.weight() < MAX_BLOCK_WEIGHT;
            let ready = self
                .state
                .chain
                .with_next_block(|next| consensus::is_final(&entry.tx, next));
            if pays && fits && ready && parents.iter().all(|parent| !left_out.contains(parent)) {
                weight += entry.tx.weight();
                fees_sat += entry.fee_sat;
                chosen.push((*entry.tx).clone());
            } else {
                left_out.insert(entry.txid);
            }
        }
        (chosen, fees_sat)
    }

    /// The rules of blocks alone. `made` and `spent` are the outputs of the transactions before it in the same block.
    fn check_for_block(
        &mut self,
        tx: &Transaction,
        made: &HashMap<OutPoint, Coin>,
        spent: &HashSet<OutPoint>,
    ) -> Result<(), Reject> {
        consensus::check_transaction(tx)?;
        if tx.is_coinbase() {
            return Err(Reject::new("bad-cb-multiple"));
        }
        let chain = &self.state.chain;
        if !chain.with_next_block(|next| consensus::is_final(tx, next)) {
            return Err(Reject::with("bad-txns-nonfinal", "non-final transaction"));
        }
        let coin = |at: &OutPoint| {
            chain
                .coin(at)
                .or_else(|| made.get(at))
                .filter(|_| !spent.contains(at))
                .cloned()
        };
        let coins: Option<Vec<Coin>> = tx.input.iter().map(|input| coin(&input.previous_output)).collect();
        let coins = coins.ok_or_else(Reject::missing_inputs)?;
        if !chain.with_next_block(|next| consensus::sequence_locks_met(tx, &coins, next)) {
            return Err(Reject::with(
                "bad-txns-nonfinal",
                "contains a non-BIP68-final transaction",
            ));
        }
        consensus::check_maturity(&coins, chain.height() + 1)?;
        consensus::fee_sat(tx, policy_asset())?;
        if !self.verified.contains(&tx.wtxid()) {
            let outputs: Vec<TxOut> = coins.into_iter().map(|coin| coin.output).collect();
            consensus::verify_amounts(&outputs, tx)?;
            script::verify_inputs_for_block(tx, &outputs)?;
        }
        Ok(())
    }
}

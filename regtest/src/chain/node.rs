//! The node: chain, mempool and wallets behind one lock, and what moves them.
//!
//! Must not know RPC or HTTP. Nothing here waits.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

use super::Ledger;
use super::blocks::{Chain, Reorganisation};
use super::consensus::{self, Coin, Reject, script};
use super::mempool::Mempool;
use super::policy;
use super::wallet::Wallet;

/// Where the active branch ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tip<L: Ledger> {
    /// Height of the last block.
    pub height: u32,
    /// Its hash.
    pub hash: L::BlockHash,
}

/// What accepting a transaction would cost and replace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acceptance<L: Ledger> {
    /// Fee, sat.
    pub fee_sat: u64,
    /// Waiting transactions that it pushes out.
    pub replaced: BTreeSet<L::Txid>,
}

/// Whose coins are meant to pay for regtest.
pub const FAUCET: &str = "faucet";

/// Everything that a snapshot holds.
#[derive(Clone)]
pub struct State<L: Ledger> {
    /// Blocks and coins.
    pub chain: Chain<L>,
    /// Waiting transactions.
    pub mempool: Mempool<L>,
    /// Loaded wallets by name, the faucet among them.
    pub wallets: BTreeMap<String, Wallet<L>>,
    /// Wallets that were unloaded, by name.
    pub unloaded: BTreeMap<String, Wallet<L>>,
    /// The time that `setmocktime` set, seconds since 1970.
    pub mock_time: Option<u64>,
}

/// What the others of the network ask for, in sat per 1000 vbytes of [`Ledger::fee_vsize`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeeMarket {
    /// Miners take nothing that pays less, with what stands on it or under it; estimates say so. None: they take all.
    pub mined: Option<u64>,
    /// The mempool is full of what pays this; what pays less is not let in. None: it has room.
    pub admitted: Option<u64>,
}

/// The node.
pub struct Node<L: Ledger> {
    /// What a snapshot holds.
    pub state: State<L>,
    /// The release whose words refusals use.
    pub release: L::Release,
    /// What others ask for.
    pub market: FeeMarket,
    /// When it started.
    pub started: SystemTime,
    /// Transactions whose scripts and proofs were found good: they depend on nothing that can change.
    pub(super) verified: HashSet<L::Wtxid>,
    tip: watch::Sender<Tip<L>>,
}

impl<L: Ledger> Node<L> {
    /// A node over this state.
    pub fn new(state: State<L>, release: L::Release) -> Self {
        let (tip, _) = watch::channel(tip_of(&state.chain));
        Self {
            state,
            release,
            market: FeeMarket::default(),
            started: SystemTime::now(),
            verified: HashSet::new(),
            tip,
        }
    }

    /// Follows the tip.
    pub fn watch_tip(&self) -> watch::Receiver<Tip<L>> {
        self.tip.subscribe()
    }

    /// The tip.
    pub fn tip(&self) -> Tip<L> {
        tip_of(&self.state.chain)
    }

    /// Replaces everything by a snapshot.
    pub fn restore(&mut self, state: State<L>) {
        self.state = state;
        self.announce();
    }

    pub(super) fn announce(&self) {
        let now = self.tip();
        self.tip.send_if_modified(|tip| std::mem::replace(tip, now) != now);
    }

    /// The clock, seconds since 1970, unless `setmocktime` stopped it.
    pub fn now(&self) -> u64 {
        let real = || {
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_secs())
        };
        self.state.mock_time.unwrap_or_else(real)
    }

    /// An unspent output of chain or mempool; `None` if a waiting transaction spends it.
    pub fn coin(&self, outpoint: &L::OutPoint) -> Option<Coin<L>> {
        if self.state.mempool.spender(outpoint).is_some() {
            return None;
        }
        self.output(outpoint)
    }

    /// An output that no block has spent, whatever the mempool wants with it.
    pub fn output(&self, outpoint: &L::OutPoint) -> Option<Coin<L>> {
        let state = &self.state;
        state
            .chain
            .coin(outpoint)
            .cloned()
            .or_else(|| state.mempool.coin(outpoint, state.chain.height() + 1))
    }

    /// Whether a transaction would be let into the mempool.
    ///
    /// # Errors
    /// The first rule that it breaks, in the order of `MemPoolAccept` (validation.cpp).
    pub fn test_accept(&mut self, tx: &L::Transaction) -> Result<Acceptance<L>, Reject> {
        self.check(tx, false)
    }

    /// Lets a transaction into the mempool.
    ///
    /// # Errors
    /// As [`Node::test_accept`].
    pub fn accept(&mut self, tx: &L::Transaction) -> Result<L::Txid, Reject> {
        let acceptance = self.check(tx, false)?;
        Ok(self.insert(tx, &acceptance))
    }

    fn insert(&mut self, tx: &L::Transaction, acceptance: &Acceptance<L>) -> L::Txid {
        let now = self.now();
        let state = &mut self.state;
        for txid in &acceptance.replaced {
            state.mempool.remove(txid);
        }
        let tx = Arc::new(tx.clone());
        let txid = state
            .mempool
            .insert(tx.clone(), acceptance.fee_sat, now, state.chain.height());
        for wallet in state.wallets.values_mut() {
            wallet.see(&tx, now);
        }
        txid
    }

    fn check(&mut self, tx: &L::Transaction, from_reorg: bool) -> Result<Acceptance<L>, Reject> {
        consensus::check_transaction::<L>(tx)?;
        if L::is_coinbase(tx) {
            return Err(Reject::new("coinbase"));
        }
        policy::check_standard::<L>(tx)?;
        let chain = &self.state.chain;
        if !chain.with_next_block(|next| consensus::is_final::<L>(tx, next)) {
            return Err(Reject::new("non-final"));
        }
        self.check_not_waiting(tx)?;
        let direct = policy::direct_conflicts(tx, &self.state.mempool)?;
        let coins = self.inputs(tx)?;
        let chain = &self.state.chain;
        if !chain.with_next_block(|next| consensus::sequence_locks_met(tx, &coins, next)) {
            return Err(Reject::new("non-BIP68-final"));
        }
        consensus::check_maturity(&coins, chain.height() + 1)?;
        let fee_sat = L::fee_sat(tx, &coins)?;
        let spent: Vec<L::TxOut> = coins.iter().map(|coin| coin.output.clone()).collect();
        let known = self.verified.contains(&L::wtxid(tx));
        if !known {
            L::verify_amounts(&spent, tx)?;
        }
        policy::check_standard_witnesses(tx, &coins)?;
        policy::check_ephemeral_dust::<L>(tx, fee_sat)?;
        if !from_reorg {
            policy::check_relay_fee::<L>(tx, fee_sat)?;
            policy::check_room::<L>(tx, fee_sat, self.market.admitted)?;
        }
        let replaced = match direct.is_empty() {
            true => BTreeSet::new(),
            false => policy::check_replacement(tx, fee_sat, &direct, &self.state.mempool)?,
        };
        policy::check_family(tx, &self.state.mempool, &replaced)?;
        if !known {
            script::verify_inputs::<L>(tx, &spent, self.release)?;
            self.verified.insert(L::wtxid(tx));
        }
        Ok(Acceptance { fee_sat, replaced })
    }

    fn check_not_waiting(&self, tx: &L::Transaction) -> Result<(), Reject> {
        match self.state.mempool.get(&L::txid(tx)) {
            Some(entry) if entry.wtxid == L::wtxid(tx) => Err(Reject::new("txn-already-in-mempool")),
            Some(_) => Err(Reject::new("txn-same-nonwitness-data-in-mempool")),
            None => Ok(()),
        }
    }

    /// The outputs that a transaction spends. What it would replace still counts as unspent.
    fn inputs(&self, tx: &L::Transaction) -> Result<Vec<Coin<L>>, Reject> {
        let coins: Option<Vec<_>> = L::inputs(tx).iter().map(|input| self.output(&input.previous)).collect();
        coins.ok_or_else(|| {
            let txid = L::txid(tx);
            let known = |vout| self.state.chain.coin(&L::outpoint(txid, vout)).is_some();
            if (0..L::outputs(tx).len() as u32).any(known) {
                Reject::new("txn-already-known")
            } else {
                Reject::missing_inputs()
            }
        })
    }

    /// Makes a block and what stands on it invalid. `false` for an unknown block or genesis.
    pub fn invalidate(&mut self, hash: &L::BlockHash) -> bool {
        let change = self.state.chain.invalidate(hash);
        self.settle(change)
    }

    /// Takes the mark of [`Node::invalidate`] away. `false` for an unknown block.
    pub fn reconsider(&mut self, hash: &L::BlockHash) -> bool {
        let change = self.state.chain.reconsider(hash);
        self.settle(change)
    }

    /// Puts back into the mempool what lost its block and may still be mined.
    fn settle(&mut self, change: Option<Reorganisation<L>>) -> bool {
        let Some(change) = change else { return false };
        if !change.disconnected.is_empty() || !change.connected.is_empty() {
            let lost = change
                .disconnected
                .iter()
                .rev()
                .flat_map(|entry| entry.transactions().iter().skip(1).cloned());
            let waiting = self.state.mempool.drain().into_iter().map(|entry| (*entry.tx).clone());
            for tx in lost.chain(waiting).collect::<Vec<_>>() {
                // What a connected block holds, conflicts with it or lost its inputs is refused here, as it should be.
                if let Ok(acceptance) = self.check(&tx, true) {
                    self.insert(&tx, &acceptance);
                }
            }
        }
        self.announce();
        true
    }
}

fn tip_of<L: Ledger>(chain: &Chain<L>) -> Tip<L> {
    let tip = chain.tip();
    Tip {
        height: tip.height,
        hash: tip.hash,
    }
}

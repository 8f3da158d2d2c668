//! A wallet as the daemons' RPC shows it: keys from a seed, P2WPKH addresses, coins found by looking at every transaction.
//!
//! Knows its own keys and the transactions it was shown. What is confirmed or spent it asks of the node's
//! [`State`](super::node::State), through a [`View`]. Must not know RPC.

mod fund;
mod keys;
mod sign;
mod view;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bitcoin::{Script, ScriptBuf};

use super::Ledger;
use super::blocks::{Chain, coin_of};
use super::mempool::Mempool;

pub use fund::{FundOptions, Funded};
pub use keys::{KeyPath, KeyRing, hmac, wallet_seed};
pub use sign::{SignFailure, Signed};
pub use view::{Balance, Spendable, View};

/// Why a wallet refused. The RPC layer gives each its code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WalletError {
    /// The coins do not suffice.
    #[error("Insufficient funds")]
    InsufficientFunds,
    /// A parameter makes no sense here.
    #[error("{0}")]
    InvalidParameter(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
    /// There is no such wallet.
    #[error("Requested wallet does not exist or is not loaded")]
    Missing,
    /// A proof could not be made.
    #[error("Unable to blind the transaction properly. This should not happen.")]
    Blinding,
}

/// A transaction that concerns the wallet.
#[derive(Clone, Debug)]
pub struct WalletTx<L: Ledger> {
    /// The transaction.
    pub tx: Arc<L::Transaction>,
    /// When it was first seen, seconds since 1970.
    pub time: u64,
    /// Order of arrival.
    pub order: u64,
}

/// An output that pays the wallet.
#[derive(Clone, Debug)]
pub struct WalletCoin<L: Ledger> {
    /// The output as it is on chain.
    pub output: L::TxOut,
    /// What it holds.
    pub contents: L::Contents,
    /// The key that spends it.
    pub path: KeyPath,
}

/// What of a wallet is kept over restarts. The rest is found again on chain.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
#[serde(bound = "")]
pub struct WalletRecord<L: Ledger> {
    /// Name, as in `/wallet/<name>`.
    pub name: String,
    /// Seed, hex.
    pub seed: String,
    /// Receiving and change keys handed out.
    pub next: [u32; 2],
    /// Labels by script, hex.
    pub labels: BTreeMap<String, String>,
    /// Outputs locked persistently.
    pub locked: Vec<L::OutPoint>,
}

/// A wallet.
#[derive(Clone, Debug)]
pub struct Wallet<L: Ledger> {
    name: String,
    seed: [u8; 32],
    keys: KeyRing,
    next: [u32; 2],
    scripts: HashMap<ScriptBuf, KeyPath>,
    labels: HashMap<ScriptBuf, String>,
    locked: BTreeMap<L::OutPoint, bool>,
    coins: HashMap<L::OutPoint, WalletCoin<L>>,
    transactions: HashMap<L::Txid, WalletTx<L>>,
    made: L::Made,
}

impl<L: Ledger> Wallet<L> {
    /// An empty wallet.
    pub fn new(name: impl Into<String>, seed: [u8; 32]) -> Self {
        Self {
            name: name.into(),
            keys: KeyRing::from_seed(&seed, L::ACCOUNT),
            seed,
            next: [0, 0],
            scripts: HashMap::new(),
            labels: HashMap::new(),
            locked: BTreeMap::new(),
            coins: HashMap::new(),
            transactions: HashMap::new(),
            made: L::Made::default(),
        }
    }

    /// The wallet of a record, before it has seen any transaction. `None` for a broken record.
    pub fn from_record(record: &WalletRecord<L>) -> Option<Self> {
        let seed = hex::decode(&record.seed).ok()?.try_into().ok()?;
        let mut wallet = Self::new(&record.name, seed);
        for change in [false, true] {
            for _ in 0..record.next[usize::from(change)] {
                wallet.new_script(change);
            }
        }
        for (script, label) in &record.labels {
            wallet
                .labels
                .insert(ScriptBuf::from_bytes(hex::decode(script).ok()?), label.clone());
        }
        wallet.locked = record.locked.iter().map(|outpoint| (*outpoint, true)).collect();
        Some(wallet)
    }

    /// What is to be kept.
    pub fn record(&self) -> WalletRecord<L> {
        WalletRecord {
            name: self.name.clone(),
            seed: hex::encode(self.seed),
            next: self.next,
            labels: self
                .labels
                .iter()
                .map(|(script, label)| (hex::encode(script.as_bytes()), label.clone()))
                .collect(),
            locked: self
                .locked
                .iter()
                .filter(|(_, persistent)| **persistent)
                .map(|(outpoint, _)| *outpoint)
                .collect(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its keys.
    pub fn keys(&self) -> &KeyRing {
        &self.keys
    }

    fn new_script(&mut self, change: bool) -> ScriptBuf {
        let index = &mut self.next[usize::from(change)];
        let path = KeyPath { change, index: *index };
        *index += 1;
        let script = self.keys.script(path);
        self.scripts.insert(script.clone(), path);
        script
    }

    /// A fresh address.
    pub fn new_address(&mut self, change: bool) -> L::Address {
        let script = self.new_script(change);
        self.address(&script).expect("a script of ours is P2WPKH")
    }

    /// The address of a script: of one of ours as this wallet hands it out, else the plain one, if it has one.
    pub fn address(&self, script: &Script) -> Option<L::Address> {
        match self.scripts.contains_key(script) {
            true => L::own_address(&self.keys, script),
            false => L::address(script),
        }
    }

    /// The key path of a script of ours.
    pub fn path(&self, script: &Script) -> Option<KeyPath> {
        self.scripts.get(script).copied()
    }

    /// Names a script. It need not be ours.
    pub fn set_label(&mut self, script: ScriptBuf, label: String) {
        self.labels.insert(script, label);
    }

    /// The name of a script.
    pub fn label(&self, script: &Script) -> Option<&str> {
        self.labels.get(script).map(String::as_str)
    }

    /// Locked outputs, with whether the lock outlives a restart.
    pub fn locked(&self) -> &BTreeMap<L::OutPoint, bool> {
        &self.locked
    }

    /// Locks an output against coin selection.
    pub fn lock(&mut self, outpoint: L::OutPoint, persistent: bool) {
        self.locked.insert(outpoint, persistent);
    }

    /// Releases one output.
    pub fn unlock(&mut self, outpoint: &L::OutPoint) {
        self.locked.remove(outpoint);
    }

    /// Releases all.
    pub fn unlock_all(&mut self) {
        self.locked.clear();
    }

    /// Forgets locks that live in memory alone, as a restart does.
    pub fn forget_locks(&mut self) {
        self.locked.retain(|_, persistent| *persistent);
    }

    /// An output that pays the wallet, spent or not.
    pub fn coin(&self, outpoint: &L::OutPoint) -> Option<&WalletCoin<L>> {
        self.coins.get(outpoint)
    }

    /// A transaction that concerns the wallet.
    pub fn transaction(&self, txid: &L::Txid) -> Option<&WalletTx<L>> {
        self.transactions.get(txid)
    }

    /// All transactions that concern the wallet, oldest first.
    pub fn transactions(&self) -> Vec<&WalletTx<L>> {
        let mut all: Vec<_> = self.transactions.values().collect();
        all.sort_unstable_by_key(|tx| tx.order);
        all
    }

    /// What is known of the outputs that this wallet made for others.
    pub fn made(&self) -> &L::Made {
        &self.made
    }

    /// As [`Wallet::made`], to be added to.
    pub fn made_mut(&mut self) -> &mut L::Made {
        &mut self.made
    }

    /// The script that blocks pay when nobody says otherwise: that of the first receiving key.
    pub fn mining_script(&self) -> ScriptBuf {
        self.keys.script(KeyPath {
            change: false,
            index: 0,
        })
    }

    /// Looks at everything there is. `now` is the time of what waits.
    pub fn rescan(&mut self, chain: &Chain<L>, mempool: &Mempool<L>, now: u64) {
        for entry in chain.active() {
            let time = u64::from(entry.time());
            entry.transactions().iter().for_each(|tx| self.see(tx, time));
        }
        mempool.in_order().iter().for_each(|entry| self.see(&entry.tx, now));
    }

    /// Looks at a transaction and keeps it if it pays or spends us.
    pub fn see(&mut self, tx: &L::Transaction, now: u64) {
        let pays = L::outputs(tx)
            .iter()
            .any(|output| self.scripts.contains_key(L::script(output)));
        let spends = L::inputs(tx)
            .iter()
            .any(|input| self.coins.contains_key(&input.previous));
        if !pays && !spends {
            return;
        }
        let txid = L::txid(tx);
        if self.transactions.contains_key(&txid) {
            return;
        }
        for (vout, output) in (0_u32..).zip(L::outputs(tx)) {
            let Some(path) = self.path(L::script(output)) else {
                continue;
            };
            let Some(contents) = L::open(&self.keys, output) else {
                continue;
            };
            let coin = WalletCoin {
                output: coin_of::<L>(output, 0, false).output,
                contents,
                path,
            };
            self.coins.insert(L::outpoint(txid, vout), coin);
        }
        let order = self.transactions.len() as u64;
        self.transactions.insert(
            txid,
            WalletTx {
                tx: Arc::new(tx.clone()),
                time: now,
                order,
            },
        );
    }
}

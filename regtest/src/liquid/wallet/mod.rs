//! A wallet as Elements' RPC shows it: keys from a seed, confidential addresses, coins found by looking at every transaction.
//!
//! Knows its own keys and the transactions it was shown. What is confirmed or spent it asks of the node's
//! [`State`](super::node::State), through a [`View`]. Must not know RPC.

mod blinding;
mod fund;
mod keys;
mod sign;
mod view;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use elements::confidential::Value;
use elements::secp256k1_zkp::PublicKey;
use elements::{Address, OutPoint, Script, Transaction, TxOut, TxOutSecrets, Txid};

use super::chain::Chain;
use super::mempool::Mempool;
use super::params::ADDRESS_PARAMS;

pub use blinding::{blind, explicit_secrets, open};
pub use fund::{FundOptions, Funded, Recipient};
pub use keys::{KeyPath, KeyRing, wallet_seed};
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
pub struct WalletTx {
    /// The transaction.
    pub tx: Arc<Transaction>,
    /// When it was first seen, seconds since 1970.
    pub time: u64,
    /// Order of arrival.
    pub order: u64,
}

/// An output that pays the wallet.
#[derive(Clone, Debug)]
pub struct WalletCoin {
    /// The output as it is on chain.
    pub output: TxOut,
    /// What it holds.
    pub secrets: TxOutSecrets,
    /// The key that spends it.
    pub path: KeyPath,
}

/// What of a wallet is kept over restarts. The rest is found again on chain.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct WalletRecord {
    /// Name, as in `/wallet/<name>`.
    pub name: String,
    /// Seed, hex.
    pub seed: String,
    /// Receiving and change keys handed out.
    pub next: [u32; 2],
    /// Labels by script, hex.
    pub labels: BTreeMap<String, String>,
    /// Outputs locked persistently.
    pub locked: Vec<OutPoint>,
}

/// A wallet.
#[derive(Clone, Debug)]
pub struct Wallet {
    name: String,
    seed: [u8; 32],
    keys: KeyRing,
    next: [u32; 2],
    scripts: HashMap<Script, KeyPath>,
    labels: HashMap<Script, String>,
    locked: BTreeMap<OutPoint, bool>,
    coins: HashMap<OutPoint, WalletCoin>,
    transactions: HashMap<Txid, WalletTx>,
    /// What outputs hold that this wallet hid for others, by commitment.
    made: HashMap<Value, (TxOutSecrets, PublicKey)>,
}

impl Wallet {
    /// An empty wallet.
    pub fn new(name: impl Into<String>, seed: [u8; 32]) -> Self {
        Self {
            name: name.into(),
            keys: KeyRing::from_seed(&seed),
            seed,
            next: [0, 0],
            scripts: HashMap::new(),
            labels: HashMap::new(),
            locked: BTreeMap::new(),
            coins: HashMap::new(),
            transactions: HashMap::new(),
            made: HashMap::new(),
        }
    }

    /// The wallet of a record, before it has seen any transaction. `None` for a broken record.
    pub fn from_record(record: &WalletRecord) -> Option<Self> {
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
                .insert(Script::from(hex::decode(script).ok()?), label.clone());
        }
        wallet.locked = record.locked.iter().map(|outpoint| (*outpoint, true)).collect();
        Some(wallet)
    }

    /// What is to be kept.
    pub fn record(&self) -> WalletRecord {
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

    fn new_script(&mut self, change: bool) -> Script {
        let index = &mut self.next[usize::from(change)];
        let path = KeyPath { change, index: *index };
        *index += 1;
        let script = self.keys.script(path);
        self.scripts.insert(script.clone(), path);
        script
    }

    /// A fresh confidential address.
    pub fn new_address(&mut self, change: bool) -> Address {
        let script = self.new_script(change);
        self.address(&script).expect("a script of ours is P2WPKH")
    }

    /// The confidential address of a script of ours; for any other script the plain one, if it has one.
    pub fn address(&self, script: &Script) -> Option<Address> {
        let key = self
            .scripts
            .contains_key(script)
            .then(|| self.keys.blinding_public(script));
        Address::from_script(script, key, ADDRESS_PARAMS)
    }

    /// The key path of a script of ours.
    pub fn path(&self, script: &Script) -> Option<KeyPath> {
        self.scripts.get(script).copied()
    }

    /// Names a script. It need not be ours.
    pub fn set_label(&mut self, script: Script, label: String) {
        self.labels.insert(script, label);
    }

    /// The name of a script.
    pub fn label(&self, script: &Script) -> Option<&str> {
        self.labels.get(script).map(String::as_str)
    }

    /// Locked outputs, with whether the lock outlives a restart.
    pub fn locked(&self) -> &BTreeMap<OutPoint, bool> {
        &self.locked
    }

    /// Locks an output against coin selection.
    pub fn lock(&mut self, outpoint: OutPoint, persistent: bool) {
        self.locked.insert(outpoint, persistent);
    }

    /// Releases one output.
    pub fn unlock(&mut self, outpoint: &OutPoint) {
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
    pub fn coin(&self, outpoint: &OutPoint) -> Option<&WalletCoin> {
        self.coins.get(outpoint)
    }

    /// A transaction that concerns the wallet.
    pub fn transaction(&self, txid: &Txid) -> Option<&WalletTx> {
        self.transactions.get(txid)
    }

    /// All transactions that concern the wallet, oldest first.
    pub fn transactions(&self) -> Vec<&WalletTx> {
        let mut all: Vec<_> = self.transactions.values().collect();
        all.sort_unstable_by_key(|tx| tx.order);
        all
    }

    /// What a hidden output of our own making holds, and the key that it was hidden for.
    pub fn made(&self, output: &TxOut) -> Option<&(TxOutSecrets, PublicKey)> {
        self.made.get(&output.value)
    }

    /// The script that blocks pay when nobody says otherwise: that of the first receiving key.
    pub fn mining_script(&self) -> Script {
        self.keys.script(KeyPath {
            change: false,
            index: 0,
        })
    }

    /// Looks at everything there is. `now` is the time of what waits.
    pub fn rescan(&mut self, chain: &Chain, mempool: &Mempool, now: u64) {
        for entry in chain.active() {
            let time = u64::from(entry.block.header.time);
            entry.block.txdata.iter().for_each(|tx| self.see(tx, time));
        }
        mempool.in_order().iter().for_each(|entry| self.see(&entry.tx, now));
    }

    /// Looks at a transaction and keeps it if it pays or spends us.
    pub fn see(&mut self, tx: &Transaction, now: u64) {
        let pays = tx
            .output
            .iter()
            .any(|output| self.scripts.contains_key(&output.script_pubkey));
        let spends = tx
            .input
            .iter()
            .any(|input| self.coins.contains_key(&input.previous_output));
        if !pays && !spends {
            return;
        }
        let txid = tx.txid();
        if self.transactions.contains_key(&txid) {
            return;
        }
        for (vout, output) in (0_u32..).zip(&tx.output) {
            let Some(path) = self.path(&output.script_pubkey) else {
                continue;
            };
            let Some(secrets) = open(output, self.keys.blinding_secret(&output.script_pubkey)) else {
                continue;
            };
            let coin = WalletCoin {
                output: super::chain::coin_of(output, 0, false).output,
                secrets,
                path,
            };
            self.coins.insert(OutPoint::new(txid, vout), coin);
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

//! The port `Wallet` on a Lightning node's own money: for operators whose bitcoind has no wallet.
//!
//! ```text
//!                        ┌─ selection  which coins, what fee, what change        ┐
//!  Wallet ── NodeWallet ─┤                                                       ├─ pure
//!                │       └─ signing    the transaction for the node, and back    ┘
//!                └─► Purse: what the node holds, locks and signs ◄── lnd, cln
//! ```
//!
//! The node only lists, locks and signs. What is chosen and paid is decided here, alike for every node: neither node's own
//! funding knows rates as fine as ours, keeps the opening's output before the change, or leaves out coins whose spending
//! could change the transaction's id. Must not know any node's calls.

mod selection;
mod signing;
#[cfg(test)]
mod tests;
mod wallet;

use async_trait::async_trait;
use bitcoin::{Address, Amount, Psbt, ScriptBuf, TxOut};

use crate::ports::PortError;
use crate::units::{FeeRate, OutPoint, TxId};

pub(super) use signing::naming;
pub use wallet::NodeWallet;

/// A coin of a node's wallet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coin {
    /// Where it is.
    pub outpoint: OutPoint,
    /// What it holds, and for which script.
    pub output: TxOut,
}

impl Coin {
    pub(in crate::node) fn new(outpoint: OutPoint, value: Amount, script_pubkey: ScriptBuf) -> Self {
        let output = TxOut { value, script_pubkey };
        Self { outpoint, output }
    }

    pub(in crate::node) fn value(&self) -> Amount {
        self.output.value
    }
}

/// What a node's wallet holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holdings {
    /// In a block, and locked by nobody.
    pub free: Vec<Coin>,
    /// Locked by us.
    pub ours: Vec<Coin>,
    /// Seen, and in no block yet.
    pub pending: Amount,
    /// What the node keeps back of all that for its channels.
    pub kept: Amount,
}

/// The money of a Lightning node.
#[async_trait]
pub trait Purse: Send + Sync + 'static {
    /// The program, as errors begin with it.
    const DAEMON: &'static str;

    /// What it holds.
    async fn holdings(&self) -> Result<Holdings, PortError>;
    /// Locks coins under our name, so that neither the node nor another program spends them; also those that are so
    /// already. `Refused` if another has locked one of them, or it is spent.
    async fn lock(&self, coins: &[OutPoint]) -> Result<(), PortError>;
    /// Takes our locks off coins. Locks of others stay; what is not locked is no failure.
    async fn unlock(&self, coins: &[OutPoint]) -> Result<(), PortError>;
    /// A fresh address, of a version 0 witness.
    async fn new_address(&self) -> Result<String, PortError>;
    /// Signs all inputs, which we have locked. Publishes nothing.
    async fn sign(&self, psbt: &Psbt) -> Result<Psbt, PortError>;
    /// Pays to an address and publishes it.
    async fn pay(&self, address: &Address, amount: Amount, rate: FeeRate) -> Result<TxId, PortError>;
    /// Whether the node refused because its money does not suffice.
    fn is_too_little(refusal: &str) -> bool;
}

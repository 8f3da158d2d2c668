//! What makes a transaction valid, whoever relays it.
//!
//! Knows one transaction, the outputs it spends and the place it wants in the chain. Must not know the mempool, wallets, RPC.
//! Texts of refusals are those of Bitcoin Core and Elements, since programs match on them.
//!
//! ```text
//!   check_transaction ── locks ── verify_amounts ── script::verify_input
//!   (the form alone)    (time)   (nothing is made) (the owner agreed)
//! ```

mod locks;
pub mod script;

use std::collections::HashSet;
use std::fmt;

use super::Ledger;

pub use locks::{LockContext, is_final, sequence_locks_met};

/// Blocks until a coinbase output may be spent (consensus/consensus.h).
pub const COINBASE_MATURITY: u32 = 100;
/// Largest block weight (consensus/consensus.h).
pub const MAX_BLOCK_WEIGHT: usize = 4_000_000;

/// How the caller should see a refusal: RPC codes differ by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectClass {
    /// An input is unknown or spent; it may be a matter of time (RPC code −25).
    MissingInputs,
    /// Refused by consensus or policy (RPC code −26).
    Rejected,
}

/// A transaction was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// Class, which decides the RPC code.
    pub class: RejectClass,
    /// The reject reason, such as `bad-txns-in-ne-out`.
    pub reason: String,
    /// The debug message, which follows the reason after a comma.
    pub detail: Option<String>,
}

impl Reject {
    /// A refusal for this reason.
    pub fn new(reason: impl Into<String>) -> Self {
        Self {
            class: RejectClass::Rejected,
            reason: reason.into(),
            detail: None,
        }
    }

    /// A refusal for this reason, with the facts.
    pub fn with(reason: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            class: RejectClass::Rejected,
            reason: reason.into(),
            detail: Some(detail.into()),
        }
    }

    /// An input is not there.
    pub fn missing_inputs() -> Self {
        Self {
            class: RejectClass::MissingInputs,
            reason: "bad-txns-inputs-missingorspent".into(),
            detail: None,
        }
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.detail {
            Some(detail) => write!(f, "{}, {detail}", self.reason),
            None => f.write_str(&self.reason),
        }
    }
}

impl std::error::Error for Reject {}

/// An output that exists and is unspent, with what decides when it may be spent.
#[derive(Clone, Debug)]
pub struct Coin<L: Ledger> {
    /// The output, without its proofs: they were checked when it was made.
    pub output: L::TxOut,
    /// Height of its block; of the next block while it is unconfirmed.
    pub height: u32,
    /// Whether a coinbase made it.
    pub coinbase: bool,
}

/// Checks that need nothing but the transaction (consensus/tx_check.cpp).
pub fn check_transaction<L: Ledger>(tx: &L::Transaction) -> Result<(), Reject> {
    let inputs = L::inputs(tx);
    if inputs.is_empty() {
        return Err(Reject::new("bad-txns-vin-empty"));
    }
    if L::outputs(tx).is_empty() {
        return Err(Reject::new("bad-txns-vout-empty"));
    }
    if L::stripped_size(tx).saturating_mul(4) > MAX_BLOCK_WEIGHT {
        return Err(Reject::new("bad-txns-oversize"));
    }
    L::check_values(tx)?;
    let mut seen = HashSet::new();
    if !inputs.iter().all(|input| seen.insert(input.previous)) {
        return Err(Reject::new("bad-txns-inputs-duplicate"));
    }
    if !L::is_coinbase(tx) && inputs.iter().any(|input| L::is_null(&input.previous)) {
        return Err(Reject::new("bad-txns-prevout-null"));
    }
    Ok(())
}

/// Coinbase outputs may be spent only after 100 blocks (`Consensus::CheckTxInputs`).
pub fn check_maturity<L: Ledger>(coins: &[Coin<L>], spend_height: u32) -> Result<(), Reject> {
    for coin in coins.iter().filter(|coin| coin.coinbase) {
        let depth = spend_height.saturating_sub(coin.height);
        if depth < COINBASE_MATURITY {
            return Err(Reject::with(
                "bad-txns-premature-spend-of-coinbase",
                format!("tried to spend coinbase at depth {depth}"),
            ));
        }
    }
    Ok(())
}

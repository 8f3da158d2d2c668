//! What makes a transaction valid, whoever relays it.
//!
//! Knows one transaction, the outputs it spends and the place it wants in the chain. Must not know the mempool, wallets, RPC.
//! Texts of refusals are those of Elements, since programs match on them.
//!
//! ```text
//!   check_transaction ── locks ── verify_amounts ── script::verify_input
//!   (the form alone)    (time)   (nothing is made) (the owner agreed)
//! ```

mod amounts;
mod locks;
pub mod script;

use std::collections::HashSet;
use std::fmt;

use elements::encode::Encodable;
use elements::{Transaction, TxOut};

use super::params::{COINBASE_MATURITY, MAX_BLOCK_WEIGHT, MAX_MONEY_SAT};

pub use amounts::{fee_sat, verify_amounts};
pub use locks::{LockContext, is_final, sequence_locks_met};

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
    /// Elements' reject reason, such as `bad-txns-in-ne-out`.
    pub reason: String,
    /// Elements' debug message, which follows the reason after a comma.
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
pub struct Coin {
    /// The output, without its proofs: they were checked when it was made.
    pub output: TxOut,
    /// Height of its block; of the next block while it is unconfirmed.
    pub height: u32,
    /// Whether a coinbase made it.
    pub coinbase: bool,
}

/// Checks that need nothing but the transaction (consensus/tx_check.cpp).
pub fn check_transaction(tx: &Transaction) -> Result<(), Reject> {
    if tx.input.is_empty() {
        return Err(Reject::new("bad-txns-vin-empty"));
    }
    if tx.output.is_empty() {
        return Err(Reject::new("bad-txns-vout-empty"));
    }
    if stripped_size(tx).saturating_mul(4) > MAX_BLOCK_WEIGHT {
        return Err(Reject::new("bad-txns-oversize"));
    }
    check_explicit_values(tx)?;
    let mut seen = HashSet::new();
    if !tx.input.iter().all(|input| seen.insert(input.previous_output)) {
        return Err(Reject::new("bad-txns-inputs-duplicate"));
    }
    if !tx.is_coinbase() && tx.input.iter().any(|input| input.previous_output.is_null()) {
        return Err(Reject::new("bad-txns-prevout-null"));
    }
    Ok(())
}

fn check_explicit_values(tx: &Transaction) -> Result<(), Reject> {
    let mut total = 0_u64;
    for output in &tx.output {
        if output.value.is_null() {
            return Err(Reject::new("bad-txns-vout-amount-invalid"));
        }
        let Some(value) = output.value.explicit() else {
            continue;
        };
        if value > i64::MAX as u64 {
            return Err(Reject::new("bad-txns-vout-negative"));
        }
        if value > MAX_MONEY_SAT {
            return Err(Reject::new("bad-txns-vout-toolarge"));
        }
        total = total.saturating_add(value);
        if total > MAX_MONEY_SAT {
            return Err(Reject::new("bad-txns-txouttotal-toolarge"));
        }
    }
    Ok(())
}

/// Coinbase outputs may be spent only after 100 blocks (`Consensus::CheckTxInputs`).
pub fn check_maturity(coins: &[Coin], spend_height: u32) -> Result<(), Reject> {
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

/// Size without any witness, in bytes, as in a transaction id's preimage.
pub fn stripped_size(tx: &Transaction) -> usize {
    // Weight is three times this size plus the whole size.
    tx.weight().saturating_sub(tx.size()) / 3
}

/// Size of an output without its proofs, in bytes.
pub fn output_size(output: &TxOut) -> usize {
    output
        .consensus_encode(std::io::sink())
        .expect("a sink takes everything")
}

//! An embedded Liquid chain: what is Elements' own beside the [`EmbeddedChain`] that Bitcoin has, too.
//!
//! Real confidential transactions and proofs, on the chain `liquidregtest` with the genesis block of the real daemon.
//!
//! ```text
//!   chain::EmbeddedChain<Elements> ─▶ ledger ─▶ amounts (proofs), blinding (wallets hide), template (blocks), params
//!                                  └▶ rpc (fields and methods that bitcoind does not have)
//! ```
//!
//! Left out, and refused or missing rather than faked: pegs, dynafed votes, and what [`crate::chain`] leaves out.

mod amounts;
mod blinding;
mod faucet;
mod ledger;
pub mod params;
mod rpc;
mod template;

use crate::chain::{self, EmbeddedChain};
pub use crate::chain::{Auth, FeeMarket, Gate, Orphans, StartError};
pub use ledger::Elements;

/// A running Liquid chain.
pub type LiquidChain = EmbeddedChain<Elements>;
/// How to start one.
pub type Options = chain::Options<Elements>;
/// Everything that it held at one moment.
pub type Snapshot = chain::Snapshot<Elements>;

/// The release whose answers are imitated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Release {
    /// 23.3.3, the line that Liquid runs: JSON-RPC 1.0 alone, warnings as one string.
    V23,
    /// 28.99, the newest line: JSON-RPC 2.0 for who asks for it, warnings as a list.
    #[default]
    V28,
}

impl Release {
    /// Version as a number and as text.
    pub fn version(self) -> (u32, &'static str) {
        match self {
            Self::V23 => (230_303, "23.3.3"),
            Self::V28 => (289_900, "28.99.0"),
        }
    }
}

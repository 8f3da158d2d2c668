//! An embedded Bitcoin chain: what is Bitcoin's own beside the [`EmbeddedChain`] that Liquid has, too.
//!
//! The chain `regtest` with the genesis block of the real daemon, proof of work included, and the answers of Bitcoin Core 29
//! with a descriptor wallet or without any.
//!
//! ```text
//!   chain::EmbeddedChain<Bitcoin> ─▶ ledger ─▶ template (blocks, subsidy)
//!                                 └▶ rpc (fields and methods that elementsd does not have)
//! ```

mod ledger;
mod rpc;
mod template;

use crate::chain::{self, EmbeddedChain};
pub use crate::chain::{Auth, FeeMarket, Gate, Orphans, StartError};
pub use ledger::Bitcoin;

/// A running Bitcoin chain.
pub type BitcoinChain = EmbeddedChain<Bitcoin>;
/// How to start one.
pub type Options = chain::Options<Bitcoin>;
/// Everything that it held at one moment.
pub type Snapshot = chain::Snapshot<Bitcoin>;

/// How the imitated bitcoind was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Daemon {
    /// As it comes.
    #[default]
    WithWallet,
    /// With `-disablewallet`: it has no method of wallets.
    WithoutWallet,
}

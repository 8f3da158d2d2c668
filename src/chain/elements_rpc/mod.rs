//! Elements' JSON-RPC, typed: one client for the node and its wallet.
//!
//! Knows methods, their parameters and answers, and the two ways in which releases say no. Must not know what a swap is.

mod auth;
mod client;
mod dialect;
mod error;
mod methods;
mod types;
mod wallet_methods;

pub use auth::Auth;
pub use client::{ElementsRpc, Endpoint};
pub use error::{RpcError, code};
pub use types::{
    AddressInfo, Balances, BlockchainInfo, Btc, FeeEstimate, Funded, MempoolInfo, NetworkInfo, SidechainInfo, Signed,
    TxOutInfo, Unspent, WalletOutPoint,
};

//! What only Elements answers.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::chain::rpc::{Btc, HexBytes};

/// `getsidechaininfo`.
#[derive(Debug, Clone, Deserialize)]
pub struct SidechainInfo {
    /// The asset that stands for bitcoin.
    pub pegged_asset: elements::AssetId,
}

/// `decoderawtransaction`, the part that tells whether discounts are accepted.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Decoded {
    pub(super) discountvsize: Option<u64>,
}

/// `unblindrawtransaction`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Unblinded {
    pub(super) hex: HexBytes,
}

/// `listunspent`, one output. Locked ones are not listed.
#[derive(Debug, Clone, Deserialize)]
pub struct Unspent {
    /// What it holds.
    pub amount: Btc,
    /// What of.
    pub asset: elements::AssetId,
    /// Blocks on it, its own included; 0: in the mempool.
    pub confirmations: u32,
}

/// `getbalances`, by the name or the id of the asset.
#[derive(Debug, Clone, Deserialize)]
pub struct Balances {
    /// Of outputs that the wallet can sign for.
    pub mine: OwnBalances,
}

/// `getbalances`, `mine`.
#[derive(Debug, Clone, Deserialize)]
pub struct OwnBalances {
    /// Confirmed, or made by the wallet itself.
    pub trusted: BTreeMap<String, Btc>,
    /// Made by others, in the mempool.
    pub untrusted_pending: BTreeMap<String, Btc>,
}

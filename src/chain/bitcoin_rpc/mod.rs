//! Bitcoin's JSON-RPC: what all nodes of the family answer, and what only bitcoind does.
//!
//! Carried by the crate `bitcoincore-rpc`. Its typed answers are not used: amounts go through floats in them, and a
//! field that a newer release writes otherwise is an error. Must not know what a swap is.

mod threads;

use std::ops::Deref;

use jsonrpsee::rpc_params;
use serde::Deserialize;
use serde_json::{Value, json};

use super::rpc::{ANY_DEPTH, Btc, Endpoint, Funded, NodeRpc, RpcError, code};
use crate::units::{FeeRate, TxId};

/// A client of one bitcoind and one of its wallets. Cheap to share behind an [`Arc`](std::sync::Arc).
#[derive(Debug)]
pub struct BitcoinRpc(NodeRpc);

impl Deref for BitcoinRpc {
    type Target = NodeRpc;
    fn deref(&self) -> &NodeRpc {
        &self.0
    }
}

/// `getbalances`.
#[derive(Debug, Clone, Deserialize)]
pub struct Balances {
    /// Of outputs that the wallet can sign for.
    pub mine: OwnBalances,
}

/// `getbalances`, `mine`.
#[derive(Debug, Clone, Deserialize)]
pub struct OwnBalances {
    /// Confirmed, or made by the wallet itself.
    pub trusted: Btc,
    /// Made by others, in the mempool.
    pub untrusted_pending: Btc,
}

/// `listunspent`, one output. Locked ones are not listed.
#[derive(Debug, Clone, Deserialize)]
pub struct Unspent {
    /// What it holds.
    pub amount: Btc,
    /// Blocks on it, its own included; 0: in the mempool.
    pub confirmations: u32,
}

impl BitcoinRpc {
    /// Makes a client; nothing is called yet.
    #[must_use]
    pub fn new(endpoint: &Endpoint) -> Self {
        let transport = threads::Threads::new(endpoint);
        Self(NodeRpc::new(threads::DAEMON, endpoint, transport))
    }

    /// Loads the wallet, or makes one of descriptors. False if the node has no wallets at all: it was built without,
    /// or runs with `disablewallet=1`.
    pub async fn ensure_wallet(&self) -> Result<bool, RpcError> {
        match self.load_or_make_wallet(Some(true)).await {
            Ok(()) => Ok(true),
            Err(error) if error.code() == Some(code::METHOD_NOT_FOUND) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// `getnewaddress`, of a version 0 witness: a Go peer's wallet knows no other.
    pub async fn new_address(&self, label: &str) -> Result<String, RpcError> {
        self.new_address_of("bech32", label).await
    }

    /// `fundrawtransaction` of a template without witnesses: adds inputs, change and fee, and locks the inputs.
    pub async fn fund(&self, template: &[u8], rate: FeeRate) -> Result<Funded, RpcError> {
        let options = json!({
            "feeRate": Btc::from(rate),
            "lockUnspents": true,
            // an opening that may not be used any more is replaced by a spend to ourselves
            "replaceable": true,
            // a Go taker takes the first output with the opening's value for the opening: change comes after it
            "changePosition": 1,
            "change_type": "bech32",
        });
        self.fund_raw(template, options, Some(false)).await
    }

    /// `getbalances`, locked outputs included.
    pub async fn balances(&self) -> Result<Balances, RpcError> {
        self.wallet_call("getbalances", rpc_params![]).await
    }

    /// `listunspent`, from the mempool on, without locked outputs.
    pub async fn unspent(&self) -> Result<Vec<Unspent>, RpcError> {
        let none: [&str; 0] = [];
        self.wallet_call("listunspent", rpc_params![0, ANY_DEPTH, none, true])
            .await
    }

    /// `sendtoaddress` at a rate.
    pub async fn send_to_address(&self, address: &str, amount: Btc, rate: FeeRate) -> Result<TxId, RpcError> {
        let nothing = Value::Null;
        // address, amount, comment, comment_to, subtractfeefromamount, replaceable, conf_target, estimate_mode,
        // avoid_reuse, fee_rate
        let params = rpc_params![
            address,
            amount,
            "",
            "",
            false,
            true,
            &nothing,
            &nothing,
            false,
            rate.in_sat_per_vb()
        ];
        self.wallet_call::<bitcoin::Txid>("sendtoaddress", params)
            .await
            .map(TxId)
    }
}

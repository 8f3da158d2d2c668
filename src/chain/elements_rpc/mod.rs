//! Elements' JSON-RPC: what all nodes of the family answer, and what only Elements does.
//!
//! Knows the two ways in which its releases say no. Must not know what a swap is.

mod credentials;
mod dialect;
mod http;
mod types;

use std::ops::Deref;

use elements::encode::{deserialize, serialize_hex};
use jsonrpsee::rpc_params;
use serde_json::{Value, json};

pub use self::types::{Balances, OwnBalances, SidechainInfo, Unspent};
use self::types::{Decoded, Unblinded};
use super::rpc::{ANY_DEPTH, Funded, HexBytes, NodeRpc};
pub use super::rpc::{Auth, Btc, Endpoint, RpcError};
use crate::units::{FeeRate, TxId};

/// A client of one Elements node and one of its wallets. Cheap to share behind an [`Arc`](std::sync::Arc).
#[derive(Debug)]
pub struct ElementsRpc(NodeRpc);

impl Deref for ElementsRpc {
    type Target = NodeRpc;
    fn deref(&self) -> &NodeRpc {
        &self.0
    }
}

impl ElementsRpc {
    /// Makes a client; nothing is called yet. Fails if the address is none.
    pub fn new(endpoint: &Endpoint) -> Result<Self, RpcError> {
        let transport = http::Http::new(endpoint)?;
        Ok(Self(NodeRpc::new(http::DAEMON, endpoint, transport)))
    }

    /// `getsidechaininfo`.
    pub async fn sidechain_info(&self) -> Result<SidechainInfo, RpcError> {
        self.call("getsidechaininfo", rpc_params![]).await
    }

    /// `getblock`, decoded.
    pub async fn block(&self, hash: bitcoin::BlockHash) -> Result<elements::Block, RpcError> {
        let bytes = self.block_bytes(hash).await?;
        deserialize(&bytes).map_err(|e| self.broken("getblock", format!("answer is no block: {e}")))
    }

    /// `getrawtransaction` of one in the mempool, decoded.
    pub async fn mempool_transaction(&self, txid: TxId) -> Result<Option<elements::Transaction>, RpcError> {
        let bytes = self.mempool_transaction_bytes(txid).await?;
        let unreadable = |e| self.broken("getrawtransaction", format!("answer is no transaction: {e}"));
        bytes.map(|bytes| deserialize(&bytes)).transpose().map_err(unreadable)
    }

    /// `decoderawtransaction`: whether the node knows a discounted size for it. It does where it accepts discounts
    /// (core_write.cpp, `GetAcceptDiscountCT`).
    pub async fn knows_discount(&self, tx: &elements::Transaction) -> Result<bool, RpcError> {
        let decoded: Decoded = self
            .call("decoderawtransaction", rpc_params![serialize_hex(tx)])
            .await?;
        Ok(decoded.discountvsize.is_some())
    }

    /// Loads the wallet, or makes one of the release's usual kind.
    pub async fn ensure_wallet(&self) -> Result<(), RpcError> {
        self.load_or_make_wallet(None).await
    }

    /// `getnewaddress`, confidential.
    pub async fn new_address(&self, label: &str) -> Result<String, RpcError> {
        self.new_address_of("blech32", label).await
    }

    /// `fundrawtransaction`: adds inputs, change and fee, and locks the inputs.
    pub async fn fund(&self, template: &[u8], rate: FeeRate) -> Result<Funded, RpcError> {
        // replaceable: an opening that may not be used any more is replaced by a spend to ourselves
        let options = json!({ "feeRate": Btc::from(rate), "lockUnspents": true, "replaceable": true });
        self.fund_raw(template, options, None).await
    }

    /// `blindrawtransaction`. What cannot be blinded is an error, not published in the clear.
    pub async fn blind(&self, tx: &elements::Transaction) -> Result<Vec<u8>, RpcError> {
        let HexBytes(bytes) = self
            .wallet_call("blindrawtransaction", rpc_params![serialize_hex(tx), false])
            .await?;
        Ok(bytes)
    }

    /// `unblindrawtransaction`: the transaction with what the wallet can read of it in the clear.
    pub async fn unblind(&self, tx: &elements::Transaction) -> Result<elements::Transaction, RpcError> {
        const METHOD: &str = "unblindrawtransaction";
        let answer: Unblinded = self.wallet_call(METHOD, rpc_params![serialize_hex(tx)]).await?;
        deserialize(&answer.hex.0).map_err(|e| self.broken(METHOD, format!("answer is no transaction: {e}")))
    }

    /// `getbalances`, locked outputs included.
    pub async fn balances(&self) -> Result<Balances, RpcError> {
        self.wallet_call("getbalances", rpc_params![]).await
    }

    /// `listunspent` of one asset, from the mempool on, without locked outputs.
    pub async fn unspent(&self, asset: elements::AssetId) -> Result<Vec<Unspent>, RpcError> {
        let none: [&str; 0] = [];
        let options = json!({ "asset": asset.to_string() });
        let listed: Vec<Unspent> = self
            .wallet_call("listunspent", rpc_params![0, ANY_DEPTH, none, true, options])
            .await?;
        Ok(listed.into_iter().filter(|output| output.asset == asset).collect())
    }

    /// `sendtoaddress` in one asset at a rate.
    pub async fn send_to_address(
        &self,
        address: &str,
        amount: Btc,
        asset: elements::AssetId,
        rate: FeeRate,
    ) -> Result<TxId, RpcError> {
        let nothing = Value::Null;
        // address, amount, comment, comment_to, subtractfeefromamount, replaceable, conf_target, estimate_mode,
        // avoid_reuse, assetlabel, ignoreblindfail, fee_rate
        let params = rpc_params![
            address,
            amount,
            "",
            "",
            false,
            true,
            &nothing,
            &nothing,
            &nothing,
            asset.to_string(),
            false,
            rate.in_sat_per_vb()
        ];
        self.wallet_call::<bitcoin::Txid>("sendtoaddress", params)
            .await
            .map(TxId)
    }
}

//! The wallet's calls.

use jsonrpsee::core::params::ArrayParams;
use jsonrpsee::rpc_params;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::client::ElementsRpc;
use super::error::{RpcError, code};
use super::methods::transaction;
use super::types::{AddressInfo, Balances, Btc, Funded, Signed, Unspent, WalletOutPoint};
use crate::units::{FeeRate, OutPoint, TxId};

/// `listunspent`'s default for the most confirmations.
const ANY_DEPTH: u32 = 9_999_999;

impl ElementsRpc {
    /// Loads the wallet, or makes it; the node loads it by itself from then on. Loaded already is Ok.
    pub async fn ensure_wallet(&self) -> Result<(), RpcError> {
        let name = self.wallet_name.as_str();
        let loaded: Vec<String> = self.call("listwallets", rpc_params![]).await?;
        if loaded.iter().any(|wallet| wallet == name) {
            return Ok(());
        }
        match self
            .call::<serde_json::Value>("loadwallet", rpc_params![name, true])
            .await
        {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some(code::WALLET_ALREADY_LOADED) => Ok(()),
            Err(error) if error.code() == Some(code::WALLET_NOT_FOUND) => self.create_wallet(name).await,
            Err(error) => Err(error),
        }
    }

    async fn create_wallet(&self, name: &str) -> Result<(), RpcError> {
        let nothing = serde_json::Value::Null;
        let make = async |descriptors: &serde_json::Value| {
            // name, disable_private_keys, blank, passphrase, avoid_reuse, descriptors, load_on_startup
            let params = rpc_params![name, false, false, &nothing, false, descriptors, true];
            self.call::<serde_json::Value>("createwallet", params).await.map(drop)
        };
        match make(&nothing).await {
            // the kind that is this release's default is not compiled in
            Err(RpcError::Refused {
                code: code::WALLET,
                message,
                ..
            }) if message.contains("without bdb") => make(&serde_json::Value::Bool(true)).await,
            answer => answer,
        }
    }

    /// A wallet call; a wallet that the node has not loaded (it was restarted) is loaded first.
    async fn wallet_call<R>(&self, method: &'static str, params: ArrayParams) -> Result<R, RpcError>
    where
        R: DeserializeOwned + Send,
    {
        match self.call_wallet(method, params.clone()).await {
            Err(error) if error.code() == Some(code::WALLET_NOT_FOUND) => {
                self.ensure_wallet().await?;
                self.call_wallet(method, params).await
            }
            answer => answer,
        }
    }

    /// `getnewaddress`, confidential.
    pub async fn new_address(&self, label: &str) -> Result<String, RpcError> {
        self.wallet_call("getnewaddress", rpc_params![label, "blech32"]).await
    }

    /// `getaddressinfo`.
    pub async fn address_info(&self, address: &str) -> Result<AddressInfo, RpcError> {
        self.wallet_call("getaddressinfo", rpc_params![address]).await
    }

    /// `fundrawtransaction`: adds inputs, change and fee, and locks the inputs.
    pub async fn fund(&self, tx: &elements::Transaction, rate: FeeRate) -> Result<Funded, RpcError> {
        // replaceable: an opening that may not be used any more is replaced by a spend to ourselves
        let options = json!({ "feeRate": Btc::from(rate), "lockUnspents": true, "replaceable": true });
        self.wallet_call(
            "fundrawtransaction",
            rpc_params![elements::encode::serialize_hex(tx), options],
        )
        .await
    }

    /// `blindrawtransaction`. What cannot be blinded is an error, not published in the clear.
    pub async fn blind(&self, tx: &elements::Transaction) -> Result<elements::Transaction, RpcError> {
        const METHOD: &str = "blindrawtransaction";
        let text: String = self
            .wallet_call(METHOD, rpc_params![elements::encode::serialize_hex(tx), false])
            .await?;
        transaction(METHOD, &text)
    }

    /// `signrawtransactionwithwallet`: all inputs, or an error.
    pub async fn sign(&self, tx: &elements::Transaction) -> Result<elements::Transaction, RpcError> {
        const METHOD: &str = "signrawtransactionwithwallet";
        let signed: Signed = self
            .wallet_call(METHOD, rpc_params![elements::encode::serialize_hex(tx)])
            .await?;
        if !signed.complete {
            return Err(RpcError::broken(
                METHOD,
                "the wallet cannot sign all inputs that it chose",
            ));
        }
        transaction(METHOD, &signed.hex)
    }

    /// `listlockunspent`.
    pub async fn locked(&self) -> Result<Vec<OutPoint>, RpcError> {
        let locked: Vec<WalletOutPoint> = self.wallet_call("listlockunspent", rpc_params![]).await?;
        Ok(locked.into_iter().map(OutPoint::from).collect())
    }

    /// `lockunspent false`: written to the wallet, so that the node's restart does not free them.
    pub async fn lock(&self, outputs: &[OutPoint]) -> Result<(), RpcError> {
        let outputs: Vec<WalletOutPoint> = outputs.iter().copied().map(WalletOutPoint::from).collect();
        self.wallet_call::<bool>("lockunspent", rpc_params![false, outputs, true])
            .await
            .map(drop)
    }

    /// `lockunspent true`.
    pub async fn unlock(&self, outputs: &[OutPoint]) -> Result<(), RpcError> {
        let outputs: Vec<WalletOutPoint> = outputs.iter().copied().map(WalletOutPoint::from).collect();
        self.wallet_call::<bool>("lockunspent", rpc_params![true, outputs])
            .await
            .map(drop)
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

    /// `setlabel`.
    pub async fn set_label(&self, address: &str, label: &str) -> Result<(), RpcError> {
        self.wallet_call::<serde_json::Value>("setlabel", rpc_params![address, label])
            .await
            .map(drop)
    }

    /// `sendtoaddress` in one asset at a rate.
    pub async fn send_to_address(
        &self,
        address: &str,
        amount: Btc,
        asset: elements::AssetId,
        rate: FeeRate,
    ) -> Result<TxId, RpcError> {
        let nothing = serde_json::Value::Null;
        // the rate of this call is in sat per virtual byte, with three places
        let rate = format!("{}.{:03}", rate.0 / 1000, rate.0 % 1000);
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
            rate
        ];
        self.wallet_call::<bitcoin::Txid>("sendtoaddress", params)
            .await
            .map(TxId)
    }
}

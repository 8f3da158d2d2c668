//! The wallet's calls.

use jsonrpsee::core::traits::ToRpcParams;
use jsonrpsee::rpc_params;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::NodeRpc;
use super::error::{RpcError, code};
use super::types::{AddressInfo, Funded, HexBytes, Signed, WalletOutPoint};
use crate::units::OutPoint;

/// `listunspent`'s default for the most confirmations.
pub(in crate::chain) const ANY_DEPTH: u32 = 9_999_999;

impl NodeRpc {
    /// Loads the wallet, or makes it; the node loads it by itself from then on. Loaded already is Ok. The new one is of
    /// the node's usual kind where `descriptors` is None.
    pub(in crate::chain) async fn load_or_make_wallet(&self, descriptors: Option<bool>) -> Result<(), RpcError> {
        let name = self.wallet_name.as_str();
        let loaded: Vec<String> = self.call("listwallets", rpc_params![]).await?;
        if loaded.iter().any(|wallet| wallet == name) {
            return Ok(());
        }
        match self.call::<Value>("loadwallet", rpc_params![name, true]).await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some(code::WALLET_ALREADY_LOADED) => Ok(()),
            Err(error) if error.code() == Some(code::WALLET_NOT_FOUND) => self.create_wallet(name, descriptors).await,
            // by an earlier call, whose answer was lost or is being waited for by another caller
            Err(RpcError::Refused {
                code: code::WALLET,
                message,
                ..
            }) if message.contains("already loading") => Err(self.unreachable("loadwallet", message)),
            Err(error) => Err(error),
        }
    }

    async fn create_wallet(&self, name: &str, descriptors: Option<bool>) -> Result<(), RpcError> {
        let nothing = Value::Null;
        let make = async |descriptors: Option<bool>| {
            // name, disable_private_keys, blank, passphrase, avoid_reuse, descriptors, load_on_startup
            let params = rpc_params![name, false, false, &nothing, false, descriptors, true];
            self.call::<Value>("createwallet", params).await.map(drop)
        };
        match make(descriptors).await {
            // the kind that is this release's default is not compiled in
            Err(RpcError::Refused {
                code: code::WALLET,
                message,
                ..
            }) if message.contains("without bdb") => make(Some(true)).await,
            answer => answer,
        }
    }

    /// A wallet call; a wallet that the node has not loaded (it was restarted) is loaded first.
    pub(in crate::chain) async fn wallet_call<R: DeserializeOwned>(
        &self,
        method: &'static str,
        params: impl ToRpcParams + Clone + Send,
    ) -> Result<R, RpcError> {
        match self.call_wallet(method, params.clone()).await {
            Err(error) if error.code() == Some(code::WALLET_NOT_FOUND) => {
                self.load_or_make_wallet(None).await?;
                self.call_wallet(method, params).await
            }
            answer => answer,
        }
    }

    /// `getnewaddress` of a kind, such as `bech32`.
    pub(in crate::chain) async fn new_address_of(&self, kind: &str, label: &str) -> Result<String, RpcError> {
        self.wallet_call("getnewaddress", rpc_params![label, kind]).await
    }

    /// `getaddressinfo`.
    pub async fn address_info(&self, address: &str) -> Result<AddressInfo, RpcError> {
        self.wallet_call("getaddressinfo", rpc_params![address]).await
    }

    /// `fundrawtransaction`: adds inputs, change and fee. `is_witness`: how the template is encoded, where it does not
    /// show.
    pub(in crate::chain) async fn fund_raw(
        &self,
        template: &[u8],
        options: Value,
        is_witness: Option<bool>,
    ) -> Result<Funded, RpcError> {
        const METHOD: &str = "fundrawtransaction";
        let template = hex::encode(template);
        // Elements 23 takes no null for what is left out
        match is_witness {
            Some(is_witness) => {
                self.wallet_call(METHOD, rpc_params![template, options, is_witness])
                    .await
            }
            None => self.wallet_call(METHOD, rpc_params![template, options]).await,
        }
    }

    /// `signrawtransactionwithwallet`: all inputs, or an error. An input that a block has spent meanwhile cannot be
    /// signed: whoever asks again looks at the chain first.
    pub(in crate::chain) async fn sign_raw(&self, tx: &[u8]) -> Result<Vec<u8>, RpcError> {
        const METHOD: &str = "signrawtransactionwithwallet";
        let signed: Signed = self.wallet_call(METHOD, rpc_params![hex::encode(tx)]).await?;
        if !signed.complete {
            return Err(self.unreachable(METHOD, "the wallet cannot sign all inputs now"));
        }
        let HexBytes(bytes) = signed.hex;
        Ok(bytes)
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

    /// `setlabel`.
    pub async fn set_label(&self, address: &str, label: &str) -> Result<(), RpcError> {
        self.wallet_call::<Value>("setlabel", rpc_params![address, label])
            .await
            .map(drop)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use async_trait::async_trait;
    use serde_json::value::RawValue;

    use super::super::{Auth, Endpoint, Receiver, Transport};
    use super::*;

    /// A node that answers each method always alike.
    #[derive(Debug)]
    struct Node(Result<&'static str, (i32, &'static str)>);

    #[async_trait]
    impl Transport for Node {
        async fn carry(&self, _: Receiver, method: &'static str, _: Box<RawValue>) -> Result<Box<RawValue>, RpcError> {
            let answer = if method == "loadwallet" { self.0 } else { Ok("[]") };
            match answer {
                Ok(text) => Ok(RawValue::from_string(text.into()).unwrap()),
                Err((code, message)) => Err(RpcError::answered("bitcoind", method, code, message)),
            }
        }
    }

    async fn load(answer: Result<&'static str, (i32, &'static str)>) -> Result<(), RpcError> {
        let endpoint = Endpoint {
            url: "http://127.0.0.1:1".into(),
            auth: Auth::Cookie("/nowhere".into()),
            wallet: "sluice".into(),
            timeout: Duration::from_secs(1),
            poll: Duration::from_secs(1),
        };
        NodeRpc::new("bitcoind", &endpoint, Node(answer))
            .load_or_make_wallet(None)
            .await
    }

    #[tokio::test]
    async fn a_wallet_that_the_node_is_loading_already_is_waited_for() {
        assert_eq!(load(Ok("{}")).await, Ok(()));
        assert_eq!(load(Err((-35, "Wallet \"sluice\" is already loaded."))).await, Ok(()));
        // wallet/wallet.cpp, LoadWallet
        let loading = load(Err((-4, "Wallet already loading."))).await;
        assert!(matches!(loading, Err(RpcError::Unreachable { .. })), "{loading:?}");
        let broken = load(Err((-4, "Wallet file verification failed."))).await;
        assert!(matches!(broken, Err(RpcError::Refused { .. })), "{broken:?}");
    }
}

//! JSON-RPC of the nodes of both chains, as far as they answer alike: they are of one family.
//!
//! ```text
//!  elements_rpc ── ElementsRpc ──┐                 ┌── jsonrpsee, async
//!                                ├─▶ NodeRpc ──▶ Transport
//!  bitcoin_rpc ─── BitcoinRpc ───┘                 └── bitcoincore-rpc, on threads of its own
//! ```
//!
//! Knows methods, their parameters and answers. Must not know what a swap is.

mod auth;
mod error;
mod methods;
mod types;
mod wallet_methods;

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use jsonrpsee::core::traits::ToRpcParams;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

pub use auth::Auth;
pub(super) use error::root_cause;
pub use error::{RpcError, code};
pub(super) use types::HexBytes;
pub use types::{
    AddressInfo, BlockchainInfo, Btc, FeeEstimate, Funded, MempoolEntry, MempoolInfo, NetworkInfo, Signed, TxOutInfo,
    WalletOutPoint,
};
pub(super) use wallet_methods::ANY_DEPTH;

/// Where a node's RPC is, and how to speak with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its address without a path: `http://127.0.0.1:7041`.
    pub url: String,
    /// Who we are to it.
    pub auth: Auth,
    /// The wallet for wallet calls, by name.
    pub wallet: String,
    /// How long an answer may take.
    pub timeout: Duration,
    /// How long the node holds a call that waits for a block.
    pub poll: Duration,
}

/// How much longer than a long poll its answer may take.
const POLL_GRACE: Duration = Duration::from_secs(30);

impl Endpoint {
    /// The node's own address.
    pub(super) fn node_url(&self) -> &str {
        self.url.trim_end_matches('/')
    }

    /// The address of the wallet.
    pub(super) fn wallet_url(&self) -> String {
        format!("{}/wallet/{}", self.node_url(), percent_encoded(&self.wallet))
    }

    /// How long the answer of a long poll may take.
    pub(super) fn poll_timeout(&self) -> Duration {
        self.poll + POLL_GRACE
    }
}

/// Whom a call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receiver {
    /// The node.
    Node,
    /// The node, which answers when a block has come: of its own, so that it takes no place from the others.
    LongPoll,
    /// The wallet.
    Wallet,
}

/// Carries calls to a node.
#[async_trait]
pub trait Transport: fmt::Debug + Send + Sync {
    /// Carries one call there and its answer back. A call that was refused for its credentials is made again, once,
    /// if there are others by now: a restarted node has written another cookie.
    async fn carry(&self, to: Receiver, method: &'static str, params: Box<RawValue>)
    -> Result<Box<RawValue>, RpcError>;
}

/// A client of one node and one of its wallets.
#[derive(Debug)]
pub struct NodeRpc {
    daemon: &'static str,
    transport: Box<dyn Transport>,
    calls: Mutex<BTreeMap<&'static str, u64>>,
    poll: Duration,
    wallet_name: String,
}

impl NodeRpc {
    pub(super) fn new(daemon: &'static str, endpoint: &Endpoint, transport: impl Transport + 'static) -> Self {
        Self {
            daemon,
            transport: Box::new(transport),
            calls: Mutex::default(),
            poll: endpoint.poll,
            wallet_name: endpoint.wallet.clone(),
        }
    }

    /// The program at the other end.
    #[must_use]
    pub fn daemon(&self) -> &'static str {
        self.daemon
    }

    /// How often each method was called since the start.
    #[must_use]
    pub fn calls(&self) -> BTreeMap<&'static str, u64> {
        self.calls.lock().expect("no holder panics").clone()
    }

    /// Calls any method of the node.
    pub async fn call<R: DeserializeOwned>(
        &self,
        method: &'static str,
        params: impl ToRpcParams + Send,
    ) -> Result<R, RpcError> {
        self.request(Receiver::Node, method, params).await
    }

    /// Calls any method of the wallet. A wallet that is not loaded is `Refused`.
    pub async fn call_wallet<R: DeserializeOwned>(
        &self,
        method: &'static str,
        params: impl ToRpcParams + Send,
    ) -> Result<R, RpcError> {
        self.request(Receiver::Wallet, method, params).await
    }

    async fn request<R: DeserializeOwned>(
        &self,
        to: Receiver,
        method: &'static str,
        params: impl ToRpcParams + Send,
    ) -> Result<R, RpcError> {
        let params = match params.to_rpc_params() {
            Ok(params) => params.unwrap_or_else(|| RawValue::NULL.to_owned()),
            Err(error) => return Err(self.broken(method, format!("parameters: {error}"))),
        };
        *self.calls.lock().expect("no holder panics").entry(method).or_default() += 1;
        let answer = self.transport.carry(to, method, params).await?;
        serde_json::from_str(answer.get()).map_err(|error| self.broken(method, format!("answer: {error}")))
    }

    /// An answer of this node that makes no sense.
    pub(super) fn broken(&self, method: &'static str, reason: impl Into<String>) -> RpcError {
        RpcError::broken(self.daemon, method, reason)
    }

    /// An answer of this node that may be another one soon.
    pub(super) fn unreachable(&self, method: &'static str, reason: impl Into<String>) -> RpcError {
        RpcError::unreachable(self.daemon, method, reason)
    }
}

/// A wallet's name as one part of a path.
fn percent_encoded(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("a String takes all that is written");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wallet_name_is_one_part_of_the_path() {
        assert_eq!(percent_encoded("sluice-1"), "sluice-1");
        assert_eq!(percent_encoded("my/wal let"), "my%2Fwal%20let");
    }
}

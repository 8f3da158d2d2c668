//! The client: credentials, timeouts, the wallet's path, and a count of the calls made.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jsonrpsee::core::ClientError;
use jsonrpsee::core::client::ClientT;
use jsonrpsee::core::middleware::layer::RpcLogger;
use jsonrpsee::core::params::ArrayParams;
use jsonrpsee::http_client::{HttpBackend, HttpClient, HttpClientBuilder, RpcService};
use serde::de::DeserializeOwned;

use super::auth::{Auth, Credentials};
use super::dialect::{Dialect, DialectLayer, MAX_ANSWER_BYTES};
use super::error::{RpcError, http_status};

/// Calls that may be open at a time: a node has four threads for them and lets sixteen wait.
const MAX_OPEN_CALLS: usize = 8;
/// How much longer than a long poll its answer may take.
const POLL_GRACE: Duration = Duration::from_secs(30);

type Http = HttpClient<RpcLogger<RpcService<Dialect<HttpBackend>>>>;

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

/// A client of one node and one of its wallets. Cheap to share behind an [`Arc`].
#[derive(Debug)]
pub struct ElementsRpc {
    node: Http,
    wallet: Http,
    long_poll: Http,
    credentials: Arc<Credentials>,
    calls: Mutex<BTreeMap<&'static str, u64>>,
    pub(super) poll: Duration,
    pub(super) wallet_name: String,
}

impl ElementsRpc {
    /// Makes a client; nothing is called yet. Fails if the address is none.
    pub fn new(endpoint: &Endpoint) -> Result<Self, RpcError> {
        let credentials = Arc::new(Credentials::new(endpoint.auth.clone()));
        let base = endpoint.url.trim_end_matches('/');
        let build = |url: &str, timeout: Duration| {
            HttpClientBuilder::new()
                .set_http_middleware(tower::ServiceBuilder::new().layer(DialectLayer(Arc::clone(&credentials))))
                .request_timeout(timeout)
                .connect_timeout(Duration::from_secs(5))
                .max_response_size(MAX_ANSWER_BYTES)
                .max_request_size(MAX_ANSWER_BYTES)
                .max_concurrent_requests(MAX_OPEN_CALLS)
                .build(url)
                .map_err(|e| RpcError::broken("address", format!("`{url}`: {e}")))
        };
        Ok(Self {
            node: build(base, endpoint.timeout)?,
            wallet: build(
                &format!("{base}/wallet/{}", percent_encoded(&endpoint.wallet)),
                endpoint.timeout,
            )?,
            // of its own: its answer takes longer, and it must not use up a place for the others
            long_poll: build(base, endpoint.poll + POLL_GRACE)?,
            credentials,
            calls: Mutex::default(),
            poll: endpoint.poll,
            wallet_name: endpoint.wallet.clone(),
        })
    }

    /// How often each method was called since the start.
    #[must_use]
    pub fn calls(&self) -> BTreeMap<&'static str, u64> {
        self.calls.lock().expect("no holder panics").clone()
    }

    /// Calls any method of the node.
    pub async fn call<R>(&self, method: &'static str, params: ArrayParams) -> Result<R, RpcError>
    where
        R: DeserializeOwned + Send,
    {
        self.request(&self.node, method, params).await
    }

    pub(super) async fn call_waiting<R>(&self, method: &'static str, params: ArrayParams) -> Result<R, RpcError>
    where
        R: DeserializeOwned + Send,
    {
        self.request(&self.long_poll, method, params).await
    }

    /// Calls any method of the wallet. A wallet that is not loaded is `Refused`.
    pub async fn call_wallet<R>(&self, method: &'static str, params: ArrayParams) -> Result<R, RpcError>
    where
        R: DeserializeOwned + Send,
    {
        self.request(&self.wallet, method, params).await
    }

    async fn request<R>(&self, client: &Http, method: &'static str, params: ArrayParams) -> Result<R, RpcError>
    where
        R: DeserializeOwned + Send,
    {
        self.count(method);
        match client.request(method, params.clone()).await {
            // a restarted node has written another cookie; a call refused for its credentials had no effect
            Err(ClientError::Transport(error)) if http_status(&error) == Some(401) => match self.credentials.reload() {
                Ok((_, true)) => {
                    self.count(method);
                    client.request(method, params).await
                }
                Ok((_, false)) => Err(ClientError::Transport(error)),
                Err(reason) => return Err(RpcError::unreachable(method, reason)),
            },
            answer => answer,
        }
        .map_err(|error| RpcError::from_client(method, error))
    }

    fn count(&self, method: &'static str) {
        *self.calls.lock().expect("no holder panics").entry(method).or_default() += 1;
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

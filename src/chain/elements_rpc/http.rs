//! Carries calls over HTTP, asynchronously.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jsonrpsee::core::ClientError;
use jsonrpsee::core::client::ClientT;
use jsonrpsee::core::middleware::layer::RpcLogger;
use jsonrpsee::core::traits::ToRpcParams;
use jsonrpsee::http_client::transport::Error as TransportError;
use jsonrpsee::http_client::{HttpBackend, HttpClient, HttpClientBuilder, RpcService};
use serde_json::value::RawValue;

use super::credentials::Credentials;
use super::dialect::{Dialect, DialectLayer, MAX_ANSWER_BYTES};
use crate::chain::rpc::{Endpoint, Receiver, RpcError, Transport, root_cause};

/// The program at the other end.
pub(super) const DAEMON: &str = "elementsd";
/// Calls that may be open at a time: a node has four threads for them and lets sixteen wait.
const MAX_OPEN_CALLS: usize = 8;

type Client = HttpClient<RpcLogger<RpcService<Dialect<HttpBackend>>>>;

/// The connections to a node.
#[derive(Debug)]
pub(super) struct Http {
    node: Client,
    wallet: Client,
    long_poll: Client,
    credentials: Arc<Credentials>,
}

impl Http {
    pub(super) fn new(endpoint: &Endpoint) -> Result<Self, RpcError> {
        let credentials = Arc::new(Credentials::new(endpoint.auth.clone()));
        let build = |url: &str, timeout: Duration| {
            HttpClientBuilder::new()
                .set_http_middleware(tower::ServiceBuilder::new().layer(DialectLayer(Arc::clone(&credentials))))
                .request_timeout(timeout)
                .connect_timeout(Duration::from_secs(5))
                .max_response_size(MAX_ANSWER_BYTES)
                .max_request_size(MAX_ANSWER_BYTES)
                .max_concurrent_requests(MAX_OPEN_CALLS)
                .build(url)
                .map_err(|e| RpcError::broken(DAEMON, "address", format!("`{url}`: {e}")))
        };
        Ok(Self {
            node: build(endpoint.node_url(), endpoint.timeout)?,
            wallet: build(&endpoint.wallet_url(), endpoint.timeout)?,
            // of its own: its answer takes longer, and it must not use up a place for the others
            long_poll: build(endpoint.node_url(), endpoint.poll_timeout())?,
            credentials,
        })
    }
}

#[async_trait]
impl Transport for Http {
    async fn carry(
        &self,
        to: Receiver,
        method: &'static str,
        params: Box<RawValue>,
    ) -> Result<Box<RawValue>, RpcError> {
        let client = match to {
            Receiver::Node => &self.node,
            Receiver::LongPoll => &self.long_poll,
            Receiver::Wallet => &self.wallet,
        };
        match client.request(method, Params(params.clone())).await {
            // a call refused for its credentials had no effect
            Err(ClientError::Transport(error)) if http_status(&error) == Some(401) => match self.credentials.reload() {
                Ok((_, true)) => client.request(method, Params(params)).await,
                Ok((_, false)) => Err(ClientError::Transport(error)),
                Err(reason) => return Err(RpcError::unreachable(DAEMON, method, reason)),
            },
            answer => answer,
        }
        .map_err(|error| classed(method, error))
    }
}

/// Parameters that are JSON already.
struct Params(Box<RawValue>);

impl ToRpcParams for Params {
    fn to_rpc_params(self) -> Result<Option<Box<RawValue>>, serde_json::Error> {
        Ok(Some(self.0))
    }
}

fn classed(method: &'static str, error: ClientError) -> RpcError {
    match error {
        ClientError::Call(answer) => RpcError::answered(DAEMON, method, answer.code(), answer.message()),
        ClientError::RequestTimeout => RpcError::unreachable(DAEMON, method, "no answer in time"),
        ClientError::Transport(error) => match http_status(&error) {
            Some(status) => RpcError::http(DAEMON, method, status),
            None => RpcError::unreachable(DAEMON, method, root_cause(error.as_ref())),
        },
        other => RpcError::broken(DAEMON, method, other.to_string()),
    }
}

/// The status of an HTTP answer that was no RPC answer.
fn http_status(error: &jsonrpsee::core::BoxError) -> Option<u16> {
    match error.downcast_ref::<TransportError>() {
        Some(TransportError::Rejected { status_code }) => Some(*status_code),
        _ => None,
    }
}

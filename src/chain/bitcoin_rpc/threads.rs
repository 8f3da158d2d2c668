//! Carries calls by `bitcoincore-rpc`, which blocks: on threads of their own, and only a few of them.
//!
//! Its transport over `minreq` is used and not the one that it takes by default: that one sends a call again when the
//! answer is late, and a payment made twice is two payments.

use std::sync::{Arc, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use bitcoincore_rpc::jsonrpc::minreq_http::{self, MinreqHttpTransport};
use bitcoincore_rpc::jsonrpc::{self, minreq};
use bitcoincore_rpc::{Client, RpcApi};
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::Semaphore;

use crate::chain::rpc::{Endpoint, Receiver, RpcError, Transport, root_cause};

/// The program at the other end.
pub(super) const DAEMON: &str = "bitcoind";
/// Calls that may be open at a time beside the long poll: a node has four threads for them
/// (Bitcoin Core before 29, src/httpserver.h, `DEFAULT_HTTP_THREADS`).
const MAX_OPEN_CALLS: usize = 3;

/// The crate's clients of one node.
#[derive(Debug)]
struct Clients {
    node: Client,
    long_poll: Client,
    wallet: Client,
}

impl Clients {
    fn of(&self, receiver: Receiver) -> &Client {
        match receiver {
            Receiver::Node => &self.node,
            Receiver::LongPoll => &self.long_poll,
            Receiver::Wallet => &self.wallet,
        }
    }
}

/// The clients, with the user and password that they were made with.
struct Known {
    pair: zeroize::Zeroizing<String>,
    clients: Arc<Clients>,
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.clients.fmt(f)
    }
}

/// The clients as they are now, and the places for calls.
#[derive(Debug)]
pub(super) struct Threads {
    endpoint: Endpoint,
    known: RwLock<Option<Known>>,
    places: Arc<Semaphore>,
    long_poll: Arc<Semaphore>,
}

impl Threads {
    pub(super) fn new(endpoint: &Endpoint) -> Self {
        Self {
            endpoint: endpoint.clone(),
            known: RwLock::default(),
            places: Arc::new(Semaphore::new(MAX_OPEN_CALLS)),
            long_poll: Arc::new(Semaphore::new(1)),
        }
    }

    /// The clients, made on first use: the node may start after us. The error names the cookie file.
    fn clients(&self) -> Result<Arc<Clients>, String> {
        if let Some(known) = &*self.known.read().expect("no holder panics") {
            return Ok(known.clients.clone());
        }
        self.renewed().map(|(clients, _)| clients)
    }

    /// The clients with the credentials read again; true if those are others than before.
    fn renewed(&self) -> Result<(Arc<Clients>, bool), String> {
        let pair = self.endpoint.auth.pair()?;
        let mut known = self.known.write().expect("no holder panics");
        if let Some(known) = known.as_ref().filter(|known| known.pair == pair) {
            return Ok((known.clients.clone(), false));
        }
        let client = |url: &str, timeout: Duration| {
            // it knows whole seconds only
            let seconds = timeout.as_secs() + u64::from(timeout.subsec_nanos() > 0);
            let transport = MinreqHttpTransport::builder()
                .url(url)
                .map_err(|error| error.to_string())?
                .timeout(Duration::from_secs(seconds.max(1)))
                .cookie_auth(pair.as_str())
                .build();
            Ok::<_, String>(Client::from_jsonrpc(jsonrpc::Client::with_transport(transport)))
        };
        let (endpoint, node) = (&self.endpoint, self.endpoint.node_url());
        let clients = Arc::new(Clients {
            node: client(node, endpoint.timeout)?,
            long_poll: client(node, endpoint.poll_timeout())?,
            wallet: client(&endpoint.wallet_url(), endpoint.timeout)?,
        });
        *known = Some(Known {
            pair,
            clients: clients.clone(),
        });
        Ok((clients, true))
    }

    /// One call on a thread of its own. It keeps its place until the thread is done, also where nobody waits for it.
    async fn run(
        &self,
        clients: Arc<Clients>,
        to: Receiver,
        method: &'static str,
        params: &[Value],
    ) -> Result<Box<RawValue>, bitcoincore_rpc::Error> {
        let places = match to {
            Receiver::LongPoll => &self.long_poll,
            Receiver::Node | Receiver::Wallet => &self.places,
        };
        let place = places.clone().acquire_owned().await.expect("never closed");
        let params = params.to_vec();
        let call = move || {
            let _place = place;
            clients.of(to).call::<Box<RawValue>>(method, &params)
        };
        let ended = tokio::task::spawn_blocking(call).await;
        ended.unwrap_or_else(|error| Err(jsonrpc::Error::Transport(error.into()).into()))
    }
}

#[async_trait]
impl Transport for Threads {
    async fn carry(
        &self,
        to: Receiver,
        method: &'static str,
        params: Box<RawValue>,
    ) -> Result<Box<RawValue>, RpcError> {
        let unreachable = |reason: String| RpcError::unreachable(DAEMON, method, reason);
        // no parameters at all are `null`
        let params: Option<Vec<Value>> = serde_json::from_str(params.get())
            .map_err(|error| RpcError::broken(DAEMON, method, format!("parameters: {error}")))?;
        let params = params.unwrap_or_default();
        let clients = self.clients().map_err(unreachable)?;
        match self.run(clients, to, method, &params).await {
            // a call refused for its credentials had no effect
            Err(error) if http_status(&error) == Some(401) => match self.renewed().map_err(unreachable)? {
                (clients, true) => self.run(clients, to, method, &params).await,
                (_, false) => Err(error),
            },
            answer => answer,
        }
        .map_err(|error| classed(method, &error))
    }
}

fn classed(method: &'static str, error: &bitcoincore_rpc::Error) -> RpcError {
    use bitcoincore_rpc::Error::JsonRpc;
    use bitcoincore_rpc::jsonrpc::Error::{Rpc, Transport};
    if let JsonRpc(Rpc(answer)) = error {
        return RpcError::answered(DAEMON, method, answer.code, &answer.message);
    }
    if is_cut(error) {
        return RpcError::unreachable(DAEMON, method, "the connection broke off before the end of the answer");
    }
    if let Some(status) = http_status(error) {
        return RpcError::http(DAEMON, method, status);
    }
    match (error, http_error(error)) {
        (_, Some(minreq_http::Error::Minreq(minreq::Error::IoError(io)))) => {
            RpcError::unreachable(DAEMON, method, root_cause(io))
        }
        (JsonRpc(Transport(cause)), None) => RpcError::unreachable(DAEMON, method, root_cause(cause.as_ref())),
        (_, Some(other)) => RpcError::broken(DAEMON, method, other.to_string()),
        (other, None) => RpcError::broken(DAEMON, method, other.to_string()),
    }
}

/// Whether the answer ended before its time. The transport takes what came of it for all of it: a head without a status
/// line for status 503, and a body for JSON that lacks its end.
fn is_cut(error: &bitcoincore_rpc::Error) -> bool {
    match http_error(error) {
        Some(minreq_http::Error::Minreq(minreq::Error::SerdeJsonError(json))) => json.is_eof(),
        Some(minreq_http::Error::Http(answer)) => answer.status_code == 503 && answer.body.is_empty(),
        _ => false,
    }
}

fn http_error(error: &bitcoincore_rpc::Error) -> Option<&minreq_http::Error> {
    match error {
        bitcoincore_rpc::Error::JsonRpc(jsonrpc::Error::Transport(cause)) => cause.downcast_ref(),
        _ => None,
    }
}

/// The status of an HTTP answer that was no RPC answer.
fn http_status(error: &bitcoincore_rpc::Error) -> Option<u16> {
    match http_error(error)? {
        minreq_http::Error::Http(answer) => u16::try_from(answer.status_code).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(error: minreq_http::Error) -> RpcError {
        let transport = jsonrpc::Error::Transport(Box::new(error));
        classed("getblockcount", &bitcoincore_rpc::Error::JsonRpc(transport))
    }

    fn answered(status_code: i32, body: &str) -> RpcError {
        let body = body.to_owned();
        class(minreq_http::Error::Http(minreq_http::HttpError { status_code, body }))
    }

    fn read(body: &str) -> RpcError {
        let error = serde_json::from_str::<Value>(body).expect_err("it is no JSON");
        class(minreq_http::Error::Minreq(minreq::Error::SerdeJsonError(error)))
    }

    #[test]
    fn an_answer_that_ended_before_its_time_is_none() {
        let cut = RpcError::unreachable(
            DAEMON,
            "getblockcount",
            "the connection broke off before the end of the answer",
        );
        for body in ["", r#"{"result":"#, r#"{"result":5,"error":nul"#] {
            assert_eq!(read(body), cut, "{body}");
        }
        assert_eq!(answered(503, ""), cut);
        assert_eq!(
            answered(503, "Work queue depth exceeded"),
            RpcError::http(DAEMON, "getblockcount", 503)
        );
        assert!(matches!(read("<html>"), RpcError::Broken { .. }));
    }
}

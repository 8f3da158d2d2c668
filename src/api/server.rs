//! One port for HTTP and WebSocket, never open without a token.
//!
//! ```text
//! socket ──► a place (128) ──► patience (head, answer) ──► token (401) ──► body (256 KiB, in time) ──► calls (64) ──► methods
//! ```
//!
//! The library has neither a bound on sockets that say nothing nor a time limit on clients that do not read, hence the
//! loop here. Whoever has no token holds a place until somebody else wants it.

mod calls;
mod patient;
mod places;
mod timely;

use std::net::SocketAddr;
use std::time::Duration;

use futures::{Stream, StreamExt};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use jsonrpsee::core::SubscriptionResult;
use jsonrpsee::core::middleware::RpcServiceBuilder;
use jsonrpsee::server::{
    BatchRequestConfig, Methods, PendingSubscriptionSink, PingConfig, ServerBuilder, ServerConfig, ServerHandle,
    StopHandle, stop_channel,
};
use serde_json::value::to_raw_value;
use tokio::net::{TcpListener, TcpStream};
use tracing::debug;

use super::SluiceApiServer;
use super::params::ByName;
use super::token::{RequireToken, Token};
use super::types::SwapView;
use calls::Calls;
use patient::Patient;
use places::{Places, Taken};
use timely::Within;

/// Bytes of a request; the largest sensible one is a list of peers.
const MAX_REQUEST: u32 = 256 * 1024;
/// Bytes of an answer; the largest is a list of a thousand swaps.
const MAX_ANSWER: u32 = 16 * 1024 * 1024;
/// Bytes of a connection that are held unread: heads of requests are far shorter.
const MAX_UNREAD: usize = 64 * 1024;
/// Connections at a time: an operator, a dashboard, some scripts that wait.
pub const MAX_CONNECTIONS: u32 = 128;
/// Subscriptions on one connection.
const MAX_SUBSCRIPTIONS: u32 = 64;
/// Calls, or batches of calls, that are being answered on one connection.
pub const MAX_CALLS: usize = 64;
/// Calls in one batch.
const MAX_BATCH: u32 = 64;
/// Changes that a slow subscriber may lag behind before it holds up only itself.
const MAX_BACKLOG: u32 = 64;
/// Code of the error in a 503's body: every connection that there may be is open, and all have shown the token.
pub const TOO_MANY_CONNECTIONS: i32 = -32041;
/// Code of the error in a 408's body: the request's body took too long.
pub const TOO_SLOW: i32 = -32042;
/// Before the next try, where the system has no socket left.
const NO_SOCKET: Duration = Duration::from_millis(100);

/// How long a client may take. Production uses the default; tests are faster.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// To send the head of a request, from the connection's beginning or the last answer on.
    pub head: Duration,
    /// To send its body.
    pub body: Duration,
    /// To read on in what it is sent.
    pub answer: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        let long = Duration::from_secs(30);
        Patience {
            head: long,
            body: long,
            answer: long,
        }
    }
}

/// A server that is running.
#[derive(Debug)]
pub struct ApiHandle {
    address: SocketAddr,
    server: ServerHandle,
}

impl ApiHandle {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more connections, and gives calls under way that long to end; a call that waits for a swap does not
    /// hold up the daemon's stop for longer.
    pub async fn stop(self, grace: Duration) {
        // an error means that it has stopped already
        let _ = self.server.stop();
        let _ = tokio::time::timeout(grace, self.server.stopped()).await;
    }
}

/// Answers on that listener until stopped. Must run inside a tokio runtime.
///
/// # Errors
/// The listener is of no use (its address cannot be told).
pub fn serve(listener: TcpListener, token: Token, api: impl SluiceApiServer) -> std::io::Result<ApiHandle> {
    serve_patiently(listener, token, api, Patience::default())
}

/// As [`serve`], with another patience.
///
/// # Errors
/// As [`serve`].
pub fn serve_patiently(
    listener: TcpListener,
    token: Token,
    api: impl SluiceApiServer,
    patience: Patience,
) -> std::io::Result<ApiHandle> {
    let address = listener.local_addr()?;
    let (stopping, server) = stop_channel();
    let door = Door {
        token,
        methods: api.into_rpc().into(),
        patience,
        stopping,
    };
    tokio::spawn(door.keep(listener));
    Ok(ApiHandle { address, server })
}

/// Whoever comes in passes here.
#[derive(Clone)]
struct Door {
    token: Token,
    methods: Methods,
    patience: Patience,
    stopping: StopHandle,
}

impl Door {
    /// Lets in whoever comes until the server stops.
    async fn keep(self, listener: TcpListener) {
        let places = Places::new(MAX_CONNECTIONS);
        let mut stopped = std::pin::pin!(self.stopping.clone().shutdown());
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = &mut stopped => return,
            };
            match accepted {
                Ok((socket, _)) => match places.take() {
                    Some(place) => drop(tokio::spawn(self.clone().converse(socket, place))),
                    None => places.refuse(socket),
                },
                Err(failure) => {
                    debug!(%failure, "a connection could not be accepted");
                    tokio::time::sleep(NO_SOCKET).await;
                }
            }
        }
    }

    /// Answers on one connection, until it ends or somebody else needs its place.
    async fn converse(self, socket: TcpStream, place: Taken) {
        // An answer is one write: there is nothing to wait for.
        if socket.set_nodelay(true).is_err() {
            return;
        }
        let config = ServerConfig::builder()
            .max_request_body_size(MAX_REQUEST)
            .max_response_body_size(MAX_ANSWER)
            .max_subscriptions_per_connection(MAX_SUBSCRIPTIONS)
            .set_message_buffer_capacity(MAX_BACKLOG)
            .set_batch_request_config(BatchRequestConfig::Limit(MAX_BATCH))
            .enable_ws_ping(PingConfig::default())
            .build();
        let http = tower::ServiceBuilder::new()
            .layer(RequireToken::new(self.token, place.known()))
            .layer(Within(self.patience.body));
        let rpc = RpcServiceBuilder::new().layer(Calls::new(MAX_CALLS)).layer_fn(ByName);
        let service = ServerBuilder::with_config(config)
            .set_http_middleware(http)
            .set_rpc_middleware(rpc)
            .to_service_builder()
            .build(self.methods, self.stopping.clone());
        let evicted = place.evicted();
        let io = TokioIo::new(Patient::new(socket, self.patience.answer, place));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.patience.head)
            .max_buf_size(MAX_UNREAD)
            .serve_connection(io, TowerToHyperService::new(service))
            .with_upgrades();
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            ended = &mut connection => ended,
            () = self.stopping.shutdown() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
            () = evicted => Ok(()),
        };
        if let Err(failure) = ended {
            debug!(%failure, "a connection ended");
        }
    }
}

/// Answers a `swap_subscribe`: hands every view of the stream to the subscriber until either is gone.
///
/// # Errors
/// Never one of the caller's concern: a subscriber that went away is no error.
pub async fn forward(
    pending: PendingSubscriptionSink,
    views: impl Stream<Item = SwapView> + Send,
) -> SubscriptionResult {
    let Ok(sink) = pending.accept().await else {
        return Ok(());
    };
    let mut views = std::pin::pin!(views);
    loop {
        let view = tokio::select! {
            view = views.next() => view,
            () = sink.closed() => None,
        };
        let Some(view) = view else { return Ok(()) };
        let message = to_raw_value(&view).expect("a view has a JSON text");
        if sink.send(message).await.is_err() {
            return Ok(());
        }
    }
}

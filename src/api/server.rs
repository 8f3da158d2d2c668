//! One port for HTTP and WebSocket, never open without a token.

use std::net::SocketAddr;
use std::time::Duration;

use futures::{Stream, StreamExt};
use jsonrpsee::core::SubscriptionResult;
use jsonrpsee::core::middleware::RpcServiceBuilder;
use jsonrpsee::server::{
    BatchRequestConfig, PendingSubscriptionSink, PingConfig, ServerBuilder, ServerConfig, ServerHandle,
};
use serde_json::value::to_raw_value;
use tokio::net::TcpListener;

use super::SluiceApiServer;
use super::params::ByName;
use super::token::{RequireToken, Token};
use super::types::SwapView;

/// Bytes of a request; the largest sensible one is a list of peers.
const MAX_REQUEST: u32 = 256 * 1024;
/// Bytes of an answer; the largest is a list of a thousand swaps.
const MAX_ANSWER: u32 = 16 * 1024 * 1024;
/// Connections at a time: an operator, a dashboard, some scripts that wait.
const MAX_CONNECTIONS: u32 = 128;
/// Subscriptions on one connection.
const MAX_SUBSCRIPTIONS: u32 = 64;
/// Calls in one batch.
const MAX_BATCH: u32 = 64;
/// Changes that a slow subscriber may lag behind before it holds up only itself.
const MAX_BACKLOG: u32 = 64;

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
    let address = listener.local_addr()?;
    let config = ServerConfig::builder()
        .max_request_body_size(MAX_REQUEST)
        .max_response_body_size(MAX_ANSWER)
        .max_connections(MAX_CONNECTIONS)
        .max_subscriptions_per_connection(MAX_SUBSCRIPTIONS)
        .set_message_buffer_capacity(MAX_BACKLOG)
        .set_batch_request_config(BatchRequestConfig::Limit(MAX_BATCH))
        .enable_ws_ping(PingConfig::default())
        .build();
    let server = ServerBuilder::with_config(config)
        .set_http_middleware(tower::ServiceBuilder::new().layer(RequireToken(token)))
        .set_rpc_middleware(RpcServiceBuilder::new().layer_fn(ByName))
        .build_from_tcp(listener.into_std()?)?;
    Ok(ApiHandle {
        address,
        server: server.start(api.into_rpc()),
    })
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

//! The HTTP server: authentication, batches, waiting calls, and a gate that can play an absent daemon.

use std::collections::BTreeMap;
use std::future::IntoFuture;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, Method as HttpMethod, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use futures::future::BoxFuture;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::super::node::{Node, Tip};
use super::args::Args;
use super::dialect::{BadRequest, Dialect, Request, reply, status};
use super::error::{METHOD_NOT_FOUND, PARSE_ERROR, RpcError};
use super::gate::{Gate, Gated};
use super::json::{Json, obj};
use super::methods::{Method, Run, Until, Wait, find};
use super::{Answer, Call, Shown};

/// What the server serves.
pub struct Endpoint<L: Shown> {
    /// The node.
    pub node: Arc<Mutex<Node<L>>>,
    /// Basic authentication, `user:password` in base64.
    pub credentials: String,
    /// The release that is imitated.
    pub release: L::Release,
    /// Seed of new wallets.
    pub seed: [u8; 32],
    /// Calls so far, by method.
    pub calls: Mutex<BTreeMap<String, u64>>,
    /// How to answer.
    pub gate: watch::Sender<Gate>,
    /// Methods whose calls wait until they are no longer named here.
    pub stuck: watch::Sender<Vec<&'static str>>,
    /// Set by the method `stop`.
    pub stopped: watch::Sender<bool>,
}

/// Largest request, in bytes, as of the real daemon.
const MAX_BODY: usize = 32 * 1024 * 1024;

/// Serves on a listener while the gate is open or hanging; while it is away nothing listens and connections break. Then it
/// serves on the same port again. Ends when `stopped` is set.
pub fn serve<L: Shown>(endpoint: Arc<Endpoint<L>>, listener: TcpListener) -> JoinHandle<()> {
    tokio::spawn(async move {
        let Ok(address) = listener.local_addr() else {
            return;
        };
        let mut gate = endpoint.gate.subscribe();
        let mut stopped = endpoint.stopped.subscribe();
        let mut listener = listener;
        loop {
            let server = axum::serve(Gated::new(listener, gate.clone()), router(endpoint.clone()));
            tokio::select! {
                _ = server.into_future() => return,
                _ = gate.wait_for(|gate| *gate == Gate::Away) => {}
                _ = stopped.wait_for(|stopped| *stopped) => return,
            }
            tokio::select! {
                opened = gate.wait_for(|gate| *gate != Gate::Away) => if opened.is_err() { return },
                _ = stopped.wait_for(|stopped| *stopped) => return,
            }
            listener = match TcpListener::bind(address).await {
                Ok(listener) => listener,
                Err(error) => {
                    tracing::error!(%address, %error, "the port was taken while the daemon was away");
                    return;
                }
            };
        }
    })
}

fn router<L: Shown>(endpoint: Arc<Endpoint<L>>) -> Router {
    Router::new()
        .fallback(handle::<L>)
        .layer(axum::extract::DefaultBodyLimit::max(MAX_BODY))
        .with_state(endpoint)
}

async fn handle<L: Shown>(
    State(endpoint): State<Arc<Endpoint<L>>>,
    method: HttpMethod,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut gate = endpoint.gate.subscribe();
    if *gate.borrow_and_update() != Gate::Open {
        // No answer while it hangs; when the daemon goes away the connection breaks.
        drop(gate.wait_for(|gate| *gate == Gate::Open).await);
    }
    let wallet = match uri.path() {
        "/" => None,
        path => match path.strip_prefix("/wallet/") {
            Some(name) => Some(percent_decode(name)),
            None => return StatusCode::NOT_FOUND.into_response(),
        },
    };
    if method != HttpMethod::POST {
        return (
            StatusCode::METHOD_NOT_ALLOWED,
            "JSONRPC server handles only POST requests",
        )
            .into_response();
    }
    let given = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Basic "));
    if given.map(str::trim) != Some(endpoint.credentials.as_str()) {
        return (
            StatusCode::UNAUTHORIZED,
            [(WWW_AUTHENTICATE, "Basic realm=\"jsonrpc\"")],
        )
            .into_response();
    }
    let response = respond(&endpoint, wallet, &body).await;
    // A long poll that ends while the daemon hangs is not answered either.
    drop(gate.wait_for(|gate| *gate == Gate::Open).await);
    response
}

fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex_pair = tail
            .get(..2)
            .filter(|_| *first == b'%')
            .and_then(|pair| hex::decode(pair).ok());
        match hex_pair.as_deref() {
            Some([byte]) => {
                bytes.push(*byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn respond<L: Shown>(endpoint: &Arc<Endpoint<L>>, wallet: Option<String>, body: &[u8]) -> Response {
    let value: Value = match serde_json::from_slice(body) {
        Ok(value) => value,
        Err(_) => {
            return single(Dialect::Legacy, None, &Err(RpcError::new(PARSE_ERROR, "Parse error")));
        }
    };
    match &value {
        Value::Array(requests) => batch(endpoint, wallet, requests).await,
        Value::Object(_) => match Request::parse(&value, L::is_modern(endpoint.release)) {
            Ok(request) => {
                let outcome = execute(endpoint, wallet, &request).await;
                if request.is_notification() {
                    return StatusCode::NO_CONTENT.into_response();
                }
                single(request.dialect, request.id.as_ref(), &outcome)
            }
            Err(BadRequest { dialect, id, error }) => single(dialect, id.as_ref(), &Err(error)),
        },
        _ => single(
            Dialect::Legacy,
            None,
            &Err(RpcError::new(PARSE_ERROR, "Top-level object parse error")),
        ),
    }
}

fn single(dialect: Dialect, id: Option<&Value>, outcome: &Answer) -> Response {
    // A legacy answer always has an id, if only null.
    let id = if dialect == Dialect::Legacy {
        Some(id.unwrap_or(&Value::Null))
    } else {
        id
    };
    let status = StatusCode::from_u16(status(dialect, outcome)).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    json_response(status, &reply(dialect, id, outcome))
}

fn json_response(status: StatusCode, body: &Json) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], format!("{body}\n")).into_response()
}

/// Executes a batch in order. Its errors are never HTTP errors.
async fn batch<L: Shown>(endpoint: &Arc<Endpoint<L>>, wallet: Option<String>, requests: &[Value]) -> Response {
    let mut replies = Vec::new();
    for value in requests {
        match Request::parse(value, L::is_modern(endpoint.release)) {
            Ok(request) => {
                let outcome = execute(endpoint, wallet.clone(), &request).await;
                if !request.is_notification() {
                    replies.push(reply(request.dialect, request.id.as_ref(), &outcome));
                }
            }
            Err(bad) => replies.push(reply(bad.dialect, bad.id.as_ref(), &Err(bad.error))),
        }
    }
    if replies.is_empty() && !requests.is_empty() {
        return StatusCode::NO_CONTENT.into_response();
    }
    json_response(StatusCode::OK, &Json::Arr(replies))
}

fn execute<'a, L: Shown>(
    endpoint: &'a Arc<Endpoint<L>>,
    wallet: Option<String>,
    request: &'a Request,
) -> BoxFuture<'a, Answer> {
    Box::pin(async move {
        let Some(method) = find::<L>(&request.method, endpoint.release) else {
            return Err(RpcError::new(METHOD_NOT_FOUND, "Method not found"));
        };
        *lock(&endpoint.calls).entry(method.name.to_owned()).or_default() += 1;
        let mut stuck = endpoint.stuck.subscribe();
        drop(stuck.wait_for(|stuck| !stuck.contains(&method.name)).await);
        let args = Args::bind(method.name, method.params, request.params.clone())?;
        match &method.run {
            Run::Stop => {
                endpoint.stopped.send_replace(true);
                Ok(format!("{} stopping", L::DAEMON).into())
            }
            Run::Now(_) => run_now(endpoint.clone(), method, wallet, args).await,
            Run::Wait(start) => {
                let (wait, tips) = with_call(endpoint, wallet.as_deref(), args, |call| {
                    start(call).map(|wait| (wait, call.node.watch_tip()))
                })?;
                Ok(wait_for_tip(wait, tips).await)
            }
        }
    })
}

/// Runs on a thread for blocking work: proofs take milliseconds.
async fn run_now<L: Shown>(
    endpoint: Arc<Endpoint<L>>,
    method: &'static Method<L>,
    wallet: Option<String>,
    args: Args,
) -> Answer {
    let work = move || {
        with_call(&endpoint, wallet.as_deref(), args, |call| match &method.run {
            Run::Now(run) => run(call),
            Run::Wait(_) | Run::Stop => Err(RpcError::new(METHOD_NOT_FOUND, "Method not found")),
        })
    };
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(RpcError::new(
            super::error::MISC_ERROR,
            format!("internal error: {error}"),
        ))
    })
}

fn with_call<T, L: Shown>(
    endpoint: &Endpoint<L>,
    wallet: Option<&str>,
    args: Args,
    run: impl FnOnce(&mut Call<'_, L>) -> T,
) -> T {
    let mut node = lock(&endpoint.node);
    run(&mut Call {
        node: &mut node,
        args,
        wallet_path: wallet,
        release: endpoint.release,
        seed: &endpoint.seed,
    })
}

/// A panic while the lock was held is a bug that its own call reports; the next call goes on.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn wait_for_tip<L: Shown>(wait: Wait<L>, mut tips: watch::Receiver<Tip<L>>) -> Json {
    let content = |tip: &Tip<L>| match wait.until {
        Until::Height(height) => tip.height >= height,
        Until::NotTip(hash) => tip.hash != hash,
        Until::Tip(hash) => tip.hash == hash,
    };
    let found = tips.wait_for(content);
    match wait.timeout {
        // Whether in time or not, the answer is the tip.
        Some(timeout) => drop(tokio::time::timeout(timeout, found).await),
        None => drop(found.await),
    }
    let tip = *tips.borrow();
    obj! { "hash" => Json::text(tip.hash), "height" => tip.height }
}

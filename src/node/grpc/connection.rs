//! One HTTP/2 connection to a node, made when it is first needed and again after it broke.
//!
//! Certificates and credentials are read anew for each connection: they may change while swaps wait.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tonic::transport::{ClientTlsConfig, Endpoint};
use tonic::{Response, Status};
use zeroize::Zeroizing;

use super::error::{CallError, CallErrorKind};
use super::tls::Pinned;

/// How long a call may take that only looks something up or writes a record.
pub(in crate::node) const CALL_LIMIT: Duration = Duration::from_secs(30);
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// While calls are open, so that a dead peer is noticed; lnd forbids more than one ping in 5 s (`client-ping-min-wait`).
const PING_EVERY: Duration = Duration::from_secs(20);
const PING_LIMIT: Duration = Duration::from_secs(20);

/// What is particular to a daemon.
pub(in crate::node) trait Dialect: Send + Sync {
    /// The daemon's services, ready to be called.
    type Api: Clone + Send + Sync;
    /// The daemon's name, as errors begin with it.
    const DAEMON: &'static str;

    /// Where it is, for people.
    fn address(&self) -> &str;

    /// Makes the services over a new connection; the text says why it cannot be made.
    fn connect(&self) -> impl Future<Output = Result<Self::Api, String>> + Send;

    /// What a status means that the daemon sent, with a word for the operator; None if it is no status of its own.
    fn judge(status: &Status) -> Option<(CallErrorKind, Option<&'static str>)>;

    /// The words for people in what the daemon said.
    fn words(said: &str) -> String {
        said.to_owned()
    }
}

/// The way to a daemon.
pub(in crate::node) struct Connection<D: Dialect> {
    dialect: D,
    current: Mutex<Option<Arc<D::Api>>>,
}

impl<D: Dialect> fmt::Debug for Connection<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Connection").field(&self.dialect.address()).finish()
    }
}

impl<D: Dialect> Connection<D> {
    /// Connects when first called.
    pub(in crate::node) fn new(dialect: D) -> Self {
        Self {
            dialect,
            current: Mutex::new(None),
        }
    }

    /// Makes one call and waits at most `limit` for its answer, or for a stream's first sign of life. After a call
    /// that got no answer the next one begins with a new connection.
    pub(in crate::node) async fn call<T, F>(
        &self,
        method: &'static str,
        limit: Duration,
        call: impl FnOnce(D::Api) -> F,
    ) -> Result<T, CallError>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let api = self.api(method).await?;
        match self.make(&api, method, limit, call).await? {
            Some(answer) => Ok(answer),
            None => {
                self.forget(&api);
                let late = format_args!("no answer within {limit:?}");
                Err(CallError::no_answer::<D>(method, late))
            }
        }
    }

    /// Makes a call that waits for something to happen; None if it has not within `limit`, which is no fault of the
    /// connection.
    pub(in crate::node) async fn wait<T, F>(
        &self,
        method: &'static str,
        limit: Duration,
        call: impl FnOnce(D::Api) -> F,
    ) -> Result<Option<T>, CallError>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let api = self.api(method).await?;
        self.make(&api, method, limit, call).await
    }

    async fn make<T, F>(
        &self,
        api: &Arc<D::Api>,
        method: &'static str,
        limit: Duration,
        call: impl FnOnce(D::Api) -> F,
    ) -> Result<Option<T>, CallError>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        match tokio::time::timeout(limit, call(D::Api::clone(api))).await {
            Ok(Ok(response)) => Ok(Some(response.into_inner())),
            Ok(Err(status)) => {
                let error = CallError::from_status::<D>(method, &status);
                if error.kind == CallErrorKind::NoAnswer {
                    self.forget(api);
                }
                Err(error)
            }
            Err(_elapsed) => Ok(None),
        }
    }

    /// The services, over the present connection or a new one.
    pub(in crate::node) async fn api(&self, method: &'static str) -> Result<Arc<D::Api>, CallError> {
        if let Some(api) = self.lock().as_ref() {
            return Ok(api.clone());
        }
        let connected = self.dialect.connect().await;
        let api = Arc::new(connected.map_err(|why| CallError::no_answer::<D>(method, why))?);
        Ok(self.lock().get_or_insert(api).clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Arc<D::Api>>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the next call make a new connection, unless another call has already made one.
    fn forget(&self, broken: &Arc<D::Api>) {
        let mut current = self.lock();
        if current.as_ref().is_some_and(|api| Arc::ptr_eq(api, broken)) {
            *current = None;
        }
    }
}

/// A connection that trusts `pinned` and will be made by the first call; the text says what is wrong with the address
/// or with our own certificate.
pub(in crate::node) fn endpoint(address: &str, tls: ClientTlsConfig, pinned: Pinned) -> Result<Endpoint, String> {
    let bad_address = |e: tonic::transport::Error| {
        let cause = e.source().map_or_else(|| e.to_string(), ToString::to_string);
        format!("the way to `{address}`: {cause}")
    };
    Ok(Endpoint::from_shared(format!("https://{address}"))
        .map_err(bad_address)?
        .tls_config_with_verifier(tls, Arc::new(pinned))
        .map_err(bad_address)?
        .connect_timeout(CONNECT_LIMIT)
        .http2_keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_LIMIT))
}

/// A file's content; `what` it is, for the text of the error.
pub(in crate::node) async fn read_file(path: &Path, what: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    let content = tokio::fs::read(path).await;
    content
        .map(Zeroizing::new)
        .map_err(|e| format!("cannot read {what} {}: {e}", path.display()))
}

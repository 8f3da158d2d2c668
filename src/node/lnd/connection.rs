//! One HTTP/2 connection to lnd, made when it is first needed and again after it broke.
//!
//! Certificate and macaroon are read anew for each connection: both may change while swaps wait. The macaroon is
//! marked sensitive and never printed.

use std::fmt;
use std::future::Future;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tonic::metadata::AsciiMetadataValue;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Response, Status};
use zeroize::Zeroizing;

use super::LndConfig;
use super::api::invoicesrpc::invoices_client::InvoicesClient;
use super::api::lnrpc::lightning_client::LightningClient;
use super::api::routerrpc::router_client::RouterClient;
use super::error::{CallError, CallErrorKind};
use super::tls::Pinned;

/// How long a call may take that only looks something up or writes a record.
pub(super) const CALL_LIMIT: Duration = Duration::from_secs(30);
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// While calls are open, so that a dead peer is noticed; lnd forbids more than one ping in 5 s (`client-ping-min-wait`).
const PING_EVERY: Duration = Duration::from_secs(20);
const PING_LIMIT: Duration = Duration::from_secs(20);
/// A channel of lnd with its pending HTLCs takes about a kilobyte in an answer; tonic's own limit is 4 MiB.
const ANSWER_LIMIT: usize = 32 << 20;

pub(super) type Transport = InterceptedService<Channel, AddMacaroon>;

/// lnd's services, ready to be called.
#[derive(Clone)]
pub(super) struct Api {
    /// lnrpc.Lightning.
    pub(super) lightning: LightningClient<Transport>,
    /// invoicesrpc.Invoices.
    pub(super) invoices: InvoicesClient<Transport>,
    /// routerrpc.Router.
    pub(super) router: RouterClient<Transport>,
}

/// Adds the macaroon to a call.
#[derive(Clone)]
pub(super) struct AddMacaroon(AsciiMetadataValue);

impl Interceptor for AddMacaroon {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("macaroon", self.0.clone());
        Ok(request)
    }
}

/// The way to lnd.
pub(super) struct Connection {
    config: LndConfig,
    current: Mutex<Option<Arc<Api>>>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Connection").field(&self.config.address).finish()
    }
}

impl Connection {
    /// Connects when first called.
    pub(super) fn new(config: LndConfig) -> Self {
        Self {
            config,
            current: Mutex::new(None),
        }
    }

    /// Makes one call and waits at most `limit` for its answer, or for a stream's first sign of life. After a call
    /// that got no answer the next one begins with a new connection.
    pub(super) async fn call<T, F>(
        &self,
        method: &'static str,
        limit: Duration,
        call: impl FnOnce(Api) -> F,
    ) -> Result<T, CallError>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let api = self.api(method).await?;
        let result = match tokio::time::timeout(limit, call(Api::clone(&api))).await {
            Ok(Ok(response)) => Ok(response.into_inner()),
            Ok(Err(status)) => Err(CallError::from_status(method, &status)),
            Err(_elapsed) => Err(CallError::no_answer(method, format_args!("no answer within {limit:?}"))),
        };
        if let Err(CallError {
            kind: CallErrorKind::NoAnswer,
            ..
        }) = &result
        {
            self.forget(&api);
        }
        result
    }

    /// The services, over the present connection or a new one.
    pub(super) async fn api(&self, method: &'static str) -> Result<Arc<Api>, CallError> {
        if let Some(api) = self.lock().as_ref() {
            return Ok(api.clone());
        }
        let api = Arc::new(self.connect().await.map_err(|why| CallError::no_answer(method, why))?);
        Ok(self.lock().get_or_insert(api).clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Arc<Api>>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the next call make a new connection, unless another call has already made one.
    fn forget(&self, broken: &Arc<Api>) {
        let mut current = self.lock();
        if current.as_ref().is_some_and(|api| Arc::ptr_eq(api, broken)) {
            *current = None;
        }
    }

    async fn connect(&self) -> Result<Api, String> {
        let LndConfig {
            address,
            tls_cert,
            macaroon,
        } = &self.config;
        let pem = read(tls_cert, "the certificate").await?;
        let pinned = Pinned::from_pem(&pem).map_err(|e| format!("the certificate {}: {e}", tls_cert.display()))?;
        let macaroon = read(macaroon, "the macaroon").await?;
        let text = Zeroizing::new(hex::encode(&*macaroon));
        let mut header = AsciiMetadataValue::try_from(text.as_str()).expect("hex digits are ascii");
        header.set_sensitive(true);
        let bad_address = |e: tonic::transport::Error| format!("the address `{address}`: {e}");
        let channel = Endpoint::from_shared(format!("https://{address}"))
            .map_err(bad_address)?
            .tls_config_with_verifier(ClientTlsConfig::new(), Arc::new(pinned))
            .map_err(bad_address)?
            .connect_timeout(CONNECT_LIMIT)
            .http2_keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_LIMIT)
            .connect_lazy();
        Ok(Api::over(&InterceptedService::new(channel, AddMacaroon(header))))
    }
}

impl Api {
    fn over(transport: &Transport) -> Self {
        Self {
            lightning: LightningClient::new(transport.clone()).max_decoding_message_size(ANSWER_LIMIT),
            invoices: InvoicesClient::new(transport.clone()),
            router: RouterClient::new(transport.clone()),
        }
    }
}

async fn read(path: &Path, what: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    let content = tokio::fs::read(path).await;
    content
        .map(Zeroizing::new)
        .map_err(|e| format!("cannot read {what} {}: {e}", path.display()))
}

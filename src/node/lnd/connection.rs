//! lnd's services over one connection: its certificate pinned, the macaroon with every call.
//!
//! The macaroon is marked sensitive and never printed.

use tonic::metadata::AsciiMetadataValue;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, ClientTlsConfig};
use tonic::{Request, Status};
use zeroize::Zeroizing;

use super::api::invoicesrpc::invoices_client::InvoicesClient;
use super::api::lnrpc::lightning_client::LightningClient;
use super::api::routerrpc::router_client::RouterClient;
use super::permissions::{self, Needed};
use super::{LndConfig, error};
use crate::node::grpc::{self, CallErrorKind, Dialect, Pinned, endpoint, read_file};

/// A channel of lnd with its pending HTLCs takes about a kilobyte in an answer; tonic's own limit is 4 MiB.
pub(super) const ANSWER_LIMIT: usize = 32 << 20;

/// The way to lnd.
pub(super) type Connection = grpc::Connection<LndConfig>;

pub(in crate::node) type Transport = InterceptedService<Channel, AddMacaroon>;

/// lnd's services, ready to be called.
#[derive(Clone)]
pub(in crate::node) struct Api {
    /// lnrpc.Lightning.
    pub(super) lightning: LightningClient<Transport>,
    /// invoicesrpc.Invoices.
    pub(super) invoices: InvoicesClient<Transport>,
    /// routerrpc.Router.
    pub(super) router: RouterClient<Transport>,
}

/// Adds the macaroon to a call.
#[derive(Clone)]
pub(in crate::node) struct AddMacaroon(AsciiMetadataValue);

impl Interceptor for AddMacaroon {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("macaroon", self.0.clone());
        Ok(request)
    }
}

impl Dialect for LndConfig {
    type Api = Api;
    const DAEMON: &'static str = "lnd";

    fn address(&self) -> &str {
        &self.address
    }

    async fn connect(&self) -> Result<Api, String> {
        Ok(Api::over(&transport(self, permissions::NODE).await?))
    }

    fn judge(status: &Status) -> Option<(CallErrorKind, Option<&'static str>)> {
        error::judge(status)
    }
}

/// A connection that carries the macaroon, which must allow these calls; the text says why there is none.
pub(super) async fn transport(config: &LndConfig, needed: &[Needed]) -> Result<Transport, String> {
    let LndConfig {
        address,
        tls_cert,
        macaroon,
    } = config;
    let pem = read_file(tls_cert, "the certificate").await?;
    let pinned = Pinned::from_pem(&pem).map_err(|e| format!("the certificate {}: {e}", tls_cert.display()))?;
    let shown = macaroon.display();
    let macaroon = read_file(macaroon, "the macaroon").await?;
    permissions::check(&macaroon, needed).map_err(|e| format!("the macaroon {shown} {e}"))?;
    let text = Zeroizing::new(hex::encode(&*macaroon));
    let mut header = AsciiMetadataValue::try_from(text.as_str()).expect("hex digits are ascii");
    header.set_sensitive(true);
    let channel = endpoint(address, ClientTlsConfig::new(), pinned)?.connect_lazy();
    Ok(InterceptedService::new(channel, AddMacaroon(header)))
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

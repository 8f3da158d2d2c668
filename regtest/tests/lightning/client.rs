//! A caller of one node: pins its certificate, shows its macaroon.

use std::path::Path;

use sluice_regtest::lightning::proto::invoicesrpc::invoices_client::InvoicesClient;
use sluice_regtest::lightning::proto::lnrpc::lightning_client::LightningClient;
use sluice_regtest::lightning::proto::lnrpc::state_client::StateClient;
use sluice_regtest::lightning::proto::routerrpc::router_client::RouterClient;
use tonic::metadata::AsciiMetadataValue;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status};

use crate::pinned;

/// Adds the macaroon to every call.
#[derive(Clone)]
pub struct Token(Option<AsciiMetadataValue>);

impl tonic::service::Interceptor for Token {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request.metadata_mut().insert("macaroon", token.clone());
        }
        Ok(request)
    }
}

type Guarded = InterceptedService<Channel, Token>;

/// The services of one node.
#[derive(Clone)]
pub struct Client {
    channel: Channel,
    /// What it shows, hex.
    pub macaroon: Option<String>,
    pub lightning: LightningClient<Guarded>,
    pub router: RouterClient<Guarded>,
    pub invoices: InvoicesClient<Guarded>,
    pub state: StateClient<Channel>,
}

impl Client {
    /// Connects with the files in a node's folder.
    pub async fn connect(address: &str, tls_cert: &Path, macaroon: &Path) -> Client {
        let macaroon = hex::encode(std::fs::read(macaroon).unwrap());
        Client::over(pinned::open(address, tls_cert).await, Some(&macaroon))
    }

    fn over(channel: Channel, macaroon: Option<&str>) -> Client {
        let token = Token(macaroon.map(|token| token.parse().unwrap()));
        Client {
            lightning: LightningClient::with_interceptor(channel.clone(), token.clone()),
            router: RouterClient::with_interceptor(channel.clone(), token.clone()),
            invoices: InvoicesClient::with_interceptor(channel.clone(), token),
            state: StateClient::new(channel.clone()),
            macaroon: macaroon.map(str::to_owned),
            channel,
        }
    }

    /// The same node, shown something else.
    pub fn with_macaroon(&self, macaroon: Option<&str>) -> Client {
        Client::over(self.channel.clone(), macaroon)
    }
}

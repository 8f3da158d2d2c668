//! A caller of one node: pins its certificate, shows its macaroon.

use std::path::Path;
use std::sync::Arc;

use rustls::DigitallySignedStruct;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use sluice_regtest::lightning::proto::invoicesrpc::invoices_client::InvoicesClient;
use sluice_regtest::lightning::proto::lnrpc::lightning_client::LightningClient;
use sluice_regtest::lightning::proto::lnrpc::state_client::StateClient;
use sluice_regtest::lightning::proto::routerrpc::router_client::RouterClient;
use tonic::metadata::AsciiMetadataValue;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Status};

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
        Client::over(open(address, tls_cert).await, Some(&macaroon))
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

async fn open(address: &str, tls_cert: &Path) -> Channel {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Pinned {
        expected: CertificateDer::from_pem_file(tls_cert).unwrap(),
        provider,
    };
    Endpoint::from_shared(format!("https://{address}"))
        .unwrap()
        .tls_config_with_verifier(ClientTlsConfig::new(), Arc::new(verifier))
        .unwrap()
        .connect()
        .await
        .unwrap()
}

/// Takes the one certificate of the node's file: LND's is a CA, which WebPKI refuses as a server's.
#[derive(Debug)]
struct Pinned {
    expected: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if *end_entity == self.expected {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(rustls::Error::General("another certificate".into()))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

//! lightningd's service over one connection. Both sides show a certificate of the node's own authority.

use tonic::Status;
use tonic::transport::{Channel, ClientTlsConfig, Identity};

use super::ClnConfig;
use super::api::node_client::NodeClient;
use super::fault;
use crate::node::grpc::{self, CallErrorKind, Dialect, Pinned, endpoint, read_file};

/// A channel takes about two kilobytes in an answer, and what an operator paid may be long; tonic's own limit is 4 MiB.
const ANSWER_LIMIT: usize = 32 << 20;

/// The name that cln-grpc writes into its certificates, beside `localhost` (plugins/grpc-plugin/src/tls.rs, v25.12.1);
/// an address is in none of them.
const SERVER_NAME: &str = "cln";

/// The way to lightningd.
pub(super) type Connection = grpc::Connection<ClnConfig>;

impl Dialect for ClnConfig {
    type Api = NodeClient<Channel>;
    const DAEMON: &'static str = "cln";

    fn address(&self) -> &str {
        &self.address
    }

    async fn connect(&self) -> Result<Self::Api, String> {
        let ca = read_file(&self.ca_cert, "the authority's certificate").await?;
        let pinned = Pinned::from_pem(&ca).map_err(|e| format!("the certificate {}: {e}", self.ca_cert.display()))?;
        let certificate = read_file(&self.client_cert, "the client's certificate").await?;
        let shown = self.client_cert.display();
        pinned
            .check_client(&certificate)
            .map_err(|e| format!("the client's certificate {shown}: {e}"))?;
        let key = read_file(&self.client_key, "the client's key").await?;
        let tls = ClientTlsConfig::new()
            .domain_name(SERVER_NAME)
            .identity(Identity::from_pem(&*certificate, &*key));
        let channel = endpoint(&self.address, tls, pinned)?.connect_lazy();
        Ok(NodeClient::new(channel).max_decoding_message_size(ANSWER_LIMIT))
    }

    fn judge(status: &Status) -> Option<(CallErrorKind, Option<&'static str>)> {
        fault::judge(status)
    }

    fn words(said: &str) -> String {
        fault::words(said)
    }
}

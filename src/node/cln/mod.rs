//! Core Lightning, over the gRPC of its plugin `cln-grpc`.
//!
//! ```text
//!   LightningNode ─┬─ channels   what can be sent and received, as lightningd counts it
//!                  ├─ invoices   ┐
//!                  ├─ payments   ├─ connection ── mutual TLS ── cln-grpc ── lightningd
//!   PeerMessenger ─┴─ messages   ┤       └─ fault: lightningd's error codes
//!   Wallet ─ funds ── wallet     ┘
//! ```
//!
//! Knows lightningd's calls, states and error codes (v25.12.1). Must not know swaps. The rule throughout: no answer is
//! never an answer. Only lightningd's own record says that a payment failed or does not exist, and only once lightningd
//! has read all that was sent to it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;

use crate::node::doubts::{Doubts, READ_WITHIN};
use crate::node::grpc::CALL_LIMIT;
use crate::ports::{
    Aliases, Channel, InvoiceSpec, LightningNode, NodeInfo, PaymentSpec, PeerEvent, PeerMessenger, PortError,
};
use crate::swap::event::{InvoiceStatus, PaymentStatus};
use crate::units::{NodeId, PaymentHash};

use connection::Connection;

pub use wallet::ClnWallet;

mod attempts;
mod channels;
mod connection;
mod fault;
mod invoices;
mod messages;
mod payments;
mod wallet;

/// lightningd's messages and client, generated from `proto/`.
#[allow(missing_docs, clippy::all, clippy::pedantic)]
mod api {
    include!(concat!(env!("OUT_DIR"), "/cln.rs"));
}

/// How lightningd is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClnConfig {
    /// Host and port of its gRPC (`grpc-port`), such as `127.0.0.1:9736`.
    pub address: String,
    /// `ca.pem` in the folder of its network: the authority that signed the server's certificate.
    pub ca_cert: PathBuf,
    /// `client.pem` beside it.
    pub client_cert: PathBuf,
    /// `client-key.pem` beside it: whoever has it may call everything.
    pub client_key: PathBuf,
}

/// A lightningd.
#[derive(Debug)]
pub struct Cln {
    // Shared with the streams that it yields.
    connection: Arc<Connection>,
    doubts: Doubts,
}

impl Cln {
    /// Says nothing to the node yet: the connection is made by the first call, and again whenever it broke.
    #[must_use]
    pub fn new(config: ClnConfig) -> Self {
        Self {
            connection: Arc::new(Connection::new(config)),
            doubts: Doubts::new(READ_WITHIN),
        }
    }

    /// Within what time of its first answer the node has surely read what was sent to it before;
    /// [`READ_WITHIN`] unless said. Until then it is not known that a payment failed or does not exist.
    #[must_use]
    pub fn reading_within(self, limit: Duration) -> Self {
        let doubts = Doubts::new(limit);
        Self { doubts, ..self }
    }

    async fn node_info(&self) -> Result<NodeInfo, PortError> {
        let info = self
            .connection
            .call("Getinfo", CALL_LIMIT, async |mut api| {
                api.getinfo(api::GetinfoRequest {}).await
            })
            .await?;
        Ok(NodeInfo {
            id: read_node_id("Getinfo", &info.id)?,
            alias: info.alias.unwrap_or_default(),
            network: network_name(&info.network)?.to_string(),
            version: format!("cln {}", info.version.trim_start_matches('v')),
            synced: info.warning_bitcoind_sync.is_none() && info.warning_lightningd_sync.is_none(),
            block_height: info.blockheight,
        })
    }
}

/// The protocol's name of a network that lightningd names.
fn network_name(cln: &str) -> Result<&'static str, PortError> {
    match cln {
        "bitcoin" => Ok("mainnet"),
        "testnet" => Ok("testnet3"),
        "testnet4" => Ok("testnet4"),
        "signet" => Ok("signet"),
        "regtest" => Ok("regtest"),
        _ => Err(PortError::Broken(format!(
            "cln Getinfo: it runs on the network `{cln}`, which Sluice does not know"
        ))),
    }
}

fn read_node_id(method: &str, bytes: &[u8]) -> Result<NodeId, PortError> {
    NodeId::from_slice(bytes)
        .map_err(|e| PortError::Broken(format!("cln {method}: the node id {}: {e}", hex::encode(bytes))))
}

#[async_trait]
impl LightningNode for Cln {
    async fn info(&self) -> Result<NodeInfo, PortError> {
        self.node_info().await
    }

    async fn channels(&self) -> Result<Vec<Channel>, PortError> {
        channels::list(&self.connection).await
    }

    async fn aliases(&self) -> Result<Aliases, PortError> {
        channels::aliases(&self.connection).await
    }

    async fn ensure_invoice(&self, spec: &InvoiceSpec) -> Result<String, PortError> {
        invoices::ensure(&self.connection, spec).await
    }

    async fn watch_invoice(&self, hash: PaymentHash) -> Result<BoxStream<'static, InvoiceStatus>, PortError> {
        invoices::watch(&self.connection, hash).await
    }

    async fn cancel_invoice(&self, hash: PaymentHash) -> Result<InvoiceStatus, PortError> {
        invoices::cancel(&self.connection, hash).await
    }

    async fn ensure_payment(&self, spec: &PaymentSpec) -> Result<PaymentStatus, PortError> {
        payments::ensure(self, spec).await
    }

    async fn payment_status(&self, hash: PaymentHash) -> Result<PaymentStatus, PortError> {
        payments::status(self, hash).await
    }

    async fn await_payment(&self, hash: PaymentHash) -> Result<PaymentStatus, PortError> {
        payments::wait(self, hash).await
    }
}

#[async_trait]
impl PeerMessenger for Cln {
    async fn send(&self, to: NodeId, kind: u16, payload: Vec<u8>) -> Result<(), PortError> {
        messages::send(&self.connection, to, kind, payload).await
    }

    async fn events(&self) -> Result<BoxStream<'static, PeerEvent>, PortError> {
        messages::events(&self.connection).await
    }

    async fn connected(&self) -> Result<Vec<NodeId>, PortError> {
        let connected = messages::connected(&self.connection).await?;
        Ok(connected.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_have_the_protocol_s_names() {
        assert_eq!(network_name("bitcoin").unwrap(), "mainnet");
        assert_eq!(network_name("testnet").unwrap(), "testnet3");
        assert!(matches!(network_name("liquid"), Err(PortError::Broken(_))));
    }
}

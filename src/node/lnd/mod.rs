//! lnd, over its gRPC.
//!
//! ```text
//!   LightningNode ─┬─ channels   what can be sent and received, as lnd counts it
//!                  ├─ invoices   ┐
//!                  ├─ payments   ├─ connection ── TLS (pinned), macaroon ── lnd
//!   PeerMessenger ─┴─ messages   ┤
//!   Wallet ─ funds ── wallet     ┘
//! ```
//!
//! Knows lnd's calls, states and error texts (v0.20.0-beta). Must not know swaps. The rule throughout: no answer is
//! never an answer. Only lnd's own record says that a payment failed or does not exist, and only once lnd has read all
//! that was sent to it.

use std::path::PathBuf;
use std::str::FromStr;
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

pub use wallet::LndWallet;

mod channels;
mod connection;
mod error;
mod invoices;
mod limits;
mod messages;
mod payments;
mod permissions;
mod wallet;

/// lnd's messages and clients, generated from `proto/`.
#[allow(missing_docs, clippy::all, clippy::pedantic)]
mod api {
    include!(concat!(env!("OUT_DIR"), "/lnd.rs"));
}

/// How lnd is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LndConfig {
    /// Host and port of its gRPC, such as `127.0.0.1:10009`.
    pub address: String,
    /// Its `tls.cert`, or the certificate of the authority that signed it.
    pub tls_cert: PathBuf,
    /// A macaroon that allows reading, invoices, payments and custom messages, and for [`LndWallet`] the wallet
    /// (docs/nodes.md), as lnd wrote it.
    pub macaroon: PathBuf,
}

/// An lnd node.
#[derive(Debug)]
pub struct Lnd {
    connection: Connection,
    doubts: Doubts,
}

impl Lnd {
    /// Says nothing to the node yet: the connection is made by the first call, and again whenever it broke.
    #[must_use]
    pub fn new(config: LndConfig) -> Self {
        Self {
            connection: Connection::new(config),
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
        let request = api::lnrpc::GetInfoRequest {};
        let info = self
            .connection
            .call("GetInfo", CALL_LIMIT, async |mut api| {
                api.lightning.get_info(request).await
            })
            .await?;
        let network = info.chains.first().map_or("", |chain| chain.network.as_str());
        Ok(NodeInfo {
            id: parse_node_id("GetInfo", &info.identity_pubkey)?,
            alias: info.alias,
            network: network_name(network)?.to_string(),
            version: format!("lnd {}", info.version.split(" commit=").next().unwrap_or_default()),
            synced: info.synced_to_chain,
            block_height: info.block_height,
        })
    }
}

/// The protocol's name of a network that lnd names.
fn network_name(lnd: &str) -> Result<&'static str, PortError> {
    ["mainnet", "testnet3", "testnet4", "signet", "regtest"]
        .into_iter()
        .find(|name| *name == if lnd == "testnet" { "testnet3" } else { lnd })
        .ok_or_else(|| {
            PortError::Broken(format!(
                "lnd GetInfo: it runs on the network `{lnd}`, which Sluice does not know"
            ))
        })
}

fn parse_node_id(method: &str, text: &str) -> Result<NodeId, PortError> {
    NodeId::from_str(text).map_err(|e| PortError::Broken(format!("lnd {method}: the node id `{text}`: {e}")))
}

#[async_trait]
impl LightningNode for Lnd {
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
impl PeerMessenger for Lnd {
    async fn send(&self, to: NodeId, kind: u16, payload: Vec<u8>) -> Result<(), PortError> {
        messages::send(&self.connection, to, kind, payload).await
    }

    async fn events(&self) -> Result<BoxStream<'static, PeerEvent>, PortError> {
        messages::events(&self.connection).await
    }

    async fn connected(&self) -> Result<Vec<NodeId>, PortError> {
        messages::connected(&self.connection).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_have_the_protocol_s_names() {
        assert_eq!(network_name("testnet").unwrap(), "testnet3");
        assert_eq!(network_name("mainnet").unwrap(), "mainnet");
        assert_eq!(network_name("testnet4").unwrap(), "testnet4");
        assert!(matches!(network_name("simnet"), Err(PortError::Broken(_))));
    }
}

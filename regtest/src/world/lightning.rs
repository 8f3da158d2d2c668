//! The Lightning nodes of a world: alice (0) and bob (1), with channels between them.

use std::path::{Path, PathBuf};

use anyhow::Result;
use bitcoin::Amount;
use sluice::units::{Msat, NodeId, Scid};

use crate::lightning::{ChannelSpec, Network, Node, Options};

/// What each channel holds.
pub const CAPACITY: Amount = Amount::from_sat(10_000_000);

/// Which Lightning a world has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// The nodes in this process.
    Embedded,
}

/// Two Lightning nodes, of whichever kind.
pub enum Lightning {
    /// The nodes in this process.
    Embedded {
        /// What joins them.
        network: Network,
        /// Alice's and bob's.
        nodes: [Node; 2],
    },
}

/// How to reach a node, which is always as LND is reached.
#[derive(Debug, Clone)]
pub struct Access {
    /// Host and port of its gRPC.
    pub address: String,
    /// Its certificate, PEM.
    pub tls_cert: PathBuf,
    /// Its admin macaroon, binary.
    pub macaroon: PathBuf,
}

/// How to call the JSON-RPC of the Bitcoin chain under real nodes.
#[derive(Debug, Clone)]
pub struct BitcoinAccess {
    /// Its address.
    pub rpc_url: String,
    /// The name for basic authentication.
    pub user: String,
    /// The password for basic authentication.
    pub password: String,
}

impl Lightning {
    pub(super) async fn start(kind: Kind, folder: &Path, channels: usize) -> Result<(Lightning, Vec<Scid>)> {
        match kind {
            Kind::Embedded => {
                let network = Network::new(Options::new(folder.join("lightning")));
                let (alice, bob) = (network.add_node("alice").await?, network.add_node("bob").await?);
                network.connect(&alice, &bob);
                let spec = ChannelSpec::new(CAPACITY, CAPACITY / 2);
                let opened = (0..channels).map(|_| network.open_channel(&alice, &bob, &spec));
                let opened = opened.collect::<Result<_, _>>()?;
                Ok((
                    Lightning::Embedded {
                        network,
                        nodes: [alice, bob],
                    },
                    opened,
                ))
            }
        }
    }

    /// What connects a `sluiced` to one of the nodes.
    pub(super) fn arguments(&self, node: usize) -> Vec<String> {
        let lnd = self.access(node);
        vec![
            format!("--set=lightning.lnd.address={}", lnd.address),
            format!("--set=lightning.lnd.tls_cert={}", lnd.tls_cert.display()),
            format!("--set=lightning.lnd.macaroon={}", lnd.macaroon.display()),
        ]
    }

    /// How to reach one of the nodes.
    #[must_use]
    pub fn access(&self, node: usize) -> Access {
        match self {
            Lightning::Embedded { nodes, .. } => Access {
                address: nodes[node].address().to_string(),
                tls_cert: nodes[node].tls_cert_path(),
                macaroon: nodes[node].macaroon_path(),
            },
        }
    }

    /// How to call the Bitcoin chain; None under embedded nodes, which need none.
    ///
    /// # Errors
    /// If a real node's cookie cannot be read.
    pub fn bitcoin(&self) -> Result<Option<BitcoinAccess>> {
        match self {
            Lightning::Embedded { .. } => Ok(None),
        }
    }

    /// The id of one of the nodes.
    #[must_use]
    pub fn id(&self, node: usize) -> NodeId {
        match self {
            Lightning::Embedded { nodes, .. } => nodes[node].id(),
        }
    }

    /// What a node has on its side of a channel.
    ///
    /// # Errors
    /// If there is no such channel.
    pub async fn local(&self, node: usize, scid: Scid) -> Result<Msat> {
        match self {
            Lightning::Embedded { nodes, .. } => Ok(nodes[node].channel(scid)?.local),
        }
    }
}

//! The Lightning nodes of a world: alice (0) and bob (1), with channels between them.

use std::path::Path;

use anyhow::Result;
use bitcoin::Amount;
use sluice::units::{Msat, NodeId, Scid};

use crate::lightning::{ChannelSpec, Network, Node, Options};

/// What each channel holds.
const CAPACITY: Amount = Amount::from_sat(10_000_000);

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
        match self {
            Lightning::Embedded { nodes, .. } => vec![
                format!("--set=lightning.lnd.address={}", nodes[node].address()),
                format!("--set=lightning.lnd.tls_cert={}", nodes[node].tls_cert_path().display()),
                format!("--set=lightning.lnd.macaroon={}", nodes[node].macaroon_path().display()),
            ],
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

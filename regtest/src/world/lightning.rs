//! The Lightning nodes of a world: alice (0) and bob (1), with channels between them.

use std::path::Path;

use anyhow::{Context, Result};
use bitcoin::Amount;
use sluice::node::lnd::LndConfig;
use sluice::units::{Msat, NodeId, Scid};

use super::lnd::RealLightning;
use crate::lightning::{ChannelSpec, Network, Node, Options};

/// What each channel holds.
pub const CAPACITY: Amount = Amount::from_sat(10_000_000);

/// Which Lightning a world has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// The nodes in this process.
    Embedded,
    /// Real lnds on a real bitcoind, from `LND_EXE` and `BITCOIND_EXE`, the PATH, or `regtest/daemons/install`.
    Lnd,
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
    /// Real nodes.
    Lnd(Box<RealLightning>),
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
            Kind::Lnd => {
                let (real, opened) = RealLightning::start(channels, CAPACITY).await?;
                Ok((Lightning::Lnd(Box::new(real)), opened))
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

    /// How to reach one of the nodes: always as LND is reached.
    #[must_use]
    pub fn access(&self, node: usize) -> LndConfig {
        match self {
            Lightning::Embedded { nodes, .. } => LndConfig {
                address: nodes[node].address().to_string(),
                tls_cert: nodes[node].tls_cert_path(),
                macaroon: nodes[node].macaroon_path(),
            },
            Lightning::Lnd(real) => real.node(node).config(),
        }
    }

    /// How to call the Bitcoin chain; None under embedded nodes, which need none.
    #[must_use]
    pub fn bitcoin(&self) -> Option<BitcoinAccess> {
        match self {
            Lightning::Embedded { .. } => None,
            Lightning::Lnd(real) => {
                let bitcoind = real.bitcoind();
                let (user, password) = bitcoind.credentials();
                Some(BitcoinAccess {
                    rpc_url: format!("http://{}", bitcoind.rpc_address()),
                    user: user.to_owned(),
                    password: password.to_owned(),
                })
            }
        }
    }

    /// The id of one of the nodes.
    #[must_use]
    pub fn id(&self, node: usize) -> NodeId {
        match self {
            Lightning::Embedded { nodes, .. } => nodes[node].id(),
            Lightning::Lnd(real) => real.id(node),
        }
    }

    /// What a node has on its side of a channel.
    ///
    /// # Errors
    /// If there is no such channel.
    pub async fn local(&self, node: usize, scid: Scid) -> Result<Msat> {
        match self {
            Lightning::Embedded { nodes, .. } => Ok(nodes[node].channel(scid)?.local),
            Lightning::Lnd(real) => real.local(node, scid).await,
        }
    }

    /// Pays from a node to the other over a channel, as if for something else than a swap.
    ///
    /// # Errors
    /// If there is no such channel, or the node cannot pay so much over it.
    pub async fn pay_out(&self, node: usize, scid: Scid, amount: Amount) -> Result<()> {
        match self {
            Lightning::Embedded { nodes, .. } => {
                let amount = Msat::from_amount(amount).with_context(|| format!("{amount} over a channel"))?;
                Ok(nodes[node].pay_out(scid, amount)?)
            }
            Lightning::Lnd(real) => real.pay_out(node, scid, amount).await,
        }
    }

    /// Takes a node away as `kill -9` does.
    pub fn kill(&mut self, node: usize) {
        match self {
            Lightning::Embedded { nodes, .. } => nodes[node].go_away(),
            Lightning::Lnd(real) => real.kill(node),
        }
    }

    /// Starts a killed node again at the same address, and waits until it serves.
    ///
    /// # Errors
    /// If it does not.
    pub async fn restart(&mut self, node: usize) -> Result<()> {
        match self {
            Lightning::Embedded { nodes, .. } => Ok(nodes[node].come_back()?),
            Lightning::Lnd(real) => real.launch(node).await,
        }
    }
}

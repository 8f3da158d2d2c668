//! The Lightning nodes of a world: alice (0) and bob (1), with channels between them.

use std::path::Path;

use anyhow::{Context, Result};
use bitcoin::Amount;
use sluice::node::lnd::LndConfig;
use sluice::units::{Msat, NodeId, Scid};

use super::access::NodeAccess;
use super::liquid::Access;
use super::real_nodes::{Program, RealLightning};
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
    /// Real lightningds (Core Lightning) on a real bitcoind, from `LIGHTNINGD_EXE` or the PATH.
    Cln,
    /// Alice's is a real lnd, bob's a real lightningd.
    LndCln,
}

impl Kind {
    /// The programs that alice's and bob's nodes are; None for those in this process.
    #[must_use]
    pub fn programs(self) -> Option<[Program; 2]> {
        match self {
            Kind::Embedded => None,
            Kind::Lnd => Some([Program::Lnd, Program::Lnd]),
            Kind::Cln => Some([Program::Lightningd, Program::Lightningd]),
            Kind::LndCln => Some([Program::Lnd, Program::Lightningd]),
        }
    }
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
    Real(Box<RealLightning>),
}

impl Lightning {
    pub(super) async fn start(kind: Kind, folder: &Path, channels: usize) -> Result<(Lightning, Vec<Scid>)> {
        let Some(programs) = kind.programs() else {
            return Lightning::start_embedded(folder, channels).await;
        };
        let (real, opened) = RealLightning::start(programs, channels, CAPACITY, &[]).await?;
        Ok((Lightning::Real(Box::new(real)), opened))
    }

    /// Real nodes with one channel on a bitcoind without wallets.
    pub(super) async fn start_without_wallet(kind: Kind) -> Result<(Lightning, Vec<Scid>)> {
        let programs = kind.programs().context("embedded nodes have no wallets")?;
        let (real, opened) = RealLightning::start(programs, 1, CAPACITY, &["-disablewallet=1"]).await?;
        Ok((Lightning::Real(Box::new(real)), opened))
    }

    async fn start_embedded(folder: &Path, channels: usize) -> Result<(Lightning, Vec<Scid>)> {
        let network = Network::new(Options::new(folder.join("lightning")));
        let (alice, bob) = (network.add_node("alice").await?, network.add_node("bob").await?);
        network.connect(&alice, &bob);
        let spec = ChannelSpec::new(CAPACITY, CAPACITY / 2);
        let opened = (0..channels).map(|_| network.open_channel(&alice, &bob, &spec));
        let opened = opened.collect::<Result<_, _>>()?;
        let nodes = [alice, bob];
        Ok((Lightning::Embedded { network, nodes }, opened))
    }

    /// How to reach one of the nodes; embedded ones as lnd is reached.
    #[must_use]
    pub fn access(&self, node: usize) -> NodeAccess {
        match self {
            Lightning::Embedded { nodes, .. } => NodeAccess::Lnd(LndConfig {
                address: nodes[node].address().to_string(),
                tls_cert: nodes[node].tls_cert_path(),
                macaroon: nodes[node].macaroon_path(),
            }),
            Lightning::Real(real) => real.node(node).access(),
        }
    }

    /// How to call the Bitcoin chain; None under embedded nodes, which need none.
    #[must_use]
    pub fn bitcoin(&self) -> Option<Access> {
        match self {
            Lightning::Embedded { .. } => None,
            Lightning::Real(real) => {
                let bitcoind = real.bitcoind();
                let (user, password) = bitcoind.credentials();
                Some(Access {
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
            Lightning::Real(real) => real.id(node),
        }
    }

    /// What a node has on its side of a channel.
    ///
    /// # Errors
    /// If there is no such channel.
    pub async fn local(&self, node: usize, scid: Scid) -> Result<Msat> {
        match self {
            Lightning::Embedded { nodes, .. } => Ok(nodes[node].channel(scid)?.local),
            Lightning::Real(real) => real.local(node, scid).await,
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
            Lightning::Real(real) => real.pay_out(node, scid, amount).await,
        }
    }

    /// Takes a node away as `kill -9` does.
    pub fn kill(&mut self, node: usize) {
        match self {
            Lightning::Embedded { nodes, .. } => nodes[node].go_away(),
            Lightning::Real(real) => real.kill(node),
        }
    }

    /// Starts a killed node again at the same address, and waits until it serves.
    ///
    /// # Errors
    /// If it does not.
    pub async fn restart(&mut self, node: usize) -> Result<()> {
        match self {
            Lightning::Embedded { nodes, .. } => Ok(nodes[node].come_back()?),
            Lightning::Real(real) => real.launch(node).await,
        }
    }
}

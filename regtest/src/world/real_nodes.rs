//! Two real Lightning nodes on a bitcoind of their own as a world's.

use std::path::Path;

use anyhow::{Context, Result};
use bitcoin::Amount;
use sluice::units::{Msat, NodeId, Scid};

use super::access::NodeAccess;
use crate::daemons::bitcoind::Bitcoind;
use crate::daemons::lightningd::Lightningd;
use crate::daemons::lnd::Lnd;
use crate::daemons::require;

/// The most that lightningd sends in one HTLC to a peer without `option_support_large_channel`, as lnd is by default:
/// less than 2^32 msat (BOLT 2 of old).
const HTLC_LIMIT_SAT: u64 = 4_294_967;

/// Which program a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// lnd.
    Lnd,
    /// Core Lightning.
    Lightningd,
}

impl Program {
    /// Its file's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Program::Lnd => "lnd",
            Program::Lightningd => "lightningd",
        }
    }
}

/// A real node.
#[derive(Debug)]
pub enum RealNode {
    /// lnd.
    Lnd(Box<Lnd>),
    /// Core Lightning.
    Cln(Box<Lightningd>),
}

/// Calls the same method of either kind.
macro_rules! of_either {
    ($node:expr, $inner:ident => $call:expr) => {
        match $node {
            RealNode::Lnd($inner) => $call,
            RealNode::Cln($inner) => $call,
        }
    };
}

impl RealNode {
    async fn start(kind: Program, program: &Path, name: &str, bitcoind: &Bitcoind) -> Result<RealNode> {
        Ok(match kind {
            Program::Lnd => RealNode::Lnd(Box::new(Lnd::start(program, name, bitcoind).await?)),
            Program::Lightningd => RealNode::Cln(Box::new(Lightningd::start(program, name, bitcoind).await?)),
        })
    }

    /// How it is reached.
    #[must_use]
    pub fn access(&self) -> NodeAccess {
        match self {
            RealNode::Lnd(lnd) => NodeAccess::Lnd(lnd.config()),
            RealNode::Cln(cln) => NodeAccess::Cln(cln.config()),
        }
    }

    async fn connect(&self, to: &RealNode) -> Result<()> {
        let (id, port) = (to.id().await?, of_either!(to, node => node.peer_port()));
        of_either!(self, node => node.connect_to(&id, port).await)
    }

    async fn id(&self) -> Result<String> {
        of_either!(self, node => node.id().await)
    }

    async fn fund(&self, bitcoind: &Bitcoind) -> Result<()> {
        of_either!(self, node => node.fund(bitcoind).await)
    }

    async fn wait_synced(&self, bitcoind: &Bitcoind) -> Result<()> {
        match self {
            RealNode::Lnd(lnd) => lnd.wait_synced().await,
            RealNode::Cln(cln) => cln.wait_synced(bitcoind).await,
        }
    }

    async fn wait_all_active(&self, count: usize) -> Result<Vec<Scid>> {
        of_either!(self, node => node.wait_all_active(count).await)
    }

    async fn open_channels(
        &self,
        bitcoind: &Bitcoind,
        to: &RealNode,
        count: usize,
        amounts: (u64, u64),
    ) -> Result<Vec<Scid>> {
        self.connect(to).await?;
        let id = to.id().await?;
        // lightningd takes one opening of a peer at a time.
        let at_once = if matches!(to, RealNode::Cln(_)) { 1 } else { count };
        for _ in 0..count / at_once.max(1) {
            of_either!(self, node => node.request_channels(&id, at_once, amounts).await)?;
        }
        // The sixth confirmation lets them announce it.
        bitcoind.mine(6).await?;
        let (scids, _) = tokio::try_join!(self.wait_all_active(count), to.wait_all_active(count))?;
        tokio::try_join!(self.wait_synced(bitcoind), to.wait_synced(bitcoind))?;
        Ok(scids)
    }
}

/// Alice's and bob's nodes, connected.
#[derive(Debug)]
pub struct RealLightning {
    nodes: [RealNode; 2],
    ids: [NodeId; 2],
    bitcoind: Bitcoind,
    channels: usize,
}

impl RealLightning {
    /// Starts the nodes, gives alice money, and opens channels from her to bob.
    ///
    /// # Errors
    /// If a program is not there, or does not start.
    pub(super) async fn start(
        kinds: [Program; 2],
        channels: usize,
        capacity: Amount,
        bitcoind: &[&str],
    ) -> Result<(RealLightning, Vec<Scid>)> {
        let programs = [require(kinds[0].name())?, require(kinds[1].name())?];
        let bitcoind = Bitcoind::start_with(&require("bitcoind")?, bitcoind).await?;
        // lnd calls itself synced only when the tip is recent.
        bitcoind.mine(1).await?;
        let start = |node: usize, name| RealNode::start(kinds[node], &programs[node], name, &bitcoind);
        let (alice, bob) = tokio::try_join!(start(0, "alice"), start(1, "bob"))?;
        alice.fund(&bitcoind).await?;
        bob.wait_synced(&bitcoind).await?;
        let amounts = (capacity.to_sat(), capacity.to_sat() / 2);
        let scids = alice.open_channels(&bitcoind, &bob, channels, amounts).await?;
        let ids = [parse(&alice).await?, parse(&bob).await?];
        let nodes = [alice, bob];
        let real = RealLightning {
            nodes,
            ids,
            bitcoind,
            channels,
        };
        Ok((real, scids))
    }

    /// One of the nodes.
    #[must_use]
    pub fn node(&self, node: usize) -> &RealNode {
        &self.nodes[node]
    }

    /// The Bitcoin chain that the nodes follow.
    #[must_use]
    pub fn bitcoind(&self) -> &Bitcoind {
        &self.bitcoind
    }

    pub(super) fn id(&self, node: usize) -> NodeId {
        self.ids[node]
    }

    pub(super) async fn local(&self, node: usize, scid: Scid) -> Result<Msat> {
        let local = of_either!(&self.nodes[node], node => node.local_sat(scid).await)?;
        let local = Amount::from_sat(local);
        Msat::from_amount(local).with_context(|| format!("{local} in a channel"))
    }

    pub(super) async fn pay_out(&self, node: usize, scid: Scid, amount: Amount) -> Result<()> {
        let (payer, payee) = (&self.nodes[node], &self.nodes[1 - node]);
        let mut left = amount.to_sat();
        while left > 0 {
            let part = left.min(HTLC_LIMIT_SAT);
            let invoice = of_either!(payee, node => node.invoice(part).await)?;
            of_either!(payer, node => node.pay_over(&invoice, scid).await)?;
            left -= part;
        }
        Ok(())
    }

    /// Waits until both nodes have read the newest block: who is behind offers an HTLC that ends too early.
    pub(super) async fn wait_synced(&self) -> Result<()> {
        let [alice, bob] = &self.nodes;
        tokio::try_join!(alice.wait_synced(&self.bitcoind), bob.wait_synced(&self.bitcoind))?;
        Ok(())
    }

    pub(super) fn kill(&mut self, node: usize) {
        of_either!(&mut self.nodes[node], node => node.kill());
    }

    pub(super) async fn launch(&mut self, node: usize) -> Result<()> {
        of_either!(&mut self.nodes[node], node => node.restart().await)?;
        // After a restart lnd counts only a recent tip as synced.
        self.bitcoind.mine(1).await?;
        self.nodes[node].wait_synced(&self.bitcoind).await?;
        self.nodes[0].connect(&self.nodes[1]).await?;
        let channels = self.channels;
        self.nodes[node].wait_all_active(channels).await.map(drop)
    }
}

async fn parse(node: &RealNode) -> Result<NodeId> {
    let id = node.id().await?;
    id.parse().with_context(|| format!("the node id {id}"))
}

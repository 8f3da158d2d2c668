//! Two real lnds on a bitcoind of their own as a world's Lightning nodes.

use anyhow::{Context, Result};
use bitcoin::Amount;
use sluice::units::{Msat, NodeId, Scid};

use crate::daemons::bitcoind::Bitcoind;
use crate::daemons::lnd::Lnd;
use crate::daemons::require;

/// Alice's and bob's nodes, connected.
#[derive(Debug)]
pub struct RealLightning {
    nodes: [Lnd; 2],
    ids: [NodeId; 2],
    bitcoind: Bitcoind,
}

impl RealLightning {
    /// Starts the nodes, gives alice money, and opens channels from her to bob.
    ///
    /// # Errors
    /// If there is no `lnd` or no `bitcoind`, or one of them does not start.
    pub(super) async fn start(channels: usize, capacity: Amount) -> Result<(RealLightning, Vec<Scid>)> {
        let (lnd, bitcoind) = (require("lnd")?, require("bitcoind")?);
        let bitcoind = Bitcoind::start(&bitcoind).await?;
        // lnd calls itself synced only when the tip is recent.
        bitcoind.mine(1).await?;
        let start = |name: &'static str| Lnd::start(&lnd, name, &bitcoind);
        let (alice, bob) = tokio::try_join!(start("alice"), start("bob"))?;
        alice.fund(&bitcoind).await?;
        let amounts = (capacity.to_sat(), capacity.to_sat() / 2);
        let scids = alice.open_channels(&bitcoind, &bob, channels, amounts).await?;
        let ids = [parse(&alice).await?, parse(&bob).await?];
        let nodes = [alice, bob];
        Ok((RealLightning { nodes, ids, bitcoind }, scids))
    }

    /// One of the nodes.
    #[must_use]
    pub fn node(&self, node: usize) -> &Lnd {
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
        let local = Amount::from_sat(self.nodes[node].local_sat(scid).await?);
        Msat::from_amount(local).with_context(|| format!("{local} in a channel"))
    }

    pub(super) async fn pay_out(&self, node: usize, scid: Scid, amount: Amount) -> Result<()> {
        let payee = &self.nodes[1 - node];
        self.nodes[node].pay_over(payee, scid, amount.to_sat()).await
    }

    pub(super) fn kill(&mut self, node: usize) {
        self.nodes[node].kill();
    }

    pub(super) async fn launch(&mut self, node: usize) -> Result<()> {
        self.nodes[node].restart().await?;
        // After a restart only a recent tip counts as synced.
        self.bitcoind.mine(1).await?;
        self.nodes[node].wait_synced().await?;
        self.nodes[0].connect(&self.nodes[1]).await
    }
}

async fn parse(lnd: &Lnd) -> Result<NodeId> {
    let id = lnd.id().await?;
    id.parse().with_context(|| format!("the node id {id}"))
}

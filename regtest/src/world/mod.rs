//! A whole regtest: a Liquid chain, Lightning nodes with channels, and a `sluiced` beside each node.
//!
//! ```text
//!   alice ── sluiced ──┬── Liquid chain ──┬── sluiced ── bob
//!     └── LND gRPC ────┴──── channels ────┴── LND gRPC ──┘
//! ```

pub mod access;
pub mod bitcoin;
pub mod bitcoind;
pub mod build;
pub mod elementsd;
pub mod lightning;
pub mod liquid;
pub mod operator;
pub mod peer;
pub mod real_nodes;
pub mod sluiced;
mod wallet;

use std::path::{Path, PathBuf};
use std::time::Duration;

use ::bitcoin::Amount;
use anyhow::{Context, Result, bail};
use sluice::api::SluiceApiClient;
use sluice::api::types::{PeerView, PolicyChange, SwapView};
use sluice::units::{Asset, Scid, SwapId};

use crate::daemons;
use lightning::Lightning;
use liquid::Liquid;
use operator::Operator;

/// How a world is made.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which Liquid.
    pub liquid: liquid::Kind,
    /// Which Lightning.
    pub lightning: lightning::Kind,
    /// Channels from alice to bob, each of ten million satoshi, half on either side.
    pub channels: usize,
    /// What each operator's wallet is given.
    pub wallet: Amount,
    /// Arguments of every `sluiced` beside those that connect it.
    pub arguments: Vec<String>,
    /// The `sluiced` to run; None: built from this workspace.
    pub binary: Option<PathBuf>,
    /// A file that the embedded Liquid chain begins with, if it exists, and is saved to.
    pub state: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            liquid: liquid::Kind::Embedded,
            lightning: lightning::Kind::Embedded,
            channels: 1,
            wallet: Amount::from_sat(50_000_000),
            arguments: Vec::new(),
            binary: None,
            state: None,
        }
    }
}

/// How long anything in a world may take to come about.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A running world. Dropped, everything in it ends.
pub struct World {
    /// The first operator, who funded the channels.
    pub alice: Operator,
    /// The second.
    pub bob: Operator,
    /// The channels between them.
    pub channels: Vec<Scid>,
    /// The nodes.
    pub lightning: Lightning,
    /// The chain.
    pub liquid: Liquid,
    folder: tempfile::TempDir,
}

impl World {
    /// Starts everything, gives both wallets money, and waits until both daemons can swap with each other.
    ///
    /// # Errors
    /// What did not start, with the last lines that it printed.
    pub async fn start(options: Options) -> Result<World> {
        let binary = match &options.binary {
            Some(binary) => binary.clone(),
            None => build::sluiced().await?,
        };
        let folder = tempfile::Builder::new().prefix("sluice-regtest-").tempdir()?;
        let liquid = Liquid::start(options.liquid, folder.path(), options.state.as_deref()).await?;
        let (lightning, channels) = Lightning::start(options.lightning, folder.path(), options.channels).await?;
        let launch = |name: &str, node: usize| {
            let mut arguments = liquid.arguments(name);
            arguments.extend(lightning.access(node).arguments());
            arguments.extend(options.arguments.iter().cloned());
            let directory = folder.path().join(name);
            let (binary, name, id) = (binary.clone(), name.to_owned(), lightning.id(node));
            async move { Operator::start(name, id, binary, directory, arguments).await }
        };
        let (alice, bob) = tokio::try_join!(launch("alice", 0), launch("bob", 1))?;
        let world = World {
            alice,
            bob,
            channels,
            lightning,
            liquid,
            folder,
        };
        world.fund(options.wallet).await?;
        world.introduce().await?;
        Ok(world)
    }

    /// The folder that everything lives in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    async fn fund(&self, amount: Amount) -> Result<()> {
        if amount == Amount::ZERO {
            return Ok(());
        }
        for operator in [&self.alice, &self.bob] {
            let client = operator.client()?;
            // A chain from a file has wallets with money.
            if client.wallet_balance(Default::default()).await?.spendable_sat < amount.to_sat() {
                let address = client.wallet_address(Default::default()).await?;
                self.liquid.fund(&address.address, amount).await?;
            }
        }
        self.liquid.mine(2).await?;
        for operator in [&self.alice, &self.bob] {
            let client = operator.client()?;
            daemons::wait_for("the wallet's money", PATIENCE, || async {
                let balance = client.wallet_balance(Default::default()).await?;
                Ok((balance.spendable_sat >= amount.to_sat()).then_some(()))
            })
            .await?;
        }
        Ok(())
    }

    /// Each allows the other, and waits until it knows that it may swap.
    async fn introduce(&self) -> Result<()> {
        for (operator, other) in [(&self.alice, &self.bob), (&self.bob, &self.alice)] {
            let change = PolicyChange {
                allow: vec![other.id],
                ..PolicyChange::default()
            };
            operator.client()?.policy_set(change).await?;
        }
        for (operator, other) in [(&self.alice, &self.bob), (&self.bob, &self.alice)] {
            operator
                .wait_for_peer(other.id, |peer| can_swap(peer, Asset::Lbtc))
                .await?;
        }
        Ok(())
    }

    /// Waits until a swap, as one side sees it, is as wanted.
    ///
    /// # Errors
    /// After [`PATIENCE`], with both sides' last lines.
    pub async fn wait_for_swap(
        &self,
        operator: &Operator,
        id: SwapId,
        what: &str,
        reached: impl Fn(&SwapView) -> bool,
    ) -> Result<SwapView> {
        let waited = operator.wait_for_swap(id, what, reached).await;
        waited.with_context(|| format!("alice's log:\n{}\nbob's log:\n{}", self.alice.tail(), self.bob.tail()))
    }

    /// The side that is not this one.
    #[must_use]
    pub fn other(&self, operator: &Operator) -> &Operator {
        if operator.name == self.alice.name {
            &self.bob
        } else {
            &self.alice
        }
    }
}

fn can_swap(peer: &PeerView, asset: Asset) -> bool {
    peer.online
        && peer
            .offers
            .iter()
            .filter(|offer| offer.asset == asset)
            .all(|offer| offer.problem.is_none())
}

/// Fails with what a check found, rather than panicking in a helper.
///
/// # Errors
/// If `found` is not `wanted`.
pub fn expect_equal<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, wanted: &T) -> Result<()> {
    if found != wanted {
        bail!("{what} is {found:?}, not {wanted:?}");
    }
    Ok(())
}

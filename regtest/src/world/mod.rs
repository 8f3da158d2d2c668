//! A whole regtest: a Liquid chain, Lightning nodes with channels, and a `sluiced` beside each node.
//!
//! ```text
//!   alice ── sluiced ──┬── Liquid chain ──┬── sluiced ── bob
//!     └── LND gRPC ────┴──── channels ────┴── LND gRPC ──┘
//! ```

pub mod access;
pub mod backends;
pub mod bitcoin;
pub mod bitcoind;
pub mod build;
pub mod chains;
pub mod coins;
pub mod elementsd;
pub mod lightning;
pub mod liquid;
pub mod operator;
pub mod pair;
pub mod party;
pub mod peer;
pub mod real_nodes;
pub mod seen;
pub mod side;
pub mod sluiced;
mod wallet;
pub mod ways;

use std::path::{Path, PathBuf};
use std::time::Duration;

use ::bitcoin::Amount;
use anyhow::{Context, Result, bail};
use sluice::api::SluiceApiClient;
use sluice::api::types::{PeerView, PolicyChange, SwapView, WalletRef};
use sluice::units::{Asset, Scid, SwapId};

use crate::bitcoin::Daemon;
use crate::daemons;
use bitcoin::Bitcoin;
use chains::Chains;
use lightning::Lightning;
use liquid::Liquid;
use operator::Operator;
use seen::{bitcoin_rpc, bitcoin_total};
use sluiced::Executable;
use ways::Ways;

/// How a world is made.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which Liquid.
    pub liquid: liquid::Kind,
    /// Which Bitcoin the daemons swap on; None: they swap on Liquid alone.
    pub bitcoin: Option<bitcoin::Kind>,
    /// Which Lightning.
    pub lightning: lightning::Kind,
    /// Channels from alice to bob, each of ten million satoshi, half on either side.
    pub channels: usize,
    /// What each operator's wallet is given.
    pub wallet: Amount,
    /// Arguments of every `sluiced` beside those that connect it.
    pub arguments: Vec<String>,
    /// The `sluiced` to run; None: built from this workspace.
    pub executable: Option<Executable>,
    /// A file that the embedded Liquid chain begins with, if it exists, and is saved to.
    pub state: Option<PathBuf>,
    /// Whether each `sluiced` reaches its backends through proxies.
    pub proxied: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            liquid: liquid::Kind::Embedded,
            bitcoin: None,
            lightning: lightning::Kind::Embedded,
            channels: 1,
            wallet: Amount::from_sat(50_000_000),
            arguments: Vec::new(),
            executable: None,
            state: None,
            proxied: false,
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
    /// The Liquid chain.
    pub liquid: Liquid,
    /// The Bitcoin chain that is swapped on, if there is one. The nodes' channels are on another.
    pub bitcoin: Option<Bitcoin>,
    /// What alice's and bob's daemons reach their backends through, if they are proxied.
    pub ways: Vec<Ways>,
    folder: tempfile::TempDir,
}

impl World {
    /// Starts everything, gives both wallets money, and waits until both daemons can swap with each other.
    ///
    /// # Errors
    /// What did not start, with the last lines that it printed.
    pub async fn start(options: Options) -> Result<World> {
        let folder = tempfile::Builder::new().prefix("sluice-regtest-").tempdir()?;
        World::start_in(folder, options).await
    }

    /// The same in a folder that holds what the daemons must find there.
    ///
    /// # Errors
    /// As there.
    pub async fn start_in(folder: tempfile::TempDir, options: Options) -> Result<World> {
        let executable = match &options.executable {
            Some(executable) => executable.clone(),
            None => build::sluiced().await?.into(),
        };
        let liquid = Liquid::start(options.liquid, folder.path(), options.state.as_deref()).await?;
        let bitcoin = match options.bitcoin {
            Some(kind) => Some(Bitcoin::start(kind, Daemon::WithWallet, None).await?),
            None => None,
        };
        let (lightning, channels) = Lightning::start(options.lightning, folder.path(), options.channels).await?;
        let mut ways = Vec::new();
        for node in [0, 1].iter().filter(|_| options.proxied) {
            ways.push(Ways::before(&liquid, bitcoin.as_ref(), &lightning.access(*node)).await?);
        }
        let launch = |name: &str, node: usize| {
            let mut arguments = liquid.arguments(name);
            arguments.extend(bitcoin.iter().flat_map(|bitcoin| bitcoin.arguments(name)));
            arguments.extend(lightning.access(node).arguments());
            if let Some(ways) = ways.get(node) {
                ways.redirect(&mut arguments);
            }
            arguments.extend(options.arguments.iter().cloned());
            let directory = folder.path().join(name);
            let (executable, name, id) = (executable.clone(), name.to_owned(), lightning.id(node));
            async move { Operator::start(name, id, executable, directory, arguments).await }
        };
        let (alice, bob) = tokio::try_join!(launch("alice", 0), launch("bob", 1))?;
        let world = World {
            alice,
            bob,
            channels,
            lightning,
            liquid,
            bitcoin,
            ways,
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
            for asset in self.assets() {
                // A chain from a file has wallets with money.
                if client.wallet_balance(WalletRef { asset }).await?.spendable_sat < amount.to_sat() {
                    let address = client.wallet_address(WalletRef { asset }).await?.address;
                    self.chains().pay(asset, &address, amount).await?;
                }
            }
        }
        for asset in self.assets() {
            self.mine(asset, 2).await?;
        }
        for operator in [&self.alice, &self.bob] {
            let client = operator.client()?;
            for asset in self.assets() {
                daemons::wait_for("the wallet's money", PATIENCE, || async {
                    let balance = client.wallet_balance(WalletRef { asset }).await?;
                    Ok((balance.spendable_sat >= amount.to_sat()).then_some(()))
                })
                .await?;
            }
        }
        Ok(())
    }

    /// The assets that are swapped in it.
    pub fn assets(&self) -> impl Iterator<Item = Asset> + use<> {
        let bitcoin = self.bitcoin.as_ref().map(|_| Asset::Btc);
        std::iter::once(Asset::Lbtc).chain(bitcoin)
    }

    /// The chains that are swapped on.
    #[must_use]
    pub fn chains(&self) -> Chains<'_> {
        Chains {
            liquid: &self.liquid,
            bitcoin: self.bitcoin.as_ref(),
        }
    }

    /// Mines blocks of an asset's chain.
    ///
    /// # Errors
    /// If its node does not, or the world has no such chain.
    pub async fn mine(&self, asset: Asset, blocks: u32) -> Result<()> {
        self.chains().mine(asset, blocks).await
    }

    /// Everything in an operator's wallet, confirmed or not, asked of the chain's node: its `sluiced` may be away.
    ///
    /// # Errors
    /// If the node does not tell, or the world has no such chain.
    pub async fn wallet_total(&self, asset: Asset, wallet: &str) -> Result<Amount> {
        match asset {
            Asset::Lbtc => self.liquid.wallet_total(wallet).await,
            Asset::Btc => bitcoin_total(&bitcoin_rpc(self.bitcoin_chain()?.access(), wallet)).await,
        }
    }

    /// The Bitcoin chain that is swapped on.
    ///
    /// # Errors
    /// If the world has none.
    pub fn bitcoin_chain(&self) -> Result<&Bitcoin> {
        self.bitcoin.as_ref().context("this world swaps on Liquid alone")
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
                .wait_for_peer(other.id, |peer| self.assets().all(|asset| can_swap(peer, asset)))
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

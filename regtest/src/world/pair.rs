//! A world of two operators with either program: for swaps of Sluice with Go PeerSwap, and for both with one procedure.
//!
//! ```text
//!   alice ── sluiced ────────────┬── Liquid chain ──┬── sluiced | peerswapd ── bob
//!     └── Lightning node ────────┴──── channels ────┴──────── Lightning node ──┘
//! ```

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bitcoin::Amount;
use sluice::api::SluiceApiClient;
use sluice::api::types::PolicyChange;
use sluice::units::{Asset, Scid, SwapId};
use tokio::time::Instant;

use super::access::NodeAccess;
use super::build;
use super::lightning::{self, Lightning};
use super::liquid::{self, Access, Liquid};
use super::operator::Operator;
use super::party::{Gopher, Party, Program, Sight};
use super::side::Side;
use crate::daemons::peerswapd::{Backends, Elements, Peerswapd};
use crate::daemons::proxy::{Proxy, Speech};
use crate::daemons::wait_for;

/// How long anything may take to come about: Go PeerSwap tries to pay for 120 s before it gives up.
pub const PATIENCE: Duration = Duration::from_secs(150);
/// How often a swap is looked at: each look at Go PeerSwap is a program of its own.
const LOOK_EVERY: Duration = Duration::from_millis(150);
/// What each wallet is given.
const WALLET: Amount = Amount::from_sat(50_000_000);

/// How a pair is made.
#[derive(Debug, Clone)]
pub struct Options {
    /// What alice and bob run.
    pub programs: [Program; 2],
    /// Which Liquid; Go PeerSwap wants a real one.
    pub liquid: liquid::Kind,
    /// Which Lightning; Go PeerSwap wants a real one.
    pub lightning: lightning::Kind,
    /// The assets that both can swap.
    pub assets: Vec<Asset>,
    /// The `sluiced` to run; None: built from this workspace.
    pub binary: Option<PathBuf>,
}

/// A running pair. Dropped, everything in it ends.
pub struct Pair {
    /// Alice and bob.
    pub parties: [Party; 2],
    /// The channel between them, half on either side.
    pub channel: Scid,
    /// The nodes.
    pub lightning: Lightning,
    /// The chain.
    pub liquid: Liquid,
    /// Stands before bitcoind where BTC is paid from the nodes' wallets.
    pub proxy: Option<Proxy>,
    assets: Vec<Asset>,
    _folder: tempfile::TempDir,
}

impl Pair {
    /// Starts everything, gives both wallets money, and waits until both can swap with each other.
    ///
    /// # Errors
    /// What is missing or did not start, with the last lines that it printed.
    pub async fn start(options: &Options) -> Result<Pair> {
        Pair::begin(options, false).await
    }

    /// The same on a bitcoind that has no wallets, so that BTC is paid from those of the nodes, and with a proxy before it.
    ///
    /// # Errors
    /// As there.
    pub async fn start_on_node_funds(options: &Options) -> Result<Pair> {
        Pair::begin(options, true).await
    }

    async fn begin(options: &Options, node_funds: bool) -> Result<Pair> {
        let binary = match &options.binary {
            Some(binary) => binary.clone(),
            None => build::sluiced().await?,
        };
        let folder = tempfile::Builder::new().prefix("sluice-pair-").tempdir()?;
        let liquid = if options.programs.contains(&Program::Peerswap) {
            ensure!(
                options.liquid == liquid::Kind::Elementsd && options.lightning != lightning::Kind::Embedded,
                "Go PeerSwap needs a real elementsd and real Lightning nodes"
            );
            Liquid::start_for_go().await?
        } else {
            Liquid::start(options.liquid, folder.path(), None).await?
        };
        let (lightning, channels) = if node_funds {
            Lightning::start_without_wallet(options.lightning).await?
        } else {
            Lightning::start(options.lightning, folder.path(), 1).await?
        };
        let mut bitcoin = lightning.bitcoin();
        let mut proxy = None;
        if let Some(access) = bitcoin.as_mut().filter(|_| node_funds) {
            let server = access.rpc_url.trim_start_matches("http://").to_owned();
            let opened = Proxy::before(server, Speech::Http).await?;
            access.rpc_url = format!("http://{}", opened.address());
            proxy = Some(opened);
        }
        let launch = |side: Side| {
            launch(
                options,
                side,
                &binary,
                folder.path(),
                (&liquid, bitcoin.as_ref()),
                &lightning,
            )
        };
        let parties = tokio::try_join!(launch(Side::Alice), launch(Side::Bob))?;
        let pair = Pair {
            parties: parties.into(),
            channel: *channels.first().context("a world without channels")?,
            lightning,
            liquid,
            proxy,
            assets: options.assets.clone(),
            _folder: folder,
        };
        for asset in &pair.assets {
            pair.endow(*asset, WALLET).await?;
        }
        pair.introduce().await?;
        pair.ready().await?;
        Ok(pair)
    }

    /// One of the operators.
    #[must_use]
    pub fn party(&self, side: Side) -> &Party {
        &self.parties[side.index()]
    }

    /// Sluice swaps with whom it is told to; Go PeerSwap was started with a policy for all.
    async fn introduce(&self) -> Result<()> {
        for side in Side::BOTH {
            if let Party::Sluice(operator) = self.party(side) {
                let change = PolicyChange {
                    allow: vec![self.party(side.other()).id()],
                    ..PolicyChange::default()
                };
                operator.client()?.policy_set(change).await?;
            }
        }
        Ok(())
    }

    /// Waits until both can swap with each other.
    ///
    /// # Errors
    /// After [`PATIENCE`], with both sides' last lines.
    pub async fn ready(&self) -> Result<()> {
        for asset in &self.assets {
            // A chain whose last block is old is taken for one that stands still.
            self.mine(*asset, 1).await?;
        }
        self.wait_for_nodes().await?;
        for side in Side::BOTH {
            let (party, peer) = (self.party(side), self.party(side.other()).id());
            for asset in &self.assets {
                let what = format!(
                    "{} to be able to swap {asset} with {}",
                    side.name(),
                    side.other().name()
                );
                wait_for(&what, PATIENCE, || async {
                    Ok(party.can_swap(peer, *asset).await?.then_some(()))
                })
                .await
                .with_context(|| self.tails())?;
            }
        }
        Ok(())
    }

    async fn wait_for_nodes(&self) -> Result<()> {
        match &self.lightning {
            Lightning::Real(real) => real.wait_synced().await,
            Lightning::Embedded { .. } => Ok(()),
        }
    }

    /// Pays from a side to the other over the channel, as if for something else than a swap.
    ///
    /// # Errors
    /// If the node cannot pay so much over it.
    pub async fn pay_out(&self, from: Side, amount: Amount) -> Result<()> {
        self.wait_for_nodes().await?;
        self.lightning.pay_out(from.index(), self.channel, amount).await
    }

    /// Waits until a side sees a swap as wanted.
    ///
    /// # Errors
    /// After [`PATIENCE`], or when the swap ended otherwise, with both sides' last lines.
    pub async fn wait(&self, side: Side, id: SwapId, what: &str, fits: impl Fn(&Sight) -> bool) -> Result<Sight> {
        let until = Instant::now() + PATIENCE;
        loop {
            let sight = self.party(side).sight(id).await;
            let last = match sight {
                Ok(Some(sight)) if fits(&sight) => return Ok(sight),
                Ok(Some(sight)) if sight.outcome.is_some() => {
                    bail!(
                        "{}'s swap was to be {what}, and has ended: {} ({:?})\n{}",
                        side.name(),
                        sight.state,
                        sight.outcome,
                        self.tails()
                    )
                }
                Ok(Some(sight)) => sight.state,
                Ok(None) => "no swap".into(),
                Err(error) => format!("{error:#}"),
            };
            if Instant::now() >= until {
                bail!(
                    "waited {PATIENCE:?} for {}'s swap to be {what}; it is: {last}\n{}",
                    side.name(),
                    self.tails()
                );
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// What both printed last.
    #[must_use]
    pub fn tails(&self) -> String {
        let tail = |side: Side| format!("{}'s log:\n{}", side.name(), self.party(side).tail());
        Side::BOTH.map(tail).join("\n")
    }
}

async fn launch(
    options: &Options,
    side: Side,
    binary: &Path,
    folder: &Path,
    (liquid, bitcoin): (&Liquid, Option<&Access>),
    lightning: &Lightning,
) -> Result<Party> {
    let (name, id) = (side.name().to_owned(), lightning.id(side.index()));
    let directory = folder.join(&name);
    match options.programs[side.index()] {
        Program::Sluice => {
            let mut arguments = liquid.arguments(&name);
            arguments.extend(lightning.access(side.index()).arguments());
            if options.assets.contains(&Asset::Btc) {
                let access = bitcoin.context("BTC needs real Lightning nodes on a bitcoind")?;
                arguments.extend(bitcoin_arguments(access, &name));
            }
            let operator = Operator::start(name, id, binary.to_owned().into(), directory, arguments).await?;
            Ok(Party::Sluice(operator))
        }
        Program::Peerswap => {
            let access = liquid.access()?;
            let port = access.rpc_url.rsplit(':').next().context("a URL without a port")?;
            let NodeAccess::Lnd(lnd) = lightning.access(side.index()) else {
                bail!("peerswapd is the form of Go PeerSwap that goes with lnd");
            };
            let backends = Backends {
                lnd,
                elements: Elements {
                    port: port.parse()?,
                    user: access.user,
                    password: access.password,
                    wallet: name.clone(),
                },
                bitcoin: options.assets.contains(&Asset::Btc),
            };
            let daemon = Peerswapd::start(&name, directory, &backends).await?;
            Ok(Party::Go(Gopher { name, id, daemon }))
        }
    }
}

/// What connects a `sluiced` to the bitcoind under the nodes, with a wallet of that name if it has wallets.
fn bitcoin_arguments(access: &Access, wallet: &str) -> [String; 4] {
    [
        format!("--set=bitcoin.rpc_url={}", access.rpc_url),
        format!("--set=bitcoin.user={}", access.user),
        format!("--set=bitcoin.password={}", access.password),
        format!("--set=bitcoin.wallet={wallet}"),
    ]
}

//! The configured chains, each with its wallet. Those whose nodes answer within a moment are there when the engine starts;
//! the others join it when they do, so that what is on one chain never waits for another.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bitcoin::Network;
use futures::future::join_all;
use tokio::time::{sleep, timeout};
use tracing::{error, info, warn};

use super::backends::{Audience, cln_access, lnd_access, waiting_for};
use super::{DaemonError, Seams};
use crate::api::service::Startup;
use crate::chain::backend::BackendConfig;
use crate::chain::bitcoind::Bitcoind;
use crate::chain::elementsd::{Elementsd, ElementsdConfig, KNOWN_SAFE};
use crate::chain::rpc::{Auth, Endpoint};
use crate::config::{self, Config, Funds, RpcAccess, RpcAuth};
use crate::engine::{Awaited, Engine, Side};
use crate::node::cln::ClnWallet;
use crate::node::funds::NodeWallet;
use crate::node::lnd::LndWallet;
use crate::ports::{Chain, ChainInfo, NodeInfo, Wallet};
use crate::units::{Asset, Timestamp};

/// How long an answer of a chain's node may take; blinding and signing are slow on small machines.
const ANSWER: Duration = Duration::from_secs(30);
/// How long an answer of a witness may take, which only says where it stands.
const WITNESS_ANSWER: Duration = Duration::from_secs(5);
/// How long a chain's node holds a call that waits for a block.
const POLL: Duration = Duration::from_secs(60);
/// How long a start waits for chains. A node that answers at all does so at once.
const MOMENT: Duration = Duration::from_secs(3);
/// Between two attempts with a node that answered and cannot be used.
const TRY_AGAIN: Duration = Duration::from_secs(15);

/// What is needed to connect to a chain.
pub(super) struct Connector<'a, S> {
    pub(super) config: &'a Config,
    /// The Lightning node, whose network every chain must fit.
    pub(super) node: NodeInfo,
    pub(super) seams: &'a S,
}

impl<S: Seams> Connector<'_, S> {
    /// The chains that answer within a moment, and those that do not.
    ///
    /// # Errors
    /// A node answered and cannot be used (the configuration is wrong, or the node's), and there is no other.
    pub(super) async fn first(
        &self,
        startup: &Startup,
    ) -> Result<(BTreeMap<Asset, Side>, BTreeMap<Asset, Awaited>), DaemonError> {
        let nodes = self.configured();
        let asked = nodes.iter().map(|node| timeout(MOMENT, self.connect(*node, startup)));
        let answers = join_all(asked).await;
        let (mut here, mut awaited, mut unusable) = (BTreeMap::new(), BTreeMap::new(), None);
        for (node, answer) in nodes.into_iter().zip(answers) {
            match answer {
                Ok(Ok(side)) => drop(here.insert(node.asset(), side)),
                Ok(Err(error)) => {
                    awaited.insert(node.asset(), node.awaited(complaint(&error)));
                    unusable = unusable.or(Some(error));
                }
                Err(_late) => {
                    warn!(
                        "{node} does not answer yet: swaps of {} wait for it, nothing else does",
                        node.asset()
                    );
                    awaited.insert(
                        node.asset(),
                        node.awaited("it was asked and has not answered yet".into()),
                    );
                }
            }
        }
        match unusable {
            // nothing is lost by the end of a daemon that could do nothing, and somebody may sit before it
            Some(error) if here.is_empty() => Err(error),
            _ => Ok((here, awaited)),
        }
    }

    /// Has each awaited chain join the engine as soon as its node answers; never ends.
    pub(super) async fn join_later(&self, engine: &Engine) {
        let nodes = self.configured().into_iter();
        let late = nodes.filter(|node| engine.side(node.asset()).is_err());
        join_all(late.map(|node| self.join(engine, node))).await;
        std::future::pending().await
    }

    async fn join(&self, engine: &Engine, node: ChainNode<'_>) {
        let asset = node.asset();
        let latecomer = Latecomer { engine, asset };
        let mut told = String::new();
        loop {
            let joined = match self.connect(node, &latecomer).await {
                Ok(side) => engine.join(asset, side).map_err(DaemonError::from),
                Err(unusable) => Err(unusable),
            };
            let Err(error) = joined else {
                return info!(%asset, "the chain is there now: its swaps go on");
            };
            // The daemon has swaps to look after on the other chain: it goes on without this one.
            if error.to_string() != told {
                error!(%asset, %error, "ALARM: the chain's node cannot be used; its swaps wait");
                told = error.to_string();
            }
            engine.still_awaits(asset, &node.to_string(), &complaint(&error));
            sleep(TRY_AGAIN).await;
        }
    }

    fn configured(&self) -> Vec<ChainNode<'_>> {
        let liquid = self.config.liquid.as_ref().map(ChainNode::Elementsd);
        let bitcoin = self.config.bitcoin.as_ref().map(ChainNode::Bitcoind);
        liquid.into_iter().chain(bitcoin).collect()
    }

    async fn connect(&self, node: ChainNode<'_>, audience: &impl Audience) -> Result<Side, DaemonError> {
        let mut side = match node {
            ChainNode::Elementsd(configured) => liquid(configured, &self.node, audience).await?,
            ChainNode::Bitcoind(configured) => {
                bitcoin(configured, &self.config.lightning, &self.node, audience).await?
            }
        };
        side.chain = self.seams.chain(side.chain);
        side.wallet = self.seams.wallet(side.wallet);
        Ok(side)
    }
}

/// A configured chain's node.
#[derive(Clone, Copy)]
enum ChainNode<'a> {
    Elementsd(&'a config::Liquid),
    Bitcoind(&'a config::Bitcoin),
}

impl ChainNode<'_> {
    fn asset(self) -> Asset {
        match self {
            ChainNode::Elementsd(_) => Asset::Lbtc,
            ChainNode::Bitcoind(_) => Asset::Btc,
        }
    }

    fn awaited(self, reason: String) -> Awaited {
        Awaited {
            backend: self.to_string(),
            reason,
            since: Timestamp::now(),
        }
    }
}

impl fmt::Display for ChainNode<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ChainNode::Elementsd(liquid) => write!(f, "elementsd at {}", liquid.node.access.url),
            ChainNode::Bitcoind(bitcoin) => write!(f, "bitcoind at {}", bitcoin.node.access.url),
        }
    }
}

/// Why a node cannot be used, without its name.
fn complaint(error: &DaemonError) -> String {
    match error {
        DaemonError::Backend { reason, .. } => reason.clone(),
        _ => error.to_string(),
    }
}

/// A chain that joins the running engine, which is told why it has not yet.
struct Latecomer<'a> {
    engine: &'a Engine,
    asset: Asset,
}

impl Audience for Latecomer<'_> {
    fn waiting_for(&self, backend: &str, reason: Option<&str>) {
        if let Some(reason) = reason {
            self.engine.still_awaits(self.asset, backend, reason);
        }
    }

    fn answered(&self, _backend: &str) {}
}

async fn liquid(liquid: &config::Liquid, node: &NodeInfo, audience: &impl Audience) -> Result<Side, DaemonError> {
    let mut safe_releases = KNOWN_SAFE.to_vec();
    for range in &liquid.safe_releases {
        safe_releases.push(range.parse()?);
    }
    let settings = ElementsdConfig {
        node: backend(&liquid.node),
        safe_releases,
    };
    let what = ChainNode::Elementsd(liquid).to_string();
    let elementsd = Arc::new(waiting_for(&what, audience, || Elementsd::connect(settings.clone())).await?);
    let info = waiting_for(&what, audience, || elementsd.info()).await?;
    // Real L-BTC against test coins, or the reverse, would be a gift.
    if (info.chain == "liquidv1") != (node.network == "mainnet") {
        return Err(DaemonError::Networks {
            node: node.network.clone(),
            daemon: "elementsd",
            chain: info.chain,
            rule: "both must be on their main network, or neither",
        });
    }
    Ok(Side::new(
        elementsd.clone(),
        elementsd,
        told(info),
        liquid.node.stalled_after,
    ))
}

async fn bitcoin(
    bitcoin: &config::Bitcoin,
    lightning: &config::Lightning,
    node: &NodeInfo,
    audience: &impl Audience,
) -> Result<Side, DaemonError> {
    let settings = backend(&bitcoin.node);
    let what = ChainNode::Bitcoind(bitcoin).to_string();
    let connect = async || match bitcoin.funds {
        Funds::Auto | Funds::Bitcoind => Bitcoind::connect(settings.clone()).await,
        Funds::Lightning => Bitcoind::connect_without_wallet(settings.clone()).await,
    };
    let bitcoind = Arc::new(waiting_for(&what, audience, connect).await?);
    let info = waiting_for(&what, audience, || bitcoind.info()).await?;
    let network = network_of(&info.chain).filter(|(_, name)| *name == node.network);
    let Some((network, _)) = network else {
        return Err(DaemonError::Networks {
            node: node.network.clone(),
            daemon: "bitcoind",
            chain: info.chain,
            rule: "both must be on the same network",
        });
    };
    if bitcoind.has_wallet() {
        return Ok(Side::new(
            bitcoind.clone(),
            bitcoind,
            told(info),
            bitcoin.node.stalled_after,
        ));
    }
    match bitcoin.funds {
        Funds::Bitcoind => return Err(DaemonError::Walletless { what }),
        Funds::Auto => info!("bitcoind has no wallets: BTC is paid from the Lightning node's own"),
        Funds::Lightning => info!("BTC is paid from the Lightning node's own wallet"),
    }
    let wallet = node_wallet(lightning, bitcoind.clone(), network);
    let whose = format!("the wallet of {}", wallet.holder());
    waiting_for(&whose, audience, || wallet.balance()).await?;
    Ok(Side::new(bitcoind, wallet, told(info), bitcoin.node.stalled_after))
}

/// The Lightning node's own wallet.
fn node_wallet(lightning: &config::Lightning, chain: Arc<dyn Chain>, network: Network) -> Arc<dyn Wallet> {
    match lightning {
        config::Lightning::Lnd(lnd) => Arc::new(NodeWallet::new(LndWallet::new(lnd_access(lnd)), chain, network)),
        config::Lightning::Cln(cln) => Arc::new(NodeWallet::new(ClnWallet::new(cln_access(cln)), chain, network)),
    }
}

fn backend(node: &config::ChainNode) -> BackendConfig {
    BackendConfig {
        endpoint: endpoint(&node.access, &node.wallet, ANSWER),
        witness: node.witness.as_ref().map(|access| endpoint(access, "", WITNESS_ANSWER)),
        fee_floor: node.fee_floor,
        fee_ceiling: node.fee_ceiling,
    }
}

fn endpoint(access: &RpcAccess, wallet: &str, timeout: Duration) -> Endpoint {
    let auth = match &access.auth {
        RpcAuth::Cookie(path) => Auth::Cookie(path.clone()),
        RpcAuth::Password { user, password } => Auth::Password {
            user: user.clone(),
            password: password.clone(),
        },
    };
    Endpoint {
        url: access.url.clone(),
        auth,
        wallet: wallet.to_owned(),
        timeout,
        poll: POLL,
    }
}

/// A Bitcoin network by bitcoind's name of it, with its name in the port `LightningNode`.
fn network_of(chain: &str) -> Option<(Network, &'static str)> {
    let network = Network::from_core_arg(chain).ok()?;
    let names = [
        (Network::Bitcoin, "mainnet"),
        (Network::Testnet, "testnet3"),
        (Network::Testnet4, "testnet4"),
        (Network::Signet, "signet"),
        (Network::Regtest, "regtest"),
    ];
    names.into_iter().find(|(known, _)| *known == network)
}

fn told(info: ChainInfo) -> ChainInfo {
    if let Some(reason) = &info.unfit {
        warn!(
            chain = info.chain,
            reason, "no new swaps on this chain; swaps under way go on"
        );
    }
    info
}

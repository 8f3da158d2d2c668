//! The configured backends, waited for: what does not answer now may be starting.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bitcoin::Network;
use tracing::{info, warn};

use super::DaemonError;
use crate::api::service::Startup;
use crate::chain::backend::BackendConfig;
use crate::chain::bitcoind::Bitcoind;
use crate::chain::elementsd::{Elementsd, ElementsdConfig, KNOWN_SAFE};
use crate::chain::rpc::{Auth, Endpoint};
use crate::config::{self, ChainNode, Config, Funds, Liquid, RpcAccess, RpcAuth};
use crate::engine::Side;
use crate::node::cln::{Cln, ClnConfig, ClnWallet};
use crate::node::funds::NodeWallet;
use crate::node::lnd::{Lnd, LndConfig, LndWallet};
use crate::ports::{Chain, ChainInfo, Clock, LightningNode, NodeInfo, PeerMessenger, PortError, Wallet};
use crate::units::{Asset, Timestamp};

/// How long an answer of a chain's node may take; blinding and signing are slow on small machines.
const ANSWER: Duration = Duration::from_secs(30);
/// How long an answer of a witness may take, which only says where it stands.
const WITNESS_ANSWER: Duration = Duration::from_secs(5);
/// How long a chain's node holds a call that waits for a block.
const POLL: Duration = Duration::from_secs(60);
/// The longest pause between two attempts to reach a backend.
const PATIENCE: Duration = Duration::from_secs(5);

/// The system's clock.
pub(super) struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    async fn sleep_until(&self, until: Timestamp) {
        // In steps: a machine that slept, or whose clock was set, must not miss the moment by as much.
        while self.now() < until {
            tokio::time::sleep(until.since(self.now()).min(Duration::from_secs(30))).await;
        }
    }
}

/// Calls until there is an answer, saying once for what it waits; a refusal ends the start.
async fn waiting_for<T, F>(what: &str, startup: &Startup, mut call: impl FnMut() -> F) -> Result<T, DaemonError>
where
    F: Future<Output = Result<T, PortError>>,
{
    let (mut pause, mut told) = (Duration::from_millis(50), String::new());
    startup.waiting_for(what, None);
    loop {
        let reason = match call().await {
            Ok(answer) => {
                startup.answered(what);
                return Ok(answer);
            }
            Err(PortError::Unreachable(reason)) => reason,
            Err(PortError::Refused(reason) | PortError::Broken(reason)) => {
                let what = what.to_owned();
                return Err(DaemonError::Backend { what, reason });
            }
        };
        if reason != told {
            warn!("waiting for {what}: {reason}");
            startup.waiting_for(what, Some(&reason));
            told = reason;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PATIENCE);
    }
}

/// The Lightning node, as the engine uses it.
pub(super) struct Lightning {
    /// Its invoices, payments and channels.
    pub(super) node: Arc<dyn LightningNode>,
    /// Its peers.
    pub(super) messenger: Arc<dyn PeerMessenger>,
    /// What it said of itself.
    pub(super) identity: NodeInfo,
}

/// The Lightning node, once it answers, and within what time after that it has read what was sent to it before.
pub(super) async fn lightning(
    config: &Config,
    reads_within: Duration,
    startup: &Startup,
) -> Result<Lightning, DaemonError> {
    match &config.lightning {
        config::Lightning::Lnd(lnd) => {
            let node = Lnd::new(lnd_access(lnd)).reading_within(reads_within);
            answering(node, &format!("lnd at {}", lnd.address), startup).await
        }
        config::Lightning::Cln(cln) => {
            let node = Cln::new(cln_access(cln)).reading_within(reads_within);
            answering(node, &format!("cln at {}", cln.address), startup).await
        }
    }
}

fn lnd_access(lnd: &config::Lnd) -> LndConfig {
    LndConfig {
        address: lnd.address.clone(),
        tls_cert: lnd.tls_cert.clone(),
        macaroon: lnd.macaroon.clone(),
    }
}

fn cln_access(cln: &config::Cln) -> ClnConfig {
    ClnConfig {
        address: cln.address.clone(),
        ca_cert: cln.ca_cert.clone(),
        client_cert: cln.client_cert.clone(),
        client_key: cln.client_key.clone(),
    }
}

async fn answering<N>(node: N, what: &str, startup: &Startup) -> Result<Lightning, DaemonError>
where
    N: LightningNode + PeerMessenger + 'static,
{
    let node = Arc::new(node);
    let identity = waiting_for(what, startup, || node.info()).await?;
    info!(id = %identity.id, alias = identity.alias, network = identity.network, version = identity.version, "the Lightning node answers");
    Ok(Lightning {
        node: node.clone(),
        messenger: node,
        identity,
    })
}

/// The configured chains with their wallets, once their nodes answer and are on the Lightning node's side of real money.
pub(super) async fn chains(
    config: &Config,
    node: &NodeInfo,
    startup: &Startup,
) -> Result<BTreeMap<Asset, Side>, DaemonError> {
    let lbtc = async {
        match &config.liquid {
            Some(configured) => liquid(configured, node, startup).await.map(Some),
            None => Ok(None),
        }
    };
    let btc = async {
        match &config.bitcoin {
            Some(configured) => bitcoin(configured, &config.lightning, node, startup).await.map(Some),
            None => Ok(None),
        }
    };
    let (lbtc, btc) = tokio::try_join!(lbtc, btc)?;
    let sides = [(Asset::Lbtc, lbtc), (Asset::Btc, btc)].into_iter();
    Ok(sides.filter_map(|(asset, side)| Some((asset, side?))).collect())
}

async fn liquid(liquid: &Liquid, node: &NodeInfo, startup: &Startup) -> Result<Side, DaemonError> {
    let mut safe_releases = KNOWN_SAFE.to_vec();
    for range in &liquid.safe_releases {
        safe_releases.push(range.parse()?);
    }
    let settings = ElementsdConfig {
        node: backend(&liquid.node),
        safe_releases,
    };
    let what = format!("elementsd at {}", liquid.node.access.url);
    let elementsd = Arc::new(waiting_for(&what, startup, || Elementsd::connect(settings.clone())).await?);
    let info = waiting_for(&what, startup, || elementsd.info()).await?;
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
    startup: &Startup,
) -> Result<Side, DaemonError> {
    let settings = backend(&bitcoin.node);
    let what = format!("bitcoind at {}", bitcoin.node.access.url);
    let connect = async || match bitcoin.funds {
        Funds::Auto | Funds::Bitcoind => Bitcoind::connect(settings.clone()).await,
        Funds::Lightning => Bitcoind::connect_without_wallet(settings.clone()).await,
    };
    let bitcoind = Arc::new(waiting_for(&what, startup, connect).await?);
    let info = waiting_for(&what, startup, || bitcoind.info()).await?;
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
    waiting_for(&whose, startup, || wallet.balance()).await?;
    Ok(Side::new(bitcoind, wallet, told(info), bitcoin.node.stalled_after))
}

/// The Lightning node's own wallet.
fn node_wallet(lightning: &config::Lightning, chain: Arc<dyn Chain>, network: Network) -> Arc<dyn Wallet> {
    match lightning {
        config::Lightning::Lnd(lnd) => Arc::new(NodeWallet::new(LndWallet::new(lnd_access(lnd)), chain, network)),
        config::Lightning::Cln(cln) => Arc::new(NodeWallet::new(ClnWallet::new(cln_access(cln)), chain, network)),
    }
}

fn backend(node: &ChainNode) -> BackendConfig {
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

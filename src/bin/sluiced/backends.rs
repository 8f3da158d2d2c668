//! The configured backends, waited for: what does not answer now may be starting.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use async_trait::async_trait;
use bitcoin::Network;
use sluice::api::service::Startup;
use sluice::chain::backend::BackendConfig;
use sluice::chain::bitcoind::Bitcoind;
use sluice::chain::elementsd::{Elementsd, ElementsdConfig, KNOWN_SAFE};
use sluice::chain::rpc::{Auth, Endpoint};
use sluice::config::{self, ChainNode, Config, Funds, Liquid, RpcAccess, RpcAuth};
use sluice::engine::Side;
use sluice::node::cln::{Cln, ClnConfig, ClnWallet};
use sluice::node::funds::NodeWallet;
use sluice::node::lnd::{Lnd, LndConfig, LndWallet};
use sluice::ports::{Chain, ChainInfo, Clock, LightningNode, NodeInfo, PeerMessenger, PortError, Wallet};
use sluice::units::{Asset, Timestamp};
use tracing::{info, warn};

/// How long an answer of a chain's node may take; blinding and signing are slow on small machines.
const ANSWER: Duration = Duration::from_secs(30);
/// How long an answer of a witness may take, which only says where it stands.
const WITNESS_ANSWER: Duration = Duration::from_secs(5);
/// How long a chain's node holds a call that waits for a block.
const POLL: Duration = Duration::from_secs(60);
/// The longest pause between two attempts to reach a backend.
const PATIENCE: Duration = Duration::from_secs(5);

/// The system's clock.
pub struct SystemClock;

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
async fn waiting_for<T, F>(what: &str, startup: &Startup, mut call: impl FnMut() -> F) -> anyhow::Result<T>
where
    F: Future<Output = Result<T, PortError>>,
{
    let (mut pause, mut told) = (Duration::from_millis(50), String::new());
    startup.waiting_for(what, "it was asked and has not answered yet");
    loop {
        let reason = match call().await {
            Ok(answer) => return Ok(answer),
            Err(PortError::Unreachable(reason)) => reason,
            Err(PortError::Refused(reason) | PortError::Broken(reason)) => bail!("{what}: {reason}"),
        };
        if reason != told {
            warn!("waiting for {what}: {reason}");
            startup.waiting_for(what, &reason);
            told = reason;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PATIENCE);
    }
}

/// The Lightning node, as the engine uses it.
pub struct Lightning {
    /// Its invoices, payments and channels.
    pub node: Arc<dyn LightningNode>,
    /// Its peers.
    pub messenger: Arc<dyn PeerMessenger>,
    /// What it said of itself.
    pub identity: NodeInfo,
}

/// The Lightning node, once it answers.
pub async fn lightning(config: &Config, startup: &Startup) -> anyhow::Result<Lightning> {
    match &config.lightning {
        config::Lightning::Lnd(lnd) => {
            let node = Lnd::new(lnd_access(lnd));
            answering(node, &format!("lnd at {}", lnd.address), startup).await
        }
        config::Lightning::Cln(cln) => {
            let node = Cln::new(cln_access(cln));
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

async fn answering<N>(node: N, what: &str, startup: &Startup) -> anyhow::Result<Lightning>
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
pub async fn chains(config: &Config, node: &NodeInfo, startup: &Startup) -> anyhow::Result<BTreeMap<Asset, Side>> {
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

async fn liquid(liquid: &Liquid, node: &NodeInfo, startup: &Startup) -> anyhow::Result<Side> {
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
        bail!(
            "the Lightning node is on {} but elementsd on {}: both must be on their main network, or neither",
            node.network,
            info.chain
        );
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
) -> anyhow::Result<Side> {
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
        bail!(
            "the Lightning node is on {} but bitcoind on {}: both must be on the same network",
            node.network,
            info.chain
        );
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
        Funds::Bitcoind => bail!(
            "{what} has no wallets (disablewallet=1, or built without), and `bitcoin.funds` wants one there: set it to \
             `lightning` for the Lightning node's own wallet"
        ),
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

//! The configured backends, waited for: what does not answer now may be starting.

use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use async_trait::async_trait;
use sluice::api::service::Startup;
use sluice::chain::elements_rpc::{Auth, Endpoint};
use sluice::chain::elementsd::{Elementsd, ElementsdConfig, KNOWN_SAFE};
use sluice::config::{self, Config, RpcAuth};
use sluice::engine::Side;
use sluice::node::cln::{Cln, ClnConfig};
use sluice::node::lnd::{Lnd, LndConfig};
use sluice::ports::{Chain, Clock, LightningNode, NodeInfo, PeerMessenger, PortError};
use sluice::units::Timestamp;
use tracing::{info, warn};

/// How long an answer of elementsd may take; blinding and signing are slow on small machines.
const ANSWER: Duration = Duration::from_secs(30);
/// How long elementsd holds a call that waits for a block.
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
            let node = Lnd::new(LndConfig {
                address: lnd.address.clone(),
                tls_cert: lnd.tls_cert.clone(),
                macaroon: lnd.macaroon.clone(),
            });
            answering(node, &format!("lnd at {}", lnd.address), startup).await
        }
        config::Lightning::Cln(cln) => {
            let node = Cln::new(ClnConfig {
                address: cln.address.clone(),
                ca_cert: cln.ca_cert.clone(),
                client_cert: cln.client_cert.clone(),
                client_key: cln.client_key.clone(),
            });
            answering(node, &format!("cln at {}", cln.address), startup).await
        }
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

/// The Liquid chain and wallet, once their node answers and is on the same side of real money as the Lightning node.
pub async fn liquid(config: &Config, node: &NodeInfo, startup: &Startup) -> anyhow::Result<Side> {
    let liquid = &config.liquid;
    let auth = match &liquid.auth {
        RpcAuth::Cookie(path) => Auth::Cookie(path.clone()),
        RpcAuth::Password { user, password } => Auth::Password {
            user: user.clone(),
            password: password.clone(),
        },
    };
    let mut safe_releases = KNOWN_SAFE.to_vec();
    for range in &liquid.safe_releases {
        safe_releases.push(range.parse()?);
    }
    let settings = ElementsdConfig {
        endpoint: Endpoint {
            url: liquid.rpc_url.clone(),
            auth,
            wallet: liquid.wallet.clone(),
            timeout: ANSWER,
            poll: POLL,
        },
        fee_floor: liquid.fee_floor,
        fee_ceiling: liquid.fee_ceiling,
        safe_releases,
    };
    let what = format!("elementsd at {}", liquid.rpc_url);
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
    if let Some(reason) = &info.unfit {
        warn!(reason, "no new L-BTC swaps; swaps under way go on");
    }
    Ok(Side::new(elementsd.clone(), elementsd, info))
}

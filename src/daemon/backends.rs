//! Backends are waited for: what does not answer now may be starting. The Lightning node comes first.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tracing::{info, warn};

use super::DaemonError;
use crate::api::service::Startup;
use crate::config::{self, Config};
use crate::node::cln::{Cln, ClnConfig};
use crate::node::lnd::{Lnd, LndConfig};
use crate::ports::{Clock, LightningNode, NodeInfo, PeerMessenger, PortError};
use crate::units::Timestamp;

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

/// Who is told what is waited for.
pub(super) trait Audience: Sync {
    /// A backend is asked, or it has said why it does not answer.
    fn waiting_for(&self, backend: &str, reason: Option<&str>);
    /// It has answered.
    fn answered(&self, backend: &str);
}

impl Audience for Startup {
    fn waiting_for(&self, backend: &str, reason: Option<&str>) {
        Startup::waiting_for(self, backend, reason);
    }

    fn answered(&self, backend: &str) {
        Startup::answered(self, backend);
    }
}

/// Calls until there is an answer, saying once for what it waits; a refusal is an error.
pub(super) async fn waiting_for<T, F>(
    what: &str,
    audience: &impl Audience,
    mut call: impl FnMut() -> F,
) -> Result<T, DaemonError>
where
    F: Future<Output = Result<T, PortError>>,
{
    let (mut pause, mut told) = (Duration::from_millis(50), String::new());
    audience.waiting_for(what, None);
    loop {
        let reason = match call().await {
            Ok(answer) => {
                audience.answered(what);
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
            audience.waiting_for(what, Some(&reason));
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

pub(super) fn lnd_access(lnd: &config::Lnd) -> LndConfig {
    LndConfig {
        address: lnd.address.clone(),
        tls_cert: lnd.tls_cert.clone(),
        macaroon: lnd.macaroon.clone(),
    }
}

pub(super) fn cln_access(cln: &config::Cln) -> ClnConfig {
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

//! One operator: a `sluiced` and the way to talk with it.

use std::path::PathBuf;

use anyhow::{Result, bail};
use jsonrpsee::http_client::HttpClient;
use sluice::api::SluiceApiClient;
use sluice::api::types::{PeerView, SwapRef, SwapView, WalletRef};
use sluice::units::{Asset, NodeId, SwapId};

use super::PATIENCE;
use super::sluiced::{Executable, Sluiced};
use crate::daemons::wait_for;

/// A running `sluiced` and whose it is.
pub struct Operator {
    /// `alice` or `bob`.
    pub name: String,
    /// The Lightning node's id.
    pub id: NodeId,
    /// The daemon.
    pub daemon: Sluiced,
}

impl Operator {
    pub(super) async fn start(
        name: String,
        id: NodeId,
        executable: Executable,
        directory: PathBuf,
        arguments: Vec<String>,
    ) -> Result<Operator> {
        let daemon = Sluiced::start(&name, executable, directory, arguments).await?;
        Ok(Operator { name, id, daemon })
    }

    /// A client of the daemon's API.
    ///
    /// # Errors
    /// If the daemon has not written its token.
    pub fn client(&self) -> Result<HttpClient> {
        self.daemon.client()
    }

    /// The last lines of the daemon's log.
    #[must_use]
    pub fn tail(&self) -> String {
        self.daemon.tail()
    }

    /// What the operator's wallet can spend of an asset.
    ///
    /// # Errors
    /// If the daemon does not tell.
    pub async fn spendable_sat(&self, asset: Asset) -> Result<u64> {
        Ok(self.client()?.wallet_balance(WalletRef { asset }).await?.spendable_sat)
    }

    /// Waits until a peer is seen as wanted.
    ///
    /// # Errors
    /// After [`PATIENCE`].
    pub async fn wait_for_peer(&self, id: NodeId, reached: impl Fn(&PeerView) -> bool) -> Result<PeerView> {
        let client = self.client()?;
        wait_for(&format!("{}'s view of its peer", self.name), PATIENCE, || async {
            let peers = client.peer_list().await?.peers;
            let Some(peer) = peers.into_iter().find(|peer| peer.node_id == id) else {
                return Ok(None);
            };
            if reached(&peer) {
                return Ok(Some(peer));
            }
            bail!("it is {peer:?}")
        })
        .await
    }

    /// Waits until this side of a swap is as wanted.
    ///
    /// # Errors
    /// After [`PATIENCE`], with the swap as it is then.
    pub async fn wait_for_swap(
        &self,
        swap_id: SwapId,
        what: &str,
        reached: impl Fn(&SwapView) -> bool,
    ) -> Result<SwapView> {
        let client = self.client()?;
        wait_for(&format!("{}'s swap to be {what}", self.name), PATIENCE, || async {
            let swap = client.swap_get(SwapRef { swap_id }).await?;
            if reached(&swap) {
                return Ok(Some(swap));
            }
            bail!("it is: {} ({:?})", swap.state, swap.outcome)
        })
        .await
    }
}

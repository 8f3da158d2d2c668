//! The API's methods, done by the engine. One small function each; what takes thought is in the modules below.

mod bump;
mod chains;
mod peers;
mod refusal;
mod settings;
mod startup;
mod swaps;

use std::sync::Arc;
use std::time::Instant;

use jsonrpsee::PendingSubscriptionSink;
use jsonrpsee::core::{RpcResult, SubscriptionResult, async_trait};
use tokio::sync::watch;

use super::SluiceApiServer;
use super::error::ApiError;
use super::types::{
    BumpAnswer, BumpRequest, CancelAnswer, ChainList, ChainPause, ChainRef, Info, PeerList, PeerQuarantine, PeerRef,
    PeerView, PolicyChange, PolicyView, PremiumChange, PremiumFilter, PremiumTable, SendAnswer, SendRequest,
    StopAnswer, SwapFilter, SwapList, SwapRef, SwapRequest, SwapStarted, SwapTopic, SwapView, SwapWait, SwapWaited,
    WalletAddress, WalletBalanceView, WalletRef,
};
use super::view::view;
use crate::engine::{Absence, Awaited, Engine, Side};
use crate::store::StoreError;
use crate::swap::{Kind, Now, Swap};
use crate::units::{Asset, Timestamp};

pub use startup::Startup;

/// The API of the daemon.
pub struct Service {
    startup: Arc<Startup>,
    /// Set to true by `stop`.
    stop: watch::Sender<bool>,
    began: Instant,
}

impl Service {
    /// The API of a daemon that starts or runs; `stop` is set to true when it is to stop.
    #[must_use]
    pub fn new(startup: Arc<Startup>, stop: watch::Sender<bool>) -> Service {
        Service {
            startup,
            stop,
            began: Instant::now(),
        }
    }

    fn engine(&self) -> Result<&Engine, ApiError> {
        self.startup.engine()
    }

    /// A swap as it is now.
    fn view(&self, swap: &Swap) -> Result<SwapView, ApiError> {
        let trail = self.engine()?.store().trail(swap.id).map_err(broken)?;
        let now = Now {
            time: Timestamp::now(),
            tip: self.engine()?.tip(swap.terms.asset),
        };
        Ok(view(swap, &trail, now))
    }

    fn side(&self, asset: Asset) -> Result<Arc<Side>, ApiError> {
        self.engine()?.side(asset).map_err(|absence| match absence {
            Absence::NotConfigured => ApiError::AssetUnusable {
                asset,
                reason: absence.to_string(),
            },
            Absence::Awaited(Awaited { backend, reason, .. }) => ApiError::BackendAway { backend, reason },
        })
    }
}

/// A store that fails is nothing that a caller could mend.
fn broken(failure: StoreError) -> ApiError {
    ApiError::Internal {
        reason: format!("store: {failure}"),
    }
}

#[async_trait]
impl SluiceApiServer for Service {
    async fn info(&self) -> RpcResult<Info> {
        Ok(self.info_now().await?)
    }

    async fn swap_out(&self, request: SwapRequest) -> RpcResult<SwapStarted> {
        Ok(self.start(Kind::Out, request).await?)
    }

    async fn swap_in(&self, request: SwapRequest) -> RpcResult<SwapStarted> {
        Ok(self.start(Kind::In, request).await?)
    }

    async fn swap_cancel(&self, request: SwapRef) -> RpcResult<CancelAnswer> {
        Ok(self.cancel(request.swap_id).await?)
    }

    async fn swap_bump(&self, request: BumpRequest) -> RpcResult<BumpAnswer> {
        Ok(self.bump(&request).await?)
    }

    async fn swap_get(&self, request: SwapRef) -> RpcResult<SwapView> {
        let swap = self.known(request.swap_id)?;
        Ok(self.view(&swap)?)
    }

    async fn swap_list(&self, request: SwapFilter) -> RpcResult<SwapList> {
        Ok(self.list(&request)?)
    }

    async fn swap_wait(&self, request: SwapWait) -> RpcResult<SwapWaited> {
        Ok(self.wait(&request).await?)
    }

    async fn swap_subscribe(&self, pending: PendingSubscriptionSink, request: SwapTopic) -> SubscriptionResult {
        self.subscribe(pending, request).await
    }

    async fn peer_list(&self) -> RpcResult<PeerList> {
        Ok(self.peers().await?)
    }

    async fn peer_get(&self, request: PeerRef) -> RpcResult<PeerView> {
        Ok(self.one_peer(request.peer).await?)
    }

    async fn peer_quarantine(&self, request: PeerQuarantine) -> RpcResult<PeerView> {
        Ok(self.quarantine(&request).await?)
    }

    async fn peer_release(&self, request: PeerRef) -> RpcResult<PeerView> {
        Ok(self.release(request.peer).await?)
    }

    async fn chain_list(&self) -> RpcResult<ChainList> {
        Ok(self.chains()?)
    }

    async fn chain_pause(&self, request: ChainPause) -> RpcResult<ChainList> {
        Ok(self.pause_chain(&request)?)
    }

    async fn chain_resume(&self, request: ChainRef) -> RpcResult<ChainList> {
        Ok(self.resume_chain(&request)?)
    }

    async fn policy_get(&self) -> RpcResult<PolicyView> {
        Ok(settings::policy_view(&self.engine()?.policy()))
    }

    async fn policy_set(&self, request: PolicyChange) -> RpcResult<PolicyView> {
        Ok(self.change_policy(&request)?)
    }

    async fn premium_get(&self, request: PremiumFilter) -> RpcResult<PremiumTable> {
        Ok(settings::premium_table(&self.engine()?.premiums(), request.peer))
    }

    async fn premium_set(&self, request: PremiumChange) -> RpcResult<PremiumTable> {
        Ok(self.change_premium(&request)?)
    }

    async fn wallet_address(&self, request: WalletRef) -> RpcResult<WalletAddress> {
        Ok(self.address(request.asset).await?)
    }

    async fn wallet_balance(&self, request: WalletRef) -> RpcResult<WalletBalanceView> {
        Ok(self.balance(request.asset).await?)
    }

    async fn wallet_send(&self, request: SendRequest) -> RpcResult<SendAnswer> {
        Ok(self.send(&request).await?)
    }

    async fn stop(&self) -> RpcResult<StopAnswer> {
        self.stop.send_replace(true);
        Ok(StopAnswer { stopping: true })
    }
}

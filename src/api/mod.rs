//! The API: JSON-RPC 2.0 over HTTP and WebSocket on one port.
//!
//! ```text
//! bytes ──► token (401) ──► size limits ──► names of the parameters ──► SluiceApiServer ──► engine
//! ```
//!
//! Knows what an operator may ask and how an answer reads. Must not know how anything is done: the engine implements
//! [`SluiceApiServer`], the command line uses [`SluiceApiClient`]. `docs/api.md` is this module for people.

pub mod bump;
pub mod cancel;
pub mod error;
mod params;
pub mod server;
pub mod service;
pub mod token;
pub mod types;
pub mod view;

pub use params::check_params;

use jsonrpsee::core::{RpcResult, SubscriptionResult};
use jsonrpsee::proc_macros::rpc;

use types::{
    BumpAnswer, BumpRequest, CancelAnswer, ChainList, ChainPause, ChainRef, Info, PeerList, PeerQuarantine, PeerRef,
    PeerView, PolicyChange, PolicyView, PremiumChange, PremiumFilter, PremiumTable, SendAnswer, SendRequest,
    StopAnswer, SwapFilter, SwapList, SwapRef, SwapRequest, SwapStarted, SwapTopic, SwapView, SwapWait, SwapWaited,
    WalletAddress, WalletBalanceView, WalletRef,
};

/// Everything that can be asked of `sluiced`.
///
/// On the wire parameters go by name (`params` is the request struct itself); [`server::serve`] sees to that. A method
/// that takes nothing takes no `params`, or `{}`.
#[rpc(server, client)]
pub trait SluiceApi {
    /// What this daemon is, what it is connected to, and what keeps it from swapping.
    #[method(name = "info")]
    async fn info(&self) -> RpcResult<Info>;

    /// Gives Lightning balance for chain coins. Answers as soon as the swap is stored, before the peer has.
    #[method(name = "swap_out")]
    async fn swap_out(&self, request: SwapRequest) -> RpcResult<SwapStarted>;

    /// Gives chain coins for Lightning balance. Answers as soon as the swap is stored, before the peer has.
    #[method(name = "swap_in")]
    async fn swap_in(&self, request: SwapRequest) -> RpcResult<SwapStarted>;

    /// Ends a swap as far as that is safe in its state, and says what that means; or says why it is not.
    #[method(name = "swap_cancel")]
    async fn swap_cancel(&self, request: SwapRef) -> RpcResult<CancelAnswer>;

    /// Gets a transaction of ours into a block sooner: pushes an opening, or replaces a claim or a refund at a higher fee;
    /// or says why not.
    #[method(name = "swap_bump")]
    async fn swap_bump(&self, request: BumpRequest) -> RpcResult<BumpAnswer>;

    /// One swap.
    #[method(name = "swap_get")]
    async fn swap_get(&self, request: SwapRef) -> RpcResult<SwapView>;

    /// Swaps, the newest first.
    #[method(name = "swap_list")]
    async fn swap_list(&self, request: SwapFilter) -> RpcResult<SwapList>;

    /// Answers once the swap is closed (or settled), or the time is over, with the swap as it is then.
    #[method(name = "swap_wait")]
    async fn swap_wait(&self, request: SwapWait) -> RpcResult<SwapWaited>;

    /// WebSocket only. Yields the swap as it is now and again at each change, until it is closed; without an id, every
    /// swap's changes for as long as the connection lasts.
    #[subscription(name = "swap_subscribe" => "swap_changed", unsubscribe = "swap_unsubscribe", item = SwapView)]
    async fn swap_subscribe(&self, request: SwapTopic) -> SubscriptionResult;

    /// Every peer with a channel, or in quarantine: what can be swapped with it at what premium, or the reason why not.
    #[method(name = "peer_list")]
    async fn peer_list(&self) -> RpcResult<PeerList>;

    /// One peer.
    #[method(name = "peer_get")]
    async fn peer_get(&self, request: PeerRef) -> RpcResult<PeerView>;

    /// Makes no new swaps with a peer for a time, also after a restart. Swaps under way go on.
    #[method(name = "peer_quarantine")]
    async fn peer_quarantine(&self, request: PeerQuarantine) -> RpcResult<PeerView>;

    /// Ends a peer's quarantine, whoever began it, and forgets what led to it.
    #[method(name = "peer_release")]
    async fn peer_release(&self, request: PeerRef) -> RpcResult<PeerView>;

    /// Every chain: whether new swaps are made on it, and if not, since when and why.
    #[method(name = "chain_list")]
    async fn chain_list(&self) -> RpcResult<ChainList>;

    /// Makes no new swaps on a chain until it is resumed, also after a restart. Swaps under way go on.
    #[method(name = "chain_pause")]
    async fn chain_pause(&self, request: ChainPause) -> RpcResult<ChainList>;

    /// Makes new swaps on a chain again.
    #[method(name = "chain_resume")]
    async fn chain_resume(&self, request: ChainRef) -> RpcResult<ChainList>;

    /// Whom this node answers, and from which amount on.
    #[method(name = "policy_get")]
    async fn policy_get(&self) -> RpcResult<PolicyView>;

    /// Changes what is named and leaves the rest; answers with the whole.
    #[method(name = "policy_set")]
    async fn policy_set(&self, request: PolicyChange) -> RpcResult<PolicyView>;

    /// The premium rates that this node asks of its peers.
    #[method(name = "premium_get")]
    async fn premium_get(&self, request: PremiumFilter) -> RpcResult<PremiumTable>;

    /// Sets or deletes one rate, of one peer or of everybody; answers with all rates.
    #[method(name = "premium_set")]
    async fn premium_set(&self, request: PremiumChange) -> RpcResult<PremiumTable>;

    /// A fresh address of the operator's wallet.
    #[method(name = "wallet_address")]
    async fn wallet_address(&self, request: WalletRef) -> RpcResult<WalletAddress>;

    /// What the operator's wallet holds.
    #[method(name = "wallet_balance")]
    async fn wallet_balance(&self, request: WalletRef) -> RpcResult<WalletBalanceView>;

    /// Sends chain coins from the operator's wallet. Not repeatable: sent twice, paid twice.
    #[method(name = "wallet_send")]
    async fn wallet_send(&self, request: SendRequest) -> RpcResult<SendAnswer>;

    /// Stops the daemon. Swaps lose nothing: they go on at the next start.
    #[method(name = "stop")]
    async fn stop(&self) -> RpcResult<StopAnswer>;
}

//! What the suite needs of a backend: the node, the adapter to it, and what they are called.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use sluice::chain::backend::{Backend, BackendConfig, Ledger};
use sluice::chain::rpc::{Endpoint, RpcError};
use sluice::ports::{PortError, Wallet};
use sluice::swap::terms::Payout;
use sluice::units::{FeeRate, OutPoint, PubKey, TxId};

use crate::world::{World, eventually};

/// The adapter that a bench's node is reached by.
pub type Adapter<B> = Backend<<B as Bench>::Ledger>;
/// The client of a bench's node.
pub type Rpc<B> = <<B as Bench>::Ledger as Ledger>::Rpc;

/// A node that the contract is held against. An embedded one and a real one of the same chain differ only in how they
/// are started.
pub trait Bench: Sized {
    type Ledger: Ledger;
    /// The program, as errors name it.
    const DAEMON: &'static str;
    /// The chain's name.
    const CHAIN: &'static str;
    /// A part of what the node says of its release.
    const RELEASE: &'static str;
    /// How addresses begin.
    const ADDRESS: &'static str;
    /// The least rate that the node relays, at which openings are made.
    const RATE: FeeRate;

    /// None, loudly, where there is no such node.
    async fn start() -> Option<Self>;
    fn url(&self) -> String;
    fn cookie(&self) -> PathBuf;
    async fn stop(&mut self);
    async fn launch(&mut self);

    fn client(endpoint: &Endpoint) -> Rpc<Self>;
    async fn ensure_wallet(client: &Rpc<Self>) -> Result<(), RpcError>;
    async fn connect(config: BackendConfig) -> Result<Adapter<Self>, PortError>;
    /// The wallet under test: that of the node itself, where nothing else is said.
    fn wallet(&self, adapter: &Arc<Adapter<Self>>) -> Arc<dyn Wallet> {
        adapter.clone()
    }
    /// The coins that the wallet's holder says are locked.
    async fn locked(world: &World<Self>) -> HashSet<OutPoint> {
        world.adapter.rpc().locked().await.unwrap().into_iter().collect()
    }
    /// Drops a call that makes an opening, which has begun, in the middle; returns when it is sure to have locked coins.
    async fn abandon<F: Future + Send>(world: &World<Self>, funding: F) {
        drop(funding);
        let locks = || world.adapter.rpc().calls().get("lockunspent").copied();
        eventually(async || locks().filter(|calls| *calls >= 2)).await;
    }
    /// Waits until the wallet's holder has seen the chain's tip.
    async fn follow(&self) {}
    /// Waits until the wallet's holder has seen the wallet's part in a transaction that is in no block.
    async fn notice(&self, _: TxId) {}
    /// An address to mine to.
    async fn mined_to(miner: &Rpc<Self>) -> String {
        Self::Ledger::new_address(miner, "").await.unwrap().address
    }
    /// Gives each of these addresses a coin, which the next block confirms.
    async fn endow(world: &World<Self>, coins: &[Payout]);
    /// The key that openings are blinded to, where they are.
    fn blinding_key() -> Option<PubKey>;
}

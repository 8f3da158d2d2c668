//! Liquid by an Elements node: the chain, and the operator's wallet in it.
//!
//! Knows Elements' rules of fees, blinding and locks. Must not know swaps' states.

mod chain;
mod funding;
mod releases;
mod source;
mod wallet;

use std::sync::Arc;

use bitcoin::BlockHash;
use elements::AssetId;
use tracing::{info, warn};

pub use self::releases::{KNOWN_SAFE, Releases};
use self::source::Node;
use super::elements_rpc::{ElementsRpc, Endpoint};
use super::watch::Watcher;
use crate::ports::PortError;
use crate::units::{FeeRate, Height};

/// The least rate that Liquid relays (`DEFAULT_MIN_RELAY_TX_FEE`, policy/policy.h of Elements).
pub const LIQUID_FEE_FLOOR: FeeRate = FeeRate(100);

/// How to reach a node, and the operator's bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElementsdConfig {
    /// The node and the wallet.
    pub endpoint: Endpoint,
    /// No transaction of ours pays less.
    pub fee_floor: FeeRate,
    /// No transaction of ours pays more, unless the node takes nothing that pays less.
    pub fee_ceiling: FeeRate,
    /// On `liquidv1`, the releases that new swaps may rely on: [`KNOWN_SAFE`], or what the operator knows better.
    pub safe_releases: Vec<Releases>,
}

/// An Elements node that answered, and its wallet. Follows the chain until it is dropped.
#[derive(Debug)]
pub struct Elementsd {
    rpc: Arc<ElementsRpc>,
    watcher: Watcher<Node>,
    config: ElementsdConfig,
    chain: String,
    genesis: BlockHash,
    maker: Arc<funding::Funder>,
    rate: tokio::sync::Mutex<Option<(BlockHash, FeeRate)>>,
}

impl Elementsd {
    /// Asks the node who it is, loads or makes the wallet, and begins to follow the chain.
    /// `Unreachable` until the node answers: try again.
    pub async fn connect(config: ElementsdConfig) -> Result<Self, PortError> {
        let rpc = Arc::new(ElementsRpc::new(&config.endpoint)?);
        let chain = rpc.blockchain_info().await?;
        let network = rpc.network_info().await?;
        let genesis = rpc.block_hash(Height(0)).await?;
        let asset = rpc.sidechain_info().await?.pegged_asset;
        let discount = rpc.knows_discount(&funding::probe(asset)).await?;
        rpc.ensure_wallet().await?;
        info!(
            chain = chain.chain,
            version = network.subversion,
            height = chain.blocks,
            discount,
            "elementsd answers"
        );
        if !discount {
            warn!(
                "elementsd does not accept discounted fees (acceptdiscountct=0): transactions pay for their full size"
            );
        }
        let maker = funding::Funder {
            rpc: Arc::clone(&rpc),
            asset,
            discount,
            incremental: network.incrementalfee.into(),
        };
        Ok(Self {
            watcher: Watcher::start(Node {
                rpc: Arc::clone(&rpc),
                genesis,
            }),
            rpc,
            config,
            chain: chain.chain,
            genesis,
            maker: Arc::new(maker),
            rate: tokio::sync::Mutex::default(),
        })
    }

    /// The asset that is L-BTC on this chain.
    #[must_use]
    pub fn policy_asset(&self) -> AssetId {
        self.maker.asset
    }

    /// The client, with its count of calls.
    #[must_use]
    pub fn rpc(&self) -> &ElementsRpc {
        &self.rpc
    }
}

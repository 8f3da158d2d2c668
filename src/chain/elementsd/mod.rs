//! Liquid by an Elements node: the chain, and the operator's wallet in it.
//!
//! Knows Elements' rules of fees, blinding and releases. Must not know swaps' states.

mod ledger;
mod releases;
mod transactions;

use elements::AssetId;
use tracing::warn;

pub use self::ledger::Liquid;
pub use self::releases::{KNOWN_SAFE, Releases};
use super::backend::{Answered, Backend, BackendConfig, must_share_block_0};
use super::elements_rpc::ElementsRpc;
use crate::ports::PortError;
use crate::units::{Asset, FeeRate};

/// The least rate that Liquid relays.
pub const LIQUID_FEE_FLOOR: FeeRate = Asset::Lbtc.least_fee_rate();

/// How to reach a node, and the operator's bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElementsdConfig {
    /// The node, the wallet, and the bounds on fees.
    pub node: BackendConfig,
    /// On `liquidv1`, the releases that new swaps may rely on: [`KNOWN_SAFE`], or what the operator knows better.
    pub safe_releases: Vec<Releases>,
}

/// An Elements node that answered, and its wallet. Follows the chain until it is dropped.
pub type Elementsd = Backend<Liquid>;

impl Elementsd {
    /// Asks the node who it is, loads or makes the wallet, and begins to follow the chain.
    /// `Unreachable` until the node answers: try again.
    pub async fn connect(config: ElementsdConfig) -> Result<Self, PortError> {
        let rpc = ElementsRpc::new(&config.node.endpoint)?;
        let answered = Answered::ask(&rpc).await?;
        let witness = config.node.witness.as_ref().map(ElementsRpc::new).transpose()?;
        if let (Some(witness), Some(at)) = (&witness, &config.node.witness) {
            must_share_block_0(witness, &at.url, answered.genesis).await?;
        }
        rpc.ensure_wallet().await?;
        Self::begin(rpc, witness, config, answered).await
    }

    /// The same for the chain alone: the wallet is neither looked for nor made, and no witness is asked.
    pub async fn connect_without_wallet(config: ElementsdConfig) -> Result<Self, PortError> {
        let rpc = ElementsRpc::new(&config.node.endpoint)?;
        let answered = Answered::ask(&rpc).await?;
        Self::begin(rpc, None, config, answered).await
    }

    async fn begin(
        rpc: ElementsRpc,
        witness: Option<ElementsRpc>,
        config: ElementsdConfig,
        answered: Answered,
    ) -> Result<Self, PortError> {
        let asset = rpc.sidechain_info().await?.pegged_asset;
        let discount = rpc.knows_discount(&transactions::probe(asset)).await?;
        if !discount {
            warn!(
                "elementsd does not accept discounted fees (acceptdiscountct=0): transactions pay for their full size"
            );
        }
        let ledger = Liquid {
            asset,
            discount,
            safe_releases: config.safe_releases,
        };
        Ok(Self::start(rpc, witness, ledger, config.node, answered))
    }

    /// The asset that is L-BTC on this chain.
    #[must_use]
    pub fn policy_asset(&self) -> AssetId {
        self.ledger().asset
    }
}

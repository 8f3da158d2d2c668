//! Bitcoin by a bitcoind: the chain, and the operator's wallet in it, if it has one.
//!
//! Knows Bitcoin's rules of fees and pruning. Must not know swaps' states.

mod ledger;

pub use self::ledger::Bitcoin;
use super::backend::{Answered, Backend, BackendConfig, must_share_block_0};
use super::bitcoin_rpc::BitcoinRpc;
use crate::ports::PortError;
use crate::units::{Asset, FeeRate};

/// The least rate that Bitcoin relays.
pub const BITCOIN_FEE_FLOOR: FeeRate = Asset::Btc.least_fee_rate();

/// How to reach a node, and the operator's bounds.
pub type BitcoindConfig = BackendConfig;

/// A bitcoind that answered, and its wallet. Follows the chain until it is dropped.
pub type Bitcoind = Backend<Bitcoin>;

impl Bitcoind {
    /// Asks the node who it is, loads or makes the wallet if it knows wallets, and begins to follow the chain.
    /// `Unreachable` until the node answers: try again.
    pub async fn connect(config: BitcoindConfig) -> Result<Self, PortError> {
        Self::connect_with(config, true).await
    }

    /// The same for the chain alone: wallets are neither looked for nor made.
    pub async fn connect_without_wallet(config: BitcoindConfig) -> Result<Self, PortError> {
        Self::connect_with(config, false).await
    }

    async fn connect_with(config: BitcoindConfig, wallet: bool) -> Result<Self, PortError> {
        let rpc = BitcoinRpc::new(&config.endpoint);
        let answered = Answered::ask(&rpc).await?;
        let witness = config.witness.as_ref().map(BitcoinRpc::new);
        if let (Some(witness), Some(at)) = (&witness, &config.witness) {
            must_share_block_0(witness, &at.url, answered.genesis).await?;
        }
        let has_wallet = wallet && rpc.ensure_wallet().await?;
        Ok(Self::start(rpc, witness, Bitcoin { has_wallet }, config, answered))
    }

    /// Whether the node has wallets, and one was asked for. Without them every call of the port `Wallet` is `Refused`.
    #[must_use]
    pub fn has_wallet(&self) -> bool {
        self.ledger().has_wallet
    }
}

//! A chain's node and the operator's wallet in it: the ports `Chain` and `Wallet`, for both chains.
//!
//! ```text
//!  Elementsd = Backend<Liquid>  ──┐            ┌── Chain:  watch, broadcast, fee rates
//!                                 ├─▶ Backend ─┤
//!  Bitcoind  = Backend<Bitcoin> ──┘            └── Wallet: choose, lock, sign; never publish
//! ```
//!
//! Knows nodes of Bitcoin's family. What one chain does otherwise is in its [`Ledger`]. Must not know swaps' states.

mod chain;
mod funding;
mod pushing;
mod source;
mod wallet;
mod witness;

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use async_trait::async_trait;
use bitcoin::{Amount, BlockHash, ScriptBuf};

use self::funding::Funder;
use self::source::Node;
pub(super) use self::witness::must_share_block_0;
use super::rpc::{BlockchainInfo, Btc, Endpoint, Funded, NetworkInfo, NodeRpc, RpcError};
use super::watch::{Block, ChainTx, Watcher};
use crate::ports::PortError;
use crate::swap::fees::FeeRates;
use crate::swap::state::TxCost;
use crate::swap::terms::Payout;
use crate::tx::OpeningOutput;
use crate::units::{Asset, Blocks, FeeRate, Height, OutPoint, TxId};

/// Headers that a node may be ahead of its blocks by while it follows its chain.
const HEADERS_AHEAD: u32 = 2;

/// What one chain does otherwise than another.
#[async_trait]
pub trait Ledger: fmt::Debug + Send + Sync + 'static {
    /// The client of its node.
    type Rpc: Deref<Target = NodeRpc> + fmt::Debug + Send + Sync + 'static;
    /// Its transactions.
    type Tx: ChainTx;
    /// The asset that lives on it.
    const ASSET: Asset;
    /// Blocks within which our transactions want to be mined.
    const MINED_WITHIN: Blocks;

    /// Reads a transaction.
    fn decode(bytes: &[u8]) -> Result<Self::Tx, String>;
    /// Reads a block.
    fn decode_block(bytes: &[u8]) -> Result<Block<Self::Tx>, String>;
    /// The policy asset's id on Liquid.
    fn policy_asset(&self) -> Option<elements::AssetId>;
    /// The node judges fees by the discounted size (ELIP-200).
    fn discount(&self) -> bool;
    /// Why no new swap may rely on a node that follows its chain; None if it may.
    fn unfit(&self, chain: &BlockchainInfo, node: &NetworkInfo) -> Option<String>;

    /// A transaction that spends these outputs and has that one, for the wallet to fund.
    fn template(&self, spending: &[OutPoint], output: &OpeningOutput) -> Result<Vec<u8>, PortError>;
    /// Adds inputs, change and fee, and locks the inputs (in the node's memory).
    async fn fund(rpc: &Self::Rpc, template: &[u8], rate: FeeRate) -> Result<Funded, RpcError>;
    /// Makes a funded transaction ready for the network, at no more than what the rate asks for.
    async fn finish(&self, rpc: &Self::Rpc, funded: Funded, rate: FeeRate) -> Result<(Self::Tx, TxCost), RpcError>;
    /// The outputs of a transaction whose value the wallet can read, with that value.
    async fn readable(&self, rpc: &Self::Rpc, tx: &Self::Tx) -> Result<Vec<(u32, ScriptBuf, Amount)>, RpcError>;
    /// Signs a transaction that spends these outputs of the wallet to that one and leaves that fee.
    async fn spend(
        &self,
        rpc: &Self::Rpc,
        spent: &[OutPoint],
        output: &OpeningOutput,
        fee: Amount,
    ) -> Result<(Self::Tx, TxCost), PortError>;
    /// A fresh address of the wallet.
    async fn new_address(rpc: &Self::Rpc, label: &str) -> Result<Payout, RpcError>;
    /// What the wallet holds.
    async fn holdings(&self, rpc: &Self::Rpc) -> Result<Holdings, RpcError>;
    /// Pays to an address.
    async fn send(&self, rpc: &Self::Rpc, address: &str, amount: Amount, rate: FeeRate) -> Result<TxId, RpcError>;
}

/// What a wallet holds, as its node counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holdings {
    /// Everything, locked or not, confirmed or not.
    pub total: Amount,
    /// Unlocked and in a block.
    pub confirmed: Amount,
    /// Unlocked and in the mempool.
    pub unconfirmed: Amount,
}

impl Holdings {
    /// A whole, of which these outputs with their confirmations are unlocked.
    pub(super) fn of(total: Amount, unlocked: impl Iterator<Item = (Btc, u32)>) -> Self {
        let empty = Holdings {
            total,
            confirmed: Amount::ZERO,
            unconfirmed: Amount::ZERO,
        };
        unlocked.fold(empty, |mut held, (Btc(amount), confirmations)| {
            if confirmations > 0 {
                held.confirmed += amount;
            } else {
                held.unconfirmed += amount;
            }
            held
        })
    }
}

/// How to reach a node, and the operator's bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendConfig {
    /// The node and the wallet.
    pub endpoint: Endpoint,
    /// A second node of the same chain, asked at every block whether it shows the same.
    pub witness: Option<Endpoint>,
    /// No transaction of ours pays less.
    pub fee_floor: FeeRate,
    /// No transaction of ours pays more, unless money is at stake ([`crate::swap::fees`]).
    pub fee_ceiling: FeeRate,
}

/// A node that answered, and its wallet. Follows the chain until it is dropped.
#[derive(Debug)]
pub struct Backend<L: Ledger> {
    rpc: Arc<L::Rpc>,
    watcher: Watcher<Node<L>>,
    config: BackendConfig,
    chain: String,
    genesis: BlockHash,
    funder: Arc<Funder<L>>,
    witness: Option<L::Rpc>,
    rates: tokio::sync::Mutex<Option<(BlockHash, FeeRates)>>,
}

/// What a node says of itself.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) chain: BlockchainInfo,
    pub(super) network: NetworkInfo,
    pub(super) genesis: BlockHash,
}

impl Answered {
    pub(super) async fn ask(rpc: &NodeRpc) -> Result<Self, RpcError> {
        Ok(Self {
            chain: rpc.blockchain_info().await?,
            network: rpc.network_info().await?,
            genesis: rpc.block_hash(Height(0)).await?,
        })
    }
}

impl<L: Ledger> Backend<L> {
    /// Begins to follow the chain of a node that has answered.
    pub(super) fn start(
        rpc: L::Rpc,
        witness: Option<L::Rpc>,
        ledger: L,
        config: BackendConfig,
        answered: Answered,
    ) -> Self {
        let rpc = Arc::new(rpc);
        let genesis = answered.genesis;
        tracing::info!(
            chain = answered.chain.chain,
            version = answered.network.subversion,
            height = answered.chain.blocks,
            "{} answers",
            rpc.daemon()
        );
        let funder = Funder {
            rpc: Arc::clone(&rpc),
            ledger,
            incremental: answered.network.incrementalfee.into(),
        };
        Self {
            watcher: Watcher::start(Node {
                rpc: Arc::clone(&rpc),
                genesis,
            }),
            rpc,
            config,
            chain: answered.chain.chain,
            genesis,
            funder: Arc::new(funder),
            witness,
            rates: tokio::sync::Mutex::default(),
        }
    }

    /// The client, with its count of calls.
    #[must_use]
    pub fn rpc(&self) -> &L::Rpc {
        &self.rpc
    }

    pub(super) fn ledger(&self) -> &L {
        &self.funder.ledger
    }

    fn unfit(&self, chain: &BlockchainInfo, node: &NetworkInfo) -> Option<String> {
        syncing(self.rpc.daemon(), chain).or_else(|| self.ledger().unfit(chain, node))
    }
}

/// That a node does not follow its chain yet, with how far it has come.
fn syncing(daemon: &str, chain: &BlockchainInfo) -> Option<String> {
    let behind = chain.initialblockdownload || chain.headers > chain.blocks.saturating_add(HEADERS_AHEAD);
    behind.then(|| {
        format!(
            "{daemon} is syncing: it has verified block {} of {}",
            chain.blocks, chain.headers
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(blocks: u32, headers: u32, syncing: bool) -> BlockchainInfo {
        let text = format!(
            r#"{{"chain":"regtest","blocks":{blocks},"headers":{headers},"bestblockhash":"{}","initialblockdownload":{syncing}}}"#,
            "00".repeat(32)
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_node_that_does_not_follow_its_chain_is_unfit() {
        assert_eq!(syncing("bitcoind", &chain(9, 9, false)), None);
        assert_eq!(syncing("bitcoind", &chain(7, 9, false)), None, "headers come first");
        assert!(syncing("bitcoind", &chain(9, 9, true)).is_some());
        assert_eq!(
            syncing("bitcoind", &chain(5, 9, false)).unwrap(),
            "bitcoind is syncing: it has verified block 5 of 9"
        );
    }
}

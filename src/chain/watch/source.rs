//! What the watcher asks of a node.

use std::collections::HashSet;

use async_trait::async_trait;
use bitcoin::{BlockHash, ScriptBuf};

use crate::ports::{PortError, Tip};
use crate::units::{Height, OutPoint, RawTx, TxId};

/// A transaction of whichever chain.
pub trait ChainTx: Send + Sync + 'static {
    /// Its id.
    fn txid(&self) -> TxId;
    /// The outputs it spends, in the order of its inputs.
    fn spends(&self) -> Vec<OutPoint>;
    /// The indices of its outputs with that script.
    fn outputs_to(&self, script: &ScriptBuf) -> Vec<u32>;
    /// Its bytes.
    fn raw(&self) -> RawTx;
}

/// A block, decoded.
#[derive(Debug, Clone)]
pub struct Block<T> {
    /// The block before it.
    pub previous: BlockHash,
    /// Its transactions.
    pub txs: Vec<T>,
}

/// An output that no block spends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnspentOutput {
    /// Its script.
    pub script: ScriptBuf,
    /// The tip that it is unspent at.
    pub best: BlockHash,
    /// Blocks on it, its own included.
    pub confirmations: u32,
}

/// A node, as far as watching goes. One call here is one call there.
#[async_trait]
pub trait Source: Send + Sync + 'static {
    /// Its transactions.
    type Tx: ChainTx;

    /// Its name, for errors.
    fn daemon(&self) -> &'static str;
    /// Reads a transaction; no call.
    fn read(&self, tx: &RawTx) -> Result<Self::Tx, PortError>;
    /// Fails with `Broken` if the node has become another one: another chain at the same address.
    async fn verify(&self) -> Result<(), PortError>;
    /// The tip, as soon as it is at least that high or the node's patience is over.
    async fn wait_for(&self, height: Height) -> Result<Tip, PortError>;
    /// A block.
    async fn block(&self, hash: BlockHash) -> Result<Block<Self::Tx>, PortError>;
    /// The block at a height of the best chain.
    async fn block_hash(&self, height: Height) -> Result<BlockHash, PortError>;
    /// An output in a block, unless a block spends it.
    async fn unspent(&self, output: OutPoint) -> Result<Option<UnspentOutput>, PortError>;
    /// A transaction of a block.
    async fn confirmed_tx(&self, txid: TxId, block: BlockHash) -> Result<Self::Tx, PortError>;
    /// A transaction in the mempool.
    async fn mempool_tx(&self, txid: TxId) -> Result<Option<Self::Tx>, PortError>;
    /// The ids of all transactions in the mempool.
    async fn mempool(&self) -> Result<HashSet<TxId>, PortError>;
}

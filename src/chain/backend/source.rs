//! The node as the watcher sees it.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use bitcoin::BlockHash;

use super::Ledger;
use crate::chain::rpc::RpcError;
use crate::chain::watch::{Block, Source, UnspentOutput};
use crate::ports::{PortError, Tip};
use crate::units::{Height, OutPoint, RawTx, TxId};

/// The node, and the chain that it had when we met it.
#[derive(Debug)]
pub(super) struct Node<L: Ledger> {
    pub(super) rpc: Arc<L::Rpc>,
    pub(super) genesis: BlockHash,
}

#[async_trait]
impl<L: Ledger> Source for Node<L> {
    type Tx = L::Tx;

    fn daemon(&self) -> &'static str {
        self.rpc.daemon()
    }

    async fn verify(&self) -> Result<(), PortError> {
        let genesis = self.rpc.block_hash(Height(0)).await?;
        if genesis == self.genesis {
            return Ok(());
        }
        Err(PortError::Broken(format!(
            "{} getblockhash: block 0 is {genesis} now, was {}: another chain at the same address",
            self.rpc.daemon(),
            self.genesis
        )))
    }

    async fn wait_for(&self, height: Height) -> Result<Tip, PortError> {
        Ok(self.rpc.wait_for_height(height).await?)
    }

    async fn block(&self, hash: BlockHash) -> Result<Block<L::Tx>, PortError> {
        let bytes = self.rpc.block_bytes(hash).await?;
        L::decode_block(&bytes).map_err(|error| self.unreadable("getblock", "block", &error))
    }

    async fn block_hash(&self, height: Height) -> Result<BlockHash, PortError> {
        Ok(self.rpc.block_hash(height).await?)
    }

    async fn unspent(&self, output: OutPoint) -> Result<Option<UnspentOutput>, PortError> {
        let found = self.rpc.tx_out(output).await?;
        Ok(found.map(|found| UnspentOutput {
            script: found.script.hex,
            best: found.bestblock,
            confirmations: found.confirmations,
        }))
    }

    fn read(&self, tx: &RawTx) -> Result<L::Tx, PortError> {
        let daemon = self.daemon();
        L::decode(&tx.0).map_err(|error| PortError::Broken(format!("{daemon}: the swap's own opening: {error}")))
    }

    async fn confirmed_tx(&self, txid: TxId, block: BlockHash) -> Result<L::Tx, PortError> {
        let bytes = self.rpc.block_transaction_bytes(txid, block).await?;
        L::decode(&bytes).map_err(|error| self.unreadable("getrawtransaction", "transaction", &error))
    }

    async fn mempool_tx(&self, txid: TxId) -> Result<Option<L::Tx>, PortError> {
        let bytes = self.rpc.mempool_transaction_bytes(txid).await?;
        bytes
            .map(|bytes| L::decode(&bytes))
            .transpose()
            .map_err(|error| self.unreadable("getrawtransaction", "transaction", &error))
    }

    async fn mempool(&self) -> Result<HashSet<TxId>, PortError> {
        match self.rpc.mempool().await {
            // blocks are read without it: the node is not away for that
            Err(error @ RpcError::Forbidden { .. }) => Err(PortError::Refused(error.to_string())),
            ids => Ok(ids?.into_iter().collect()),
        }
    }
}

impl<L: Ledger> Node<L> {
    fn unreadable(&self, method: &'static str, what: &str, error: &str) -> PortError {
        self.rpc.broken(method, format!("answer is no {what}: {error}")).into()
    }
}

//! The node as the watcher sees it.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use bitcoin::hashes::Hash;
use bitcoin::{BlockHash, ScriptBuf};
use elements::encode::serialize;

use crate::chain::elements_rpc::ElementsRpc;
use crate::chain::watch::{Block, ChainTx, Source, UnspentOutput};
use crate::ports::{PortError, Tip};
use crate::units::{Height, OutPoint, RawTx, TxId};

/// Ids of Elements' types in the types of the ports: the same bytes.
pub(super) fn txid(id: elements::Txid) -> TxId {
    TxId(bitcoin::Txid::from_byte_array(id.to_byte_array()))
}

pub(super) fn outpoint(of: elements::OutPoint) -> OutPoint {
    OutPoint {
        txid: txid(of.txid),
        vout: of.vout,
    }
}

impl ChainTx for elements::Transaction {
    fn txid(&self) -> TxId {
        txid(elements::Transaction::txid(self))
    }

    fn spends(&self) -> Vec<OutPoint> {
        // a peg-in spends an output of Bitcoin
        self.input
            .iter()
            .filter(|input| !input.is_pegin)
            .map(|input| outpoint(input.previous_output))
            .collect()
    }

    fn outputs_to(&self, script: &ScriptBuf) -> Vec<u32> {
        let paying = |output: &elements::TxOut| output.script_pubkey.as_bytes() == script.as_bytes();
        (0..)
            .zip(&self.output)
            .filter(|(_, output)| paying(output))
            .map(|(vout, _)| vout)
            .collect()
    }

    fn raw(&self) -> RawTx {
        RawTx::from(serialize(self))
    }
}

/// The node, and the chain that it had when we met it.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) rpc: Arc<ElementsRpc>,
    pub(super) genesis: BlockHash,
}

#[async_trait]
impl Source for Node {
    type Tx = elements::Transaction;

    fn daemon(&self) -> &'static str {
        "elementsd"
    }

    async fn verify(&self) -> Result<(), PortError> {
        let genesis = self.rpc.block_hash(Height(0)).await?;
        if genesis == self.genesis {
            return Ok(());
        }
        Err(PortError::Broken(format!(
            "elementsd getblockhash: block 0 is {genesis} now, was {}: another chain at the same address",
            self.genesis
        )))
    }

    async fn wait_for(&self, height: Height) -> Result<Tip, PortError> {
        Ok(self.rpc.wait_for_height(height).await?)
    }

    async fn block(&self, hash: BlockHash) -> Result<Block<elements::Transaction>, PortError> {
        let block = self.rpc.block(hash).await?;
        let previous = BlockHash::from_byte_array(block.header.prev_blockhash.to_byte_array());
        Ok(Block {
            previous,
            txs: block.txdata,
        })
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

    async fn confirmed_tx(&self, txid: TxId, block: BlockHash) -> Result<elements::Transaction, PortError> {
        Ok(self.rpc.block_transaction(txid, block).await?)
    }

    async fn mempool_tx(&self, txid: TxId) -> Result<Option<elements::Transaction>, PortError> {
        Ok(self.rpc.mempool_transaction(txid).await?)
    }

    async fn mempool(&self) -> Result<HashSet<TxId>, PortError> {
        Ok(self.rpc.mempool().await?.into_iter().collect())
    }
}

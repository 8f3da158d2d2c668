//! The node's calls.

use std::time::Instant;

use bitcoin::BlockHash;
use jsonrpsee::rpc_params;
use serde::de::IgnoredAny;

use super::error::{RpcError, code};
use super::types::{
    BlockchainInfo, FeeEstimate, HexBytes, MempoolEntry, MempoolInfo, NetworkInfo, RawTransaction, TipAnswer, TxOutInfo,
};
use super::{NodeRpc, Receiver};
use crate::ports::Tip;
use crate::units::{Blocks, Height, OutPoint, RawTx, TxId};

impl NodeRpc {
    /// `getblockchaininfo`.
    pub async fn blockchain_info(&self) -> Result<BlockchainInfo, RpcError> {
        self.call("getblockchaininfo", rpc_params![]).await
    }

    /// `getnetworkinfo`.
    pub async fn network_info(&self) -> Result<NetworkInfo, RpcError> {
        self.call("getnetworkinfo", rpc_params![]).await
    }

    /// `getblockhash`: the block at a height of the best chain.
    pub async fn block_hash(&self, height: Height) -> Result<BlockHash, RpcError> {
        self.call("getblockhash", rpc_params![height.0]).await
    }

    /// `getblock`, the bytes of it.
    pub async fn block_bytes(&self, hash: BlockHash) -> Result<Vec<u8>, RpcError> {
        let HexBytes(bytes) = self.call("getblock", rpc_params![hash, 0]).await?;
        Ok(bytes)
    }

    /// `waitforblockheight`: returns the tip as soon as it is at least that high, or when the poll's time is over.
    pub async fn wait_for_height(&self, height: Height) -> Result<Tip, RpcError> {
        const METHOD: &str = "waitforblockheight";
        let millis = u64::try_from(self.poll.as_millis()).unwrap_or(u64::MAX);
        let asked = Instant::now();
        let answer: TipAnswer = self
            .request(Receiver::LongPoll, METHOD, rpc_params![height.0, millis])
            .await?;
        // a node that shuts down lets its callers go: asking it again at once would spin
        if answer.height < height.0 && asked.elapsed() < self.poll / 2 {
            return Err(RpcError::unreachable(
                self.daemon,
                METHOD,
                "stopped waiting before its time: the node shuts down",
            ));
        }
        Ok(answer.into())
    }

    /// `gettxout`, in blocks only: None if it is spent, or not there.
    pub async fn tx_out(&self, output: OutPoint) -> Result<Option<TxOutInfo>, RpcError> {
        self.call("gettxout", rpc_params![output.txid.0, output.vout, false])
            .await
    }

    /// `gettxout`, the mempool included: whether nothing known spends it.
    pub async fn is_unspent(&self, output: OutPoint) -> Result<bool, RpcError> {
        let found: Option<IgnoredAny> = self
            .call("gettxout", rpc_params![output.txid.0, output.vout, true])
            .await?;
        Ok(found.is_some())
    }

    /// `getmempoolentry`: None if it is not in the mempool.
    pub async fn mempool_entry(&self, txid: TxId) -> Result<Option<MempoolEntry>, RpcError> {
        match self.call("getmempoolentry", rpc_params![txid.0]).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.code() == Some(code::NOT_FOUND) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// `getrawmempool`.
    pub async fn mempool(&self) -> Result<Vec<TxId>, RpcError> {
        let ids: Vec<bitcoin::Txid> = self.call("getrawmempool", rpc_params![]).await?;
        Ok(ids.into_iter().map(TxId).collect())
    }

    /// `getrawtransaction` of one in the mempool: None if it is not there, also when a block holds it.
    pub async fn mempool_transaction_bytes(&self, txid: TxId) -> Result<Option<Vec<u8>>, RpcError> {
        match self
            .call::<RawTransaction>("getrawtransaction", rpc_params![txid.0, true])
            .await
        {
            Ok(found) => Ok(found.blockhash.is_none().then_some(found.hex.0)),
            Err(error) if error.code() == Some(code::NOT_FOUND) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// `getrawtransaction` of one in a block.
    pub async fn block_transaction_bytes(&self, txid: TxId, block: BlockHash) -> Result<Vec<u8>, RpcError> {
        let params = rpc_params![txid.0, false, block];
        let HexBytes(bytes) = self.call("getrawtransaction", params).await?;
        Ok(bytes)
    }

    /// `sendrawtransaction`, whatever the fee: what a transaction may pay was judged when it was made, and a claim whose
    /// coin is at stake may pay more than the node's own limit of 0.1 BTC/kvB. Known already, in the mempool or in a
    /// block, is Ok.
    pub async fn send_raw_transaction(&self, tx: &RawTx) -> Result<(), RpcError> {
        let params = rpc_params![hex::encode(&tx.0), 0];
        match self.call::<bitcoin::Txid>("sendrawtransaction", params).await {
            Ok(_) => Ok(()),
            Err(RpcError::Refused { code, message, .. }) if is_known(code, &message) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// `estimatesmartfee`, economical: it follows falling rates. `within`: blocks, at least 2.
    pub async fn fee_estimate(&self, within: Blocks) -> Result<FeeEstimate, RpcError> {
        self.call("estimatesmartfee", rpc_params![within.0, "ECONOMICAL"]).await
    }

    /// `getmempoolinfo`.
    pub async fn mempool_info(&self) -> Result<MempoolInfo, RpcError> {
        self.call("getmempoolinfo", rpc_params![]).await
    }
}

/// The node's ways to say that it has a transaction (validation.cpp, node/transaction.cpp).
fn is_known(number: i32, message: &str) -> bool {
    number == code::ALREADY_IN_CHAIN
        || message.contains("txn-already-in-mempool")
        || message.contains("txn-already-known")
        || message.contains("txn-same-nonwitness-data-in-mempool")
}

//! The node's calls.

use std::time::Instant;

use bitcoin::BlockHash;
use elements::encode::deserialize;
use jsonrpsee::rpc_params;

use super::client::ElementsRpc;
use super::error::{RpcError, code};
use super::types::{
    BlockchainInfo, Decoded, FeeEstimate, MempoolInfo, NetworkInfo, RawTransaction, SidechainInfo, TipAnswer, TxOutInfo,
};
use crate::ports::Tip;
use crate::units::{Height, OutPoint, RawTx, TxId};

/// Blocks within which an estimate wants to be mined: the least that the node takes.
const CONFIRM_TARGET: u32 = 2;

fn bytes(method: &'static str, text: &str) -> Result<Vec<u8>, RpcError> {
    hex::decode(text).map_err(|e| RpcError::broken(method, format!("answer is no hex: {e}")))
}

pub(super) fn transaction(method: &'static str, text: &str) -> Result<elements::Transaction, RpcError> {
    deserialize(&bytes(method, text)?).map_err(|e| RpcError::broken(method, format!("answer is no transaction: {e}")))
}

impl ElementsRpc {
    /// `getblockchaininfo`.
    pub async fn blockchain_info(&self) -> Result<BlockchainInfo, RpcError> {
        self.call("getblockchaininfo", rpc_params![]).await
    }

    /// `getnetworkinfo`.
    pub async fn network_info(&self) -> Result<NetworkInfo, RpcError> {
        self.call("getnetworkinfo", rpc_params![]).await
    }

    /// `getsidechaininfo`.
    pub async fn sidechain_info(&self) -> Result<SidechainInfo, RpcError> {
        self.call("getsidechaininfo", rpc_params![]).await
    }

    /// `getblockhash`: the block at a height of the best chain.
    pub async fn block_hash(&self, height: Height) -> Result<BlockHash, RpcError> {
        self.call("getblockhash", rpc_params![height.0]).await
    }

    /// `getblock`, the bytes of it.
    pub async fn block(&self, hash: BlockHash) -> Result<elements::Block, RpcError> {
        const METHOD: &str = "getblock";
        let text: String = self.call(METHOD, rpc_params![hash, 0]).await?;
        deserialize(&bytes(METHOD, &text)?).map_err(|e| RpcError::broken(METHOD, format!("answer is no block: {e}")))
    }

    /// `waitforblockheight`: returns the tip as soon as it is at least that high, or when the poll's time is over.
    pub async fn wait_for_height(&self, height: Height) -> Result<Tip, RpcError> {
        const METHOD: &str = "waitforblockheight";
        let millis = u64::try_from(self.poll.as_millis()).unwrap_or(u64::MAX);
        let asked = Instant::now();
        let answer: TipAnswer = self.call_waiting(METHOD, rpc_params![height.0, millis]).await?;
        // a node that shuts down lets its callers go: asking it again at once would spin
        if answer.height < height.0 && asked.elapsed() < self.poll / 2 {
            return Err(RpcError::unreachable(
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

    /// `getrawmempool`.
    pub async fn mempool(&self) -> Result<Vec<TxId>, RpcError> {
        let ids: Vec<bitcoin::Txid> = self.call("getrawmempool", rpc_params![]).await?;
        Ok(ids.into_iter().map(TxId).collect())
    }

    /// `getrawtransaction` of one in the mempool: None if it is not there, also when a block holds it.
    pub async fn mempool_transaction(&self, txid: TxId) -> Result<Option<elements::Transaction>, RpcError> {
        const METHOD: &str = "getrawtransaction";
        match self.call::<RawTransaction>(METHOD, rpc_params![txid.0, true]).await {
            Ok(found) if found.blockhash.is_none() => transaction(METHOD, &found.hex).map(Some),
            Ok(_) => Ok(None),
            Err(error) if error.code() == Some(code::NOT_FOUND) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// `getrawtransaction` of one in a block.
    pub async fn block_transaction(&self, txid: TxId, block: BlockHash) -> Result<elements::Transaction, RpcError> {
        const METHOD: &str = "getrawtransaction";
        let text: String = self.call(METHOD, rpc_params![txid.0, false, block]).await?;
        transaction(METHOD, &text)
    }

    /// `sendrawtransaction`. Known already, in the mempool or in a block, is Ok.
    pub async fn send_raw_transaction(&self, tx: &RawTx) -> Result<(), RpcError> {
        match self
            .call::<bitcoin::Txid>("sendrawtransaction", rpc_params![hex::encode(&tx.0)])
            .await
        {
            Ok(_) => Ok(()),
            Err(RpcError::Refused { code, message, .. }) if is_known(code, &message) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// `estimatesmartfee`, economical: it follows falling rates.
    pub async fn fee_estimate(&self) -> Result<FeeEstimate, RpcError> {
        self.call("estimatesmartfee", rpc_params![CONFIRM_TARGET, "ECONOMICAL"])
            .await
    }

    /// `getmempoolinfo`.
    pub async fn mempool_info(&self) -> Result<MempoolInfo, RpcError> {
        self.call("getmempoolinfo", rpc_params![]).await
    }

    /// `decoderawtransaction`: whether the node knows a discounted size for it. It does where it accepts discounts
    /// (core_write.cpp, `GetAcceptDiscountCT`).
    pub async fn knows_discount(&self, tx: &elements::Transaction) -> Result<bool, RpcError> {
        let text = elements::encode::serialize_hex(tx);
        let decoded: Decoded = self.call("decoderawtransaction", rpc_params![text]).await?;
        Ok(decoded.discountvsize.is_some())
    }
}

/// The node's ways to say that it has a transaction (validation.cpp, node/transaction.cpp).
fn is_known(number: i32, message: &str) -> bool {
    number == code::ALREADY_IN_CHAIN
        || message.contains("txn-already-in-mempool")
        || message.contains("txn-already-known")
        || message.contains("txn-same-nonwitness-data-in-mempool")
}

//! What Bitcoin does otherwise than Liquid.

use async_trait::async_trait;
use bitcoin::consensus::{deserialize, serialize};
use bitcoin::transaction::Version;
use bitcoin::{Amount, ScriptBuf, Sequence, Transaction, TxIn, TxOut, absolute};

use crate::chain::backend::{Holdings, Ledger};
use crate::chain::bitcoin_rpc::BitcoinRpc;
use crate::chain::rpc::{BlockchainInfo, Btc, Funded, NetworkInfo, RpcError};
use crate::chain::watch::{Block, ChainTx};
use crate::ports::PortError;
use crate::swap::state::TxCost;
use crate::swap::terms::Payout;
use crate::swap::timelocks::Timelocks;
use crate::tx::{self, OpeningOutput};
use crate::units::{Asset, Blocks, FeeRate, OutPoint, RawTx, TxId};

impl ChainTx for Transaction {
    fn txid(&self) -> TxId {
        TxId(self.compute_txid())
    }

    fn spends(&self) -> Vec<OutPoint> {
        let outpoint = |input: &TxIn| OutPoint {
            txid: TxId(input.previous_output.txid),
            vout: input.previous_output.vout,
        };
        self.input.iter().map(outpoint).collect()
    }

    fn outputs_to(&self, script: &ScriptBuf) -> Vec<u32> {
        (0..)
            .zip(&self.output)
            .filter(|(_, output)| output.script_pubkey == *script)
            .map(|(vout, _)| vout)
            .collect()
    }

    fn raw(&self) -> RawTx {
        RawTx::from(serialize(self))
    }
}

/// A Bitcoin chain.
#[derive(Debug)]
pub struct Bitcoin {
    /// The node has wallets.
    pub(super) has_wallet: bool,
}

#[async_trait]
impl Ledger for Bitcoin {
    type Rpc = BitcoinRpc;
    type Tx = Transaction;
    const ASSET: Asset = Asset::Btc;
    /// What the Go implementation asks for (peerswap onchain/bitcoin.go at 816a5bb): an hour.
    const MINED_WITHIN: Blocks = Blocks(6);

    fn decode(bytes: &[u8]) -> Result<Transaction, String> {
        deserialize(bytes).map_err(|error| error.to_string())
    }

    fn decode_block(bytes: &[u8]) -> Result<Block<Transaction>, String> {
        let block: bitcoin::Block = deserialize(bytes).map_err(|error| error.to_string())?;
        Ok(Block {
            previous: block.header.prev_blockhash,
            txs: block.txdata,
        })
    }

    fn policy_asset(&self) -> Option<elements::AssetId> {
        None
    }

    fn discount(&self) -> bool {
        false
    }

    fn unfit(&self, chain: &BlockchainInfo, _: &NetworkInfo) -> Option<String> {
        let oldest = chain.pruneheight.filter(|oldest| *oldest > 0)?;
        let needed = blocks_needed();
        (chain.blocks.saturating_sub(oldest) < needed.0).then(|| {
            format!(
                "bitcoind has pruned its blocks below {oldest} of {}: a swap may need the last {needed}, \
                 set `prune` to more megabytes",
                chain.blocks
            )
        })
    }

    fn template(&self, spending: &[OutPoint], output: &OpeningOutput) -> Result<Vec<u8>, PortError> {
        if spending.is_empty() {
            return Ok(tx::funding_template(output).0.to_vec());
        }
        let replaceable = |spent: &OutPoint| TxIn {
            previous_output: bitcoin::OutPoint::new(spent.txid.0, spent.vout),
            sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
            ..TxIn::default()
        };
        Ok(serialize(&Transaction {
            version: Version::TWO,
            lock_time: absolute::LockTime::ZERO,
            input: spending.iter().map(replaceable).collect(),
            output: vec![TxOut {
                value: output.amount,
                script_pubkey: output.script.clone(),
            }],
        }))
    }

    async fn fund(rpc: &BitcoinRpc, template: &[u8], rate: FeeRate) -> Result<Funded, RpcError> {
        rpc.fund(template, rate).await
    }

    async fn finish(&self, rpc: &BitcoinRpc, funded: Funded, _: FeeRate) -> Result<(Transaction, TxCost), RpcError> {
        signed(rpc, &funded.hex.0, funded.fee.0).await
    }

    async fn readable(&self, _: &BitcoinRpc, tx: &Transaction) -> Result<Vec<(u32, ScriptBuf, Amount)>, RpcError> {
        let outputs = (0..).zip(&tx.output);
        Ok(outputs
            .map(|(vout, output)| (vout, output.script_pubkey.clone(), output.value))
            .collect())
    }

    async fn spend(
        &self,
        rpc: &BitcoinRpc,
        spent: &[OutPoint],
        output: &OpeningOutput,
        fee: Amount,
    ) -> Result<(Transaction, TxCost), PortError> {
        let template = self.template(spent, output)?;
        Ok(signed(rpc, &template, fee).await?)
    }

    async fn new_address(rpc: &BitcoinRpc, label: &str) -> Result<Payout, RpcError> {
        let address = rpc.new_address(label).await?;
        let script = rpc.address_info(&address).await?.script;
        Ok(Payout {
            address,
            script,
            blinding_key: None,
        })
    }

    async fn holdings(&self, rpc: &BitcoinRpc) -> Result<Holdings, RpcError> {
        let all = rpc.balances().await?.mine;
        let unlocked = rpc.unspent().await?;
        let outputs = unlocked.iter().map(|output| (output.amount, output.confirmations));
        Ok(Holdings::of(all.trusted.0 + all.untrusted_pending.0, outputs))
    }

    async fn send(&self, rpc: &BitcoinRpc, address: &str, amount: Amount, rate: FeeRate) -> Result<TxId, RpcError> {
        rpc.send_to_address(address, Btc(amount), rate).await
    }
}

/// The transaction, signed by the wallet; a Bitcoin transaction does not tell its fee.
async fn signed(rpc: &BitcoinRpc, tx: &[u8], fee: Amount) -> Result<(Transaction, TxCost), RpcError> {
    let signed = rpc.sign_raw(tx).await?;
    let tx = Bitcoin::decode(&signed).map_err(|error| {
        let reason = format!("answer is no transaction: {error}");
        rpc.broken("signrawtransactionwithwallet", reason)
    })?;
    let vsize = u64::try_from(tx.vsize()).expect("a transaction is shorter than 2^64 bytes");
    let cost = TxCost {
        fee,
        vsize,
        discount_vsize: vsize,
    };
    Ok((tx, cost))
}

/// How far back a swap that is looked up anew may begin: its whole window, and then the wait for the refund.
fn blocks_needed() -> Blocks {
    let timelocks = Timelocks::of(Asset::Btc, 7).expect("version 7 swaps BTC");
    Blocks(timelocks.window.0.saturating_add(timelocks.csv.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unfit(blocks: u32, pruneheight: Option<u32>) -> Option<String> {
        let chain = serde_json::json!({
            "chain": "main",
            "blocks": blocks,
            "headers": blocks,
            "bestblockhash": "00".repeat(32),
            "initialblockdownload": false,
            "pruneheight": pruneheight,
        });
        let node = r#"{"version":290000,"subversion":"/Satoshi:29.0.0/","incrementalfee":0.00001000}"#;
        let (chain, node) = (
            serde_json::from_value(chain).unwrap(),
            serde_json::from_str(node).unwrap(),
        );
        Bitcoin { has_wallet: true }.unfit(&chain, &node)
    }

    #[test]
    fn a_node_that_has_thrown_away_what_a_swap_may_need_is_unfit() {
        assert_eq!(unfit(900_000, None), None);
        assert_eq!(unfit(900_000, Some(900_000 - 1512)), None);
        assert_eq!(unfit(900, Some(0)), None, "pruning is on, and nothing is pruned yet");
        let reason = unfit(900_000, Some(899_600)).unwrap();
        assert!(
            reason.contains("below 899600 of 900000") && reason.contains("last 1512"),
            "{reason}"
        );
    }
}

//! What Liquid does otherwise than Bitcoin.

use async_trait::async_trait;
use bitcoin::hashes::Hash;
use bitcoin::{Amount, ScriptBuf};
use elements::encode::{deserialize, serialize};
use elements::{AssetId, Transaction, TxOut};

use super::releases::{self, Releases};
use super::transactions::{self, move_to_change};
use crate::chain::backend::{Holdings, Ledger};
use crate::chain::elements_rpc::ElementsRpc;
use crate::chain::rpc::{BlockchainInfo, Btc, Funded, NetworkInfo, RpcError};
use crate::chain::watch::Block;
use crate::ports::PortError;
use crate::swap::state::TxCost;
use crate::swap::terms::Payout;
use crate::tx::OpeningOutput;
use crate::units::{Asset, Blocks, FeeRate, OutPoint, TxId};

/// Elements' label of the pegged asset.
const PEGGED_LABEL: &str = "bitcoin";

/// A Liquid chain.
#[derive(Debug)]
pub struct Liquid {
    /// L-BTC on it.
    pub(super) asset: AssetId,
    /// The node judges fees by the discounted size.
    pub(super) discount: bool,
    /// Releases that new swaps may rely on.
    pub(super) safe_releases: Vec<Releases>,
}

impl Liquid {
    fn cost(&self, tx: &Transaction) -> TxCost {
        TxCost {
            fee: Amount::from_sat(tx.fee_in(self.asset)),
            vsize: tx.vsize() as u64,
            discount_vsize: tx.discount_vsize() as u64,
        }
    }

    fn unblinded(&self, spending: &[OutPoint], output: &OpeningOutput) -> Result<Transaction, PortError> {
        transactions::template(self.asset, spending, output)
            .map_err(|e| PortError::Broken(format!("blinding key is no nonce: {e}")))
    }

    async fn blinded_and_signed(rpc: &ElementsRpc, tx: &Transaction) -> Result<Transaction, RpcError> {
        let signed = rpc.sign_raw(&rpc.blind(tx).await?).await?;
        let unreadable = |error| {
            rpc.broken(
                "signrawtransactionwithwallet",
                format!("answer is no transaction: {error}"),
            )
        };
        deserialize(&signed).map_err(unreadable)
    }
}

#[async_trait]
impl Ledger for Liquid {
    type Rpc = ElementsRpc;
    type Tx = Transaction;
    const ASSET: Asset = Asset::Lbtc;
    /// The least that the node takes.
    const MINED_WITHIN: Blocks = Blocks(2);

    fn decode(bytes: &[u8]) -> Result<Transaction, String> {
        deserialize(bytes).map_err(|error| error.to_string())
    }

    fn decode_block(bytes: &[u8]) -> Result<Block<Transaction>, String> {
        let block: elements::Block = deserialize(bytes).map_err(|error| error.to_string())?;
        Ok(Block {
            previous: bitcoin::BlockHash::from_byte_array(block.header.prev_blockhash.to_byte_array()),
            txs: block.txdata,
        })
    }

    fn policy_asset(&self) -> Option<AssetId> {
        Some(self.asset)
    }

    fn discount(&self) -> bool {
        self.discount
    }

    fn unfit(&self, chain: &BlockchainInfo, node: &NetworkInfo) -> Option<String> {
        releases::unfit(chain, node, &self.safe_releases)
    }

    fn template(&self, spending: &[OutPoint], output: &OpeningOutput) -> Result<Vec<u8>, PortError> {
        self.unblinded(spending, output).map(|tx| serialize(&tx))
    }

    async fn fund(rpc: &ElementsRpc, template: &[u8], rate: FeeRate) -> Result<Funded, RpcError> {
        rpc.fund(template, rate).await
    }

    async fn finish(
        &self,
        rpc: &ElementsRpc,
        funded: Funded,
        rate: FeeRate,
    ) -> Result<(Transaction, TxCost), RpcError> {
        let mut tx = Self::decode(&funded.hex.0)
            .map_err(|error| rpc.broken("fundrawtransaction", format!("answer is no transaction: {error}")))?;
        let mut signed = Self::blinded_and_signed(rpc, &tx).await?;
        let cost = self.cost(&signed);
        let size = if self.discount { cost.discount_vsize } else { cost.vsize };
        // one byte more than measured: signatures differ in length from one signing to the next
        let enough = rate.fee(size + 1);
        if cost.fee > enough && move_to_change(&mut tx, funded.changepos, cost.fee - enough) {
            signed = Self::blinded_and_signed(rpc, &tx).await?;
        }
        let cost = self.cost(&signed);
        Ok((signed, cost))
    }

    async fn readable(&self, rpc: &ElementsRpc, tx: &Transaction) -> Result<Vec<(u32, ScriptBuf, Amount)>, RpcError> {
        let clear = rpc.unblind(tx).await?;
        let readable = (0..).zip(&clear.output).filter_map(|(vout, output)| {
            let sat = output.value.explicit()?;
            let is_money = output.asset.explicit() == Some(self.asset) && !output.is_fee();
            is_money.then(|| {
                let script = ScriptBuf::from(output.script_pubkey.to_bytes());
                (vout, script, Amount::from_sat(sat))
            })
        });
        Ok(readable.collect())
    }

    async fn spend(
        &self,
        rpc: &ElementsRpc,
        spent: &[OutPoint],
        output: &OpeningOutput,
        fee: Amount,
    ) -> Result<(Transaction, TxCost), PortError> {
        let mut tx = self.unblinded(spent, output)?;
        tx.output.push(TxOut::new_fee(fee.to_sat(), self.asset));
        let signed = Self::blinded_and_signed(rpc, &tx).await?;
        let cost = self.cost(&signed);
        Ok((signed, cost))
    }

    async fn new_address(rpc: &ElementsRpc, label: &str) -> Result<Payout, RpcError> {
        let address = rpc.new_address(label).await?;
        let info = rpc.address_info(&address).await?;
        if info.confidential_key.is_none() {
            return Err(rpc.broken("getnewaddress", format!("{address} is not confidential")));
        }
        Ok(Payout {
            address,
            script: info.script,
            blinding_key: info.confidential_key,
        })
    }

    async fn holdings(&self, rpc: &ElementsRpc) -> Result<Holdings, RpcError> {
        let all = rpc.balances().await?.mine;
        let unlocked = rpc.unspent(self.asset).await?;
        let id = self.asset.to_string();
        let of = |balances: &std::collections::BTreeMap<String, Btc>| {
            balances
                .get(PEGGED_LABEL)
                .or_else(|| balances.get(&id))
                .map_or(Amount::ZERO, |btc| btc.0)
        };
        let outputs = unlocked.iter().map(|output| (output.amount, output.confirmations));
        Ok(Holdings::of(of(&all.trusted) + of(&all.untrusted_pending), outputs))
    }

    async fn send(&self, rpc: &ElementsRpc, address: &str, amount: Amount, rate: FeeRate) -> Result<TxId, RpcError> {
        rpc.send_to_address(address, Btc(amount), self.asset, rate).await
    }
}

//! Transactions of a swap, as a chain shows them while they wait for a block.

use std::sync::Arc;

use ::bitcoin::hashes::Hash;
use ::bitcoin::hex::FromHex;
use ::bitcoin::{Amount, ScriptBuf};
use anyhow::{Context, Result};
use elements::Txid;
use jsonrpsee::rpc_params;
use serde::Deserialize;
use sluice::chain::bitcoin_rpc::BitcoinRpc;
use sluice::chain::rpc::{Auth, Btc, Endpoint};
use sluice::units::{OutPoint, TxId};

use super::PATIENCE;
use super::liquid::{Access, Liquid};

/// A transaction of a swap that waits for a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its id.
    pub id: TxId,
    /// Its fee.
    pub fee_sat: u64,
    /// Its virtual size.
    pub vsize: u64,
    /// Its discounted virtual size, by which fees are judged on Liquid (ELIP-200).
    pub discount_vsize: Option<u64>,
    /// Its first P2WSH output: of an opening, the swap's. A wallet's change is none.
    pub swapped: Option<OutPoint>,
}

/// A chain that is swapped on, asked what it shows.
pub enum Onlooker<'a> {
    /// Liquid.
    Liquid(&'a Liquid),
    /// Bitcoin, of whichever kind: both answer the same calls.
    Bitcoin(Arc<BitcoinRpc>),
}

/// What bitcoind tells of a transaction.
#[derive(Deserialize)]
struct Raw {
    vin: Vec<Input>,
    vout: Vec<Output>,
}

#[derive(Deserialize)]
struct Input {
    txid: Option<::bitcoin::Txid>,
    vout: Option<u32>,
}

#[derive(Deserialize)]
struct Output {
    #[serde(rename = "scriptPubKey")]
    script: Script,
}

#[derive(Deserialize)]
struct Script {
    hex: String,
}

/// What bitcoind tells of a transaction in its mempool.
#[derive(Deserialize)]
struct Waiting {
    vsize: u64,
    fees: Fees,
}

#[derive(Deserialize)]
struct Fees {
    base: Btc,
}

/// A client of a Bitcoin node and a wallet of it.
#[must_use]
pub fn bitcoin_rpc(access: Access, wallet: &str) -> BitcoinRpc {
    BitcoinRpc::new(&Endpoint {
        url: access.rpc_url,
        auth: Auth::Password {
            user: access.user,
            password: access.password.into(),
        },
        wallet: wallet.to_owned(),
        timeout: PATIENCE,
        poll: std::time::Duration::from_secs(1),
    })
}

/// Everything in the wallet that a client speaks to, confirmed or not.
///
/// # Errors
/// If the node does not tell.
pub async fn bitcoin_total(wallet: &BitcoinRpc) -> Result<Amount> {
    let held = wallet.balances().await?.mine;
    Ok(held.trusted.0 + held.untrusted_pending.0)
}

impl Onlooker<'_> {
    /// The ids of the transactions that wait for a block.
    ///
    /// # Errors
    /// If the node does not tell.
    pub async fn mempool(&self) -> Result<Vec<TxId>> {
        match self {
            Onlooker::Liquid(liquid) => {
                let waiting = liquid.mempool().await?.into_iter();
                Ok(waiting
                    .map(|id| TxId(::bitcoin::Txid::from_byte_array(id.to_byte_array())))
                    .collect())
            }
            Onlooker::Bitcoin(node) => Ok(node.mempool().await?),
        }
    }

    /// A transaction that waits for a block.
    ///
    /// # Errors
    /// If it does not.
    pub async fn waiting(&self, id: TxId) -> Result<Seen> {
        match self {
            Onlooker::Liquid(liquid) => {
                let tx = liquid.transaction(&liquid_id(id)).await?;
                let tx = tx.with_context(|| format!("the chain has no transaction {id}"))?;
                let p2wsh = tx.output.iter().position(|output| output.script_pubkey.is_v0_p2wsh());
                Ok(Seen {
                    id,
                    fee_sat: tx.all_fees().values().sum(),
                    vsize: tx.vsize().try_into()?,
                    discount_vsize: Some(tx.discount_vsize().try_into()?),
                    swapped: output(id, p2wsh)?,
                })
            }
            Onlooker::Bitcoin(node) => {
                let waiting: Waiting = node.call("getmempoolentry", rpc_params![id.to_string()]).await?;
                let scripts: Vec<ScriptBuf> = raw(node, id)
                    .await?
                    .vout
                    .iter()
                    .map(|output| Ok(ScriptBuf::from_bytes(Vec::from_hex(&output.script.hex)?)))
                    .collect::<Result<_>>()?;
                Ok(Seen {
                    id,
                    fee_sat: waiting.fees.base.0.to_sat(),
                    vsize: waiting.vsize,
                    discount_vsize: None,
                    swapped: output(id, scripts.iter().position(|script| script.is_p2wsh()))?,
                })
            }
        }
    }

    /// The transaction in the mempool that spends an opening's output; None while there is none.
    ///
    /// # Errors
    /// If the node does not tell, or the transaction is no opening.
    pub async fn spend_of(&self, opening: &Seen) -> Result<Option<Seen>> {
        let swapped = opening.swapped.context("the opening has no P2WSH output")?;
        for id in self.mempool().await? {
            if id != opening.id && self.spends(id, swapped).await? {
                return self.waiting(id).await.map(Some);
            }
        }
        Ok(None)
    }

    async fn spends(&self, id: TxId, output: OutPoint) -> Result<bool> {
        match self {
            Onlooker::Liquid(liquid) => {
                let tx = liquid.transaction(&liquid_id(id)).await?;
                let mut inputs = tx.iter().flat_map(|tx| &tx.input).map(|input| input.previous_output);
                Ok(inputs.any(|spent| {
                    spent.txid.to_byte_array() == output.txid.0.to_byte_array() && spent.vout == output.vout
                }))
            }
            Onlooker::Bitcoin(node) => {
                let wanted = (Some(output.txid.0), Some(output.vout));
                let inputs = raw(node, id).await?.vin;
                Ok(inputs.iter().any(|input| (input.txid, input.vout) == wanted))
            }
        }
    }
}

fn liquid_id(id: TxId) -> Txid {
    Txid::from_byte_array(id.0.to_byte_array())
}

async fn raw(node: &BitcoinRpc, id: TxId) -> Result<Raw> {
    Ok(node.call("getrawtransaction", rpc_params![id.to_string(), 1]).await?)
}

fn output(txid: TxId, vout: Option<usize>) -> Result<Option<OutPoint>> {
    let vout = vout.map(u32::try_from).transpose()?;
    Ok(vout.map(|vout| OutPoint { txid, vout }))
}

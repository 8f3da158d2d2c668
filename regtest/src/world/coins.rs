//! The chains of a pair, by the asset that lives on them: one set of calls, so that a swap is played alike on both.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use bitcoin::hashes::Hash;
use bitcoin::hex::FromHex;
use bitcoin::{Amount, ScriptBuf};
use elements::Txid;
use jsonrpsee::rpc_params;
use serde::Deserialize;
use sluice::chain::bitcoin_rpc::BitcoinRpc;
use sluice::chain::rpc::{Auth, Btc, Endpoint};
use sluice::units::{Asset, OutPoint, TxId};

use super::lightning::Lightning;
use super::pair::{PATIENCE, Pair};
use super::party::Party;
use super::real_nodes::RealNode;
use super::side::Side;
use crate::daemons::bitcoind::MATURITY;
use crate::daemons::wait_for;

/// The P2WSH example of BIP 173, on regtest: an address of nobody.
const NOBODY: &str = "bcrt1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qzf4jry";

/// A transaction of a swap, as the chain showed it while it waited for a block.
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

/// What bitcoind tells of a transaction.
#[derive(Deserialize)]
struct Raw {
    vin: Vec<Input>,
    vout: Vec<Output>,
}

#[derive(Deserialize)]
struct Input {
    txid: Option<bitcoin::Txid>,
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

impl Pair {
    /// Mines blocks.
    ///
    /// # Errors
    /// If the node does not.
    pub async fn mine(&self, asset: Asset, blocks: u32) -> Result<()> {
        match asset {
            Asset::Lbtc => self.liquid.mine(blocks).await,
            Asset::Btc => mine_bitcoin(&self.bitcoind("")?, blocks, NOBODY).await,
        }
    }

    /// The height of the tip.
    ///
    /// # Errors
    /// If the node does not tell.
    pub async fn height(&self, asset: Asset) -> Result<u32> {
        match asset {
            Asset::Lbtc => self.liquid.height().await,
            Asset::Btc => Ok(self.bitcoind("")?.call("getblockcount", rpc_params![]).await?),
        }
    }

    /// Gives each side's wallet money: what it was told on Liquid, a block's reward on Bitcoin.
    pub(super) async fn endow(&self, asset: Asset, amount: Amount) -> Result<()> {
        for side in Side::BOTH {
            let address = match (self.party(side), asset) {
                // its Bitcoin wallet is that of its node
                (Party::Go(_), Asset::Btc) => self.node_address(side).await?,
                (party, asset) => party.address(asset).await?,
            };
            match asset {
                Asset::Lbtc => drop(self.liquid.fund(&address, amount).await?),
                Asset::Btc => mine_bitcoin(&self.bitcoind("")?, 1, &address).await?,
            }
        }
        let depth = if asset == Asset::Btc { MATURITY } else { 2 };
        self.mine(asset, depth).await?;
        for side in Side::BOTH {
            let party = self.party(side);
            wait_for("the wallet's money", PATIENCE, || async {
                let held = match party {
                    Party::Sluice(operator) => operator.spendable_sat(asset).await?,
                    Party::Go(_) => self.holdings(side, asset).await?.to_sat(),
                };
                Ok((held >= amount.to_sat()).then_some(()))
            })
            .await?;
        }
        Ok(())
    }

    /// Everything in a side's wallet, confirmed or not, asked of the node: so a daemon may be away.
    ///
    /// # Errors
    /// If the node does not tell.
    pub async fn holdings(&self, side: Side, asset: Asset) -> Result<Amount> {
        match (self.party(side), asset) {
            (_, Asset::Lbtc) => self.liquid.wallet_total(side.name()).await,
            (Party::Sluice(_), Asset::Btc) => {
                let held = self.bitcoind(side.name())?.balances().await?.mine;
                Ok(held.trusted.0 + held.untrusted_pending.0)
            }
            (Party::Go(_), Asset::Btc) => {
                let balance = self.lncli(side, &["walletbalance"]).await?;
                let total = balance["total_balance"].as_str().context("walletbalance")?;
                Ok(Amount::from_sat(total.parse()?))
            }
        }
    }

    /// Whether a transaction waits for a block.
    ///
    /// # Errors
    /// If the node does not tell.
    pub async fn is_waiting(&self, asset: Asset, id: TxId) -> Result<bool> {
        Ok(self.mempool(asset).await?.contains(&id))
    }

    /// A transaction that waits for a block.
    ///
    /// # Errors
    /// If it does not.
    pub async fn waiting(&self, asset: Asset, id: TxId) -> Result<Seen> {
        match asset {
            Asset::Lbtc => {
                let tx = self
                    .liquid
                    .transaction(&Txid::from_byte_array(id.0.to_byte_array()))
                    .await?;
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
            Asset::Btc => {
                let node = self.bitcoind("")?;
                let waiting: Waiting = node.call("getmempoolentry", rpc_params![id.to_string()]).await?;
                let raw: Raw = node.call("getrawtransaction", rpc_params![id.to_string(), 1]).await?;
                let scripts: Vec<ScriptBuf> = raw
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

    /// Waits until the swap's output of an opening is spent by a transaction in the mempool.
    ///
    /// # Errors
    /// After [`PATIENCE`], with both sides' last lines.
    pub async fn spend_of(&self, asset: Asset, opening: &Seen) -> Result<Seen> {
        let swapped = opening.swapped.context("the opening has no P2WSH output")?;
        let found = wait_for("the opening's spend in the mempool", PATIENCE, || async {
            for id in self.mempool(asset).await? {
                if self.spends(asset, id, swapped).await? {
                    return Ok(Some(id));
                }
            }
            Ok(None)
        });
        let id = found.await.with_context(|| self.tails())?;
        self.waiting(asset, id).await
    }

    async fn spends(&self, asset: Asset, id: TxId, output: OutPoint) -> Result<bool> {
        match asset {
            Asset::Lbtc => {
                let tx = self
                    .liquid
                    .transaction(&Txid::from_byte_array(id.0.to_byte_array()))
                    .await?;
                let mut inputs = tx.iter().flat_map(|tx| &tx.input).map(|input| input.previous_output);
                Ok(inputs.any(|spent| {
                    spent.txid.to_byte_array() == output.txid.0.to_byte_array() && spent.vout == output.vout
                }))
            }
            Asset::Btc => {
                let node = self.bitcoind("")?;
                let Raw { vin, .. } = node.call("getrawtransaction", rpc_params![id.to_string(), 1]).await?;
                let wanted = (Some(output.txid.0), Some(output.vout));
                Ok(vin.iter().any(|input| (input.txid, input.vout) == wanted))
            }
        }
    }

    async fn mempool(&self, asset: Asset) -> Result<Vec<TxId>> {
        match asset {
            Asset::Lbtc => {
                let waiting = self.liquid.mempool().await?.into_iter();
                Ok(waiting
                    .map(|id| TxId(bitcoin::Txid::from_byte_array(id.to_byte_array())))
                    .collect())
            }
            Asset::Btc => {
                let waiting: Vec<bitcoin::Txid> = self.bitcoind("")?.call("getrawmempool", rpc_params![]).await?;
                Ok(waiting.into_iter().map(TxId).collect())
            }
        }
    }

    /// A client of the bitcoind under the nodes.
    fn bitcoind(&self, wallet: &str) -> Result<BitcoinRpc> {
        let access = self.lightning.bitcoin().context("there is no bitcoind")?;
        Ok(BitcoinRpc::new(&Endpoint {
            url: access.rpc_url,
            auth: Auth::Password {
                user: access.user,
                password: access.password.into(),
            },
            wallet: wallet.to_owned(),
            timeout: PATIENCE,
            poll: Duration::from_secs(1),
        }))
    }

    async fn node_address(&self, side: Side) -> Result<String> {
        let answer = self.lncli(side, &["newaddress", "p2wkh"]).await?;
        Ok(answer["address"].as_str().context("newaddress without address")?.into())
    }

    async fn lncli(&self, side: Side, arguments: &[&str]) -> Result<serde_json::Value> {
        if let Lightning::Real(real) = &self.lightning
            && let RealNode::Lnd(lnd) = real.node(side.index())
        {
            return lnd.cli(arguments).await;
        }
        bail!("{}'s node is no lnd", side.name())
    }
}

async fn mine_bitcoin(node: &BitcoinRpc, blocks: u32, address: &str) -> Result<()> {
    let _hashes: Vec<bitcoin::BlockHash> = node.call("generatetoaddress", rpc_params![blocks, address]).await?;
    Ok(())
}

fn output(txid: TxId, vout: Option<usize>) -> Result<Option<OutPoint>> {
    let vout = vout.map(u32::try_from).transpose()?;
    Ok(vout.map(|vout| OutPoint { txid, vout }))
}

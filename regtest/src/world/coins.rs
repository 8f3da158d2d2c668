//! The chains of a pair, by the asset that lives on them: one set of calls, so that a swap is played alike on both.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use bitcoin::Amount;
use jsonrpsee::rpc_params;
use sluice::chain::bitcoin_rpc::BitcoinRpc;
use sluice::units::{Asset, TxId};

use super::lightning::Lightning;
use super::pair::{PATIENCE, Pair};
use super::party::Party;
use super::real_nodes::RealNode;
use super::seen::{Onlooker, Seen, bitcoin_rpc, bitcoin_total};
use super::side::Side;
use crate::daemons::bitcoind::{MATURITY, NOBODY};
use crate::daemons::wait_for;

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
            (Party::Sluice(_), Asset::Btc) => bitcoin_total(&self.bitcoind(side.name())?).await,
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
        Ok(self.onlooker(asset)?.mempool().await?.contains(&id))
    }

    /// A transaction that waits for a block.
    ///
    /// # Errors
    /// If it does not.
    pub async fn waiting(&self, asset: Asset, id: TxId) -> Result<Seen> {
        self.onlooker(asset)?.waiting(id).await
    }

    /// Waits until the swap's output of an opening is spent by a transaction in the mempool.
    ///
    /// # Errors
    /// After [`PATIENCE`], with both sides' last lines.
    pub async fn spend_of(&self, asset: Asset, opening: &Seen) -> Result<Seen> {
        let onlooker = self.onlooker(asset)?;
        let found = wait_for("the opening's spend in the mempool", PATIENCE, || {
            onlooker.spend_of(opening)
        });
        found.await.with_context(|| self.tails())
    }

    fn onlooker(&self, asset: Asset) -> Result<Onlooker<'_>> {
        Ok(match asset {
            Asset::Lbtc => Onlooker::Liquid(&self.liquid),
            Asset::Btc => Onlooker::Bitcoin(Arc::new(self.bitcoind("")?)),
        })
    }

    /// A client of the bitcoind under the nodes.
    fn bitcoind(&self, wallet: &str) -> Result<BitcoinRpc> {
        let access = self.lightning.bitcoin().context("there is no bitcoind")?;
        Ok(bitcoin_rpc(access, wallet))
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

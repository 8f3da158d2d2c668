//! The chains of a world, by the asset that lives on them.

use std::collections::BTreeMap;

use ::bitcoin::Amount;
use ::bitcoin::hashes::Hash;
use anyhow::{Context, Result};
use sluice::units::{Asset, TxId};

use super::bitcoin::Bitcoin;
use super::liquid::Liquid;
use crate::bitcoin::BitcoinChain;
use crate::liquid::LiquidChain;

/// The chains that are swapped on.
#[derive(Clone, Copy)]
pub struct Chains<'a> {
    /// Liquid.
    pub liquid: &'a Liquid,
    /// Bitcoin, if BTC is swapped.
    pub bitcoin: Option<&'a Bitcoin>,
}

impl<'a> Chains<'a> {
    /// Liquid alone.
    #[must_use]
    pub fn of_liquid(liquid: &'a Liquid) -> Chains<'a> {
        Chains { liquid, bitcoin: None }
    }

    fn bitcoin(&self) -> Result<&'a Bitcoin> {
        self.bitcoin.context("this world swaps on Liquid alone")
    }

    /// Mines blocks.
    ///
    /// # Errors
    /// If the node does not, or there is no such chain.
    pub async fn mine(&self, asset: Asset, blocks: u32) -> Result<()> {
        match asset {
            Asset::Lbtc => self.liquid.mine(blocks).await,
            Asset::Btc => self.bitcoin()?.mine(blocks).await,
        }
    }

    /// Mines a block without what waits in the mempool.
    ///
    /// # Errors
    /// If the node does not, or there is no such chain.
    pub async fn mine_empty(&self, asset: Asset) -> Result<()> {
        match asset {
            Asset::Lbtc => self.liquid.mine_empty().await,
            Asset::Btc => self.bitcoin()?.mine_empty().await,
        }
    }

    /// How many transactions wait for a block.
    ///
    /// # Errors
    /// If the node does not tell, or there is no such chain.
    pub async fn waiting(&self, asset: Asset) -> Result<usize> {
        match asset {
            Asset::Lbtc => Ok(self.liquid.mempool().await?.len()),
            Asset::Btc => Ok(self.bitcoin()?.mempool().await?.len()),
        }
    }

    /// The calls that the node has had since [`Chains::reset_calls`], by method. Only an embedded chain counts them.
    #[must_use]
    pub fn calls(&self, asset: Asset) -> Option<BTreeMap<String, u64>> {
        match asset {
            Asset::Lbtc => self.liquid.embedded().map(LiquidChain::calls),
            Asset::Btc => self.bitcoin?.embedded().map(BitcoinChain::calls),
        }
    }

    /// Counts calls from now on.
    pub fn reset_calls(&self, asset: Asset) {
        match asset {
            Asset::Lbtc => self.liquid.embedded().map(LiquidChain::reset_calls),
            Asset::Btc => self.bitcoin.and_then(Bitcoin::embedded).map(BitcoinChain::reset_calls),
        };
    }

    /// Holds back calls of these methods at the node; none: all go on. Only an embedded chain can.
    pub fn set_stuck(&self, asset: Asset, methods: &[&'static str]) {
        match asset {
            Asset::Lbtc => self.liquid.embedded().map(|chain| chain.set_stuck(methods)),
            Asset::Btc => self
                .bitcoin
                .and_then(Bitcoin::embedded)
                .map(|chain| chain.set_stuck(methods)),
        };
    }

    /// Whether the node has a transaction, waiting or in a block.
    ///
    /// # Errors
    /// If the node does not tell, or there is no such chain.
    pub async fn knows(&self, asset: Asset, txid: TxId) -> Result<bool> {
        match asset {
            Asset::Lbtc => {
                let txid = elements::Txid::from_byte_array(txid.0.to_byte_array());
                Ok(self.liquid.transaction(&txid).await?.is_some())
            }
            Asset::Btc => Ok(self.bitcoin()?.transaction(&txid.0).await?.is_some()),
        }
    }

    /// The height of the tip.
    ///
    /// # Errors
    /// If the node does not tell, or there is no such chain.
    pub async fn height(&self, asset: Asset) -> Result<u32> {
        match asset {
            Asset::Lbtc => self.liquid.height().await,
            Asset::Btc => self.bitcoin()?.height().await,
        }
    }

    /// Replaces the newest blocks by one more; their transactions are in the new ones.
    ///
    /// # Errors
    /// If the node does not, or there is no such chain.
    pub async fn reorg(&self, asset: Asset, depth: u32) -> Result<()> {
        match asset {
            Asset::Lbtc => self.liquid.reorg(depth).await,
            Asset::Btc => self.bitcoin()?.reorg(depth).await,
        }
    }

    /// Pays to an address from the faucet.
    ///
    /// # Errors
    /// If the address is none of that chain, the faucet is empty, or there is no such chain.
    pub async fn pay(&self, asset: Asset, address: &str, amount: Amount) -> Result<TxId> {
        match asset {
            Asset::Lbtc => {
                let id = self.liquid.fund(address, amount).await?;
                Ok(TxId(::bitcoin::Txid::from_byte_array(id.to_byte_array())))
            }
            Asset::Btc => Ok(TxId(self.bitcoin()?.fund(address, amount).await?)),
        }
    }
}

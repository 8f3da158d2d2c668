//! The port [`Chain`].

use async_trait::async_trait;
use tokio::sync::watch;
use tracing::{debug, warn};

use super::{Elementsd, releases};
use crate::chain::watch::{ChainTx, Source};
use crate::ports::{Chain, ChainInfo, PortError, Sighting, Tip, Watch};
use crate::units::{Asset, Blocks, FeeRate, RawTx, SwapId, Timestamp, TxId};

#[async_trait]
impl Chain for Elementsd {
    fn asset(&self) -> Asset {
        Asset::Lbtc
    }

    async fn info(&self) -> Result<ChainInfo, PortError> {
        self.watcher.source().verify().await?;
        let chain = self.rpc.blockchain_info().await?;
        let node = self.rpc.network_info().await?;
        if chain.chain != self.chain {
            let reason = format!("the chain is `{}` now, was `{}`", chain.chain, self.chain);
            return Err(PortError::Broken(format!("elementsd getblockchaininfo: {reason}")));
        }
        Ok(ChainInfo {
            unfit: releases::unfit(&chain, &node, &self.config.safe_releases),
            tip_time: chain.time.map(Timestamp),
            chain: chain.chain,
            genesis: self.genesis,
            policy_asset: Some(self.maker.asset),
            version: node.subversion.trim_matches('/').to_owned(),
            discount: self.maker.discount,
        })
    }

    fn tips(&self) -> watch::Receiver<Option<Tip>> {
        self.watcher.tips()
    }

    fn deepest_reorg(&self) -> Blocks {
        self.watcher.deepest_reorg()
    }

    async fn tip(&self) -> Result<Tip, PortError> {
        Ok(self.rpc.blockchain_info().await?.tip())
    }

    async fn view(&self, watch: &Watch) -> Result<Sighting, PortError> {
        self.watcher.view(watch).await
    }

    fn forget(&self, swap: SwapId) {
        self.watcher.forget(swap);
    }

    async fn broadcast(&self, tx: &RawTx) -> Result<(), PortError> {
        let txid = txid(tx)?;
        match self.rpc.send_raw_transaction(tx).await {
            Ok(()) => {
                debug!(%txid, "broadcast");
                Ok(())
            }
            // the node forgets a transaction in a block once all its outputs are spent
            Err(_) if self.watcher.has_confirmed(txid) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn has_in_mempool(&self, tx: &RawTx) -> Result<bool, PortError> {
        self.watcher.has_in_mempool(txid(tx)?).await
    }

    async fn fee_rate(&self) -> Result<FeeRate, PortError> {
        let tip = self.watcher.tips().borrow().map(|tip| tip.hash);
        let mut known = self.rate.lock().await;
        if let (Some((at, rate)), Some(tip)) = (*known, tip)
            && at == tip
        {
            return Ok(rate);
        }
        let rate = self.ask_fee_rate().await?;
        *known = tip.map(|tip| (tip, rate));
        Ok(rate)
    }
}

fn txid(tx: &RawTx) -> Result<TxId, PortError> {
    elements::encode::deserialize::<elements::Transaction>(&tx.0)
        .map(|tx| ChainTx::txid(&tx))
        .map_err(|e| PortError::Refused(format!("{} bytes are no transaction: {e}", tx.0.len())))
}

impl Elementsd {
    async fn ask_fee_rate(&self) -> Result<FeeRate, PortError> {
        let estimate = self.rpc.fee_estimate().await?.feerate.map(FeeRate::from);
        let mempool = self.rpc.mempool_info().await?;
        let least = FeeRate::from(mempool.mempoolminfee).max(mempool.minrelaytxfee.into());
        let (floor, ceiling) = (self.config.fee_floor, self.config.fee_ceiling);
        let rate = estimate.unwrap_or(floor).max(floor).min(ceiling);
        if least > ceiling {
            warn!(%least, %ceiling, "elementsd takes nothing below a rate that is above the operator's ceiling");
        }
        Ok(rate.max(least))
    }
}

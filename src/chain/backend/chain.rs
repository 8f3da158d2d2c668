//! The port [`Chain`].

use async_trait::async_trait;
use tokio::sync::watch;
use tracing::debug;

use super::{Backend, Ledger, witness};
use crate::chain::watch::{ChainTx, Source};
use crate::ports::{Chain, ChainInfo, PortError, Sighting, Tip, Watch};
use crate::swap::fees::FeeRates;
use crate::units::{Asset, Blocks, FeeRate, OutPoint, RawTx, SwapId, Timestamp, TxId};

#[async_trait]
impl<L: Ledger> Chain for Backend<L> {
    fn asset(&self) -> Asset {
        L::ASSET
    }

    async fn info(&self) -> Result<ChainInfo, PortError> {
        self.watcher.source().verify().await?;
        let chain = self.rpc.blockchain_info().await?;
        let node = self.rpc.network_info().await?;
        if chain.chain != self.chain {
            let reason = format!("the chain is `{}` now, was `{}`", chain.chain, self.chain);
            let daemon = self.rpc.daemon();
            return Err(PortError::Broken(format!("{daemon} getblockchaininfo: {reason}")));
        }
        Ok(ChainInfo {
            unfit: self.unfit(&chain, &node),
            tip_time: chain.time.map(Timestamp),
            chain: chain.chain,
            genesis: self.genesis,
            policy_asset: self.ledger().policy_asset(),
            version: node.subversion.trim_matches('/').to_owned(),
            discount: self.ledger().discount(),
        })
    }

    fn tips(&self) -> watch::Receiver<Option<Tip>> {
        self.watcher.tips()
    }

    async fn doubt(&self) -> Result<Option<String>, PortError> {
        match &self.witness {
            Some(witness) => Ok(witness::difference(&self.rpc, witness).await?),
            None => Ok(None),
        }
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
        let txid = txid::<L>(tx)?;
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

    async fn is_gone(&self, output: OutPoint) -> Result<bool, PortError> {
        if self.rpc.tx_out(output).await?.is_some() || self.rpc.mempool_entry(output.txid).await?.is_some() {
            return Ok(false);
        }
        // a block may have taken its transaction out of the mempool between the two calls
        Ok(self.rpc.tx_out(output).await?.is_none())
    }

    async fn standing_on(&self, txid: TxId) -> Result<Option<u32>, PortError> {
        let entry = self.rpc.mempool_entry(txid).await?;
        // the node counts the transaction itself
        Ok(entry.map(|entry| entry.descendantcount.saturating_sub(1)))
    }

    async fn has_in_mempool(&self, tx: &RawTx) -> Result<bool, PortError> {
        self.watcher.has_in_mempool(txid::<L>(tx)?).await
    }

    async fn fee_rates(&self) -> Result<FeeRates, PortError> {
        let tip = self.watcher.tips().borrow().map(|tip| tip.hash);
        let mut known = self.rates.lock().await;
        if let (Some((at, rates)), Some(tip)) = (*known, tip)
            && at == tip
        {
            return Ok(rates);
        }
        let rates = self.ask_fee_rates().await?;
        *known = tip.map(|tip| (tip, rates));
        Ok(rates)
    }
}

fn txid<L: Ledger>(tx: &RawTx) -> Result<TxId, PortError> {
    L::decode(&tx.0)
        .map(|tx| tx.txid())
        .map_err(|e| PortError::Refused(format!("{} bytes are no transaction: {e}", tx.0.len())))
}

impl<L: Ledger> Backend<L> {
    async fn ask_fee_rates(&self) -> Result<FeeRates, PortError> {
        let estimate = self.rpc.fee_estimate(L::MINED_WITHIN).await?.feerate.map(FeeRate::from);
        let mempool = self.rpc.mempool_info().await?;
        let least = FeeRate::from(mempool.mempoolminfee).max(mempool.minrelaytxfee.into());
        let floor = self.config.fee_floor;
        Ok(FeeRates {
            asked: estimate.unwrap_or(floor).max(floor).max(least),
            least,
            ceiling: self.config.fee_ceiling,
            estimated: estimate.is_some(),
        })
    }
}

//! Mistakes of what stands between the engine and a chain node.

use async_trait::async_trait;
use sluice::ports::{Chain, ChainInfo, Found, PortError, Sighting, Tip, Watch};
use sluice::swap::fees::FeeRates;
use sluice::tx;
use sluice::units::{Asset, Blocks, Height, OutPoint, RawTx, SwapId, TxId};
use tokio::sync::watch;

use super::{Mistake, Mistaken};
use crate::chain::{SimChain, coin};

/// One block deeper than it is.
fn deeper(found: Found) -> Found {
    Found {
        at: found.at.map(|at| Height(at.0 - 1)),
        ..found
    }
}

impl Mistaken<SimChain> {
    /// The spend as it was seen in a block once.
    fn unforgotten(&self, swap: SwapId, spend: Option<Found>) -> Option<Found> {
        let mut spends = self.planted.spends.lock().unwrap();
        if let Some(spend) = spend.filter(|spend| spend.at.is_some()) {
            spends.entry(swap).or_insert(spend);
        }
        spends.get(&swap).cloned()
    }
}

#[async_trait]
impl Chain for Mistaken<SimChain> {
    fn asset(&self) -> Asset {
        self.port.asset()
    }

    async fn info(&self) -> Result<ChainInfo, PortError> {
        self.port.info().await
    }

    fn tips(&self) -> watch::Receiver<Option<Tip>> {
        Chain::tips(&self.port)
    }

    async fn doubt(&self) -> Result<Option<String>, PortError> {
        self.port.doubt().await
    }

    fn deepest_reorg(&self) -> Blocks {
        self.port.deepest_reorg()
    }

    async fn tip(&self) -> Result<Tip, PortError> {
        self.port.tip().await
    }

    async fn view(&self, watch: &Watch) -> Result<Sighting, PortError> {
        self.meddle_with_file(watch.swap);
        let mut sighting = self.port.view(watch).await?;
        if self.has(Mistake::CountsOneBlockMore) {
            sighting.opening = sighting.opening.map(deeper);
            sighting.spend = sighting.spend.map(deeper);
        }
        if self.has(Mistake::ForgetsNoBlock) {
            sighting.spend = self.unforgotten(watch.swap, sighting.spend);
        }
        Ok(sighting)
    }

    fn forget(&self, swap: SwapId) {
        self.port.forget(swap);
    }

    async fn broadcast(&self, tx: &RawTx) -> Result<(), PortError> {
        if self.has(Mistake::PublishesOnce)
            && let Ok(id) = tx::txid_of(coin(self.port.asset), tx)
            && !self.planted.published.lock().unwrap().insert(id)
        {
            return Ok(());
        }
        self.port.broadcast(tx).await
    }

    async fn is_gone(&self, output: OutPoint) -> Result<bool, PortError> {
        self.port.is_gone(output).await
    }

    async fn standing_on(&self, txid: TxId) -> Result<Option<u32>, PortError> {
        self.port.standing_on(txid).await
    }

    async fn has_in_mempool(&self, tx: &RawTx) -> Result<bool, PortError> {
        if self.has(Mistake::PublishesOnce) {
            return Ok(true);
        }
        self.port.has_in_mempool(tx).await
    }

    async fn fee_rates(&self) -> Result<FeeRates, PortError> {
        self.port.fee_rates().await
    }
}

//! A daemon's chain node.

use async_trait::async_trait;
use sluice::ports::{Chain, ChainInfo, PortError, Sighting, Tip, Watch};
use sluice::swap::fees::FeeRates;
use sluice::tx::{self, Coin};
use sluice::units::{Asset, Blocks, FeeRate, OutPoint, RawTx, SwapId, TxId};
use tokio::sync::watch;

use crate::ledger::Ledger;
use crate::liquid_bench::policy_asset;
use crate::port::{Manner, Port};
use crate::prices;
use crate::txs::{self, Tx};
use crate::world::Backend;

/// The most that an operator pays for a place in a block, in sat/kvB.
const CEILING: FeeRate = FeeRate(200_000);

pub struct SimChain {
    pub port: Port,
    pub asset: Asset,
}

pub fn coin(asset: Asset) -> Coin {
    match asset {
        Asset::Btc => Coin::Btc,
        Asset::Lbtc => Coin::Lbtc {
            policy_asset: policy_asset(),
        },
    }
}

/// What every node of that chain says of itself.
pub fn info(asset: Asset) -> ChainInfo {
    ChainInfo {
        chain: match asset {
            Asset::Btc => "regtest".into(),
            Asset::Lbtc => "liquidregtest".into(),
        },
        genesis: Ledger::genesis(asset),
        policy_asset: (asset == Asset::Lbtc).then(policy_asset),
        version: "simulated".into(),
        discount: asset == Asset::Lbtc,
        tip_time: None,
        unfit: None,
    }
}

impl SimChain {
    fn backend(&self) -> Backend {
        Backend::Chain(self.asset)
    }

    /// Asks the chain, once it answers.
    async fn read<T: Send + 'static>(
        &self,
        what: &'static str,
        read: impl FnOnce(&mut Ledger) -> T + Send + 'static,
    ) -> Result<T, PortError> {
        let asset = self.asset;
        let answer = move |state: &mut crate::world::State, _| Ok(read(state.ledger(asset)));
        self.port.call(self.backend(), Manner::Reads, what, answer).await
    }
}

/// An opening that spends a coin which this one would spend. What a reorg undid is none: its coins are free before its
/// daemon hears of it.
fn rival(ledger: &Ledger, raw: &RawTx) -> Option<TxId> {
    let opens = |tx: &Tx| tx.outputs.iter().any(|output| output.script.is_p2wsh());
    let tx = txs::decode(ledger.asset, raw).ok().filter(opens)?;
    let mut spenders = tx.inputs.iter().filter_map(|input| ledger.spender(input.point));
    let rival = spenders.find(|other| other.tx.id != tx.id && opens(&other.tx))?.tx.id;
    let is_undone = [tx.id, rival].iter().any(|id| ledger.undone.contains(id));
    (!is_undone).then_some(rival)
}

#[async_trait]
impl Chain for SimChain {
    fn asset(&self) -> Asset {
        self.asset
    }

    async fn info(&self) -> Result<ChainInfo, PortError> {
        let asset = self.asset;
        self.read("info", move |_| info(asset)).await
    }

    fn tips(&self) -> watch::Receiver<Option<Tip>> {
        self.port.tips(self.asset)
    }

    async fn doubt(&self) -> Result<Option<String>, PortError> {
        self.port.life.lasts().await;
        Ok(None)
    }

    fn deepest_reorg(&self) -> Blocks {
        self.port.world.lock().ledger(self.asset).deepest_reorg()
    }

    async fn tip(&self) -> Result<Tip, PortError> {
        self.read("tip", |ledger| ledger.tip()).await
    }

    async fn view(&self, watch: &Watch) -> Result<Sighting, PortError> {
        let watch = watch.clone();
        self.read("view", move |ledger| ledger.view(&watch)).await
    }

    fn forget(&self, _swap: SwapId) {}

    async fn broadcast(&self, tx: &RawTx) -> Result<(), PortError> {
        let id = tx::txid_of(coin(self.asset), tx).map_err(|error| PortError::Refused(error.to_string()))?;
        self.port.life.lasts().await;
        let at = self.port.world.elapsed();
        let committed = self.port.world.lock().committed_tx(at, self.port.who, id);
        if let Err(fault) = committed {
            self.port.world.accuse(fault);
        }
        let (asset, who, tx) = (self.asset, self.port.who, tx.clone());
        let world = self.port.world.clone();
        let submit = move |state: &mut crate::world::State, _| {
            if let Some(other) = rival(state.ledger(asset), &tx) {
                let fault = format!("{who:?} opens with a coin that opens already, in {other}");
                state.evidence.complain(world.elapsed(), fault);
            }
            let taken = state.ledger(asset).submit(&tx);
            let id = taken.map_err(PortError::Refused)?;
            state.published(world.elapsed(), who, asset, id);
            Ok(())
        };
        self.port.call(self.backend(), Manner::Acts, "broadcast", submit).await
    }

    async fn is_gone(&self, output: OutPoint) -> Result<bool, PortError> {
        self.read("is_gone", move |ledger| ledger.is_gone(output)).await
    }

    async fn standing_on(&self, txid: TxId) -> Result<Option<u32>, PortError> {
        self.read("standing_on", move |ledger| ledger.standing_on(txid)).await
    }

    async fn has_in_mempool(&self, tx: &RawTx) -> Result<bool, PortError> {
        let id: TxId = tx::txid_of(coin(self.asset), tx).map_err(|error| PortError::Refused(error.to_string()))?;
        self.read("has_in_mempool", move |ledger| ledger.is_in_mempool(id))
            .await
    }

    async fn fee_rates(&self) -> Result<FeeRates, PortError> {
        let asset = self.asset;
        let rates = move |ledger: &mut Ledger| FeeRates {
            asked: ledger.price.max(prices::floor(asset)),
            estimated: asset == Asset::Btc,
            least: prices::floor(asset),
            ceiling: CEILING,
        };
        self.read("fee_rates", rates).await
    }
}

//! The ports, with a boundary before and after each call that has an effect. Calls that only look have none.

use std::sync::Arc;

use async_trait::async_trait;
use bitcoin::Amount;
use futures::stream::BoxStream;
use sluice::ports::{
    Aliases, Chain, ChainInfo, Channel, InvoiceSpec, LightningNode, NodeInfo, PaymentSpec, PeerEvent, PeerMessenger,
    PortError, SendError, Sighting, Tip, Wallet, WalletBalance, Watch,
};
use sluice::protocol::MessageType;
use sluice::swap::event::{InvoiceStatus, PaymentStatus};
use sluice::swap::fees::FeeRates;
use sluice::swap::state::{Claim, Opening};
use sluice::swap::terms::Payout;
use sluice::tx::OpeningOutput;
use sluice::units::{Asset, Blocks, FeeRate, NodeId, OutPoint, PaymentHash, RawTx, SwapId, TxId};
use tokio::sync::watch;

use super::Knife;

/// A port behind the knife.
pub(super) struct Watched<T: ?Sized> {
    port: Arc<T>,
    knife: Arc<Knife>,
}

impl<T: ?Sized> Watched<T> {
    pub(super) fn new(port: Arc<T>, knife: Arc<Knife>) -> Watched<T> {
        Watched { port, knife }
    }
}

#[async_trait]
impl Chain for Watched<dyn Chain> {
    fn asset(&self) -> Asset {
        self.port.asset()
    }

    async fn info(&self) -> Result<ChainInfo, PortError> {
        self.port.info().await
    }

    fn tips(&self) -> watch::Receiver<Option<Tip>> {
        self.port.tips()
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
        self.port.view(watch).await
    }

    fn forget(&self, swap: SwapId) {
        self.port.forget(swap);
    }

    async fn broadcast(&self, tx: &RawTx) -> Result<(), PortError> {
        let passage = self.knife.begin("broadcast", tx);
        let done = self.port.broadcast(tx).await;
        passage.done();
        done
    }

    async fn is_gone(&self, output: OutPoint) -> Result<bool, PortError> {
        self.port.is_gone(output).await
    }

    async fn standing_on(&self, txid: TxId) -> Result<Option<u32>, PortError> {
        self.port.standing_on(txid).await
    }

    async fn has_in_mempool(&self, tx: &RawTx) -> Result<bool, PortError> {
        self.port.has_in_mempool(tx).await
    }

    async fn fee_rates(&self) -> Result<FeeRates, PortError> {
        self.port.fee_rates().await
    }

    async fn fee_rate(&self) -> Result<FeeRate, PortError> {
        self.port.fee_rate().await
    }
}

#[async_trait]
impl Wallet for Watched<dyn Wallet> {
    fn holder(&self) -> String {
        self.port.holder()
    }

    async fn balance(&self) -> Result<WalletBalance, PortError> {
        self.port.balance().await
    }

    async fn new_address(&self, label: &str) -> Result<Payout, PortError> {
        let passage = self.knife.always("address");
        let done = self.port.new_address(label).await;
        passage.done();
        done
    }

    async fn fund(&self, output: &OpeningOutput, rate: FeeRate) -> Result<Opening, PortError> {
        let passage = self.knife.always("fund");
        let done = self.port.fund(output, rate).await;
        passage.done();
        done
    }

    async fn keep_only(&self, openings: &[Opening]) -> Result<(), PortError> {
        // asked for at leisure, and at blocks
        let passage = self.knife.begin("keep-locked", ());
        let done = self.port.keep_only(openings).await;
        passage.done();
        done
    }

    async fn void(&self, opening: &Opening, replaced: Option<&Claim>, rate: FeeRate) -> Result<Claim, PortError> {
        let passage = self.knife.always("void");
        let done = self.port.void(opening, replaced, rate).await;
        passage.done();
        done
    }

    async fn push(&self, opening: &Opening, replaced: Option<&Claim>, rate: FeeRate) -> Result<Claim, PortError> {
        let passage = self.knife.always("push");
        let done = self.port.push(opening, replaced, rate).await;
        passage.done();
        done
    }

    async fn label(&self, address: &str, label: &str) -> Result<(), PortError> {
        let passage = self.knife.begin("label", (address, label));
        let done = self.port.label(address, label).await;
        passage.done();
        done
    }

    async fn send(&self, address: &str, amount: Amount) -> Result<TxId, SendError> {
        let passage = self.knife.always("send");
        let done = self.port.send(address, amount).await;
        passage.done();
        done
    }
}

#[async_trait]
impl LightningNode for Watched<dyn LightningNode> {
    async fn info(&self) -> Result<NodeInfo, PortError> {
        self.port.info().await
    }

    async fn channels(&self) -> Result<Vec<Channel>, PortError> {
        self.port.channels().await
    }

    async fn aliases(&self) -> Result<Aliases, PortError> {
        self.port.aliases().await
    }

    async fn ensure_invoice(&self, spec: &InvoiceSpec) -> Result<String, PortError> {
        let passage = self.knife.begin("invoice", &spec.description);
        let done = self.port.ensure_invoice(spec).await;
        passage.done();
        done
    }

    async fn watch_invoice(&self, hash: PaymentHash) -> Result<BoxStream<'static, InvoiceStatus>, PortError> {
        self.port.watch_invoice(hash).await
    }

    async fn cancel_invoice(&self, hash: PaymentHash) -> Result<InvoiceStatus, PortError> {
        let passage = self.knife.begin("cancel-invoice", hash);
        let done = self.port.cancel_invoice(hash).await;
        passage.done();
        done
    }

    async fn ensure_payment(&self, spec: &PaymentSpec) -> Result<PaymentStatus, PortError> {
        let passage = self.knife.begin("pay", spec.hash);
        let done = self.port.ensure_payment(spec).await;
        passage.done();
        done
    }

    async fn payment_status(&self, hash: PaymentHash) -> Result<PaymentStatus, PortError> {
        self.port.payment_status(hash).await
    }

    async fn await_payment(&self, hash: PaymentHash) -> Result<PaymentStatus, PortError> {
        self.port.await_payment(hash).await
    }
}

#[async_trait]
impl PeerMessenger for Watched<dyn PeerMessenger> {
    async fn send(&self, to: NodeId, kind: u16, payload: Vec<u8>) -> Result<(), PortError> {
        let name = match MessageType::from_code(kind) {
            // what peers offer each other is told at intervals, and belongs to no swap
            None | Some(MessageType::Poll | MessageType::RequestPoll) => {
                return self.port.send(to, kind, payload).await;
            }
            Some(message) => message.name(),
        };
        let passage = self.knife.begin(name, (to, &payload));
        let done = self.port.send(to, kind, payload).await;
        passage.done();
        done
    }

    async fn events(&self) -> Result<BoxStream<'static, PeerEvent>, PortError> {
        self.port.events().await
    }

    async fn connected(&self) -> Result<Vec<NodeId>, PortError> {
        self.port.connected().await
    }
}

//! Mistakes of what stands between the engine and a Lightning node.

use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use sluice::ports::{Aliases, Channel, InvoiceSpec, LightningNode, NodeInfo, PaymentSpec, PeerMessenger, PortError};
use sluice::protocol::{self, CoopClose, Message};
use sluice::swap::Role;
use sluice::swap::event::{Failure, InvoiceStatus, PaymentStatus};
use sluice::swap::state::{State as At, Taker};
use sluice::units::{Msat, PaymentHash};

use super::{Mistake, Mistaken};
use crate::network::SimMessenger;
use crate::payments::SimNode;

/// What the invoice does not ask for.
const ONE_SATOSHI: Msat = Msat(1_000);

/// The node as a new life of the daemon finds it.
pub fn begun(node: Mistaken<SimNode>) -> Arc<dyn LightningNode> {
    let node = Arc::new(node);
    if node.has(Mistake::PaysAgainAfterStart) {
        let queue = node.planted.payments.lock().unwrap().clone();
        let payer = node.clone();
        tokio::spawn(async move {
            for spec in queue {
                // Nobody waits for it: a queue of its own.
                drop(payer.port.ensure_payment(&spec).await);
            }
        });
    }
    node
}

impl Mistaken<SimNode> {
    fn told(&self, status: PaymentStatus) -> PaymentStatus {
        match status {
            PaymentStatus::InFlight if self.has(Mistake::TakesInFlightForFailed) => {
                PaymentStatus::Failed(Failure::Temporary)
            }
            status => status,
        }
    }

    /// Sends the swap's key to the peer, as if it was to be closed by both.
    async fn give_key(&self, hash: PaymentHash) {
        let port = &self.port.port;
        let open = port.world.lock().open_swaps(port.who);
        let pays = |state: &At| match state {
            At::Taker(_, Taker::PayingClaim { paying, .. }) => paying.offer.invoice.hash == hash,
            _ => false,
        };
        let Some(swap) = open.iter().find(|swap| pays(&swap.state)) else {
            return;
        };
        let secrets = self.planted.seed.secrets(&swap.keys.path, Role::Taker);
        let (kind, payload) = protocol::encode(&Message::CoopClose(CoopClose {
            swap_id: swap.id,
            message: "too early".into(),
            privkey: secrets.swap_key,
        }));
        let messenger = SimMessenger { port: port.clone() };
        // It may be lost on its way as any other.
        drop(messenger.send(swap.peer, kind, payload).await);
    }
}

#[async_trait]
impl LightningNode for Mistaken<SimNode> {
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
        self.port.ensure_invoice(spec).await
    }

    async fn watch_invoice(&self, hash: PaymentHash) -> Result<BoxStream<'static, InvoiceStatus>, PortError> {
        let seen = self.port.watch_invoice(hash).await?;
        if !self.has(Mistake::TakesOpenForPaid) {
            return Ok(seen);
        }
        let told = |status| match status {
            InvoiceStatus::Open => InvoiceStatus::Paid,
            status => status,
        };
        Ok(seen.map(told).boxed())
    }

    async fn cancel_invoice(&self, hash: PaymentHash) -> Result<InvoiceStatus, PortError> {
        self.port.cancel_invoice(hash).await
    }

    async fn ensure_payment(&self, spec: &PaymentSpec) -> Result<PaymentStatus, PortError> {
        self.planted.payments.lock().unwrap().push(spec.clone());
        if self.has(Mistake::GivesItsKeyBeforePaying) {
            self.give_key(spec.hash).await;
        }
        let answer = self.port.ensure_payment(spec).await;
        match answer {
            Ok(PaymentStatus::Paid(preimage)) => {
                if self.has(Mistake::LosesOneSatoshi) {
                    let port = &self.port.port;
                    port.world.lock().lightning.lose(port.who, spec.scid, ONE_SATOSHI);
                }
                Ok(PaymentStatus::Paid(preimage))
            }
            answer => answer.map(|status| self.told(status)),
        }
    }

    async fn payment_status(&self, hash: PaymentHash) -> Result<PaymentStatus, PortError> {
        self.port.payment_status(hash).await.map(|status| self.told(status))
    }

    async fn await_payment(&self, hash: PaymentHash) -> Result<PaymentStatus, PortError> {
        if self.has(Mistake::TakesInFlightForFailed) {
            return self.payment_status(hash).await;
        }
        self.port.await_payment(hash).await
    }
}

//! A daemon's Lightning node, as the daemon calls it.

use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{BoxStream, unfold};
use futures::{StreamExt, future};
use sluice::ports::{Aliases, Channel, InvoiceSpec, LightningNode, NodeInfo, PaymentSpec, PortError};
use sluice::swap::event::{InvoiceStatus, PaymentStatus};
use sluice::units::PaymentHash;
use tokio::time::{Instant, sleep_until, timeout};

use crate::lightning;
use crate::port::{Manner, Port};
use crate::world::{Backend, State, Who};

const LIGHTNING: Backend = Backend::Lightning;

pub struct SimNode {
    pub port: Port,
}

/// What a node says of itself.
pub fn info(state: &State, who: Who) -> NodeInfo {
    NodeInfo {
        id: state.lightning.id(who),
        alias: format!("{who:?}"),
        network: "regtest".into(),
        version: "simulated".into(),
        synced: true,
        block_height: 100,
    }
}

impl SimNode {
    /// Waits until a payment's end is certain, or until the limit; the connection may break meanwhile.
    async fn certain(&self, hash: PaymentHash, limit: Option<Duration>) -> Result<PaymentStatus, PortError> {
        let (port, who) = (&self.port, self.port.who);
        let limit = limit.map(|limit| Instant::now() + limit);
        loop {
            port.life.lasts().await;
            let news = port.world.news();
            let (status, away) = {
                let state = port.world.lock();
                (
                    state.lightning.status(who, hash),
                    state.away.contains(&(who, LIGHTNING)),
                )
            };
            if away {
                return Err(PortError::Unreachable("await payment: connection lost".into()));
            }
            if status != PaymentStatus::InFlight {
                return Ok(status);
            }
            tokio::select! {
                biased;
                told = news => drop(told),
                () = reached(limit) => {
                    port.life.lasts().await;
                    return Ok(PaymentStatus::InFlight);
                }
            }
        }
    }
}

async fn reached(limit: Option<Instant>) {
    match limit {
        Some(limit) => sleep_until(limit).await,
        None => future::pending().await,
    }
}

#[async_trait]
impl LightningNode for SimNode {
    async fn info(&self) -> Result<NodeInfo, PortError> {
        let who = self.port.who;
        let read = move |state: &mut State, _| Ok(info(state, who));
        self.port.call(LIGHTNING, Manner::Reads, "info", read).await
    }

    async fn channels(&self) -> Result<Vec<Channel>, PortError> {
        let who = self.port.who;
        let read = move |state: &mut State, _| Ok(state.lightning.channels(who, state.connected));
        self.port.call(LIGHTNING, Manner::Reads, "channels", read).await
    }

    async fn aliases(&self) -> Result<Aliases, PortError> {
        Ok(Aliases::new())
    }

    async fn ensure_invoice(&self, spec: &InvoiceSpec) -> Result<String, PortError> {
        let (who, spec) = (self.port.who, spec.clone());
        let make = move |state: &mut State, now| Ok(state.lightning.ensure_invoice(who, &spec, now));
        self.port.call(LIGHTNING, Manner::Acts, "ensure_invoice", make).await
    }

    async fn watch_invoice(&self, hash: PaymentHash) -> Result<BoxStream<'static, InvoiceStatus>, PortError> {
        self.port
            .call(LIGHTNING, Manner::Reads, "watch_invoice", |_, _| Ok(()))
            .await?;
        Ok(unfold((self.port.clone(), None), move |(port, seen)| async move {
            loop {
                port.life.lasts().await;
                let news = port.world.news();
                let (status, away, expires_at) = {
                    let now = port.world.now();
                    let mut state = port.world.lock();
                    let away = state.away.contains(&(port.who, LIGHTNING));
                    let left = state.lightning.expires_at(hash).map(|at| at.since(now));
                    (state.lightning.invoice_status(hash, now), away, left)
                };
                if away {
                    return None;
                }
                if seen != Some(status) {
                    return Some((status, (port, Some(status))));
                }
                let left = expires_at.unwrap_or_default().max(Duration::from_secs(1));
                drop(timeout(left, news).await);
            }
        })
        .boxed())
    }

    async fn cancel_invoice(&self, hash: PaymentHash) -> Result<InvoiceStatus, PortError> {
        let world = self.port.world.clone();
        let cancel = move |state: &mut State, now| {
            let status = state.lightning.cancel_invoice(hash, now);
            world.tell();
            Ok(status)
        };
        self.port.call(LIGHTNING, Manner::Acts, "cancel_invoice", cancel).await
    }

    async fn ensure_payment(&self, spec: &PaymentSpec) -> Result<PaymentStatus, PortError> {
        self.port.life.lasts().await;
        let (who, hash, limit) = (self.port.who, spec.hash, spec.time_limit);
        let at = self.port.world.elapsed();
        let committed = self.port.world.lock().committed_payment(at, who, hash);
        if let Err(fault) = committed {
            self.port.world.accuse(fault);
        }
        let (world, spec) = (self.port.world.clone(), spec.clone());
        let pay = move |state: &mut State, _| lightning::pay(&world, state, who, &spec);
        self.port.call(LIGHTNING, Manner::Acts, "ensure_payment", pay).await?;
        self.certain(hash, Some(limit)).await
    }

    async fn payment_status(&self, hash: PaymentHash) -> Result<PaymentStatus, PortError> {
        let who = self.port.who;
        let read = move |state: &mut State, _| Ok(state.lightning.status(who, hash));
        self.port.call(LIGHTNING, Manner::Reads, "payment_status", read).await
    }

    async fn await_payment(&self, hash: PaymentHash) -> Result<PaymentStatus, PortError> {
        self.port
            .call(LIGHTNING, Manner::Reads, "await_payment", |_, _| Ok(()))
            .await?;
        self.certain(hash, None).await
    }
}

//! Effects: each is one task that talks to the ports and yields events. All of them may be cut and begun again at any
//! time, but for those that the driver joins.

mod chain;
mod lightning;
mod make;
mod message;
mod push;
mod void;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedRwLockReadGuard, mpsc, watch};
use tracing::error;

use super::backoff::Backoff;
use super::desk::Beginning;
use super::signal::Signal;
use super::{Shared, Side, rescue};
use crate::ports::PortError;
use crate::swap::{Effect, Event, Swap, wants};
use crate::units::Asset;

/// What an effect works with.
pub(super) struct Task {
    shared: Arc<Shared>,
    /// The committed swap, and what it becomes.
    swap: watch::Receiver<Arc<Swap>>,
    signals: mpsc::Sender<Signal>,
    /// Whether the swap's rescue file is on the disk.
    kept: watch::Receiver<bool>,
}

/// Why a version is not made: its effect ends without a word, and is begun again should it be wanted again.
const UNWANTED: &str = "it is not wanted any more";

/// How long what must have a rescue file waits for one that is being written.
const KEPT_WITHIN: Duration = Duration::from_secs(1);

pub(super) async fn perform(task: &Task, effect: &Effect) {
    if rescue::is_first_publication(&task.swap(), effect) && !task.is_rescuable(effect).await {
        return;
    }
    match effect {
        Effect::Send { message, repeat } => message::send(task, effect, message, *repeat).await,
        Effect::MakeInvoice {
            kind,
            amount,
            expiry_secs,
            final_cltv,
        } => {
            lightning::make_invoice(task, *kind, *amount, *expiry_secs, *final_cltv).await;
        }
        Effect::MakeOpening(hash) => make::opening(task, effect, *hash).await,
        Effect::MakeClaim(path, wish) => make::claim(task, effect, path, *wish).await,
        Effect::MakePush(wish) => push::push(task, effect, *wish).await,
        Effect::MakeVoid(wish) => void::make(task, effect, *wish).await,
        Effect::Broadcast { kind, tx, preimage } => chain::broadcast(task, *kind, tx, preimage.as_ref()).await,
        Effect::Pay(payee) => lightning::pay(task, effect, payee).await,
        Effect::WatchPayment(kind, hash) => lightning::watch_payment(task, *kind, *hash).await,
        Effect::WatchInvoice(kind, hash) => lightning::watch_invoice(task, *kind, *hash).await,
        Effect::WatchChain => chain::watch(task).await,
        Effect::CancelInvoice(hash) => lightning::cancel_invoice(task, *hash).await,
        Effect::WakeAt(time) => {
            task.shared.clock.sleep_until(*time).await;
            task.yield_event(Event::Tick).await;
        }
    }
}

impl Task {
    pub(super) fn new(
        shared: Arc<Shared>,
        swap: watch::Receiver<Arc<Swap>>,
        signals: mpsc::Sender<Signal>,
        kept: watch::Receiver<bool>,
    ) -> Task {
        Task {
            shared,
            swap,
            signals,
            kept,
        }
    }

    /// Whether the swap's rescue file is on the disk, or comes there in a moment.
    async fn is_kept(&self) -> bool {
        let mut kept = self.kept.clone();
        let told = tokio::time::timeout(KEPT_WITHIN, kept.wait_for(|kept| *kept)).await;
        matches!(told, Ok(Ok(_)))
    }

    /// Waits until the swap's rescue file is on the disk. False: the effect is not wanted any more.
    async fn is_rescuable(&self, effect: &Effect) -> bool {
        let (mut kept, mut swap) = (self.kept.clone(), self.swap.clone());
        loop {
            swap.mark_unchanged();
            if !self.is_wanted(effect) {
                return false;
            }
            tokio::select! {
                kept = kept.wait_for(|kept| *kept) => return kept.is_ok(),
                changed = swap.changed() => if changed.is_err() { return false },
            }
        }
    }

    fn swap(&self) -> Arc<Swap> {
        self.swap.borrow().clone()
    }

    /// Whether the committed state still wants an effect. One that is let run to its end asks before every call that
    /// cannot be taken back: between two attempts the swap may have been abandoned.
    fn is_wanted(&self, effect: &Effect) -> bool {
        wants(&self.swap()).contains(effect)
    }

    async fn yield_event(&self, event: Event) {
        // The driver is gone if this fails; the work is aborted with it.
        let _ = self.signals.send(Signal::Event(event)).await;
    }

    /// Yields what is heard only while the effect is wanted.
    async fn yield_answer(&self, to: &Effect, event: Event) {
        let _ = self.signals.send(Signal::Answer(to.clone(), event)).await;
    }

    /// Yields a transaction whose coins are locked. No lock is tidied up until it is committed.
    async fn yield_locked(&self, by: &Effect, event: Event, making: OwnedRwLockReadGuard<()>) {
        let _ = self.signals.send(Signal::Locked(by.clone(), event, making)).await;
    }

    /// Tells the driver that an effect has come to its end.
    pub(super) async fn ended(&self, beginning: Beginning) {
        let _ = self.signals.send(Signal::Ended(beginning)).await;
    }

    /// The chain and wallet of this swap, once its node has answered; an end without them is told once to the log.
    async fn side(&self) -> Option<Arc<Side>> {
        let side = self.shared.sides.once_here(self.asset()).await;
        if side.is_none() {
            error!(asset = %self.asset(), "the swap's chain is not configured: it waits until it is");
        }
        side
    }

    /// The same for what asks again and again, because the swap may not want it any more by then.
    fn side_now(&self) -> Result<Arc<Side>, PortError> {
        let side = self.shared.sides.get(self.asset());
        side.map_err(|absence| PortError::Unreachable(absence.to_string()))
    }

    fn asset(&self) -> Asset {
        self.swap.borrow().terms.asset
    }

    fn backoff(&self) -> Backoff {
        Backoff::of(&self.shared.pace)
    }
}

/// Runs a call until it is answered; `Err` is the reason of a refusal.
async fn until_answered<T, F>(task: &Task, what: &str, mut call: impl FnMut() -> F) -> Result<T, String>
where
    F: Future<Output = Result<T, PortError>>,
{
    let mut backoff = task.backoff();
    loop {
        match call().await {
            Ok(answer) => return Ok(answer),
            Err(failure) => {
                if let Some(refused) = backoff.after(what, failure).await {
                    return Err(refused);
                }
            }
        }
    }
}

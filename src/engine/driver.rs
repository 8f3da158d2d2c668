//! One task per swap: it makes the world do what the committed state wants, and commits what the world shows.
//!
//! ```text
//!  wants(swap) ──reconcile──► running work ──► events ──► step ──► commit ──► swap
//! ```
//!
//! Nothing acts on a state that is not on disk. A failing commit ends the daemon: only a new start can write again.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::AbortHandle;
use tracing::{debug, error, info, warn};

use super::desk::{Beginning, Desk};
use super::perform::{self, Task};
use super::signal::{Heard, Signal};
use super::{Shared, locks, rescue};
use crate::store::state_name;
use crate::swap::event::{OpeningView, PaymentStatus, TxKind};
use crate::swap::{Event, Now, State, Step, Swap, step, wants};
use crate::units::Height;

/// What reaches a driver from outside.
pub(super) enum Inbox {
    /// An observation.
    Event(Event),
    /// The operator wants something; the answer is the swap after that.
    Wish {
        event: Event,
        answer: oneshot::Sender<Arc<Swap>>,
    },
}

pub(super) struct Driver {
    shared: Arc<Shared>,
    swap: watch::Sender<Arc<Swap>>,
    /// One channel for each task that hears of the swap's steps, so that they hear in turn: those that share a channel
    /// are woken in random order, and no run could be repeated.
    listeners: Vec<watch::Sender<Arc<Swap>>>,
    desk: Desk<AbortHandle>,
    signals: mpsc::Sender<Signal>,
    /// Whether the swap's rescue file is on the disk.
    kept: watch::Receiver<bool>,
    /// The block at which a confirmation was seen last: the chain is looked at more than once in a block.
    confirming_at: Option<Height>,
}

/// Drives a swap until it is closed or the daemon stops. `resumed`: it comes from the store of an earlier run.
pub(super) async fn drive(
    shared: Arc<Shared>,
    swap: watch::Sender<Arc<Swap>>,
    resumed: bool,
    mut inbox: mpsc::Receiver<Inbox>,
) {
    let (signals, mut signalled) = mpsc::channel(64);
    let (listener, listening) = watch::channel(swap.borrow().clone());
    let kept = rescue::begin(shared.clone(), listening);
    let mut driver = Driver {
        shared,
        swap,
        listeners: vec![listener],
        desk: Desk::new(),
        signals,
        kept,
        confirming_at: None,
    };
    if resumed && !driver.observe(&Event::Started) {
        return;
    }
    while !driver.is_closed() {
        driver.reconcile();
        let going_on = tokio::select! {
            biased;
            Some(signal) = signalled.recv() => driver.signalled(&signal),
            message = inbox.recv() => match message {
                Some(message) => driver.received(message),
                None => false,
            },
        };
        if !going_on {
            return driver.stop();
        }
    }
    driver.finish(&mut signalled).await;
}

impl Driver {
    fn is_closed(&self) -> bool {
        matches!(self.swap.borrow().state, State::Closed(_))
    }

    fn reconcile(&mut self) {
        let wanted = wants(&self.swap.borrow());
        for running in self.desk.keep_only(&wanted) {
            running.abort();
        }
        while let Some(beginning) = self.desk.to_begin(&wanted) {
            let running = self.begin(beginning.clone());
            self.desk.begun(beginning, running);
        }
    }

    fn listen(&mut self) -> watch::Receiver<Arc<Swap>> {
        let (listener, listening) = watch::channel(self.swap.borrow().clone());
        self.listeners.push(listener);
        listening
    }

    fn begin(&mut self, beginning: Beginning) -> AbortHandle {
        let (swap, kept) = (self.listen(), self.kept.clone());
        let task = Task::new(self.shared.clone(), swap, self.signals.clone(), kept);
        let shared = self.shared.clone();
        let work = async move {
            let performed = AssertUnwindSafe(perform::perform(&task, &beginning.effect))
                .catch_unwind()
                .await;
            if performed.is_err() {
                shared.fail("the work for a swap panicked, which is a bug of Sluice".into());
            }
            task.ended(beginning).await;
        };
        tokio::spawn(tracing::Instrument::in_current_span(work)).abort_handle()
    }

    fn signalled(&mut self, signal: &Signal) -> bool {
        let swap = self.swap.borrow().clone();
        match signal.heard(&swap) {
            Heard::Observe(event) => self.observe(event),
            Heard::ObserveThenWish(event, wish) => self.observe(event) && self.observe(&Event::Bump(wish)),
            Heard::Unused(event) => {
                locks::stepped(&self.shared, &swap, &swap, event);
                true
            }
            Heard::Ended(beginning) => {
                self.desk.ended(beginning);
                true
            }
            Heard::Nothing => true,
        }
    }

    fn received(&mut self, message: Inbox) -> bool {
        match message {
            Inbox::Event(event) => self.observe(&event),
            Inbox::Wish { event, answer } => {
                let going_on = self.observe(&event);
                // Who asked may have gone; the swap goes on all the same.
                let _ = answer.send(self.swap.borrow().clone());
                going_on
            }
        }
    }

    /// Lets what must not be dropped half-way come to its end after the swap has: the wallet may hand over an opening
    /// that nobody wants any more, whose coins would stay locked.
    async fn finish(&mut self, signalled: &mut mpsc::Receiver<Signal>) {
        loop {
            self.reconcile();
            if self.desk.is_idle() {
                break;
            }
            let Some(signal) = signalled.recv().await else { break };
            self.signalled(&signal);
        }
    }

    /// Steps and commits. False: the swap cannot go on, because what it is now could not be stored.
    fn observe(&mut self, event: &Event) -> bool {
        let swap = self.swap.borrow().clone();
        let now = Now {
            time: self.shared.clock.now(),
            tip: self.shared.tip(swap.terms.asset),
        };
        let confirming_at = confirming_at(&swap, event);
        let is_confirming = confirming_at.is_some_and(|tip| self.confirming_at.replace(tip) != Some(tip));
        let next = match step(&swap, now, event) {
            Step::Stay => {
                alarm_about_nonsense(&swap, event);
                self.note_published(&swap, event);
                locks::stepped(&self.shared, &swap, &swap, event);
                if is_confirming {
                    self.shared.announce(swap);
                }
                return true;
            }
            Step::To(next) => *next,
        };
        if let Err(failure) = self.shared.store.commit(&swap, event, now, &next) {
            error!(%failure, "ALARM: the swap's new state could not be stored");
            self.shared
                .fail(format!("a swap's new state could not be stored: {failure}"));
            return false;
        }
        let (from, to) = (state_name(&swap.state), state_name(&next.state));
        if from == to {
            debug!(state = to, "noted");
        } else {
            info!(from, to, "state");
        }
        let next = Arc::new(next);
        self.swap.send_replace(next.clone());
        self.listeners.retain(|listener| listener.send(next.clone()).is_ok());
        // Only now: who puts the wallet's locks in order must find the opening here or there at any time.
        locks::stepped(&self.shared, &swap, &next, event);
        self.shared.announce(next);
        true
    }

    /// A claim's arrival in the network changes nothing, but people ask when it was.
    fn note_published(&self, swap: &Swap, event: &Event) {
        if !matches!(event, Event::Accepted(TxKind::Claim)) {
            return;
        }
        info!("the claim is with the network");
        match self.shared.store.note_published(swap.id) {
            Ok(()) => self.shared.announce(self.swap.borrow().clone()),
            Err(failure) => warn!(%failure, "the time of the claim's publication could not be noted"),
        }
    }

    fn stop(&self) {
        self.desk.running().for_each(AbortHandle::abort);
    }
}

/// The block that has brought the opening or its spend another confirmation that counts: it changes nothing, but people
/// watch it come.
fn confirming_at(swap: &Swap, event: &Event) -> Option<Height> {
    let (Event::Chain(view), Some(limits)) = (event, swap.terms.timelocks()) else {
        return None;
    };
    let opening = match &view.opening {
        OpeningView::Confirmed { at, .. } => Some(*at),
        OpeningView::Mempool | OpeningView::Unseen => None,
    };
    let counts = |at: Height| {
        let depth = at.confirmations_at(view.tip);
        depth.is_some_and(|depth| depth <= limits.confirmations)
    };
    let spend = view.spend.as_ref().map(|spend| spend.at);
    opening.into_iter().chain(spend).any(counts).then_some(view.tip)
}

/// What cannot be: it changes nothing, and the operator must know.
fn alarm_about_nonsense(swap: &Swap, event: &Event) {
    let Event::Payment(kind, status) = event else { return };
    let seen = match &swap.state {
        State::Taker(_, crate::swap::Taker::AbandoningPayment { paying, .. }) => paying.seen,
        _ => false,
    };
    if seen && *status == PaymentStatus::Absent {
        error!(
            ?kind,
            "ALARM: the node has forgotten a payment that it had in flight; the swap's key is kept"
        );
    }
}

//! The taker of a swap-out while it pays the opening's fee in advance.
//!
//! A wish to stop is noted and acted on once the payment's end is certain: a fee that was paid obliges the maker.

use super::effect::{Effect, Payee};
use super::event::{EffectKind, Event, InvoiceKind, MessageKind, PaymentStatus, PeerMessage};
use super::payment::{Calls, proves_unpaid, quiet_after_loss, quiet_after_start};
use super::state::{Abandon, GivenInvoice, Offer, Party, State, Taker};
use super::step::{Scene, closed_by_peer};
use super::taker::{announced, coop_closing, failure_words};
use super::terms::Deal;
use crate::units::{CltvDelta, Height};

/// Blocks before the end of the payment window from which a fee is not paid any more: the opening would come too late.
const FEE_MARGIN: u32 = 10;
/// Two days: for how long a maker can keep the fee, and with it the channel, undecided.
pub(super) const FEE_MAX_CLTV: CltvDelta = CltvDelta(288);

pub(super) fn paying(scene: &Scene, fee: &GivenInvoice) -> Taker {
    Taker::PayingFee {
        fee: fee.clone(),
        offer: None,
        cancel: None,
        seen: false,
        quiet_from: scene.now.time,
    }
}

pub(super) fn step(scene: &Scene, deal: &Deal, state: &Taker, event: &Event) -> Option<State> {
    let mut next = state.clone();
    let Taker::PayingFee {
        offer,
        cancel,
        seen,
        quiet_from,
        ..
    } = &mut next
    else {
        return None;
    };
    let now = scene.now.time;
    let mut abandon = |by, reason: &str| note(cancel, by, reason);
    match event {
        Event::Payment(InvoiceKind::Fee, status) => {
            if let Some(certain) = certain(scene, deal, state, status) {
                return Some(certain);
            }
            *seen |= *status == PaymentStatus::InFlight;
            if let PaymentStatus::Failed(_) = status {
                abandon(Party::Us, &failure_reason(status));
            }
        }
        // Refused is the present call's end. One that was lost before it may still pay.
        Event::Refused(EffectKind::Pay(InvoiceKind::Fee), reason) => {
            let reason = format!("the fee invoice could not be paid: {reason}");
            if now >= *quiet_from && !*seen {
                return Some(scene.cancel(reason));
            }
            abandon(Party::Us, &reason);
        }
        Event::Peer(PeerMessage::Opening(announced)) => {
            offer.get_or_insert_with(|| announced.clone());
        }
        Event::Peer(PeerMessage::Cancel(reason)) => abandon(Party::Peer, reason),
        Event::Peer(PeerMessage::Malformed {
            message: MessageKind::Opening,
            reason,
        }) => abandon(Party::Us, reason),
        Event::Abort(reason) => abandon(Party::Us, reason),
        Event::Started => *quiet_from = quiet_after_start(*quiet_from, now),
        Event::CallLost(InvoiceKind::Fee) => *quiet_from = quiet_after_loss(*quiet_from, now),
        Event::Peer(_)
        | Event::Chain(_)
        | Event::Invoice(..)
        | Event::Payment(..)
        | Event::CallLost(_)
        | Event::Made(_)
        | Event::Sent(_)
        | Event::Accepted(_)
        | Event::Refused(..)
        | Event::Tick
        | Event::Bump(_) => return None,
    }
    Some(State::Taker(*deal, next))
}

/// A wish to stop; the first one counts.
fn note(cancel: &mut Option<Abandon>, by: Party, reason: &str) {
    let reason = reason.into();
    cancel.get_or_insert(Abandon { by, reason });
}

/// What follows once the payment's end is certain.
fn certain(scene: &Scene, deal: &Deal, state: &Taker, status: &PaymentStatus) -> Option<State> {
    let Taker::PayingFee {
        fee,
        offer,
        cancel,
        seen,
        quiet_from,
    } = state
    else {
        return None;
    };
    if matches!(status, PaymentStatus::Paid(preimage) if preimage.hash() == fee.hash) {
        return Some(fee_paid(scene, deal, offer.as_ref(), cancel.as_ref()));
    }
    let calls = Calls {
        seen: *seen,
        since: *quiet_from,
        quiet_from: *quiet_from,
        spent: false,
    };
    proves_unpaid(status, calls, fee, scene.now.time).then(|| fee_unpaid(scene, cancel.as_ref(), status))
}

fn fee_paid(scene: &Scene, deal: &Deal, offer: Option<&Offer>, cancel: Option<&Abandon>) -> State {
    match (cancel, offer) {
        (
            Some(Abandon {
                by: Party::Peer,
                reason,
            }),
            None,
        ) => closed_by_peer(&format!("{reason} (the fee was paid)")),
        (Some(Abandon { reason, .. }), offer) => State::Taker(*deal, coop_closing(offer, reason)),
        (None, Some(offer)) => State::Taker(*deal, announced(scene, deal, offer)),
        (None, None) => State::Taker(*deal, Taker::AwaitingOpening),
    }
}

fn fee_unpaid(scene: &Scene, cancel: Option<&Abandon>, status: &PaymentStatus) -> State {
    match cancel {
        Some(Abandon {
            by: Party::Peer,
            reason,
        }) => closed_by_peer(reason),
        Some(Abandon { by: Party::Us, reason }) => scene.cancel(reason),
        None => scene.cancel(failure_reason(status)),
    }
}

fn failure_reason(status: &PaymentStatus) -> String {
    format!("the fee payment failed: {}", failure_words(status))
}

pub(super) fn wanted(fee: &GivenInvoice, cancel: Option<&Abandon>, window_end: Height) -> Effect {
    if cancel.is_some() {
        return Effect::WatchPayment(InvoiceKind::Fee, fee.hash);
    }
    Effect::Pay(Payee {
        kind: InvoiceKind::Fee,
        invoice: fee.clone(),
        attempt: 1,
        max_cltv: Some(FEE_MAX_CLTV),
        before: Height(window_end.0.saturating_sub(FEE_MARGIN)),
    })
}

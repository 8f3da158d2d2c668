//! Shortcuts before the opening: of what is agreed to, and of the fee that a taker of a swap-out pays in advance.

use sluice::swap::event::{Event, InvoiceKind, InvoiceStatus, PaymentStatus, PeerMessage};
use sluice::swap::state::{Maker, State, Swap, Taker};
use sluice::swap::{Effect, Now, Step, step, wants};
use sluice::units::Timestamp;

use super::taker::to;

fn is_paying(swap: &Swap) -> bool {
    matches!(&swap.state, State::Taker(_, Taker::PayingFee { .. }))
}

/// While the fee is being paid, that event cancels the swap at once.
fn cancel_on(swap: &Swap, now: Now, event: &Event, is_it: fn(&Event) -> bool) -> Step {
    if !(is_paying(swap) && is_it(event)) {
        return step(swap, now, event);
    }
    let (reason, until) = (String::new(), now.time.plus_secs(600));
    to(swap, State::Canceling { reason, until })
}

pub fn unpaid_on_failure(swap: &Swap, now: Now, event: &Event) -> Step {
    cancel_on(swap, now, event, |event| {
        matches!(event, Event::Payment(InvoiceKind::Fee, PaymentStatus::Failed(_)))
    })
}

pub fn unpaid_on_lost_call(swap: &Swap, now: Now, event: &Event) -> Step {
    cancel_on(swap, now, event, |event| matches!(event, Event::CallLost(_)))
}

pub fn unpaid_on_abort(swap: &Swap, now: Now, event: &Event) -> Step {
    cancel_on(swap, now, event, |event| matches!(event, Event::Abort(_)))
}

pub fn start_is_quiet(swap: &Swap, now: Now, event: &Event) -> Step {
    match event {
        Event::Started if is_paying(swap) => Step::Stay,
        _ => step(swap, now, event),
    }
}

pub fn second_attempt_while_in_flight(swap: &Swap) -> Vec<Effect> {
    let mut all = wants(swap);
    if let State::Taker(_, Taker::PayingFee { seen: true, .. }) = &swap.state {
        for effect in &mut all {
            if let Effect::Pay(payee) = effect {
                payee.attempt = 2;
            }
        }
    }
    all
}

/// For as long as a node takes calls.
pub fn paid_at_any_time(swap: &Swap) -> Vec<Effect> {
    let mut all = wants(swap);
    for effect in &mut all {
        if let Effect::Pay(payee) = effect
            && payee.kind == InvoiceKind::Fee
        {
            payee.before = sluice::units::Height(u32::MAX);
            payee.invoice.expires_at = Timestamp(u64::MAX);
        }
    }
    all
}

/// Whatever the peer asks for in its agreement.
pub fn agreement_not_looked_at(swap: &Swap, now: Now, event: &Event) -> Step {
    let mut generous = swap.clone();
    generous.terms.premium_limit = bitcoin::SignedAmount::MAX;
    generous.terms.fees.fee_invoice = bitcoin::Amount::MAX_MONEY;
    match (event, step(&generous, now, event)) {
        (Event::Peer(PeerMessage::InAgreement { .. } | PeerMessage::OutAgreement { .. }), Step::To(next)) => {
            to(swap, next.state)
        }
        _ => step(swap, now, event),
    }
}

/// The invoice is there: that it will be paid is taken for granted.
pub fn funded_before_the_fee(swap: &Swap, now: Now, event: &Event) -> Step {
    match (&swap.state, event) {
        (State::Maker(deal, Maker::AwaitingFee { .. }), Event::Invoice(InvoiceKind::Fee, InvoiceStatus::Open)) => {
            let (invoice, since) = (None, now.time);
            to(swap, State::Maker(*deal, Maker::Funding { invoice, since }))
        }
        _ => step(swap, now, event),
    }
}

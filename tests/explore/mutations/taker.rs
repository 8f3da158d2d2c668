//! Shortcuts of the taker.

use sluice::swap::event::{
    ChainView, EffectKind, Event, Failure, InvoiceKind, OpeningView, PaymentStatus, PeerMessage, TxKind, Verdict,
};
use sluice::swap::progress::Progress;
use sluice::swap::state::{Attempt, Offer, Outcome, Paying, State, Swap, Taker};
use sluice::swap::{Effect, Now, Outgoing, Payee, Step, step, wants};
use sluice::units::Height;

use crate::fixtures::{due, opening_tx};

/// The swap in another state.
pub fn to(swap: &Swap, state: State) -> Step {
    Step::To(Box::new(Swap { state, ..swap.clone() }))
}

pub fn to_taker(swap: &Swap, taker: Taker) -> Step {
    match swap.deal() {
        Some(deal) => to(swap, State::Taker(*deal, taker)),
        None => Step::Stay,
    }
}

pub fn give_key(swap: &Swap, offer: &Offer) -> Step {
    let (offer, sent, reason) = (Some(offer.clone()), false, String::new());
    to_taker(swap, Taker::CoopClosing { offer, sent, reason })
}

fn paying(swap: &Swap) -> Option<&Paying> {
    match &swap.state {
        State::Taker(_, Taker::PayingClaim { paying, .. }) => Some(paying),
        _ => None,
    }
}

fn unpaid(swap: &Swap) -> Option<&Paying> {
    match &swap.state {
        State::Taker(_, Taker::PayingClaim { paying, .. } | Taker::AbandoningPayment { paying, .. }) => Some(paying),
        _ => None,
    }
}

/// While paying, that event gives the key away.
fn key_on(swap: &Swap, now: Now, event: &Event, is_it: fn(&Swap, &Event) -> bool) -> Step {
    match paying(swap).filter(|_| is_it(swap, event)) {
        Some(paying) => give_key(swap, &paying.offer),
        None => step(swap, now, event),
    }
}

pub fn key_at_windows_end(swap: &Swap, now: Now, event: &Event) -> Step {
    key_on(swap, now, event, |swap, event| {
        let end = swap.terms.timelocks().map(|limits| swap.anchor.plus(limits.window));
        matches!((event, end), (Event::Chain(view), Some(end)) if view.tip >= end)
    })
}

pub fn key_on_lost_call(swap: &Swap, now: Now, event: &Event) -> Step {
    key_on(swap, now, event, |_, event| matches!(event, Event::CallLost(_)))
}

pub fn key_on_cancel(swap: &Swap, now: Now, event: &Event) -> Step {
    key_on(swap, now, event, |_, event| {
        matches!(event, Event::Peer(PeerMessage::Cancel(_)))
    })
}

pub fn key_on_abort(swap: &Swap, now: Now, event: &Event) -> Step {
    key_on(swap, now, event, |_, event| matches!(event, Event::Abort(_)))
}

pub fn key_on_failure(swap: &Swap, now: Now, event: &Event) -> Step {
    key_on(swap, now, event, |_, event| {
        matches!(event, Event::Payment(_, PaymentStatus::Failed(Failure::NoBalance)))
    })
}

pub fn key_on_refused_claim(swap: &Swap, now: Now, event: &Event) -> Step {
    match (&swap.state, event) {
        (State::Taker(_, Taker::ClaimingInvoice { offer, .. }), Event::Refused(EffectKind::MakeClaim, _)) => {
            give_key(swap, offer)
        }
        _ => step(swap, now, event),
    }
}

pub fn key_on_start(swap: &Swap, now: Now, event: &Event) -> Step {
    key_on(swap, now, event, |_, event| matches!(event, Event::Started))
}

pub fn key_on_absence(swap: &Swap, now: Now, event: &Event) -> Step {
    match (&swap.state, event) {
        (
            State::Taker(_, Taker::AbandoningPayment { paying, .. }),
            Event::Payment(InvoiceKind::Claim, PaymentStatus::Absent),
        ) => give_key(swap, &paying.offer),
        _ => step(swap, now, event),
    }
}

pub fn start_is_quiet(swap: &Swap, now: Now, event: &Event) -> Step {
    match (unpaid(swap), event) {
        (Some(_), Event::Started) => Step::Stay,
        _ => step(swap, now, event),
    }
}

pub fn lost_call_is_quiet(swap: &Swap, now: Now, event: &Event) -> Step {
    match (unpaid(swap), event) {
        (Some(_), Event::CallLost(_)) => Step::Stay,
        _ => step(swap, now, event),
    }
}

pub fn preimage_forgotten_at_start(swap: &Swap, now: Now, event: &Event) -> Step {
    match (&swap.state, event) {
        (State::Taker(_, Taker::ClaimingInvoice { offer, .. }), Event::Started) => {
            let (offer, confirmed_at) = (offer.clone(), None);
            to_taker(swap, Taker::AwaitingConfirmation { offer, confirmed_at })
        }
        _ => step(swap, now, event),
    }
}

pub fn payment_forgotten_at_start(swap: &Swap, now: Now, event: &Event) -> Step {
    match (paying(swap), event) {
        (Some(paying), Event::Started) => {
            let (offer, confirmed_at) = (paying.offer.clone(), None);
            to_taker(swap, Taker::AwaitingConfirmation { offer, confirmed_at })
        }
        _ => step(swap, now, event),
    }
}

pub fn next_attempt_while_in_flight(swap: &Swap, now: Now, event: &Event) -> Step {
    match (&swap.state, event) {
        (
            State::Taker(
                _,
                Taker::PayingClaim {
                    paying,
                    attempt: Attempt::Calling(1),
                },
            ),
            Event::Payment(InvoiceKind::Claim, PaymentStatus::InFlight),
        ) => {
            let (paying, attempt) = (paying.clone(), Attempt::Calling(2));
            to_taker(swap, Taker::PayingClaim { paying, attempt })
        }
        _ => step(swap, now, event),
    }
}

pub fn next_attempt_after_start(swap: &Swap, now: Now, event: &Event) -> Step {
    match (&swap.state, event) {
        (
            State::Taker(
                _,
                Taker::PayingClaim {
                    paying,
                    attempt: Attempt::Calling(1),
                },
            ),
            Event::Started,
        ) => {
            let (paying, attempt) = (paying.clone(), Attempt::Calling(2));
            to_taker(swap, Taker::PayingClaim { paying, attempt })
        }
        _ => step(swap, now, event),
    }
}

pub fn opening_not_looked_at(swap: &Swap, now: Now, event: &Event) -> Step {
    match event {
        Event::Chain(view) => {
            let mut view = view.clone();
            if let OpeningView::Confirmed { verdict, .. } = &mut view.opening {
                *verdict = Verdict::Good(opening_tx());
            }
            step(swap, now, &Event::Chain(view))
        }
        _ => step(swap, now, event),
    }
}

pub fn announcement_not_looked_at(swap: &Swap, now: Now, event: &Event) -> Step {
    match (&swap.state, event) {
        (State::Taker(_, Taker::AwaitingOpening), Event::Peer(PeerMessage::Opening(offer))) => {
            let (offer, confirmed_at) = (offer.clone(), None);
            to_taker(swap, Taker::AwaitingConfirmation { offer, confirmed_at })
        }
        _ => step(swap, now, event),
    }
}

/// Neither when it comes nor before it is paid for.
pub fn announcement_never_looked_at(swap: &Swap, now: Now, event: &Event) -> Step {
    let (State::Taker(_, Taker::AwaitingConfirmation { offer, confirmed_at }), Event::Chain(_)) = (&swap.state, event)
    else {
        return announcement_not_looked_at(swap, now, event);
    };
    let mut good = offer.clone();
    good.invoice.amount = Some(due(swap.kind));
    let (asked, confirmed_at) = (offer.invoice.amount, *confirmed_at);
    let waiting = Taker::AwaitingConfirmation {
        offer: good,
        confirmed_at,
    };
    let Step::To(mut next) = (match to_taker(swap, waiting) {
        Step::To(swap) => step(&swap, now, event),
        Step::Stay => Step::Stay,
    }) else {
        return Step::Stay;
    };
    if let State::Taker(
        _,
        Taker::PayingClaim {
            paying: Paying { offer, .. },
            ..
        }
        | Taker::AwaitingConfirmation { offer, .. },
    ) = &mut next.state
    {
        offer.invoice.amount = asked;
    }
    Step::To(next)
}

pub fn claim_final_at_first_sight(swap: &Swap, now: Now, event: &Event) -> Step {
    match (&swap.state, event) {
        (State::Taker(_, Taker::ClaimingInvoice { .. }), Event::Chain(ChainView { spend: Some(_), .. })) => {
            to(swap, State::Closed(Outcome::ClaimedByInvoice))
        }
        _ => step(swap, now, event),
    }
}

pub fn claim_final_when_made(swap: &Swap, now: Now, event: &Event) -> Step {
    match (&swap.state, event) {
        (State::Taker(_, Taker::ClaimingInvoice { claims, .. }), Event::Chain(_)) if !claims.is_empty() => {
            to(swap, State::Closed(Outcome::ClaimedByInvoice))
        }
        _ => step(swap, now, event),
    }
}

pub fn payment_ignored_after_abandoning(swap: &Swap, now: Now, event: &Event) -> Step {
    match (&swap.state, event) {
        (State::Taker(_, Taker::AbandoningPayment { .. }), Event::Payment(_, PaymentStatus::Paid(_))) => Step::Stay,
        _ => step(swap, now, event),
    }
}

/// The claim is made once it is paid for, and only one attempt is made at it.
pub fn claim_made_late_and_once(swap: &Swap, now: Now, event: &Event) -> Step {
    let Step::To(mut next) = step(swap, now, event) else {
        return Step::Stay;
    };
    if let State::Taker(_, Taker::ClaimingInvoice { claims, progress, .. }) = &mut next.state {
        if unpaid(swap).is_some() {
            claims.clear();
        }
        if matches!(event, Event::Refused(EffectKind::MakeClaim, _)) {
            *progress = Progress::Waiting(Height(u32::MAX));
        }
    }
    Step::To(next)
}

pub fn claim_published_until_the_next_look(swap: &Swap) -> Vec<Effect> {
    let State::Taker(_, Taker::ClaimingInvoice { progress, .. }) = &swap.state else {
        return wants(swap);
    };
    let is_claim = |effect: &Effect| {
        matches!(
            effect,
            Effect::Broadcast {
                kind: TxKind::Claim,
                ..
            }
        )
    };
    let all = wants(swap).into_iter();
    all.filter(|effect| *progress == Progress::Fresh || !is_claim(effect))
        .collect()
}

pub fn no_look_after_abandoning(swap: &Swap) -> Vec<Effect> {
    let all = wants(swap).into_iter();
    all.filter(|effect| !matches!(effect, Effect::WatchPayment(..)))
        .collect()
}

pub fn pays_while_closing(swap: &Swap) -> Vec<Effect> {
    let mut all = wants(swap);
    if let State::Taker(_, Taker::CoopClosing { offer: Some(offer), .. }) = &swap.state {
        all.push(Effect::Pay(Payee {
            kind: InvoiceKind::Claim,
            invoice: offer.invoice.clone(),
            attempt: 1,
            max_cltv: None,
            before: swap.anchor,
        }));
    }
    all
}

pub fn key_sent_while_abandoning(swap: &Swap) -> Vec<Effect> {
    let mut all = wants(swap);
    if let State::Taker(_, Taker::AbandoningPayment { .. }) = &swap.state {
        all.push(Effect::Send {
            message: Outgoing::CoopClose(String::new()),
            repeat: true,
        });
    }
    all
}

/// One confirmation fewer is enough for the payment.
pub fn one_confirmation_too_few(swap: &Swap, now: Now, event: &Event) -> Step {
    match (&swap.state, event) {
        (State::Taker(_, Taker::AwaitingConfirmation { .. }), Event::Chain(view))
            if matches!(view.opening, OpeningView::Confirmed { .. }) =>
        {
            let tip = Height(view.tip.0 + 1);
            step(swap, now, &Event::Chain(ChainView { tip, ..view.clone() }))
        }
        _ => step(swap, now, event),
    }
}

//! Shortcuts of the maker.

use sluice::swap::event::{ChainView, EffectKind, Event, InvoiceStatus, Made, OpeningView, PeerMessage, TxKind};
use sluice::swap::progress::Progress;
use sluice::swap::state::{Maker, Outcome, Party, Refund, State, Swap};
use sluice::swap::{Effect, Now, Outgoing, Step, step, wants};

use super::taker::to;
use crate::fixtures::{opening_tx, void_tx};

fn canceled(swap: &Swap) -> Step {
    let (by, reason) = (Party::Us, String::new());
    to(swap, State::Closed(Outcome::Canceled { by, reason }))
}

fn maker(swap: &Swap) -> Option<&Maker> {
    match &swap.state {
        State::Maker(_, maker) => Some(maker),
        _ => None,
    }
}

fn broadcast(kind: TxKind) -> Effect {
    let tx = if kind == TxKind::Void { void_tx() } else { opening_tx() };
    Effect::Broadcast {
        kind,
        tx,
        preimage: None,
    }
}

pub fn opening_out_before_it_is_committed(swap: &Swap) -> Vec<Effect> {
    let mut all = wants(swap);
    if let Some(Maker::Funding { invoice: Some(_), .. }) = maker(swap) {
        all.push(broadcast(TxKind::Opening));
    }
    all
}

/// In a state that passes the test, that event cancels the swap at once.
fn cancel_on(swap: &Swap, now: Now, event: &Event, is_it: fn(&Maker, &Event) -> bool) -> Step {
    if maker(swap).is_some_and(|maker| is_it(maker, event)) {
        canceled(swap)
    } else {
        step(swap, now, event)
    }
}

fn is_cancel(event: &Event) -> bool {
    matches!(event, Event::Peer(PeerMessage::Cancel(_)))
}

pub fn cancel_after_funding(swap: &Swap, now: Now, event: &Event) -> Step {
    cancel_on(swap, now, event, |maker, event| {
        matches!(maker, Maker::Publishing { .. }) && is_cancel(event)
    })
}

pub fn cancel_after_opening(swap: &Swap, now: Now, event: &Event) -> Step {
    cancel_on(swap, now, event, |maker, event| {
        matches!(maker, Maker::Opened(_)) && is_cancel(event)
    })
}

pub fn abort_after_funding(swap: &Swap, now: Now, event: &Event) -> Step {
    cancel_on(swap, now, event, |maker, event| {
        matches!((maker, event), (Maker::Publishing { .. }, Event::Abort(_)))
    })
}

pub fn refused_opening_is_given_up(swap: &Swap, now: Now, event: &Event) -> Step {
    cancel_on(swap, now, event, |maker, event| {
        matches!(
            (maker, event),
            (
                Maker::Publishing { .. },
                Event::Refused(EffectKind::Broadcast(TxKind::Opening), _)
            )
        )
    })
}

pub fn start_while_publishing_is_given_up(swap: &Swap, now: Now, event: &Event) -> Step {
    cancel_on(swap, now, event, |maker, event| {
        matches!((maker, event), (Maker::Publishing { .. }, Event::Started))
    })
}

pub fn closed_invoice_is_the_end(swap: &Swap, now: Now, event: &Event) -> Step {
    cancel_on(swap, now, event, |maker, event| {
        matches!(
            (maker, event),
            (Maker::Opened(_), Event::Invoice(_, InvoiceStatus::Closed))
        )
    })
}

pub fn void_final_when_made(swap: &Swap, now: Now, event: &Event) -> Step {
    cancel_on(swap, now, event, |maker, event| {
        matches!((maker, event), (Maker::Voiding { .. }, Event::Made(Made::Void(_))))
    })
}

pub fn void_final_at_first_sight(swap: &Swap, now: Now, event: &Event) -> Step {
    cancel_on(swap, now, event, |maker, event| {
        let is_seen = matches!(event, Event::Chain(ChainView { conflict: Some(_), .. }));
        matches!(maker, Maker::Voiding { .. }) && is_seen
    })
}

/// Events that mean nothing where they should.
fn deaf_to(swap: &Swap, now: Now, event: &Event, is_it: fn(&Maker, &Event) -> bool) -> Step {
    if maker(swap).is_some_and(|maker| is_it(maker, event)) {
        Step::Stay
    } else {
        step(swap, now, event)
    }
}

pub fn no_giving_up(swap: &Swap, now: Now, event: &Event) -> Step {
    deaf_to(swap, now, event, |maker, event| {
        matches!((maker, event), (Maker::Voiding { .. }, Event::Abort(_)))
    })
}

fn is_key(event: &Event) -> bool {
    matches!(event, Event::Peer(PeerMessage::CoopClose { .. }))
}

pub fn key_lost_while_opened(swap: &Swap, now: Now, event: &Event) -> Step {
    deaf_to(swap, now, event, |maker, event| {
        matches!(maker, Maker::Opened(_)) && is_key(event)
    })
}

pub fn key_lost_while_voiding(swap: &Swap, now: Now, event: &Event) -> Step {
    deaf_to(swap, now, event, |maker, event| {
        matches!(maker, Maker::Voiding { .. }) && is_key(event)
    })
}

pub fn key_lost_while_publishing(swap: &Swap, now: Now, event: &Event) -> Step {
    deaf_to(swap, now, event, |maker, event| {
        matches!(maker, Maker::Publishing { .. }) && is_key(event)
    })
}

pub fn winning_opening_unseen_while_voiding(swap: &Swap, now: Now, event: &Event) -> Step {
    deaf_to(swap, now, event, |maker, event| {
        let is_seen = matches!(event, Event::Chain(view) if matches!(view.opening, OpeningView::Confirmed { .. }));
        matches!(maker, Maker::Voiding { .. }) && is_seen
    })
}

/// Go watches output 0, which may be the wallet's change: it never sees that the timelock is over.
pub fn refund_never_begins(swap: &Swap, now: Now, event: &Event) -> Step {
    match step(swap, now, event) {
        Step::To(next) if matches!(maker(&next), Some(Maker::ClaimingCsv { .. })) => Step::Stay,
        other => other,
    }
}

pub fn refused_refund_is_not_made_again(swap: &Swap) -> Vec<Effect> {
    let is_refund = matches!(maker(swap), Some(Maker::ClaimingCsv { .. }));
    let all = wants(swap).into_iter();
    all.filter(|effect| !(is_refund && matches!(effect, Effect::MakeClaim(..))))
        .collect()
}

pub fn refund_published_until_the_next_look(swap: &Swap) -> Vec<Effect> {
    let is_tired = match maker(swap) {
        Some(Maker::ClaimingCoop { refund, .. } | Maker::ClaimingCsv { refund, .. }) => {
            refund.progress != Progress::Fresh
        }
        _ => false,
    };
    let is_claim = |effect: &Effect| {
        matches!(
            effect,
            Effect::MakeClaim(..)
                | Effect::Broadcast {
                    kind: TxKind::Claim,
                    ..
                }
        )
    };
    let all = wants(swap).into_iter();
    all.filter(|effect| !(is_tired && is_claim(effect))).collect()
}

pub fn refund_final_at_first_sight(swap: &Swap, now: Now, event: &Event) -> Step {
    match (maker(swap), event) {
        (Some(Maker::ClaimingCsv { .. }), Event::Chain(ChainView { spend: Some(_), .. })) => {
            to(swap, State::Closed(Outcome::ClaimedByCsv))
        }
        _ => step(swap, now, event),
    }
}

fn with_closed_invoice(swap: &Swap) -> Option<Swap> {
    let State::Maker(deal, mut maker) = swap.state.clone() else {
        return None;
    };
    let (Maker::ClaimingCoop { refund, .. } | Maker::ClaimingCsv { refund, .. }) = &mut maker else {
        return None;
    };
    *refund = Refund {
        invoice_closed: true,
        ..refund.clone()
    };
    let state = State::Maker(deal, maker);
    Some(Swap { state, ..swap.clone() })
}

/// The refund does not wait until the claim invoice cannot be paid any more.
pub fn refund_without_canceled_invoice(swap: &Swap, now: Now, event: &Event) -> Step {
    match step(swap, now, event) {
        Step::To(next) => Step::To(with_closed_invoice(&next).map_or(next, Box::new)),
        Step::Stay => Step::Stay,
    }
}

/// The invoice's cancelling is believed before the node has answered.
pub fn refund_before_the_nodes_answer(swap: &Swap) -> Vec<Effect> {
    let mut all = wants(swap);
    if let Some(closed) = with_closed_invoice(swap) {
        all.extend(wants(&closed));
    }
    all
}

/// A key is taken without looking whether it is the one in the script.
pub fn any_key_will_do(swap: &Swap, now: Now, event: &Event) -> Step {
    match (event, swap.deal()) {
        (Event::Peer(PeerMessage::CoopClose { reason, key, .. }), Some(deal)) => {
            let (reason, key, key_of) = (reason.clone(), key.clone(), deal.peer_key);
            step(swap, now, &Event::Peer(PeerMessage::CoopClose { reason, key, key_of }))
        }
        _ => step(swap, now, event),
    }
}

pub fn opening_published_while_voided(swap: &Swap) -> Vec<Effect> {
    let mut all = wants(swap);
    if let Some(Maker::Voiding { .. }) = maker(swap) {
        all.push(broadcast(TxKind::Opening));
    }
    all
}

pub fn announced_while_voided(swap: &Swap) -> Vec<Effect> {
    let mut all = wants(swap);
    if let Some(Maker::Voiding { .. }) = maker(swap) {
        all.push(Effect::Send {
            message: Outgoing::Opening,
            repeat: true,
        });
    }
    all
}

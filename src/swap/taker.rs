//! The taker: pays the claim invoice and takes the opening's coins.
//!
//! ```text
//! PayingFee ─► AwaitingOpening ─► AwaitingConfirmation ─► PayingClaim ─► ClaimingInvoice ─► closed
//!                    │                    │                   │  ▲  paid │
//!                    ▼                    ▼                   ▼  └───────┤
//!               CoopClosing ◄────────────────────────  AbandoningPayment ┘
//! ```
//!
//! The rule above all: CoopClosing, which gives our key away, is entered only while no payment can exist.

use super::effect::{Effect, Outgoing};
use super::event::{
    ChainView, Event, Failure, InvoiceKind, MessageKind, OpeningView, PaymentStatus, PeerMessage, Verdict,
};
use super::state::{Attempt, Offer, Paying, State, Swap, Taker};
use super::step::{Scene, closed_by_peer};
use super::terms::{Deal, Kind};
use super::timelocks::{Timelocks, is_final, may_pay};
use super::{claiming, closing, fee, paying};
use crate::units::{Asset, Height, RawTx};

pub(super) fn step(scene: &Scene, deal: &Deal, state: &Taker, event: &Event) -> Option<State> {
    let stay = |taker: Taker| Some(State::Taker(*deal, taker));
    match state {
        Taker::PayingFee { .. } => fee::step(scene, deal, state, event),
        Taker::AwaitingOpening => opening(scene, deal, event),
        Taker::AwaitingConfirmation { offer, confirmed_at } => match event {
            Event::Chain(view) => confirmation(scene, deal, offer, *confirmed_at, view),
            Event::Peer(PeerMessage::Cancel(reason)) => {
                stay(coop_closing(Some(offer), &format!("the maker cancelled: {reason}")))
            }
            Event::Abort(reason) => stay(coop_closing(Some(offer), reason)),
            Event::Started
            | Event::Peer(_)
            | Event::Invoice(..)
            | Event::Payment(..)
            | Event::CallLost(_)
            | Event::Made(_)
            | Event::Sent(_)
            | Event::Accepted(_)
            | Event::Refused(..)
            | Event::Tick
            | Event::Bump(_) => None,
        },
        Taker::PayingClaim { paying, attempt } => paying::step(scene, paying, *attempt, event).and_then(stay),
        Taker::AbandoningPayment { .. } => paying::abandoning(scene, state, event).and_then(stay),
        Taker::ClaimingInvoice { .. } => claiming::step(scene, deal, state, event),
        Taker::CoopClosing { offer, sent, reason } => closing::step(scene, deal, offer.as_ref(), *sent, reason, event),
    }
}

pub(super) fn coop_closing(offer: Option<&Offer>, reason: &str) -> Taker {
    Taker::CoopClosing {
        offer: offer.cloned(),
        sent: false,
        reason: reason.into(),
    }
}

/// What follows an announcement.
pub(super) fn announced(scene: &Scene, deal: &Deal, offer: &Offer) -> Taker {
    match check_offer(scene, deal, offer) {
        Ok(()) => Taker::AwaitingConfirmation {
            offer: offer.clone(),
            confirmed_at: None,
        },
        Err(reason) => coop_closing(Some(offer), &reason),
    }
}

fn opening(scene: &Scene, deal: &Deal, event: &Event) -> Option<State> {
    let close = |reason: &str| Some(State::Taker(*deal, coop_closing(None, reason)));
    match event {
        Event::Peer(PeerMessage::Opening(offer)) => Some(State::Taker(*deal, announced(scene, deal, offer))),
        Event::Peer(PeerMessage::Malformed {
            message: MessageKind::Opening,
            reason,
        })
        | Event::Abort(reason) => close(reason),
        Event::Peer(PeerMessage::Cancel(reason)) => Some(closed_by_peer(reason)),
        Event::Chain(view) if view.tip >= scene.window_end() => {
            close("the maker did not open within the payment window")
        }
        Event::Started
        | Event::Peer(_)
        | Event::Chain(_)
        | Event::Invoice(..)
        | Event::Payment(..)
        | Event::CallLost(_)
        | Event::Made(_)
        | Event::Sent(_)
        | Event::Accepted(_)
        | Event::Refused(..)
        | Event::Tick
        | Event::Bump(_) => None,
    }
}

impl Scene<'_> {
    pub(super) fn window_end(&self) -> Height {
        self.swap.anchor.plus(self.limits.window)
    }

    /// Whether a claim payment may start now: by the tip, and by the clock, since the tip may be an old one.
    pub(super) fn may_pay(&self, tip: Height, confirmed_at: Height) -> bool {
        let in_time = self.now.time < self.limits.pay_until(self.swap.created_at);
        in_time && may_pay(tip, self.swap.anchor, confirmed_at, self.limits)
    }
}

/// Checks an announcement: what it says must be payable, for the agreed amount, within the timelocks.
fn check_offer(scene: &Scene, deal: &Deal, offer: &Offer) -> Result<(), String> {
    let (swap, invoice) = (scene.swap, &offer.invoice);
    scene.check_invoice(invoice)?;
    let due = swap
        .terms
        .claim_amount(swap.kind, deal)
        .ok_or("the agreed amount is not payable")?;
    if invoice.amount != Some(due) {
        let asked = invoice.amount.map_or("no amount".to_owned(), |asked| asked.to_string());
        return Err(format!("the claim invoice asks for {asked}, the terms say {due}"));
    }
    let (final_cltv, limit) = (invoice.final_cltv.0, scene.limits.final_cltv.0);
    if final_cltv > limit {
        return Err(format!(
            "the claim invoice wants a final CLTV delta of {final_cltv}, the limit is {limit}"
        ));
    }
    if (swap.terms.asset == Asset::Lbtc) != offer.blinding_key.is_some() {
        return Err("a blinding key must be given on Liquid and only there".into());
    }
    Ok(())
}

fn confirmation(
    scene: &Scene,
    deal: &Deal,
    offer: &Offer,
    confirmed_at: Option<Height>,
    view: &ChainView,
) -> Option<State> {
    let close = |reason: &str| Some(State::Taker(*deal, coop_closing(Some(offer), reason)));
    if view.spend.is_some() {
        return close("the opening is already spent");
    }
    let seen_at = match &view.opening {
        OpeningView::Confirmed {
            verdict: Verdict::Bad(reason),
            ..
        } => return close(reason),
        OpeningView::Confirmed {
            at,
            verdict: Verdict::Good(tx),
        } if is_final(view.tip, *at, scene.limits) => {
            return match check_offer(scene, deal, offer) {
                Ok(()) if scene.may_pay(view.tip, *at) => {
                    Some(State::Taker(*deal, begin_paying(scene, offer, tx, *at)))
                }
                Ok(()) => close("the payment window is over"),
                Err(reason) => close(&reason),
            };
        }
        OpeningView::Confirmed { at, .. } => Some(*at),
        OpeningView::Mempool | OpeningView::Unseen => None,
    };
    if view.tip >= scene.window_end() {
        return close("the opening did not confirm within the payment window");
    }
    (seen_at != confirmed_at).then(|| {
        State::Taker(
            *deal,
            Taker::AwaitingConfirmation {
                offer: offer.clone(),
                confirmed_at: seen_at,
            },
        )
    })
}

fn begin_paying(scene: &Scene, offer: &Offer, opening: &RawTx, confirmed_at: Height) -> Taker {
    let now = scene.now.time;
    let paying = Paying {
        offer: offer.clone(),
        opening: opening.clone(),
        confirmed_at,
        claim: None,
        first_attempt: now,
        seen: false,
        quiet_from: now,
    };
    Taker::PayingClaim {
        paying,
        attempt: Attempt::Calling(1),
    }
}

pub(super) fn failure_words(status: &PaymentStatus) -> &'static str {
    match status {
        PaymentStatus::Failed(Failure::Temporary) => "the channel could not carry it",
        PaymentStatus::Failed(Failure::NoBalance) => "too little balance in the channel",
        PaymentStatus::Failed(Failure::WrongDetails) => "the payee refused it",
        PaymentStatus::Absent => "it was never begun",
        PaymentStatus::InFlight => "its end is not known",
        PaymentStatus::Paid(_) => "it was paid",
    }
}

pub(super) fn wants(swap: &Swap, limits: &Timelocks, state: &Taker) -> Vec<Effect> {
    let window_end = swap.anchor.plus(limits.window);
    match state {
        Taker::PayingFee { fee, cancel, .. } => vec![fee::wanted(fee, cancel.as_ref(), window_end)],
        Taker::AwaitingOpening if swap.kind == Kind::In => {
            vec![
                Effect::Send {
                    message: Outgoing::Agreement(None),
                    repeat: true,
                },
                Effect::WatchChain,
            ]
        }
        Taker::AwaitingOpening | Taker::AwaitingConfirmation { .. } => vec![Effect::WatchChain],
        Taker::PayingClaim { paying, attempt } => paying::wants(swap, limits, paying, *attempt),
        Taker::AbandoningPayment { paying, .. } => {
            vec![
                Effect::WatchPayment(InvoiceKind::Claim, paying.offer.invoice.hash),
                Effect::WatchChain,
            ]
        }
        Taker::ClaimingInvoice { .. } => claiming::wants(state),
        Taker::CoopClosing { reason, .. } => {
            vec![
                Effect::Send {
                    message: Outgoing::CoopClose(reason.clone()),
                    repeat: true,
                },
                Effect::WatchChain,
            ]
        }
    }
}

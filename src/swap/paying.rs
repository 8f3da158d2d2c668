//! The taker while it pays the claim invoice: attempts, and the reasons to make no further one.

use super::claiming;
use super::effect::{Effect, Payee};
use super::event::{
    ChainView, EffectKind, Event, Failure, InvoiceKind, Made, OpeningView, PaymentStatus, PeerMessage, SpendPath,
    Verdict,
};
use super::payment::{Calls, PAUSE_SECS, proves_unpaid, quiet_after_loss, quiet_after_start};
use super::state::{Attempt, GivenInvoice, Paying, Swap, Taker};
use super::step::Scene;
use super::taker::{coop_closing, failure_words};
use super::timelocks::{Timelocks, is_final};
use crate::units::Height;

pub(super) fn step(scene: &Scene, paying: &Paying, attempt: Attempt, event: &Event) -> Option<Taker> {
    let hash = paying.offer.invoice.hash;
    let now = scene.now.time;
    let with = |paying: Paying| Some(Taker::PayingClaim { paying, attempt });
    match event {
        Event::Payment(InvoiceKind::Claim, PaymentStatus::Paid(preimage)) if preimage.hash() == hash => {
            Some(claiming::begin(paying, preimage))
        }
        Event::Payment(InvoiceKind::Claim, PaymentStatus::InFlight) => with(Paying {
            seen: true,
            ..paying.clone()
        }),
        Event::Payment(InvoiceKind::Claim, PaymentStatus::Failed(failure)) => failed(scene, paying, attempt, *failure),
        Event::Made(Made::Claim(claim)) => with(Paying {
            claim: Some(claim.clone()),
            ..paying.clone()
        }),
        Event::Started => with(Paying {
            quiet_from: quiet_after_start(paying.quiet_from, now),
            ..paying.clone()
        }),
        Event::CallLost(InvoiceKind::Claim) => with(Paying {
            quiet_from: quiet_after_loss(paying.quiet_from, now),
            ..paying.clone()
        }),
        Event::Chain(view) => chain(scene, paying, attempt, view),
        Event::Tick => try_again(scene, paying, attempt, scene.now.tip),
        Event::Refused(EffectKind::Pay(InvoiceKind::Claim), reason) => {
            abandon(scene, paying, &format!("the claim invoice could not be paid: {reason}"))
        }
        // What cannot be claimed must not be paid for.
        Event::Refused(EffectKind::MakeClaim, reason) => {
            abandon(scene, paying, &format!("the claim could not be made: {reason}"))
        }
        Event::Peer(PeerMessage::Cancel(reason)) => abandon(scene, paying, &format!("the maker cancelled: {reason}")),
        Event::Abort(reason) => abandon(scene, paying, reason),
        Event::Peer(_)
        | Event::Invoice(..)
        | Event::Payment(..)
        | Event::CallLost(_)
        | Event::Made(_)
        | Event::Sent(_)
        | Event::Accepted(_)
        | Event::Refused(..)
        | Event::Bump(_) => None,
    }
}

fn abandon(scene: &Scene, paying: &Paying, reason: &str) -> Option<Taker> {
    Some(Taker::AbandoningPayment {
        paying: paying.clone(),
        reason: reason.into(),
        since: scene.now.time,
        spent: false,
    })
}

fn failed(scene: &Scene, paying: &Paying, attempt: Attempt, failure: Failure) -> Option<Taker> {
    // Only the call that is wanted can have failed now; in a pause this is an old failure told again.
    if matches!(attempt, Attempt::Pausing { .. }) {
        return None;
    }
    // A payee refuses the HTLC also of a payer whose node is a few blocks behind: its expiry counts from these.
    let again = match failure {
        Failure::Temporary | Failure::WrongDetails => paying.may_try_again(scene.now.time),
        Failure::NoBalance => false,
    };
    if !again {
        let reason = failure_words(&PaymentStatus::Failed(failure));
        return abandon(scene, paying, &format!("the claim payment failed: {reason}"));
    }
    let pause = Attempt::Pausing {
        next: attempt.next(),
        until: scene.now.time.plus_secs(PAUSE_SECS),
    };
    Some(Taker::PayingClaim {
        paying: paying.clone(),
        attempt: pause,
    })
}

fn chain(scene: &Scene, paying: &Paying, attempt: Attempt, view: &ChainView) -> Option<Taker> {
    if view.spend.is_some() {
        return abandon(scene, paying, "the opening was spent before it was paid for");
    }
    match &view.opening {
        OpeningView::Confirmed {
            at,
            verdict: Verdict::Good(_),
        } if is_final(view.tip, *at, scene.limits) => {
            let paying = Paying {
                confirmed_at: *at,
                ..paying.clone()
            };
            if attempt_is_open(attempt) || scene.may_pay(view.tip, *at) {
                try_again(scene, &paying, attempt, Some(view.tip)).or(Some(Taker::PayingClaim { paying, attempt }))
            } else {
                abandon(scene, &paying, "the payment window is over")
            }
        }
        OpeningView::Confirmed { .. } | OpeningView::Mempool | OpeningView::Unseen => {
            abandon(scene, paying, "a reorg has taken the opening's confirmations")
        }
    }
}

/// A call that is wanted either runs, and then the window's end does not stop it, or is kept from beginning by the
/// first tip that its effect names.
fn attempt_is_open(attempt: Attempt) -> bool {
    matches!(attempt, Attempt::Calling(_))
}

fn try_again(scene: &Scene, paying: &Paying, attempt: Attempt, tip: Option<Height>) -> Option<Taker> {
    let Attempt::Pausing { next, until } = attempt else {
        return None;
    };
    let tip = tip.filter(|_| scene.now.time >= until)?;
    if !scene.may_pay(tip, paying.confirmed_at) || !paying.may_try_again(scene.now.time) {
        return abandon(scene, paying, "the claim payment failed until its time was over");
    }
    Some(Taker::PayingClaim {
        paying: paying.clone(),
        attempt: Attempt::Calling(next),
    })
}

/// No further attempt is made: waits for proof that none is under way.
pub(super) fn abandoning(scene: &Scene, state: &Taker, event: &Event) -> Option<Taker> {
    let mut next = state.clone();
    let Taker::AbandoningPayment {
        paying,
        reason,
        since,
        spent,
    } = &mut next
    else {
        return None;
    };
    let (hash, now) = (paying.offer.invoice.hash, scene.now.time);
    match event {
        Event::Payment(InvoiceKind::Claim, PaymentStatus::Paid(preimage)) if preimage.hash() == hash => {
            return Some(claiming::begin(paying, preimage));
        }
        Event::Payment(InvoiceKind::Claim, status) => {
            let calls = Calls {
                seen: paying.seen,
                since: *since,
                spent: *spent,
                quiet_from: paying.quiet_from,
            };
            if proves_unpaid(status, calls, &paying.offer.invoice, now) {
                return Some(coop_closing(Some(&paying.offer), reason));
            }
            paying.seen |= *status == PaymentStatus::InFlight;
        }
        Event::Started => paying.quiet_from = quiet_after_start(paying.quiet_from, now),
        Event::CallLost(InvoiceKind::Claim) => {
            paying.quiet_from = quiet_after_loss(paying.quiet_from, now);
        }
        Event::Made(Made::Claim(claim)) => paying.claim = Some(claim.clone()),
        Event::Chain(view) => {
            *spent |= view
                .spend
                .as_ref()
                .is_some_and(|spend| is_final(view.tip, spend.at, scene.limits));
        }
        Event::Peer(_)
        | Event::Invoice(..)
        | Event::Payment(..)
        | Event::CallLost(_)
        | Event::Made(_)
        | Event::Sent(_)
        | Event::Accepted(_)
        | Event::Refused(..)
        | Event::Tick
        | Event::Abort(_)
        | Event::Bump(_) => return None,
    }
    Some(next)
}

pub(super) fn wants(swap: &Swap, limits: &Timelocks, paying: &Paying, attempt: Attempt) -> Vec<Effect> {
    let step = match attempt {
        // A node that takes no fee within the ceiling refuses the claim: it must have been signed before it is paid for.
        Attempt::Calling(_) if paying.claim.is_none() => Effect::MakeClaim(SpendPath::Preimage, None),
        Attempt::Calling(number) => Effect::Pay(Payee {
            kind: InvoiceKind::Claim,
            invoice: payable(swap, limits, &paying.offer.invoice),
            attempt: number,
            max_cltv: Some(limits.total_cltv),
            before: limits.pay_before(swap.anchor, paying.confirmed_at),
        }),
        Attempt::Pausing { until, .. } => Effect::WakeAt(until),
    };
    vec![step, Effect::WatchChain]
}

/// The invoice as it may be paid: its maker chooses how long it lives, but not how long we pay for it. A call may begin
/// long after the state allowed it, at a tip that an outage has left behind.
fn payable(swap: &Swap, limits: &Timelocks, invoice: &GivenInvoice) -> GivenInvoice {
    GivenInvoice {
        expires_at: invoice.expires_at.min(limits.pay_until(swap.created_at)),
        ..invoice.clone()
    }
}

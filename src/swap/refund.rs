//! The maker once its coins are in the opening: paid, or on one of the two ways back.

use super::effect::{Effect, Outgoing};
use super::event::{
    ChainView, EffectKind, Event, InvoiceKind, InvoiceStatus, Made, OpeningView, PeerMessage, Spend, SpendPath,
};
use super::progress::{self, Progress};
use super::state::{Maker, Opened, Outcome, Party, Refund, State};
use super::step::Scene;
use super::terms::Deal;
use super::timelocks::{is_final, may_refund};
use super::voiding;
use crate::units::{Height, SwapSecret};

/// How long a refund waits for our node to confirm that the claim invoice cannot be paid any more.
const CANCEL_INVOICE_SECS: u64 = 600;

pub(super) fn opened(scene: &Scene, deal: &Deal, opened: &Opened, event: &Event) -> Option<State> {
    let stay = |opened: Opened| Some(State::Maker(*deal, Maker::Opened(opened)));
    let (mut next, waits) = (opened.clone(), opened.confirmed_at.is_none());
    match event {
        Event::Invoice(InvoiceKind::Claim, status) => stay(with_status(opened, *status)),
        Event::Peer(PeerMessage::CoopClose { key, key_of, .. })
            if *key_of == deal.peer_key && opened.status != InvoiceStatus::Paid =>
        {
            Some(State::Maker(*deal, with_key(scene, opened, key)))
        }
        // The taker is gone: nobody listens any more. Its coins' way is the invoice, coop_close or the timelock.
        Event::Peer(PeerMessage::Cancel(_)) => stay(Opened {
            announce: false,
            ..opened.clone()
        }),
        Event::Chain(view) => Some(over(scene, opened, view).unwrap_or_else(|| seen(scene, deal, opened, view))),
        Event::Made(Made::Push(child)) if waits => {
            let Opened { progress, children, .. } = &mut next;
            progress.made(children, child);
            stay(next)
        }
        Event::Refused(EffectKind::MakePush, _) if waits => {
            next.progress = scene.refused();
            stay(next)
        }
        Event::Bump(wish) if waits => {
            next.progress.wished(true, *wish);
            stay(next)
        }
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
        | Event::Abort(_)
        | Event::Bump(_) => None,
    }
}

/// With what the chain shows of the opening, where that is not the end.
fn seen(scene: &Scene, deal: &Deal, opened: &Opened, view: &ChainView) -> State {
    let confirmed_at = confirmed_at(view);
    match (is_mature(scene, view), opened.status) {
        // Paid for and never taken: the coins are the taker's to claim. We do not take both.
        (true, InvoiceStatus::Paid) => State::Closed(Outcome::ClaimPaid { coins: Party::Peer }),
        (true, InvoiceStatus::Open | InvoiceStatus::Closed) => {
            let refund = begin(scene, opened);
            let opened = Opened {
                confirmed_at,
                ..opened.clone()
            };
            State::Maker(*deal, Maker::ClaimingCsv { opened, refund })
        }
        // Nobody can pay for it any more, and the network does not take it: its inputs are freed.
        (false, InvoiceStatus::Closed) if is_stuck(scene, view) => {
            let voiding = voiding::begin(opened, "the opening did not confirm in time");
            State::Maker(*deal, Maker::Voiding(voiding))
        }
        (false, status) => {
            // What nobody can pay for any more, or has paid for, need not hurry.
            let in_time = status == InvoiceStatus::Open && view.tip < scene.window_end();
            let progress = opened.progress.of_opening(in_time, view, scene.limits);
            let opened = Opened {
                confirmed_at,
                progress,
                ..opened.clone()
            };
            State::Maker(*deal, Maker::Opened(opened))
        }
    }
}

/// Taking the coins back with the taker's key.
pub(super) fn with_key(scene: &Scene, opened: &Opened, taker_key: &SwapSecret) -> Maker {
    Maker::ClaimingCoop {
        // Only a taker that may pay is in a hurry.
        opened: Opened {
            progress: Progress::Fresh,
            ..opened.clone()
        },
        taker_key: taker_key.clone(),
        refund: begin(scene, opened),
    }
}

/// Whether the timelock is over and nobody has taken the coins.
fn is_mature(scene: &Scene, view: &ChainView) -> bool {
    confirmed_at(view).is_some_and(|at| may_refund(view.tip, at, scene.limits)) && view.spend.is_none()
}

/// Whether an opening is still in no block when the payment window is over.
fn is_stuck(scene: &Scene, view: &ChainView) -> bool {
    confirmed_at(view).is_none() && view.conflict.is_none() && view.tip >= scene.window_end()
}

fn begin(scene: &Scene, opened: &Opened) -> Refund {
    let until = scene.now.time.plus_secs(CANCEL_INVOICE_SECS);
    Refund {
        until,
        invoice_closed: opened.status == InvoiceStatus::Closed,
        claims: Vec::new(),
        progress: Progress::Fresh,
    }
}

/// With what our node says of the claim invoice.
fn with_status(opened: &Opened, status: InvoiceStatus) -> Opened {
    let status = opened.status.then(status);
    Opened {
        status,
        announce: opened.announce && status == InvoiceStatus::Open,
        ..opened.clone()
    }
}

fn confirmed_at(view: &ChainView) -> Option<Height> {
    match &view.opening {
        OpeningView::Confirmed { at, .. } => Some(*at),
        OpeningView::Mempool | OpeningView::Unseen => None,
    }
}

/// The end, if the chain shows one that is final.
fn over(scene: &Scene, opened: &Opened, view: &ChainView) -> Option<State> {
    if view.conflict.is_some_and(|at| is_final(view.tip, at, scene.limits)) {
        let reason = "the opening's coins were spent by another transaction before it confirmed".into();
        return Some(State::Closed(match opened.status {
            InvoiceStatus::Paid => Outcome::ClaimPaid { coins: Party::Us },
            InvoiceStatus::Open | InvoiceStatus::Closed => Outcome::Canceled { by: Party::Us, reason },
        }));
    }
    let Spend { at, path, ours } = view.spend.as_ref()?;
    if !is_final(view.tip, *at, scene.limits) {
        return None;
    }
    let lost = |reason: &str| Some(Outcome::Lost { reason: reason.into() });
    let outcome = match (path, opened.status, ours) {
        (SpendPath::Preimage, InvoiceStatus::Paid, _) => Some(Outcome::ClaimPaid { coins: Party::Peer }),
        // Our node settles the invoice before the taker knows the preimage; its word may be on the way.
        (SpendPath::Preimage, InvoiceStatus::Open, _) => None,
        (SpendPath::Preimage, InvoiceStatus::Closed, _) => lost("the taker claimed with the preimage but did not pay"),
        (SpendPath::Coop | SpendPath::Csv, _, false) => {
            lost("the opening was spent with our key, but not to our payout")
        }
        (SpendPath::Coop | SpendPath::Csv, InvoiceStatus::Paid, true) => Some(Outcome::ClaimPaid { coins: Party::Us }),
        (SpendPath::Coop, _, true) => Some(Outcome::ClaimedByCoop),
        (SpendPath::Csv, _, true) => Some(Outcome::ClaimedByCsv),
    };
    outcome.map(State::Closed)
}

pub(super) fn claiming(
    scene: &Scene,
    deal: &Deal,
    state: &Maker,
    opened: &Opened,
    refund: &Refund,
    event: &Event,
) -> Option<State> {
    let (mut opened, mut refund) = (opened.clone(), refund.clone());
    match event {
        Event::Invoice(InvoiceKind::Claim, status) => {
            opened = with_status(&opened, *status);
            refund.invoice_closed |= opened.status == InvoiceStatus::Closed;
            if opened.status == InvoiceStatus::Paid && refund.claims.is_empty() {
                return Some(State::Maker(*deal, Maker::Opened(opened)));
            }
        }
        Event::Tick => refund.invoice_closed |= scene.now.time >= refund.until,
        Event::Made(Made::Claim(claim)) => refund.progress.made(&mut refund.claims, claim),
        Event::Refused(EffectKind::MakeClaim, _) => refund.progress = scene.refused(),
        Event::Bump(wish) => refund.progress.wished(!refund.claims.is_empty(), *wish),
        Event::Chain(view) => {
            if let Some(over) = over(scene, &opened, view) {
                return Some(over);
            }
            opened.confirmed_at = confirmed_at(view);
            if refund.invoice_closed {
                refund.progress = refund.progress.of_claim(&refund.claims, view, scene.limits);
            }
            // What both keys have not taken back until now is taken back by ours alone.
            if matches!(state, Maker::ClaimingCoop { .. }) && is_mature(scene, view) {
                let (claims, progress) = (Vec::new(), Progress::Fresh);
                let refund = Refund {
                    claims,
                    progress,
                    ..refund
                };
                return Some(State::Maker(*deal, Maker::ClaimingCsv { opened, refund }));
            }
        }
        Event::Started
        | Event::Peer(_)
        | Event::Invoice(..)
        | Event::Payment(..)
        | Event::CallLost(_)
        | Event::Made(_)
        | Event::Sent(_)
        | Event::Accepted(_)
        | Event::Refused(..)
        | Event::Abort(_) => return None,
    }
    Some(State::Maker(*deal, by_the_same_way(state, opened, refund)))
}

/// The way back that `state` is on, further along.
fn by_the_same_way(state: &Maker, opened: Opened, refund: Refund) -> Maker {
    if let Maker::ClaimingCoop { taker_key, .. } = state {
        let taker_key = taker_key.clone();
        return Maker::ClaimingCoop {
            opened,
            taker_key,
            refund,
        };
    }
    Maker::ClaimingCsv { opened, refund }
}

pub(super) fn wants_opened(opened: &Opened) -> Vec<Effect> {
    let mut wanted = vec![Effect::WatchChain];
    if opened.announce {
        wanted.push(Effect::Send {
            message: Outgoing::Opening,
            repeat: true,
        });
    }
    if opened.status == InvoiceStatus::Open {
        wanted.push(Effect::WatchInvoice(InvoiceKind::Claim, opened.invoice.hash));
    }
    wanted.extend(progress::wanted_for(opened));
    wanted
}

pub(super) fn wants_claiming(opened: &Opened, refund: &Refund, path: SpendPath) -> Vec<Effect> {
    let mut wanted = vec![Effect::WatchChain];
    wanted.extend(progress::wanted_for(opened));
    if opened.status == InvoiceStatus::Open {
        wanted.push(Effect::WatchInvoice(InvoiceKind::Claim, opened.invoice.hash));
    }
    if refund.invoice_closed {
        wanted.extend(progress::wanted(path, &refund.claims, refund.progress, None));
    } else {
        wanted.extend([Effect::CancelInvoice(opened.invoice.hash), Effect::WakeAt(refund.until)]);
    }
    wanted
}

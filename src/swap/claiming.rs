//! The taker that has paid: claims the opening with the preimage until its claim is final.

use super::effect::Effect;
use super::event::{ChainView, EffectKind, Event, Made, OpeningView, SpendPath, TxKind};
use super::progress::{Progress, wanted};
use super::state::{Outcome, Paying, State, Taker};
use super::step::Scene;
use super::terms::Deal;
use super::timelocks::is_final;
use crate::units::Preimage;

pub(super) fn begin(paying: &Paying, preimage: &Preimage) -> Taker {
    Taker::ClaimingInvoice {
        offer: paying.offer.clone(),
        opening: paying.opening.clone(),
        preimage: preimage.clone(),
        confirmed_at: Some(paying.confirmed_at),
        claims: paying.claim.iter().cloned().collect(),
        progress: Progress::Fresh,
        opening_gone: false,
    }
}

pub(super) fn step(scene: &Scene, deal: &Deal, state: &Taker, event: &Event) -> Option<State> {
    let mut next = state.clone();
    let Taker::ClaimingInvoice {
        claims,
        progress,
        opening_gone,
        confirmed_at,
        ..
    } = &mut next
    else {
        return None;
    };
    match event {
        Event::Made(Made::Claim(claim)) => progress.made(claims, claim),
        Event::Refused(EffectKind::MakeClaim, _) => *progress = scene.refused(),
        Event::Bump(wish) => progress.wished(!claims.is_empty(), *wish),
        Event::Chain(ChainView {
            tip,
            spend: Some(spend),
            ..
        }) if is_final(*tip, spend.at, scene.limits) => {
            return Some(State::Closed(match (&spend.path, spend.ours) {
                (SpendPath::Preimage, true) => Outcome::ClaimedByInvoice,
                (path, _) => Outcome::Lost {
                    reason: format!("we paid the claim invoice, but another spend ({path:?}) took the opening"),
                },
            }));
        }
        Event::Chain(view) => {
            *opening_gone = view.opening == OpeningView::Unseen;
            if let OpeningView::Confirmed { at, .. } = view.opening {
                *confirmed_at = Some(at);
            }
            *progress = progress.of_claim(claims, view, scene.limits);
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
        | Event::Abort(_) => return None,
    }
    Some(State::Taker(*deal, next))
}

pub(super) fn wants(state: &Taker) -> Vec<Effect> {
    let Taker::ClaimingInvoice {
        opening,
        preimage,
        claims,
        progress,
        opening_gone,
        ..
    } = state
    else {
        return Vec::new();
    };
    let again = opening_gone.then(|| Effect::Broadcast {
        kind: TxKind::Opening,
        tx: opening.clone(),
        preimage: None,
    });
    let claim = wanted(SpendPath::Preimage, claims, *progress, Some(preimage));
    again.into_iter().chain(claim).chain([Effect::WatchChain]).collect()
}

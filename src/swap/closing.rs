//! The taker that gives its key away, so that the maker need not wait for the timelock.

use super::event::{ChainView, Event, MessageKind, OpeningView, PeerMessage, Verdict};
use super::state::{Offer, Outcome, State, Taker};
use super::step::Scene;
use super::terms::Deal;
use super::timelocks::{is_final, may_refund};

pub(super) fn step(
    scene: &Scene,
    deal: &Deal,
    offer: Option<&Offer>,
    sent: bool,
    reason: &str,
    event: &Event,
) -> Option<State> {
    let stay = |offer: Option<&Offer>, sent| {
        Some(State::Taker(
            *deal,
            Taker::CoopClosing {
                offer: offer.cloned(),
                sent,
                reason: reason.into(),
            },
        ))
    };
    match event {
        Event::Sent(MessageKind::CoopClose) => stay(offer, true),
        Event::Peer(PeerMessage::Opening(late)) if offer.is_none() => stay(Some(late), sent),
        // Nothing was announced, and the maker says that nothing will be. A maker that lies gains nothing by it: we have
        // paid for nothing and never will, and our key is given to it already, or on its next announcement.
        Event::Peer(PeerMessage::Cancel(_)) if offer.is_none() => {
            Some(State::Closed(Outcome::CoopClosed { reason: reason.into() }))
        }
        Event::Chain(view) if is_over(scene, sent, view) => {
            Some(State::Closed(Outcome::CoopClosed { reason: reason.into() }))
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
        | Event::Abort(_)
        | Event::Bump(_) => None,
    }
}

/// Whether nobody needs our key any more.
fn is_over(scene: &Scene, sent: bool, view: &ChainView) -> bool {
    let limits = scene.limits;
    if let Some(spend) = &view.spend {
        return is_final(view.tip, spend.at, limits);
    }
    let told = scene.window_end().plus(limits.day);
    match &view.opening {
        // From here on the maker can help itself.
        OpeningView::Confirmed { at, .. } if may_refund(view.tip, *at, limits) => true,
        OpeningView::Mempool
        | OpeningView::Confirmed {
            verdict: Verdict::Good(_),
            ..
        } => false,
        OpeningView::Unseen
        | OpeningView::Confirmed {
            verdict: Verdict::Bad(_),
            ..
        } => view.tip >= if sent { told } else { told.plus(limits.csv) },
    }
}

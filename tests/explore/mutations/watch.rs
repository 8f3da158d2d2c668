//! Shortcuts of Go PeerSwap in how the chain is watched, and in what is done once it has been seen.

use sluice::swap::event::{ChainView, EffectKind, Event, OpeningView};
use sluice::swap::state::{State, Swap, Taker};
use sluice::swap::timelocks::Timelocks;
use sluice::swap::{Effect, Now, Outgoing, Step, step, wants};
use sluice::units::Height;

use super::taker::{give_key, to_taker};

/// The limits, the view, and the block of its opening, while a taker waits for the confirmations.
fn awaited<'a>(swap: &Swap, event: &'a Event) -> Option<(&'static Timelocks, &'a ChainView, Height)> {
    match (&swap.state, event) {
        (State::Taker(_, Taker::AwaitingConfirmation { .. }), Event::Chain(view)) => match view.opening {
            OpeningView::Confirmed { at, .. } => Some((swap.terms.timelocks()?, view, at)),
            OpeningView::Mempool | OpeningView::Unseen => None,
        },
        _ => None,
    }
}

/// The tip is of one moment, the opening's block of a later one with a tip two blocks ahead: their unsigned difference
/// can be huge.
pub fn confirmations_of_two_moments(swap: &Swap, now: Now, event: &Event) -> Step {
    let Some((limits, view, at)) = awaited(swap, event) else {
        return step(swap, now, event);
    };
    let earlier = view.tip.0 - 2;
    if earlier.wrapping_sub(at.0 - 1) < limits.confirmations.0 {
        return step(swap, now, event);
    }
    let tip = view.tip.max(Height(at.0 + limits.confirmations.0 - 1));
    step(swap, now, &Event::Chain(ChainView { tip, ..view.clone() }))
}

/// With as many confirmations as a window has blocks the watcher tells that the timelock is near, which a taker that
/// waits for the first confirmations does not take, and tells nothing more.
pub fn old_opening_is_no_news(swap: &Swap, now: Now, event: &Event) -> Step {
    match awaited(swap, event) {
        Some((limits, view, at)) if view.tip.0 + 1 >= at.0 + limits.window.0 => Step::Stay,
        _ => step(swap, now, event),
    }
}

/// After its failure the watcher tells of the confirmation as well, and it is paid for.
pub fn failure_then_confirmation(swap: &Swap, now: Now, event: &Event) -> Step {
    if let (State::Taker(_, Taker::CoopClosing { offer: Some(offer), .. }), Event::Chain(_)) = (&swap.state, event) {
        let (offer, confirmed_at) = (offer.clone(), None);
        let waiting = to_taker(swap, Taker::AwaitingConfirmation { offer, confirmed_at });
        if let Step::To(waiting) = waiting
            && let Step::To(next) = step(&waiting, now, event)
            && matches!(next.state, State::Taker(_, Taker::PayingClaim { .. }))
        {
            return Step::To(next);
        }
    }
    step(swap, now, event)
}

/// Its error was written down, and nobody watches again.
pub fn watch_has_ended(swap: &Swap) -> Vec<Effect> {
    let all = wants(swap).into_iter();
    all.filter(|effect| *effect != Effect::WatchChain).collect()
}

/// A wallet that cannot sign in the moment before the payment ends the swap.
pub fn hiccup_is_the_end(swap: &Swap, now: Now, event: &Event) -> Step {
    match (&swap.state, event) {
        (State::Taker(_, Taker::PayingClaim { paying, .. }), Event::Refused(EffectKind::MakeClaim, _))
            if paying.claim.is_none() =>
        {
            give_key(swap, &paying.offer)
        }
        _ => step(swap, now, event),
    }
}

/// A timer of the payment's state waits for the machine's lock, and fires in the next state.
pub fn key_by_timer_while_claiming(swap: &Swap, now: Now, event: &Event) -> Step {
    match (&swap.state, event) {
        (State::Taker(_, Taker::ClaimingInvoice { offer, .. }), Event::Chain(_))
            if now.time >= swap.created_at.plus_secs(600) =>
        {
            give_key(swap, offer)
        }
        _ => step(swap, now, event),
    }
}

/// Whether the maker was there to hear it or not.
pub fn key_sent_once(swap: &Swap) -> Vec<Effect> {
    let is_sent = matches!(&swap.state, State::Taker(_, Taker::CoopClosing { sent: true, .. }));
    let is_key = |effect: &Effect| {
        matches!(
            effect,
            Effect::Send {
                message: Outgoing::CoopClose(_),
                ..
            }
        )
    };
    let all = wants(swap).into_iter();
    all.filter(|effect| !(is_sent && is_key(effect))).collect()
}

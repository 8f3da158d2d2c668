//! What an effect tells its driver, and what that means for the state as it is now: the one that the effect was begun for
//! may have been left meanwhile.

use tokio::sync::OwnedRwLockReadGuard;

use super::desk::Beginning;
use crate::swap::fees::Wish;
use crate::swap::{Effect, Event, State, Swap, wants};

/// A driver's message from one of its effects.
pub(super) enum Signal {
    Event(Event),
    /// What says nothing of a state that wants the effect no more: one version's answer is not another's.
    Answer(Effect, Event),
    /// A transaction whose coins are locked: until it is committed, or is told to be of no use, no lock is tidied up.
    Locked(Effect, Event, OwnedRwLockReadGuard<()>),
    Ended(Beginning),
}

/// What a driver does about a signal.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard<'a> {
    /// It is observed.
    Observe(&'a Event),
    /// It is observed, and after it the operator's wish, which it does not fulfil.
    ObserveThenWish(&'a Event, Wish),
    /// It is not observed, but what it locked coins for is of no use: they are freed.
    Unused(&'a Event),
    /// The effect is not at work any more.
    Ended(&'a Beginning),
    Nothing,
}

impl Signal {
    /// What it means for the swap as it is now.
    pub(super) fn heard(&self, swap: &Swap) -> Heard<'_> {
        match self {
            // Nothing is learned of a swap that is over, but the wallet may hand over an opening that nobody wants any more.
            Signal::Event(event) if matches!(swap.state, State::Closed(_)) => Heard::Unused(event),
            Signal::Event(event) => Heard::Observe(event),
            Signal::Answer(effect, event) if wants(swap).contains(effect) => Heard::Observe(event),
            // It came to its end in the moment in which the state before this one was left.
            Signal::Answer(..) => Heard::Nothing,
            Signal::Locked(effect, event, _making) => locked(&wants(swap), effect, event),
            Signal::Ended(beginning) => Heard::Ended(beginning),
        }
    }
}

/// A version that came when none was wanted any more is of no use: the race that it was for is decided.
fn locked<'a>(wanted: &[Effect], effect: &Effect, event: &'a Event) -> Heard<'a> {
    if wanted.contains(effect) {
        return Heard::Observe(event);
    }
    match wish_of(wanted) {
        // What was made before the operator wished otherwise does not fulfil the wish.
        Some(wish) => Heard::ObserveThenWish(event, wish),
        None => Heard::Unused(event),
    }
}

/// The operator's wish for a version of what pushes or voids an opening.
fn wish_of(wanted: &[Effect]) -> Option<Wish> {
    wanted.iter().find_map(|wanted| match wanted {
        Effect::MakePush(wish) | Effect::MakeVoid(wish) => *wish,
        _ => None,
    })
}

#[cfg(test)]
mod tests;

//! What is at work for a swap: what is begun, what is stopped, and what is let run to its end.

use std::collections::HashMap;

use crate::swap::Effect;
use crate::swap::event::InvoiceKind;

/// The effects at work. `H` stops one.
pub(super) struct Desk<H> {
    work: HashMap<Effect, Work<H>>,
    /// How many have been begun.
    begun: u64,
}

/// An effect that is begun once more: the end of an earlier one, heard of late, is not its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Beginning {
    pub(super) effect: Effect,
    number: u64,
}

/// An effect at work.
struct Work<H> {
    number: u64,
    /// None once it has ended by itself; it is not begun again while it stays wanted.
    running: Option<H>,
    /// It was not wanted for a while, in which it may have ended without a word.
    left: bool,
}

impl<H> Desk<H> {
    pub(super) fn new() -> Desk<H> {
        Desk {
            work: HashMap::new(),
            begun: 0,
        }
    }

    /// Keeps what is wanted, and what must come to its end. The rest is forgotten: what of it still runs is to be stopped.
    #[must_use]
    pub(super) fn keep_only(&mut self, wanted: &[Effect]) -> Vec<H> {
        let mut stopped = Vec::new();
        self.work.retain(|effect, work| {
            if wanted.contains(effect) {
                return true;
            }
            if work.running.is_some() && is_joined(effect) {
                work.left = true;
                return true;
            }
            stopped.extend(work.running.take());
            false
        });
        stopped
    }

    /// The first wanted effect that is to be begun now, if there is one. What is begun may keep the next from it.
    pub(super) fn to_begin(&self, wanted: &[Effect]) -> Option<Beginning> {
        let is_excluded = |wanted: &Effect| {
            let mut work = self.work.iter();
            work.any(|(effect, work)| work.running.is_some() && excludes(effect, wanted))
        };
        let mut missing = wanted.iter().filter(|effect| !self.work.contains_key(effect));
        let effect = missing.find(|effect| !is_excluded(effect))?.clone();
        let number = self.begun;
        Some(Beginning { effect, number })
    }

    pub(super) fn begun(&mut self, Beginning { effect, number }: Beginning, running: H) {
        self.begun = number + 1;
        let work = Work {
            number,
            running: Some(running),
            left: false,
        };
        self.work.insert(effect, work);
    }

    /// An effect has come to its end by itself.
    pub(super) fn ended(&mut self, Beginning { effect, number }: &Beginning) {
        match self.work.get_mut(effect).filter(|work| work.number == *number) {
            Some(work) if work.left => drop(self.work.remove(effect)),
            Some(work) => work.running = None,
            None => {}
        }
    }

    pub(super) fn running(&self) -> impl Iterator<Item = &H> {
        self.work.values().filter_map(|work| work.running.as_ref())
    }

    pub(super) fn is_idle(&self) -> bool {
        self.running().next().is_none()
    }
}

/// Whether an effect, once begun, is let run to its end: dropping it would leave open whether it happened.
fn is_joined(effect: &Effect) -> bool {
    matches!(
        effect,
        Effect::Pay(_) | Effect::MakeOpening(_) | Effect::MakePush(_) | Effect::MakeVoid(_)
    )
}

/// Whether two effects must not be at work together: a second payment call, or a look at a payment whose call is
/// still open, which would take the word on an earlier attempt for the word on this one; two that lock the same coins.
fn excludes(running: &Effect, wanted: &Effect) -> bool {
    let payment = |effect: &Effect| -> Option<InvoiceKind> {
        match effect {
            Effect::Pay(payee) => Some(payee.kind),
            Effect::WatchPayment(kind, _) => Some(*kind),
            _ => None,
        }
    };
    match (running, wanted) {
        (Effect::Pay(_), _) => payment(wanted).is_some() && payment(running) == payment(wanted),
        (Effect::MakeOpening(_), Effect::MakeOpening(_))
        | (Effect::MakePush(_), Effect::MakePush(_))
        | (Effect::MakeVoid(_), Effect::MakeVoid(_)) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests;

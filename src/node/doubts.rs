//! Calls to pay that got no answer and may still reach the node.
//!
//! Bytes of such a call may sit in a socket while the node stands still. Until it has surely read them, a record of an
//! earlier, failed attempt does not prove that no HTLC goes out: the call may renew it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::units::PaymentHash;

/// A node that answers has read within this time what was sent to it before.
const QUIET: Duration = Duration::from_secs(30);

/// The unanswered calls of this process, by payment.
#[derive(Debug, Default)]
pub(in crate::node) struct Doubts(Mutex<HashMap<PaymentHash, Doubt>>);

#[derive(Debug, Clone, Copy)]
struct Doubt {
    /// The node's number of the record that was there before the call; None: there was none.
    before: Option<u64>,
    /// When the node first answered after the call.
    answered: Option<Instant>,
}

impl Doubts {
    /// A call to pay got no answer.
    pub(in crate::node) fn begin(&self, hash: PaymentHash, before: Option<u64>) {
        self.with(|doubts| doubts.insert(hash, Doubt { before, answered: None }));
    }

    /// The call was read, or a later one was.
    pub(in crate::node) fn end(&self, hash: PaymentHash) {
        self.with(|doubts| doubts.remove(&hash));
    }

    /// Whether a record with this number may still be renewed by an unanswered call. To be asked when the node has
    /// just shown that record.
    pub(in crate::node) fn cover(&self, hash: PaymentHash, record: u64, now: Instant) -> bool {
        self.with(|doubts| {
            let Some(doubt) = doubts.get_mut(&hash) else {
                return false;
            };
            let answered = *doubt.answered.get_or_insert(now);
            let open = doubt.before == Some(record) && now.saturating_duration_since(answered) < QUIET;
            if !open {
                doubts.remove(&hash);
            }
            open
        })
    }

    fn with<T>(&self, work: impl FnOnce(&mut HashMap<PaymentHash, Doubt>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: PaymentHash = PaymentHash([1; 32]);

    #[test]
    fn a_record_from_before_an_unanswered_call_counts_only_after_a_while() {
        let (doubts, now) = (Doubts::default(), Instant::now());
        doubts.begin(HASH, Some(7));
        assert!(doubts.cover(HASH, 7, now));
        assert!(doubts.cover(HASH, 7, now + QUIET - Duration::from_secs(1)));
        assert!(!doubts.cover(HASH, 7, now + QUIET));
        assert!(!doubts.cover(HASH, 7, now));
    }

    #[test]
    fn a_newer_record_is_the_call_s_own() {
        let doubts = Doubts::default();
        doubts.begin(HASH, Some(7));
        assert!(!doubts.cover(HASH, 8, Instant::now()));
    }

    #[test]
    fn an_answered_call_leaves_no_doubt() {
        let doubts = Doubts::default();
        doubts.begin(HASH, Some(7));
        doubts.end(HASH);
        assert!(!doubts.cover(HASH, 7, Instant::now()));
        assert!(!doubts.cover(PaymentHash([2; 32]), 7, Instant::now()));
    }
}

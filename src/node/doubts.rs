//! Calls to pay that the node may not have read yet.
//!
//! Bytes of such a call may sit in a socket while the node stands still. When it goes on, it may answer a question on
//! another connection first. Until it has surely read them, neither a record of an earlier, failed attempt proves that
//! no HTLC goes out, nor that there is no record. Which calls the process before this one has left behind nobody
//! knows: after a start every payment is in doubt that this process has not itself begun and seen through.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::units::PaymentHash;

use super::grpc::{CallError, Dialect};

/// A node that answers has read within this time what was sent to it before its first answer.
pub const READ_WITHIN: Duration = Duration::from_secs(30);
/// No more than this of the time between two answers counts: the node may have stood still in between.
const STEP: Duration = Duration::from_secs(5);

/// The calls to pay that may come to have an effect.
#[derive(Debug)]
pub(in crate::node) struct Doubts {
    read_within: Duration,
    book: Mutex<Book>,
}

#[derive(Debug)]
struct Book {
    /// The calls of the process before; None once they have been read.
    inherited: Option<Awake>,
    /// This process's, by payment.
    calls: HashMap<PaymentHash, Calls>,
}

#[derive(Debug, Default)]
struct Calls {
    /// How many wait for their answer.
    open: usize,
    /// Since the last one that got none; None once it has been read, and those before it.
    lost: Option<Awake>,
    /// One has led to a record. What the process before may have sent is older, and for the minute after a start in
    /// which that could matter the machine takes no failure for final (`swap/payment.rs`).
    seen_through: bool,
}

/// How a call came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Recorded,
    Refused,
    Lost,
}

/// For how long the node has been seen awake.
#[derive(Debug, Default)]
struct Awake {
    seen: Duration,
    last: Option<Instant>,
}

impl Awake {
    fn answered(&mut self, now: Instant) {
        let passed = self
            .last
            .map_or(Duration::ZERO, |last| now.saturating_duration_since(last));
        self.seen = self.seen.saturating_add(passed.min(STEP));
        self.last = self.last.max(Some(now));
    }
}

/// Counts an answer of the node; what it has surely read by now is waited for no longer.
fn note_answer(waiting: &mut Option<Awake>, read_within: Duration, now: Instant) {
    if let Some(awake) = waiting {
        awake.answered(now);
        if awake.seen >= read_within {
            *waiting = None;
        }
    }
}

impl Book {
    fn answered(&mut self, read_within: Duration, now: Instant) {
        if self.inherited.is_some() {
            note_answer(&mut self.inherited, read_within, now);
            if self.inherited.is_none() {
                self.calls.retain(|_, calls| calls.open > 0 || calls.lost.is_some());
            }
        }
    }

    /// Keeps nothing of a payment that makes no difference any more.
    fn forget(&mut self, hash: PaymentHash) {
        let matters =
            |calls: &Calls| calls.open > 0 || calls.lost.is_some() || (calls.seen_through && self.inherited.is_some());
        if !self.calls.get(&hash).is_some_and(matters) {
            self.calls.remove(&hash);
        }
    }
}

/// A call to pay that waits for its answer. It is lost if it is dropped.
#[derive(Debug)]
#[must_use = "a call that is dropped is lost"]
pub(in crate::node) struct Call<'a> {
    doubts: &'a Doubts,
    hash: PaymentHash,
    end: End,
}

impl Call<'_> {
    /// The node has read the call, and has a record of the payment.
    pub(in crate::node) fn recorded(mut self) {
        self.end = End::Recorded;
    }

    /// The node has read the call, and makes no payment of it. An earlier one may still come.
    pub(in crate::node) fn refused(mut self) {
        self.end = End::Refused;
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.doubts.close(self.hash, self.end);
    }
}

impl Doubts {
    /// Those of a process that has just begun.
    pub(in crate::node) fn new(read_within: Duration) -> Self {
        let book = Book {
            inherited: Some(Awake::default()),
            calls: HashMap::new(),
        };
        Self {
            read_within,
            book: Mutex::new(book),
        }
    }

    /// To be said before a call to pay is made: it may be dropped at any moment.
    pub(in crate::node) fn begin(&self, hash: PaymentHash) -> Call<'_> {
        let mut book = self.lock();
        let calls = book.calls.entry(hash).or_default();
        calls.open = calls.open.saturating_add(1);
        Call {
            doubts: self,
            hash,
            end: End::Lost,
        }
    }

    fn close(&self, hash: PaymentHash, end: End) {
        let mut book = self.lock();
        let calls = book.calls.entry(hash).or_default();
        calls.open = calls.open.saturating_sub(1);
        match end {
            End::Recorded => calls.seen_through = true,
            End::Refused => {}
            End::Lost => calls.lost = Some(Awake::default()),
        }
        if end != End::Lost {
            book.answered(self.read_within, Instant::now());
        }
        book.forget(hash);
    }

    /// To be asked when the node has just said that a payment failed, or that it knows of none. The error, which is
    /// that of a call without an answer: a call that it may not have read yet can still change that.
    pub(in crate::node) fn check<D: Dialect>(
        &self,
        method: &'static str,
        hash: PaymentHash,
        now: Instant,
    ) -> Result<(), CallError> {
        if self.cover(hash, now) {
            let why = "no payment, but the node may not have read yet what it was sent before";
            return Err(CallError::no_answer::<D>(method, why));
        }
        Ok(())
    }

    fn cover(&self, hash: PaymentHash, now: Instant) -> bool {
        let mut book = self.lock();
        book.answered(self.read_within, now);
        let inherited = book.inherited.is_some();
        let Some(calls) = book.calls.get_mut(&hash) else {
            return inherited;
        };
        note_answer(&mut calls.lost, self.read_within, now);
        let in_doubt = calls.open > 0 || calls.lost.is_some() || (inherited && !calls.seen_through);
        book.forget(hash);
        in_doubt
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those of a process that has run for a while.
    #[cfg(test)]
    pub(in crate::node) fn long_after_start() -> Self {
        let doubts = Self::new(READ_WITHIN);
        doubts.lock().inherited = None;
        doubts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: PaymentHash = PaymentHash([1; 32]);
    const OTHER: PaymentHash = PaymentHash([2; 32]);

    /// The node answers every second for so long; returns the moment of the last answer.
    fn answers(doubts: &Doubts, from: Instant, secs: u64) -> Instant {
        for sec in 0..secs {
            assert!(doubts.cover(HASH, from + Duration::from_secs(sec)), "after {sec} s");
        }
        from + Duration::from_secs(secs)
    }

    #[test]
    fn after_an_unanswered_call_the_node_s_word_counts_only_after_a_while() {
        let (doubts, now) = (Doubts::long_after_start(), Instant::now());
        drop(doubts.begin(HASH));
        let read = answers(&doubts, now, READ_WITHIN.as_secs());
        assert!(!doubts.cover(HASH, read));
        assert!(!doubts.cover(HASH, now));
    }

    #[test]
    fn after_a_start_nothing_counts_until_a_while_after_the_first_answer() {
        let (doubts, now) = (Doubts::new(READ_WITHIN), Instant::now());
        let first = now + Duration::from_secs(3600);
        let read = answers(&doubts, first, READ_WITHIN.as_secs());
        assert!(!doubts.cover(HASH, read));
        assert!(!doubts.cover(OTHER, read), "the process before has left nothing behind");
    }

    #[test]
    fn a_node_that_stands_still_reads_nothing_meanwhile() {
        let (doubts, now) = (Doubts::new(READ_WITHIN), Instant::now());
        let frozen = answers(&doubts, now, 10);
        let awake = frozen + Duration::from_secs(1920);
        // Nine seconds before, five of the time between, sixteen since.
        let read = answers(&doubts, awake, 16);
        assert!(!doubts.cover(HASH, read));
    }

    #[test]
    fn a_call_that_is_open_is_in_doubt() {
        let (doubts, now) = (Doubts::long_after_start(), Instant::now());
        let call = doubts.begin(HASH);
        answers(&doubts, now, 2 * READ_WITHIN.as_secs());
        assert!(!doubts.cover(OTHER, now));
        call.recorded();
        assert!(!doubts.cover(HASH, now));
    }

    #[test]
    fn the_answer_to_a_call_says_nothing_of_one_that_was_lost_before() {
        let (doubts, now) = (Doubts::long_after_start(), Instant::now());
        drop(doubts.begin(HASH));
        doubts.begin(HASH).recorded();
        let read = answers(&doubts, now, READ_WITHIN.as_secs());
        assert!(!doubts.cover(HASH, read));
    }

    #[test]
    fn a_second_lost_call_begins_the_wait_anew() {
        let (doubts, now) = (Doubts::long_after_start(), Instant::now());
        drop(doubts.begin(HASH));
        let later = answers(&doubts, now, READ_WITHIN.as_secs() - 1);
        drop(doubts.begin(HASH));
        let read = answers(&doubts, later, READ_WITHIN.as_secs());
        assert!(!doubts.cover(HASH, read));
    }

    #[test]
    fn after_a_start_a_payment_that_was_seen_through_is_in_no_doubt() {
        let (doubts, now) = (Doubts::new(READ_WITHIN), Instant::now());
        doubts.begin(OTHER).recorded();
        assert!(!doubts.cover(OTHER, now));
        assert!(doubts.cover(HASH, now));
    }

    #[test]
    fn after_a_start_a_refused_call_says_nothing_of_what_may_still_come() {
        let (doubts, now) = (Doubts::new(READ_WITHIN), Instant::now());
        doubts.begin(HASH).refused();
        assert!(doubts.cover(HASH, now));
    }

    #[test]
    fn after_a_start_a_call_that_was_lost_is_in_doubt_after_one_was_answered() {
        let (doubts, now) = (Doubts::new(READ_WITHIN), Instant::now());
        doubts.begin(HASH).recorded();
        drop(doubts.begin(HASH));
        answers(&doubts, now, READ_WITHIN.as_secs());
    }

    #[test]
    fn what_is_over_is_forgotten() {
        let doubts = Doubts::new(READ_WITHIN);
        doubts.begin(OTHER).recorded();
        drop(doubts.begin(HASH));
        let now = Instant::now();
        let read = answers(&doubts, now, READ_WITHIN.as_secs());
        assert!(!doubts.cover(HASH, read));
        assert!(doubts.lock().calls.is_empty());
        doubts.begin(OTHER).recorded();
        assert!(doubts.lock().calls.is_empty());
    }
}

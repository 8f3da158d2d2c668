//! What each peer has used up of what it may ask of us. In memory alone: a daemon that starts anew has forgotten it.
//!
//! The figures and their reasons are in `policy::limits`. Nothing here grows with what a peer says, nor without end
//! with the number of peers.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Semaphore;

use crate::policy::bucket::Bucket;
use crate::policy::limits::{self, Offence, Tally};
use crate::protocol::MessageType;
use crate::units::{NodeId, SwapId, Timestamp};

/// The offences that are counted here; stranded openings are counted in the store.
const COUNTED: [Offence; 4] = [Offence::Flood, Offence::Malformed, Offence::Refused, Offence::Abandoned];

/// What messages are counted with: who floods us with requests does not hold up its own swaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    Request,
    Poll,
    /// Of a swap that there is.
    OfSwap,
}

impl Sort {
    pub(super) fn of(kind: MessageType) -> Sort {
        match kind {
            MessageType::SwapInRequest | MessageType::SwapOutRequest => Sort::Request,
            MessageType::Poll | MessageType::RequestPoll => Sort::Poll,
            MessageType::SwapInAgreement
            | MessageType::SwapOutAgreement
            | MessageType::OpeningTxBroadcasted
            | MessageType::Cancel
            | MessageType::CoopClose => Sort::OfSwap,
        }
    }
}

/// A line about a peer may go into the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line {
    /// How many were left out before it; None: none.
    pub(super) left_out: Option<u64>,
}

/// What a peer does.
struct Record {
    swap_messages: Bucket,
    requests: Bucket,
    polls: Bucket,
    lines: Bucket,
    notices: Bucket,
    tallies: [Tally; COUNTED.len()],
    judged: Arc<Semaphore>,
    dropped: u64,
    left_out: u64,
    heard: Timestamp,
}

impl Record {
    fn new(now: Timestamp) -> Record {
        Record {
            swap_messages: Bucket::new(limits::SWAP_MESSAGES, now),
            requests: Bucket::new(limits::REQUESTS, now),
            polls: Bucket::new(limits::POLLS, now),
            lines: Bucket::new(limits::LOG_LINES, now),
            notices: Bucket::new(limits::NOTICES, now),
            tallies: COUNTED.map(Tally::new),
            judged: Arc::new(Semaphore::new(limits::JUDGED_AT_ONCE)),
            dropped: 0,
            left_out: 0,
            heard: now,
        }
    }
}

/// The peers' records.
#[derive(Default)]
pub(super) struct Guard {
    records: Mutex<HashMap<NodeId, Record>>,
    /// Swaps that peers asked for and have put nothing into yet.
    unproven: Mutex<HashSet<SwapId>>,
}

impl Guard {
    fn with<T>(&self, peer: &NodeId, now: Timestamp, look: impl FnOnce(&mut Record) -> T) -> T {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        if !records.contains_key(peer) && records.len() >= limits::MOST_REMEMBERED {
            let silent = records.iter().min_by_key(|(_, record)| record.heard);
            if let Some(silent) = silent.map(|(peer, _)| *peer) {
                records.remove(&silent);
            }
        }
        let record = records.entry(*peer).or_insert_with(|| Record::new(now));
        record.heard = now;
        look(record)
    }

    fn unproven(&self) -> MutexGuard<'_, HashSet<SwapId>> {
        self.unproven.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a message is within what is taken of the peer. Asked before it is read.
    pub(super) fn takes(&self, peer: &NodeId, sort: Sort, now: Timestamp) -> bool {
        self.with(peer, now, |record| {
            let bucket = match sort {
                Sort::Request => &mut record.requests,
                Sort::Poll => &mut record.polls,
                Sort::OfSwap => &mut record.swap_messages,
            };
            let taken = bucket.take(now);
            if !taken {
                record.dropped = record.dropped.saturating_add(1);
            }
            taken
        })
    }

    /// Whether a line about the peer may go into the log.
    pub(super) fn line(&self, peer: &NodeId, now: Timestamp) -> Option<Line> {
        self.with(peer, now, |record| {
            if !record.lines.take(now) {
                record.left_out = record.left_out.saturating_add(1);
                return None;
            }
            let left_out = std::mem::take(&mut record.left_out);
            Some(Line {
                left_out: (left_out > 0).then_some(left_out),
            })
        })
    }

    /// Whether a peer in quarantine may be told so.
    pub(super) fn notice(&self, peer: &NodeId, now: Timestamp) -> bool {
        self.with(peer, now, |record| record.notices.take(now))
    }

    /// The places where requests of the peer are judged.
    pub(super) fn judged(&self, peer: &NodeId, now: Timestamp) -> Arc<Semaphore> {
        self.with(peer, now, |record| record.judged.clone())
    }

    /// One more offence. True: it is one too many.
    pub(super) fn count(&self, peer: &NodeId, offence: Offence, now: Timestamp) -> bool {
        self.with(peer, now, |record| {
            let tally = record.tallies.iter_mut().find(|tally| tally.offence() == offence);
            tally.is_some_and(|tally| tally.add(now))
        })
    }

    /// Forgets what the peer did: its quarantine begins, or ends by the operator's word. What it has used up of its
    /// buckets stays used up.
    pub(super) fn forgive(&self, peer: &NodeId, now: Timestamp) {
        self.with(peer, now, |record| {
            record.tallies.iter_mut().for_each(Tally::clear);
        });
    }

    /// What was dropped of a peer since the daemon's start, and what is counted against it.
    pub(super) fn conduct(&self, peer: &NodeId, now: Timestamp) -> (u64, Vec<(Offence, u32)>) {
        let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(record) = records.get(peer) else {
            return (0, Vec::new());
        };
        let counts = record.tallies.iter().map(|tally| (tally.offence(), tally.count(now)));
        (record.dropped, counts.filter(|(_, count)| *count > 0).collect())
    }

    /// A peer has asked for a swap, and put nothing into it yet.
    pub(super) fn begun(&self, id: SwapId) {
        self.unproven().insert(id);
    }

    /// Whether a swap is one that its peer has put nothing into.
    pub(super) fn is_unproven(&self, id: SwapId) -> bool {
        self.unproven().contains(&id)
    }

    /// A swap has come to an end, or its peer has put something into it: `earnest`. It is not watched any more.
    pub(super) fn proven(&self, id: SwapId, peer: &NodeId, earnest: bool, now: Timestamp) {
        self.unproven().remove(&id);
        if earnest {
            self.with(peer, now, |record| {
                let abandoned = record
                    .tallies
                    .iter_mut()
                    .filter(|tally| tally.offence() == Offence::Abandoned);
                abandoned.for_each(Tally::clear);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::examples::peer;

    const NOW: Timestamp = Timestamp(1_800_000_000);

    fn taken(guard: &Guard, peer: &NodeId, sort: Sort, count: usize) -> usize {
        (0..count).filter(|_| guard.takes(peer, sort, NOW)).count()
    }

    #[test]
    fn a_flood_of_one_sort_uses_up_neither_the_other_sorts_nor_what_others_may_say() {
        let guard = Guard::default();
        let (flooding, other) = (peer(1), peer(2));
        let all = limits::REQUESTS.burst as usize;
        assert_eq!(taken(&guard, &flooding, Sort::Request, 10_000), all);
        assert_eq!(
            taken(&guard, &flooding, Sort::of(MessageType::SwapOutRequest), 1),
            0,
            "they share one"
        );
        assert_eq!(taken(&guard, &flooding, Sort::OfSwap, 10), 10);
        assert_eq!(taken(&guard, &flooding, Sort::Poll, 10), 10);
        assert_eq!(taken(&guard, &other, Sort::Request, 10), 10);
        let (dropped, _) = guard.conduct(&flooding, NOW);
        assert_eq!(dropped, 10_001 - limits::REQUESTS.burst as u64);
        assert_eq!(guard.conduct(&other, NOW), (0, Vec::new()));
    }

    #[test]
    fn the_log_gets_some_lines_and_then_how_many_were_left_out() {
        let guard = Guard::default();
        let lines = (0..10_000).filter(|_| guard.line(&peer(1), NOW).is_some()).count();
        assert_eq!(lines, limits::LOG_LINES.burst as usize);
        let later = NOW.plus_secs(60);
        let left_out = Some(10_000 - u64::from(limits::LOG_LINES.burst));
        assert_eq!(guard.line(&peer(1), later), Some(Line { left_out }));
        assert_eq!(guard.line(&peer(1), later), None);
        assert_eq!(guard.line(&peer(2), later), Some(Line { left_out: None }));
    }

    #[test]
    fn more_peers_than_are_remembered_push_out_whoever_was_silent_longest() {
        let guard = Guard::default();
        let most = u16::try_from(limits::MOST_REMEMBERED).expect("a few thousand");
        for number in 0..most + 10 {
            guard.takes(&peer(number), Sort::Poll, NOW.plus_secs(number.into()));
        }
        let records = guard.records.lock().expect("no panic before");
        assert_eq!(records.len(), limits::MOST_REMEMBERED);
        assert!(!records.contains_key(&peer(9)) && records.contains_key(&peer(10)));
    }

    #[test]
    fn dropped_swaps_count_only_in_a_row() {
        let guard = Guard::default();
        let (peer, id) = (peer(1), SwapId([7; 32]));
        let enough = Offence::Abandoned.threshold().count;
        for round in 0..3 {
            let reached = (1..enough).any(|_| guard.count(&peer, Offence::Abandoned, NOW));
            assert!(!reached, "round {round}");
            guard.begun(id);
            assert!(guard.is_unproven(id));
            guard.proven(id, &peer, true, NOW);
            assert!(!guard.is_unproven(id));
        }
        let reached = (0..enough).any(|_| guard.count(&peer, Offence::Abandoned, NOW));
        assert!(reached);
    }
}

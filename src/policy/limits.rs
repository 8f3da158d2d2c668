//! What one peer may ask of this node, and what quarantines it: all of it data, each with its reason.
//!
//! Limits bound what a peer costs; whoever stays within them is served, whatever it wants. What goes beyond is dropped
//! without a word. Offences are what no honest peer does, whatever its release, however often it or its node starts
//! again; docs/decisions/0018-hostile-peers.md derives the figures.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::bucket::Rate;
use crate::units::Timestamp;

/// Messages about swaps: agreements, openings, cancels, closes. A peer repeats one in ten seconds for each swap (Go:
/// messages/sender.go), so this is for two hundred swaps at a time.
pub const SWAP_MESSAGES: Rate = Rate {
    burst: 400,
    more: 20,
    every_secs: 1,
};
/// Requests of swaps. One takes some calls to the node and the chain to judge; a peer with ten channels that asks on
/// each of them every minute stays within.
pub const REQUESTS: Rate = Rate {
    burst: 200,
    more: 10,
    every_secs: 60,
};
/// Polls. A Go peer sends one in ten seconds, and one for each change of its settings.
pub const POLLS: Rate = Rate {
    burst: 100,
    more: 1,
    every_secs: 5,
};
/// Lines in the log about what a peer does that is refused, malformed or dropped.
pub const LOG_LINES: Rate = Rate {
    burst: 50,
    more: 1,
    every_secs: 60,
};
/// Answers to requests of a peer in quarantine, so that its operator can know why.
pub const NOTICES: Rate = Rate {
    burst: 1,
    more: 1,
    every_secs: 600,
};

/// Requests of one peer that are judged at the same time: half of all places, the other peers have the rest.
pub const JUDGED_AT_ONCE: usize = 8;
/// Swaps a peer asked for that run at the same time. One may hold a channel; the others wait for their last
/// transactions. Each takes some ten kilobytes of memory.
pub const MOST_RUNNING: usize = 256;
/// Those of them that the peer has put nothing into: its fee is not paid, its opening not confirmed.
pub const MOST_PENDING: usize = 128;
/// Peers whose doings are remembered at the same time; of more, whoever was silent longest is forgotten.
pub const MOST_REMEMBERED: usize = 4_096;

/// What a peer is quarantined for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Offence {
    /// Requests and messages about swaps that came on top of what is taken.
    Flood,
    /// Messages that are none, and messages for swaps of other peers.
    Malformed,
    /// Requests that break a rule: the same answer every time.
    Refused,
    /// Swaps that it asked for, that were agreed to, and that it put nothing into; in a row.
    Abandoned,
    /// Openings of ours that it did not pay for and did not give its key for: coins locked for days. Counted in the
    /// database, since a month is longer than a daemon runs.
    Stranded,
}

/// When an offence leads to a quarantine, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threshold {
    /// So many …
    pub count: u32,
    /// … within so many seconds of the first.
    pub within_secs: u64,
    /// How long the quarantine lasts, in seconds.
    pub quarantine_secs: u64,
}

const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;

impl Offence {
    /// All of them.
    pub const ALL: [Offence; 5] = [
        Offence::Flood,
        Offence::Malformed,
        Offence::Refused,
        Offence::Abandoned,
        Offence::Stranded,
    ];

    /// When it leads to a quarantine.
    #[must_use]
    pub const fn threshold(self) -> Threshold {
        match self {
            // An honest peer never empties a bucket; 1,000 beyond it are no accident.
            Offence::Flood => Threshold {
                count: 1_000,
                within_secs: 10 * 60,
                quarantine_secs: HOUR,
            },
            // A release that we do not know may repeat what we cannot read every ten seconds: 360 in an hour.
            Offence::Malformed => Threshold {
                count: 1_000,
                within_secs: HOUR,
                quarantine_secs: HOUR,
            },
            // A script that asks for the impossible every minute does not reach it.
            Offence::Refused => Threshold {
                count: 100,
                within_secs: HOUR,
                quarantine_secs: HOUR,
            },
            // Each leaves some kilobytes in the database for good. One in two minutes, and none of them in earnest.
            Offence::Abandoned => Threshold {
                count: 30,
                within_secs: HOUR,
                quarantine_secs: DAY,
            },
            // A Go taker sends its key once: one that is lost on the way costs us the timelock, and is nobody's malice.
            Offence::Stranded => Threshold {
                count: 3,
                within_secs: 30 * DAY,
                quarantine_secs: 7 * DAY,
            },
        }
    }
}

impl fmt::Display for Offence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Offence::Flood => "messages beyond what is taken of a peer",
            Offence::Malformed => "malformed messages",
            Offence::Refused => "requests against the rules",
            Offence::Abandoned => "swaps that it asked for and put nothing into",
            Offence::Stranded => "openings of ours that it neither paid for nor gave back",
        })
    }
}

/// How often a peer did something, within the time that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    offence: Offence,
    count: u32,
    since: Timestamp,
}

impl Tally {
    /// Nothing yet.
    #[must_use]
    pub const fn new(offence: Offence) -> Tally {
        Tally {
            offence,
            count: 0,
            since: Timestamp(0),
        }
    }

    /// What is counted.
    #[must_use]
    pub fn offence(&self) -> Offence {
        self.offence
    }

    /// How often it was done, up to now.
    #[must_use]
    pub fn count(&self, now: Timestamp) -> u32 {
        let over = now.0 < self.since.0 || now.0 - self.since.0 >= self.offence.threshold().within_secs;
        if over { 0 } else { self.count }
    }

    /// One more. True: that is as many as lead to a quarantine, and the counting begins anew.
    pub fn add(&mut self, now: Timestamp) -> bool {
        let before = self.count(now);
        if before == 0 {
            self.since = now;
        }
        self.count = before.saturating_add(1);
        let reached = self.count >= self.offence.threshold().count;
        if reached {
            self.count = 0;
        }
        reached
    }

    /// Forgets them all.
    pub fn clear(&mut self) {
        self.count = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_within_the_time_lead_to_a_quarantine_and_fewer_never() {
        for offence in Offence::ALL {
            let Threshold { count, within_secs, .. } = offence.threshold();
            let mut tally = Tally::new(offence);
            let reached: Vec<bool> = (0..count).map(|_| tally.add(Timestamp(50))).collect();
            assert_eq!(reached.iter().filter(|reached| **reached).count(), 1, "{offence}");
            assert_eq!(reached.last(), Some(&true));
            assert_eq!(tally.count(Timestamp(50)), 0, "it begins anew");

            let between = within_secs / u64::from(count - 1) + 1;
            let slow = (0..10 * u64::from(count)).any(|n| tally.add(Timestamp(1_000_000 + n * between)));
            assert!(!slow, "{offence}, one in {between} s");
        }
    }

    #[test]
    fn a_clock_that_is_set_back_begins_anew() {
        let mut tally = Tally::new(Offence::Flood);
        assert!(!tally.add(Timestamp(1_000)));
        assert_eq!(tally.count(Timestamp(999)), 0);
        assert!(!tally.add(Timestamp(10)));
        assert_eq!(tally.count(Timestamp(11)), 1);
        tally.clear();
        assert_eq!(tally.count(Timestamp(11)), 0);
    }

    /// What honest peers were seen to do, and the most that they could: none of it is an offence.
    #[test]
    fn an_honest_peer_stays_far_below_every_threshold() {
        let hourly = |rate: Rate| u64::from(rate.burst) + HOUR * u64::from(rate.more) / u64::from(rate.every_secs);
        // a hundred channels with a swap on each, all of them repeating
        assert!(hourly(SWAP_MESSAGES) >= 100 * HOUR / 10);
        // a script that asks on ten channels every ten minutes
        assert!(hourly(REQUESTS) >= 10 * 6);
        // a Go peer's polls
        assert!(hourly(POLLS) >= HOUR / 10);
        // an unknown release that repeats what cannot be read on two swaps
        assert!(u64::from(Offence::Malformed.threshold().count) > 2 * HOUR / 10);
        // a script that asks every minute for what we do not do, or every three for what it then drops
        assert!(u64::from(Offence::Refused.threshold().count) > HOUR / 60);
        assert!(u64::from(Offence::Abandoned.threshold().count) > HOUR / 180);
    }
}

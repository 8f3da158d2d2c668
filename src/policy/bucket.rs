//! A token bucket: so many at once, and so many more as time passes. Pure: the clock is handed in.

use crate::units::Timestamp;

/// How much of something is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// At once, after a time of silence.
    pub burst: u32,
    /// And after that, this many more …
    pub more: u32,
    /// … in each so many seconds.
    pub every_secs: u32,
}

/// What is left of a [`Rate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    rate: Rate,
    left: u32,
    /// Up to when it has been filled.
    filled: Timestamp,
}

impl Bucket {
    /// A full one.
    #[must_use]
    pub fn new(rate: Rate, now: Timestamp) -> Bucket {
        Bucket {
            rate,
            left: rate.burst,
            filled: now,
        }
    }

    /// Takes one; false: there is none left now.
    pub fn take(&mut self, now: Timestamp) -> bool {
        self.fill(now);
        let taken = self.left > 0;
        self.left = self.left.saturating_sub(1);
        taken
    }

    /// What came in since the last time, in whole steps: the rest of a step is not lost. A clock that was set back
    /// begins anew; that costs at most one step.
    fn fill(&mut self, now: Timestamp) {
        let every = u64::from(self.rate.every_secs.max(1));
        let steps = now.0.saturating_sub(self.filled.0) / every;
        let gained = steps.saturating_mul(self.rate.more.into());
        let left = u64::from(self.left).saturating_add(gained).min(self.rate.burst.into());
        self.left = u32::try_from(left).unwrap_or(self.rate.burst);
        self.filled = self.filled.plus_secs(steps.saturating_mul(every)).min(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate {
        burst: 5,
        more: 2,
        every_secs: 10,
    };

    fn take(bucket: &mut Bucket, now: u64, count: usize) -> usize {
        (0..count).filter(|_| bucket.take(Timestamp(now))).count()
    }

    #[test]
    fn a_burst_is_taken_and_then_only_what_time_brings() {
        let mut bucket = Bucket::new(RATE, Timestamp(100));
        assert_eq!(take(&mut bucket, 100, 9), 5);
        assert_eq!(take(&mut bucket, 109, 9), 0);
        assert_eq!(take(&mut bucket, 110, 9), 2);
        assert_eq!(take(&mut bucket, 135, 9), 4, "two whole steps");
        assert_eq!(take(&mut bucket, 140, 9), 2, "and the half one was not lost");
        assert_eq!(take(&mut bucket, 1_000_000, 9), 5, "silence saves no more than a burst");
    }

    #[test]
    fn no_clock_makes_it_give_more_than_its_rate_or_nothing_for_ever() {
        let mut bucket = Bucket::new(RATE, Timestamp(1_000));
        assert_eq!(take(&mut bucket, 1_000, 9), 5);
        assert_eq!(take(&mut bucket, 0, 9), 0, "set back");
        assert_eq!(take(&mut bucket, 10, 9), 2, "and it goes on from there");
        assert_eq!(take(&mut bucket, u64::MAX, 9), 5);
        assert_eq!(take(&mut bucket, u64::MAX, 9), 0);
    }
}

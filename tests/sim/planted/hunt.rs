//! Each mistake is played until it shows.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{available_parallelism, scope};
use std::time::Duration;

use super::Mistake;
use crate::plan::Plan;
use crate::run::play;

/// The swaps of one run here.
const SWAPS: u32 = 20;
/// And of one whose mistake shows in any weather.
const FEW: u32 = 6;
/// So many seeds are played at most.
const SEEDS: u64 = 8;

/// Each mistake, and what the simulation says of it: a part of the fault's text.
const MISTAKES: [(Mistake, &str); 19] = [
    (Mistake::SyncsNothing, "which is not committed"),
    // Swaps that are begun anew, or forgotten: which of them comes first is chance.
    (Mistake::LosesLastCommits, ""),
    (Mistake::RepeatsItsRandomness, "agreed"),
    (Mistake::PublishesWhatItFunds, "which is not committed"),
    (Mistake::OpensOneSatoshiShort, "agreed"),
    (Mistake::FreesNoCoins, "locked for nothing"),
    (Mistake::LocksNoCoins, "a coin that opens already"),
    (Mistake::PaysOutToStrangers, "has not got"),
    (Mistake::PublishesOnce, "not every swap has ended"),
    (Mistake::CountsOneBlockMore, "has not got the coins"),
    (Mistake::ForgetsNoBlock, "has not got the coins"),
    (Mistake::TakesInFlightForFailed, "gave its key"),
    (Mistake::TakesOpenForPaid, "was not paid for"),
    (Mistake::PaysAgainAfterStart, "which no committed swap wants"),
    (Mistake::LosesOneSatoshi, "msat, should have gained"),
    (Mistake::GivesItsKeyBeforePaying, "uncommitted"),
    (Mistake::KeepsRescueFilesElsewhere, "there is none"),
    (Mistake::KeepsFirstRescueFiles, "not what has been committed"),
    (Mistake::RemovesNoRescueFiles, "stays, its swap is over"),
];

/// A run in the weather that brings the mistake out.
fn plan(seed: u64, mistake: Mistake) -> Plan {
    let mut plan = Plan::fair(seed, SWAPS);
    match mistake {
        Mistake::LosesLastCommits | Mistake::RepeatsItsRandomness | Mistake::PaysAgainAfterStart => {
            plan.crash_every = Some(Duration::from_secs(600));
        }
        Mistake::PublishesOnce | Mistake::ForgetsNoBlock => (plan.reorg, plan.evicted) = (3_000, 5_000),
        Mistake::CountsOneBlockMore => (plan.reorg, plan.evicted) = (5_000, 9_000),
        Mistake::TakesOpenForPaid => plan.abort = 5_000,
        Mistake::FreesNoCoins => plan.lost = 600,
        Mistake::LocksNoCoins => plan.slow = 8_000,
        Mistake::TakesInFlightForFailed => (plan.payment_slow, plan.abort) = (8_000, 8_000),
        Mistake::SyncsNothing
        | Mistake::PublishesWhatItFunds
        | Mistake::OpensOneSatoshiShort
        | Mistake::PaysOutToStrangers
        | Mistake::LosesOneSatoshi
        | Mistake::GivesItsKeyBeforePaying
        | Mistake::KeepsRescueFilesElsewhere
        | Mistake::KeepsFirstRescueFiles
        | Mistake::RemovesNoRescueFiles => plan.swaps = FEW,
    }
    plan
}

/// The first seed that shows it, and how; what else was said if none does.
fn hunt(mistake: Mistake, says: &str) -> Result<(u64, String), Vec<String>> {
    let mut others = Vec::new();
    for seed in 1..=SEEDS {
        let plan = plan(seed, mistake);
        let sound = play(plan.clone());
        let report = play(Plan {
            mistake: Some(mistake),
            ..plan
        });
        sound.check();
        if let Some(fault) = report.faults.iter().find(|fault| fault.contains(says)) {
            return Ok((seed, fault.clone()));
        }
        others.extend(report.faults);
    }
    Err(others)
}

#[test]
fn every_mistake_that_is_planted_is_caught_and_nothing_is_said_without_it() {
    let (next, missed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    scope(|scope| {
        for _ in 0..available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some((mistake, says)) = MISTAKES.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match hunt(*mistake, says) {
                        Ok((seed, fault)) => println!("{mistake:?}: seed {seed}: {fault}"),
                        Err(others) => missed.lock().unwrap().push((mistake, others)),
                    }
                }
            });
        }
    });
    let missed = missed.into_inner().unwrap();
    assert!(missed.is_empty(), "not caught: {missed:#?}");
}

/// A swap whose last commits are lost is opened anew, while the file of its first opening is there.
#[test]
fn a_refund_of_an_earlier_opening_never_gets_into_the_file_of_a_later_one() {
    for seed in [6, 7] {
        let report = play(Plan {
            mistake: Some(Mistake::LosesLastCommits),
            ..plan(seed, Mistake::LosesLastCommits)
        });
        let strays: Vec<&String> = report
            .faults
            .iter()
            .filter(|fault| fault.contains("does not spend that opening"))
            .collect();
        assert!(strays.is_empty(), "seed {seed}: {strays:#?}");
    }
}

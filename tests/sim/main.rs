//! Two whole daemons, engines and databases and all, against a simulated world in which everything goes wrong that may.
//!
//! ```text
//!  operator ─► Engine + Store ─► ports ─► chain, wallet, Lightning, messages, clock ─► one world, one seed
//!                  │ disk: synced, torn, full, gone                                         │
//!                  └──────────── killed, restarted ◄──────────── weather ◄──────────────────┘
//! ```
//!
//! Everything is drawn from the seed, the daemons' keys included: `SIM_SEED=7 cargo test --test sim one_run` plays run 7
//! again, step by step.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "../liquid_bench/mod.rs"]
mod liquid_bench;

mod absence;
mod assemble;
mod books;
mod chain;
mod disk;
mod evidence;
mod ledger;
mod lightning;
mod network;
mod node;
mod operator;
mod payments;
mod plan;
mod planted;
mod port;
mod prices;
mod rescue;
mod run;
mod txs;
mod volume;
mod wallet;
mod weather;
mod world;

use std::time::Duration;

use plan::Plan;
use run::{Report, play};

/// The swaps of one run. A seed means the same run everywhere.
const SWAPS_PER_RUN: u32 = 100;

/// A number from the environment.
fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

fn run(seed: u64) -> Report {
    play(Plan::draw(seed, SWAPS_PER_RUN))
}

#[test]
fn one_run_ends_with_every_satoshi_in_its_place() {
    let report = run(number("SIM_SEED").unwrap_or(1));
    if number("SIM_SEED").is_some() {
        report.print_journal();
    }
    report.check();
}

#[test]
fn what_was_opened_for_a_peer_that_stays_away_comes_back_by_the_timelock_of_either_chain() {
    for (seed, btc) in [(1, 0), (2, 10_000)] {
        let plan = Plan {
            btc,
            absence_every: Some(Duration::from_secs(300)),
            ..Plan::fair(seed, 20)
        };
        let report = play(plan);
        report.check();
        assert!(report.endings.by_csv > 0, "{:?}", report.endings);
    }
}

/// The taker's key came while the maker's node was away, and its answer comes in the moment in which the timelock is over.
/// In the second of these runs that claim by both keys was taken for a refund by the timelock, once.
#[test]
fn a_claim_by_both_keys_is_never_kept_as_a_refund_by_the_timelock() {
    for seed in 1..=6 {
        let plan = Plan {
            payment_fails: 8_000,
            absence_every: Some(Duration::from_secs(600)),
            outage_every: Some(Duration::from_secs(1_800)),
            ..Plan::fair(seed, 40)
        };
        let report = play(plan);
        report.check();
        assert!(report.endings.by_csv > 0, "{:?}", report.endings);
    }
}

/// Answers of the wallets are lost or late, they refuse to free coins, and openings are pushed and given up all the time.
#[test]
fn no_coin_stays_locked_for_what_has_come_to_nothing() {
    for seed in 1..=8 {
        let plan = Plan {
            slow: 5_000,
            lost: 600,
            refused: 300,
            abort: 3_000,
            bump: 3_000,
            passed_over: 5_000,
            ..Plan::fair(seed, 40)
        };
        play(plan).check();
    }
}

/// In these runs both nodes' first answers are lost. Peers that were connected all the time were never known to be, once.
#[test]
fn who_is_connected_is_asked_until_the_node_tells() {
    for seed in [5, 52, 55] {
        let plan = Plan {
            lost: 3_000,
            ..Plan::fair(seed, 2)
        };
        play(plan).check();
    }
}

/// CI plays 20,000: SIM_SWAPS=20000. `cargo regtest soak` plays them for hours.
#[test]
fn thousands_of_swaps_lose_nothing() {
    volume::many(
        number("SIM_SWAPS").unwrap_or(2_000),
        number("SIM_SEED").unwrap_or(1_200),
    );
}

#[test]
fn the_same_seed_is_the_same_run_step_by_step() {
    for seed in [3, 7, 14] {
        let (first, second) = (run(seed), run(seed));
        assert_eq!(first.journal, second.journal, "seed {seed}");
        assert_eq!(first.steps, second.steps, "seed {seed}");
    }
}

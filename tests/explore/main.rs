//! A small, bounded model of the world around one swap, explored to its end: every order of blocks, messages, answers,
//! crashes and starts, with a peer that does whatever its keys allow.
//!
//! Heights and times are the few at which something changes. The bounds are in `chain.rs` and at the top of each world:
//! raise them, or add a move to a world, to explore more.
#![allow(clippy::unwrap_used)]

mod chain;
#[path = "../machine/fixtures/mod.rs"]
mod fixtures;
mod graph;
mod maker;
mod taker;

use graph::explore;
use sluice::swap::terms::Kind;

#[test]
fn a_taker_gives_its_key_away_only_when_no_payment_can_exist() {
    for (kind, faults) in [(Kind::In, 2), (Kind::Out, 0)] {
        let explored = explore(taker::World::begin(kind, faults));
        eprintln!("taker, swap-{kind:?}: {explored}");
        explored.ends_in(&["canceled", "claimed_by_invoice", "coop_closed"]);
    }
}

#[test]
fn a_maker_publishes_nothing_that_it_could_not_get_back_or_be_paid_for() {
    for (kind, faults) in [(Kind::In, 1), (Kind::Out, 0)] {
        let explored = explore(maker::World::begin(kind, faults));
        eprintln!("maker, swap-{kind:?}: {explored}");
        explored.ends_in(&["canceled", "claim_paid", "claimed_by_coop", "claimed_by_csv"]);
    }
}

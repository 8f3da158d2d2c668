//! A small, bounded model of the world around one swap, explored to its end: every order of blocks, messages, answers,
//! crashes and starts, with a peer that does whatever its keys allow. The swap in it is the shipped machine itself.
//!
//! Heights and times are those at which something changes. The bounds are in `chain.rs` and at the top of each world:
//! raise them, or add a move to a world, to explore more. `cargo test --test explore -- --nocapture` prints how much
//! was visited and which mutation of the machine is caught by what; `docs/evidence/mutations.md` keeps the latter.
//! `EXPLORE_FAULTS=2 EXPLORE_BUMPS=1` before it explores every world with that many faults and bumps on one way.
#![allow(clippy::unwrap_used)]

mod chain;
#[path = "../machine/fixtures/mod.rs"]
mod fixtures;
mod graph;
mod maker;
mod mutations;
mod rules;
mod seen;
mod taker;
mod words;

use std::env;

use graph::{Bounds, Explored, explore};
use rules::{Machine, SHIPPED};
use sluice::swap::terms::Kind;
use sluice::units::Asset;

/// The faults and bumps that every run of the tests can afford in a world, or those that the environment asks of all.
fn bounds((faults, bumps): (u8, u8)) -> Bounds {
    let asked = |name, affordable| env::var(name).map_or(affordable, |number| number.parse().unwrap());
    Bounds {
        faults: asked("EXPLORE_FAULTS", faults),
        bumps: asked("EXPLORE_BUMPS", bumps),
    }
}

fn taker(kind: Kind, asset: Asset, bounds: Bounds) -> Explored {
    let mut machine = Machine::new(SHIPPED);
    let begin = taker::World::begin(&mut machine, kind, asset, bounds);
    let explored = explore(begin, &mut machine).unwrap_or_else(|caught| panic!("{caught}"));
    eprintln!("taker, swap-{kind:?} of {asset}, {bounds}: {explored}");
    explored
}

fn maker(kind: Kind, asset: Asset, bounds: Bounds) -> Explored {
    let mut machine = Machine::new(SHIPPED);
    let begin = maker::World::begin(&mut machine, kind, asset, bounds);
    let explored = explore(begin, &mut machine).unwrap_or_else(|caught| panic!("{caught}"));
    eprintln!("maker, swap-{kind:?} of {asset}, {bounds}: {explored}");
    explored
}

const TAKERS_ENDS: [&str; 3] = ["canceled", "claimed_by_invoice", "coop_closed"];
/// The last of them only where a fault may take an input of the opening away.
const MAKERS_ENDS: [&str; 5] = [
    "canceled",
    "claim_paid",
    "claimed_by_coop",
    "claimed_by_csv",
    "given_up",
];

fn takers(kind: Kind, affordable: &[(Asset, (u8, u8))]) {
    for &(asset, affordable) in affordable {
        taker(kind, asset, bounds(affordable)).ends_in(&TAKERS_ENDS);
    }
}

fn makers(kind: Kind, affordable: &[(Asset, (u8, u8))]) {
    for &(asset, affordable) in affordable {
        let bounds = bounds(affordable);
        let ends = if bounds.faults > 0 {
            &MAKERS_ENDS[..]
        } else {
            &MAKERS_ENDS[..4]
        };
        maker(kind, asset, bounds).ends_in(ends);
    }
}

#[test]
fn a_taker_of_a_swap_in_gives_its_key_away_only_when_no_payment_can_exist() {
    takers(Kind::In, &[(Asset::Lbtc, (2, 0)), (Asset::Btc, (2, 0))]);
}

#[test]
fn a_taker_of_a_swap_out_gives_its_key_away_only_when_no_payment_can_exist() {
    takers(Kind::Out, &[(Asset::Lbtc, (1, 1)), (Asset::Btc, (1, 1))]);
}

#[test]
fn a_maker_of_a_swap_in_publishes_nothing_that_it_could_not_get_back_or_be_paid_for() {
    makers(Kind::In, &[(Asset::Lbtc, (2, 0)), (Asset::Btc, (1, 0))]);
}

#[test]
fn a_maker_of_a_swap_out_publishes_nothing_that_it_could_not_get_back_or_be_paid_for() {
    makers(
        Kind::Out,
        &[(Asset::Lbtc, (1, 1)), (Asset::Btc, (1, 0)), (Asset::Btc, (0, 1))],
    );
}

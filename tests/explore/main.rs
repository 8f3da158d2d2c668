//! A small, bounded model of the world around one swap, explored to its end: every order of blocks, messages, answers,
//! crashes and starts, with a peer that does whatever its keys allow. The swap in it is the shipped machine itself.
//!
//! Heights and times are those at which something changes. The bounds are in `chain.rs` and at the top of each world:
//! raise them, or add a move to a world, to explore more. `cargo test --test explore -- --nocapture` prints how much
//! was visited and which mutation of the machine is caught by what; with `--include-ignored` each world has a fault and a
//! bump.
#![allow(clippy::unwrap_used)]

mod chain;
#[path = "../machine/fixtures/mod.rs"]
mod fixtures;
mod graph;
mod maker;
mod mutations;
mod rules;
mod taker;
mod words;

use graph::{Bounds, Explored, explore};
use rules::{Machine, SHIPPED};
use sluice::swap::terms::Kind;
use sluice::units::Asset;

fn taker(kind: Kind, asset: Asset, (faults, bumps): (u8, u8)) -> Explored {
    let mut machine = Machine::new(SHIPPED);
    let begin = taker::World::begin(&mut machine, kind, asset, Bounds { faults, bumps });
    let explored = explore(begin, &mut machine).unwrap_or_else(|caught| panic!("{caught}"));
    eprintln!("taker, swap-{kind:?} of {asset}, {faults} faults, {bumps} bumps: {explored}");
    explored
}

fn maker(kind: Kind, asset: Asset, (faults, bumps): (u8, u8)) -> Explored {
    let mut machine = Machine::new(SHIPPED);
    let begin = maker::World::begin(&mut machine, kind, asset, Bounds { faults, bumps });
    let explored = explore(begin, &mut machine).unwrap_or_else(|caught| panic!("{caught}"));
    eprintln!("maker, swap-{kind:?} of {asset}, {faults} faults, {bumps} bumps: {explored}");
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

#[test]
fn a_taker_gives_its_key_away_only_when_no_payment_can_exist() {
    for (kind, asset, bounds) in [
        (Kind::In, Asset::Lbtc, (1, 0)),
        (Kind::Out, Asset::Lbtc, (0, 1)),
        (Kind::In, Asset::Btc, (0, 1)),
        (Kind::Out, Asset::Btc, (0, 0)),
    ] {
        taker(kind, asset, bounds).ends_in(&TAKERS_ENDS);
    }
}

#[test]
fn a_maker_publishes_nothing_that_it_could_not_get_back_or_be_paid_for() {
    for (kind, asset, bounds) in [
        (Kind::In, Asset::Lbtc, (1, 0)),
        (Kind::Out, Asset::Lbtc, (0, 1)),
        (Kind::In, Asset::Btc, (0, 0)),
        (Kind::Out, Asset::Btc, (0, 0)),
    ] {
        let ends = if bounds.0 > 0 {
            &MAKERS_ENDS[..]
        } else {
            &MAKERS_ENDS[..4]
        };
        maker(kind, asset, bounds).ends_in(ends);
    }
}

#[test]
#[ignore = "millions of states: minutes, and a gigabyte"]
fn a_fault_and_a_bump_on_one_way_change_nothing() {
    for asset in [Asset::Lbtc, Asset::Btc] {
        for kind in [Kind::In, Kind::Out] {
            taker(kind, asset, (1, 1)).ends_in(&TAKERS_ENDS);
            maker(kind, asset, (1, 1)).ends_in(&MAKERS_ENDS);
        }
    }
}

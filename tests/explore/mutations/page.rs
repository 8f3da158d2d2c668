//! `docs/evidence/mutations.md` tells which invariant catches which shortcut. It is written from what was found.

use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

use sluice::swap::terms::Role;
use sluice::units::Asset;

use super::{Mutation, Row};
use crate::rules::Invariant;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/evidence/mutations.md");

const INTRODUCTION: &str = "\
# Which invariant catches which shortcut

Written by `BLESS=1 cargo test --test explore shortcut`; do not edit. A test compares.

Each row puts a mistake into the shipped `step` or `wants`, or turns round the order of commit and act, and explores a
world of that kind from its beginning, with so many faults on one way. The same worlds with what is shipped are explored
to their ends by the other tests of `cargo test --test explore`, and break nothing. *Go*: known from PeerSwap's Go code
(ElementsProject/peerswap at 816a5bb).
";

/// Holds the page against what was found.
pub fn compare(rows: &[Row]) {
    let generated = generate(rows);
    if env::var_os("BLESS").is_some() {
        fs::create_dir_all(Path::new(PAGE).parent().unwrap()).unwrap();
        fs::write(PAGE, &generated).unwrap();
    }
    let written = fs::read_to_string(PAGE).unwrap_or_default();
    assert!(
        written == generated,
        "docs/evidence/mutations.md is stale: BLESS=1 cargo test --test explore shortcut, then look at the diff"
    );
}

fn generate(rows: &[Row]) -> String {
    let mut page = INTRODUCTION.to_owned();
    write_invariants(&mut page, rows);
    for (title, role) in [("Taker", Role::Taker), ("Maker", Role::Maker)] {
        write!(page, "\n## {title}\n\n| mutation | world | broken |\n|---|---|---|\n").unwrap();
        for row in rows.iter().filter(|row| row.mutation.role == role) {
            write_row(&mut page, row);
        }
    }
    page
}

fn write_invariants(page: &mut String, rows: &[Row]) {
    page.push_str("\n| invariant | what holds in every state | mutations that break it |\n|---|---|---|\n");
    let how_many = |broken: Option<Invariant>| rows.iter().filter(|row| row.broken == broken).count();
    for invariant in Invariant::ALL {
        let number = how_many(Some(invariant));
        writeln!(page, "| {invariant:?} | {} | {number} |", invariant.words()).unwrap();
    }
    writeln!(page, "| none: harmless | | {} |", how_many(None)).unwrap();
}

fn write_row(page: &mut String, row: &Row) {
    let Mutation {
        name,
        kind,
        asset,
        bounds,
        ..
    } = row.mutation;
    let asset = match asset {
        Asset::Btc => "BTC",
        Asset::Lbtc => "L-BTC",
    };
    let broken = row.broken.map_or("none".into(), |invariant| format!("{invariant:?}"));
    let faults = match bounds.faults {
        0 => "no fault",
        1 => "1 fault",
        _ => "several faults",
    };
    writeln!(page, "| {name} | swap-{kind} of {asset}, {faults} | {broken} |").unwrap();
}

//! The explorer's own proof: shortcuts in `step` and `wants`, each of which must break an invariant. Many are the known
//! ones of Go PeerSwap (ElementsProject/peerswap at 816a5bb).

mod maker;
mod order;
mod table;
mod taker;
mod timelocks;

use std::sync::Mutex;
use std::thread;

use sluice::swap::terms::{Kind, Role};
use sluice::units::Asset;

use crate::graph::{Bounds, Caught, Explored, explore};
use crate::rules::{Invariant, Machine, Rules};
use crate::{maker as maker_world, taker as taker_world};

/// One shortcut, the smallest world that shows it, and what it must break.
pub struct Mutation {
    pub name: &'static str,
    pub rules: Rules,
    pub role: Role,
    pub kind: Kind,
    pub asset: Asset,
    pub bounds: Bounds,
    /// None: it breaks nothing, and `name` says why.
    pub breaks: Option<Invariant>,
}

fn run(mutation: &Mutation) -> Result<Explored, Caught> {
    let mut machine = Machine::new(mutation.rules);
    let Mutation {
        kind, asset, bounds, ..
    } = *mutation;
    match mutation.role {
        Role::Taker => explore(
            taker_world::World::begin(&mut machine, kind, asset, bounds),
            &mut machine,
        ),
        Role::Maker => explore(
            maker_world::World::begin(&mut machine, kind, asset, bounds),
            &mut machine,
        ),
    }
}

/// The table's row, and whether it is as expected.
fn row(mutation: &Mutation) -> (String, bool) {
    let Mutation { name, breaks, .. } = mutation;
    let (found, states, what) = match run(mutation) {
        Ok(explored) => (None, explored.states, String::new()),
        Err(Caught { violation, states, .. }) => (Some(violation.of), states, violation.what),
    };
    let caught = found.map_or("nothing".into(), |invariant| format!("{invariant:?}"));
    let (role, as_expected) = (format!("{:?}", mutation.role).to_lowercase(), found == *breaks);
    let remark = if as_expected {
        String::new()
    } else {
        format!(" EXPECTED {breaks:?}: {what}")
    };
    (
        format!("{role:<5} {states:>7}  {caught:<16} {name}{remark}"),
        as_expected,
    )
}

#[test]
fn every_shortcut_is_caught() {
    let mutations = table::mutations();
    let (next, rows) = (Mutex::new(0..mutations.len()), Mutex::new(Vec::new()));
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let Some(number) = next.lock().unwrap().next() else {
                        return;
                    };
                    let row = row(&mutations[number]);
                    rows.lock().unwrap().push((number, row));
                }
            });
        }
    });
    let mut rows = rows.into_inner().unwrap();
    rows.sort();
    let table: Vec<&str> = rows.iter().map(|(_, (row, _))| row.as_str()).collect();
    eprintln!(
        "{} mutations: side, states until caught, invariant\n{}",
        table.len(),
        table.join("\n")
    );
    assert!(
        rows.iter().all(|(_, (_, as_expected))| *as_expected),
        "not all as expected"
    );
}

//! The explorer's own proof: shortcuts in `step` and `wants`, each of which must break an invariant. Many are the known
//! ones of Go PeerSwap (ElementsProject/peerswap at 816a5bb).

mod fee;
mod maker;
mod order;
mod page;
mod table;
mod taker;
mod timelocks;
mod watch;

use std::fmt;
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

/// What has come of a mutation.
struct Row<'a> {
    mutation: &'a Mutation,
    states: usize,
    broken: Option<Invariant>,
    what: String,
}

impl Row<'_> {
    fn of(mutation: &Mutation) -> Row<'_> {
        let (states, broken, what) = match run(mutation) {
            Ok(explored) => (explored.states, None, String::new()),
            Err(Caught { violation, states, .. }) => (states, Some(violation.of), violation.what),
        };
        Row {
            mutation,
            states,
            broken,
            what,
        }
    }

    fn is_expected(&self) -> bool {
        self.broken == self.mutation.breaks
    }
}

impl fmt::Display for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mutation { name, breaks, role, .. } = self.mutation;
        let role = format!("{role:?}").to_lowercase();
        let caught = self
            .broken
            .map_or("nothing".into(), |invariant| format!("{invariant:?}"));
        write!(f, "{role:<5} {:>7}  {caught:<16} {name}", self.states)?;
        if !self.is_expected() {
            write!(f, " EXPECTED {breaks:?}: {}", self.what)?;
        }
        Ok(())
    }
}

/// All of them, in the table's order.
fn rows(mutations: &[Mutation]) -> Vec<Row<'_>> {
    let (next, rows) = (Mutex::new(0..mutations.len()), Mutex::new(Vec::new()));
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let Some(number) = next.lock().unwrap().next() else {
                        return;
                    };
                    let row = Row::of(&mutations[number]);
                    rows.lock().unwrap().push((number, row));
                }
            });
        }
    });
    let mut rows = rows.into_inner().unwrap();
    rows.sort_by_key(|(number, _)| *number);
    rows.into_iter().map(|(_, row)| row).collect()
}

#[test]
fn every_shortcut_is_caught_by_what_the_page_of_mutations_says() {
    let mutations = table::mutations();
    let rows = rows(&mutations);
    let table: Vec<String> = rows.iter().map(Row::to_string).collect();
    eprintln!(
        "{} mutations: side, states until caught, invariant\n{}",
        table.len(),
        table.join("\n")
    );
    assert!(rows.iter().all(Row::is_expected), "not all as expected");
    page::compare(&rows);
}

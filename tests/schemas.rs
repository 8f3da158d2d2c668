//! Databases that earlier releases wrote in the middle of swaps: they open, and their swaps go on.
//!
//! `tests/data/schemas/NAME/ASSET.redb.gz`, NAME being the commit whose `sluiced` wrote it; CONTRIBUTING.md says how the
//! next one is made. That a daemon finishes such swaps is played in `regtest/tests/faults/upgrade.rs`.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use redb::{Database, ReadableDatabase, TableDefinition};
use sluice::store::{FILE_NAME, Filter, Store, StoreIdentity, state_name};
use sluice::swap::event::OpeningView;
use sluice::swap::{ChainView, Event, Now, Role, State, Step, Swap, step, wants};
use sluice::units::{Asset, Height, Timestamp};
use tempfile::TempDir;

/// The names of the fixtures, the oldest first: a form that is read once is read for ever.
const SCHEMAS: [&str; 5] = ["6649090", "02f908b", "7c1d5c0", "c335086", "f9f71f0"];

/// Whom a database belongs to, as it says itself.
fn identity(file: &Path) -> StoreIdentity {
    const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");
    let database = Database::open(file).unwrap();
    let read = database.begin_read().unwrap();
    let row = read.open_table(META).unwrap().get("identity").unwrap().unwrap();
    let row: serde_json::Value = serde_json::from_slice(row.value()).unwrap();
    serde_json::from_value(row["record"].clone()).unwrap()
}

/// A fixture's database, opened in a folder of its own.
struct Opened {
    name: String,
    store: Store,
    swaps: Vec<Swap>,
    _folder: TempDir,
}

impl Opened {
    fn of(file: &Path) -> Opened {
        let folder = TempDir::new().unwrap();
        let copy = folder.path().join(FILE_NAME);
        let mut packed = GzDecoder::new(File::open(file).unwrap());
        std::io::copy(&mut packed, &mut File::create(&copy).unwrap()).unwrap();
        let identity = identity(&copy);
        let name = file.display().to_string();
        let store = Store::open(folder.path(), &identity).unwrap_or_else(|error| panic!("{name}: {error}"));
        let listed = store.list(&Filter::default(), usize::MAX).unwrap();
        let swaps = listed.iter().map(|summary| store.swap(summary.id).unwrap().unwrap());
        Opened {
            name,
            swaps: swaps.collect(),
            store,
            _folder: folder,
        }
    }

    /// Makes a step of a swap, if the event means one, and stores it; true if it did.
    fn go_on(&self, swap: &Swap, now: Now, event: &Event) -> bool {
        let Step::To(next) = step(swap, now, event) else {
            return false;
        };
        let before = self.store.history(swap.id).unwrap().len();
        let committed = self.store.commit(swap, event, now, &next);
        committed.unwrap_or_else(|error| panic!("{}: {} {event:?}: {error}", self.name, swap.id));
        assert_eq!(self.store.swap(swap.id).unwrap().unwrap(), *next, "{}", self.name);
        assert_eq!(self.store.history(swap.id).unwrap().len(), before + 1, "{}", self.name);
        true
    }
}

fn databases() -> Vec<Opened> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/schemas");
    let files = |name: &&str| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        entries.map(|entry| entry.unwrap().path()).collect()
    };
    let opened: Vec<Opened> = SCHEMAS.iter().flat_map(files).map(|file| Opened::of(&file)).collect();
    assert!(opened.len() > SCHEMAS.len(), "{} databases", opened.len());
    opened
}

#[test]
fn every_swap_that_an_earlier_release_stored_is_read_and_goes_on() {
    for opened in databases() {
        assert!(opened.swaps.len() >= 7, "{}: {} swaps", opened.name, opened.swaps.len());
        let mut steps = 0;
        for swap in &opened.swaps {
            assert!(!opened.store.history(swap.id).unwrap().is_empty(), "{}", opened.name);
            assert!(opened.store.trail(swap.id).unwrap().deal.is_some(), "{}", opened.name);
            let wanted = wants(swap);
            if matches!(swap.state, State::Closed(_)) {
                assert_eq!(wanted, [], "{}: {}", opened.name, swap.id);
                continue;
            }
            assert!(!wanted.is_empty(), "{}: {:?} wants nothing", opened.name, swap.state);
            // the next day, far from everything that it waits for
            let later = Height(swap.anchor.0 + 100_000);
            let now = Now {
                time: Timestamp(swap.created_at.0 + 86_400),
                tip: Some(later),
            };
            let unseen = ChainView {
                tip: later,
                opening: OpeningView::Unseen,
                spend: None,
                conflict: None,
                gone: false,
            };
            let events = [Event::Started, Event::Tick, Event::Chain(unseen)];
            steps += events
                .iter()
                .filter(|event| {
                    let swap = opened.store.swap(swap.id).unwrap().unwrap();
                    opened.go_on(&swap, now, event)
                })
                .count();
        }
        assert!(steps >= 5, "{}: {steps} steps", opened.name);
    }
}

#[test]
fn what_the_operator_set_and_peers_said_is_read() {
    for Opened { name, store, .. } in databases() {
        assert_eq!(store.policy().unwrap().allowlist.len(), 1, "{name}");
        assert_eq!(store.capabilities().unwrap().len(), 1, "{name}");
        store.premiums().unwrap();
        store.pauses().unwrap();
        assert!(store.last_seq().unwrap().0 > 0, "{name}");
    }
}

#[test]
fn the_fixtures_hold_both_sides_both_assets_and_the_states_of_a_swaps_whole_life() {
    let (mut seen, mut sides) = (BTreeSet::new(), BTreeSet::new());
    for swap in databases().iter().flat_map(|opened| &opened.swaps) {
        seen.insert(state_name(&swap.state));
        sides.insert((swap.role == Role::Maker, swap.terms.asset));
    }
    let wanted = [
        "awaiting_confirmation",
        "awaiting_opening",
        "claiming_invoice",
        "closed",
        "funding",
        "opened",
        "paying_claim",
        "paying_fee",
        "publishing",
    ];
    assert!(wanted.iter().all(|state| seen.contains(state)), "{seen:?}");
    for side in [Asset::Lbtc, Asset::Btc]
        .map(|asset| [(true, asset), (false, asset)])
        .concat()
    {
        assert!(sides.contains(&side), "{side:?}");
    }
}

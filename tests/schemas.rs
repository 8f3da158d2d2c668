//! Databases that earlier releases wrote in the middle of swaps: they open, and their swaps go on.
//!
//! `tests/data/schemas/NAME/ASSET.redb.gz` with a swap in each moment of one that succeeds, and since e189657
//! `unpaid-ASSET.redb.gz` with swaps whose coins are on their way back; NAME is the commit whose `sluiced` wrote it, and
//! CONTRIBUTING.md says how the next one is made. That a daemon finishes such swaps is played in `regtest/tests/faults/upgrade.rs`.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use redb::{Database, ReadableDatabase, TableDefinition};
use sluice::policy::{Cause, PausedBy};
use sluice::store::{FILE_NAME, Filter, Store, StoreIdentity, state_name};
use sluice::swap::event::{OpeningView, Spend, SpendPath, TxKind};
use sluice::swap::{ChainView, Effect, Event, Maker, Now, Role, State, Step, Swap, Taker, step, wants};
use sluice::units::{Asset, Blocks, Height, Timestamp};
use tempfile::TempDir;

/// The names of the fixtures, the oldest first: a form that is read once is read for ever.
const SCHEMAS: [&str; 8] = [
    "6649090", "02f908b", "7c1d5c0", "c335086", "f9f71f0", "e189657", "006d596", "571ba7c",
];
/// The first of those that were kept with coins on their way back as well.
const UNPAID_SINCE: usize = 5;

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
    /// Its place in [`SCHEMAS`].
    form: usize,
    /// Its swaps are those whose coins are on their way back.
    unpaid: bool,
    store: Store,
    swaps: Vec<Swap>,
    _folder: TempDir,
}

impl Opened {
    fn of(form: usize, file: &Path) -> Opened {
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
            unpaid: name.contains("unpaid-"),
            form,
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
    let files = |name: &str| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        entries.map(|entry| entry.unwrap().path()).collect()
    };
    let forms = SCHEMAS.iter().enumerate();
    let opened: Vec<Opened> = forms
        .flat_map(|(form, name)| files(name).into_iter().map(move |file| Opened::of(form, &file)))
        .collect();
    assert!(opened.len() > SCHEMAS.len(), "{} databases", opened.len());
    opened
}

#[test]
fn every_swap_that_an_earlier_release_stored_is_read_and_goes_on() {
    for opened in databases() {
        let (swaps, least) = if opened.unpaid { (4, 3) } else { (7, 5) };
        assert!(
            opened.swaps.len() >= swaps,
            "{}: {} swaps",
            opened.name,
            opened.swaps.len()
        );
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
        assert!(steps >= least, "{}: {steps} steps", opened.name);
    }
}

#[test]
fn what_the_operator_set_and_peers_said_is_read() {
    for Opened {
        name, store, unpaid, ..
    } in databases()
    {
        // a second peer has left alice with openings that nobody pays for
        let peers = if unpaid { 2 } else { 1 };
        assert_eq!(store.policy().unwrap().allowlist.len(), peers, "{name}");
        let seen = store.capabilities().unwrap();
        assert_eq!(seen.len(), peers, "{name}");
        store.premiums().unwrap();
        assert!(store.last_seq().unwrap().0 > 0, "{name}");
        // these were damaged once
        let paused = store.pauses().unwrap();
        let paused = Asset::ALL.map(|asset| paused.of(asset).map(|pause| pause.by));
        assert_eq!(paused, [unpaid.then_some(PausedBy::Damage); 2], "{name}");
        let quarantined = store.quarantines().unwrap();
        let quarantined = seen.iter().filter_map(|seen| quarantined.of(&seen.peer, Timestamp(0)));
        let causes: Vec<Cause> = quarantined.map(|quarantine| quarantine.cause).collect();
        assert_eq!(causes, Vec::from_iter(unpaid.then_some(Cause::Operator)), "{name}");
    }
}

#[test]
fn the_fixtures_hold_both_sides_both_assets_and_the_states_of_a_swaps_whole_life_and_of_each_way_back() {
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
    let wanted = ["claiming_coop", "claiming_csv", "coop_closing", "voiding"];
    for unpaid in databases().iter().filter(|opened| opened.unpaid) {
        let seen: BTreeSet<_> = unpaid.swaps.iter().map(|swap| state_name(&swap.state)).collect();
        assert!(
            wanted.iter().all(|state| seen.contains(state)),
            "{}: {seen:?}",
            unpaid.name
        );
    }
    for side in [Asset::Lbtc, Asset::Btc]
        .map(|asset| [(true, asset), (false, asset)])
        .concat()
    {
        assert!(sides.contains(&side), "{side:?}");
    }
}

#[test]
fn each_form_that_knows_how_coins_come_back_is_there_on_both_chains() {
    let databases = databases();
    for (form, name) in SCHEMAS.iter().enumerate().skip(UNPAID_SINCE) {
        for unpaid in [false, true] {
            let of_form = databases
                .iter()
                .filter(|opened| opened.form == form && opened.unpaid == unpaid);
            let assets: BTreeSet<Asset> = of_form.map(|opened| opened.swaps[0].terms.asset).collect();
            assert_eq!(assets, BTreeSet::from(Asset::ALL), "{name}");
        }
    }
}

/// A void whose cost was not written down in its day is made once more; a newer one goes on.
#[test]
fn an_opening_that_was_being_taken_back_still_is() {
    for opened in databases().iter().filter(|opened| opened.unpaid) {
        let voiding = opened.swaps.iter().find_map(|swap| match &swap.state {
            State::Maker(_, Maker::Voiding(voiding)) => Some((swap, voiding)),
            _ => None,
        });
        let (swap, voiding) = voiding.unwrap();
        let (made, published) = wants(swap)
            .iter()
            .fold((false, None), |(made, published), effect| match effect {
                Effect::MakeVoid(_) => (true, published),
                Effect::Broadcast { kind, tx, .. } => (made, Some((*kind, tx.clone()))),
                _ => (made, published),
            });
        let void = voiding.voids.last().map(|void| (TxKind::Void, void.tx.clone()));
        assert_eq!((made, &published), (void.is_none(), &void), "{}", opened.name);
        assert_eq!(void.is_none(), SCHEMAS[opened.form] == "e189657", "{}", opened.name);
    }
}

/// What the chain shows at last of a swap whose coins are on their way back, and how that is called.
fn the_way_back(state: &State) -> Option<(Option<SpendPath>, bool, &'static str)> {
    match state {
        State::Maker(_, Maker::Voiding(_)) => Some((None, true, "canceled")),
        State::Maker(_, Maker::ClaimingCoop { .. }) => Some((Some(SpendPath::Coop), true, "claimed_by_coop")),
        State::Maker(_, Maker::ClaimingCsv { .. }) => Some((Some(SpendPath::Csv), true, "claimed_by_csv")),
        State::Taker(_, Taker::CoopClosing { .. }) => Some((Some(SpendPath::Coop), false, "coop_closed")),
        _ => None,
    }
}

#[test]
fn coins_that_were_on_their_way_back_are_back_and_their_swaps_over() {
    for opened in databases().iter().filter(|opened| opened.unpaid) {
        let mut ends = BTreeSet::new();
        for swap in &opened.swaps {
            let Some((path, ours, end)) = the_way_back(&swap.state) else {
                continue;
            };
            let at = Height(swap.anchor.0 + 20_000);
            let tip = at.plus(Blocks(10));
            let view = ChainView {
                tip,
                opening: OpeningView::Unseen,
                conflict: path.is_none().then_some(at),
                spend: path.map(|path| Spend { at, path, ours }),
                gone: false,
            };
            let now = Now {
                time: Timestamp(swap.created_at.0 + 86_400),
                tip: Some(tip),
            };
            assert!(opened.go_on(swap, now, &Event::Chain(view)), "{}: {end}", opened.name);
            let State::Closed(outcome) = opened.store.swap(swap.id).unwrap().unwrap().state else {
                panic!("{}: {end} is no end", opened.name);
            };
            let outcome = serde_json::to_string(&outcome).unwrap();
            assert!(outcome.contains(end), "{}: {outcome}", opened.name);
            ends.insert(end);
        }
        assert_eq!(ends.len(), 4, "{}: {ends:?}", opened.name);
    }
}

//! The store on real files.

mod damage;
mod examples;
mod swaps;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use bitcoin::BlockHash;
use bitcoin::hashes::Hash;
use tempfile::TempDir;

use super::*;
use crate::policy::{PausedBy, Policy, RateOutOfRange};
use crate::protocol::Capability;
use crate::swap::{Event, Kind, Now, Swap};
use crate::units::{Asset, Height, NodeId, Ppm, Scid, SeedFingerprint, Timestamp};
use examples::{node, point, states, swap};

const NOW: Now = Now {
    time: Timestamp(1_700_000_042),
    tip: Some(Height(502)),
};

fn identity() -> StoreIdentity {
    StoreIdentity {
        node: node(),
        network: "regtest".into(),
        genesis: [(Asset::Lbtc, BlockHash::all_zeros())].into(),
    }
}

fn open(dir: &Path) -> Store {
    Store::open(dir, &identity()).unwrap()
}

fn refusal(dir: &Path, identity: &StoreIdentity) -> StoreError {
    Store::open(dir, identity).err().expect("it must be refused")
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_database_and_its_folder_are_for_the_owner_alone() {
    let dir = TempDir::new().unwrap();
    let folder = dir.path().join("deep/sluice");
    drop(open(&folder));
    assert_eq!((mode(&folder), mode(&folder.join(FILE_NAME))), (0o700, 0o600));
    fs::set_permissions(folder.join(FILE_NAME), fs::Permissions::from_mode(0o644)).unwrap();
    drop(open(&folder));
    assert_eq!(mode(&folder.join(FILE_NAME)), 0o600);
}

#[test]
fn a_folder_that_others_can_change_is_refused_with_the_remedy() {
    let dir = TempDir::new().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o770)).unwrap();
    let text = refusal(dir.path(), &identity()).to_string();
    assert!(text.contains("(mode 0770): run `chmod 700 "), "{text}");
}

#[test]
fn a_second_daemon_on_the_folder_is_refused_until_the_first_is_gone() {
    let dir = TempDir::new().unwrap();
    let first = open(dir.path());
    let error = refusal(dir.path(), &identity());
    assert!(matches!(error, StoreError::InUse { .. }), "{error}");
    assert!(
        error
            .to_string()
            .ends_with("is in use: another sluiced runs on this folder"),
        "{error}"
    );
    drop(first);
    open(dir.path());
}

#[test]
fn another_node_network_or_chain_is_refused_with_both_values() {
    let dir = TempDir::new().unwrap();
    drop(open(dir.path()));
    let other_hash = BlockHash::from_byte_array([9; 32]);
    for (other, stored, found) in [
        (
            StoreIdentity {
                node: point(9),
                ..identity()
            },
            node().to_string(),
            point(9).to_string(),
        ),
        (
            StoreIdentity {
                network: "signet".into(),
                ..identity()
            },
            "regtest".into(),
            "signet".into(),
        ),
        (
            StoreIdentity {
                genesis: [(Asset::Lbtc, other_hash)].into(),
                ..identity()
            },
            BlockHash::all_zeros().to_string(),
            other_hash.to_string(),
        ),
    ] {
        let text = refusal(dir.path(), &other).to_string();
        assert!(text.contains(&stored) && text.contains(&found), "{text}");
    }
    open(dir.path());
}

#[test]
fn a_chain_used_later_is_bound_then() {
    let dir = TempDir::new().unwrap();
    drop(open(dir.path()));
    let mut both = identity();
    both.genesis.insert(Asset::Btc, BlockHash::from_byte_array([1; 32]));
    drop(Store::open(dir.path(), &both).unwrap());
    // L-BTC alone again is no contradiction
    drop(open(dir.path()));
    both.genesis.insert(Asset::Btc, BlockHash::from_byte_array([2; 32]));
    assert!(matches!(refusal(dir.path(), &both), StoreError::Identity { .. }));
}

#[test]
fn a_database_of_a_later_release_is_refused() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    let done: Result<(), StoreError> = store.write(|transaction| {
        let mut meta = transaction.open_table(META).map_err(database)?;
        meta.insert("schema", b"3".as_slice()).map_err(database)?;
        Ok(())
    });
    done.unwrap();
    drop(store);
    let text = refusal(dir.path(), &identity()).to_string();
    assert!(text.contains("has schema 3, this release reads up to 2"), "{text}");
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join(FILE_NAME);
    fs::write(&path, b"notes of somebody").unwrap();
    let text = refusal(dir.path(), &identity()).to_string();
    assert!(text.contains(&path.display().to_string()), "{text}");
    assert_eq!(fs::read(&path).unwrap(), b"notes of somebody");
}

#[test]
fn a_database_takes_up_a_seed_once_and_refuses_every_other() {
    let dir = TempDir::new().unwrap();
    let (first, other) = (SeedFingerprint([1; 16]), SeedFingerprint([2; 16]));
    let file = dir.path().join("seed");
    let store = open(dir.path());
    assert!(store.is_unused().unwrap());
    store.bind_seed(first, &file).unwrap();
    assert!(!store.is_unused().unwrap(), "its seed is known");
    drop(store);
    let store = open(dir.path());
    store.bind_seed(first, &file).unwrap();
    let text = store.bind_seed(other, &file).unwrap_err().to_string();
    let both = [file, dir.path().join(FILE_NAME)].map(|path| path.display().to_string());
    assert!(both.iter().all(|path| text.contains(path)), "{text}");
    assert!(text.contains("put that seed back"), "{text}");
    store.bind_seed(first, dir.path()).expect("a refusal changes nothing");
}

#[test]
fn a_database_with_a_swap_is_used_even_if_it_knows_no_seed() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    let swap = swap(1, Scid(1));
    store.create(&swap, None).unwrap();
    assert!(!store.is_unused().unwrap());
}

#[test]
fn settings_have_defaults_and_survive() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    assert_eq!(store.policy().unwrap(), Policy::default());
    let policy = store.update_policy(|policy| {
        policy.allowlist.insert(point(2));
        policy.accept_all_peers = true;
        Ok::<_, StoreError>(())
    });
    let seen = |at| Seen {
        peer: point(2),
        capability: Capability {
            version: 7,
            assets: vec![Asset::Lbtc],
            ..Capability::default()
        },
        at: Timestamp(at),
    };
    store.put_capability(&seen(1)).unwrap();
    store.put_capability(&seen(2)).unwrap();
    drop(store);
    let store = open(dir.path());
    assert_eq!(store.policy().unwrap(), policy.unwrap());
    assert_eq!(store.capabilities().unwrap(), vec![seen(2)]);
    store.forget_capability(point(2)).unwrap();
    assert_eq!(store.capabilities().unwrap(), vec![]);
}

/// What an API would answer: the store's error or its own.
#[derive(Debug, thiserror::Error)]
enum ApiError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Rate(#[from] RateOutOfRange),
}

#[test]
fn a_change_of_rates_that_fails_changes_nothing() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    let change = |peer: NodeId, ppm| {
        store.update_premiums(|premiums| {
            let table = premiums.peers.entry(peer).or_default();
            table.set(Asset::Lbtc, Kind::Out, Some(ppm)).map_err(ApiError::from)
        })
    };
    change(point(2), Ppm(-7)).unwrap();
    assert!(matches!(change(point(3), Ppm(1_000_001)), Err(ApiError::Rate(_))));
    let stored = store.premiums().unwrap();
    assert_eq!(stored.peers.keys().collect::<Vec<_>>(), [&point(2)]);
    assert_eq!(stored.rate(&point(2), Asset::Lbtc, Kind::Out), Ppm(-7));
}

fn golden(schema: u32) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data");
    format!("{folder}/swaps-schema-{schema}.jsonl")
}

/// A swap in every state.
fn examples() -> Vec<Swap> {
    let first = swap(1, Scid(1));
    let in_states = states().into_iter().map(|state| examples::in_state(&first, state));
    std::iter::once(first.clone()).chain(in_states).collect()
}

/// An older build takes what it does not know for damage, unless its number tells that it is newer.
/// `SLUICE_BLESS=1 cargo test --lib records_are_written` writes the file of a new schema.
#[test]
fn records_are_written_as_the_file_of_their_schema_has_them() {
    let lines = examples().iter().map(record::encode).collect::<Vec<_>>();
    let text: Vec<u8> = lines
        .iter()
        .flat_map(|line| [line.as_slice(), b"\n"].concat())
        .collect();
    let path = golden(SCHEMA);
    if std::env::var_os("SLUICE_BLESS").is_some() && !fs::exists(&path).unwrap() {
        fs::write(&path, &text).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap();
    assert!(
        written.as_bytes() == text,
        "the form has changed: raise SCHEMA, and keep what it was (CONTRIBUTING.md)"
    );
}

#[test]
fn records_of_every_schema_are_read() {
    for schema in 1..=SCHEMA {
        let written = fs::read_to_string(golden(schema)).unwrap();
        let read: Result<Vec<Swap>, StoreError> = written
            .lines()
            .map(|line| record::decode("swaps", String::new, line.as_bytes()))
            .collect();
        assert_eq!(read.unwrap(), examples(), "{schema}");
    }
}

#[test]
fn a_broken_row_is_an_error_that_shows_where_and_not_what() {
    let bad = br#"{"schema":1,"record":{"id":"c0ffee"}}"#;
    let error = record::decode::<Swap>("swaps", || "the key".into(), bad).expect_err("no swap");
    let text = error.to_string();
    assert!(
        text.starts_with("swaps the key: data error at line 1 column "),
        "{text}"
    );
    assert!(!text.contains("c0ffee"), "{text}");
    let later = br#"{"schema":3,"record":{}}"#;
    let error = record::decode::<Swap>("swaps", || "the key".into(), later).expect_err("another schema");
    assert_eq!(error.to_string(), "swaps the key: schema 3, this release reads 1 to 2");
}

fn tick() -> Event {
    Event::Tick
}

#[test]
fn a_pause_that_was_a_part_of_the_policy_is_one_of_its_own() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    let older = br#"{"schema":1,"record":{"min_amount_sat":5,"paused":["lbtc"]}}"#;
    let written = store.write(|transaction| {
        let mut table = transaction.open_table(SETTINGS).map_err(database)?;
        table.insert("policy", older.as_slice()).map_err(database)?;
        Ok::<_, StoreError>(())
    });
    written.unwrap();
    drop(store);
    for _start in 1..=2 {
        let store = open(dir.path());
        let pauses = store.pauses().unwrap();
        assert_eq!(pauses.of(Asset::Lbtc).map(|pause| pause.by), Some(PausedBy::Operator));
        assert_eq!(pauses.of(Asset::Btc), None);
        assert_eq!(store.policy().unwrap().min_amount_sat.to_sat(), 5);
    }
}

//! The database without its daemon, sound and damaged.

use std::path::PathBuf;

use super::*;
use crate::policy::PausedBy;
use crate::store::offline::{check, export};
use crate::swap::State;
use examples::{SECRETS, in_state, secret_events};

const LATER: Timestamp = Timestamp(1_700_000_999);

/// Two swaps: one that went through every state, with every secret there is, and one under way.
fn folder() -> (TempDir, PathBuf, [Swap; 2]) {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    let (first, second) = (swap(1, Scid(1)), swap(2, Scid(2)));
    store.create(&first, Some("one")).unwrap();
    store.create(&second, None).unwrap();
    let mut prev = first.clone();
    let closed = State::Closed(crate::swap::Outcome::ClaimedByInvoice);
    for (state, event) in states()
        .into_iter()
        .chain([closed])
        .zip(secret_events().into_iter().cycle())
    {
        let next = in_state(&first, state);
        store.commit(&prev, &event, NOW, &next).unwrap();
        prev = next;
    }
    store.bind_seed(SeedFingerprint([9; 16]), Path::new("seed")).unwrap();
    let file = dir.path().join(FILE_NAME);
    (dir, file, [prev, second])
}

/// Replaces a swap's row by what is no record.
fn spoil(dir: &TempDir, id: [u8; 32]) {
    let spoiled = open(dir.path()).write(|transaction| {
        let mut swaps = transaction.open_table(SWAPS).map_err(database)?;
        swaps.insert(id, b"{\"schema\":1".as_slice()).map_err(database)?;
        Ok::<_, StoreError>(())
    });
    spoiled.unwrap();
}

fn files(dir: &TempDir) -> usize {
    fs::read_dir(dir.path()).unwrap().count()
}

#[test]
fn a_sound_database_is_told_as_that_and_left_as_it_was() {
    let (dir, file, _) = folder();
    let before = fs::read(&file).unwrap();
    let report = check(&file).unwrap();
    assert!(report.is_good(), "{report:?}");
    let good = |name: &str| report.tables.iter().find(|table| table.table == name).unwrap().good;
    assert_eq!((good("swaps"), good("journal")), (2, states().len() as u64 + 3));
    assert_eq!(fs::read(&file).unwrap(), before);
    assert_eq!(files(&dir), 1, "the copy is gone");
}

#[test]
fn a_row_that_cannot_be_read_is_named_and_the_others_are_counted() {
    let (dir, file, [_, second]) = folder();
    spoil(&dir, second.id.0);
    let report = check(&file).unwrap();
    assert!(report.sound && !report.is_good());
    let complaints: Vec<_> = report.complaints().collect();
    assert_eq!(report.tables[0].good, 1);
    assert!(
        complaints[0].starts_with(&format!("swaps {}: eof", second.id)),
        "{complaints:?}"
    );
}

#[test]
fn a_database_in_use_or_missing_is_not_looked_at() {
    let (dir, file, _) = folder();
    let store = open(dir.path());
    assert!(matches!(check(&file), Err(StoreError::InUse { .. })));
    drop(store);
    let empty = TempDir::new().unwrap();
    assert!(matches!(
        check(&empty.path().join(FILE_NAME)),
        Err(StoreError::Io { .. })
    ));
    assert_eq!(files(&empty), 0);
}

#[test]
fn an_export_has_every_step_and_no_secret() {
    let (_dir, file, [first, _]) = folder();
    let mut out = Vec::new();
    export(&file, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |table: &str| lines.iter().filter(|line| line["table"] == table).count();
    assert_eq!(
        (of("summaries"), of("journal"), of("trails")),
        (2, states().len() + 3, 2)
    );
    assert!(lines.iter().any(|line| line["key"] == first.id.to_string()), "{text}");
    for secret in SECRETS {
        assert!(!text.contains(&hex::encode(secret)), "a secret is in the export");
    }
}

#[test]
fn what_can_be_read_of_a_damaged_database_goes_on_in_a_new_one_that_begins_nothing_new() {
    let (dir, file, [first, second]) = folder();
    spoil(&dir, first.id.0);
    let damaged = fs::read(&file).unwrap();
    let saved = Store::salvage(dir.path(), &identity(), LATER).unwrap();
    assert_eq!(fs::read(&saved.kept).unwrap(), damaged);
    assert_eq!(
        (saved.lost.len(), files(&dir)),
        (0, 2),
        "a closed swap has nothing to lose"
    );
    let store = open(dir.path());
    assert_eq!(store.open_swaps().unwrap(), std::slice::from_ref(&second));
    assert_eq!(store.channel_holder(Scid(2)).unwrap(), Some(second.id));
    assert_eq!(
        store.swap_of_key("one").unwrap(),
        Some(first.id),
        "an order is not made twice"
    );
    assert_eq!(store.history(second.id).unwrap().len(), 1);
    assert_eq!(store.list(&Filter::default(), 9).unwrap().len(), 1);
    for asset in Asset::ALL {
        let pauses = store.pauses().unwrap();
        let pause = pauses.of(asset).unwrap();
        assert_eq!((pause.by, pause.since), (PausedBy::Damage, LATER));
    }
    let other_seed = store.bind_seed(SeedFingerprint([8; 16]), Path::new("seed"));
    assert!(
        matches!(other_seed, Err(StoreError::Seed { .. })),
        "it is bound as before"
    );
}

#[test]
fn a_swap_under_way_that_cannot_be_read_is_named() {
    let (dir, _, [_, second]) = folder();
    spoil(&dir, second.id.0);
    let refused = open(dir.path()).load().unwrap_err();
    assert!(refused.is_damage(), "{refused}");
    let saved = Store::salvage(dir.path(), &identity(), LATER).unwrap();
    assert_eq!(Vec::from_iter(saved.lost), [second.id]);
    open(dir.path()).load().unwrap();
}

#[test]
fn what_is_damaged_again_in_the_same_second_is_saved_again_and_each_is_kept() {
    let (dir, file, [first, second]) = folder();
    let mut kept = Vec::new();
    for swap in [&first, &second] {
        spoil(&dir, swap.id.0);
        let damaged = fs::read(&file).unwrap();
        let saved = Store::salvage(dir.path(), &identity(), LATER).unwrap();
        kept.push((saved.kept, damaged));
    }
    assert_eq!(files(&dir), 3);
    for (kept, damaged) in kept {
        assert_eq!(fs::read(kept).unwrap(), damaged);
    }
    open(dir.path()).load().unwrap();
}

#[test]
fn the_damaged_database_of_another_node_is_not_touched() {
    let (dir, file, _) = folder();
    let before = fs::read(&file).unwrap();
    let other = StoreIdentity {
        network: "main".into(),
        ..identity()
    };
    let refused = Store::salvage(dir.path(), &other, LATER).unwrap_err();
    assert!(matches!(refused, StoreError::Identity { .. }), "{refused}");
    assert_eq!((fs::read(&file).unwrap(), files(&dir)), (before, 1));
}

/// Bytes go wrong all over the file: whatever that does to redb, the daemon gets an answer, and what is saved is whole.
#[test]
fn wherever_bytes_have_gone_wrong_the_database_opens_or_is_saved_or_is_told_to_be_lost() {
    let (_dir, file, swaps) = folder();
    let sound = fs::read(&file).unwrap();
    let (mut opened, mut saved, mut lost) = (0, 0, 0);
    for place in (0..sound.len()).step_by(4099) {
        let dir = TempDir::new().unwrap();
        let mut bytes = sound.clone();
        let end = (place + 64).min(bytes.len());
        bytes[place..end].iter_mut().for_each(|byte| *byte ^= 0x55);
        fs::write(dir.path().join(FILE_NAME), &bytes).unwrap();
        let whole = || Store::open(dir.path(), &identity()).and_then(|store| store.load());
        let loaded = match whole() {
            Ok(loaded) => {
                opened += 1;
                loaded
            }
            Err(damage) if damage.is_damage() => match Store::salvage(dir.path(), &identity(), LATER) {
                Ok(_) => {
                    saved += 1;
                    whole().unwrap()
                }
                Err(StoreError::Unreadable { .. }) => {
                    lost += 1;
                    continue;
                }
                Err(other) => panic!("at {place}: {other}"),
            },
            Err(other) => panic!("at {place}: {other}"),
        };
        for swap in loaded.open {
            assert!(swaps.contains(&swap), "at {place}");
        }
    }
    assert!(
        opened > saved + lost && lost > 0,
        "{opened} opened, {saved} saved, {lost} lost"
    );
}

//! A damaged database: what can be read of it goes into a new one, in which nothing new begins until the operator says
//! so. Coins of swaps that are lost with it are got by `sluice rescue`, from their files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use redb::{Database, Key, ReadTransaction, ReadableDatabase, WriteTransaction};
use serde::de::{DeserializeOwned, IgnoredAny};

use super::error::database;
use super::look::{
    CAPABILITY_ROWS, Copy, JOURNAL_ROWS, Rows, SETTING_ROWS, SUMMARY_ROWS, SWAP_ROWS, TRAIL_ROWS, every,
};
use super::offline::{Report, TableReport};
use super::record::{JournalRow, Seen, Summary};
use super::{FILE_NAME, IDEMPOTENCY, JOURNAL_BY_SWAP, OPEN, Store, StoreError, StoreIdentity, open, swaps};
use crate::policy::PausedBy;
use crate::swap::Swap;
use crate::trail::Trail;
use crate::units::{Asset, SwapId, Timestamp};

/// What was saved of a damaged database.
#[derive(Debug)]
pub struct Saved {
    /// Where the damaged one is now.
    pub kept: PathBuf,
    /// What was found in it.
    pub report: Report,
    /// The swaps that were under way and could not be read.
    pub lost: BTreeSet<SwapId>,
}

impl Store {
    /// Puts a new database, with all that can be read of the damaged one, into its place, and pauses every chain in it.
    /// A crash half-way leaves the damaged one where it was.
    ///
    /// # Errors
    /// Nothing of it can be read, it belongs to another node or chain, or the folder cannot be written.
    pub fn salvage(dir: &Path, identity: &StoreIdentity, now: Timestamp) -> Result<Saved, StoreError> {
        let path = dir.join(FILE_NAME);
        let io = |source| StoreError::Io {
            path: path.clone(),
            source,
        };
        let fresh = dir.join(format!("{FILE_NAME}.saved"));
        if fresh.exists() {
            fs::remove_file(&fresh).map_err(io)?;
        }
        let mut copy = Copy::of(&path)?;
        let (tables, lost) = move_all(&copy.db, &path, &fresh, identity, now)?;
        let report = Report {
            sound: copy.is_sound(),
            tables,
        };
        drop(copy);
        let kept = set_aside(&path, now).map_err(io)?;
        fs::rename(&fresh, &path).map_err(io)?;
        fs::File::open(dir).and_then(|dir| dir.sync_all()).map_err(io)?;
        Ok(Saved { kept, report, lost })
    }
}

/// Gives the damaged database a second name, which no earlier one has. Its first one is then taken by the new database.
fn set_aside(path: &Path, now: Timestamp) -> io::Result<PathBuf> {
    let mut kept = path.with_file_name(format!("{FILE_NAME}.damaged-{}", now.0));
    let mut number = 1;
    loop {
        match fs::hard_link(path, &kept) {
            // an earlier one in the same second, as the clock has it
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                number += 1;
                kept = path.with_file_name(format!("{FILE_NAME}.damaged-{}-{number}", now.0));
            }
            linked => return linked.map(|()| kept),
        }
    }
}

/// Makes the new database. Returns what was found in the old one, and the swaps under way that it lacks.
fn move_all(
    from: &Database,
    path: &Path,
    fresh: &Path,
    identity: &StoreIdentity,
    now: Timestamp,
) -> Result<(Vec<TableReport>, BTreeSet<SwapId>), StoreError> {
    let read = from.begin_read().map_err(database)?;
    let (identity, seed) = open::binding(&read, path, identity)?;
    let store = Store::at(fresh, &identity, |file| file)?;
    if let Some(seed) = seed {
        store.bind_seed(seed, path)?;
    }
    let moved = store.write(|to| {
        let moving = Moving { read: &read, to };
        let (swaps, lost) = moving.swaps()?;
        let others = vec![
            moving.journal()?,
            moving.table::<_, Trail>(&TRAIL_ROWS)?,
            moving.table::<_, IgnoredAny>(&SETTING_ROWS)?,
            moving.table::<_, Seen>(&CAPABILITY_ROWS)?,
        ];
        moving.idempotency()?;
        Ok::<_, StoreError>((swaps.into_iter().chain(others).collect(), lost))
    })?;
    let note = "the database was damaged; see `sluice db check` of the file that is kept beside it";
    store.update_pauses(|pauses| {
        for asset in Asset::ALL {
            pauses.pause(asset, PausedBy::Damage, note, now);
        }
    })?;
    Ok(moved)
}

struct Moving<'a> {
    read: &'a ReadTransaction,
    to: &'a WriteTransaction,
}

impl Moving<'_> {
    /// Swaps, what lists show of them, and which channels they hold.
    fn swaps(&self) -> Result<([TableReport; 2], BTreeSet<SwapId>), StoreError> {
        let (mut known, mut under_way) = (BTreeMap::new(), BTreeSet::new());
        let found = SWAP_ROWS.read::<Swap>(self.read, |_, swap, _| {
            known.insert(swap.id, swap);
            Ok(())
        })?;
        let mut summaries = self.to.open_table(SUMMARY_ROWS.table).map_err(database)?;
        let listed = SUMMARY_ROWS.read::<Summary>(self.read, |key, summary, bytes| {
            if summary.outcome.is_none() {
                under_way.insert(summary.id);
            }
            if known.contains_key(&summary.id) {
                summaries.insert(key, bytes).map_err(database)?;
            }
            Ok(())
        })?;
        drop(summaries);
        every(self.read, OPEN, |id, ()| {
            under_way.insert(SwapId(id));
            Ok(())
        })?;
        for swap in known.values() {
            swaps::put_again(self.to, swap)?;
        }
        let lost = under_way.into_iter().filter(|id| !known.contains_key(id)).collect();
        Ok(([found, listed], lost))
    }

    fn journal(&self) -> Result<TableReport, StoreError> {
        let mut journal = self.to.open_table(JOURNAL_ROWS.table).map_err(database)?;
        let mut by_swap = self.to.open_table(JOURNAL_BY_SWAP).map_err(database)?;
        JOURNAL_ROWS.read::<JournalRow>(self.read, |seq, row, bytes| {
            journal.insert(seq, bytes).map_err(database)?;
            by_swap.insert((row.swap_id.0, seq), ()).map_err(database)?;
            Ok(())
        })
    }

    fn idempotency(&self) -> Result<(), StoreError> {
        let mut keys = self.to.open_table(IDEMPOTENCY).map_err(database)?;
        every(self.read, IDEMPOTENCY, |key, id| {
            keys.insert(key, id).map_err(database)?;
            Ok(())
        })?;
        Ok(())
    }

    fn table<K: Key + 'static, R: DeserializeOwned>(&self, rows: &Rows<K>) -> Result<TableReport, StoreError> {
        let mut table = self.to.open_table(rows.table).map_err(database)?;
        rows.read::<R>(self.read, |key, _, bytes| {
            table.insert(key, bytes).map_err(database)?;
            Ok(())
        })
    }
}

//! Looking at a database that may be damaged.
//!
//! What is looked at is a copy: redb repairs what it opens.

use std::cmp::Ordering;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use redb::{Database, DatabaseError, Key, ReadTransaction, ReadableTable, TableDefinition, TableError, Value};
use serde::de::DeserializeOwned;

use super::offline::TableReport;
use super::{CAPABILITIES, Id, JOURNAL, SETTINGS, SUMMARIES, SWAPS, StoreError, TRAILS, record};
use crate::units::SwapId;

/// A copy of a database, which is gone when this is dropped.
pub(super) struct Copy {
    pub(super) db: Database,
    /// Dropped after the database.
    _file: Scrap,
}

struct Scrap(PathBuf);

impl Drop for Scrap {
    fn drop(&mut self) {
        // a copy that stays is in the way of nobody
        let _ = fs::remove_file(&self.0);
    }
}

impl Copy {
    pub(super) fn of(path: &Path) -> Result<Copy, StoreError> {
        if let Ok(Err(DatabaseError::DatabaseAlreadyOpen)) = unpanicked(|| Database::builder().open_read_only(path)) {
            return Err(StoreError::InUse { path: path.into() });
        }
        let io = |source| StoreError::Io {
            path: path.into(),
            source,
        };
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".copy-{}", std::process::id()));
        let file = Scrap(path.with_file_name(name));
        fs::copy(path, &file.0).map_err(io)?;
        fs::set_permissions(&file.0, fs::Permissions::from_mode(0o600)).map_err(io)?;
        let opened = flat(unpanicked(|| Database::open(&file.0)));
        let db = opened.map_err(|reason| StoreError::Unreadable {
            path: path.into(),
            reason,
        })?;
        Ok(Copy { db, _file: file })
    }

    /// Whether every page is as it was written: redb has a checksum of each.
    pub(super) fn is_sound(&mut self) -> bool {
        let sound = unpanicked(|| self.db.check_integrity());
        matches!(sound, Ok(Ok(true)))
    }
}

/// A table of records, and how its keys are called.
pub(super) struct Rows<K: Key + 'static> {
    name: &'static str,
    pub(super) table: TableDefinition<'static, K, &'static [u8]>,
    key: for<'k> fn(&K::SelfType<'k>) -> String,
}

pub(super) const SWAP_ROWS: Rows<Id> = Rows {
    name: "swaps",
    table: SWAPS,
    key: |id| SwapId(*id).to_string(),
};
pub(super) const SUMMARY_ROWS: Rows<(u64, Id)> = Rows {
    name: "summaries",
    table: SUMMARIES,
    key: |(_, id)| SwapId(*id).to_string(),
};
pub(super) const JOURNAL_ROWS: Rows<u64> = Rows {
    name: "journal",
    table: JOURNAL,
    key: ToString::to_string,
};
pub(super) const TRAIL_ROWS: Rows<Id> = Rows {
    name: "trails",
    table: TRAILS,
    key: |id| SwapId(*id).to_string(),
};
pub(super) const SETTING_ROWS: Rows<&str> = Rows {
    name: "settings",
    table: SETTINGS,
    key: |key| (*key).to_owned(),
};
pub(super) const CAPABILITY_ROWS: Rows<[u8; 33]> = Rows {
    name: "capabilities",
    table: CAPABILITIES,
    key: |peer| hex::encode(peer),
};

impl<K: Key + 'static> Rows<K> {
    /// Reads every record that can be read. `visit` gets the key, the record and its bytes.
    pub(super) fn read<R: DeserializeOwned>(
        &self,
        read: &ReadTransaction,
        mut visit: impl for<'k> FnMut(K::SelfType<'k>, R, &[u8]) -> Result<(), StoreError>,
    ) -> Result<TableReport, StoreError> {
        let (mut good, mut bad) = (0, Vec::new());
        let broken = every(read, self.table, |key, bytes| {
            match record::decode(self.name, || (self.key)(&key), bytes) {
                Ok(record) => {
                    good += 1;
                    visit(key, record, bytes)
                }
                Err(error) => {
                    bad.push(error.to_string());
                    Ok(())
                }
            }
        })?;
        Ok(TableReport {
            table: self.name,
            good,
            bad,
            broken,
        })
    }
}

/// Visits every row that can be reached from the table's beginning and, past a place that cannot be read, from its end.
/// Returns why the others could not.
pub(super) fn every<K: Key + 'static, V: Value + 'static>(
    read: &ReadTransaction,
    table: TableDefinition<'static, K, V>,
    mut visit: impl for<'k> FnMut(K::SelfType<'k>, V::SelfType<'k>) -> Result<(), StoreError>,
) -> Result<Option<String>, StoreError> {
    let table = match unpanicked(|| read.open_table(table)) {
        Ok(Err(TableError::TableDoesNotExist(_))) => return Ok(None),
        opened => match flat(opened) {
            Ok(table) => table,
            Err(reason) => return Ok(Some(reason)),
        },
    };
    let mut last: Option<Vec<u8>> = None;
    let mut broken = None;
    for backwards in [false, true] {
        let mut entries = match flat(unpanicked(|| table.iter())) {
            Ok(entries) => entries,
            Err(reason) => return Ok(Some(reason)),
        };
        let end = last.clone().filter(|_| backwards);
        loop {
            let mut next = || if backwards { entries.next_back() } else { entries.next() };
            match flat(unpanicked(|| next().transpose())) {
                Ok(Some((key, row))) => {
                    let bytes = K::as_bytes(&key.value()).as_ref().to_vec();
                    if end
                        .as_ref()
                        .is_some_and(|end| K::compare(&bytes, end) != Ordering::Greater)
                    {
                        return Ok(broken);
                    }
                    visit(key.value(), row.value())?;
                    last = Some(bytes);
                }
                Ok(None) => return Ok(broken),
                Err(reason) => {
                    broken = broken.or(Some(reason));
                    break;
                }
            }
        }
    }
    Ok(broken)
}

/// Damaged pages may lead redb to where it panics: then they cannot be read, and no more than that.
pub(super) fn unpanicked<T>(look: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(look)).map_err(|_| "its pages lead nowhere".into())
}

fn flat<T, E: ToString>(looked: Result<Result<T, E>, String>) -> Result<T, String> {
    looked.and_then(|found| found.map_err(|error| error.to_string()))
}

//! A database without its daemon: whether it is sound, and what is in it.
//!
//! Nothing here changes the database: what is looked at is a copy.

use std::io::Write;
use std::path::Path;

use redb::ReadableDatabase;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::StoreError;
use super::error::database;
use super::look::{CAPABILITY_ROWS, Copy, JOURNAL_ROWS, SETTING_ROWS, SUMMARY_ROWS, SWAP_ROWS, TRAIL_ROWS};
use super::record::{JournalRow, Seen, Summary};
use crate::swap::Swap;
use crate::trail::Trail;
use crate::units::SwapId;

/// What a database is worth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Its pages are as they were written.
    pub sound: bool,
    /// Its tables.
    pub tables: Vec<TableReport>,
}

/// What a table is worth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableReport {
    /// Its name.
    pub table: &'static str,
    /// Rows that are as they should be.
    pub good: u64,
    /// What is wrong with each of the others, by its key.
    pub bad: Vec<String>,
    /// Why rows between those that could be read from either end could not.
    pub broken: Option<String>,
}

impl Report {
    /// Whether there is nothing to complain of.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.sound && self.tables.iter().all(TableReport::is_good)
    }

    /// How many rows of each table are good, in words: `2 swaps, 7 journal`.
    #[must_use]
    pub fn holds(&self) -> String {
        let tables = self.tables.iter();
        let counts = tables.map(|table| format!("{} {}", table.good, table.table));
        counts.collect::<Vec<_>>().join(", ")
    }

    /// What is wrong, one fact after the other.
    pub fn complaints(&self) -> impl Iterator<Item = String> + '_ {
        let pages = (!self.sound).then(|| "its pages are not as they were written".to_owned());
        let rows = self.tables.iter().flat_map(|table| {
            let broken = table.broken.iter();
            let broken = broken.map(|why| format!("a part of the {} cannot be read: {why}", table.table));
            broken.chain(table.bad.iter().cloned())
        });
        pages.into_iter().chain(rows)
    }
}

impl TableReport {
    fn is_good(&self) -> bool {
        self.bad.is_empty() && self.broken.is_none()
    }
}

/// Looks at a database whose daemon does not run.
///
/// # Errors
/// It is in use, not there, or no page of it can be reached.
pub fn check(path: &Path) -> Result<Report, StoreError> {
    let mut copy = Copy::of(path)?;
    let read = copy.db.begin_read().map_err(database)?;
    let tables = vec![
        SWAP_ROWS.read::<Swap>(&read, |_, _, _| Ok(()))?,
        SUMMARY_ROWS.read::<Summary>(&read, |_, _, _| Ok(()))?,
        JOURNAL_ROWS.read::<JournalRow>(&read, |_, _, _| Ok(()))?,
        TRAIL_ROWS.read::<Trail>(&read, |_, _, _| Ok(()))?,
        SETTING_ROWS.read::<IgnoredAny>(&read, |_, _, _| Ok(()))?,
        CAPABILITY_ROWS.read::<Seen>(&read, |_, _, _| Ok(()))?,
    ];
    drop(read);
    let sound = copy.is_sound();
    Ok(Report { sound, tables })
}

/// Writes what a database holds as lines of JSON, `{"table":…,"key":…,"record":…}`: swaps in short, their steps and
/// times, settings, what peers announced. No key, preimage or transaction is in it, nor the rows that hold them.
///
/// # Errors
/// As [`check`], or `out` cannot be written. What cannot be read is left out, and in the report.
pub fn export(path: &Path, out: &mut impl Write) -> Result<Report, StoreError> {
    let mut copy = Copy::of(path)?;
    let read = copy.db.begin_read().map_err(database)?;
    let mut line = |table: &str, key: Value, record: Value| {
        let line = json!({"table": table, "key": key, "record": record});
        writeln!(out, "{line}").map_err(|source| StoreError::Io {
            path: "the output".into(),
            source,
        })
    };
    let tables = vec![
        SUMMARY_ROWS.read::<Summary>(&read, |(_, id), row, _| {
            line("summaries", json!(SwapId(id)), json!(row))
        })?,
        JOURNAL_ROWS.read::<JournalRow>(&read, |seq, row, _| line("journal", json!(seq), json!(row)))?,
        TRAIL_ROWS.read::<Trail>(&read, |id, row, _| line("trails", json!(SwapId(id)), json!(row)))?,
        SETTING_ROWS.read::<Anything>(&read, |key, row, _| line("settings", json!(key), row.0))?,
        CAPABILITY_ROWS.read::<Seen>(&read, |_, row, _| line("capabilities", json!(row.peer), json!(row)))?,
    ];
    drop(read);
    let sound = copy.is_sound();
    Ok(Report { sound, tables })
}

/// A record of which only its form matters here.
#[derive(Deserialize)]
#[serde(transparent)]
struct Anything(Value);

//! How the matrix came out.

use std::fmt;

use anyhow::{Result, bail};
use comfy_table::presets::UTF8_FULL_CONDENSED;

use super::record::{Played, Verdict};
use crate::play::row::Row;

/// One line when a row is done.
pub(super) fn line(played: &Played) -> String {
    let took = played.took.as_secs_f64();
    let (word, why) = match &played.verdict {
        Verdict::Ok => ("ok", ""),
        Verdict::Failed(why) => ("FAILED", why.as_str()),
        Verdict::Skipped(why) => ("skipped", why.as_str()),
    };
    format!("{:44} {word:8}{took:>7.1} s  {why}", played.row.to_string())
}

/// All rows, with how often each was played and how it went.
#[derive(Debug)]
pub(super) struct Table {
    cells: Vec<Cell>,
}

#[derive(Debug)]
struct Cell {
    row: Row,
    ok: usize,
    failed: Vec<String>,
    skipped: Option<String>,
    longest_secs: f64,
}

impl Table {
    pub(super) fn new(rows: &[Row], played: &[Played]) -> Table {
        let cell = |row: &Row| {
            let mut cell = Cell {
                row: *row,
                ok: 0,
                failed: Vec::new(),
                skipped: None,
                longest_secs: 0.0,
            };
            for played in played.iter().filter(|played| played.row == *row) {
                cell.longest_secs = cell.longest_secs.max(played.took.as_secs_f64());
                match &played.verdict {
                    Verdict::Ok => cell.ok += 1,
                    Verdict::Failed(why) => cell.failed.push(why.clone()),
                    Verdict::Skipped(why) => cell.skipped = Some(why.clone()),
                }
            }
            cell
        };
        Table {
            cells: rows.iter().map(cell).collect(),
        }
    }

    /// # Errors
    /// If a row failed or was not played at all, and all were skipped.
    pub(super) fn verdict(&self) -> Result<()> {
        let failed = self.cells.iter().filter(|cell| !cell.failed.is_empty()).count();
        let skipped = self.cells.iter().filter(|cell| cell.skipped.is_some()).count();
        if failed > 0 {
            bail!("{failed} of {} rows failed", self.cells.len());
        }
        if skipped == self.cells.len() {
            bail!("every row was skipped");
        }
        Ok(())
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = comfy_table::Table::new();
        table
            .load_style(UTF8_FULL_CONDENSED)
            .set_header(["swap", "result", "longest"]);
        for cell in &self.cells {
            let runs = cell.ok + cell.failed.len();
            let result = match (&cell.skipped, cell.failed.first()) {
                (Some(why), _) => format!("skipped: {why}"),
                (None, Some(why)) => {
                    let first = why.lines().next().unwrap_or_default();
                    format!("FAILED {} of {runs}: {first}", cell.failed.len())
                }
                (None, None) if runs == 0 => "not played".into(),
                (None, None) if runs == 1 => "ok".into(),
                (None, None) => format!("ok, {runs} times"),
            };
            table.add_row([cell.row.to_string(), result, format!("{:.1} s", cell.longest_secs)]);
        }
        write!(f, "{table}")
    }
}

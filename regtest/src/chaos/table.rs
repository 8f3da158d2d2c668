//! How it came out.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use anyhow::{Result, bail};
use comfy_table::presets::UTF8_FULL_CONDENSED;
use serde::Serialize;
use sluice::swap::Role;

use super::script::{self, Manner, Script};
use crate::world::backends::name_of;

/// One cut in so many may be missed, and two of each side: where two observations of a swap come at once, one run stores
/// them in one step and another in two, and a run with fewer steps never passes the last of the longest one's. On an idle
/// machine it is one in two hundred, on a busy one in thirty.
const FEW: usize = 8;
const FEWEST: usize = 2;

/// One side of one kind of swap.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// The kind of swap: asset, direction, ending.
    pub script: String,
    /// Whose daemon was cut: `maker` or `taker`.
    pub side: &'static str,
    /// The boundaries that its runs passed.
    pub boundaries: usize,
    /// The cuts that were made, by their manner.
    pub cuts: BTreeMap<String, usize>,
    /// Cuts whose boundary no run passed again, in several tries.
    pub not_met: usize,
    /// Cuts after which something was not as the rules say.
    pub violations: usize,
    #[serde(skip)]
    role: Role,
}

/// A swap after which something was not as the rules say.
#[derive(Debug, Clone, Serialize)]
pub struct Violation {
    /// The command that plays it again.
    pub command: String,
    /// What was wrong, with both daemons' last lines.
    pub why: String,
}

/// Everything that was played.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// By kind of swap and side.
    pub rows: Vec<Row>,
    /// All that went wrong.
    pub violations: Vec<Violation>,
    /// How long it took.
    pub seconds: f64,
}

impl Row {
    pub(super) fn new(script: Script, role: Role) -> Row {
        Row {
            script: script.to_string(),
            side: script::side(role),
            boundaries: 0,
            cuts: BTreeMap::new(),
            not_met: 0,
            violations: 0,
            role,
        }
    }

    pub(super) fn role(&self) -> Role {
        self.role
    }

    /// A cut that went well.
    pub(super) fn add(&mut self, manner: Option<Manner>, met: bool) {
        if !met {
            self.not_met += 1;
        } else if let Some(manner) = manner {
            *self.cuts.entry(name_of(&manner)).or_default() += 1;
        }
    }
}

impl Report {
    pub(super) fn new(rows: Vec<Row>, violations: Vec<Violation>, took: Duration) -> Report {
        Report {
            rows,
            violations,
            seconds: took.as_secs_f64(),
        }
    }

    /// The cuts that went well.
    #[must_use]
    pub fn cuts(&self) -> usize {
        self.rows.iter().flat_map(|row| row.cuts.values()).sum()
    }

    /// # Errors
    /// If nobody reads any more.
    pub(super) fn print(&self, json: bool) -> Result<()> {
        let mut out = std::io::stdout().lock();
        if json {
            writeln!(out, "{}", serde_json::to_string(self)?)?;
            return Ok(());
        }
        let mut table = comfy_table::Table::new();
        table.load_style(UTF8_FULL_CONDENSED).set_header([
            "swap",
            "side",
            "boundaries",
            "cuts",
            "not met",
            "violations",
        ]);
        for row in &self.rows {
            let cuts: Vec<String> = row
                .cuts
                .iter()
                .map(|(manner, count)| format!("{count} {manner}"))
                .collect();
            table.add_row([
                row.script.clone(),
                row.side.to_owned(),
                row.boundaries.to_string(),
                cuts.join(", "),
                row.not_met.to_string(),
                row.violations.to_string(),
            ]);
        }
        writeln!(out, "{table}")?;
        writeln!(
            out,
            "{} cuts in {:.0} s, {} violations",
            self.cuts(),
            self.seconds,
            self.violations.len()
        )?;
        for violation in &self.violations {
            let first = violation.why.lines().next().unwrap_or_default();
            writeln!(out, "{}\n    {first}", violation.command)?;
        }
        Ok(())
    }

    /// # Errors
    /// If something was not as the rules say, or nothing was cut.
    pub fn verdict(&self) -> Result<()> {
        if !self.violations.is_empty() {
            bail!("{} violations", self.violations.len());
        }
        if self.cuts() == 0 {
            bail!("nothing was cut");
        }
        let elusive = |row: &&Row| row.not_met > (row.cuts.values().sum::<usize>() / FEW).max(FEWEST);
        if let Some(row) = self.rows.iter().find(elusive) {
            bail!(
                "{} of the {}'s cuts in `{}` were not met: the runs have too little in common",
                row.not_met,
                row.side,
                row.script
            );
        }
        Ok(())
    }
}

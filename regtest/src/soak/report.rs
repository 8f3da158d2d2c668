//! What came of the turns so far, in a file.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use comfy_table::presets::UTF8_FULL_CONDENSED;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::part::Part;

const FILE_NAME: &str = "report.json";

/// All turns of one code.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Report {
    /// The commit, and a hash of what was changed since.
    code: String,
    parts: BTreeMap<String, Sum>,
    /// Where it and the logs of failures are.
    #[serde(skip)]
    folder: PathBuf,
}

/// The turns of one part.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Sum {
    turns: u64,
    done: u64,
    unit: String,
    seconds: f64,
    failures: Vec<Failure>,
    /// The last so many turns failed.
    #[serde(skip)]
    in_a_row: u32,
}

#[derive(Debug, Serialize, Deserialize)]
struct Failure {
    /// The command that plays it again.
    command: String,
    log: PathBuf,
    why: String,
}

impl Report {
    /// The report of that code, in a folder of its own: the one that is there, or a new one.
    ///
    /// # Errors
    /// If what is there cannot be read.
    pub(super) fn open(folder: &Path, code: &str) -> Result<Report> {
        let folder = folder.join(code);
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let file = folder.join(FILE_NAME);
        let mut report = match std::fs::read(&file) {
            Ok(text) => serde_json::from_slice(&text).with_context(|| file.display().to_string())?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Report {
                code: code.into(),
                parts: BTreeMap::new(),
                folder: PathBuf::new(),
            },
            Err(error) => return Err(error).with_context(|| file.display().to_string()),
        };
        report.folder = folder;
        Ok(report)
    }

    pub(super) fn code(&self) -> &str {
        &self.code
    }

    /// How long all turns of these parts took together.
    pub(super) fn took(&self, parts: &[Part]) -> Duration {
        let sums = parts.iter().filter_map(|part| self.parts.get(&part.name()));
        Duration::from_secs_f64(sums.map(|sum| sum.seconds).sum())
    }

    /// Where the next turn of a part writes.
    pub(super) fn log_of(&self, part: Part) -> PathBuf {
        let name = part.name().replace(' ', "-");
        self.folder.join(format!("{name}-{}.log", self.turns_of(part)))
    }

    pub(super) fn failures(&self) -> usize {
        self.parts.values().map(|sum| sum.failures.len()).sum()
    }

    pub(super) fn turns_of(&self, part: Part) -> u64 {
        self.parts.get(&part.name()).map_or(0, |sum| sum.turns)
    }

    /// Whose turn it is: the part that has had the least time for its share.
    pub(super) fn furthest_behind(&self, parts: &[Part]) -> Option<Part> {
        let had = |part: &Part| {
            let seconds = self.parts.get(&part.name()).map_or(0.0, |sum| sum.seconds);
            seconds / f64::from(part.share())
        };
        parts
            .iter()
            .copied()
            .min_by(|one, other| had(one).total_cmp(&had(other)))
    }

    /// A turn that ended well.
    pub(super) fn add(&mut self, part: Part, done: u64, took: Duration) -> Result<()> {
        let sum = self.sum(part, took);
        sum.done += done;
        sum.in_a_row = 0;
        self.store()
    }

    /// A turn that failed. Returns how many of the part have failed in a row now.
    pub(super) fn fail(
        &mut self,
        part: Part,
        command: String,
        log: PathBuf,
        why: String,
        took: Duration,
    ) -> Result<u32> {
        let sum = self.sum(part, took);
        sum.failures.push(Failure { command, log, why });
        sum.in_a_row += 1;
        let in_a_row = sum.in_a_row;
        self.store()?;
        Ok(in_a_row)
    }

    fn sum(&mut self, part: Part, took: Duration) -> &mut Sum {
        let sum = self.parts.entry(part.name()).or_default();
        sum.turns += 1;
        sum.unit = part.unit().into();
        sum.seconds += took.as_secs_f64();
        sum
    }

    /// In one step: a report that is cut short would be the end of hours.
    fn store(&self) -> Result<()> {
        let mut file = NamedTempFile::new_in(&self.folder)?;
        serde_json::to_writer_pretty(&mut file, self)?;
        file.as_file().sync_all()?;
        file.persist(self.folder.join(FILE_NAME))?;
        Ok(())
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
        table
            .load_style(UTF8_FULL_CONDENSED)
            .set_header(["part", "turns", "hours", "done", "failures"]);
        for (name, sum) in &self.parts {
            table.add_row([
                name.clone(),
                sum.turns.to_string(),
                format!("{:.2}", hours([sum])),
                format!("{} {}", sum.done, sum.unit),
                sum.failures.len().to_string(),
            ]);
        }
        let hours = hours(self.parts.values());
        writeln!(
            out,
            "{table}\n{:.2} h of {}, {} failures",
            hours,
            self.code,
            self.failures()
        )?;
        for failure in self.parts.values().flat_map(|sum| &sum.failures) {
            writeln!(out, "{}\n    {}", failure.command, failure.log.display())?;
        }
        Ok(())
    }

    /// # Errors
    /// If a turn failed.
    pub(super) fn verdict(&self) -> Result<()> {
        match self.failures() {
            0 => Ok(()),
            failures => bail!("{failures} turns failed"),
        }
    }
}

/// A sum of nothing is 0, not -0 as [`f64`]'s own.
fn hours<'a>(sums: impl IntoIterator<Item = &'a Sum>) -> f64 {
    sums.into_iter().fold(0.0, |hours, sum| hours + sum.seconds / 3600.0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn failed(report: &mut Report, part: Part) -> u32 {
        let log = report.log_of(part);
        let failed = report.fail(part, "the command".into(), log, "a satoshi is missing".into(), MINUTE);
        failed.unwrap()
    }

    #[test]
    fn a_report_goes_on_where_it_ended_and_another_codes_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = Report::open(folder.path(), "a").unwrap();
        first.add(Part::Matrix, 80, MINUTE).unwrap();
        failed(&mut first, Part::Matrix);
        first.add(Part::Faults, 77, MINUTE).unwrap();
        let again = Report::open(folder.path(), "a").unwrap();
        assert_eq!((again.turns_of(Part::Matrix), again.failures()), (2, 1));
        assert_eq!(again.took(&[Part::Matrix]), 2 * MINUTE, "of the parts that are played");
        assert!(again.verdict().is_err());
        let other = Report::open(folder.path(), "b").unwrap();
        assert_eq!((other.turns_of(Part::Matrix), other.failures()), (0, 0));
        assert!(other.verdict().is_ok());
        assert_ne!(other.log_of(Part::Faults).parent(), again.log_of(Part::Faults).parent());
    }

    #[test]
    fn failures_in_a_row_are_those_since_the_last_turn_that_went_well() {
        let folder = tempfile::tempdir().unwrap();
        let mut report = Report::open(folder.path(), "a").unwrap();
        assert_eq!(
            [failed(&mut report, Part::Chaos), failed(&mut report, Part::Chaos)],
            [1, 2]
        );
        assert_eq!(failed(&mut report, Part::Faults), 1);
        report.add(Part::Chaos, 1, MINUTE).unwrap();
        assert_eq!(failed(&mut report, Part::Chaos), 1);
    }

    #[test]
    fn a_report_that_cannot_be_read_is_an_error_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a").join(FILE_NAME);
        std::fs::create_dir(folder.path().join("a")).unwrap();
        std::fs::write(&file, "half of").unwrap();
        let told = format!("{:#}", Report::open(folder.path(), "a").unwrap_err());
        assert!(told.contains(FILE_NAME), "{told}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "half of");
    }

    #[test]
    fn time_is_shared_as_told() {
        let folder = tempfile::tempdir().unwrap();
        let mut report = Report::open(folder.path(), "a").unwrap();
        let parts: Vec<Part> = Part::all().collect();
        for _ in 0..1000 {
            let next = report.furthest_behind(&parts).unwrap();
            report.add(next, 1, MINUTE).unwrap();
        }
        let whole: u32 = parts.iter().map(|part| part.share()).sum();
        for part in parts {
            let due = f64::from(1000 * part.share()) / f64::from(whole);
            let had = report.turns_of(part) as f64;
            assert!((had - due).abs() <= 2.0, "{}: {had} turns, {due} due", part.name());
        }
    }
}

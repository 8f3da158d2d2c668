//! The database without its daemon: whether it is sound, and what is in it, without secrets.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use sluice::api::view::text::grouped;
use sluice::store::offline::{self, Report};
use sluice::store::{FILE_NAME, StoreError};

use crate::args::{DbCommand, Global};
use crate::connect::data_dir;
use crate::exit::{Exit, Failure};
use crate::screen::Screen;

pub fn run(command: DbCommand, global: &Global, screen: Screen) -> Result<Exit, Failure> {
    let other = |error: StoreError| Failure::Other(error.to_string());
    let report = match command {
        DbCommand::Check { file } => {
            let report = offline::check(&path(file, global)?).map_err(other)?;
            screen.answer(&report, |report| shown(screen, report))?;
            report
        }
        DbCommand::Export { file } => {
            let mut out = BufWriter::new(std::io::stdout().lock());
            let report = match offline::export(&path(file, global)?, &mut out) {
                Err(StoreError::Io { source, .. }) if has_gone(&source) => return Ok(Exit::Done),
                written => written.map_err(other)?,
            };
            match out.flush() {
                Err(error) if has_gone(&error) => return Ok(Exit::Done),
                flushed => flushed.map_err(|error| Failure::Other(format!("standard output: {error}")))?,
            }
            report
        }
    };
    if report.is_good() {
        return Ok(Exit::Done);
    }
    let facts: Vec<String> = report.complaints().collect();
    Err(Failure::Other(format!(
        "the database is damaged: {}; keep a copy of it, and the rescue files",
        facts.join("; ")
    )))
}

/// Whether a reader has gone (`sluice db export | head`), which ends the command quietly.
fn has_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}

fn path(file: Option<PathBuf>, global: &Global) -> Result<PathBuf, Failure> {
    match file {
        Some(file) => Ok(file),
        None => Ok(data_dir(global)?.join(FILE_NAME)),
    }
}

fn shown(screen: Screen, report: &Report) -> String {
    let rows = report.tables.iter().map(|table| {
        let bad = u64::try_from(table.bad.len()).unwrap_or(u64::MAX);
        let unread = if table.broken.is_some() { "some" } else { "0" };
        vec![
            table.table.to_owned(),
            grouped(table.good),
            grouped(bad),
            unread.to_owned(),
        ]
    });
    screen.table(
        &["TABLE", "GOOD ROWS", "BAD ROWS", "OUT OF REACH"],
        &[1, 2, 3],
        rows.collect(),
    )
}

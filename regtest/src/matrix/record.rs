//! What was played so far, told as it comes.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;

use super::table;
use crate::play::page::Page;
use crate::play::row::Row;

/// How a row came out.
#[derive(Debug)]
pub(super) enum Verdict {
    /// As it should.
    Ok,
    /// Otherwise, with the reason.
    Failed(String),
    /// It could not be played: the reason.
    Skipped(String),
}

/// A row that was played.
#[derive(Debug)]
pub(super) struct Played {
    /// In which run, from 1.
    pub(super) run: u32,
    pub(super) row: Row,
    pub(super) verdict: Verdict,
    pub(super) began: Instant,
    pub(super) took: Duration,
}

/// Every row that was played.
pub(super) struct Record {
    page: Page,
    rows: usize,
    runs: u32,
    played: Mutex<Vec<Played>>,
}

impl Record {
    /// Of so many rows, each to be played so many times.
    pub(super) fn new(page: Page, rows: usize, runs: u32) -> Record {
        Record {
            page,
            rows,
            runs,
            played: Mutex::default(),
        }
    }

    /// Tells of a row, and of its run if that is over by it.
    pub(super) fn add(&self, done: Played) -> Result<()> {
        self.page.line(&table::line(&done))?;
        let run = done.run;
        let mut played = self.played.lock().unwrap_or_else(PoisonError::into_inner);
        played.push(done);
        let of_run: Vec<&Played> = played.iter().filter(|played| played.run == run).collect();
        if of_run.len() == self.rows {
            self.page
                .line(&format!("run {run} of {}: {}", self.runs, summary(&of_run)))?;
        }
        Ok(())
    }

    pub(super) fn into_played(self) -> Vec<Played> {
        self.played.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs overlap: the next one begins where a world is free.
fn summary(played: &[&Played]) -> String {
    let count = |fits: fn(&Verdict) -> bool| played.iter().filter(|played| fits(&played.verdict)).count();
    let ok = count(|verdict| matches!(verdict, Verdict::Ok));
    let failed = count(|verdict| matches!(verdict, Verdict::Failed(_)));
    let skipped = count(|verdict| matches!(verdict, Verdict::Skipped(_)));
    let began = played.iter().map(|played| played.began).min();
    let took = began.map_or(Duration::ZERO, |began| began.elapsed());
    format!("{ok} ok, {failed} FAILED, {skipped} skipped, in {} s", took.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::play::row;

    #[test]
    fn a_run_is_summed_up() {
        let played = |verdict| Played {
            run: 1,
            row: row::all()[0],
            verdict,
            began: Instant::now(),
            took: Duration::ZERO,
        };
        let [ok, failed] = [Verdict::Ok, Verdict::Failed("a satoshi is missing".into())].map(played);
        let told = summary(&[&ok, &failed, &ok]);
        assert!(told.starts_with("2 ok, 1 FAILED, 0 skipped, in "), "{told}");
    }
}

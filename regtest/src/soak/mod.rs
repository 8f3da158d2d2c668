//! `cargo regtest soak`: everything that looks for a loss, again and again, for hours.
//!
//! ```text
//!   parts ─► the one that is furthest behind its share ─► a turn: a command ─► report, on the disk ─► …
//! ```
//!
//! A turn differs from the one before: another seed, another kind of swap. What fails keeps its log and does not end
//! the soak. An interrupted soak of the same code goes on with its report.

mod code;
mod part;
mod report;
mod turn;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::play::page::Page;
use crate::up::Ending;
use part::Part;
use report::Report;
use turn::End;

/// Where reports and logs are, unless told otherwise.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/soak");
/// A part that fails so often in a row is broken, and would keep the others from their turns.
const MOST_IN_A_ROW: u32 = 3;
/// Where the commands are run.
const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Options of the soak.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// For how long, in hours, such as 8 or 0.5: with what an interrupted soak of the same code has done already
    #[arg(long, value_parser = hours)]
    pub hours: Duration,
    /// Where the report and the logs of failures are
    #[arg(long, value_name = "DIR", default_value = FOLDER)]
    pub folder: PathBuf,
    /// Only parts with this in their name; several may be given
    #[arg(long, value_name = "NAME")]
    pub only: Vec<String>,
    /// Prints the parts, each with what it lacks, and plays none
    #[arg(long)]
    pub list: bool,
    /// Prints the report as one JSON object on standard output instead of the table
    #[arg(long)]
    pub json: bool,
}

fn hours(text: &str) -> Result<Duration, String> {
    let hours: f64 = text.parse().map_err(|_| "must be a number of hours".to_owned())?;
    if !(hours > 0.0 && hours <= 10_000.0) {
        return Err("must be more than 0 and at most 10000".into());
    }
    Ok(Duration::from_secs_f64(hours * 3600.0))
}

/// Plays turns until the time is over, and prints what came of them, also when it is interrupted.
///
/// # Errors
/// If a turn failed, nothing could be played, the code changed meanwhile, or it was interrupted.
pub async fn run(args: Args) -> Result<()> {
    let wanted = |part: &Part| args.only.is_empty() || args.only.iter().any(|name| part.name().contains(name.as_str()));
    let parts: Vec<Part> = Part::all().filter(wanted).collect();
    let names = args.only.join(", ");
    ensure!(!parts.is_empty(), "no part has one of these in its name: {names}");
    let parts = playable(parts).await;
    if args.list {
        let page = Page::new(false);
        return parts.iter().try_for_each(|part| page.line(&part.name()));
    }
    ensure!(!parts.is_empty(), "nothing is left to play");
    std::fs::create_dir_all(&args.folder).with_context(|| args.folder.display().to_string())?;
    let place = Place {
        folder: args.folder.canonicalize()?,
        program: Program::keep()?,
    };
    let code = code::version().await?;
    let mut report = Report::open(&place.folder, &code)?;
    let ended = play(parts, &mut report, &place, args.hours).await;
    report.print(args.json)?;
    ended?;
    report.verdict()
}

async fn playable(parts: Vec<Part>) -> Vec<Part> {
    let mut playable = Vec::new();
    for part in parts {
        match part.lacks().await {
            Some(lacking) => eprintln!("SKIPPED: {}: {lacking}", part.name()),
            None => playable.push(part),
        }
    }
    playable
}

/// # Errors
/// What ended it before its time.
async fn play(mut parts: Vec<Part>, report: &mut Report, place: &Place, whole: Duration) -> Result<()> {
    let bar = progress(whole);
    let mut ending = Ending::listen()?;
    while report.took(&parts) < whole {
        let part = report
            .furthest_behind(&parts)
            .context("every part fails again and again")?;
        let now = code::version().await?;
        ensure!(now == report.code(), "the code is {now} now, and was {}", report.code());
        let (number, before) = (report.turns_of(part), report.took(&parts));
        let turn = part.turn(number, place);
        let failures = report.failures();
        bar.set_message(format!(
            "{}, turn {}, {failures} failures so far",
            part.name(),
            number + 1
        ));
        let log = report.log_of(part);
        let tick = |took: Duration| bar.set_position((before + took).as_secs());
        let (end, took) = turn.play(&log, part.unit(), &mut ending, tick).await?;
        let told = match end {
            End::Interrupted => bail!("interrupted; the same command goes on where this one ended"),
            End::Done(count) => {
                report.add(part, count, took)?;
                format!("{}: {count} {}", part.name(), part.unit())
            }
            End::Failed(why) => {
                let whole_log = log.display().to_string();
                let told = format!("FAILED: {}: {turn}\n{why}\nthe whole of it: {whole_log}\n", part.name());
                if report.fail(part, turn.to_string(), log, why, took)? == MOST_IN_A_ROW {
                    bar.suspend(|| eprintln!("{} is given up", part.name()));
                    parts.retain(|other| *other != part);
                }
                told
            }
        };
        let (took, all) = (HumanDuration(took), HumanDuration(report.took(&parts)));
        bar.suspend(|| eprintln!("{told} in {took}; {all} in all"));
    }
    bar.finish_and_clear();
    Ok(())
}

/// Where things are.
struct Place {
    folder: PathBuf,
    program: Program,
}

/// This very program, under a name of its own: what the turns build puts another one into its place.
struct Program(PathBuf);

impl Program {
    fn keep() -> Result<Program> {
        let this = std::env::current_exe()?;
        // in the same folder: there it finds what it was built with
        let kept = this.with_file_name(format!("sluice-regtest-soaks-{}", std::process::id()));
        std::fs::hard_link(&this, &kept).with_context(|| kept.display().to_string())?;
        Ok(Program(kept))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // one that stays is in the way of nobody
        let _ = std::fs::remove_file(&self.0);
    }
}

fn progress(whole: Duration) -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let style = ProgressStyle::with_template("{bar:30} {percent} %: {msg}").expect("the template is one");
    ProgressBar::with_draw_target(Some(whole.as_secs()), target).with_style(style)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_may_be_parts_of_one_and_neither_none_nor_without_end() {
        assert_eq!(hours("0.5"), Ok(Duration::from_secs(1800)));
        for wrong in ["0", "-1", "nan", "inf", "1e9", "an hour"] {
            assert!(hours(wrong).is_err(), "{wrong}");
        }
    }
}

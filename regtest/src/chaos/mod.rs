//! `cargo regtest chaos`: two real daemons, cut off at every boundary of every kind of swap.
//!
//! ```text
//! Script ─ played once, nothing cut ─► the boundaries of both daemons
//!   each boundary × manner ─► Cut ─► queue ─► workers, a world each ─► play ─► books ─► table
//!   a boundary that only a cut run passes joins the queue
//! ```
//!
//! The daemons are `sluiced` with a knife in each seam ([`knife`]): this very program under another command.

mod books;
mod deaths;
mod hands;
pub mod knife;
mod patient;
mod plan;
mod play;
mod script;
mod table;
mod worker;

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use sluice::swap::Role;
use sluice::units::Asset;

use crate::play::Direction;
use crate::world::backends::{Backends, name_of};
use crate::world::lightning;
use knife::Boundary;
use plan::Plan;
use script::Script;

pub use script::{Ending, Manner};
pub use table::Report;

/// The command under which this program is the daemon.
pub const SLUICED: &str = "sluiced-under-the-knife";

/// Which swaps are cut, and where.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Only swaps of this asset
    #[arg(long, value_name = "lbtc|btc")]
    pub asset: Option<Asset>,
    /// Only swaps in this direction
    #[arg(long, value_enum)]
    pub direction: Option<Direction>,
    /// Only swaps that end so
    #[arg(long, value_enum)]
    pub ending: Vec<Ending>,
    /// Only cuts of this side's daemon
    #[arg(long, value_name = "maker|taker", value_parser = role)]
    pub side: Option<Role>,
    /// Only cuts of this kind; several may be given [default: all]
    #[arg(long, value_enum)]
    pub manner: Vec<Manner>,
    /// Only the cut at this boundary, such as `sync#3 before`
    #[arg(long, value_name = "BOUNDARY")]
    pub at: Option<Boundary>,
    /// What it is played on
    #[command(flatten)]
    pub backends: Backends,
    /// Worlds at a time, each with two daemons
    #[arg(long, default_value_t = 4)]
    pub jobs: usize,
    /// Prints one JSON object on standard output instead of the table
    #[arg(long)]
    pub json: bool,
}

fn role(text: &str) -> Result<Role, String> {
    match text {
        "maker" => Ok(Role::Maker),
        "taker" => Ok(Role::Taker),
        _ => Err("must be maker or taker".into()),
    }
}

impl Args {
    fn takes(&self, script: &Script) -> bool {
        self.asset.is_none_or(|asset| asset == script.asset)
            && self.direction.is_none_or(|direction| direction == script.direction)
            && (self.ending.is_empty() || self.ending.contains(&script.ending))
            && script.is_played_on(self.backends.lightning)
    }
}

/// The commands that together make every cut there is on such nodes: each kind of swap in one manner, then each in the next.
#[must_use]
pub fn commands(lightning: lightning::Kind) -> Vec<String> {
    let manners = Manner::value_variants().iter().map(name_of);
    let scripts = || Script::all().filter(move |script| script.is_played_on(lightning));
    let of_manner = |manner| scripts().map(move |script| format!("chaos {} --manner {manner}", script.options()));
    manners.flat_map(of_manner).collect()
}

/// Makes all cuts, tells of each that went wrong, and prints the table.
///
/// # Errors
/// If a single one went wrong, or could not be made.
pub async fn run(args: Args) -> Result<()> {
    let report = tokio::select! {
        report = cut(&args, std::env::current_exe()?, true) => report?,
        // what was started ends with the worlds
        signal = tokio::signal::ctrl_c() => {
            signal?;
            anyhow::bail!("interrupted")
        }
    };
    report.print(args.json)?;
    report.verdict()
}

/// The same, without printing. `program`: this crate's, which is the daemon under the knife as well.
///
/// # Errors
/// If nothing could be played.
pub async fn cut(args: &Args, program: PathBuf, bar: bool) -> Result<Report> {
    let scripts: Vec<Script> = Script::all().filter(|script| args.takes(script)).collect();
    ensure!(!scripts.is_empty(), "no kind of swap is like that");
    let plan = Plan::new(args, scripts, bar);
    let workers = (0..args.jobs.max(1)).map(|_| worker::work(&plan, args, &program));
    futures::future::try_join_all(workers)
        .await
        .context("a world could not be started")?;
    Ok(plan.into_report())
}

//! `cargo regtest matrix`: every kind of swap that there is, on real daemons, with all balances checked.
//!
//! ```text
//! rows ─► workers, each with a world ─► script ─► ledger ─► table
//! ```

mod table;

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use bitcoin::Amount;
use sluice::units::Asset;
use tokio::sync::Mutex;

use crate::play::page::Page;
use crate::play::row::{self, Row};
use crate::play::script;
use crate::play::story::Story;
use crate::world::pair::{Options, Pair};
use crate::world::{build, liquid};
use table::Table;

/// The amount of every swap, without premium.
const AMOUNT: Amount = Amount::from_sat(1_000_000);

/// Options of the matrix.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// How many times every row is played
    #[arg(long, default_value_t = 1)]
    pub runs: u32,
    /// Only rows with all of these words in their names, such as "go>sluice out paid"
    #[arg(long, value_name = "WORDS", default_value = "")]
    pub only: String,
    /// Worlds that are played in at a time, each of about seven processes
    #[arg(long, default_value_t = 1)]
    pub jobs: usize,
    /// Tells what happens in every swap
    #[arg(long)]
    pub tell: bool,
    /// Prints the names of the rows and plays none
    #[arg(long)]
    pub list: bool,
}

/// How a row came out.
#[derive(Debug)]
pub enum Verdict {
    /// As it should.
    Ok,
    /// Otherwise, with the reason.
    Failed(String),
    /// It could not be played: the reason.
    Skipped(String),
}

/// A row that was played.
#[derive(Debug)]
pub struct Played {
    row: Row,
    verdict: Verdict,
    took: Duration,
}

/// Plays all rows and prints the table.
///
/// # Errors
/// If a row failed, or nothing was played.
pub async fn run(args: Args) -> Result<()> {
    let rows: Vec<Row> = row::all().into_iter().filter(|row| row.fits(&args.only)).collect();
    if rows.is_empty() {
        bail!("no row has all of these words: {}", args.only);
    }
    let page = Page::new(false);
    if args.list {
        return rows.iter().try_for_each(|row| page.line(&row.to_string()));
    }
    tokio::select! {
        done = play_all(&args, page, rows) => done,
        // what was started ends with the worlds
        interrupted = tokio::signal::ctrl_c() => {
            interrupted?;
            bail!("interrupted")
        }
    }
}

async fn play_all(args: &Args, page: Page, rows: Vec<Row>) -> Result<()> {
    let binary = build::sluiced().await?;
    // A peer of an older version swaps BTC alone: no world waits for an asset that no row wants.
    let wanted = |asset: &Asset| rows.iter().any(|row| row.asset == *asset);
    let assets: Vec<Asset> = Asset::ALL.into_iter().filter(wanted).collect();
    let mut queue: Vec<Row> = (0..args.runs).flat_map(|_| rows.iter().copied()).collect();
    queue.reverse();
    let (queue, played) = (Mutex::new(queue), Mutex::new(Vec::new()));
    let worker = || async {
        let mut bench = Bench::new(args.tell.then_some(page), binary.clone(), assets.clone());
        loop {
            let Some(row) = queue.lock().await.pop() else {
                return anyhow::Ok(());
            };
            let done = bench.play(row).await;
            page.line(&table::line(&done))?;
            played.lock().await.push(done);
        }
    };
    futures::future::try_join_all((0..args.jobs.max(1)).map(|_| worker())).await?;
    let table = Table::new(&rows, &played.into_inner());
    page.line(&table.to_string())?;
    table.verdict()
}

/// A place to play at: a world that is kept while it serves.
struct Bench {
    page: Option<Page>,
    binary: std::path::PathBuf,
    assets: Vec<Asset>,
    world: Option<(Row, Pair)>,
}

impl Bench {
    fn new(page: Option<Page>, binary: std::path::PathBuf, assets: Vec<Asset>) -> Bench {
        Bench {
            page,
            binary,
            assets,
            world: None,
        }
    }

    async fn play(&mut self, row: Row) -> Played {
        let began = Instant::now();
        let verdict = match row.missing() {
            Some(missing) => Verdict::Skipped(missing),
            None => match self.try_play(row).await {
                Ok(()) => Verdict::Ok,
                Err(error) => {
                    // Whatever state it is in, the next row begins in another.
                    self.world = None;
                    Verdict::Failed(format!("{error:#}"))
                }
            },
        };
        Played {
            row,
            verdict,
            took: began.elapsed(),
        }
    }

    async fn try_play(&mut self, row: Row) -> Result<()> {
        let fits = |(made_for, _): &(Row, Pair)| made_for.shares_world(&row);
        if !self.world.as_ref().is_some_and(fits) {
            // One goes before the next comes.
            self.world = None;
            let pair = Pair::start(&Options {
                programs: row.programs,
                liquid: liquid::Kind::Elementsd,
                lightning: row.lightning,
                assets: self.assets.clone(),
                binary: Some(self.binary.clone()),
            })
            .await?;
            self.world = Some((row, pair));
        }
        let Some((_, pair)) = self.world.as_mut() else {
            bail!("a world that was just made is not there");
        };
        pair.ready().await?;
        let story = self.page.map_or_else(Story::untold, Story::on);
        script::play(pair, &row, AMOUNT, &story).await.map(drop)
    }
}

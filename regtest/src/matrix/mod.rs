//! `cargo regtest matrix`: every kind of swap that there is, on real daemons, with all balances checked.
//!
//! ```text
//! rows ─► lots ─► workers, a world for each lot ─► script ─► ledger ─► record ─► table
//! ```

mod lot;
mod record;
mod table;

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use anyhow::{Result, bail};
use bitcoin::Amount;

use crate::daemons::peerswapd;
use crate::play::page::Page;
use crate::play::row::{self, Row};
use crate::world::build;
use crate::world::party::Program;
use lot::{Bench, Lot};
use record::Record;
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
    #[arg(long, default_value_t = 3)]
    pub jobs: usize,
    /// Tells what happens in every swap
    #[arg(long)]
    pub tell: bool,
    /// Prints the names of the rows and plays none
    #[arg(long)]
    pub list: bool,
}

/// Plays all rows and prints the table, also when it is interrupted.
///
/// # Errors
/// If a row failed, or nothing was played, or not all because of an interrupt.
pub async fn run(args: Args) -> Result<()> {
    let page = Page::new(false);
    let rows: Vec<Row> = row::all().into_iter().filter(|row| row.fits(&args.only)).collect();
    if rows.is_empty() {
        bail!("no row has all of these words: {}", args.only);
    }
    let go = go_version(&rows).await?;
    let (rows, left_out): (Vec<Row>, Vec<Row>) = rows.into_iter().partition(|row| row.is_safe_with(go));
    if let (Some(version), false) = (go, left_out.is_empty()) {
        let count = left_out.len();
        page.line(&format!(
            "Go PeerSwap speaks protocol version {version}: {count} rows are left out, unsafe in it"
        ))?;
    }
    if args.list {
        return rows.iter().try_for_each(|row| page.line(&row.to_string()));
    }
    play_all(&args, page, &rows, go).await
}

/// The version of the Go PeerSwap that is there, if one is wanted.
async fn go_version(rows: &[Row]) -> Result<Option<u8>> {
    let wanted = rows.iter().any(|row| row.programs.contains(&Program::Peerswap));
    match peerswapd::programs() {
        Ok((program, _)) if wanted => peerswapd::protocol_version(&program).await.map(Some),
        // the rows that want it are skipped with the reason
        Ok(_) | Err(_) => Ok(None),
    }
}

async fn play_all(args: &Args, page: Page, rows: &[Row], go: Option<u8>) -> Result<()> {
    let binary = build::sluiced().await?;
    let record = Record::new(page, rows.len(), args.runs);
    let queue: VecDeque<Lot> = (1..=args.runs).flat_map(|run| Lot::all(run, rows)).collect();
    let queue = Mutex::new(queue);
    let worker = || async {
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some(lot) = next else {
                return anyhow::Ok(());
            };
            let mut bench = Bench::new(&lot, args.tell.then_some(page), &binary, go);
            for row in &lot.rows {
                record.add(bench.play(lot.run, *row).await)?;
            }
        }
    };
    let workers = futures::future::try_join_all((0..args.jobs.max(1)).map(|_| worker()));
    let interrupted = tokio::select! {
        done = workers => done.map(|_| false)?,
        // what was started ends with the worlds
        signal = tokio::signal::ctrl_c() => signal.map(|()| true)?,
    };
    let played = record.into_played();
    let table = Table::new(rows, &played);
    page.line(&table.to_string())?;
    if interrupted {
        bail!(
            "interrupted: {} of {} swaps were played",
            played.len(),
            rows.len() * args.runs as usize
        );
    }
    table.verdict()
}

//! `cargo regtest bench`: what a swap and a waiting daemon cost, as figures beside their targets.
//!
//! ```text
//!   few channels   idle ─► swap after swap ─► five together ─► start again
//!   many channels  calls per block and memory with 0, 1 and all channels' swaps waiting ─► start again ─► all claimed
//! ```
//!
//! Figures of a build without optimisation say little: `cargo run --release -p sluice-regtest -- bench`.

mod figures;
mod latency;
mod orders;
mod process;
mod waiting;

use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::time::Duration;

use ::bitcoin::Amount;
use anyhow::{Context, Result};
use sluice::protocol;
use sluice::swap::timelocks::Timelocks;
use sluice::units::{Asset, SwapId};

use crate::world::backends::Backends;
use crate::world::operator::Operator;
use crate::world::{Options, World};
use figures::Figures;

/// What to measure, and on what.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What is swapped
    #[arg(long, value_name = "lbtc|btc", default_value_t = Asset::Lbtc)]
    asset: Asset,
    #[command(flatten)]
    backends: Backends,
    /// Swaps one after the other, in each direction
    #[arg(long, value_name = "N", default_value_t = 5)]
    runs: usize,
    /// Swaps that wait at the same time
    #[arg(long, value_name = "N", default_value_t = 100)]
    swaps: usize,
    /// Seconds in which nothing happens
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    idle: u64,
    /// The daemon to measure; built from this workspace, as this program is, unless given
    #[arg(long, value_name = "FILE")]
    sluiced: Option<PathBuf>,
    /// One JSON object at the end instead of a table
    #[arg(long)]
    json: bool,
}

/// Channels of the first part: as many swaps are ordered together.
const TOGETHER: usize = 5;

/// Measures everything and prints it.
///
/// # Errors
/// If a world does not start, or a swap does not end as it should. A missed target is none.
pub async fn run(args: Args) -> Result<()> {
    let optimised = args.sluiced.is_some() || !cfg!(debug_assertions);
    let mut figures = Figures::new(&args, optimised);
    few(&args, &mut figures).await?;
    waiting::measure(&mut world(&args, args.swaps).await?, args.swaps, &mut figures).await?;
    figures.print(args.json)
}

async fn few(args: &Args, figures: &mut Figures) -> Result<()> {
    let mut world = world(args, TOGETHER).await?;
    orders::give_coins(&world, TOGETHER * 2).await?;
    process::idle(&world, Duration::from_secs(args.idle), figures).await?;
    latency::one_by_one(&world, args.runs, figures).await?;
    latency::together(&world, figures).await?;
    process::start_again(&mut world, "restart → API answers, no swap open", 0, figures).await
}

/// A world, and what is swapped in it.
struct Bench {
    world: World,
    asset: Asset,
}

impl Deref for Bench {
    type Target = World;
    fn deref(&self) -> &World {
        &self.world
    }
}

impl DerefMut for Bench {
    fn deref_mut(&mut self) -> &mut World {
        &mut self.world
    }
}

impl Bench {
    /// After how many an opening is paid for.
    fn confirmations(&self) -> Result<u32> {
        let limits = Timelocks::of(self.asset, protocol::VERSION);
        Ok(limits.context("an asset without timelocks")?.confirmations.0)
    }

    /// Mines all confirmations but the last, and waits until the taker has counted each of them.
    async fn confirm_but_once(&self, taker: &Operator, ids: &[SwapId]) -> Result<()> {
        for depth in 1..self.confirmations()? {
            self.chains().mine(self.asset, 1).await?;
            for id in ids {
                self.wait_for_swap(taker, *id, "confirmed", |swap| swap.confirmations == depth)
                    .await?;
            }
        }
        Ok(())
    }
}

async fn world(args: &Args, channels: usize) -> Result<Bench> {
    let options = Options {
        channels,
        // Every swap wants a coin of its own: one big coin would be locked by the first.
        wallet: Amount::ZERO,
        executable: args.sluiced.clone().map(Into::into),
        ..args.backends.world(args.asset == Asset::Btc)
    };
    Ok(Bench {
        world: World::start(options).await?,
        asset: args.asset,
    })
}

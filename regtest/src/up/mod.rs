//! `cargo regtest up`, `cargo regtest liquid`, and what works on a world that is up.
//!
//! ```text
//!   up ───────▶ World ─────────┐                        ┌── mine, reorg, fund, snapshot, revert
//!                              ├─▶ site, env.sh ─▶ stay ◀── control.sock ──┘
//!   liquid ───▶ LiquidChain ───┘        until Ctrl-C, SIGTERM, SIGHUP
//! ```
//!
//! A world has a name and a folder of that name, in which its socket and its `env.sh` are.

mod act;
mod alone;
mod control;
mod env;
mod full;
mod place;
mod screen;
mod site;
mod stay;
mod values;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

pub(crate) use stay::Ending;

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Starts two operators with their nodes, a channel and the chains; stays until Ctrl-C
    Up(full::Args),
    /// Starts a Liquid chain alone; stays until Ctrl-C
    Liquid(alone::Args),
    /// Mines blocks in the world that is up
    Mine(act::Mine),
    /// Replaces the newest blocks of the world that is up by a longer branch
    Reorg(act::Reorg),
    /// Pays L-BTC or BTC to an address in the world that is up
    Fund(act::Fund),
    /// Remembers the chains and their wallets as they are now
    Snapshot(act::Named),
    /// Puts the chains and their wallets back to a snapshot
    Revert(act::Named),
}

/// What `up` and `liquid` have in common.
#[derive(Debug, clap::Args)]
struct Common {
    /// A name for it [default: default, or default-2 and so on if that is up]
    #[arg(long, value_name = "NAME", value_parser = values::name)]
    world: Option<String>,
    /// Mines a block of Liquid by itself this often (2s, 500ms, 1m), and one of Bitcoin with every tenth
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    block_time: Option<Duration>,
    /// Begins with the chain in this file, if it exists, and keeps the chain and its wallets there
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Prints one line of JSON when everything is ready
    #[arg(long)]
    json: bool,
}

/// Runs one.
///
/// # Errors
/// If it cannot be done.
pub async fn run(command: Command) -> Result<()> {
    match command {
        Command::Up(args) => full::run(args).await,
        Command::Liquid(args) => alone::run(args).await,
        Command::Mine(args) => args.run().await,
        Command::Reorg(args) => args.run().await,
        Command::Fund(args) => args.run().await,
        Command::Snapshot(args) => args.take().await,
        Command::Revert(args) => args.revert().await,
    }
}

//! `cargo regtest`: a regtest world for Sluice, and a Liquid regtest for anyone.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use sluice_regtest::chaos::{self, knife};
use sluice_regtest::{bench, demo, matrix, soak, up};

#[derive(Debug, Parser)]
#[command(name = "cargo regtest", version, about)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Shows a swap between two operators, live
    Demo(demo::Args),
    /// Measures swaps and waiting daemons (use a release build)
    Bench(bench::Args),
    /// Runs every kind of swap between Sluice and Go PeerSwap, on every kind of node, and checks all balances
    Matrix(matrix::Args),
    /// Kills real daemons at every commit and every effect of every kind of swap, and checks all balances
    Chaos(chaos::Args),
    /// Simulates, cuts off, breaks, swaps and fuzzes for hours, and keeps a report of it
    Soak(soak::Args),
    /// The daemon that `chaos` kills: `sluiced` with orders beside its data folder
    #[command(name = chaos::SLUICED, hide = true)]
    Sluiced(sluice::daemon::Args),
    #[command(flatten)]
    Up(up::Command),
}

fn main() -> ExitCode {
    let command = match Args::parse().command {
        // it has a runtime of its own
        Command::Sluiced(args) => return knife::run(args),
        command => command,
    };
    let runtime = tokio::runtime::Runtime::new().expect("the system gives a runtime its threads");
    match runtime.block_on(run(command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cargo regtest: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<()> {
    match command {
        Command::Demo(args) => demo::run(args).await,
        Command::Bench(args) => bench::run(args).await,
        Command::Matrix(args) => matrix::run(args).await,
        Command::Chaos(args) => chaos::run(args).await,
        Command::Soak(args) => soak::run(args).await,
        Command::Up(command) => up::run(command).await,
        Command::Sluiced(_) => unreachable!("it was run before there was a runtime"),
    }
}

//! `cargo regtest`: a regtest world for Sluice, and a Liquid regtest for anyone.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use sluice_regtest::{bench, demo, matrix, up};

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
    #[command(flatten)]
    Up(up::Command),
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Args::parse().command {
        Command::Demo(args) => demo::run(args).await,
        Command::Bench(args) => bench::run(args).await,
        Command::Matrix(args) => matrix::run(args).await,
        Command::Up(command) => up::run(command).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cargo regtest: {error:#}");
            ExitCode::FAILURE
        }
    }
}

//! `cargo regtest`: a regtest world for Sluice, and a Liquid regtest for anyone.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use sluice_regtest::{demo, up};

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
    #[command(flatten)]
    Up(up::Command),
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Args::parse().command {
        Command::Demo(args) => demo::run(args).await,
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

//! `sluiced`: the daemon.

use std::process::ExitCode;

use clap::Parser;
use sluice::daemon::{self, Args, Direct};

/// Swaps Lightning channel balance against L-BTC and BTC with direct peers (PeerSwap protocol v7).
#[derive(Debug, Parser)]
#[command(name = "sluiced", version)]
struct Sluiced {
    #[command(flatten)]
    args: Args,
}

fn main() -> ExitCode {
    daemon::main(Sluiced::parse().args, &Direct)
}

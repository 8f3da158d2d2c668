//! A part of `cargo regtest chaos` that is small enough for every run of the tests: one side of one kind of swap. The
//! command has the rest: makers, swaps out, the other endings, BTC, both daemons killed at once, power cuts, starts that
//! are cut short, disks that fail.

use anyhow::Result;
use clap::Parser;
use sluice_regtest::chaos::{self, Args};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_in_is_paid_at_whichever_commit_or_effect_its_taker_is_killed() -> Result<()> {
    let line = "chaos --asset lbtc --direction in --ending paid --side taker --manner kill";
    let args = Line::try_parse_from(line.split(' '))?.args;
    let report = chaos::cut(&args, env!("CARGO_BIN_EXE_sluice-regtest").into(), false).await?;
    report.verdict()
}

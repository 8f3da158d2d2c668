//! A part of `cargo regtest chaos` that is small enough for every run of the tests. The command has the rest: the other
//! endings, BTC, both daemons killed at once, power cuts, starts that are cut short, disks that fail.

use anyhow::Result;
use clap::Parser;
use sluice_regtest::chaos::{self, Args};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_is_paid_whichever_daemon_is_killed_at_whichever_commit_or_effect() -> Result<()> {
    let line = "chaos --asset lbtc --ending paid --manner kill";
    let args = Line::try_parse_from(line.split(' '))?.args;
    let report = chaos::cut(&args, env!("CARGO_BIN_EXE_sluice-regtest").into(), false).await?;
    report.verdict()
}

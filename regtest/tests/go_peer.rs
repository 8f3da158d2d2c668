//! Swaps with a real Go PeerSwap, each kind in both directions and asked for by either side, balances exact.
//!
//! Wants `PEERSWAPD_EXE` (`pscli` beside it), `LND_EXE`, `BITCOIND_EXE`, `ELEMENTSD_EXE`, or the programs where the
//! harness finds them: `cargo test --package sluice-regtest --test go_peer -- --include-ignored`.

use anyhow::{Context, Result, ensure};
use bitcoin::Amount;
use sluice::units::Asset;
use sluice_regtest::play::row::{self, Row};
use sluice_regtest::play::story::Story;
use sluice_regtest::play::{Ending, script};
use sluice_regtest::world::liquid;
use sluice_regtest::world::pair::{Options, Pair};
use sluice_regtest::world::party::Program;
use tokio::sync::Mutex;

const AMOUNT: Amount = Amount::from_sat(1_000_000);

/// One world at a time: real daemons would take each other's processors and run into time limits.
static TURN: Mutex<()> = Mutex::const_new(());

/// Plays all L-BTC swaps with that end in one world; skips loudly where a daemon is missing.
async fn play(ending: Ending) -> Result<()> {
    let fits =
        |row: &Row| row.asset == Asset::Lbtc && row.ending == ending && row.programs.contains(&Program::Peerswap);
    let rows: Vec<Row> = row::all().into_iter().filter(fits).collect();
    let first = rows.first().context("there are no such swaps")?;
    if let Some(missing) = first.missing() {
        eprintln!("SKIPPED: {missing}");
        return Ok(());
    }
    ensure!(rows.len() == 4, "either side asks, in either direction: {rows:?}");
    let _turn = TURN.lock().await;
    let mut pair = Pair::start(&Options {
        programs: first.programs,
        liquid: liquid::Kind::Elementsd,
        lightning: first.lightning,
        assets: vec![first.asset],
        binary: None,
    })
    .await?;
    for row in &rows {
        pair.ready().await?;
        let played = script::play(&mut pair, row, AMOUNT, &Story::untold()).await;
        played.with_context(|| row.to_string())?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "wants real peerswapd, lnd, bitcoind and elementsd"]
async fn paid_swaps_move_exactly_what_was_agreed() -> Result<()> {
    play(Ending::Paid).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "wants real peerswapd, lnd, bitcoind and elementsd"]
async fn a_swap_that_is_too_dear_costs_nobody_anything() -> Result<()> {
    play(Ending::Cancel).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "wants real peerswapd, lnd, bitcoind and elementsd"]
async fn a_taker_that_cannot_pay_lets_the_maker_take_its_coins_back_at_once() -> Result<()> {
    play(Ending::Coop).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "wants real peerswapd, lnd, bitcoind and elementsd"]
async fn a_taker_that_is_gone_costs_the_maker_a_week_and_the_fees() -> Result<()> {
    play(Ending::Csv).await
}

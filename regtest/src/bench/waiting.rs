//! What waiting swaps cost: calls per block, memory, and the moment when all of them go on.

use std::time::{Duration, Instant};

use anyhow::Result;
use sluice::swap::Kind;
use sluice::units::SwapId;

use super::Bench;
use super::figures::Figures;
use super::orders::{await_mempool, close, give_coins, millis, order, order_all};
use super::process;
use crate::daemons::wait_for;
use crate::world::PATIENCE;

/// Empty blocks over which calls are counted.
const BLOCKS: u32 = 10;
/// The most that a daemon with a hundred swaps holds, in MiB.
const WAITING_MIB: f64 = 30.0;
/// A daemon's calls for a block: the long poll and the block itself.
const CALLS_PER_BLOCK: f64 = 2.0;
/// Time in which nothing happens but that swaps wait.
const QUIET: Duration = Duration::from_secs(10);

/// Lets more and more swap-outs wait for their confirmation, then confirms all.
pub(super) async fn measure(world: &mut Bench, swaps: usize, figures: &mut Figures) -> Result<()> {
    give_coins(world, swaps).await?;
    count_calls(world, 0, figures).await?;
    let began = Instant::now();
    let mut ids = vec![order(world, 0, Kind::Out).await?];
    await_mempool(world, began, 1).await?;
    announced(world, &ids).await?;
    count_calls(world, 1, figures).await?;
    let began = Instant::now();
    ids.extend(order_all(world, 1..swaps, Kind::Out).await?);
    let openings = await_mempool(world, began, swaps).await?;
    let what = format!("{} swap-outs together: order → last opening in mempool", swaps - 1);
    figures.add(what, "ms", millis(&openings[swaps - 1..]), None);
    announced(world, &ids).await?;
    count_calls(world, swaps, figures).await?;
    process::memory(world, &format!("resident memory, {swaps} swaps"), WAITING_MIB, figures);
    let what = format!("processor time, {swaps} swaps waiting");
    process::processor(world, &what, QUIET, None, figures).await?;
    let what = format!("restart → API answers, {swaps} swaps open");
    process::start_again(world, &what, swaps, figures).await?;
    claim_all(world, &ids, figures).await?;
    process::memory(
        world,
        &format!("resident memory, after {swaps} swaps"),
        WAITING_MIB,
        figures,
    );
    Ok(())
}

async fn claim_all(world: &Bench, ids: &[SwapId], figures: &mut Figures) -> Result<()> {
    world.confirm_but_once(&world.alice, ids).await?;
    let block = Instant::now();
    world.chains().mine(world.asset, 1).await?;
    let claims = await_mempool(world, block, ids.len()).await?;
    let what = format!("{} swaps: last confirmation → last claim in mempool", ids.len());
    figures.add(what, "ms", millis(&claims[ids.len() - 1..]), None);
    close(world, ids).await
}

async fn announced(world: &Bench, ids: &[SwapId]) -> Result<()> {
    for id in ids {
        world
            .wait_for_swap(&world.alice, *id, "announced", |swap| swap.opening.is_some())
            .await?;
    }
    Ok(())
}

/// Counts what a new block costs while so many swaps wait. Only the embedded chain counts calls.
async fn count_calls(world: &Bench, waiting: usize, figures: &mut Figures) -> Result<()> {
    if world.chains().calls(world.asset).is_none() {
        return Ok(());
    }
    reset_calls(world);
    for block in 1..=BLOCKS {
        world.chains().mine_empty(world.asset).await?;
        // Each of two daemons waits for the next block once it has read this one.
        wait_for("both daemons to read the block", PATIENCE, || async {
            let calls = world.chains().calls(world.asset).unwrap_or_default();
            let waits = calls.get("waitforblockheight").copied();
            Ok((waits >= Some(u64::from(2 * block))).then_some(()))
        })
        .await?;
    }
    let what = format!("calls to the chain's node per block, {waiting} swaps waiting");
    add_calls(world, &what, f64::from(BLOCKS), Some(CALLS_PER_BLOCK), figures);
    Ok(())
}

/// Counts calls from now on.
pub(super) fn reset_calls(world: &Bench) {
    world.chains().reset_calls(world.asset);
}

/// Notes how many calls were made in all and by method, of one daemon and by a unit of which so many passed.
pub(super) fn add_calls(world: &Bench, what: &str, per: f64, target: Option<f64>, figures: &mut Figures) {
    let Some(calls) = world.chains().calls(world.asset) else {
        return;
    };
    // Two daemons call.
    let share = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / 2.0 / per;
    figures.add(what, "calls", vec![share(calls.values().sum())], target);
    for (method, count) in calls {
        figures.add(format!("· {method}"), "calls", vec![share(count)], None);
    }
}

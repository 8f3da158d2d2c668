//! How long swaps take where only we could be waited for.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use sluice::swap::Kind;
use sluice::units::SwapId;

use super::figures::Figures;
use super::orders::{await_mempool, close, millis, order, order_all, taker};
use super::{Bench, TOGETHER};

/// The most that may pass beside the payment, in ms.
const BESIDE_PAYMENT_MS: f64 = 100.0;
/// The most from a request to its opening, in ms; a swap-out pays for the opening in between.
const OPENING_MS: f64 = 200.0;
/// The most from five orders to the last opening, in ms.
const FIVE_OPENINGS_MS: f64 = 1000.0;

/// What one swap took.
struct Took {
    opening: Duration,
    claim: Duration,
    payment: Duration,
}

/// Swaps one after the other, both ways.
pub(super) async fn one_by_one(world: &Bench, runs: usize, figures: &mut Figures) -> Result<()> {
    for kind in [Kind::Out, Kind::In] {
        let name = format!("swap-{kind}");
        let mut all = Vec::new();
        for run in 0..runs {
            all.push(timed(world, run % TOGETHER, kind).await?);
        }
        let figure = |take: fn(&Took) -> Duration| millis(&all.iter().map(take).collect::<Vec<_>>());
        // The fee payment is made by the same node over the same channel: it takes what the claim payment takes.
        let opening_target = match kind {
            Kind::Out => OPENING_MS + median(&figure(|took| took.payment)),
            Kind::In => OPENING_MS,
        };
        let opening = figure(|took| took.opening);
        figures.add(
            format!("{name}: order → opening in mempool"),
            "ms",
            opening,
            Some(opening_target),
        );
        let claim = figure(|took| took.claim);
        figures.add(
            format!("{name}: last confirmation → claim in mempool"),
            "ms",
            claim,
            None,
        );
        figures.add(
            format!("{name}: of which payment"),
            "ms",
            figure(|took| took.payment),
            None,
        );
        let beside = figure(|took| took.claim.saturating_sub(took.payment));
        figures.add(
            format!("{name}: beside the payment"),
            "ms",
            beside,
            Some(BESIDE_PAYMENT_MS),
        );
    }
    Ok(())
}

async fn timed(world: &Bench, channel: usize, kind: Kind) -> Result<Took> {
    let began = Instant::now();
    let id = order(world, channel, kind).await?;
    let opening = await_mempool(world, began, 1).await?[0];
    confirm_but_once(world, kind, &[id]).await?;
    let block = Instant::now();
    world.chains().mine(world.asset, 1).await?;
    let claim = await_mempool(world, block, 1).await?[0];
    let payment = payment(world, kind, id).await?;
    close(world, &[id]).await?;
    Ok(Took {
        opening,
        claim,
        payment,
    })
}

/// As many swaps as there are channels, all ordered at once.
pub(super) async fn together(world: &Bench, figures: &mut Figures) -> Result<()> {
    for kind in [Kind::Out, Kind::In] {
        let began = Instant::now();
        let ids = order_all(world, 0..TOGETHER, kind).await?;
        let openings = await_mempool(world, began, TOGETHER).await?;
        let last = millis(&openings[TOGETHER - 1..]);
        let what = format!("{TOGETHER} swap-{kind}s together: order → last opening in mempool");
        figures.add(what, "ms", last, Some(FIVE_OPENINGS_MS));
        confirm_but_once(world, kind, &ids).await?;
        let block = Instant::now();
        world.chains().mine(world.asset, 1).await?;
        let claims = await_mempool(world, block, TOGETHER).await?;
        let what = format!("{TOGETHER} swap-{kind}s together: last confirmation → last claim in mempool");
        figures.add(what, "ms", millis(&claims[TOGETHER - 1..]), None);
        close(world, &ids).await?;
    }
    Ok(())
}

/// Mines the openings, once the takers know of them, and waits until they have counted all but the last confirmation.
async fn confirm_but_once(world: &Bench, kind: Kind, ids: &[SwapId]) -> Result<()> {
    let taker = taker(world, kind);
    for id in ids {
        world
            .wait_for_swap(taker, *id, "announced", |swap| swap.opening.is_some())
            .await?;
    }
    world.confirm_but_once(taker, ids).await
}

/// How long the taker's node took to pay the claim invoice.
async fn payment(world: &Bench, kind: Kind, id: SwapId) -> Result<Duration> {
    let paid = world
        .wait_for_swap(taker(world, kind), id, "paid", |swap| swap.timings_ms.paid.is_some())
        .await?;
    let times = paid.timings_ms;
    let took = times.paid.zip(times.payment_started);
    let (end, start) = took.context("a paid swap whose payment did not begin")?;
    Ok(Duration::from_millis(end.saturating_sub(start)))
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

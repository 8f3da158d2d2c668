//! Money for swaps, their orders, and looks at the mempool.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use bitcoin::Amount;
use futures::stream::{self, StreamExt, TryStreamExt};
use sluice::api::SluiceApiClient;
use sluice::api::types::{SwapFilter, SwapRequest, WalletRef};
use sluice::swap::Kind;
use sluice::units::SwapId;

use super::Bench;
use crate::daemons::wait_for;
use crate::world::PATIENCE;
use crate::world::operator::Operator;

/// What every swap moves.
pub(super) const AMOUNT: u64 = 1_000_000;
/// What each coin of a wallet holds: a swap, its premium and its fees.
const COIN: Amount = Amount::from_sat(1_100_000);
/// Coins paid from the faucet between two blocks: a chain of unconfirmed payments may have 25.
const COINS_PER_BLOCK: usize = 20;
/// Orders on their way to a daemon at a time.
const ORDERS: usize = 20;
/// Between two looks into the mempool: little beside what is measured, and not a busy loop beside it.
const LOOK_EVERY: Duration = Duration::from_millis(2);
const MAX_PREMIUM_PPM: i64 = 10_000;

/// Gives both operators so many coins.
pub(super) async fn give_coins(world: &Bench, count: usize) -> Result<()> {
    for operator in [&world.alice, &world.bob] {
        let (client, of) = (operator.client()?, WalletRef { asset: world.asset });
        let before = client.wallet_balance(of.clone()).await?.spendable_sat;
        for coin in 1..=count {
            let address = client.wallet_address(of.clone()).await?.address;
            world.chains().pay(world.asset, &address, COIN).await?;
            if coin % COINS_PER_BLOCK == 0 || coin == count {
                world.chains().mine(world.asset, 1).await?;
            }
        }
        let wanted = before + COIN.to_sat() * u64::try_from(count)?;
        wait_for("the wallet's coins", PATIENCE, || async {
            let balance = client.wallet_balance(of.clone()).await?;
            Ok((balance.spendable_sat >= wanted).then_some(()))
        })
        .await?;
    }
    Ok(())
}

/// Alice orders a swap on one of the channels.
pub(super) async fn order(world: &Bench, channel: usize, kind: Kind) -> Result<SwapId> {
    let request = SwapRequest {
        channel: world.channels[channel],
        amount_sat: AMOUNT,
        asset: world.asset.into(),
        max_premium_ppm: MAX_PREMIUM_PPM,
        idempotency_key: None,
    };
    let client = world.alice.client()?;
    let started = match kind {
        Kind::Out => client.swap_out(request).await?,
        Kind::In => client.swap_in(request).await?,
    };
    Ok(started.swap_id)
}

/// Alice orders a swap on each of these channels, all together.
pub(super) async fn order_all(world: &Bench, channels: std::ops::Range<usize>, kind: Kind) -> Result<Vec<SwapId>> {
    let orders = channels.map(|channel| order(world, channel, kind));
    stream::iter(orders).buffered(ORDERS).try_collect().await
}

/// Who gets the coins.
pub(super) fn taker(world: &Bench, kind: Kind) -> &Operator {
    match kind {
        Kind::Out => &world.alice,
        Kind::In => &world.bob,
    }
}

/// Waits until so many transactions wait for a block, and tells how long after `began` each number was first seen.
pub(super) async fn await_mempool(world: &Bench, began: Instant, count: usize) -> Result<Vec<Duration>> {
    let mut seen = Vec::new();
    while seen.len() < count {
        let waiting = world.chains().waiting(world.asset).await?;
        seen.resize(waiting.clamp(seen.len(), count), began.elapsed());
        if began.elapsed() > PATIENCE * 2 {
            bail!(
                "{waiting} of {count} transactions wait after {:?}; alice's swaps:\n{}",
                began.elapsed(),
                states(world).await?
            );
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(seen)
}

/// How many of alice's swaps stand where, one line each.
async fn states(world: &Bench) -> Result<String> {
    let filter = SwapFilter {
        limit: 1000,
        ..SwapFilter::default()
    };
    let mut states = BTreeMap::<String, usize>::new();
    for swap in world.alice.client()?.swap_list(filter).await?.swaps {
        *states
            .entry(format!("{} ({:?})", swap.state, swap.outcome))
            .or_default() += 1;
    }
    Ok(states
        .iter()
        .map(|(state, count)| format!("{count:>5}  {state}\n"))
        .collect())
}

/// Waits until all these swaps have closed on both sides, which the blocks after their claims allow.
pub(super) async fn close(world: &Bench, swaps: &[SwapId]) -> Result<()> {
    world.chains().mine(world.asset, world.confirmations()?).await?;
    for operator in [&world.alice, &world.bob] {
        for id in swaps {
            world
                .wait_for_swap(operator, *id, "closed", |swap| swap.outcome.is_some())
                .await?;
        }
    }
    Ok(())
}

/// Milliseconds, as figures show them.
pub(super) fn millis(times: &[Duration]) -> Vec<f64> {
    times.iter().map(|time| time.as_secs_f64() * 1000.0).collect()
}

//! What every test does: reach into the world, order swaps, look at both sides.

use std::time::Duration;

use anyhow::{Context, Result};
use sluice::api::SluiceApiClient;
use sluice::api::types::{OutcomeKind, Stage, SwapRef, SwapRequest, SwapView};
use sluice::swap::{Kind, Role};
use sluice::units::{Asset, Scid, SwapId};
use sluice_regtest::daemons::wait_for;
use sluice_regtest::lightning::{Network, Node};
use sluice_regtest::liquid::LiquidChain;
use sluice_regtest::world::lightning::Lightning;
use sluice_regtest::world::liquid::Liquid;
use sluice_regtest::world::operator::Operator;
use sluice_regtest::world::{PATIENCE, World};

pub fn network(world: &World) -> &Network {
    match &world.lightning {
        Lightning::Embedded { network, .. } => network,
        _ => unreachable!("these worlds are embedded"),
    }
}

/// Alice's node (0) or bob's (1).
pub fn node(world: &World, index: usize) -> &Node {
    match &world.lightning {
        Lightning::Embedded { nodes, .. } => &nodes[index],
        _ => unreachable!("these worlds are embedded"),
    }
}

pub fn chain(world: &World) -> &LiquidChain {
    match &world.liquid {
        Liquid::Embedded(chain) => chain,
        _ => unreachable!("these worlds are embedded"),
    }
}

pub fn request(channel: Scid, amount_sat: u64) -> SwapRequest {
    request_of(Asset::Lbtc, channel, amount_sat)
}

pub fn request_of(asset: Asset, channel: Scid, amount_sat: u64) -> SwapRequest {
    SwapRequest {
        channel,
        amount_sat,
        asset: asset.into(),
        max_premium_ppm: 2000,
        idempotency_key: None,
    }
}

/// Orders a swap of L-BTC from one operator's daemon.
pub async fn order(operator: &Operator, kind: Kind, channel: Scid, amount_sat: u64) -> Result<SwapId> {
    order_of(operator, kind, request(channel, amount_sat)).await
}

/// Orders a swap from one operator's daemon.
pub async fn order_of(operator: &Operator, kind: Kind, request: SwapRequest) -> Result<SwapId> {
    let (client, amount_sat) = (operator.client()?, request.amount_sat);
    let started = match kind {
        Kind::Out => client.swap_out(request).await,
        Kind::In => client.swap_in(request).await,
    };
    let started = started.with_context(|| format!("{}'s swap-{kind:?} of {amount_sat} sat", operator.name))?;
    Ok(started.swap_id)
}

/// A swap as its operator's daemon shows it now; None if it does not know it.
pub async fn look(operator: &Operator, swap_id: SwapId) -> Option<SwapView> {
    operator.client().ok()?.swap_get(SwapRef { swap_id }).await.ok()
}

/// Waits until the calls of a method on the Liquid chain have become as many.
pub async fn wait_for_calls(world: &World, method: &str, count: u64) -> Result<()> {
    wait_for_calls_of(world, Asset::Lbtc, method, count).await
}

/// How often the chain's node was called so.
pub fn calls_of(world: &World, asset: Asset, method: &str) -> u64 {
    let calls = world.chains().calls(asset);
    calls.and_then(|calls| calls.get(method).copied()).unwrap_or(0)
}

/// Waits until the calls of a method have become as many.
pub async fn wait_for_calls_of(world: &World, asset: Asset, method: &str, count: u64) -> Result<()> {
    wait_for(&format!("{count} calls of {method}"), PATIENCE, || async {
        Ok((calls_of(world, asset, method) >= count).then_some(()))
    })
    .await
}

pub fn outcome(view: &SwapView) -> Option<OutcomeKind> {
    view.outcome.as_ref().map(|outcome| outcome.kind)
}

/// Waits until the taker has published its claim.
pub async fn is_claimed(world: &World, taker: &Operator, swap: SwapId) -> Result<()> {
    let claims = |view: &SwapView| view.timings_ms.spend_published.is_some();
    world.wait_for_swap(taker, swap, "claimed", claims).await?;
    Ok(())
}

/// Whether nothing but a block can bring a swap further, or it is over on both sides. `alice`'s and `bob`'s views.
async fn is_idle(world: &World, swap: SwapId) -> Result<(bool, bool)> {
    let views = (look(&world.alice, swap).await, look(&world.bob, swap).await);
    let (Some(alice), Some(bob)) = views else {
        return Ok((false, false));
    };
    let over = alice.outcome.is_some() && bob.outcome.is_some();
    let taker = if alice.role == Role::Taker { &alice } else { &bob };
    let published = match &taker.opening {
        Some(opening) => world.chains().knows(taker.asset, opening.txid).await?,
        None => false,
    };
    let waits = match taker.stage {
        Stage::OpeningPublished | Stage::Confirming => published && taker.confirmations < taker.confirmations_needed,
        Stage::Claiming => taker.timings_ms.spend_published.is_some(),
        Stage::Closed => true,
        _ => false,
    };
    Ok((over || waits, over))
}

pub fn elements_txid(txid: sluice::units::TxId) -> elements::Txid {
    use bitcoin::hashes::Hash as _;
    elements::Txid::from_byte_array(txid.0.to_byte_array())
}

/// More blocks than any swap needs that is neither refused nor refunded, and fewer than its window has.
const ENOUGH_BLOCKS: usize = 30;
/// How long a block may take to show in the swaps, before another is mined all the same.
const BLOCK_SHOWS: Duration = Duration::from_secs(3);

/// Mines a block whenever nothing but a block can bring the swaps further, until all are over on both sides.
pub async fn finish(world: &World, swaps: &[SwapId]) -> Result<()> {
    finish_of(world, Asset::Lbtc, swaps).await
}

/// The same for swaps of either asset.
pub async fn finish_of(world: &World, asset: Asset, swaps: &[SwapId]) -> Result<()> {
    for _ in 0..ENOUGH_BLOCKS {
        let all_over = wait_for("every swap to need a block", PATIENCE, || async {
            let mut all_over = true;
            for swap in swaps {
                let (idle, over) = is_idle(world, *swap).await?;
                if !idle {
                    let state = |view: Option<SwapView>| view.map_or("unknown".into(), |view| view.state);
                    let alice = state(look(&world.alice, *swap).await);
                    let bob = state(look(&world.bob, *swap).await);
                    anyhow::bail!("swap {swap}: alice: {alice}; bob: {bob}");
                }
                all_over &= over;
            }
            Ok(Some(all_over))
        })
        .await
        .with_context(|| tails(world))?;
        if all_over {
            return Ok(());
        }
        let before = confirmations(world, swaps).await;
        mine(world, asset, 1).await?;
        // a busy daemon knows the tip before its swaps do: they would miss block after block
        let _ = wait_for("the block to show in the swaps", BLOCK_SHOWS, || async {
            let now = confirmations(world, swaps).await;
            let mut pairs = before.iter().zip(now);
            Ok(pairs
                .all(|(before, now)| before.is_none() || *before != now)
                .then_some(()))
        })
        .await;
    }
    anyhow::bail!("{ENOUGH_BLOCKS} blocks were not enough\n{}", tails(world))
}

/// Of the openings that wait for more of them, as the taker sees it; None for the others.
async fn confirmations(world: &World, swaps: &[SwapId]) -> Vec<Option<u32>> {
    let mut seen = Vec::new();
    for swap in swaps {
        let views = [look(&world.alice, *swap).await, look(&world.bob, *swap).await];
        let mut takers = views.into_iter().flatten();
        let taker = takers.find(|view| view.role == Role::Taker);
        let waits = |view: &SwapView| matches!(view.stage, Stage::OpeningPublished | Stage::Confirming);
        seen.push(taker.filter(waits).map(|view| view.confirmations));
    }
    seen
}

/// Mines blocks and waits until both daemons have seen them.
pub async fn mine(world: &World, asset: Asset, blocks: u32) -> Result<()> {
    world.mine(asset, blocks).await?;
    let height = world.chains().height(asset).await?;
    wait_for_block(&world.alice, asset, height).await?;
    wait_for_block(&world.bob, asset, height).await
}

/// Blocks come that take nothing, and alice has seen the last of them.
pub async fn mine_nothing(world: &World, asset: Asset, blocks: u32) -> Result<()> {
    for _ in 0..blocks {
        world.chains().mine_empty(asset).await?;
    }
    wait_for_block(&world.alice, asset, world.chains().height(asset).await?).await
}

/// Waits until a daemon has seen a block of the Liquid chain.
pub async fn wait_for_height(operator: &Operator, height: u32) -> Result<()> {
    wait_for_block(operator, Asset::Lbtc, height).await
}

/// Waits until a daemon has seen a block.
pub async fn wait_for_block(operator: &Operator, asset: Asset, height: u32) -> Result<()> {
    let client = operator.client()?;
    wait_for(&format!("{}'s block {height}", operator.name), PATIENCE, || async {
        let info = client.info().await?;
        let chain = info.chains.iter().find(|chain| chain.asset == asset);
        let seen = chain.and_then(|chain| chain.height);
        Ok(seen.filter(|seen| *seen >= height).map(drop))
    })
    .await
}

pub fn tails(world: &World) -> String {
    format!("alice's log:\n{}\nbob's log:\n{}", world.alice.tail(), world.bob.tail())
}

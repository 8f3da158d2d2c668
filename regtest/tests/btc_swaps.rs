//! Swaps against BTC, and the choice between the two chains, on the embedded world.

use anyhow::{Context, Result, ensure};
use sluice::api::SluiceApiClient;
use sluice::api::types::{ChainPause, OutcomeKind, SwapRequest, SwapView};
use sluice::swap::Kind;
use sluice::units::{Asset, AssetChoice, SwapId};
use sluice_regtest::daemons::wait_for;
use sluice_regtest::liquid::Gate;
use sluice_regtest::world::liquid::Liquid;
use sluice_regtest::world::operator::Operator;
use sluice_regtest::world::{Options, PATIENCE, World, bitcoin};

const AMOUNT: u64 = 1_000_000;

async fn world() -> Result<World> {
    let options = Options {
        bitcoin: Some(bitcoin::Kind::Embedded),
        ..Options::default()
    };
    World::start(options).await
}

async fn order(world: &World, kind: Kind, asset: AssetChoice) -> Result<SwapView> {
    let request = SwapRequest {
        channel: world.channels[0],
        amount_sat: AMOUNT,
        asset,
        max_premium_ppm: 5_000,
        idempotency_key: None,
    };
    let client = world.alice.client()?;
    let started = match kind {
        Kind::Out => client.swap_out(request).await?,
        Kind::In => client.swap_in(request).await?,
    };
    Ok(started.swap)
}

async fn announced(world: &World, swap: SwapId) -> Result<()> {
    for operator in [&world.alice, &world.bob] {
        world
            .wait_for_swap(operator, swap, "announced", |view| view.opening.is_some())
            .await?;
    }
    Ok(())
}

/// Mines until both sides have closed, and returns how.
async fn finish(world: &World, asset: Asset, swap: SwapId) -> Result<[SwapView; 2]> {
    wait_for("both sides to close", PATIENCE, || async {
        world.mine(asset, 1).await?;
        let mut views = Vec::new();
        for operator in [&world.alice, &world.bob] {
            views.push(look(operator, swap).await?);
        }
        let views: [SwapView; 2] = views.try_into().ok().context("two views")?;
        Ok(views.iter().all(|view| view.outcome.is_some()).then_some(views))
    })
    .await
    .with_context(|| format!("alice:\n{}\nbob:\n{}", world.alice.tail(), world.bob.tail()))
}

async fn look(operator: &Operator, swap_id: SwapId) -> Result<SwapView> {
    Ok(operator
        .client()?
        .swap_get(sluice::api::types::SwapRef { swap_id })
        .await?)
}

fn kinds(views: &[SwapView; 2]) -> [Option<OutcomeKind>; 2] {
    views
        .each_ref()
        .map(|view| view.outcome.as_ref().map(|outcome| outcome.kind))
}

async fn paid(kind: Kind, outcomes: [OutcomeKind; 2]) -> Result<()> {
    let world = world().await?;
    let swap = order(&world, kind, Asset::Btc.into()).await?;
    announced(&world, swap.swap_id).await?;
    let views = finish(&world, Asset::Btc, swap.swap_id).await?;
    ensure!(kinds(&views) == outcomes.map(Some), "{views:#?}");
    let taker = match kind {
        Kind::Out => &views[0],
        Kind::In => &views[1],
    };
    ensure!(taker.confirmations_needed == 3, "{taker:?}");
    let spend = taker.spend.as_ref().context("a claim")?;
    ensure!(spend.fee_sat.is_some_and(|fee| (148..1000).contains(&fee)), "{spend:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_out_against_btc_is_claimed_after_three_blocks() -> Result<()> {
    paid(Kind::Out, [OutcomeKind::ClaimedByInvoice, OutcomeKind::ClaimPaid]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_in_against_btc_is_claimed_after_three_blocks() -> Result<()> {
    paid(Kind::In, [OutcomeKind::ClaimPaid, OutcomeKind::ClaimedByInvoice]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_maker_of_btc_takes_its_coins_back_after_1008_blocks() -> Result<()> {
    let mut world = world().await?;
    let swap = order(&world, Kind::Out, Asset::Btc.into()).await?.swap_id;
    announced(&world, swap).await?;
    world.alice.daemon.kill();
    world.mine(Asset::Btc, 1008).await?;
    let closed = wait_for("bob's refund", PATIENCE, || async {
        world.mine(Asset::Btc, 1).await?;
        let view = look(&world.bob, swap).await?;
        Ok(view.outcome.map(|outcome| outcome.kind))
    });
    ensure!(closed.await? == OutcomeKind::ClaimedByCsv, "{}", world.bob.tail());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn auto_takes_lbtc_where_it_is_possible_and_says_so() -> Result<()> {
    let world = world().await?;
    let swap = order(&world, Kind::Out, AssetChoice::Auto).await?;
    ensure!(swap.asset == Asset::Lbtc, "{swap:?}");
    ensure!(
        swap.asset_reason.as_deref() == Some("it is possible, and final first"),
        "{swap:?}"
    );
    announced(&world, swap.swap_id).await?;
    finish(&world, Asset::Lbtc, swap.swap_id).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn auto_takes_btc_while_the_operator_has_paused_lbtc() -> Result<()> {
    let world = world().await?;
    let pause = ChainPause {
        asset: Asset::Lbtc,
        note: "policy".into(),
    };
    world.alice.client()?.chain_pause(pause).await?;
    let swap = order(&world, Kind::In, AssetChoice::Auto).await?;
    ensure!(swap.asset == Asset::Btc, "{swap:?}");
    let reason = swap.asset_reason.clone().unwrap_or_default();
    ensure!(reason.contains("paused by the operator: policy"), "{reason}");
    announced(&world, swap.swap_id).await?;
    let views = finish(&world, Asset::Btc, swap.swap_id).await?;
    ensure!(views[0].asset_reason.as_deref() == Some(reason.as_str()), "{views:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn auto_takes_btc_when_elementsd_has_just_died_and_its_swaps_finish_when_it_is_back() -> Result<()> {
    let options = Options {
        bitcoin: Some(bitcoin::Kind::Embedded),
        channels: 2,
        ..Options::default()
    };
    let world = World::start(options).await?;
    let opened = order(&world, Kind::Out, Asset::Lbtc.into()).await?.swap_id;
    announced(&world, opened).await?;
    let Liquid::Embedded(liquid) = &world.liquid else {
        unreachable!("this world is embedded")
    };
    liquid.set_gate(Gate::Away);
    let request = SwapRequest {
        channel: world.channels[1],
        amount_sat: AMOUNT,
        asset: AssetChoice::Auto,
        max_premium_ppm: 5_000,
        idempotency_key: None,
    };
    let swap = world.alice.client()?.swap_out(request).await?.swap;
    ensure!(swap.asset == Asset::Btc && swap.asset_reason.is_some(), "{swap:?}");
    announced(&world, swap.swap_id).await?;
    finish(&world, Asset::Btc, swap.swap_id).await?;
    liquid.set_gate(Gate::Open);
    let views = finish(&world, Asset::Lbtc, opened).await?;
    let good = [OutcomeKind::ClaimedByInvoice, OutcomeKind::ClaimPaid].map(Some);
    ensure!(kinds(&views) == good, "{views:#?}");
    Ok(())
}

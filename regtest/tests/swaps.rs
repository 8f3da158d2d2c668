//! Swaps from end to end on the embedded world.

use anyhow::{Context, Result, ensure};
use sluice::api::SluiceApiClient;
use sluice::api::types::{OutcomeKind, SwapRequest, SwapTopic};
use sluice::units::{Asset, Msat};
use sluice_regtest::world::{Options, World};

fn order(world: &World, amount_sat: u64, max_premium_ppm: i64) -> SwapRequest {
    SwapRequest {
        channel: world.channels[0],
        amount_sat,
        asset: Asset::Lbtc.into(),
        max_premium_ppm,
        idempotency_key: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_out_moves_a_million_satoshi() -> Result<()> {
    let world = World::start(Options::default()).await?;
    let scid = world.channels[0];
    let before = world.lightning.local(1, scid).await?;
    let started = world.alice.client()?.swap_out(order(&world, 1_000_000, 2000)).await?;
    let id = started.swap_id;
    world
        .wait_for_swap(&world.alice, id, "announced", |swap| swap.opening.is_some())
        .await?;
    world.liquid.mine(2).await?;
    world
        .wait_for_swap(&world.alice, id, "claimed", |swap| {
            swap.spend.as_ref().is_some_and(|s| s.txid.is_some())
        })
        .await?;
    world
        .wait_for_swap(&world.alice, id, "settled", |swap| swap.settled)
        .await?;
    let claim = world
        .wait_for_swap(&world.alice, id, "published", |swap| {
            swap.timings_ms.spend_published.is_some()
        })
        .await?;
    eprintln!("{claim:#?}");
    world.liquid.mine(2).await?;
    let alice = world
        .wait_for_swap(&world.alice, id, "closed", |swap| swap.outcome.is_some())
        .await?;
    let bob = world
        .wait_for_swap(&world.bob, id, "closed", |swap| swap.outcome.is_some())
        .await?;
    assert_eq!(
        alice.outcome.map(|outcome| outcome.kind),
        Some(OutcomeKind::ClaimedByInvoice)
    );
    assert_eq!(bob.outcome.map(|outcome| outcome.kind), Some(OutcomeKind::ClaimPaid));
    let fee = alice.fee_invoice_sat.expect("a fee was paid");
    let after = world.lightning.local(1, scid).await?;
    assert_eq!(after, Msat(before.0 + (1_001_000 + fee) * 1000));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_hears_of_a_swap_that_a_peer_has_begun_before_its_first_step() -> Result<()> {
    let world = World::start(Options::default()).await?;
    let socket = world.bob.daemon.socket().await?;
    let mut views = socket.swap_subscribe(SwapTopic::default()).await?;
    let swap = world
        .alice
        .client()?
        .swap_in(order(&world, 500_000, 2000))
        .await?
        .swap_id;
    let first = views.next().await.context("the subscription goes on")??;
    ensure!(first.swap_id == swap, "{} is not {swap}", first.swap_id);
    ensure!(
        first.state == "agreed, waiting for the peer's opening transaction",
        "{}",
        first.state
    );
    Ok(())
}

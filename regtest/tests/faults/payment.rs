//! The claim payment and the taker's death.

use anyhow::{Context, Result};
use sluice::api::types::Stage;
use sluice::swap::Kind;
use sluice::units::{PaymentHash, SwapId};
use sluice_regtest::daemons::wait_for;
use sluice_regtest::lightning::proto::lnrpc::invoice::InvoiceState;
use sluice_regtest::lightning::{Hold, HoldAt, Release};
use sluice_regtest::world::{Options, PATIENCE, World};

use super::books::Books;
use super::orders::{finish, look, network, node, order, tails};

/// A world in which alice is the taker of a swap-out that she ordered and of a swap-in that bob ordered, both with
/// their claim payments on the way.
async fn while_paying() -> Result<(World, Books, [SwapId; 2], Vec<PaymentHash>)> {
    let options = Options {
        channels: 2,
        ..Options::default()
    };
    let world = World::start(options).await?;
    let books = Books::open(&world).await?;
    let out = order(&world.alice, Kind::Out, world.channels[0], 1_000_000).await?;
    let into = order(&world.bob, Kind::In, world.channels[1], 900_000).await?;
    for swap in [out, into] {
        world
            .wait_for_swap(&world.alice, swap, "announced", |view| view.opening.is_some())
            .await?;
    }
    network(&world).hold(Hold::payee(world.bob.id, HoldAt::Wire));
    world.liquid.mine(2).await?;
    let mut hashes = Vec::new();
    for scid in &world.channels {
        let held = network(&world).wait_for(|network| network.held().into_iter().find(|held| held.channel == *scid));
        let held = tokio::time::timeout(PATIENCE, held).await;
        hashes.push(held.with_context(|| tails(&world))?.hash);
    }
    Ok((world, books, [out, into], hashes))
}

async fn settle(world: &World, hashes: &[PaymentHash]) -> Result<()> {
    for hash in hashes {
        network(world).release(*hash, Release::Settle)?;
    }
    let settled = |hash: &PaymentHash| {
        let invoices = node(world, 1).invoices();
        invoices
            .iter()
            .any(|invoice| invoice.hash == *hash && invoice.state == InvoiceState::Settled)
    };
    wait_for("the payments to settle", PATIENCE, || async {
        Ok(hashes.iter().all(settled).then_some(()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taker_that_dies_right_after_its_payment_and_comes_back_after_the_window_claims() -> Result<()> {
    let (mut world, books, swaps, hashes) = while_paying().await?;
    world.alice.daemon.kill();
    settle(&world, &hashes).await?;
    world.liquid.mine(61).await?;
    world.alice.daemon.begin().await?;
    finish(&world, &swaps).await?;
    books.balance(&world, &swaps).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taker_that_comes_back_after_the_window_to_a_payment_still_on_its_way_keeps_its_key() -> Result<()> {
    let (mut world, books, swaps, hashes) = while_paying().await?;
    world.alice.daemon.kill();
    world.liquid.mine(61).await?;
    world.alice.daemon.begin().await?;
    let (alice, bob) = (world.alice.id, world.bob.id);
    world.alice.wait_for_peer(bob, |peer| peer.online).await?;
    world.bob.wait_for_peer(alice, |peer| peer.online).await?;
    world.liquid.mine(1).await?;
    for swap in swaps {
        let view = look(&world.alice, swap).await.context("the swap is known")?;
        assert_eq!(view.stage, Stage::Paying, "{}", view.state);
        let view = look(&world.bob, swap).await.context("the swap is known")?;
        assert_eq!(view.stage, Stage::Paying, "{}", view.state);
    }
    settle(&world, &hashes).await?;
    finish(&world, &swaps).await?;
    books.balance(&world, &swaps).await
}

#[tokio::test(flavor = "multi_thread")]
async fn five_swaps_ordered_together_share_the_only_coin_of_a_wallet() -> Result<()> {
    let options = Options {
        channels: 5,
        ..Options::default()
    };
    let world = World::start(options).await?;
    let books = Books::open(&world).await?;
    let orders = world.channels.iter().enumerate().map(|(index, scid)| {
        let kind = if index % 2 == 0 { Kind::Out } else { Kind::In };
        order(&world.alice, kind, *scid, 1_000_000)
    });
    let swaps = futures::future::try_join_all(orders).await?;
    finish(&world, &swaps).await?;
    books.balance(&world, &swaps).await
}

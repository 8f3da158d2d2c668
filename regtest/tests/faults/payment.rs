//! The claim payment and the taker's death.

use anyhow::{Context, Result};
use sluice::api::SluiceApiClient;
use sluice::api::types::{Stage, SwapRef, WalletRef};
use sluice::swap::Kind;
use sluice::units::{Asset, PaymentHash, SwapId};
use sluice_regtest::daemons::wait_for;
use sluice_regtest::lightning::proto::lnrpc::invoice::InvoiceState;
use sluice_regtest::lightning::{Hold, HoldAt, Release};
use sluice_regtest::liquid::Orphans;
use sluice_regtest::world::{Options, PATIENCE, World};

use super::books::Books;
use super::orders::{chain, finish, look, mine_nothing, network, node, order, tails};

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

/// Alice's swap-out, decided to be paid while its channel carries nothing.
async fn paying_over_a_dead_channel() -> Result<(World, SwapId)> {
    let world = World::start(Options::default()).await?;
    let swap = order(&world.alice, Kind::Out, world.channels[0], 1_000_000).await?;
    world
        .wait_for_swap(&world.alice, swap, "announced", |view| view.opening.is_some())
        .await?;
    node(&world, 0).disconnect(node(&world, 1));
    world.liquid.mine(2).await?;
    world
        .wait_for_swap(&world.alice, swap, "paying", |view| view.stage == Stage::Paying)
        .await?;
    Ok((world, swap))
}

/// Alice has looked at some blocks, one after the other.
async fn look_at_blocks(world: &World) -> Result<()> {
    for _ in 0..5 {
        mine_nothing(world, Asset::Lbtc, 1).await?;
    }
    Ok(())
}

/// The channel carries payments again; the claim invoice stays unpaid while alice looks at some blocks.
async fn stays_unpaid(world: &World) -> Result<()> {
    // a call that was on its way when she gave up meets the dead channel: over a living one it would pay, and rightly so
    look_at_blocks(world).await?;
    node(world, 0).reconnect(node(world, 1));
    world
        .alice
        .wait_for_peer(world.bob.id, |peer| peer.channels.iter().all(|channel| channel.active))
        .await?;
    look_at_blocks(world).await?;
    let paid = node(world, 1)
        .invoices()
        .into_iter()
        .filter(|invoice| invoice.state == InvoiceState::Settled);
    // the fee invoice alone
    anyhow::ensure!(paid.count() == 1, "the claim invoice is paid\n{}", tails(world));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_was_given_up_is_not_paid_when_the_channel_comes_back() -> Result<()> {
    let (world, swap) = paying_over_a_dead_channel().await?;
    world.alice.client()?.swap_cancel(SwapRef { swap_id: swap }).await?;
    stays_unpaid(&world).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opening_that_a_reorg_took_away_is_not_paid_when_the_channel_comes_back() -> Result<()> {
    let (mut world, swap) = paying_over_a_dead_channel().await?;
    world.bob.daemon.kill();
    chain(&world).reorg(2, Orphans::Dropped);
    world
        .wait_for_swap(&world.alice, swap, "unconfirmed again", |view| {
            view.state.contains("reorg")
        })
        .await?;
    stays_unpaid(&world).await
}

#[tokio::test(flavor = "multi_thread")]
async fn swaps_that_end_while_their_opening_is_made_leave_no_coin_locked() -> Result<()> {
    let options = Options {
        channels: 12,
        ..Options::default()
    };
    let world = World::start(options).await?;
    let (alice, bob) = (world.alice.client()?, world.bob.client()?);
    let orders = world
        .channels
        .iter()
        .map(|scid| order(&world.alice, Kind::Out, *scid, 300_000));
    // Bob makes one opening after the other: the cancels meet them before, in and after the making.
    for swap_id in futures::future::try_join_all(orders).await? {
        // Too late is right as well.
        let _ = alice.swap_cancel(SwapRef { swap_id }).await;
    }
    wait_for("bob's coins to be free", PATIENCE, || async {
        world.liquid.mine(1).await?;
        let balance = bob.wallet_balance(WalletRef::default()).await?;
        Ok((balance.locked_sat == 0).then_some(()))
    })
    .await
}

//! Reorgs that take the opening's blocks away.

use anyhow::{Context, Result};
use sluice::api::types::{OutcomeKind, Stage};
use sluice::swap::Kind;
use sluice::units::{PaymentHash, SwapId};
use sluice_regtest::daemons::wait_for;
use sluice_regtest::lightning::proto::lnrpc::failure::FailureCode;
use sluice_regtest::lightning::{Hold, HoldAt, Release};
use sluice_regtest::liquid::Orphans;
use sluice_regtest::world::{Options, PATIENCE, World};

use super::books::Books;
use super::orders::{chain, finish, look, network, order, outcome, tails, wait_for_height};

/// A world with a swap of each direction, opened.
async fn opened() -> Result<(World, Books, [SwapId; 2])> {
    let options = Options {
        channels: 2,
        ..Options::default()
    };
    let world = World::start(options).await?;
    let books = Books::open(&world).await?;
    let out = order(&world.alice, Kind::Out, world.channels[0], 1_000_000).await?;
    let into = order(&world.alice, Kind::In, world.channels[1], 900_000).await?;
    for (operator, swap) in [(&world.alice, out), (&world.bob, into)] {
        world
            .wait_for_swap(operator, swap, "announced", |view| view.opening.is_some())
            .await?;
    }
    Ok((world, books, [out, into]))
}

/// Has both daemons see the chain's tip.
async fn see_the_tip(world: &World) -> Result<()> {
    for operator in [&world.alice, &world.bob] {
        wait_for_height(operator, chain(world).tip().height).await?;
    }
    Ok(())
}

/// The payments on their way in both channels, waited for.
async fn held(world: &World) -> Result<Vec<PaymentHash>> {
    let mut hashes = Vec::new();
    for scid in &world.channels {
        let held = network(world).wait_for(|network| network.held().into_iter().find(|held| held.channel == *scid));
        let held = tokio::time::timeout(PATIENCE, held).await;
        hashes.push(held.with_context(|| tails(world))?.hash);
    }
    Ok(hashes)
}

async fn reorg_at_one_confirmation(orphans: Orphans) -> Result<()> {
    let (world, books, swaps) = opened().await?;
    world.liquid.mine(1).await?;
    for swap in swaps {
        for operator in [&world.alice, &world.bob] {
            world
                .wait_for_swap(operator, swap, "confirmed once", |view| view.confirmations == 1)
                .await?;
        }
    }
    chain(&world).reorg(1, orphans);
    see_the_tip(&world).await?;
    for swap in swaps {
        for operator in [&world.alice, &world.bob] {
            world
                .wait_for_swap(operator, swap, "unconfirmed again", |view| {
                    view.stage == Stage::OpeningPublished
                })
                .await?;
        }
    }
    finish(&world, &swaps).await?;
    books.balance(&world, &swaps).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opening_that_loses_its_first_block_waits_for_another_and_is_paid() -> Result<()> {
    reorg_at_one_confirmation(Orphans::Waiting).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opening_that_a_reorg_forgot_is_published_again_by_its_maker_and_is_paid() -> Result<()> {
    reorg_at_one_confirmation(Orphans::Dropped).await
}

/// Reorgs both blocks of the openings out while their payments are on their way.
async fn reorg_during_the_payment(orphans: Orphans) -> Result<(World, Books, [SwapId; 2], Vec<PaymentHash>)> {
    let (world, books, swaps) = opened().await?;
    network(&world).hold(Hold::all(HoldAt::Wire));
    world.liquid.mine(2).await?;
    let hashes = held(&world).await?;
    chain(&world).reorg(2, orphans);
    see_the_tip(&world).await?;
    for (operator, swap) in [(&world.alice, swaps[0]), (&world.bob, swaps[1])] {
        world
            .wait_for_swap(operator, swap, "paying no further", |view| view.stage == Stage::Closing)
            .await?;
    }
    Ok((world, books, swaps, hashes))
}

async fn settle_after(orphans: Orphans) -> Result<()> {
    let (world, books, swaps, hashes) = reorg_during_the_payment(orphans).await?;
    for hash in hashes {
        network(&world).release(hash, Release::Settle)?;
    }
    finish(&world, &swaps).await?;
    books.balance(&world, &swaps).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_settles_after_a_reorg_is_claimed() -> Result<()> {
    settle_after(Orphans::Waiting).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opening_that_a_reorg_forgot_during_the_payment_is_published_again_and_claimed() -> Result<()> {
    settle_after(Orphans::Dropped).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_fails_after_a_reorg_gives_the_maker_its_coins_back() -> Result<()> {
    let (world, _, swaps, hashes) = reorg_during_the_payment(Orphans::Waiting).await?;
    for hash in hashes {
        network(&world).release(hash, Release::Fail(FailureCode::TemporaryChannelFailure))?;
    }
    for (operator, swap) in [(&world.bob, swaps[0]), (&world.alice, swaps[1])] {
        world
            .wait_for_swap(operator, swap, "taking its coins back", |view| {
                view.stage == Stage::Refunding
            })
            .await?;
    }
    wait_for("the refunds", PATIENCE, || async {
        world.liquid.mine(1).await?;
        let mut ends = Vec::new();
        for swap in swaps {
            for operator in [&world.alice, &world.bob] {
                ends.push(look(operator, swap).await.and_then(|view| outcome(&view)));
            }
        }
        anyhow::ensure!(ends.iter().all(Option::is_some), "{ends:?}");
        let expected = [
            OutcomeKind::CoopClosed,
            OutcomeKind::ClaimedByCoop,
            OutcomeKind::ClaimedByCoop,
            OutcomeKind::CoopClosed,
        ];
        assert_eq!(ends.into_iter().flatten().collect::<Vec<_>>(), expected);
        Ok(Some(()))
    })
    .await
}

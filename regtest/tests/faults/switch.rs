//! The switch of a chain: no new swaps while it is off, and nothing else is stopped by it.

use anyhow::{Context, Result, ensure};
use sluice::api::SluiceApiClient;
use sluice::api::types::{ChainPause, ChainRef, ChainStatus, PolicyChange, Stage, SwapView};
use sluice::policy::PausedBy;
use sluice::swap::Kind;
use sluice::units::Asset;
use sluice_regtest::liquid::{self, LiquidChain};
use sluice_regtest::world::operator::Operator;
use sluice_regtest::world::{Options, World};

use super::orders::{chain, finish, node, order, request, wait_for_height};

async fn lbtc(operator: &Operator) -> Result<ChainStatus> {
    let chains = operator.client()?.chain_list().await?.chains;
    let lbtc = chains.into_iter().find(|chain| chain.asset == Asset::Lbtc);
    lbtc.context("the chain of lbtc")
}

async fn pause(operator: &Operator) -> Result<()> {
    let request = ChainPause {
        asset: Asset::Lbtc,
        note: "upgrading elementsd".into(),
    };
    operator.client()?.chain_pause(request).await?;
    Ok(())
}

/// Waits until an operator is told by its peer that L-BTC is swapped, or not.
async fn offered(operator: &Operator, peer: &Operator, wanted: bool) -> Result<()> {
    let offers = |problem: &Option<String>| problem.is_none() == wanted;
    operator
        .wait_for_peer(peer.id, |view| {
            let lbtc = view.offers.iter().find(|offer| offer.asset == Asset::Lbtc);
            lbtc.is_some_and(|offer| offers(&offer.problem))
        })
        .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_chain_makes_no_new_swaps_in_either_direction_until_it_is_resumed() -> Result<()> {
    let world = World::start(Options::default()).await?;
    pause(&world.bob).await?;
    offered(&world.alice, &world.bob, false).await?;
    let (alice, bob) = (world.alice.client()?, world.bob.client()?);
    let wanted = request(world.channels[0], 500_000);
    let theirs = alice.swap_out(wanted.clone()).await.expect_err("bob's chain is paused");
    ensure!(theirs.to_string().contains("it does not swap lbtc"), "{theirs}");
    let own = bob.swap_out(wanted).await.expect_err("its own chain is paused");
    ensure!(
        own.to_string().contains("paused by the operator: upgrading elementsd"),
        "{own}"
    );
    bob.chain_resume(ChainRef { asset: Asset::Lbtc }).await?;
    offered(&world.alice, &world.bob, true).await?;
    let swap = order(&world.alice, Kind::Out, world.channels[0], 500_000).await?;
    finish(&world, &[swap]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_survives_a_restart_and_the_swap_under_way_goes_on() -> Result<()> {
    let mut world = World::start(Options::default()).await?;
    let swap = order(&world.alice, Kind::Out, world.channels[0], 500_000).await?;
    world
        .wait_for_swap(&world.alice, swap, "announced", |view| view.opening.is_some())
        .await?;
    pause(&world.alice).await?;
    pause(&world.bob).await?;
    let before = lbtc(&world.bob).await?;
    world.bob.daemon.kill();
    world.bob.daemon.launch()?;
    world.bob.daemon.wait_until_ready().await?;
    let after = lbtc(&world.bob).await?;
    ensure!(after.paused == before.paused && !after.new_swaps, "{after:?}");
    ensure!(
        after.paused.is_some_and(|pause| pause.by == PausedBy::Operator),
        "its pause"
    );
    finish(&world, &[swap]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reorg_deeper_than_the_confirmations_pauses_the_chain() -> Result<()> {
    let world = World::start(Options::default()).await?;
    world.liquid.mine(5).await?;
    let height = world.liquid.height().await?;
    for operator in [&world.alice, &world.bob] {
        wait_for_height(operator, height).await?;
    }
    world.liquid.reorg(2).await?;
    for operator in [&world.alice, &world.bob] {
        wait_for_height(operator, height + 1).await?;
        ensure!(lbtc(operator).await?.paused.is_none(), "two blocks may be undone");
    }
    world.liquid.reorg(3).await?;
    for operator in [&world.alice, &world.bob] {
        wait_for_height(operator, height + 2).await?;
    }
    offered(&world.alice, &world.bob, false).await?;
    let paused = lbtc(&world.alice).await?.paused.context("a pause")?;
    ensure!(paused.by == PausedBy::DeepReorg, "{paused:?}");
    ensure!(paused.note == "3 blocks were undone", "{paused:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_new_swaps_are_made_and_nothing_is_paid_for_while_a_chains_two_nodes_differ() -> Result<()> {
    let witness = LiquidChain::start(liquid::Options::default()).await?;
    let arguments = vec![
        format!("--set=liquid.witness_rpc_url={}", witness.rpc_url()),
        format!("--set=liquid.witness_user={}", witness.user()),
        format!("--set=liquid.witness_password={}", witness.password()),
    ];
    let world = World::start(Options {
        arguments,
        ..Options::default()
    })
    .await?;
    world.liquid.mine(3).await?;
    let swap = order(&world.alice, Kind::Out, world.channels[0], 500_000).await?;
    world
        .wait_for_swap(&world.alice, swap, "announced", |view| view.opening.is_some())
        .await?;
    let blocks = witness.mine(4);
    world.liquid.mine(1).await?;
    offered(&world.alice, &world.bob, false).await?;
    let differing = lbtc(&world.bob).await?;
    let problem = differing.problem.context("a problem")?;
    ensure!(problem.contains("show different chains: block"), "{problem}");
    ensure!(differing.problem_since.is_some(), "since when");
    // The swap under way goes on, but what one of two nodes shows is nothing to pay for.
    world.liquid.mine(1).await?;
    let paying = |view: &SwapView| view.stage == Stage::Paying;
    world.wait_for_swap(&world.alice, swap, "paying", paying).await?;
    world.liquid.mine(1).await?;
    wait_for_height(&world.alice, chain(&world).tip().height).await?;
    ensure!(node(&world, 0).payments().len() == 1, "the fee alone is paid");

    ensure!(witness.invalidate(&blocks[0]), "it is in the best chain");
    world.liquid.mine(1).await?;
    offered(&world.alice, &world.bob, true).await?;
    finish(&world, &[swap]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_own_policy_forbids_is_not_shown_as_possible() -> Result<()> {
    let world = World::start(Options::default()).await?;
    let (client, bob) = (world.alice.client()?, world.bob.id);
    let told = async || -> Result<Option<String>> {
        let peers = client.peer_list().await?.peers;
        let peer = peers.into_iter().find(|peer| peer.node_id == bob);
        let peer = peer.context("bob is a peer")?;
        let same = peer
            .offers
            .iter()
            .all(|offer| peer.problem.is_none() || offer.problem == peer.problem);
        ensure!(same, "{peer:?}");
        Ok(peer.problem)
    };
    ensure!(told().await?.is_none(), "all is well");
    let off = PolicyChange {
        accept_new_swaps: Some(false),
        ..PolicyChange::default()
    };
    client.policy_set(off).await?;
    ensure!(
        told()
            .await?
            .is_some_and(|problem| problem.contains("accept_new_swaps"))
    );
    for chain in client.chain_list().await?.chains {
        let why = chain.problem.as_ref();
        let told = why.is_some_and(|problem| problem.contains("accept_new_swaps"));
        ensure!(told && !chain.new_swaps, "{chain:?}");
    }
    let block = PolicyChange {
        accept_new_swaps: Some(true),
        block: vec![bob],
        ..PolicyChange::default()
    };
    client.policy_set(block).await?;
    ensure!(
        told()
            .await?
            .is_some_and(|problem| problem.contains("blocked by the policy"))
    );
    let unblock = PolicyChange {
        unblock: vec![bob],
        ..PolicyChange::default()
    };
    client.policy_set(unblock).await?;
    ensure!(told().await?.is_none(), "all is well again");
    Ok(())
}

/// Each change goes out by itself: one that another overtakes on its way would be believed until the next round.
#[tokio::test(flavor = "multi_thread")]
async fn of_many_changes_in_a_row_a_peer_keeps_the_last() -> Result<()> {
    let world = World::start(Options::default()).await?;
    let bob = world.bob.client()?;
    for round in 0..50 {
        let change = PolicyChange {
            accept_new_swaps: Some(round % 2 == 1),
            ..PolicyChange::default()
        };
        bob.policy_set(change).await?;
    }
    let allowed = world
        .alice
        .wait_for_peer(world.bob.id, |peer| peer.allows_us == Some(true))
        .await;
    allowed.map(drop)
}

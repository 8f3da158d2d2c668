//! The chain's node, or one of the Lightning nodes, is away for some blocks, with a swap in every state.

use anyhow::{Context, Result, ensure};
use sluice::api::SluiceApiClient;
use sluice::api::types::SwapView;
use sluice::swap::Kind;
use sluice::units::Asset;
use sluice_regtest::daemons::proxy::Fault;
use sluice_regtest::daemons::wait_for;
use sluice_regtest::liquid::Gate;
use sluice_regtest::world::operator::Operator;
use sluice_regtest::world::{Options, PATIENCE, World, bitcoin};

use super::books::Books;
use super::moments::Moments;
use super::orders::{chain, finish, finish_of, mine, mine_nothing, node, order, order_of, request_of, wait_for_block};
use super::proxy::{Backend, way};

/// Waits until a daemon knows that its chain's node is away, or is there again.
async fn wait_for_chain(operator: &Operator, away: bool) -> Result<()> {
    let client = operator.client()?;
    wait_for("the daemon to know of its chain", PATIENCE, || async {
        let info = client.info().await?;
        ensure!(
            info.chains.iter().all(|chain| chain.height.is_none() == away),
            "{info:?}"
        );
        Ok(Some(()))
    })
    .await
}

/// Waits until a daemon knows that its Lightning node is away.
async fn wait_for_node_away(operator: &Operator) -> Result<()> {
    let client = operator.client()?;
    wait_for("the daemon to miss its node", PATIENCE, || async {
        let info = client.info().await?;
        ensure!(info.node.problem.is_some(), "{info:?}");
        Ok(Some(()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn elementsd_is_away_for_some_blocks_in_every_state_and_the_swaps_continue() -> Result<()> {
    let mut moments = Moments::reach().await?;
    let books = Books::open(&moments.world).await?;
    moments.begin().await?;
    chain(&moments.world).set_gate(Gate::Away);
    for operator in [&moments.world.alice, &moments.world.bob] {
        wait_for_chain(operator, true).await?;
    }
    moments.let_go();
    chain(&moments.world).mine(4);
    chain(&moments.world).set_gate(Gate::Open);
    for operator in [&moments.world.alice, &moments.world.bob] {
        wait_for_chain(operator, false).await?;
    }
    let swaps = moments.finish().await?;
    books.balance(&moments.world, &swaps).await
}

async fn without_the_node_of(index: usize) -> Result<()> {
    let mut moments = Moments::reach().await?;
    let books = Books::open(&moments.world).await?;
    moments.begin().await?;
    node(&moments.world, index).go_away();
    let operators = [&moments.world.alice, &moments.world.bob];
    wait_for_node_away(operators[index]).await?;
    moments.let_go();
    moments.world.liquid.mine(4).await?;
    node(&moments.world, index).come_back()?;
    let swaps = moments.finish().await?;
    books.balance(&moments.world, &swaps).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_initiators_lnd_is_away_for_some_blocks_in_every_state_and_the_swaps_continue() -> Result<()> {
    without_the_node_of(0).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_responders_lnd_is_away_for_some_blocks_in_every_state_and_the_swaps_continue() -> Result<()> {
    without_the_node_of(1).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_maker_whose_node_has_pruned_the_openings_block_still_sees_its_opening() -> Result<()> {
    let options = Options {
        proxied: true,
        ..Options::default()
    };
    let mut world = World::start(options).await?;
    let swap = order(&world.alice, Kind::In, world.channels[0], 500_000).await?;
    let opened = |view: &SwapView| view.timings_ms.opening_published.is_some();
    world.wait_for_swap(&world.alice, swap, "opened", opened).await?;
    world.bob.daemon.kill();
    world.alice.daemon.kill();
    world.liquid.mine(3).await?;
    // as a node answers that has the output, and no more the block
    world.ways[0].liquid.suffer_in("getrawtransaction", Fault::Status(500));
    world.alice.daemon.begin().await?;
    let confirmed = |view: &SwapView| view.state.starts_with("opening confirmed");
    world.wait_for_swap(&world.alice, swap, "confirmed", confirmed).await?;
    Ok(())
}

/// Each wallet's locks are put in order while that wallet makes nothing: it must not wait for the other one's node.
#[tokio::test(flavor = "multi_thread")]
async fn an_opening_of_lbtc_does_not_wait_for_a_bitcoind_that_does_not_answer() -> Result<()> {
    let options = Options {
        proxied: true,
        bitcoin: Some(bitcoin::Kind::Embedded),
        channels: 2,
        ..Options::default()
    };
    let world = World::start(options).await?;
    let bitcoind = world.ways[0].bitcoin.as_ref().context("a way to bitcoind")?;
    bitcoind.suffer_in("fundrawtransaction", Fault::Hanging);
    let btc = request_of(Asset::Btc, world.channels[0], 500_000);
    let btc = order_of(&world.alice, Kind::In, btc).await?;
    bitcoind.wait_for_befallen(1, PATIENCE).await?;
    // the daemon looks at the wallet's locks at the first blocks after its start
    mine(&world, Asset::Lbtc, 1).await?;
    let lbtc = order(&world.alice, Kind::In, world.channels[1], 500_000).await?;
    let opened = |view: &SwapView| view.timings_ms.opening_published.is_some();
    world.wait_for_swap(&world.alice, lbtc, "opened", opened).await?;
    ensure!(bitcoind.befallen() == 1, "bitcoind's call was given up meanwhile");
    bitcoind.heal();
    finish(&world, &[lbtc]).await?;
    finish_of(&world, Asset::Btc, &[btc]).await
}

/// The chain may stand still for long: what it shows already is enough.
#[tokio::test(flavor = "multi_thread")]
async fn a_taker_that_finds_its_opening_taken_back_ends_its_swap_without_another_block() -> Result<()> {
    let options = Options {
        bitcoin: Some(bitcoin::Kind::Embedded),
        ..Options::default()
    };
    let mut world = World::start(options).await?;
    let request = request_of(Asset::Btc, world.channels[0], 500_000);
    let swap = order_of(&world.alice, Kind::Out, request).await?;
    super::rescue::opening_is_known(&world, swap).await?;
    world.alice.daemon.kill();
    world.mine(Asset::Btc, 1_009).await?;
    let refunding = |view: &SwapView| view.timings_ms.spend_published.is_some();
    world.wait_for_swap(&world.bob, swap, "refunded", refunding).await?;
    world.mine(Asset::Btc, 3).await?;
    let closed = |view: &SwapView| view.outcome.is_some();
    world.wait_for_swap(&world.bob, swap, "closed", closed).await?;
    world.alice.daemon.begin().await?;
    world.wait_for_swap(&world.alice, swap, "closed", closed).await?;
    Ok(())
}

/// Blocks after which a daemon looks into the mempool again for openings that no block holds.
const LOOKED_AT: u32 = 30;

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_forbids_its_mempool_to_a_daemon_shows_it_its_blocks_all_the_same() -> Result<()> {
    let options = Options {
        bitcoin: Some(bitcoin::Kind::Embedded),
        proxied: true,
        ..Options::default()
    };
    let world = World::start(options).await?;
    for asset in Asset::ALL {
        let books = Books::open_in(&world, asset).await?;
        let request = request_of(asset, world.channels[0], 600_000);
        let swap = order_of(&world.alice, Kind::In, request).await?;
        let told = |view: &SwapView| view.opening.is_some();
        world
            .wait_for_swap(&world.bob, swap, "told of the opening", told)
            .await?;
        let forbidding = way(&world, 1, Backend::Chain(asset))?;
        forbidding.suffer_in("getrawmempool", Fault::Status(403));
        let height = world.chains().height(asset).await?;
        let look = (height + 1).next_multiple_of(LOOKED_AT);
        mine_nothing(&world, asset, look - height).await?;
        forbidding.wait_for_befallen(1, PATIENCE).await?;
        wait_for_block(&world.bob, asset, look).await?;
        finish_of(&world, asset, &[swap]).await?;
        books.balance(&world, &[swap]).await?;
    }
    Ok(())
}

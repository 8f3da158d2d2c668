//! A chain's node is away when `sluiced` starts. Its swaps wait for it, and nothing else does.

use anyhow::{Context, Result, ensure};
use jsonrpsee::core::ClientError;
use sluice::api::SluiceApiClient;
use sluice::api::types::{ChainStatus, PeerView, SwapRequest, WalletRef};
use sluice::units::{Asset, AssetChoice};
use sluice_regtest::bitcoin::{BitcoinChain, Options as BitcoinOptions};
use sluice_regtest::daemons::proxy::Fault;
use sluice_regtest::daemons::wait_for;
use sluice_regtest::world::operator::Operator;
use sluice_regtest::world::ways::Ways;
use sluice_regtest::world::{Options, PATIENCE, World, bitcoin};

use super::books::Books;
use super::moments::Moments;
use super::orders::{chain, request};
use super::proxy_tips::same_auth;

const AWAITED: &str = "not there since the start: elementsd at ";

async fn reach(asset: Asset) -> Result<(Moments, Books)> {
    let options = Options {
        proxied: true,
        ..Options::default()
    };
    let mut moments = Moments::reach_in(asset, options).await?;
    let books = Books::open_in(&moments.world, asset).await?;
    moments.begin().await?;
    Ok((moments, books))
}

/// Starts a daemon again whose elementsd refuses every connection. Tells what it says of that chain.
async fn start_without_elementsd(operator: &mut Operator, ways: &Ways) -> Result<ChainStatus> {
    start_with_elementsd_that(Fault::Refused, "onnection refused", operator, ways).await
}

async fn start_with_elementsd_that(
    suffers: Fault,
    saying: &str,
    operator: &mut Operator,
    ways: &Ways,
) -> Result<ChainStatus> {
    operator.daemon.kill();
    ways.liquid.suffer(suffers);
    operator.daemon.launch()?;
    let client = operator.client()?;
    wait_for("the daemon to go on without elementsd", PATIENCE, || async {
        let list = client.chain_list().await?;
        let lbtc = list.chains.into_iter().find(|chain| chain.asset == Asset::Lbtc);
        let lbtc = lbtc.context("a configured chain is in the list")?;
        let said = lbtc.problem.clone().unwrap_or_default();
        ensure!(said.contains(AWAITED) && said.contains(saying), "{lbtc:?}");
        Ok(Some(lbtc))
    })
    .await
    .with_context(|| operator.tail())
}

fn sentence(answer: Result<impl std::fmt::Debug, ClientError>) -> Result<String> {
    match answer {
        Err(ClientError::Call(error)) => Ok(error.message().to_owned()),
        other => anyhow::bail!("not refused: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn swaps_of_btc_in_every_state_go_on_while_a_start_waits_for_elementsd() -> Result<()> {
    let (mut moments, books) = reach(Asset::Btc).await?;
    let lbtc = {
        let world = &mut moments.world;
        start_without_elementsd(&mut world.alice, &world.ways[0]).await?
    };
    ensure!(
        lbtc.chain.is_none() && lbtc.height.is_none() && !lbtc.new_swaps,
        "{lbtc:?}"
    );
    ensure!(lbtc.problem_since.is_some(), "{lbtc:?}");
    moments.let_go();
    let swaps = moments.finish().await?;
    let client = moments.world.alice.client()?;
    let still = client.chain_list().await?.chains;
    ensure!(still.iter().any(|chain| chain.chain.is_none()), "{still:?}");
    books.balance(&moments.world, &swaps).await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wants_the_chain_that_is_awaited_is_told_so_and_a_choice_falls_on_the_other() -> Result<()> {
    let options = Options {
        proxied: true,
        bitcoin: Some(bitcoin::Kind::Embedded),
        ..Options::default()
    };
    let mut world = World::start(options).await?;
    start_without_elementsd(&mut world.alice, &world.ways[0]).await?;
    let client = world.alice.client()?;
    let asked = |asset: AssetChoice| SwapRequest {
        asset,
        ..request(world.channels[0], 1_000_000)
    };
    let refused = sentence(client.swap_out(asked(Asset::Lbtc.into())).await)?;
    ensure!(refused.contains(AWAITED), "{refused}");
    let wallet = sentence(client.wallet_balance(WalletRef { asset: Asset::Lbtc }).await)?;
    ensure!(
        wallet.starts_with("elementsd at ") && wallet.contains("does not answer"),
        "{wallet}"
    );
    let bob = world.bob.id;
    let offer = |peer: &PeerView| {
        let mut offers = peer.offers.iter();
        offers.any(|offer| offer.asset == Asset::Btc && offer.problem.is_none())
    };
    world.alice.wait_for_peer(bob, offer).await?;
    let chosen = client.swap_out(asked(AssetChoice::Auto)).await?.swap;
    ensure!(chosen.asset == Asset::Btc, "{chosen:?}");
    world.ways[0].heal();
    world.alice.daemon.wait_until_ready().await?;
    let balance = client.wallet_balance(WalletRef { asset: Asset::Lbtc }).await?;
    ensure!(balance.spendable_sat > 0, "{balance:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn swaps_of_lbtc_in_every_state_go_on_when_elementsd_answers_at_last() -> Result<()> {
    let (mut moments, books) = reach(Asset::Lbtc).await?;
    {
        let world = &mut moments.world;
        for (operator, ways) in [&mut world.alice, &mut world.bob].into_iter().zip(&world.ways) {
            start_without_elementsd(operator, ways).await?;
        }
    }
    moments.let_go();
    // what Lightning has to say does not wait for the chain
    moments.know_of_payments().await?;
    moments.world.liquid.mine(1).await?;
    for (operator, ways) in [&mut moments.world.alice, &mut moments.world.bob]
        .into_iter()
        .zip(&moments.world.ways)
    {
        ways.heal();
        operator.daemon.wait_until_ready().await?;
    }
    let swaps = moments.finish().await?;
    books.balance(&moments.world, &swaps).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bitcoind_in_the_place_of_elementsd_keeps_only_swaps_of_lbtc_waiting_until_it_is_put_right() -> Result<()> {
    let options = Options {
        proxied: true,
        bitcoin: Some(bitcoin::Kind::Embedded),
        ..Options::default()
    };
    let mut world = World::start(options).await?;
    let bitcoind = BitcoinChain::start(BitcoinOptions {
        auth: same_auth(chain(&world)),
        ..BitcoinOptions::default()
    })
    .await?;
    let (alice, ways) = (&mut world.alice, &world.ways[0]);
    let elsewhere = Fault::Elsewhere(bitcoind.address().to_string());
    let lbtc = start_with_elementsd_that(elsewhere, "getsidechaininfo: Method not found", alice, ways).await?;
    ensure!(lbtc.chain.is_none() && !lbtc.new_swaps, "{lbtc:?}");
    let client = world.alice.client()?;
    let balance = client.wallet_balance(WalletRef { asset: Asset::Btc }).await?;
    ensure!(balance.spendable_sat > 0, "{balance:?}");
    world.ways[0].heal();
    world.alice.daemon.wait_until_ready().await?;
    let balance = client.wallet_balance(WalletRef { asset: Asset::Lbtc }).await?;
    ensure!(balance.spendable_sat > 0, "{balance:?}");
    Ok(())
}

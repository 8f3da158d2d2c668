//! Openings that nobody can pay for any more and no miner takes: they are taken back, at a fee that rises, and without
//! undoing what the wallet has paid since.

use anyhow::{Context, Result};
use bitcoin::Amount;
use sluice::api::SluiceApiClient;
use sluice::api::types::{BumpRequest, ChoiceKind, OutcomeKind, SendRequest, Stage, SwapView, WalletRef};
use sluice::swap::Kind;
use sluice::swap::fees::Bumped;
use sluice::units::{Asset, SwapId, TxId};
use sluice_regtest::daemons::wait_for;
use sluice_regtest::liquid::{FeeMarket, Orphans};
use sluice_regtest::world::{Options, PATIENCE, World};

use super::orders::{chain, elements_txid, mine_nothing, node, order, outcome, tails, wait_for_height};

const AMOUNT: u64 = 1_000_000;
/// No miner's rate.
const NEVER: u64 = 1_000_000_000;

async fn see(world: &World, id: SwapId, what: &str, fits: impl Fn(&SwapView) -> bool) -> Result<SwapView> {
    world.wait_for_swap(&world.alice, id, what, fits).await
}

/// Waits until the mempool is what it should be; in any order.
async fn waits_for_a_block(world: &World, what: &str, fits: impl Fn(&[elements::Txid]) -> bool) -> Result<()> {
    wait_for(what, PATIENCE, || async {
        Ok(fits(&chain(world).mempool()).then_some(()))
    })
    .await
    .with_context(|| tails(world))
}

/// A world whose alice has opened, and the opening is in the mempool; no miner takes it.
async fn opened() -> Result<(World, SwapId, TxId)> {
    opened_in(World::start(Options::default()).await?).await
}

/// A world whose alice's wallet holds this little, and is given these coins more in the newest block.
async fn with_coins(options: Options, coins: &[u64]) -> Result<World> {
    let world = World::start(options).await?;
    let client = world.alice.client()?;
    let asset = WalletRef { asset: Asset::Lbtc };
    for coin in coins {
        let to = client.wallet_address(asset.clone()).await?.address;
        world.liquid.fund(&to, Amount::from_sat(*coin)).await?;
    }
    world.liquid.mine(1).await?;
    wait_for_height(&world.alice, chain(&world).tip().height).await?;
    Ok(world)
}

async fn opened_in(world: World) -> Result<(World, SwapId, TxId)> {
    let swap = order(&world.alice, Kind::In, world.channels[0], AMOUNT).await?;
    let opened = see(&world, swap, "opened", |view| {
        view.timings_ms.opening_published.is_some()
    })
    .await?;
    let opening = opened.opening.context("an opening")?.txid;
    Ok((world, swap, opening))
}

/// The taker is gone, with its key; nobody can pay for the opening any more, and its window passes.
async fn run_out(world: &mut World, swap: SwapId) -> Result<()> {
    world.bob.daemon.kill();
    let alice = node(world, 0);
    for invoice in alice.invoices() {
        alice.expire_invoice(invoice.hash);
    }
    see(world, swap, "not payable", |view| view.stage == Stage::Refunding).await?;
    mine_nothing(world, Asset::Lbtc, 60).await
}

fn may_bump(view: &SwapView) -> bool {
    let choices = view.next.as_ref().map_or(&[][..], |next| &next.you_may);
    choices.iter().any(|choice| choice.kind == ChoiceKind::Bump)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_void_that_waits_is_replaced_by_itself_and_by_a_bump_and_the_coins_are_back() -> Result<()> {
    let (mut world, swap, opening) = opened().await?;
    run_out(&mut world, swap).await?;
    see(&world, swap, "voided", may_bump).await?;
    let opening = elements_txid(opening);
    waits_for_a_block(&world, "the void in the opening's place", |ids| {
        ids.len() == 1 && ids[0] != opening
    })
    .await?;
    let first = chain(&world).mempool();
    wait_for("another void", PATIENCE, || async {
        // one by one: blocks that come at once are one look
        mine_nothing(&world, Asset::Lbtc, 1).await?;
        let waiting = chain(&world).mempool();
        Ok((waiting.len() == 1 && waiting != first).then_some(()))
    })
    .await
    .with_context(|| tails(&world))?;
    let second = chain(&world).mempool();

    let request = BumpRequest {
        swap_id: swap,
        fee_rate_sat_per_kvb: Some(5_000),
    };
    let bumped = world.alice.client()?.swap_bump(request).await?;
    assert_eq!(bumped.transaction, Bumped::Void);
    assert_eq!(elements_txid(bumped.txid), second[0]);
    assert!(bumped.new_fee_sat > bumped.paid_fee_sat, "{bumped:?}");
    let third = elements_txid(bumped.new_txid.context("another void")?);
    waits_for_a_block(&world, "the bumped void", |ids| ids == [third]).await?;

    world.liquid.mine(1).await?;
    see(&world, swap, "in a block", |view| {
        view.state.contains("waiting for confirmations")
    })
    .await?;
    world.liquid.mine(1).await?;
    let closed = see(&world, swap, "closed", |view| view.stage == Stage::Closed).await?;
    assert_eq!(outcome(&closed), Some(OutcomeKind::Canceled));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_of_the_openings_change_is_not_undone_by_a_void_and_says_why_it_waits() -> Result<()> {
    let (mut world, swap, opening) = opened().await?;
    // more than all that is in a block: the change is needed for it
    let client = world.alice.client()?;
    let asset = WalletRef { asset: Asset::Lbtc };
    let held = client.wallet_balance(asset.clone()).await?;
    let bob = world.bob.client()?.wallet_address(asset).await?;
    let payment = client
        .wallet_send(SendRequest {
            asset: Asset::Lbtc,
            address: bob.address,
            amount_sat: held.spendable_sat + held.pending_sat / 2,
        })
        .await?;
    let both = [elements_txid(opening), elements_txid(payment.txid)];
    waits_for_a_block(&world, "the payment", |ids| ids == both).await?;

    let market = FeeMarket {
        mined: Some(NEVER),
        admitted: None,
    };
    chain(&world).set_market(market);
    run_out(&mut world, swap).await?;
    let waiting = see(&world, swap, "hindered", |view| view.state.contains("would undo it")).await?;
    assert!(!may_bump(&waiting), "{waiting:?}");
    mine_nothing(&world, Asset::Lbtc, 20).await?;
    assert_eq!(chain(&world).mempool(), both, "nothing is undone");

    // both are mined, and the opening's coins wait for the timelock
    chain(&world).set_market(FeeMarket::default());
    world.liquid.mine(2).await?;
    see(&world, swap, "opened after all", |view| view.stage == Stage::Refunding).await?;
    assert_eq!(chain(&world).mempool(), [], "of {both:?}\n{}", tails(&world));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn another_swaps_opening_that_is_committed_and_in_no_mempool_is_not_undone_by_a_void() -> Result<()> {
    let options = Options {
        channels: 3,
        wallet: Amount::from_sat(2_000_000),
        ..Options::default()
    };
    let (mut world, swap, opening) = opened_in(with_coins(options, &[600_000]).await?).await?;
    let invoices = node(&world, 0).invoices();
    mine_nothing(&world, Asset::Lbtc, 57).await?;
    // a coin is there for each alone: one of them is funded with the first one's change
    chain(&world).set_stuck(&["fundrawtransaction"]);
    let mut others = Vec::new();
    for channel in [1, 2] {
        others.push(order(&world.alice, Kind::In, world.channels[channel], 500_000).await?);
    }
    chain(&world).set_stuck(&["sendrawtransaction"]);
    for other in others {
        see(&world, other, "committed", |view| view.opening.is_some()).await?;
    }
    world.bob.daemon.kill();
    for invoice in invoices {
        node(&world, 0).expire_invoice(invoice.hash);
    }
    see(&world, swap, "not payable", |view| view.stage == Stage::Refunding).await?;
    mine_nothing(&world, Asset::Lbtc, 3).await?;
    see(&world, swap, "hindered", |view| {
        view.state.contains("not published yet")
    })
    .await?;

    chain(&world).set_stuck(&[]);
    let opening = elements_txid(opening);
    let all_three = |ids: &[elements::Txid]| ids.len() == 3 && ids.contains(&opening);
    waits_for_a_block(&world, "the openings", all_three).await?;
    mine_nothing(&world, Asset::Lbtc, 1).await?;
    see(&world, swap, "still hindered", |view| {
        view.state.contains("would undo it")
    })
    .await?;
    assert!(all_three(&chain(&world).mempool()), "nothing is undone");
    Ok(())
}

/// Her wallet has small coins only, and may hardly pay more than the least.
async fn with_small_coins() -> Result<World> {
    let options = Options {
        wallet: Amount::from_sat(200_000),
        arguments: vec!["--set=liquid.fee_ceiling_sat_per_kvb=120".into()],
        ..Options::default()
    };
    with_coins(options, &[190_000; 6]).await
}

async fn opened_of_many_inputs(world: World) -> Result<(World, SwapId, elements::Transaction)> {
    let (world, swap, opening) = opened_in(world).await?;
    let tx = world.liquid.transaction(&elements_txid(opening)).await?;
    let tx = tx.context("the opening")?;
    assert!(tx.input.len() >= 5, "of many inputs");
    Ok((world, swap, tx))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_void_that_was_made_before_the_opening_was_out_is_followed_by_one_that_pays_for_it() -> Result<()> {
    let world = with_small_coins().await?;
    let before = chain(&world).snapshot();
    let (mut world, swap, opening) = opened_of_many_inputs(world).await?;
    chain(&world).set_stuck(&["sendrawtransaction"]);
    // as if it had never come to the mempool
    chain(&world).revert(&before);
    assert_eq!(chain(&world).mempool(), []);
    run_out(&mut world, swap).await?;
    see(&world, swap, "voided", may_bump).await?;
    chain(&world)
        .broadcast(&opening)
        .map_err(|reject| anyhow::anyhow!("{reject:?}"))?;
    chain(&world).set_stuck(&[]);
    wait_for("the void in the opening's place", PATIENCE, || async {
        mine_nothing(&world, Asset::Lbtc, 1).await?;
        let waiting = chain(&world).mempool();
        Ok((waiting.len() == 1 && waiting[0] != opening.txid()).then_some(()))
    })
    .await
    .with_context(|| tails(&world))?;
    ended_by_its_void(&world, swap).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_void_pays_for_a_large_opening_though_the_operator_allows_little_more_than_the_least() -> Result<()> {
    let (mut world, swap, opening) = opened_of_many_inputs(with_small_coins().await?).await?;
    run_out(&mut world, swap).await?;
    waits_for_a_block(&world, "the void in the opening's place", |ids| {
        ids.len() == 1 && ids[0] != opening.txid()
    })
    .await?;
    ended_by_its_void(&world, swap).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opening_is_taken_back_by_the_input_that_a_reorg_has_left() -> Result<()> {
    let options = Options {
        wallet: Amount::from_sat(500_000),
        ..Options::default()
    };
    // the largest coin comes first
    let (mut world, swap, opening) = opened_in(with_coins(options, &[900_000]).await?).await?;
    let opening = world.liquid.transaction(&elements_txid(opening)).await?;
    let inputs = opening.context("the opening")?.input;
    assert_eq!(inputs.len(), 2);
    chain(&world).reorg(1, Orphans::Dropped);
    let lost = world.liquid.transaction(&inputs[0].previous_output.txid).await?;
    assert_eq!(lost, None, "what the first input is an output of");
    run_out(&mut world, swap).await?;
    waits_for_a_block(&world, "the void", |ids| ids.len() == 1).await?;
    let void = chain(&world).mempool()[0];
    let void = world.liquid.transaction(&void).await?.context("the void")?;
    assert_eq!(void.input[0].previous_output, inputs[1].previous_output);
    ended_by_its_void(&world, swap).await
}

async fn ended_by_its_void(world: &World, swap: SwapId) -> Result<()> {
    world.liquid.mine(2).await?;
    let closed = see(world, swap, "closed", |view| view.stage == Stage::Closed).await?;
    assert_eq!(outcome(&closed), Some(OutcomeKind::Canceled));
    Ok(())
}

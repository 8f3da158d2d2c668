//! Fee markets: openings that miners leave, claims that wait until their deadline is near, nodes that ask for too much.

use anyhow::{Context, Result, bail};
use sluice::api::SluiceApiClient;
use sluice::api::types::{BumpRequest, SwapView, VersionSummary};
use sluice::swap::Kind;
use sluice::swap::fees::Bumped;
use sluice::units::{FeeRate, SwapId};
use sluice_regtest::daemons::proxy::Fault;
use sluice_regtest::daemons::wait_for;
use sluice_regtest::liquid::FeeMarket;
use sluice_regtest::world::operator::Operator;
use sluice_regtest::world::{Options, PATIENCE, World};

use super::orders::{chain, elements_txid, finish, order, tails, wait_for_height};

/// What the daemons pay at most unless configured (sat per 1000 discounted vbytes of L-BTC).
const OPERATORS_CEILING: FeeRate = FeeRate(10_000);
/// No miner's rate: nothing is mined that pays less.
const NEVER: u64 = 1_000_000_000;
const AMOUNT: u64 = 1_000_000;

fn market(world: &World, mined: Option<u64>) {
    let admitted = None;
    chain(world).set_market(FeeMarket { mined, admitted });
}

/// Mines, and has both daemons see it.
async fn mine(world: &World, blocks: u32) -> Result<()> {
    world.liquid.mine(blocks).await?;
    for operator in [&world.alice, &world.bob] {
        wait_for_height(operator, chain(world).tip().height).await?;
    }
    Ok(())
}

async fn see(
    world: &World,
    who: &Operator,
    id: SwapId,
    what: &str,
    fits: impl Fn(&SwapView) -> bool,
) -> Result<SwapView> {
    world.wait_for_swap(who, id, what, fits).await
}

fn pushes(view: &SwapView) -> &[VersionSummary] {
    view.opening.as_ref().map_or(&[], |opening| &opening.pushes)
}

/// A world whose alice has opened at the least rate, and now the miners want more.
async fn opened_and_left_behind(mined: u64) -> Result<(World, SwapId)> {
    let options = Options {
        proxied: true,
        ..Options::default()
    };
    let world = World::start(options).await?;
    let swap = order(&world.alice, Kind::In, world.channels[0], AMOUNT).await?;
    see(&world, &world.alice, swap, "opened", |view| {
        view.timings_ms.opening_published.is_some()
    })
    .await?;
    market(&world, Some(mined));
    Ok((world, swap))
}

/// Checks what opening and child pay together, and that the next block holds both.
async fn mined_with_its_child(world: &World, swap: SwapId, rate: FeeRate) -> Result<()> {
    let pushed = see(world, &world.alice, swap, "pushed", |view| !pushes(view).is_empty()).await?;
    let opening = pushed.opening.as_ref().context("an opening")?;
    let child = pushes(&pushed).last().context("a child")?;
    let (fee, size) = (opening.fee_sat.zip(opening.discount_vsize)).context("a cost")?;
    let (fee, size) = (fee + child.fee_sat, size + child.discount_vsize);
    let asked = rate.fee(size).to_sat();
    assert!(
        (asked..=asked + asked / 100 + 1).contains(&fee),
        "{fee} sat for {size} vB at {rate}"
    );
    let child = elements_txid(child.txid);
    wait_for("the child in the mempool", PATIENCE, || async {
        Ok(chain(world).mempool().contains(&child).then_some(()))
    })
    .await
    .with_context(|| tails(world))?;
    mine(world, 1).await?;
    assert!(chain(world).mempool().is_empty(), "one block holds both");
    see(world, &world.bob, swap, "confirming", |view| view.confirmations == 1).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opening_that_miners_leave_is_pushed_by_itself_and_the_swap_is_done() -> Result<()> {
    let (world, swap) = opened_and_left_behind(1_000).await?;
    mine(&world, 1).await?;
    let left = see(&world, &world.alice, swap, "waiting", |view| view.confirmations == 0).await?;
    assert!(pushes(&left).is_empty(), "ten blocks are waited for");
    mine(&world, 10).await?;
    mined_with_its_child(&world, swap, FeeRate(1_000)).await?;
    market(&world, None);
    finish(&world, &[swap]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opening_is_pushed_at_once_by_a_bump_and_again_by_another() -> Result<()> {
    let (world, swap) = opened_and_left_behind(3_000).await?;
    let client = world.alice.client()?;
    let bump = |rate: Option<u64>| BumpRequest {
        swap_id: swap,
        fee_rate_sat_per_kvb: rate,
    };
    let first = client.swap_bump(bump(Some(1_500))).await?;
    assert_eq!(first.transaction, Bumped::Opening);
    assert!(
        first.paid_rate_sat_per_kvb <= 101 && first.new_fee_sat > first.paid_fee_sat,
        "{first:?}"
    );
    let low = client.swap_bump(bump(Some(1_200))).await.unwrap_err().to_string();
    assert!(low.contains("must be at least"), "{low}");
    let high = client.swap_bump(bump(Some(NEVER))).await.unwrap_err().to_string();
    assert!(high.contains("must be at most") && high.contains("at stake"), "{high}");
    let second = client.swap_bump(bump(Some(3_000))).await?;
    assert!(
        second.new_txid.is_some() && second.new_txid != first.new_txid,
        "{second:?}"
    );
    assert_eq!(
        second.swap.opening.as_ref().map(|opening| opening.pushes.len()),
        Some(2)
    );
    mined_with_its_child(&world, swap, FeeRate(3_000)).await?;
    let mined = client.swap_bump(bump(None)).await.unwrap_err().to_string();
    assert!(mined.contains("already"), "{mined}");
    market(&world, None);
    finish(&world, &[swap]).await
}

/// The node locks the change for a child, and its answer is lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_push_whose_answer_was_lost_leaves_the_change_to_the_next_one() -> Result<()> {
    let (world, swap) = opened_and_left_behind(1_500).await?;
    let client = world.alice.client()?;
    let way = &world.ways.first().context("a world with proxies")?.liquid;
    let bump = || {
        client.swap_bump(BumpRequest {
            swap_id: swap,
            fee_rate_sat_per_kvb: Some(1_500),
        })
    };
    way.suffer_in("lockunspent", Fault::Cut(20));
    let befallen = async {
        way.wait_for_befallen(1, PATIENCE).await?;
        way.heal();
        Ok(())
    };
    let (first, befallen): (_, Result<()>) = tokio::join!(bump(), befallen);
    befallen?;
    if first.is_err() {
        // The locks are put in order at a block, if that was befallen as well.
        mine(&world, 1).await?;
        wait_for("a push", PATIENCE, || async { Ok(bump().await.ok()) })
            .await
            .with_context(|| tails(&world))?;
    }
    mined_with_its_child(&world, swap, FeeRate(1_500)).await?;
    market(&world, None);
    finish(&world, &[swap]).await
}

/// What the newest version of the claim pays, once the daemon has replaced it as often.
async fn claim_pays(world: &World, swap: SwapId, replaced: usize) -> Result<u64> {
    let many = |view: &SwapView| {
        view.spend
            .as_ref()
            .is_some_and(|spend| spend.replaced.len() >= replaced)
    };
    let view = see(world, &world.alice, swap, &format!("replaced {replaced} times"), many).await?;
    view.spend.and_then(|spend| spend.fee_sat).context("a fee")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_pays_more_than_the_operator_allows_only_near_its_deadline_and_half_at_most() -> Result<()> {
    let world = World::start(Options::default()).await?;
    let swap = order(&world.alice, Kind::Out, world.channels[0], AMOUNT).await?;
    see(&world, &world.alice, swap, "announced", |view| view.opening.is_some()).await?;
    mine(&world, 2).await?;
    let claimed = see(&world, &world.alice, swap, "claimed", |view| {
        view.timings_ms.spend_published.is_some()
    })
    .await?;
    let size = claimed.spend.and_then(|spend| spend.discount_vsize).context("a size")?;
    market(&world, Some(NEVER));

    // the opening is in the block below the tip: a refund fits in 10,080 blocks later
    mine(&world, 1).await?;
    mine(&world, 10).await?;
    assert_eq!(claim_pays(&world, swap, 1).await?, OPERATORS_CEILING.fee(size).to_sat());
    mine(&world, 7_000).await?;
    mine(&world, 10).await?;
    let now = see(&world, &world.alice, swap, "claiming", |_| true).await?;
    assert_eq!(
        now.spend.map_or(0, |spend| spend.replaced.len()),
        1,
        "nothing more is allowed yet"
    );

    for (blocks, share) in [(1_700, AMOUNT / 20), (1_100, AMOUNT / 5), (230, AMOUNT / 2)] {
        let before = see(&world, &world.alice, swap, "claiming", |_| true).await?;
        let replaced = before.spend.map_or(0, |spend| spend.replaced.len());
        mine(&world, blocks).await?;
        mine(&world, 1).await?;
        mine(&world, 10).await?;
        assert_eq!(
            claim_pays(&world, swap, replaced + 1).await?,
            share,
            "{blocks} blocks on"
        );
    }
    market(&world, None);
    finish(&world, &[swap]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_swap_begins_while_the_node_takes_nothing_that_the_operator_allows() -> Result<()> {
    let world = World::start(Options::default()).await?;
    chain(&world).set_market(FeeMarket {
        mined: None,
        admitted: Some(OPERATORS_CEILING.0 + 1),
    });
    mine(&world, 1).await?;
    match order(&world.alice, Kind::In, world.channels[0], AMOUNT).await {
        Ok(swap) => bail!("swap {swap} has begun"),
        Err(error) => {
            let words = format!("{error:#}");
            assert!(
                words.contains("nothing below 10001 sat/kvB") && words.contains("fee ceiling is 10000 sat/kvB"),
                "{words}"
            );
        }
    }
    market(&world, None);
    mine(&world, 1).await?;
    let swap = order(&world.alice, Kind::In, world.channels[0], AMOUNT).await?;
    finish(&world, &[swap]).await
}

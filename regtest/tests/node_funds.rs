//! Swaps of BTC paid from the Lightning nodes' own wallets, on real daemons: bitcoind has no wallets.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use sluice::api::SluiceApiClient;
use sluice::api::types::{OutcomeKind, SwapRef, SwapRequest, SwapView, WalletRef};
use sluice::node::cln::ClnWallet;
use sluice::node::funds::Purse;
use sluice::node::lnd::LndWallet;
use sluice::swap::Kind;
use sluice::units::{Asset, OutPoint, SwapId};
use sluice_regtest::daemons::proxy::Fault;
use sluice_regtest::daemons::{require, wait_for};
use sluice_regtest::world::access::NodeAccess;
use sluice_regtest::world::operator::Operator;
use sluice_regtest::world::pair::{Options, PATIENCE, Pair};
use sluice_regtest::world::party::{Party, Program};
use sluice_regtest::world::side::Side;
use sluice_regtest::world::{expect_equal, lightning, liquid};
use tokio::sync::{Mutex, MutexGuard};

const AMOUNT: u64 = 1_000_000;
/// Confirmations of an opening that is paid for.
const DEPTH: u32 = 3;
const PUBLISH: &str = "sendrawtransaction";

/// One world at a time: real daemons would take each other's processors and run into time limits.
static TURN: Mutex<()> = Mutex::const_new(());

/// Alice on lnd, bob on lightningd; None, loudly, where a daemon is missing.
async fn pair() -> Result<Option<(Pair, MutexGuard<'static, ()>)>> {
    let needed = ["bitcoind", "lnd", "lightningd"].map(require);
    if let Some(missing) = needed.into_iter().find_map(Result::<PathBuf>::err) {
        eprintln!("SKIPPED: {missing}");
        return Ok(None);
    }
    let turn = TURN.lock().await;
    let options = Options {
        programs: [Program::Sluice; 2],
        liquid: liquid::Kind::Embedded,
        lightning: lightning::Kind::LndCln,
        assets: vec![Asset::Btc],
        binary: None,
    };
    Ok(Some((Pair::start_on_node_funds(&options).await?, turn)))
}

fn operator(pair: &Pair, side: Side) -> Result<&Operator> {
    match pair.party(side) {
        Party::Sluice(operator) => Ok(operator),
        Party::Go(_) => anyhow::bail!("{} runs Go PeerSwap", side.name()),
    }
}

fn daemon(pair: &mut Pair, side: Side) -> Result<&mut sluice_regtest::world::sluiced::Sluiced> {
    match &mut pair.parties[side.index()] {
        Party::Sluice(operator) => Ok(&mut operator.daemon),
        Party::Go(_) => anyhow::bail!("{} runs Go PeerSwap", side.name()),
    }
}

/// Alice orders a swap of which that side is the maker.
async fn order(pair: &Pair, maker: Side) -> Result<SwapId> {
    let request = SwapRequest {
        channel: pair.channel,
        amount_sat: AMOUNT,
        asset: Asset::Btc.into(),
        max_premium_ppm: 10_000,
        idempotency_key: None,
    };
    let client = operator(pair, Side::Alice)?.client()?;
    let started = match kind(maker) {
        Kind::In => client.swap_in(request).await?,
        Kind::Out => client.swap_out(request).await?,
    };
    Ok(started.swap_id)
}

fn kind(maker: Side) -> Kind {
    match maker {
        Side::Alice => Kind::In,
        Side::Bob => Kind::Out,
    }
}

async fn look(pair: &Pair, side: Side, swap_id: SwapId) -> Result<SwapView> {
    Ok(operator(pair, side)?.client()?.swap_get(SwapRef { swap_id }).await?)
}

async fn total(pair: &Pair, side: Side) -> Result<i128> {
    let client = operator(pair, side)?.client()?;
    let held = client.wallet_balance(WalletRef { asset: Asset::Btc }).await?;
    Ok((held.spendable_sat + held.pending_sat + held.locked_sat).into())
}

async fn opened(pair: &Pair, id: SwapId) -> Result<()> {
    for side in Side::BOTH {
        pair.wait(side, id, "opened", |sight| sight.opening.is_some()).await?;
    }
    Ok(())
}

/// Returns once the taker has made its claim.
async fn claimed(pair: &Pair, taker: Side, id: SwapId) -> Result<()> {
    wait_for("the claim", PATIENCE, || async {
        Ok(look(pair, taker, id).await?.spend.map(drop))
    })
    .await
    .with_context(|| pair.tails())
}

/// Mines until a side has closed, and returns how.
async fn closed(pair: &Pair, side: Side, id: SwapId) -> Result<SwapView> {
    wait_for("the swap's end", PATIENCE, || async {
        pair.mine(Asset::Btc, 1).await?;
        let view = look(pair, side, id).await?;
        Ok(view.outcome.is_some().then_some(view))
    })
    .await
    .with_context(|| pair.tails())
}

fn outcome(view: &SwapView) -> Option<OutcomeKind> {
    view.outcome.as_ref().map(|outcome| outcome.kind)
}

/// Mines to the end of a swap that is paid, and checks both wallets to the satoshi.
async fn finish(pair: &Pair, maker: Side, id: SwapId, before: [i128; 2]) -> Result<()> {
    opened(pair, id).await?;
    pair.mine(Asset::Btc, DEPTH).await?;
    // No more blocks while it pays: lightningd, seconds behind, would choose an expiry too early for the payee.
    claimed(pair, maker.other(), id).await?;
    let taken = closed(pair, maker.other(), id).await?;
    let made = closed(pair, maker, id).await?;
    expect_equal(
        "the taker's outcome",
        &outcome(&taken),
        &Some(OutcomeKind::ClaimedByInvoice),
    )?;
    expect_equal("the maker's outcome", &outcome(&made), &Some(OutcomeKind::ClaimPaid))?;
    let premium = match kind(maker) {
        Kind::In => taken.premium_sat.unwrap_or_default(),
        Kind::Out => 0,
    };
    let on_chain = i128::from(AMOUNT) + i128::from(premium);
    let fee = |fee: Option<u64>| fee.map(i128::from).context("a fee");
    let claim = fee(taken.spend.and_then(|spend| spend.fee_sat))?;
    let opening = fee(made.opening.and_then(|opening| opening.fee_sat))?;
    let index = maker.index();
    let mut wanted = before;
    wanted[index] -= on_chain + opening;
    wanted[1 - index] += on_chain - claim;
    wait_for("exact balances", PATIENCE, || async {
        let found = [total(pair, Side::Alice).await?, total(pair, Side::Bob).await?];
        expect_equal("what the wallets hold", &found, &wanted).map(Some)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_maker_pays_from_its_nodes_wallet_to_the_satoshi() -> Result<()> {
    let Some((pair, _turn)) = pair().await? else {
        return Ok(());
    };
    for (maker, holder) in [(Side::Alice, "lnd"), (Side::Bob, "cln")] {
        let chains = operator(&pair, maker)?.client()?.chain_list().await?.chains;
        let btc = chains.iter().find(|chain| chain.asset == Asset::Btc);
        expect_equal(
            "the wallet",
            &btc.and_then(|chain| chain.wallet.as_deref()),
            &Some(holder),
        )?;
        let before = [total(&pair, Side::Alice).await?, total(&pair, Side::Bob).await?];
        let id = order(&pair, maker).await?;
        finish(&pair, maker, id, before).await.context(holder)?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_maker_takes_its_coins_back_into_its_nodes_wallet() -> Result<()> {
    let Some((mut pair, _turn)) = pair().await? else {
        return Ok(());
    };
    let before = total(&pair, Side::Bob).await?;
    let id = order(&pair, Side::Bob).await?;
    opened(&pair, id).await?;
    daemon(&mut pair, Side::Alice)?.kill();
    pair.mine(Asset::Btc, 1008).await?;
    let refunded = closed(&pair, Side::Bob, id).await?;
    expect_equal("the outcome", &outcome(&refunded), &Some(OutcomeKind::ClaimedByCsv))?;
    let fee = |fee: Option<u64>| fee.map(i128::from).context("a fee");
    let opening = fee(refunded.opening.and_then(|opening| opening.fee_sat))?;
    let spend = fee(refunded.spend.and_then(|spend| spend.fee_sat))?;
    wait_for("exact balances", PATIENCE, || async {
        let found = total(&pair, Side::Bob).await?;
        expect_equal("what the wallet holds", &found, &(before - opening - spend)).map(Some)
    })
    .await
}

/// The maker's daemon is killed with an opening that is stored and not published. Its lock is lost meanwhile, and there is
/// one of an opening that was never stored.
async fn survives_a_kill<P: Purse>(pair: &mut Pair, maker: Side, purse: P) -> Result<()> {
    let before = [total(pair, Side::Alice).await?, total(pair, Side::Bob).await?];
    let proxy = pair.proxy.as_ref().context("a proxy")?;
    proxy.suffer_in(PUBLISH, Fault::Held);
    let id = order(pair, maker).await?;
    let state = wait_for("the opening to be stored", PATIENCE, || async {
        let view = look(pair, maker, id).await?;
        Ok(Some(view.state).filter(|state| state.contains("publishing")))
    });
    state.await.with_context(|| pair.tails())?;
    daemon(pair, maker)?.kill();

    let locked = places(purse.holdings().await?.ours);
    ensure!(!locked.is_empty(), "nothing is locked");
    purse.unlock(&locked).await?;
    let forgotten = purse.holdings().await?.free;
    let forgotten = places(forgotten).into_iter().find(|coin| !locked.contains(coin));
    purse.lock(&[forgotten.context("a second coin")?]).await?;

    daemon(pair, maker)?.begin().await?;
    wait_for("the locks to be in order", PATIENCE, || async {
        let found = places(purse.holdings().await?.ours);
        expect_equal("what is locked", &found, &locked).map(Some)
    })
    .await
    .with_context(|| pair.tails())?;
    pair.proxy.as_ref().context("a proxy")?.heal();
    finish(pair, maker, id, before).await
}

fn places(coins: Vec<sluice::node::funds::Coin>) -> Vec<OutPoint> {
    coins.into_iter().map(|coin| coin.outpoint).collect()
}

/// Gives a side's wallet a second coin.
async fn split(pair: &Pair, side: Side) -> Result<()> {
    let address = pair.party(side).address(Asset::Btc).await?;
    let client = operator(pair, side)?.client()?;
    let request = sluice::api::types::SendRequest {
        asset: Asset::Btc,
        address,
        amount_sat: 5 * AMOUNT,
    };
    client.wallet_send(request).await?;
    pair.mine(Asset::Btc, 2).await?;
    wait_for("the second coin", PATIENCE, || async {
        let held = client.wallet_balance(WalletRef { asset: Asset::Btc }).await?;
        ensure!(held.pending_sat == 0, "{held:?}");
        Ok(Some(()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opening_that_was_not_published_survives_a_kill_with_its_coins_locked() -> Result<()> {
    let Some((mut pair, _turn)) = pair().await? else {
        return Ok(());
    };
    for maker in Side::BOTH {
        split(&pair, maker).await?;
        match pair.lightning.access(maker.index()) {
            NodeAccess::Lnd(lnd) => survives_a_kill(&mut pair, maker, LndWallet::new(lnd))
                .await
                .context("lnd")?,
            NodeAccess::Cln(cln) => survives_a_kill(&mut pair, maker, ClnWallet::new(cln))
                .await
                .context("cln")?,
        }
    }
    Ok(())
}

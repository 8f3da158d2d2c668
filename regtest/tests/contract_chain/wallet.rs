//! The port `Wallet`.

use std::collections::HashSet;

use bitcoin::Amount;
use sluice::chain::watch::ChainTx;
use sluice::ports::{Chain, SendError, WalletBalance};
use sluice::units::{FeeRate, RawTx};

use crate::bench::Bench;
use crate::world::{COIN, COINS, World, decode, eventually, foreign_output, refusal, txid_of, watch};

const AMOUNT: Amount = Amount::from_sat(200_000);

fn all() -> Amount {
    COIN * COINS
}

pub async fn an_opening_is_exact_and_costs_its_true_size<B: Bench>(world: World<B>) {
    for rate in [B::RATE, FeeRate(10 * B::RATE.0)] {
        let output = foreign_output::<B>(AMOUNT);
        let opening = world.wallet.fund(&output, rate).await.unwrap();
        let tx = decode::<B>(&opening.tx);
        assert_eq!(
            (tx.txid(), tx.spends()),
            (opening.outpoint.txid, opening.inputs.clone())
        );
        assert_eq!(tx.outputs_to(&output.script), [opening.outpoint.vout]);

        let cost = opening.cost;
        let (least, most) = (rate.fee(cost.discount_vsize), rate.fee(cost.discount_vsize + 2));
        assert!((least..=most).contains(&cost.fee), "{cost:?} at {rate}");
        world
            .adapter
            .broadcast(&opening.tx)
            .await
            .expect("the node takes it at that fee");
    }
}

pub async fn funding_locks_coins_until_they_are_freed<B: Bench>(world: World<B>) {
    let whole = WalletBalance {
        spendable: all(),
        pending: Amount::ZERO,
        locked: Amount::ZERO,
    };
    assert_eq!(world.wallet.balance().await.unwrap(), whole);
    let (opening, _) = world.opening(AMOUNT).await;
    let taken = COIN * opening.inputs.len() as u64;
    let part = WalletBalance {
        spendable: all() - taken,
        pending: Amount::ZERO,
        locked: taken,
    };
    assert_eq!(world.wallet.balance().await.unwrap(), part);
    assert!(world.miner.mempool().await.unwrap().is_empty(), "nothing is published");
    for _ in 0..2 {
        world.wallet.keep_only(&[]).await.expect("also the second time");
        assert_eq!(world.wallet.balance().await.unwrap(), whole);
    }
}

pub async fn openings_made_together_share_no_coin<B: Bench>(world: World<B>) {
    let output = foreign_output::<B>(AMOUNT);
    let made = futures::future::try_join_all((0..5).map(|_| world.wallet.fund(&output, B::RATE)))
        .await
        .unwrap();
    let coins: Vec<_> = made.iter().flat_map(|opening| &opening.inputs).collect();
    assert_eq!(coins.iter().collect::<HashSet<_>>().len(), coins.len());
    for opening in &made {
        world.adapter.broadcast(&opening.tx).await.unwrap();
    }
}

pub async fn too_little_money_is_refused_with_both_amounts<B: Bench>(world: World<B>) {
    let output = foreign_output::<B>(all());
    let reason = refusal(world.wallet.fund(&output, B::RATE).await);
    assert!(
        reason.contains("has 12000000 sat") && reason.contains("wanted 12000000 sat and a fee"),
        "{reason}"
    );
    let output = foreign_output::<B>(all() * 2);
    let reason = refusal(world.wallet.fund(&output, B::RATE).await);
    assert!(
        reason.contains("has 12000000 sat") && reason.contains("wanted 24000000 sat"),
        "{reason}"
    );
    assert_eq!(
        world.wallet.balance().await.unwrap().locked,
        Amount::ZERO,
        "a failure frees what it took"
    );
}

pub async fn only_coins_of_committed_openings_stay_locked<B: Bench>(world: World<B>) {
    let (committed, _) = world.opening(AMOUNT).await;
    let (uncommitted, _) = world.opening(AMOUNT).await;
    let (published, _) = world.opening(AMOUNT).await;
    world.adapter.broadcast(&published.tx).await.unwrap();
    for _ in 0..2 {
        world
            .wallet
            .keep_only(&[committed.clone(), published.clone()])
            .await
            .unwrap();
        let locked = B::locked(&world).await;
        assert!(committed.inputs.iter().all(|input| locked.contains(input)));
        assert!(uncommitted.inputs.iter().all(|input| !locked.contains(input)));
    }
    // a lock that was lost is made again
    world.wallet.keep_only(&[]).await.unwrap();
    world.wallet.keep_only(std::slice::from_ref(&committed)).await.unwrap();
    let locked = B::locked(&world).await;
    assert!(committed.inputs.iter().all(|input| locked.contains(input)));
    // and nothing stays locked where nothing is committed
    world.wallet.keep_only(&[]).await.unwrap();
    let locked = B::locked(&world).await;
    assert!(committed.inputs.iter().all(|input| !locked.contains(input)));
}

pub async fn a_caller_that_goes_away_leaves_no_coin_locked<B: Bench>(world: World<B>) {
    let output = foreign_output::<B>(AMOUNT);
    let mut funding = Box::pin(world.wallet.fund(&output, B::RATE));
    assert!(futures::poll!(&mut funding).is_pending());
    B::abandon(&world, funding).await;
    eventually(async || B::locked(&world).await.is_empty().then_some(())).await;
}

pub async fn a_caller_that_goes_away_when_the_opening_is_made_leaves_no_coin_locked<B: Bench>(world: World<B>) {
    let output = foreign_output::<B>(AMOUNT);
    let mut funding = Box::pin(world.wallet.fund(&output, B::RATE));
    assert!(futures::poll!(&mut funding).is_pending());
    eventually(async || (!B::locked(&world).await.is_empty()).then_some(())).await;
    // asked again, so that the opening is on its way to the caller by then
    assert!(!B::locked(&world).await.is_empty());
    drop(funding);
    eventually(async || B::locked(&world).await.is_empty().then_some(())).await;
}

pub async fn an_opening_can_be_voided<B: Bench>(world: World<B>) {
    let (opening, script) = world.opening(AMOUNT).await;
    world.adapter.broadcast(&opening.tx).await.unwrap();
    world.await_mempool(&opening.tx).await;
    let void = world.wallet.void(&opening, None, B::RATE).await.unwrap().tx;
    assert!(
        decode::<B>(&void).spends().len() == 1,
        "one input of the opening is enough"
    );
    world
        .adapter
        .broadcast(&void)
        .await
        .expect("it replaces the opening in the mempool");
    let tip = world.await_tip(world.mine(1).await[0]).await;
    let seen = world.view(&watch(1, &script, &opening, tip.height)).await;
    assert_eq!(
        (seen.opening, seen.conflict.map(|found| txid_of::<B>(&found.tx))),
        (None, Some(txid_of::<B>(&void)))
    );
    let balance = world.wallet.balance().await.unwrap();
    assert!(
        balance.spendable + balance.locked > all() - Amount::from_sat(2_000),
        "only fees are gone: {balance:?}"
    );
}

pub async fn addresses_are_the_wallets_own_and_can_be_paid<B: Bench>(world: World<B>) {
    let own = world.wallet.new_address("swap in 010203").await.unwrap();
    assert!(own.address.starts_with(B::ADDRESS) && own.script.is_p2wpkh(), "{own:?}");
    world
        .wallet
        .label(&own.address, "swap in 010203, claimed")
        .await
        .unwrap();

    let txid = world.wallet.send(&own.address, AMOUNT).await.unwrap();
    assert_eq!(own.blinding_key.is_some(), B::blinding_key().is_some());
    let sent = eventually(async || world.miner.mempool_transaction_bytes(txid).await.unwrap()).await;
    assert_eq!(decode::<B>(&RawTx::from(sent)).outputs_to(&own.script).len(), 1);
    world.mine(1).await;
    assert!(world.wallet.balance().await.unwrap().spendable > all() - Amount::from_sat(2_000));

    let sent = world.wallet.send("no address", AMOUNT).await;
    assert!(matches!(sent, Err(SendError::Address)), "{sent:?}");
    let sent = world.wallet.send(&own.address, all() * 2).await;
    let Err(SendError::TooLittle { available, wanted }) = sent else {
        panic!("{sent:?}");
    };
    assert_eq!(wanted, all() * 2);
    assert_eq!(available, world.wallet.balance().await.unwrap().spendable);
}

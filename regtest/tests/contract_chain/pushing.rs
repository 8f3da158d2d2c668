//! Openings that wait too long, and the children that get them into a block.

use bitcoin::Amount;
use sluice::chain::watch::ChainTx;
use sluice::ports::Chain;
use sluice::swap::state::{Claim, Opening, TxCost};
use sluice::units::{FeeRate, OutPoint, TxId};

use crate::bench::Bench;
use crate::world::{World, decode, foreign_output, refusal};

const AMOUNT: Amount = Amount::from_sat(200_000);

/// An opening in the mempool, at the least rate.
async fn waiting<B: Bench>(world: &World<B>) -> Opening {
    let opening = world.wallet.fund(&foreign_output::<B>(AMOUNT), B::RATE).await.unwrap();
    world.adapter.broadcast(&opening.tx).await.unwrap();
    world.await_mempool(&opening.tx).await;
    world.node.notice(opening.outpoint.txid).await;
    opening
}

fn times<B: Bench>(factor: u64) -> FeeRate {
    FeeRate(factor * B::RATE.0)
}

/// What both pay together, in millionths of a satoshi per virtual byte.
fn paid_together(opening: &TxCost, child: &TxCost) -> u64 {
    let size = opening.discount_vsize + child.discount_vsize;
    (opening.fee + child.fee).to_sat() * 1_000_000 / size
}

fn assert_reaches(opening: &Opening, child: &Claim, rate: FeeRate) {
    let (paid, asked) = (paid_together(&opening.cost, &child.cost), rate.0 * 1_000);
    assert!(
        (asked..=asked + asked / 100).contains(&paid),
        "{paid} instead of {asked} µsat/vB: {opening:?}, {child:?}"
    );
}

async fn in_mempool<B: Bench>(world: &World<B>) -> Vec<TxId> {
    let mut waiting = world.miner.mempool().await.unwrap();
    waiting.sort();
    waiting
}

fn sorted(mut txids: Vec<TxId>) -> Vec<TxId> {
    txids.sort();
    txids
}

/// The output of the opening that is the wallet's.
fn change_of<B: Bench>(opening: &Opening, child: &Claim) -> OutPoint {
    let spent = decode::<B>(&child.tx).spends();
    assert!(
        spent
            .iter()
            .all(|output| output.txid == opening.outpoint.txid && *output != opening.outpoint)
    );
    let [change] = spent[..] else { panic!("{spent:?}") };
    change
}

pub async fn a_child_pays_for_its_opening_and_confirms_with_it<B: Bench>(world: World<B>) {
    let before = world.wallet.balance().await.unwrap();
    let opening = waiting(&world).await;
    let child = world.wallet.push(&opening, None, times::<B>(10)).await.unwrap();
    assert_reaches(&opening, &child, times::<B>(10));
    assert_eq!(
        in_mempool(&world).await,
        [opening.outpoint.txid],
        "nothing is published"
    );
    let change = change_of::<B>(&opening, &child);
    assert!(B::locked(&world).await.contains(&change), "kept for the child");

    world.adapter.broadcast(&child.tx).await.expect("the node takes it");
    world.await_mempool(&child.tx).await;
    assert_eq!(
        in_mempool(&world).await,
        sorted(vec![opening.outpoint.txid, child.txid])
    );
    world.mine(1).await;
    assert!(in_mempool(&world).await.is_empty(), "one block holds both");
    let after = world.wallet.balance().await.unwrap();
    let fees = opening.cost.fee + child.cost.fee;
    assert_eq!(
        (after.spendable, after.locked),
        (before.spendable - AMOUNT - fees, Amount::ZERO)
    );
}

pub async fn a_push_takes_the_place_of_the_one_before<B: Bench>(world: World<B>) {
    let opening = waiting(&world).await;
    let first = world.wallet.push(&opening, None, times::<B>(5)).await.unwrap();
    world.adapter.broadcast(&first.tx).await.unwrap();
    world.await_mempool(&first.tx).await;
    // a rate that is hardly more is not enough for a replacement, so more than it is paid
    let second = world.wallet.push(&opening, Some(&first), times::<B>(5)).await.unwrap();
    world
        .adapter
        .broadcast(&second.tx)
        .await
        .expect("it pays for its relay on top");
    world.await_mempool(&second.tx).await;
    assert!(second.cost.fee > first.cost.fee);
    let third = world
        .wallet
        .push(&opening, Some(&second), times::<B>(40))
        .await
        .unwrap();
    assert_reaches(&opening, &third, times::<B>(40));
    world.adapter.broadcast(&third.tx).await.unwrap();
    world.await_mempool(&third.tx).await;
    assert_eq!(
        in_mempool(&world).await,
        sorted(vec![opening.outpoint.txid, third.txid])
    );
}

pub async fn what_cannot_be_pushed_is_refused_in_a_sentence<B: Bench>(world: World<B>) {
    let rate = times::<B>(10);
    let unpublished = world.wallet.fund(&foreign_output::<B>(AMOUNT), B::RATE).await.unwrap();
    let reason = refusal(world.wallet.push(&unpublished, None, rate).await);
    assert!(reason.contains("not in the mempool"), "{reason}");

    let opening = waiting(&world).await;
    let reason = refusal(world.wallet.push(&opening, None, FeeRate(1_000_000_000)).await);
    assert!(
        reason.contains("change of") && reason.contains("too little"),
        "{reason}"
    );

    let child = world.wallet.push(&opening, None, rate).await.unwrap();
    let change = change_of::<B>(&opening, &child);
    // taking the change for the swap's output leaves the other one, which is not ours
    let nothing_ours = Opening {
        outpoint: change,
        ..opening.clone()
    };
    let reason = refusal(world.wallet.push(&nothing_ours, None, rate).await);
    assert!(reason.contains("no change of this wallet"), "{reason}");
    assert_eq!(
        in_mempool(&world).await,
        [opening.outpoint.txid],
        "nothing is published"
    );
}

pub async fn a_push_undoes_no_other_transaction_of_the_wallet<B: Bench>(world: World<B>) {
    let rate = times::<B>(10);
    let opening = waiting(&world).await;
    let child = world.wallet.push(&opening, None, rate).await.unwrap();
    let change = change_of::<B>(&opening, &child);
    let reason = refusal(world.wallet.push(&opening, None, rate).await);
    assert!(reason.contains("another transaction"), "its coins are locked: {reason}");

    // the change goes another way, as into the opening of another swap
    let other = world
        .wallet
        .void(&spending(&opening, change), None, B::RATE)
        .await
        .unwrap()
        .tx;
    world.adapter.broadcast(&other).await.unwrap();
    world.await_mempool(&other).await;
    let reason = refusal(world.wallet.push(&opening, None, rate).await);
    assert!(reason.contains("another transaction"), "{reason}");
}

/// For the wallet to spend that output instead of the opening's inputs.
fn spending(opening: &Opening, output: OutPoint) -> Opening {
    Opening {
        inputs: vec![output],
        ..opening.clone()
    }
}

pub async fn a_push_does_not_take_the_place_of_one_on_which_another_transaction_stands<B: Bench>(world: World<B>) {
    let rate = times::<B>(10);
    let opening = waiting(&world).await;
    let child = world.wallet.push(&opening, None, rate).await.unwrap();
    world.adapter.broadcast(&child.tx).await.unwrap();
    world.await_mempool(&child.tx).await;
    world.node.notice(child.txid).await;
    let left = OutPoint {
        txid: child.txid,
        vout: 0,
    };
    let further = world
        .wallet
        .void(&spending(&opening, left), None, B::RATE)
        .await
        .unwrap()
        .tx;
    world.adapter.broadcast(&further).await.unwrap();
    world.await_mempool(&further).await;
    let reason = refusal(world.wallet.push(&opening, Some(&child), times::<B>(50)).await);
    assert!(reason.contains("may not be undone"), "{reason}");
}

pub async fn an_opening_whose_change_is_not_known_yet_is_not_pushed<B: Bench>(world: World<B>) {
    let opening = world.wallet.fund(&foreign_output::<B>(AMOUNT), B::RATE).await.unwrap();
    let early = world.wallet.push(&opening, None, times::<B>(10)).await;
    assert!(refusal(early).contains("was not in the mempool"));
    world.adapter.broadcast(&opening.tx).await.unwrap();
    world.await_mempool(&opening.tx).await;
    // the mempool is looked at once for every block
    let block = world.mine_empty().await;
    world.await_tip(block).await;
    let reason = refusal(world.wallet.push(&opening, None, times::<B>(10)).await);
    assert!(reason.contains("does not let go of the opening's change"), "{reason}");
}

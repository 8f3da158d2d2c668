//! Openings that are taken back: voids that replace one another, what stands on what they replace, and inputs that are gone.

use bitcoin::Amount;
use sluice::chain::backend::Ledger;
use sluice::chain::watch::ChainTx;
use sluice::ports::Chain;
use sluice::swap::state::{Claim, Opening};
use sluice::units::{Asset, FeeRate, OutPoint, RawTx, TxId};

use crate::bench::Bench;
use crate::world::{COIN, COINS, World, decode, foreign_output, watch};

const AMOUNT: Amount = Amount::from_sat(200_000);

fn times<B: Bench>(factor: u64) -> FeeRate {
    FeeRate(factor * B::RATE.0)
}

/// Publishes, and waits until the node has it.
async fn publish<B: Bench>(world: &World<B>, tx: &RawTx) {
    world.adapter.broadcast(tx).await.expect("the node takes it");
    world.await_mempool(tx).await;
}

/// An opening in the mempool, at the least rate.
async fn waiting<B: Bench>(world: &World<B>) -> Opening {
    let opening = world.wallet.fund(&foreign_output::<B>(AMOUNT), B::RATE).await.unwrap();
    publish(world, &opening.tx).await;
    opening
}

async fn void<B: Bench>(world: &World<B>, opening: &Opening, replaced: Option<&Claim>, rate: FeeRate) -> Claim {
    let void = world.wallet.void(opening, replaced, rate).await.unwrap();
    let decoded = decode::<B>(&void.tx);
    assert_eq!(decoded.txid(), void.txid);
    assert!(decoded.spends().iter().any(|spent| opening.inputs.contains(spent)));
    void
}

pub async fn a_void_takes_the_place_of_the_one_before<B: Bench>(world: World<B>) {
    let since = world.height().await;
    let opening = waiting(&world).await;
    let first = void(&world, &opening, None, B::RATE).await;
    publish(&world, &first.tx).await;
    // a rate that is hardly more is not enough for a replacement, so more than it is paid
    let second = void(&world, &opening, Some(&first), B::RATE).await;
    publish(&world, &second.tx).await;
    assert!(second.cost.fee > first.cost.fee && first.cost.fee > opening.cost.fee);
    let third = void(&world, &opening, Some(&second), times::<B>(40)).await;
    publish(&world, &third.tx).await;
    let (fee, wanted) = (
        third.cost.fee.to_sat(),
        times::<B>(40).fee(third.cost.discount_vsize).to_sat(),
    );
    assert!(
        (wanted..=wanted + wanted / 20).contains(&fee),
        "{fee} instead of {wanted}"
    );
    assert_eq!(world.miner.mempool().await.unwrap(), [third.txid]);

    let tip = world.await_tip(world.mine(1).await[0]).await;
    let script = foreign_output::<B>(AMOUNT).script;
    let seen = world.view(&watch(1, &script, &opening, since)).await;
    let conflict = seen.conflict.expect("an input is spent");
    assert_eq!(
        (conflict.at, decode::<B>(&conflict.tx).txid()),
        (Some(tip.height), third.txid)
    );
}

pub async fn a_dear_void_takes_more_inputs_of_the_opening_and_no_other_coin<B: Bench>(world: World<B>) {
    // one coin is kept from the opening, whose wallet might take more than it needs
    let (other, _) = world.opening(AMOUNT).await;
    assert_eq!(other.inputs.len(), 1);
    let amount = COIN * (COINS - 2) + AMOUNT;
    let opening = world.wallet.fund(&foreign_output::<B>(amount), B::RATE).await.unwrap();
    assert_eq!(opening.inputs.len() as u64, COINS - 1);
    world.wallet.keep_only(std::slice::from_ref(&opening)).await.unwrap();
    publish(&world, &opening.tx).await;
    let cheap = void(&world, &opening, None, B::RATE).await;
    assert_eq!(decode::<B>(&cheap.tx).spends().len(), 1, "one is enough");
    // one input is less than its own fee, even without change; elementsd sets aside what undiscounted bytes would cost
    let dearer = match B::Ledger::ASSET {
        Asset::Lbtc => 1000,
        Asset::Btc => 1500,
    };
    let rate = FeeRate(COIN.to_sat() * dearer / cheap.cost.discount_vsize);
    let dear = void(&world, &opening, None, rate).await;
    let spends = decode::<B>(&dear.tx).spends();
    assert!(spends.len() > 1, "{spends:?}");
    assert!(spends.iter().all(|spent| opening.inputs.contains(spent)), "{spends:?}");
    publish(&world, &dear.tx).await;
    assert_eq!(world.miner.mempool().await.unwrap(), [dear.txid]);
}

async fn standing<B: Bench>(world: &World<B>, txid: TxId) -> Option<u32> {
    world.adapter.standing_on(txid).await.unwrap()
}

pub async fn what_a_replacement_would_undo_is_counted<B: Bench>(world: World<B>) {
    let opening = waiting(&world).await;
    let id = opening.outpoint.txid;
    assert_eq!(standing(&world, id).await, Some(0));
    world.node.notice(id).await;
    let child = world.wallet.push(&opening, None, times::<B>(5)).await.unwrap();
    assert_eq!(standing(&world, child.txid).await, None, "it is not published");
    publish(&world, &child.tx).await;
    assert_eq!(
        (standing(&world, id).await, standing(&world, child.txid).await),
        (Some(1), Some(0))
    );
    // the wallet spends what the child left
    let left = OutPoint {
        txid: child.txid,
        vout: 0,
    };
    let spending = Opening {
        inputs: vec![left],
        ..opening.clone()
    };
    let further = void(&world, &spending, None, times::<B>(5)).await;
    publish(&world, &further.tx).await;
    assert_eq!(
        (standing(&world, id).await, standing(&world, child.txid).await),
        (Some(2), Some(1))
    );
    world.mine(1).await;
    assert_eq!(standing(&world, id).await, None, "a block holds it");
}

pub async fn an_output_that_a_reorg_takes_away_is_gone<B: Bench>(world: World<B>) {
    let gone = async |output: OutPoint| world.adapter.is_gone(output).await.unwrap();
    let opening = waiting(&world).await;
    let input = opening.inputs[0];
    assert!(!gone(input).await, "spent in the mempool only");
    let first = void(&world, &opening, None, B::RATE).await;
    let left = OutPoint {
        txid: first.txid,
        vout: 0,
    };
    assert!(gone(left).await, "its transaction is nowhere");
    publish(&world, &first.tx).await;
    assert!(!gone(left).await, "its transaction is in the mempool");
    let block = world.mine(1).await[0];
    assert!(
        !gone(left).await && gone(input).await,
        "a block has made the one and spent the other"
    );

    world.invalidate(block).await;
    world.await_mempool(&first.tx).await;
    assert!(!gone(left).await && !gone(input).await, "both wait for another block");
    let second = void(&world, &opening, Some(&first), times::<B>(5)).await;
    publish(&world, &second.tx).await;
    assert!(gone(left).await && !gone(input).await, "its transaction is replaced");
    world.mine(1).await;
    assert!(gone(left).await && gone(input).await);
}

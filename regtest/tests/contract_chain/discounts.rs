//! What only Liquid has: confidential openings, and nodes that treat discounts in other ways.

use bitcoin::Amount;
use elements::secp256k1_zkp::Secp256k1;
use sluice::chain::elementsd::Liquid;
use sluice::ports::{Chain, Wallet};
use sluice::units::FeeRate;

use crate::bench::Bench;
use crate::liquid::{BLINDING_SECRET, RealElementsd};
use crate::world::{World, decode, foreign_output};

const AMOUNT: Amount = Amount::from_sat(200_000);
const RATE: FeeRate = RealElementsd::RATE;

async fn world(options: &[&str]) -> Option<World<RealElementsd>> {
    World::on(RealElementsd::with(options).await?).await
}

pub async fn an_opening_is_confidential<B: Bench<Ledger = Liquid>>(world: World<B>) {
    let output = foreign_output::<B>(AMOUNT);
    let opening = world.adapter.fund(&output, RATE).await.unwrap();
    let tx = decode::<B>(&opening.tx);
    let paid = &tx.output[opening.outpoint.vout as usize];
    let key = elements::secp256k1_zkp::SecretKey::from_slice(&BLINDING_SECRET).unwrap();
    let secrets = paid
        .unblind(&Secp256k1::new(), key)
        .expect("blinded to the key that was given");
    let asset = world.adapter.policy_asset();
    assert_eq!((secrets.value, secrets.asset), (AMOUNT.to_sat(), asset));
    assert!(
        tx.output
            .iter()
            .all(|output| output.is_fee() || output.value.is_confidential())
    );
    assert_eq!(opening.cost.fee.to_sat(), tx.fee_in(asset));
    let sizes = (tx.vsize() as u64, tx.discount_vsize() as u64);
    assert_eq!((opening.cost.vsize, opening.cost.discount_vsize), sizes);
}

/// As on Liquid itself: the node accepts discounts, and its wallet pays for the full size all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wallet_that_ignores_the_discount_does_not_overpay() {
    let Some(world) = world(&["-acceptdiscountct=1", "-creatediscountct=0"]).await else {
        return;
    };
    assert!(world.adapter.info().await.unwrap().discount);
    let opening = world
        .adapter
        .fund(&foreign_output::<RealElementsd>(AMOUNT), RATE)
        .await
        .unwrap();
    let cost = opening.cost;
    assert!(cost.fee <= RATE.fee(cost.discount_vsize + 2), "{cost:?}");
    world
        .adapter
        .broadcast(&opening.tx)
        .await
        .expect("the node takes it at that fee");
    world.mine(1).await;
    assert_eq!(world.adapter.balance().await.unwrap().locked, Amount::ZERO);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_discount_is_not_accepted_the_full_size_is_paid_for() {
    let Some(world) = world(&["-acceptdiscountct=0", "-creatediscountct=0"]).await else {
        return;
    };
    assert!(!world.adapter.info().await.unwrap().discount);
    let opening = world
        .adapter
        .fund(&foreign_output::<RealElementsd>(AMOUNT), RATE)
        .await
        .unwrap();
    let cost = opening.cost;
    assert!(
        (RATE.fee(cost.vsize)..=RATE.fee(cost.vsize + 4)).contains(&cost.fee),
        "{cost:?}"
    );
    world
        .adapter
        .broadcast(&opening.tx)
        .await
        .expect("the node takes it at that fee");
}

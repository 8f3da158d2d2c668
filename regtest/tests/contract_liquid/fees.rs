//! How openings are priced on nodes that treat discounts in other ways. Only a real node has these switches.

use bitcoin::Amount;
use sluice::ports::{Chain, Wallet};

use crate::node::Node;
use crate::world::{RATE, World, foreign_output};

const AMOUNT: Amount = Amount::from_sat(200_000);

async fn world(options: &[&str]) -> Option<World> {
    World::on(Node::real(options).await?).await
}

/// As on Liquid itself: the node accepts discounts, and its wallet pays for the full size all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wallet_that_ignores_the_discount_does_not_overpay() {
    let Some(world) = world(&["-acceptdiscountct=1", "-creatediscountct=0"]).await else {
        return;
    };
    assert!(world.adapter.info().await.unwrap().discount);
    let opening = world.adapter.fund(&foreign_output(AMOUNT).0, RATE).await.unwrap();
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
    let opening = world.adapter.fund(&foreign_output(AMOUNT).0, RATE).await.unwrap();
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

use std::time::Duration;

use sluice::units::{Msat, PaymentHash};
use sluice_regtest::lightning::proto::invoicesrpc::CancelInvoiceMsg;
use sluice_regtest::lightning::proto::lnrpc::failure::FailureCode;
use sluice_regtest::lightning::proto::lnrpc::invoice::InvoiceState;
use sluice_regtest::lightning::proto::lnrpc::payment::PaymentStatus;
use sluice_regtest::lightning::proto::lnrpc::{Payment, PaymentFailureReason};
use sluice_regtest::lightning::proto::routerrpc::TrackPaymentRequest;
use sluice_regtest::lightning::{Hold, HoldAt, Node, NotHeld, Release};
use tokio::task::JoinHandle;
use tonic::{Code, Status};

use crate::client::Client;
use crate::pair::{World, all, billed, channel, lookup, pay, payment, preimage, refusal};

const AMOUNT: Msat = Msat(1_000_000_500);

/// A payment from alice to bob that has begun.
struct Begun {
    hash: PaymentHash,
    bolt11: String,
    alice: Client,
    bob: Client,
    outcome: JoinHandle<Result<Payment, Status>>,
}

async fn begin(world: &World) -> Begun {
    let (alice, bob) = (World::client(&world.alice).await, World::client(&world.bob).await);
    let (hash, bolt11) = billed(&bob, 1_000_000_500).await;
    let request = payment(&bolt11, world.scid.0);
    let payer = alice.clone();
    let outcome = tokio::spawn(async move { pay(&payer, request).await });
    Begun {
        hash,
        bolt11,
        alice,
        bob,
        outcome,
    }
}

fn balances(world: &World) -> (Msat, Msat) {
    let local = |node: &Node| node.channel(world.scid).unwrap().local;
    (local(&world.alice), local(&world.bob))
}

#[tokio::test]
async fn an_htlc_held_on_the_wire_is_in_flight_and_its_invoice_open() {
    let world = World::new().await;
    let before = balances(&world);
    world.network.hold(Hold::all(HoldAt::Wire));
    let begun = begin(&world).await;
    let held = world.network.wait_held(begun.hash).await;
    assert_eq!(
        (held.payer, held.payee, held.amount),
        (world.alice.id(), world.bob.id(), AMOUNT)
    );
    assert_eq!(
        lookup(&begun.bob, begun.hash).await.unwrap().state(),
        InvoiceState::Open
    );
    assert_eq!(world.alice.payments()[0].status, PaymentStatus::InFlight);
    let shown = channel(&begun.alice).await;
    assert_eq!((shown.unsettled_balance, shown.pending_htlcs.len()), (1_000_000, 1));
    assert!(!shown.pending_htlcs[0].incoming && channel(&begun.bob).await.pending_htlcs[0].incoming);
    let again = refusal(pay(&begun.alice, payment(&begun.bolt11, world.scid.0)).await);
    assert_eq!(again, (Code::AlreadyExists, "payment is in transition".into()));

    world.network.release(begun.hash, Release::Settle).unwrap();
    assert_eq!(begun.outcome.await.unwrap().unwrap().status(), PaymentStatus::Succeeded);
    let after = balances(&world);
    assert_eq!((before.0.0 - after.0.0, after.1.0 - before.1.0), (AMOUNT.0, AMOUNT.0));
    assert_eq!(world.network.htlcs_sent(begun.hash), 1);
}

#[tokio::test]
async fn an_invoice_that_holds_its_htlc_is_accepted_and_canceling_gives_it_back() {
    let world = World::new().await;
    let before = balances(&world);
    world.network.hold(Hold::payee(world.bob.id(), HoldAt::Invoice));
    let begun = begin(&world).await;
    world.network.wait_held(begun.hash).await;
    assert_eq!(
        lookup(&begun.bob, begun.hash).await.unwrap().state(),
        InvoiceState::Accepted
    );
    let cancel = CancelInvoiceMsg {
        payment_hash: begun.hash.0.to_vec(),
    };
    begun.bob.invoices.clone().cancel_invoice(cancel).await.unwrap();
    let failed = begun.outcome.await.unwrap().unwrap();
    assert_eq!(
        failed.failure_reason(),
        PaymentFailureReason::FailureReasonIncorrectPaymentDetails
    );
    assert_eq!(
        lookup(&begun.bob, begun.hash).await.unwrap().state(),
        InvoiceState::Canceled
    );
    assert_eq!(balances(&world), before);
}

#[tokio::test]
async fn an_accepted_invoice_settles_when_released() {
    let world = World::new().await;
    world.network.hold(Hold::channel(world.scid, HoldAt::Invoice));
    let begun = begin(&world).await;
    world.network.wait_held(begun.hash).await;
    world.bob.expire_invoice(begun.hash);
    world.network.release(begun.hash, Release::Settle).unwrap();
    assert_eq!(begun.outcome.await.unwrap().unwrap().status(), PaymentStatus::Succeeded);
    assert_eq!(world.bob.invoices()[0].state, InvoiceState::Settled);
    assert_eq!(world.bob.invoices()[0].paid, AMOUNT);
}

#[tokio::test]
async fn a_canceled_invoice_is_not_paid_by_an_htlc_that_was_on_the_wire() {
    let world = World::new().await;
    world.network.hold(Hold::all(HoldAt::Wire));
    let begun = begin(&world).await;
    world.network.wait_held(begun.hash).await;
    let cancel = CancelInvoiceMsg {
        payment_hash: begun.hash.0.to_vec(),
    };
    begun.bob.invoices.clone().cancel_invoice(cancel).await.unwrap();
    world.network.release(begun.hash, Release::Settle).unwrap();
    assert_eq!(begun.outcome.await.unwrap().unwrap().status(), PaymentStatus::Failed);
    assert_eq!(world.bob.invoices()[0].state, InvoiceState::Canceled);
}

#[tokio::test]
async fn a_failed_payment_may_be_sent_again() {
    let world = World::new().await;
    let hold = world.network.hold(Hold::all(HoldAt::Wire));
    let begun = begin(&world).await;
    world.network.wait_held(begun.hash).await;
    world
        .network
        .release(begun.hash, Release::Fail(FailureCode::TemporaryNodeFailure))
        .unwrap();
    let failed = begun.outcome.await.unwrap().unwrap();
    assert_eq!(failed.failure_reason(), PaymentFailureReason::FailureReasonError);
    world.network.lift(hold);
    let paid = pay(&begun.alice, payment(&begun.bolt11, world.scid.0)).await.unwrap();
    assert_eq!(paid.status(), PaymentStatus::Succeeded);
    assert_eq!(world.network.htlcs_sent(begun.hash), 2);
}

#[tokio::test]
async fn a_payment_goes_on_when_its_caller_is_gone() {
    let world = World::new().await;
    world.network.hold(Hold::all(HoldAt::Wire));
    let begun = begin(&world).await;
    world.network.wait_held(begun.hash).await;
    begun.outcome.abort();
    world.network.release(begun.hash, Release::Settle).unwrap();
    let track = TrackPaymentRequest {
        payment_hash: begun.hash.0.to_vec(),
        no_inflight_updates: true,
    };
    let updates = all(begun
        .alice
        .router
        .clone()
        .track_payment_v2(track)
        .await
        .unwrap()
        .into_inner())
    .await
    .unwrap();
    assert_eq!(
        updates.iter().map(Payment::status).collect::<Vec<_>>(),
        [PaymentStatus::Succeeded]
    );
}

#[tokio::test]
async fn only_htlcs_that_fit_every_condition_are_held() {
    let world = World::new().await;
    let stranger = preimage().hash();
    world.network.hold(Hold::hash(stranger, HoldAt::Wire));
    world.network.hold(Hold::payee(world.alice.id(), HoldAt::Wire));
    let begun = begin(&world).await;
    assert_eq!(begun.outcome.await.unwrap().unwrap().status(), PaymentStatus::Succeeded);
    assert_eq!(world.network.release(stranger, Release::Settle), Err(NotHeld(stranger)));
    assert_eq!(world.network.held(), []);
}

#[tokio::test]
async fn of_many_calls_for_one_hash_one_pays() {
    let world = World::new().await;
    let (alice, bob) = (World::client(&world.alice).await, World::client(&world.bob).await);
    let (hash, bolt11) = billed(&bob, 1_000_000).await;
    let calls = (0..16).map(|_| {
        let (alice, request) = (alice.clone(), payment(&bolt11, world.scid.0));
        tokio::spawn(async move { pay(&alice, request).await })
    });
    let mut paid = 0;
    for call in calls.collect::<Vec<_>>() {
        match call.await.unwrap() {
            Ok(payment) => {
                assert_eq!(payment.status(), PaymentStatus::Succeeded);
                paid += 1;
            }
            Err(status) => assert_eq!(status.code(), Code::AlreadyExists),
        }
    }
    assert_eq!((paid, world.network.htlcs_sent(hash)), (1, 1));
}

#[tokio::test]
async fn a_payment_takes_the_latency_of_the_network() {
    let world = World::new().await;
    world.network.set_latency(Duration::from_millis(150));
    let started = std::time::Instant::now();
    let begun = begin(&world).await;
    begun.outcome.await.unwrap().unwrap();
    assert!(started.elapsed() >= Duration::from_millis(150));
}

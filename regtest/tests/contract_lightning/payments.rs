//! Payments: at most one HTLC per hash, and no answer is never an answer.

use std::sync::Arc;
use std::time::Duration;

use bitcoin::Amount;
use sluice::ports::{InvoiceSpec, PaymentSpec, PortError};
use sluice::swap::event::{Failure, PaymentStatus};
use sluice::units::{CltvDelta, Msat, PaymentHash, Preimage, Scid};

use crate::bench::{Bench, FINAL_CLTV, MAX_CLTV, Two, eventually, invoice_spec, new_preimage, sat, within};

async fn assert_refused(two: &Two, spec: &PaymentSpec, why: &str) {
    match two.payer.ensure_payment(spec).await {
        Err(PortError::Refused(text)) => assert!(text.contains(why), "{text}"),
        other => panic!("expected a refusal with `{why}`, got {other:?}"),
    }
    assert_eq!(two.status(spec.hash).await, PaymentStatus::Absent);
}

pub async fn a_payment_settles(bench: &mut dyn Bench) {
    let two = Two::of(bench);
    two.wait_quiet().await;
    let before = two.payer_channel().await;
    let (preimage, spec) = two.invoice(sat(50_000)).await;
    let began = std::time::Instant::now();
    assert_eq!(two.pay(&spec).await, PaymentStatus::Paid(preimage.clone()));
    eprintln!("  paid in {} ms", began.elapsed().as_millis());
    assert_eq!(two.status(spec.hash).await, PaymentStatus::Paid(preimage.clone()));
    assert_eq!(
        two.payer.await_payment(spec.hash).await.unwrap(),
        PaymentStatus::Paid(preimage)
    );
    eventually("the money at the other end", async || {
        two.payer_channel().await.remote == before.remote + Amount::from_sat(50_000)
    })
    .await;
}

pub async fn paying_again_pays_once(bench: &mut dyn Bench) {
    let two = Two::of(bench);
    let (preimage, spec) = two.invoice(sat(10_000)).await;
    for _ in 0..3 {
        assert_eq!(two.pay(&spec).await, PaymentStatus::Paid(preimage.clone()));
    }
    assert_eq!(bench.htlcs_sent(spec.hash).await, 1);
    // Also by who has lost all but the hash.
    let stripped = PaymentSpec {
        bolt11: "lost".into(),
        scid: Scid(1),
        ..spec
    };
    assert_eq!(two.pay(&stripped).await, PaymentStatus::Paid(preimage));
}

pub async fn a_payment_in_flight_is_joined_not_repeated(bench: &mut dyn Bench) {
    let two = Two::of(bench);
    let preimage = new_preimage();
    let Some(bolt11) = bench.held_invoice(&preimage, sat(10_000)).await else {
        return;
    };
    let brief = PaymentSpec {
        time_limit: Duration::from_secs(1),
        ..two.payment(bolt11, &preimage, sat(10_000))
    };
    for _ in 0..2 {
        assert_eq!(two.pay(&brief).await, PaymentStatus::InFlight);
    }
    bench.wait_held(brief.hash).await;
    let patient = PaymentSpec {
        time_limit: Duration::from_secs(20),
        ..brief.clone()
    };
    let joined = two.pay(&patient);
    let settling = async {
        bench.settle(&preimage).await;
    };
    let (end, ()) = tokio::join!(joined, settling);
    assert_eq!(end, PaymentStatus::Paid(preimage));
    assert_eq!(bench.htlcs_sent(brief.hash).await, 1);
    two.wait_quiet().await;
}

pub async fn two_calls_at_once_make_one_htlc(bench: &mut dyn Bench) {
    let two = Two::of(bench);
    for _ in 0..5 {
        let (preimage, spec) = two.invoice(sat(10_000)).await;
        let (one, other) = tokio::join!(two.pay(&spec), two.pay(&spec));
        assert_eq!(
            (&one, &other),
            (&PaymentStatus::Paid(preimage.clone()), &PaymentStatus::Paid(preimage))
        );
        assert_eq!(bench.htlcs_sent(spec.hash).await, 1);
    }
}

/// Begins a payment that will be held, and returns once it is.
async fn begin_held(
    bench: &mut dyn Bench,
    two: &Arc<Two>,
    spec: PaymentSpec,
) -> tokio::task::JoinHandle<Result<PaymentStatus, PortError>> {
    let (paying, hash) = (Arc::clone(two), spec.hash);
    let call = tokio::spawn(async move { paying.payer.ensure_payment(&spec).await });
    bench.wait_held(hash).await;
    call
}

pub async fn a_held_htlc_stays_in_flight_until_it_settles(bench: &mut dyn Bench) {
    let two = Arc::new(Two::of(bench));
    let preimage = new_preimage();
    let Some(bolt11) = bench.held_invoice(&preimage, sat(20_000)).await else {
        return;
    };
    two.wait_quiet().await;
    let before = two.payer_channel().await.spendable;
    let call = begin_held(bench, &two, two.payment(bolt11, &preimage, sat(20_000))).await;
    assert_eq!(two.status(preimage.hash()).await, PaymentStatus::InFlight);
    assert!(two.payer_channel().await.spendable <= before - Amount::from_sat(20_000));
    let waiting = Arc::clone(&two);
    let hash = preimage.hash();
    let waiter = tokio::spawn(async move { waiting.payer.await_payment(hash).await });
    bench.settle(&preimage).await;
    assert_eq!(
        within("the payment", call).await.unwrap().unwrap(),
        PaymentStatus::Paid(preimage.clone())
    );
    assert_eq!(
        within("the payment", waiter).await.unwrap().unwrap(),
        PaymentStatus::Paid(preimage)
    );
    two.wait_quiet().await;
}

pub async fn a_held_htlc_that_fails_was_not_paid(bench: &mut dyn Bench) {
    let two = Arc::new(Two::of(bench));
    let preimage = new_preimage();
    let Some(bolt11) = bench.held_invoice(&preimage, sat(20_000)).await else {
        return;
    };
    let call = begin_held(bench, &two, two.payment(bolt11, &preimage, sat(20_000))).await;
    bench.fail(preimage.hash()).await;
    assert_eq!(
        within("the payment", call).await.unwrap().unwrap(),
        PaymentStatus::Failed(Failure::WrongDetails)
    );
    assert_eq!(
        two.status(preimage.hash()).await,
        PaymentStatus::Failed(Failure::WrongDetails)
    );
    two.wait_quiet().await;
}

pub async fn an_unknown_payment_is_absent(bench: &mut dyn Bench) {
    let two = Two::of(bench);
    let hash = PaymentHash(rand::random());
    assert_eq!(two.status(hash).await, PaymentStatus::Absent);
    assert_eq!(two.payer.await_payment(hash).await.unwrap(), PaymentStatus::Absent);
}

pub async fn what_a_process_before_may_have_begun_is_not_absent_at_once(bench: &mut dyn Bench) {
    let two = Two::of(bench);
    let hash = PaymentHash(rand::random());
    match two.payer.await_payment(hash).await {
        Err(PortError::Unreachable(why)) => assert!(why.contains("may not have read yet"), "{why}"),
        other => panic!("expected no word that counts, got {other:?}"),
    }
    assert_eq!(two.status(hash).await, PaymentStatus::Absent);
    let other = PaymentHash(rand::random());
    assert_eq!(two.payer.payment_status(other).await.unwrap(), PaymentStatus::Absent);
}

/// Sends money back so that the payer has it again.
async fn pay_back(two: &Two, amount: Msat) {
    two.wait_quiet().await;
    let (preimage, spec) = two.back(amount).await;
    let paid = within("the payment back", two.payee.ensure_payment(&spec)).await;
    assert_eq!(paid.unwrap(), PaymentStatus::Paid(preimage));
    two.wait_quiet().await;
}

pub async fn more_than_the_channel_has_fails_and_can_be_paid_later(bench: &mut dyn Bench) {
    let two = Two::of(bench);
    two.wait_quiet().await;
    let too_much = two.payer_channel().await.spendable + Amount::from_sat(5_000);
    let (preimage, spec) = two.invoice(Msat::from_amount(too_much).unwrap()).await;
    assert_eq!(two.pay(&spec).await, PaymentStatus::Failed(Failure::NoBalance));
    assert_eq!(bench.htlcs_sent(spec.hash).await, 0);
    pay_back(&two, sat(50_000)).await;
    assert_eq!(two.pay(&spec).await, PaymentStatus::Paid(preimage));
    pay_back(&two, spec.amount).await;
}

pub async fn all_that_is_spendable_can_be_sent(bench: &mut dyn Bench) {
    let two = Two::of(bench);
    two.wait_quiet().await;
    let all = two.payer_channel().await.spendable;
    let (preimage, spec) = two.invoice(Msat::from_amount(all).unwrap()).await;
    assert_eq!(two.pay(&spec).await, PaymentStatus::Paid(preimage));
    pay_back(&two, spec.amount).await;
}

pub async fn an_htlc_that_lives_too_long_is_refused(bench: &mut dyn Bench) {
    let two = Two::of(bench);
    let preimage = new_preimage();
    let long = InvoiceSpec {
        final_cltv: Some(CltvDelta(30)),
        ..invoice_spec(&preimage, sat(10_000))
    };
    let bolt11 = two.payee.ensure_invoice(&long).await.unwrap();
    let spec = two.payment(bolt11, &preimage, sat(10_000));
    assert_refused(&two, &spec, "would expire in 33 blocks, which must be less than 33").await;
    let unlimited = PaymentSpec { max_cltv: None, ..spec };
    assert_eq!(two.pay(&unlimited).await, PaymentStatus::Paid(preimage));
}

pub async fn an_htlc_expires_three_blocks_after_what_its_invoice_wants(bench: &mut dyn Bench) {
    let two = Two::of(bench);
    let preimage = new_preimage();
    let Some(bolt11) = bench.held_invoice(&preimage, sat(10_000)).await else {
        return;
    };
    let spec = two.payment(bolt11, &preimage, sat(10_000));
    let height = two.payer.info().await.unwrap().block_height;
    let paying = two.pay(&spec);
    let holding = async {
        let expiry = bench.wait_held(spec.hash).await;
        bench.settle(&preimage).await;
        expiry
    };
    let (paid, expiry) = tokio::join!(paying, holding);
    assert_eq!(paid, PaymentStatus::Paid(preimage.clone()));
    // Room for blocks that only the payee has seen; and less than the limit.
    assert_eq!(expiry, height + FINAL_CLTV.0 + 3);
    assert!(expiry < height + MAX_CLTV.0);
    two.wait_quiet().await;
}

pub async fn another_channel_than_the_payee_s_is_refused(bench: &mut dyn Bench) {
    let two = Two::of(bench);
    let (_, spec) = two.invoice(sat(10_000)).await;
    let nowhere = PaymentSpec {
        scid: Scid(1 << 40 | 1 << 16),
        ..spec
    };
    assert_refused(&two, &nowhere, "no channel 1x1x0 with the invoice's payee").await;
    let preimage = new_preimage();
    let own = two
        .payer
        .ensure_invoice(&invoice_spec(&preimage, sat(10_000)))
        .await
        .unwrap();
    assert_refused(
        &two,
        &two.payment(own, &preimage, sat(10_000)),
        "with the invoice's payee",
    )
    .await;
}

pub async fn other_details_than_the_invoice_s_are_refused(bench: &mut dyn Bench) {
    let two = Two::of(bench);
    let (_, spec) = two.invoice(sat(10_000)).await;
    let more = PaymentSpec {
        amount: sat(10_001),
        ..spec.clone()
    };
    assert_refused(&two, &more, "asks for 10000000 msat").await;
    let other = PaymentSpec {
        hash: PaymentHash([9; 32]),
        ..spec.clone()
    };
    assert_refused(&two, &other, "is locked to").await;
    let nonsense = PaymentSpec {
        bolt11: "lnbcrt1".into(),
        ..spec
    };
    assert_refused(&two, &nonsense, "not a bolt 11 invoice").await;
}

pub async fn an_inactive_channel_is_not_a_failed_payment(bench: &mut dyn Bench) {
    let two = Two::of(bench);
    let (preimage, spec) = two.invoice(sat(10_000)).await;
    bench.disconnect().await;
    eventually("an inactive channel", async || !two.payer_channel().await.active).await;
    let away = two.payer.ensure_payment(&spec).await;
    assert!(matches!(away, Err(PortError::Unreachable(_))), "{away:?}");
    assert_eq!(two.status(spec.hash).await, PaymentStatus::Absent);
    bench.reconnect().await;
    two.wait_active().await;
    assert_eq!(two.pay(&spec).await, PaymentStatus::Paid(preimage));
}

pub async fn a_payer_that_goes_away_in_the_middle_knows_its_payment_later(bench: &mut dyn Bench) {
    let two = Arc::new(Two::of(bench));
    let preimage = new_preimage();
    let Some(bolt11) = bench.held_invoice(&preimage, sat(20_000)).await else {
        return;
    };
    let spec = two.payment(bolt11, &preimage, sat(20_000));
    let call = begin_held(bench, &two, spec.clone()).await;
    let (waiting, hash) = (Arc::clone(&two), preimage.hash());
    let waiter = tokio::spawn(async move { waiting.payer.await_payment(hash).await });
    bench.payer_away().await;
    for broken in [call, waiter] {
        let broken = within("the broken call", broken).await.unwrap();
        assert!(matches!(broken, Err(PortError::Unreachable(_))), "{broken:?}");
    }
    assert!(matches!(
        two.payer.ensure_payment(&spec).await,
        Err(PortError::Unreachable(_))
    ));
    bench.payer_back().await;
    eventually("the node to answer again", async || {
        two.payer.payment_status(hash).await.is_ok()
    })
    .await;
    assert_eq!(two.status(hash).await, PaymentStatus::InFlight);
    bench.settle(&preimage).await;
    let end = within("the payment", two.payer.ensure_payment(&spec)).await.unwrap();
    assert_eq!(end, PaymentStatus::Paid(preimage));
    assert_eq!(bench.htlcs_sent(hash).await, 1);
    two.wait_active().await;
    two.wait_quiet().await;
}

/// Begins a payment while the payee stands still: its HTLC stays on its way.
async fn begin_before_a_halted_payee(bench: &mut dyn Bench, two: &Two) -> (Preimage, PaymentSpec) {
    two.wait_active().await;
    two.wait_quiet().await;
    let (preimage, spec) = two.invoice(sat(20_000)).await;
    bench.payee_halts().await;
    let brief = PaymentSpec {
        time_limit: Duration::from_secs(1),
        ..spec.clone()
    };
    assert_eq!(two.pay(&brief).await, PaymentStatus::InFlight);
    assert_eq!(two.status(spec.hash).await, PaymentStatus::InFlight);
    (preimage, spec)
}

pub async fn a_payee_that_stands_still_leaves_the_payment_in_flight(bench: &mut dyn Bench) {
    let two = Two::of(bench);
    let (preimage, spec) = begin_before_a_halted_payee(bench, &two).await;
    bench.payee_goes_on().await;
    assert_eq!(two.pay(&spec).await, PaymentStatus::Paid(preimage));
    assert_eq!(bench.htlcs_sent(spec.hash).await, 1);
    two.wait_quiet().await;
}

pub async fn a_payee_that_dies_in_the_middle_is_paid_when_it_is_back(bench: &mut dyn Bench) {
    let two = Two::of(bench);
    let (preimage, spec) = begin_before_a_halted_payee(bench, &two).await;
    bench.payee_away().await;
    eventually("an inactive channel", async || !two.payer_channel().await.active).await;
    assert_eq!(two.status(spec.hash).await, PaymentStatus::InFlight);
    bench.payee_back().await;
    assert_eq!(two.pay(&spec).await, PaymentStatus::Paid(preimage));
    assert_eq!(bench.htlcs_sent(spec.hash).await, 1);
    eventually("the payee to answer again", async || two.payee.info().await.is_ok()).await;
    two.wait_active().await;
    two.wait_quiet().await;
}

pub async fn a_channel_is_found_by_its_alias(bench: &mut dyn Bench) {
    let two = Two::of(bench);
    let (scid, alias) = bench.aliased().await;
    let channel = two
        .payer
        .channels()
        .await
        .unwrap()
        .into_iter()
        .find(|channel| channel.scid == scid)
        .unwrap();
    assert!(channel.aliases.contains(&alias), "{channel:?}");
    for name in [scid, alias] {
        let (preimage, spec) = two.invoice(sat(10_000)).await;
        let before = two.payer.channels().await.unwrap();
        let named = PaymentSpec { scid: name, ..spec };
        assert_eq!(two.pay(&named).await, PaymentStatus::Paid(preimage));
        let local = |channels: &[sluice::ports::Channel]| channels.iter().find(|c| c.scid == scid).unwrap().local;
        eventually("the money to leave that channel", async || {
            local(&two.payer.channels().await.unwrap()) < local(&before)
        })
        .await;
    }
}

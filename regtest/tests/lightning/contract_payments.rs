use bitcoin::hashes::Hash;
use lightning_invoice::Bolt11Invoice;
use sluice::units::PaymentHash;
use sluice_regtest::lightning::proto::invoicesrpc::CancelInvoiceMsg;
use sluice_regtest::lightning::proto::lnrpc::htlc_attempt::HtlcStatus;
use sluice_regtest::lightning::proto::lnrpc::payment::PaymentStatus;
use sluice_regtest::lightning::proto::lnrpc::{Payment, PaymentFailureReason};
use sluice_regtest::lightning::proto::routerrpc::{SendPaymentRequest, TrackPaymentRequest};
use tonic::{Code, Status};

use crate::client::Client;
use crate::pair::{Pair, all, billed, channel, info, invoice, lookup, pay, payment, preimage, refusal};

async fn updates(payer: &Client, request: SendPaymentRequest) -> Vec<Payment> {
    all(payer
        .router
        .clone()
        .send_payment_v2(request)
        .await
        .unwrap()
        .into_inner())
    .await
    .unwrap()
}

async fn track(payer: &Client, hash: PaymentHash) -> Result<Vec<Payment>, Status> {
    let request = TrackPaymentRequest {
        payment_hash: hash.0.to_vec(),
        no_inflight_updates: false,
    };
    all(payer.router.clone().track_payment_v2(request).await?.into_inner()).await
}

fn statuses(updates: &[Payment]) -> Vec<PaymentStatus> {
    updates.iter().map(Payment::status).collect()
}

#[tokio::test]
async fn a_payment_moves_exactly_its_amount_and_yields_the_preimage() {
    let pair = Pair::new().await;
    let before = settled_balance(&pair.payer).await;
    let preimage = preimage();
    let added = pair
        .payee
        .lightning
        .clone()
        .add_invoice(invoice(&preimage, 123_456_000))
        .await
        .unwrap();
    let updates = updates(&pair.payer, payment(&added.into_inner().payment_request, pair.scid)).await;
    let in_flight = PaymentStatus::InFlight;
    assert_eq!(statuses(&updates), [in_flight, in_flight, PaymentStatus::Succeeded]);
    assert_eq!(updates[0].payment_preimage, "00".repeat(32));
    let last = updates.last().unwrap();
    assert_eq!(last.payment_preimage, hex::encode(preimage.expose()));
    assert_eq!((last.value_msat, last.fee_msat), (123_456_000, 0));
    let htlc = &last.htlcs[0];
    assert_eq!(
        (htlc.status(), htlc.preimage.as_slice()),
        (HtlcStatus::Succeeded, &preimage.expose()[..])
    );
    assert_eq!(htlc.route.as_ref().unwrap().hops[0].chan_id, pair.scid);
    let after = settled_balance(&pair.payer).await;
    assert_eq!(before - after, 123_456);
}

/// The balance once the HTLC left the commitment, a moment after the preimage came.
async fn settled_balance(client: &Client) -> i64 {
    loop {
        let channel = channel(client).await;
        if channel.pending_htlcs.is_empty() {
            return channel.local_balance;
        }
    }
}

#[tokio::test]
async fn a_paid_hash_is_never_paid_again() {
    let pair = Pair::new().await;
    let (hash, text) = billed(&pair.payee, 1_000_000).await;
    let paid = pay(&pair.payer, payment(&text, pair.scid)).await.unwrap();
    let refused = refusal(pay(&pair.payer, payment(&text, pair.scid)).await);
    assert_eq!(refused, (Code::AlreadyExists, "invoice is already paid".into()));
    let tracked = track(&pair.payer, hash).await.unwrap();
    assert!(tracked == [paid]);
}

#[tokio::test]
async fn only_the_last_state_comes_when_asked_so() {
    let pair = Pair::new().await;
    let (_, text) = billed(&pair.payee, 1_000_000).await;
    let request = SendPaymentRequest {
        no_inflight_updates: true,
        ..payment(&text, pair.scid)
    };
    assert_eq!(
        statuses(&updates(&pair.payer, request).await),
        [PaymentStatus::Succeeded]
    );
}

#[tokio::test]
async fn an_htlc_ends_three_blocks_after_the_final_delta() {
    let pair = Pair::new().await;
    let height = info(&pair.payer).await.block_height;
    let (hash, text) = billed(&pair.payee, 1_000_000).await;
    let paid = pay(&pair.payer, payment(&text, pair.scid)).await.unwrap();
    assert_eq!(paid.htlcs[0].route.as_ref().unwrap().total_time_lock, height + 29 + 3);
    let received = lookup(&pair.payee, hash).await.unwrap();
    assert_eq!(received.htlcs[0].expiry_height.cast_unsigned(), height + 29 + 3);
}

#[tokio::test]
async fn the_cltv_limit_must_leave_a_block_above_delta_and_padding() {
    let pair = Pair::new().await;
    let (hash, text) = billed(&pair.payee, 1_000_000).await;
    let with_limit = |cltv_limit| SendPaymentRequest {
        cltv_limit,
        ..payment(&text, pair.scid)
    };
    let refused = refusal(pay(&pair.payer, with_limit(32)).await);
    assert_eq!(
        refused,
        (Code::Unknown, "cltv limit 32 should be greater than 32".into())
    );
    let refused = refusal(pay(&pair.payer, with_limit(2_017)).await);
    assert_eq!(
        refused,
        (Code::Unknown, "total time lock of 2017 exceeds max allowed 2016".into())
    );
    assert_eq!(refusal(track(&pair.payer, hash).await).0, Code::NotFound);
    let paid = pay(&pair.payer, with_limit(33)).await.unwrap();
    assert_eq!(paid.status(), PaymentStatus::Succeeded);
}

#[tokio::test]
async fn without_balance_a_payment_fails_and_may_be_tried_again() {
    let pair = Pair::new().await;
    let (hash, text) = billed(&pair.payee, 9_800_000_000).await;
    for _ in 0..2 {
        let updates = updates(&pair.payer, payment(&text, pair.scid)).await;
        assert_eq!(statuses(&updates), [PaymentStatus::InFlight, PaymentStatus::Failed]);
        let last = updates.last().unwrap();
        assert_eq!(
            last.failure_reason(),
            PaymentFailureReason::FailureReasonInsufficientBalance
        );
        assert!(last.htlcs.is_empty());
    }
    assert_eq!(
        statuses(&track(&pair.payer, hash).await.unwrap()),
        [PaymentStatus::Failed]
    );
}

#[tokio::test]
async fn an_unknown_channel_has_no_balance() {
    let pair = Pair::new().await;
    let (_, text) = billed(&pair.payee, 1_000_000).await;
    let failed = pay(&pair.payer, payment(&text, 12_345)).await.unwrap();
    assert_eq!(
        failed.failure_reason(),
        PaymentFailureReason::FailureReasonInsufficientBalance
    );
    let paid = pay(&pair.payer, payment(&text, pair.scid)).await.unwrap();
    assert_eq!(paid.status(), PaymentStatus::Succeeded);
}

#[tokio::test]
async fn a_canceled_invoice_gives_the_htlc_back() {
    let pair = Pair::new().await;
    let (hash, text) = billed(&pair.payee, 1_000_000).await;
    let cancel = CancelInvoiceMsg {
        payment_hash: hash.0.to_vec(),
    };
    pair.payee.invoices.clone().cancel_invoice(cancel).await.unwrap();
    let before = settled_balance(&pair.payer).await;
    let updates = updates(&pair.payer, payment(&text, pair.scid)).await;
    let last = updates.last().unwrap();
    assert_eq!(last.status(), PaymentStatus::Failed);
    assert_eq!(
        last.failure_reason(),
        PaymentFailureReason::FailureReasonIncorrectPaymentDetails
    );
    assert_eq!(last.htlcs[0].status(), HtlcStatus::Failed);
    // Before the last update one says why and is still in flight: only the status decides.
    let reasons: Vec<_> = updates
        .iter()
        .map(|update| (update.status(), update.failure_reason()))
        .collect();
    let why = PaymentFailureReason::FailureReasonIncorrectPaymentDetails;
    assert!(reasons.contains(&(PaymentStatus::InFlight, why)), "{reasons:?}");
    // The attempt is forgotten a moment later.
    while !track(&pair.payer, hash).await.unwrap()[0].htlcs.is_empty() {}
    assert_eq!(
        statuses(&track(&pair.payer, hash).await.unwrap()),
        [PaymentStatus::Failed]
    );
    assert_eq!(settled_balance(&pair.payer).await, before);
}

#[tokio::test]
async fn a_payment_that_never_was_is_not_found() {
    let pair = Pair::new().await;
    let refused = refusal(track(&pair.payer, preimage().hash()).await);
    assert_eq!(refused, (Code::NotFound, "payment isn't initiated".into()));
    let short = TrackPaymentRequest {
        payment_hash: vec![1; 31],
        no_inflight_updates: false,
    };
    let refused = refusal(pair.payer.router.clone().track_payment_v2(short).await);
    assert_eq!(refused, (Code::Unknown, "invalid hash length of 31, want 32".into()));
}

#[tokio::test]
async fn the_initiator_can_pay_all_but_reserve_and_twice_a_grown_commitments_fee() {
    let pair = Pair::new().await;
    let channel = channel(&pair.payer).await;
    // Twice the fee of a commitment with two more HTLCs at 2,500 sat/kw: 2 x 3,670.
    let most = channel.local_balance + channel.commit_fee - 100_000 - 2 * 3_670;
    let (_, too_much) = billed(&pair.payee, most * 1_000 + 1).await;
    let failed = pay(&pair.payer, payment(&too_much, pair.scid)).await.unwrap();
    assert_eq!(
        failed.failure_reason(),
        PaymentFailureReason::FailureReasonInsufficientBalance
    );
    let (_, all_of_it) = billed(&pair.payee, most * 1_000).await;
    let paid = pay(&pair.payer, payment(&all_of_it, pair.scid)).await.unwrap();
    assert_eq!(paid.status(), PaymentStatus::Succeeded);
    let (_, back) = billed(&pair.payer, most * 1_000).await;
    let returned = pay(&pair.payee, payment(&back, pair.scid)).await.unwrap();
    assert_eq!(returned.status(), PaymentStatus::Succeeded);
}

#[tokio::test]
async fn what_cannot_be_paid_at_all_is_refused() {
    let pair = Pair::new().await;
    let (_, ours) = billed(&pair.payer, 1_000_000).await;
    let refused = refusal(pay(&pair.payer, payment(&ours, pair.scid)).await);
    assert_eq!(refused, (Code::Unknown, "self-payments not allowed".into()));
    let (_, open) = billed(&pair.payee, 0).await;
    let refused = refusal(pay(&pair.payer, payment(&open, pair.scid)).await);
    assert_eq!(
        refused,
        (
            Code::Unknown,
            "amount must be specified when paying a zero amount invoice".into()
        )
    );
    let (_, text) = billed(&pair.payee, 1_000_000).await;
    let both = SendPaymentRequest {
        fee_limit_sat: 1,
        fee_limit_msat: 1,
        ..payment(&text, pair.scid)
    };
    let refused = refusal(pay(&pair.payer, both).await);
    assert_eq!(
        refused,
        (Code::Unknown, "sat and msat arguments are mutually exclusive".into())
    );
    assert_eq!(
        refusal(pay(&pair.payer, payment("lnbcrt1nonsense", pair.scid)).await).0,
        Code::Unknown
    );
}

#[tokio::test]
async fn a_changed_invoice_pays_nothing() {
    let pair = Pair::new().await;
    let (hash, text) = billed(&pair.payee, 1_000_000).await;
    let invoice: Bolt11Invoice = text.parse().unwrap();
    assert_eq!(invoice.payment_hash().to_byte_array(), hash.0);
    let mut changed = text.into_bytes();
    let last = changed.last_mut().unwrap();
    *last = if *last == b'q' { b'p' } else { b'q' };
    let changed = String::from_utf8(changed).unwrap();
    assert_eq!(
        refusal(pay(&pair.payer, payment(&changed, pair.scid)).await).0,
        Code::Unknown
    );
    assert_eq!(refusal(track(&pair.payer, hash).await).0, Code::NotFound);
}

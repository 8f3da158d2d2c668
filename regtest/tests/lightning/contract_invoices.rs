use std::time::Duration;

use bitcoin::hashes::Hash;
use lightning_invoice::{Bolt11Invoice, Currency};
use sluice::units::PaymentHash;
use sluice_regtest::lightning::proto::invoicesrpc::{
    CancelInvoiceMsg, LookupInvoiceMsg, SubscribeSingleInvoiceRequest, lookup_invoice_msg::InvoiceRef,
};
use sluice_regtest::lightning::proto::lnrpc::invoice::InvoiceState;
use sluice_regtest::lightning::proto::lnrpc::{Invoice, InvoiceSubscription};
use tokio_stream::StreamExt;
use tonic::{Code, Status, Streaming};

use crate::client::Client;
use crate::pair::{Pair, all, billed, invoice, lookup, pay, payment, preimage, public_key, refusal, subscribed};

async fn cancel(client: &Client, hash: PaymentHash) -> Result<(), Status> {
    let request = CancelInvoiceMsg {
        payment_hash: hash.0.to_vec(),
    };
    client.invoices.clone().cancel_invoice(request).await.map(|_| ())
}

async fn watch(client: &Client, hash: PaymentHash) -> Streaming<Invoice> {
    let request = SubscribeSingleInvoiceRequest {
        r_hash: hash.0.to_vec(),
    };
    client
        .invoices
        .clone()
        .subscribe_single_invoice(request)
        .await
        .unwrap()
        .into_inner()
}

async fn add(client: &Client, invoice: Invoice) -> Result<String, Status> {
    Ok(client
        .lightning
        .clone()
        .add_invoice(invoice)
        .await?
        .into_inner()
        .payment_request)
}

#[tokio::test]
async fn an_invoice_says_what_was_asked_for() {
    let pair = Pair::new().await;
    let preimage = preimage();
    let text = add(&pair.payee, invoice(&preimage, 1_234_567)).await.unwrap();
    let read: Bolt11Invoice = text.parse().unwrap();
    assert_eq!(read.currency(), Currency::Regtest);
    assert_eq!(read.amount_milli_satoshis(), Some(1_234_567));
    assert_eq!(read.payment_hash().to_byte_array(), preimage.hash().0);
    assert_eq!(read.expiry_time(), Duration::from_secs(3_600));
    assert_eq!(read.min_final_cltv_expiry_delta(), 29);
    assert_eq!(read.description().to_string(), "a test");
    assert_eq!(
        read.recover_payee_pub_key().serialize().to_vec(),
        public_key(&pair.payee).await
    );
    assert!(read.route_hints().is_empty());
    // var_onion_optin 8, payment_secret 14, basic_mpp 17, route_blinding 25.
    let bits: u32 = 1 << 8 | 1 << 14 | 1 << 17 | 1 << 25;
    assert_eq!(read.features().unwrap().le_flags(), bits.to_le_bytes());
}

#[tokio::test]
async fn an_invoice_can_be_looked_up_by_hash_and_by_secret() {
    let pair = Pair::new().await;
    let preimage = preimage();
    let request = invoice(&preimage, 5_000_500);
    let added = pair
        .payee
        .lightning
        .clone()
        .add_invoice(request)
        .await
        .unwrap()
        .into_inner();
    let found = lookup(&pair.payee, preimage.hash()).await.unwrap();
    assert_eq!(found.state(), InvoiceState::Open);
    assert_eq!(found.r_preimage, preimage.expose());
    assert_eq!(
        (found.value, found.value_msat, found.amt_paid_msat),
        (5_000, 5_000_500, 0)
    );
    assert_eq!((found.expiry, found.cltv_expiry), (3_600, 29));
    assert_eq!(found.payment_request, added.payment_request);
    assert_eq!(
        (found.add_index, &found.payment_addr),
        (added.add_index, &added.payment_addr)
    );
    for by in [
        InvoiceRef::PaymentHash(preimage.hash().0.to_vec()),
        InvoiceRef::PaymentAddr(added.payment_addr),
    ] {
        let request = LookupInvoiceMsg { invoice_ref: Some(by) };
        let again = pair
            .payee
            .invoices
            .clone()
            .lookup_invoice_v2(request)
            .await
            .unwrap()
            .into_inner();
        assert!(again == found);
    }
}

#[tokio::test]
async fn what_is_left_out_gets_lnds_defaults() {
    let pair = Pair::new().await;
    let text = add(
        &pair.payee,
        Invoice {
            value: 10,
            ..Default::default()
        },
    )
    .await
    .unwrap();
    let read: Bolt11Invoice = text.parse().unwrap();
    assert_eq!(read.amount_milli_satoshis(), Some(10_000));
    assert_eq!(read.expiry_time(), Duration::from_secs(86_400));
    assert_eq!(read.min_final_cltv_expiry_delta(), 80);
}

#[tokio::test]
async fn a_hash_has_one_invoice() {
    let pair = Pair::new().await;
    let preimage = preimage();
    add(&pair.payee, invoice(&preimage, 1_000)).await.unwrap();
    let refused = refusal(add(&pair.payee, invoice(&preimage, 2_000)).await);
    assert_eq!(
        refused,
        (Code::Unknown, "invoice with payment hash already exists".into())
    );
}

/// Makes a good invoice a bad one.
type Spoil = fn(&mut Invoice);

#[tokio::test]
async fn an_invoice_that_makes_no_sense_is_refused() {
    let pair = Pair::new().await;
    let cases: [(Spoil, &str); 7] = [
        (
            |asked| asked.cltv_expiry = 17,
            "CLTV delta of 17 must be greater than minimum of 18",
        ),
        (
            |asked| asked.cltv_expiry = 70_000,
            "CLTV delta of 70000 is too large, max accepted is: 65535",
        ),
        (|asked| asked.value = 1, "sat and msat arguments are mutually exclusive"),
        (|asked| asked.value_msat = -1, "amount cannot be negative"),
        (
            |asked| asked.memo = "m".repeat(1_025),
            "memo too large: 1025 bytes (maxsize=1024)",
        ),
        (
            |asked| asked.expiry = 31_536_001,
            "expiry of 3.1536001e+07 seconds greater than max expiry of 3.1536e+07 seconds",
        ),
        (
            |asked| asked.r_preimage = vec![1; 31],
            "invalid preimage length of 31, want 32",
        ),
    ];
    for (spoil, expected) in cases {
        let mut asked = invoice(&preimage(), 1_000);
        spoil(&mut asked);
        assert_eq!(refusal(add(&pair.payee, asked).await), (Code::Unknown, expected.into()));
    }
}

#[tokio::test]
async fn an_unknown_invoice_is_not_found() {
    let pair = Pair::new().await;
    billed(&pair.payee, 1_000).await;
    let refused = refusal(lookup(&pair.payee, preimage().hash()).await);
    assert_eq!(refused, (Code::NotFound, "unable to locate invoice".into()));
}

#[tokio::test]
async fn canceling_is_final_and_may_be_repeated() {
    let pair = Pair::new().await;
    let (hash, text) = billed(&pair.payee, 1_000).await;
    cancel(&pair.payee, hash).await.unwrap();
    cancel(&pair.payee, hash).await.unwrap();
    assert_eq!(lookup(&pair.payee, hash).await.unwrap().state(), InvoiceState::Canceled);
    pay(&pair.payer, payment(&text, pair.scid)).await.unwrap();
    assert_eq!(lookup(&pair.payee, hash).await.unwrap().state(), InvoiceState::Canceled);
}

#[tokio::test]
async fn a_settled_or_unknown_invoice_cannot_be_canceled() {
    let pair = Pair::new().await;
    let (hash, text) = billed(&pair.payee, 1_000).await;
    pay(&pair.payer, payment(&text, pair.scid)).await.unwrap();
    let settled = refusal(cancel(&pair.payee, hash).await);
    assert_eq!(settled, (Code::Unknown, "invoice already settled".into()));
    let unknown = refusal(cancel(&pair.payee, preimage().hash()).await);
    assert_eq!(unknown, (Code::Unknown, "unable to locate invoice".into()));
}

#[tokio::test]
async fn a_watcher_hears_the_state_now_then_every_change_then_the_end() {
    let pair = Pair::new().await;
    let (hash, text) = billed(&pair.payee, 7_000).await;
    let mut watcher = watch(&pair.payee, hash).await;
    let first = watcher.next().await.unwrap().unwrap();
    assert_eq!(first.state(), InvoiceState::Open);
    pay(&pair.payer, payment(&text, pair.scid)).await.unwrap();
    let rest = all(watcher).await.unwrap();
    assert_eq!(
        rest.iter().map(Invoice::state).collect::<Vec<_>>(),
        [InvoiceState::Settled]
    );
    assert_eq!(rest[0].amt_paid_msat, 7_000);
    assert_eq!(rest[0].htlcs.len(), 1);
    let late = all(watch(&pair.payee, hash).await).await.unwrap();
    assert_eq!(
        late.iter().map(Invoice::state).collect::<Vec<_>>(),
        [InvoiceState::Settled]
    );
}

#[tokio::test]
async fn a_watcher_may_come_before_the_invoice() {
    let pair = Pair::new().await;
    let preimage = preimage();
    let request = SubscribeSingleInvoiceRequest {
        r_hash: preimage.hash().0.to_vec(),
    };
    let mut service = pair.payee.invoices.clone();
    let call = async move { service.subscribe_single_invoice(request).await };
    let mut watcher = subscribed(&pair.payee, call).await;
    add(&pair.payee, invoice(&preimage, 1_000)).await.unwrap();
    let first = watcher.next().await.unwrap().unwrap();
    assert_eq!(first.state(), InvoiceState::Open);
}

#[tokio::test]
async fn a_listener_hears_of_every_invoice_added_and_settled() {
    let pair = Pair::new().await;
    let (_, before) = billed(&pair.payee, 1_000).await;
    let from = lookup(&pair.payee, hash_of(&before)).await.unwrap().add_index;
    let (hash, text) = billed(&pair.payee, 2_000).await;
    let request = InvoiceSubscription {
        add_index: from,
        settle_index: 0,
    };
    let mut listener = pair
        .payee
        .lightning
        .clone()
        .subscribe_invoices(request)
        .await
        .unwrap()
        .into_inner();
    let added = listener.next().await.unwrap().unwrap();
    assert_eq!(
        (added.r_hash.as_slice(), added.state()),
        (&hash.0[..], InvoiceState::Open)
    );
    pay(&pair.payer, payment(&text, pair.scid)).await.unwrap();
    let settled = listener.next().await.unwrap().unwrap();
    assert_eq!(
        (settled.r_hash.as_slice(), settled.state()),
        (&hash.0[..], InvoiceState::Settled)
    );
}

#[tokio::test]
async fn an_invoice_is_canceled_when_its_time_is_over() {
    let pair = Pair::new().await;
    let preimage = preimage();
    let text = add(
        &pair.payee,
        Invoice {
            expiry: 1,
            ..invoice(&preimage, 1_000)
        },
    )
    .await
    .unwrap();
    let states: Vec<_> = all(watch(&pair.payee, preimage.hash()).await).await.unwrap();
    let states: Vec<_> = states.iter().map(Invoice::state).collect();
    assert_eq!(states, [InvoiceState::Open, InvoiceState::Canceled]);
    let (code, refused) = refusal(pay(&pair.payer, payment(&text, pair.scid)).await);
    assert_eq!(code, Code::Unknown);
    assert!(refused.starts_with("invoice expired. Valid until "), "{refused}");
}

fn hash_of(text: &str) -> PaymentHash {
    let invoice: Bolt11Invoice = text.parse().unwrap();
    PaymentHash(invoice.payment_hash().to_byte_array())
}

//! Our own invoices.

use futures::StreamExt;
use sluice::ports::{InvoiceSpec, PortError};
use sluice::protocol::invoice::read_invoice;
use sluice::swap::event::{Failure, InvoiceStatus, PaymentStatus};
use sluice::units::{CltvDelta, Msat, PaymentHash};

use crate::bench::{Bench, FINAL_CLTV, Two, invoice_spec, new_preimage, sat, within};

pub async fn the_same_invoice_is_made_once(bench: &mut dyn Bench) {
    let two = Two::of(bench);
    let spec = invoice_spec(&new_preimage(), sat(10_000));
    let first = two.payee.ensure_invoice(&spec).await.unwrap();
    assert_eq!(two.payee.ensure_invoice(&spec).await.unwrap(), first);
}

pub async fn another_amount_for_the_same_preimage_is_broken(bench: &mut dyn Bench) {
    let two = Two::of(bench);
    let spec = invoice_spec(&new_preimage(), sat(10_000));
    two.payee.ensure_invoice(&spec).await.unwrap();
    let more = InvoiceSpec {
        amount: sat(10_001),
        ..spec.clone()
    };
    assert!(matches!(
        two.payee.ensure_invoice(&more).await,
        Err(PortError::Broken(_))
    ));
    let longer = InvoiceSpec {
        final_cltv: Some(CltvDelta(40)),
        ..spec
    };
    assert!(matches!(
        two.payee.ensure_invoice(&longer).await,
        Err(PortError::Broken(_))
    ));
}

pub async fn an_invoice_says_what_was_asked_for(bench: &mut dyn Bench) {
    let two = Two::of(bench);
    let spec = invoice_spec(&new_preimage(), Msat(10_000_000));
    let invoice = read_invoice(&two.payee.ensure_invoice(&spec).await.unwrap(), "regtest").unwrap();
    assert_eq!(invoice.hash, spec.preimage.hash());
    assert_eq!(invoice.amount, Some(spec.amount));
    assert_eq!(invoice.payee, two.payee_id().await);
    assert_eq!(invoice.final_cltv, FINAL_CLTV);
    assert!(invoice.our_network);
}

pub async fn a_watched_invoice_is_open_then_paid(bench: &mut dyn Bench) {
    let two = Two::of(bench);
    let (preimage, spec) = two.invoice(sat(10_000)).await;
    let mut watched = two.payee.watch_invoice(spec.hash).await.unwrap();
    assert_eq!(within("a state", watched.next()).await, Some(InvoiceStatus::Open));
    assert_eq!(two.pay(&spec).await, PaymentStatus::Paid(preimage));
    assert_eq!(within("a state", watched.next()).await, Some(InvoiceStatus::Paid));
    assert_eq!(within("the end", watched.next()).await, None);
    let mut again = two.payee.watch_invoice(spec.hash).await.unwrap();
    assert_eq!(within("a state", again.next()).await, Some(InvoiceStatus::Paid));
}

pub async fn a_cancelled_invoice_is_closed_and_cannot_be_paid(bench: &mut dyn Bench) {
    let two = Two::of(bench);
    let (_, spec) = two.invoice(sat(10_000)).await;
    let mut watched = two.payee.watch_invoice(spec.hash).await.unwrap();
    assert_eq!(within("a state", watched.next()).await, Some(InvoiceStatus::Open));
    for _ in 0..2 {
        assert_eq!(
            two.payee.cancel_invoice(spec.hash).await.unwrap(),
            InvoiceStatus::Closed
        );
    }
    assert_eq!(within("a state", watched.next()).await, Some(InvoiceStatus::Closed));
    for _ in 0..2 {
        assert_eq!(two.pay(&spec).await, PaymentStatus::Failed(Failure::WrongDetails));
    }
    assert_eq!(
        two.status(spec.hash).await,
        PaymentStatus::Failed(Failure::WrongDetails)
    );
}

pub async fn a_paid_invoice_cannot_be_cancelled(bench: &mut dyn Bench) {
    let two = Two::of(bench);
    let (preimage, spec) = two.invoice(sat(10_000)).await;
    assert_eq!(two.pay(&spec).await, PaymentStatus::Paid(preimage));
    assert_eq!(two.payee.cancel_invoice(spec.hash).await.unwrap(), InvoiceStatus::Paid);
}

pub async fn an_invoice_that_was_never_made_is_closed(bench: &mut dyn Bench) {
    let two = Two::of(bench);
    let hash = PaymentHash(rand::random());
    assert_eq!(two.payee.cancel_invoice(hash).await.unwrap(), InvoiceStatus::Closed);
    let mut watched = two.payee.watch_invoice(hash).await.unwrap();
    assert_eq!(within("a state", watched.next()).await, Some(InvoiceStatus::Closed));
}

pub async fn an_expired_invoice_is_closed_and_refused(bench: &mut dyn Bench) {
    let two = Two::of(bench);
    let preimage = new_preimage();
    let brief = InvoiceSpec {
        expiry_secs: 1,
        ..invoice_spec(&preimage, sat(10_000))
    };
    let bolt11 = two.payee.ensure_invoice(&brief).await.unwrap();
    let watched = two.payee.watch_invoice(preimage.hash()).await.unwrap();
    let states: Vec<_> = within("the invoice's end", watched.collect()).await;
    assert_eq!(states.last(), Some(&InvoiceStatus::Closed));
    let refused = two
        .payer
        .ensure_payment(&two.payment(bolt11, &preimage, sat(10_000)))
        .await;
    assert!(matches!(refused, Err(PortError::Refused(_))), "{refused:?}");
    assert_eq!(two.status(preimage.hash()).await, PaymentStatus::Absent);
}

pub async fn a_hundred_invoices_are_watched_at_once(bench: &mut dyn Bench) {
    let two = Two::of(bench);
    let mut watched = Vec::new();
    for _ in 0..100 {
        let (preimage, spec) = two.invoice(sat(10_000)).await;
        let mut states = two.payee.watch_invoice(spec.hash).await.unwrap();
        assert_eq!(within("a state", states.next()).await, Some(InvoiceStatus::Open));
        watched.push((preimage, spec, states));
    }
    let (preimage, spec, states) = &mut watched[57];
    assert_eq!(two.pay(spec).await, PaymentStatus::Paid(preimage.clone()));
    assert_eq!(within("a state", states.next()).await, Some(InvoiceStatus::Paid));
}

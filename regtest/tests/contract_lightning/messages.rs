//! Custom messages and peers.

use futures::StreamExt;
use sluice::ports::{PeerEvent, PortError};
use sluice::swap::event::{InvoiceStatus, PaymentStatus};

use crate::bench::{Bench, Two, events, eventually, next, sat, within};

const SWAP_IN_REQUEST: u16 = 42_069;
const REQUEST_POLL: u16 = 42_085;
/// With its type a message has 65,535 bytes.
const LARGEST: usize = 65_533;

fn message(event: PeerEvent) -> Option<sluice::ports::Incoming> {
    match event {
        PeerEvent::Message(message) => Some(message),
        PeerEvent::Online(_) | PeerEvent::Offline(_) => None,
    }
}

pub async fn messages_go_both_ways(bench: &mut dyn Bench) {
    let two = Two::of(bench);
    let (payer, payee) = (two.payer_id().await, two.payee_id().await);
    let (mut at_payer, mut at_payee) = (events(&two.payer).await, events(&two.payee).await);
    two.payer
        .send(payee, SWAP_IN_REQUEST, b"{\"a\":1}".to_vec())
        .await
        .unwrap();
    let arrived = next(&mut at_payee, message).await;
    assert_eq!(
        (arrived.from, arrived.kind, arrived.payload.as_slice()),
        (payer, SWAP_IN_REQUEST, &b"{\"a\":1}"[..])
    );
    two.payee.send(payer, REQUEST_POLL, Vec::new()).await.unwrap();
    let arrived = next(&mut at_payer, message).await;
    assert_eq!(
        (arrived.from, arrived.kind, arrived.payload.len()),
        (payee, REQUEST_POLL, 0)
    );
}

pub async fn the_largest_message_arrives(bench: &mut dyn Bench) {
    let two = Two::of(bench);
    let mut at_payee = events(&two.payee).await;
    two.payer
        .send(two.payee_id().await, SWAP_IN_REQUEST, vec![b' '; LARGEST])
        .await
        .unwrap();
    assert_eq!(next(&mut at_payee, message).await.payload.len(), LARGEST);
}

pub async fn a_message_that_is_too_large_or_not_peerswap_s_is_refused(bench: &mut dyn Bench) {
    let two = Two::of(bench);
    let payee = two.payee_id().await;
    let large = two.payer.send(payee, SWAP_IN_REQUEST, vec![b' '; LARGEST + 1]).await;
    assert!(matches!(large, Err(PortError::Refused(_))), "{large:?}");
    for kind in [1, 42_070, 42_087] {
        let foreign = two.payer.send(payee, kind, Vec::new()).await;
        assert!(matches!(foreign, Err(PortError::Refused(_))), "{kind}: {foreign:?}");
    }
}

pub async fn an_offline_peer_is_unreachable(bench: &mut dyn Bench) {
    let two = Two::of(bench);
    let nobody = "02c30ff537639962f493d326a77f1c6cb591ee3d21ca8d89194bb69cb288f497e8"
        .parse()
        .unwrap();
    let unknown = two.payer.send(nobody, SWAP_IN_REQUEST, b"{}".to_vec()).await;
    assert!(matches!(unknown, Err(PortError::Unreachable(_))), "{unknown:?}");
}

pub async fn peers_come_and_go(bench: &mut dyn Bench) {
    let two = Two::of(bench);
    let (payee, mut at_payer) = (two.payee_id().await, events(&two.payer).await);
    assert_eq!(two.payer.connected().await.unwrap(), vec![payee]);
    bench.disconnect().await;
    let gone = |event| matches!(event, PeerEvent::Offline(id) if id == payee).then_some(());
    next(&mut at_payer, gone).await;
    assert_eq!(two.payer.connected().await.unwrap(), vec![]);
    let refused = two.payer.send(payee, SWAP_IN_REQUEST, b"{}".to_vec()).await;
    assert!(matches!(refused, Err(PortError::Unreachable(_))), "{refused:?}");
    bench.reconnect().await;
    let back = |event| matches!(event, PeerEvent::Online(id) if id == payee).then_some(());
    next(&mut at_payer, back).await;
    eventually("the peer among the connected", async || {
        two.payer.connected().await.unwrap() == vec![payee]
    })
    .await;
    two.wait_active().await;
}

pub async fn a_stream_ends_with_its_node_and_begins_again(bench: &mut dyn Bench) {
    let two = Two::of(bench);
    let (preimage, spec) = two.back(sat(10_000)).await;
    let mut at_payer = events(&two.payer).await;
    let mut invoice = two.payer.watch_invoice(spec.hash).await.unwrap();
    assert_eq!(within("a state", invoice.next()).await, Some(InvoiceStatus::Open));
    bench.payer_away().await;
    within("the stream's end", async { while at_payer.next().await.is_some() {} }).await;
    assert_eq!(within("the stream's end", invoice.next()).await, None);
    assert!(matches!(
        two.payer.events().await.err(),
        Some(PortError::Unreachable(_))
    ));
    bench.payer_back().await;
    eventually("the node to answer again", async || two.payer.info().await.is_ok()).await;
    two.wait_active().await;
    let mut at_payer = events(&two.payer).await;
    let payer = two.payer_id().await;
    two.payee.send(payer, REQUEST_POLL, b"{}".to_vec()).await.unwrap();
    assert_eq!(next(&mut at_payer, message).await.kind, REQUEST_POLL);
    let mut invoice = two.payer.watch_invoice(spec.hash).await.unwrap();
    assert_eq!(within("a state", invoice.next()).await, Some(InvoiceStatus::Open));
    let paid = within("the payment", two.payee.ensure_payment(&spec)).await.unwrap();
    assert_eq!(paid, PaymentStatus::Paid(preimage));
    assert_eq!(within("a state", invoice.next()).await, Some(InvoiceStatus::Paid));
}

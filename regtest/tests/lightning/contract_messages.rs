use std::time::Duration;

use sluice_regtest::lightning::proto::lnrpc::{InvoiceSubscription, SubscribeCustomMessagesRequest};
use tokio::time::timeout;
use tokio_stream::StreamExt;
use tonic::Code;

use crate::pair::{Pair, message, public_key, refusal, subscribed};

#[tokio::test]
async fn a_message_reaches_the_peer_with_its_type_and_sender() {
    let pair = Pair::new().await;
    let (us, peer) = (public_key(&pair.payer).await, public_key(&pair.payee).await);
    let mut service = pair.payee.lightning.clone();
    let call = async move {
        service
            .subscribe_custom_messages(SubscribeCustomMessagesRequest {})
            .await
    };
    let mut inbox = subscribed(&pair.payee, call).await;
    message(&pair.payer, &peer, 42_069, br#"{"a":1}"#).await.unwrap();
    let received = inbox.next().await.unwrap().unwrap();
    assert_eq!(
        (received.peer, received.r#type, received.data),
        (us, 42_069, br#"{"a":1}"#.to_vec())
    );
}

#[tokio::test]
async fn a_message_to_nobody_is_refused() {
    let pair = Pair::new().await;
    let stranger = hex::decode("02eec7245d6b7d2ccb30380bfbe2a3648cd7a942653f5aa340edcea1f283686619").unwrap();
    let refused = refusal(message(&pair.payer, &stranger, 42_069, b"{}").await);
    assert_eq!(refused, (Code::NotFound, "peer is not connected".into()));
    let (code, text) = refusal(message(&pair.payer, &[2; 32], 42_069, b"{}").await);
    assert_eq!(
        (code, text),
        (Code::Unknown, "invalid vertex length of 32, want 33".into())
    );
}

#[tokio::test]
async fn a_type_of_the_protocols_own_range_is_refused() {
    let pair = Pair::new().await;
    let peer = public_key(&pair.payee).await;
    let refused = refusal(message(&pair.payer, &peer, 32_767, b"{}").await);
    let text = "msg type: 32767 not in custom range: <unknown> and not overridden";
    assert_eq!((refused.0, refused.1), (Code::Unknown, text.into()));
}

#[tokio::test]
async fn a_message_that_is_too_long_costs_the_connection_for_a_moment() {
    let pair = Pair::new().await;
    let peer = public_key(&pair.payee).await;
    message(&pair.payer, &peer, 42_069, &[b'a'; 65_533]).await.unwrap();
    let refused = refusal(message(&pair.payer, &peer, 42_069, &[b'a'; 65_534]).await);
    let text = "message payload is too large - encoded 65534 bytes, but maximum message payload is 65533 bytes";
    assert_eq!(refused, (Code::Unknown, text.into()));
    assert!(message(&pair.payer, &peer, 42_069, b"{}").await.is_err());
    while message(&pair.payer, &peer, 42_069, b"{}").await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_subscription_answers_with_its_first_update() {
    let pair = Pair::new().await;
    let (mut messages, mut invoices) = (pair.payer.lightning.clone(), pair.payer.lightning.clone());
    let soon = Duration::from_millis(300);
    let (messages, invoices) = tokio::join!(
        timeout(
            soon,
            messages.subscribe_custom_messages(SubscribeCustomMessagesRequest {})
        ),
        timeout(soon, invoices.subscribe_invoices(InvoiceSubscription::default())),
    );
    assert!(messages.is_err() && invoices.is_err());
}

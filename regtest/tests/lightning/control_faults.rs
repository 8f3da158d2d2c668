use bitcoin::Amount;
use sluice::units::{Msat, Scid};
use sluice_regtest::lightning::proto::lnrpc::channel_event_update::UpdateType;
use sluice_regtest::lightning::proto::lnrpc::invoice::InvoiceState;
use sluice_regtest::lightning::proto::lnrpc::payment::PaymentStatus;
use sluice_regtest::lightning::proto::lnrpc::peer_event::EventType;
use sluice_regtest::lightning::proto::lnrpc::{
    ChannelEventSubscription, GetInfoRequest, GetStateRequest, ListPeersRequest, PaymentFailureReason,
    PeerEventSubscription, SubscribeCustomMessagesRequest, WalletState,
};
use sluice_regtest::lightning::proto::routerrpc::TrackPaymentRequest;
use sluice_regtest::lightning::{ChannelSpec, Hold, HoldAt, NetworkError, Release};
use tokio::net::TcpStream;
use tokio_stream::StreamExt;
use tonic::Code;

use crate::pair::{World, all, billed, channel, info, lookup, message, pay, payment, refusal, subscribed};

#[tokio::test]
async fn a_node_that_is_away_refuses_callers_and_comes_back_as_it_was() {
    let world = World::new().await;
    let bob = World::client(&world.bob).await;
    let (hash, _) = billed(&bob, 1_000).await;
    let mut service = bob.lightning.clone();
    let call = async move {
        service
            .subscribe_custom_messages(SubscribeCustomMessagesRequest {})
            .await
    };
    let mut messages = subscribed(&bob, call).await;
    world.bob.go_away();
    assert!(messages.next().await.unwrap().is_err(), "the stream is cut");
    let refused = TcpStream::connect(world.bob.address()).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    assert_eq!(refusal(lookup(&bob, hash).await).0, Code::Unavailable);
    world.bob.come_back().unwrap();
    assert_eq!(lookup(&bob, hash).await.unwrap().state(), InvoiceState::Open);
}

#[tokio::test]
async fn the_peers_of_a_node_that_is_away_see_it_offline() {
    let world = World::new().await;
    let alice = World::client(&world.alice).await;
    let bob = world.bob.id().serialize();
    let mut service = alice.lightning.clone();
    let call = async move { service.subscribe_peer_events(PeerEventSubscription {}).await };
    let mut peers = subscribed(&alice, call).await;
    let mut service = alice.lightning.clone();
    let call = async move { service.subscribe_channel_events(ChannelEventSubscription {}).await };
    let mut channels = subscribed(&alice, call).await;

    world.bob.go_away();
    let event = peers.next().await.unwrap().unwrap();
    assert_eq!(
        (event.r#type(), event.pub_key),
        (EventType::PeerOffline, world.bob.id().to_string())
    );
    assert_eq!(
        channels.next().await.unwrap().unwrap().r#type(),
        UpdateType::InactiveChannel
    );
    assert!(!channel(&alice).await.active);
    let listed = alice
        .lightning
        .clone()
        .list_peers(ListPeersRequest::default())
        .await
        .unwrap();
    assert!(listed.into_inner().peers.is_empty());
    let refused = refusal(message(&alice, &bob, 42_069, b"{}").await);
    assert_eq!(refused, (Code::NotFound, "peer is not connected".into()));

    world.bob.come_back().unwrap();
    assert_eq!(peers.next().await.unwrap().unwrap().r#type(), EventType::PeerOnline);
    assert_eq!(
        channels.next().await.unwrap().unwrap().r#type(),
        UpdateType::ActiveChannel
    );
    assert!(channel(&alice).await.active);
}

#[tokio::test]
async fn a_payer_that_was_away_learns_that_it_has_paid() {
    let world = World::new().await;
    let (alice, bob) = (World::client(&world.alice).await, World::client(&world.bob).await);
    let (hash, bolt11) = billed(&bob, 1_000_000).await;
    world.network.hold(Hold::hash(hash, HoldAt::Wire));
    let request = payment(&bolt11, world.scid.0);
    let payer = alice.clone();
    let call = tokio::spawn(async move { pay(&payer, request).await });
    world.network.wait_held(hash).await;
    world.alice.go_away();
    assert!(call.await.unwrap().is_err(), "the call is cut");
    world.network.release(hash, Release::Settle).unwrap();
    let settled = |state| (state == InvoiceState::Settled).then_some(());
    world.network.wait_for(|_| settled(world.bob.invoices()[0].state)).await;
    assert_eq!(world.alice.payments()[0].status, PaymentStatus::InFlight);
    world.alice.come_back().unwrap();
    let track = TrackPaymentRequest {
        payment_hash: hash.0.to_vec(),
        no_inflight_updates: true,
    };
    let updates = all(alice.router.clone().track_payment_v2(track).await.unwrap().into_inner())
        .await
        .unwrap();
    assert_eq!(updates[0].status(), PaymentStatus::Succeeded);
    assert_eq!(world.network.htlcs_sent(hash), 1);
}

#[tokio::test]
async fn an_htlc_waits_for_the_connection() {
    let world = World::new().await;
    let (alice, bob) = (World::client(&world.alice).await, World::client(&world.bob).await);
    let (hash, bolt11) = billed(&bob, 1_000_000).await;
    world.network.hold(Hold::hash(hash, HoldAt::Wire));
    let request = payment(&bolt11, world.scid.0);
    let call = tokio::spawn(async move { pay(&alice, request).await });
    world.network.wait_held(hash).await;
    world.alice.disconnect(&world.bob);
    world.network.release(hash, Release::Settle).unwrap();
    assert_eq!(world.alice.channel(world.scid).unwrap().pending, [hash]);
    world.alice.reconnect(&world.bob);
    assert_eq!(call.await.unwrap().unwrap().status(), PaymentStatus::Succeeded);
}

#[tokio::test]
async fn an_inactive_channel_carries_nothing() {
    let world = World::new().await;
    let (alice, bob) = (World::client(&world.alice).await, World::client(&world.bob).await);
    let (_, bolt11) = billed(&bob, 1_000_000).await;
    world.bob.set_channel_active(world.scid, false).unwrap();
    assert!(!channel(&alice).await.active);
    assert_eq!(info(&alice).await.num_inactive_channels, 1);
    let failed = pay(&alice, payment(&bolt11, world.scid.0)).await.unwrap();
    assert_eq!(
        failed.failure_reason(),
        PaymentFailureReason::FailureReasonInsufficientBalance
    );
    world.bob.set_channel_active(world.scid, true).unwrap();
    let paid = pay(&alice, payment(&bolt11, world.scid.0)).await.unwrap();
    assert_eq!(paid.status(), PaymentStatus::Succeeded);
}

#[tokio::test]
async fn a_drained_channel_pays_what_was_left_and_no_more() {
    let world = World::new().await;
    let (alice, bob) = (World::client(&world.alice).await, World::client(&world.bob).await);
    world.alice.drain(world.scid, Msat(2_000_000)).unwrap();
    assert_eq!(world.alice.channel(world.scid).unwrap().spendable, Msat(2_000_000));
    let (_, too_much) = billed(&bob, 2_000_001).await;
    let failed = pay(&alice, payment(&too_much, world.scid.0)).await.unwrap();
    assert_eq!(
        failed.failure_reason(),
        PaymentFailureReason::FailureReasonInsufficientBalance
    );
    let (_, enough) = billed(&bob, 2_000_000).await;
    let paid = pay(&alice, payment(&enough, world.scid.0)).await.unwrap();
    assert_eq!(paid.status(), PaymentStatus::Succeeded);
    let refused = world.alice.pay_out(world.scid, Msat(1)).unwrap_err();
    assert!(matches!(refused, NetworkError::TooMuch { spendable: Msat(0), .. }));
}

#[tokio::test]
async fn a_channels_largest_htlc_is_its_limit() {
    let limited = ChannelSpec {
        max_htlc: Some(Msat(1_000_000)),
        ..ChannelSpec::new(Amount::from_sat(1_000_000), Amount::from_sat(500_000))
    };
    let world = World::with(limited).await;
    let (alice, bob) = (World::client(&world.alice).await, World::client(&world.bob).await);
    let (_, bolt11) = billed(&bob, 1_000_001).await;
    let failed = pay(&alice, payment(&bolt11, world.scid.0)).await.unwrap();
    assert_eq!(failed.failure_reason(), PaymentFailureReason::FailureReasonNoRoute);
}

#[tokio::test]
async fn there_is_no_route_over_another_node() {
    let world = World::new().await;
    let carol = world.network.add_node("carol").await.unwrap();
    let spec = ChannelSpec::new(Amount::from_sat(1_000_000), Amount::from_sat(500_000));
    world.network.open_channel(&world.bob, &carol, &spec).unwrap();
    let (alice, carol) = (World::client(&world.alice).await, World::client(&carol).await);
    let (hash, bolt11) = billed(&carol, 1_000_000).await;
    let failed = pay(&alice, payment(&bolt11, world.scid.0)).await.unwrap();
    assert_eq!(failed.failure_reason(), PaymentFailureReason::FailureReasonNoRoute);
    assert_eq!(world.network.htlcs_sent(hash), 0);
}

#[tokio::test]
async fn a_zero_conf_channel_is_known_by_its_alias() {
    let (ours, theirs) = (Scid(16_000_000 << 40), Scid(16_000_001 << 40));
    let spec = ChannelSpec {
        aliases: Some((ours, theirs)),
        zero_conf: true,
        private: true,
        ..ChannelSpec::new(Amount::from_sat(1_000_000), Amount::from_sat(500_000))
    };
    let world = World::with(spec).await;
    let (alice, bob) = (World::client(&world.alice).await, World::client(&world.bob).await);
    let shown = channel(&alice).await;
    assert_eq!((shown.chan_id, shown.zero_conf_confirmed_scid), (ours.0, world.scid.0));
    assert_eq!((shown.alias_scids, shown.peer_scid_alias), (vec![ours.0], theirs.0));
    let (_, bolt11) = billed(&bob, 1_000_000).await;
    assert_eq!(
        pay(&alice, payment(&bolt11, ours.0)).await.unwrap().status(),
        PaymentStatus::Succeeded
    );
}

#[tokio::test]
async fn a_locked_wallet_answers_nothing_but_its_state() {
    let world = World::new().await;
    let alice = World::client(&world.alice).await;
    world.alice.set_wallet_state(WalletState::Locked);
    let state = alice
        .state
        .clone()
        .get_state(GetStateRequest {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!(state.state(), WalletState::Locked);
    let refused = refusal(alice.lightning.clone().get_info(GetInfoRequest {}).await);
    assert_eq!(
        refused,
        (
            Code::Unknown,
            "wallet locked, unlock it to enable full RPC access".into()
        )
    );
    world.alice.set_wallet_state(WalletState::ServerActive);
    assert_eq!(info(&alice).await.alias, "alice");
}

#[tokio::test]
async fn an_invoice_can_be_made_to_expire() {
    let world = World::new().await;
    let bob = World::client(&world.bob).await;
    let (hash, _) = billed(&bob, 1_000).await;
    world.bob.expire_invoice(hash);
    assert_eq!(lookup(&bob, hash).await.unwrap().state(), InvoiceState::Canceled);
}

#[tokio::test]
async fn a_channel_that_makes_no_sense_is_refused() {
    let world = World::new().await;
    let open = |spec| world.network.open_channel(&world.alice, &world.bob, &spec);
    let sat = Amount::from_sat;
    assert!(open(ChannelSpec::new(sat(19_999), sat(0))).is_err());
    assert!(open(ChannelSpec::new(sat(20_000), sat(20_000))).is_err());
    let taken = ChannelSpec {
        scid: Some(world.scid),
        ..ChannelSpec::new(sat(20_000), sat(0))
    };
    assert!(open(taken).is_err());
}

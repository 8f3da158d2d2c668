//! Custom messages, and who is connected.

use std::time::Duration;

use futures::stream::{self, BoxStream};

use crate::node::custom_message;
use crate::node::grpc::{CALL_LIMIT, started, subscription};
use crate::ports::{PeerEvent, PortError};
use crate::units::NodeId;

use super::LndConfig;
use super::api::lnrpc::peer_event::EventType;
use super::api::lnrpc::{
    CustomMessage, ListPeersRequest, PeerEvent as LndPeerEvent, PeerEventSubscription, SendCustomMessageRequest,
    SubscribeCustomMessagesRequest,
};
use super::connection::Connection;
use super::parse_node_id;

/// lnd holds the call until the peer's connection is up.
const SEND_LIMIT: Duration = Duration::from_secs(5);
/// Hands a message to a connected peer.
pub(super) async fn send(lnd: &Connection, to: NodeId, kind: u16, payload: Vec<u8>) -> Result<(), PortError> {
    const METHOD: &str = "SendCustomMessage";
    custom_message::check("lnd SendCustomMessage", kind, &payload)?;
    let request = SendCustomMessageRequest {
        peer: to.serialize().to_vec(),
        r#type: kind.into(),
        data: payload,
    };
    let sent = lnd
        .call(METHOD, SEND_LIMIT, async |mut api| {
            api.lightning.send_custom_message(request).await
        })
        .await;
    match sent {
        Ok(_) => Ok(()),
        // What lnd may refuse for good was checked above; the rest is a peer that is not there.
        Err(e) => Err(PortError::Unreachable(PortError::from(e).to_string())),
    }
}

/// Who is connected now.
pub(super) async fn connected(lnd: &Connection) -> Result<Vec<NodeId>, PortError> {
    let request = ListPeersRequest { latest_error: false };
    let answer = lnd
        .call("ListPeers", CALL_LIMIT, async |mut api| {
            api.lightning.list_peers(request).await
        })
        .await?;
    answer
        .peers
        .iter()
        .map(|peer| parse_node_id("ListPeers", &peer.pub_key))
        .collect()
}

/// Messages, comings and goings, from now on; ends when either subscription ends.
pub(super) async fn events(lnd: &Connection) -> Result<BoxStream<'static, PeerEvent>, PortError> {
    const METHOD: &str = "SubscribeCustomMessages";
    let api = lnd.api(METHOD).await?;
    let (mut for_messages, mut for_peers) = (api.lightning.clone(), api.lightning.clone());
    let messages = subscription::<LndConfig, _, _>(METHOD, read_message, async move {
        for_messages
            .subscribe_custom_messages(SubscribeCustomMessagesRequest {})
            .await
    });
    let peers = subscription::<LndConfig, _, _>("SubscribePeerEvents", read_peer_event, async move {
        for_peers.subscribe_peer_events(PeerEventSubscription {}).await
    });
    let events = started::<LndConfig, _>(METHOD, stream::select(messages, peers)).await?;
    // A call behind the subscriptions on the same connection shows that lnd takes calls.
    connected(lnd).await?;
    Ok(events)
}

fn read_message(message: CustomMessage) -> Option<PeerEvent> {
    custom_message::read(&message.peer, message.r#type, message.data)
}

fn read_peer_event(event: LndPeerEvent) -> Option<PeerEvent> {
    let peer = event.pub_key.parse().ok()?;
    Some(match EventType::try_from(event.r#type).ok()? {
        EventType::PeerOnline => PeerEvent::Online(peer),
        EventType::PeerOffline => PeerEvent::Offline(peer),
    })
}

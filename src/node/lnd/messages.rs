//! Custom messages, and who is connected.

use std::future::Future;
use std::task::Poll;
use std::time::Duration;

use futures::future;
use futures::stream::{self, BoxStream, Stream, StreamExt};
use tonic::codec::Streaming;
use tonic::{Response, Status};
use tracing::debug;

use crate::ports::{Incoming, PeerEvent, PortError};
use crate::units::NodeId;

use super::api::lnrpc::peer_event::EventType;
use super::api::lnrpc::{
    CustomMessage, ListPeersRequest, PeerEvent as LndPeerEvent, PeerEventSubscription, SendCustomMessageRequest,
    SubscribeCustomMessagesRequest,
};
use super::connection::{CALL_LIMIT, Connection};
use super::error::CallError;
use super::parse_node_id;

/// lnd holds the call until the peer's connection is up.
const SEND_LIMIT: Duration = Duration::from_secs(5);
/// A message is at most 65,535 bytes with its type (BOLT 1).
const MAX_PAYLOAD: usize = 65_533;

/// The types of PeerSwap: 42069, 42071, … 42085 (protocol.md "Type table" of the Go implementation, messages/types.go).
fn is_peerswap(kind: u16) -> bool {
    (42_069..=42_085).contains(&kind) && kind % 2 == 1
}

/// Hands a message to a connected peer.
pub(super) async fn send(lnd: &Connection, to: NodeId, kind: u16, payload: Vec<u8>) -> Result<(), PortError> {
    const METHOD: &str = "SendCustomMessage";
    if !is_peerswap(kind) {
        return Err(PortError::Refused(format!(
            "lnd {METHOD}: {kind} is not a message type of PeerSwap"
        )));
    }
    if payload.len() > MAX_PAYLOAD {
        let size = payload.len();
        return Err(PortError::Refused(format!(
            "lnd {METHOD}: the payload has {size} bytes, at most {MAX_PAYLOAD} fit"
        )));
    }
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
    let api = lnd.api("SubscribeCustomMessages").await?;
    let (mut for_messages, mut for_peers) = (api.lightning.clone(), api.lightning.clone());
    let messages = subscription("SubscribeCustomMessages", read_message, async move {
        for_messages
            .subscribe_custom_messages(SubscribeCustomMessagesRequest {})
            .await
    });
    let peers = subscription("SubscribePeerEvents", read_peer_event, async move {
        for_peers.subscribe_peer_events(PeerEventSubscription {}).await
    });
    let until_one_ends = stream::select(messages, peers).take_while(|item| future::ready(item.is_some()));
    let mut events = Box::pin(until_one_ends.filter_map(future::ready).peekable());
    // lnd sends not even headers before there is an event, so waiting for an answer could take for ever. One poll puts
    // both requests on their way; a call behind them on the same connection shows that lnd takes calls.
    if let Poll::Ready(None) = futures::poll!(events.as_mut().peek()) {
        return Err(PortError::Unreachable(
            "lnd SubscribeCustomMessages: the stream ended at once".into(),
        ));
    }
    connected(lnd).await?;
    Ok(events)
}

/// The events of one subscription, then None: it has ended.
fn subscription<T>(
    method: &'static str,
    read: fn(T) -> Option<PeerEvent>,
    open: impl Future<Output = Result<Response<Streaming<T>>, Status>>,
) -> impl Stream<Item = Option<PeerEvent>> {
    let ended = move |status: Option<Status>| {
        let reason = status.map_or_else(
            || "closed by lnd".to_string(),
            |s| CallError::from_status(method, &s).to_string(),
        );
        debug!(method, reason, "subscription ended");
    };
    stream::once(open)
        .filter_map(move |opened| future::ready(opened.map_err(|status| ended(Some(status))).ok()))
        .flat_map(move |response| {
            stream::unfold(response.into_inner(), move |mut updates| async move {
                match updates.message().await {
                    Ok(Some(update)) => Some((update, updates)),
                    Ok(None) => {
                        ended(None);
                        None
                    }
                    Err(status) => {
                        ended(Some(status));
                        None
                    }
                }
            })
        })
        .filter_map(move |update| future::ready(read(update)))
        .map(Some)
        .chain(stream::once(future::ready(None)))
}

fn read_message(message: CustomMessage) -> Option<PeerEvent> {
    let kind = u16::try_from(message.r#type).ok().filter(|kind| is_peerswap(*kind))?;
    let from = NodeId::from_slice(&message.peer).ok()?;
    Some(PeerEvent::Message(Incoming {
        from,
        kind,
        payload: message.data,
    }))
}

fn read_peer_event(event: LndPeerEvent) -> Option<PeerEvent> {
    let peer = event.pub_key.parse().ok()?;
    Some(match EventType::try_from(event.r#type).ok()? {
        EventType::PeerOnline => PeerEvent::Online(peer),
        EventType::PeerOffline => PeerEvent::Offline(peer),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "02c30ff537639962f493d326a77f1c6cb591ee3d21ca8d89194bb69cb288f497e8";

    fn message(kind: u32) -> CustomMessage {
        CustomMessage {
            peer: hex::decode(PEER).unwrap(),
            r#type: kind,
            data: b"{}".to_vec(),
        }
    }

    #[test]
    fn only_messages_of_peerswap_are_passed_on() {
        for kind in (42_069..=42_085).step_by(2) {
            assert!(read_message(message(kind)).is_some(), "{kind}");
        }
        for kind in [32_769, 42_067, 42_070, 42_087, 42_069 + 65_536] {
            assert_eq!(read_message(message(kind)), None, "{kind}");
        }
    }

    #[test]
    fn a_message_from_no_point_of_the_curve_is_dropped() {
        assert_eq!(
            read_message(CustomMessage {
                peer: vec![2; 32],
                ..message(42_069)
            }),
            None
        );
    }
}

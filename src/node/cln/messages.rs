//! Custom messages, and who is connected.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::future;
use futures::stream::{self, BoxStream, Stream, StreamExt};
use tracing::debug;

use crate::node::custom_message;
use crate::node::grpc::{CALL_LIMIT, started, subscription};
use crate::ports::{PeerEvent, PortError};
use crate::units::NodeId;

use super::api::{
    CustomMsgNotification, ListpeersRequest, PeerConnectNotification, SendcustommsgRequest, StreamConnectRequest,
    StreamCustomMsgRequest,
};
use super::connection::Connection;
use super::{ClnConfig, read_node_id};

const SEND_LIMIT: Duration = Duration::from_secs(5);
/// lightningd tells cln-grpc who comes; who goes is seen by asking.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What the streams behind the events show.
enum Seen {
    Event(PeerEvent),
    /// Who is connected now.
    Connected(BTreeSet<NodeId>),
}

/// Hands a message to a connected peer.
pub(super) async fn send(cln: &Connection, to: NodeId, kind: u16, payload: Vec<u8>) -> Result<(), PortError> {
    custom_message::check("cln SendCustomMsg", kind, &payload)?;
    let mut msg = kind.to_be_bytes().to_vec();
    msg.extend(payload);
    let request = SendcustommsgRequest {
        node_id: to.serialize().to_vec(),
        msg,
    };
    let sent = cln
        .call("SendCustomMsg", SEND_LIMIT, async |mut api| {
            api.send_custom_msg(request).await
        })
        .await;
    match sent {
        Ok(_) => Ok(()),
        // What lightningd may refuse for good was checked above; the rest is a peer that is not there.
        Err(e) => Err(PortError::Unreachable(PortError::from(e).to_string())),
    }
}

/// Who is connected now.
pub(super) async fn connected(cln: &Connection) -> Result<BTreeSet<NodeId>, PortError> {
    let answer = cln
        .call("ListPeers", CALL_LIMIT, async |mut api| {
            api.list_peers(ListpeersRequest { id: None }).await
        })
        .await?;
    let connected = answer.peers.iter().filter(|peer| peer.connected);
    connected.map(|peer| read_node_id("ListPeers", &peer.id)).collect()
}

/// Messages, comings and goings, from now on; ends when a subscription ends or the node does not answer.
pub(super) async fn events(cln: &Arc<Connection>) -> Result<BoxStream<'static, PeerEvent>, PortError> {
    const METHOD: &str = "SubscribeCustomMsg";
    let api = cln.api(METHOD).await?;
    let (mut for_messages, mut for_peers) = (api.as_ref().clone(), api.as_ref().clone());
    let messages = subscription::<ClnConfig, _, _>(METHOD, read_message, async move {
        for_messages.subscribe_custom_msg(StreamCustomMsgRequest {}).await
    });
    let arrivals = subscription::<ClnConfig, _, _>("SubscribeConnect", read_arrival, async move {
        for_peers.subscribe_connect(StreamConnectRequest {}).await
    });
    let pushed = started::<ClnConfig, _>(METHOD, stream::select(messages, arrivals)).await?;
    // A call behind the subscriptions on the same connection shows that the node takes calls.
    let known = connected(cln).await?;
    let pushed = pushed.map(Some).chain(stream::once(future::ready(None)));
    let seen = stream::select(pushed, looks(cln.clone()))
        .take_while(|seen| future::ready(seen.is_some()))
        .filter_map(future::ready);
    let events = seen.scan(known, |known, seen| {
        future::ready(Some(stream::iter(note(known, seen))))
    });
    Ok(events.flatten().boxed())
}

/// Who is connected, from time to time, then None: the node does not answer.
fn looks(cln: Arc<Connection>) -> impl Stream<Item = Option<Seen>> {
    stream::unfold(Some(cln), |cln| async move {
        let cln = cln?;
        tokio::time::sleep(LOOK_EVERY).await;
        match connected(&cln).await {
            Ok(connected) => Some((Some(Seen::Connected(connected)), Some(cln))),
            Err(error) => {
                debug!(%error, "no longer looking who is connected");
                Some((None, None))
            }
        }
    })
}

/// Keeps the list of who is known to be connected, and tells what is news.
fn note(known: &mut BTreeSet<NodeId>, seen: Seen) -> Vec<PeerEvent> {
    match seen {
        Seen::Event(event) => {
            if let PeerEvent::Online(peer) = event {
                known.insert(peer);
            }
            vec![event]
        }
        Seen::Connected(now) => {
            let gone = known.difference(&now).copied().map(PeerEvent::Offline);
            let come = now.difference(known).copied().map(PeerEvent::Online);
            let news = gone.chain(come).collect();
            *known = now;
            news
        }
    }
}

fn read_message(message: CustomMsgNotification) -> Option<Seen> {
    let (kind, payload) = message.payload.split_first_chunk::<2>()?;
    let kind = u16::from_be_bytes(*kind);
    custom_message::read(&message.peer_id, kind.into(), payload.to_vec()).map(Seen::Event)
}

fn read_arrival(arrival: PeerConnectNotification) -> Option<Seen> {
    let peer = NodeId::from_slice(&arrival.id).ok()?;
    Some(Seen::Event(PeerEvent::Online(peer)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "02c30ff537639962f493d326a77f1c6cb591ee3d21ca8d89194bb69cb288f497e8";

    fn peer() -> NodeId {
        PEER.parse().unwrap()
    }

    #[test]
    fn a_message_is_its_type_and_then_its_payload() {
        let message = CustomMsgNotification {
            peer_id: hex::decode(PEER).unwrap(),
            payload: b"\xa4\x55{}".to_vec(),
        };
        let Some(Seen::Event(PeerEvent::Message(read))) = read_message(message) else {
            panic!("not read");
        };
        assert_eq!((read.from, read.kind, read.payload), (peer(), 42_069, b"{}".to_vec()));
        let short = CustomMsgNotification {
            peer_id: hex::decode(PEER).unwrap(),
            payload: vec![0xa4],
        };
        assert!(read_message(short).is_none());
    }

    #[test]
    fn each_coming_and_going_is_told_once() {
        let mut known = BTreeSet::new();
        let here = || Seen::Connected(BTreeSet::from([peer()]));
        assert_eq!(
            note(&mut known, Seen::Event(PeerEvent::Online(peer()))),
            vec![PeerEvent::Online(peer())]
        );
        assert_eq!(note(&mut known, here()), vec![]);
        assert_eq!(
            note(&mut known, Seen::Connected(BTreeSet::new())),
            vec![PeerEvent::Offline(peer())]
        );
        assert_eq!(note(&mut known, here()), vec![PeerEvent::Online(peer())]);
    }
}

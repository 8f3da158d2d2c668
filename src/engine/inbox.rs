//! Messages from peers: to the driver of their swap, to admission, or to the peer list. Nothing is stored before it is
//! judged, and a flood is dropped, not queued.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::backoff::Backoff;
use super::driver::Inbox;
use super::{Shared, answers, peers, start};
use crate::policy::limits::Offence;
use crate::ports::{Incoming, PeerEvent};
use crate::protocol::{self, Agreement, Cancel, CoopClose, DecodeError, Message, MessageType, invoice};
use crate::swap::event::MessageKind;
use crate::swap::state::{GivenInvoice, Offer};
use crate::swap::terms::Deal;
use crate::swap::{Event, Kind, PeerMessage};
use crate::units::{NodeId, PubKey, SwapId, SwapSecret};

/// Requests of peers that are judged at the same time.
const REQUESTS_AT_ONCE: usize = 16;
/// Requests that wait for that or are being judged; more are dropped. A peer that floods us cannot make us remember
/// more than these, and no operator has as many channels that begin to swap in the same second.
const REQUESTS_WAITING: usize = 512;

/// A stream of messages that lived for so long was a sound one: the next is asked for at once.
const STEADY: Duration = Duration::from_secs(10);

/// Places for requests.
struct Requests {
    waiting: Arc<Semaphore>,
    judged: Arc<Semaphore>,
}

/// Listens to peers for as long as the daemon runs.
pub(super) async fn listen(shared: Arc<Shared>) {
    let requests = Requests {
        waiting: Arc::new(Semaphore::new(REQUESTS_WAITING)),
        judged: Arc::new(Semaphore::new(REQUESTS_AT_ONCE)),
    };
    let mut backoff = Backoff::of(&shared.pace);
    loop {
        match shared.messenger.events().await {
            Ok(events) => {
                let begun = Instant::now();
                hear(&shared, &requests, events).await;
                if begun.elapsed() > STEADY {
                    backoff = Backoff::of(&shared.pace);
                }
                warn!("the node ended the stream of messages; beginning again");
            }
            Err(failure) => warn!(%failure, "waiting for the node's messages"),
        }
        backoff.pause().await;
    }
}

/// Hears events until there are no more. Who is connected already is no news that would come: the node is asked.
async fn hear(shared: &Arc<Shared>, requests: &Requests, mut events: BoxStream<'static, PeerEvent>) {
    // newer than the node's answer, or told by it as well
    let mut meanwhile = BTreeMap::new();
    let (connected, mut asking) = (peers::connected(shared), true);
    tokio::pin!(connected);
    loop {
        tokio::select! {
            biased;
            connected = &mut connected, if asking => {
                asking = false;
                shared.peers.are_connected(shared, connected, std::mem::take(&mut meanwhile));
            }
            event = events.next() => match event {
                Some(PeerEvent::Message(incoming)) => received(shared, requests, incoming),
                Some(PeerEvent::Online(peer)) => {
                    shared.peers.came(shared, peer);
                    meanwhile.extend(asking.then_some((peer, true)));
                }
                Some(PeerEvent::Offline(peer)) => {
                    shared.peers.went(peer);
                    meanwhile.extend(asking.then_some((peer, false)));
                }
                None => return,
            },
        }
    }
}

fn received(shared: &Arc<Shared>, requests: &Requests, incoming: Incoming) {
    let from = incoming.from;
    let Some(kind) = MessageType::from_code(incoming.kind) else {
        return;
    };
    if !shared.hears(from, kind) {
        return;
    }
    let message = match protocol::decode(incoming.kind, &incoming.payload) {
        Ok(Some(message)) => message,
        Ok(None) => return,
        Err(error) => return malformed(shared, from, &error),
    };
    match message {
        Message::SwapInRequest(request) => requested(shared, requests, from, Kind::In, request),
        Message::SwapOutRequest(request) => requested(shared, requests, from, Kind::Out, request),
        Message::Poll(capability) => shared.peers.learned(shared, from, capability, false),
        Message::RequestPoll(capability) => shared.peers.learned(shared, from, capability, true),
        Message::Cancel(Cancel { swap_id: None, message }) => {
            debug!(%from, message, "a cancel that names no swap");
        }
        Message::SwapInAgreement(_)
        | Message::SwapOutAgreement(..)
        | Message::OpeningTxBroadcasted(_)
        | Message::Cancel(_)
        | Message::CoopClose(_) => {
            let (id, message) = of_swap(shared, message);
            if let Some(id) = id {
                deliver(shared, from, id, message);
            }
        }
    }
}

/// Translates a message of a swap; what cannot be read in it makes it malformed.
fn of_swap(shared: &Shared, message: Message) -> (Option<SwapId>, PeerMessage) {
    let read = |bolt11: &str| invoice::read_invoice(bolt11, &shared.network);
    let bad = |message, reason: String| PeerMessage::Malformed { message, reason };
    match message {
        Message::SwapInAgreement(agreement) => {
            let (version, deal) = (agreement.version, deal(&agreement));
            (Some(agreement.swap_id), PeerMessage::InAgreement { version, deal })
        }
        Message::SwapOutAgreement(agreement, payreq) => {
            let (version, deal) = (agreement.version, deal(&agreement));
            let read = read(&payreq).map(|fee| PeerMessage::OutAgreement { version, deal, fee });
            (
                Some(agreement.swap_id),
                read.unwrap_or_else(|e| bad(MessageKind::Agreement, e.to_string())),
            )
        }
        Message::OpeningTxBroadcasted(opened) => {
            let offer = |invoice: GivenInvoice| Offer {
                invoice,
                txid: opened.txid,
                blinding_key: opened.blinding_key,
            };
            let read = read(&opened.payreq).map(|invoice| PeerMessage::Opening(offer(invoice)));
            (
                Some(opened.swap_id),
                read.unwrap_or_else(|e| bad(MessageKind::Opening, e.to_string())),
            )
        }
        Message::CoopClose(closed) => {
            let id = closed.swap_id;
            let reason = "the key is not a private key of the curve".into();
            let read = coop_close(closed).ok_or(reason);
            (
                Some(id),
                read.unwrap_or_else(|reason| bad(MessageKind::CoopClose, reason)),
            )
        }
        Message::Cancel(Cancel { swap_id, message }) => (swap_id, PeerMessage::Cancel(message)),
        Message::SwapInRequest(_) | Message::SwapOutRequest(_) | Message::Poll(_) | Message::RequestPoll(_) => (
            None,
            bad(MessageKind::Request, "not a message of a running swap".into()),
        ),
    }
}

fn deal(agreement: &Agreement) -> Deal {
    Deal {
        premium: agreement.premium,
        peer_key: agreement.pubkey,
    }
}

/// None if its key is none.
fn coop_close(closed: CoopClose) -> Option<PeerMessage> {
    let key_of = public(&closed.privkey)?;
    Some(PeerMessage::CoopClose {
        reason: closed.message,
        key: closed.privkey,
        key_of,
    })
}

fn public(key: &SwapSecret) -> Option<PubKey> {
    let secret = bitcoin::secp256k1::SecretKey::from_slice(key.expose()).ok()?;
    Some(secret.public_key(bitcoin::secp256k1::SECP256K1))
}

/// Hands a message to the driver of its swap, if its sender is that swap's peer.
fn deliver(shared: &Arc<Shared>, from: NodeId, id: SwapId, message: PeerMessage) {
    // First of all, or a cancel could fall between the request's judgement and its swap's beginning.
    if matches!(message, PeerMessage::Cancel(_)) && shared.judging.withdraw(from, id) {
        return debug!(%from, id = id.short(), "a request is taken back before it was judged");
    }
    let running = shared
        .running()
        .get(&id)
        .map(|running| (running.inbox.clone(), running.swap.borrow().peer));
    match running {
        Some((_, peer)) if peer != from => answers::of_another(shared, from, id),
        Some((inbox, _)) => {
            if inbox.try_send(Inbox::Event(Event::Peer(message))).is_err()
                && let Some(line) = shared.line_about(&from)
            {
                let left_out = line.left_out;
                warn!(%from, id = id.short(), left_out, "a message is dropped: the swap is behind");
            }
        }
        None => answers::answer(shared, from, id, &message),
    }
}

fn malformed(shared: &Arc<Shared>, from: NodeId, error: &DecodeError) {
    if let Some(line) = shared.line_about(&from) {
        warn!(%from, %error, left_out = line.left_out, "a malformed message");
    }
    shared.offend(from, Offence::Malformed);
    let Some(id) = error.swap_id else { return };
    let message = match error.message {
        MessageType::SwapInRequest | MessageType::SwapOutRequest => {
            if shared.policy().allows(&from) && !shared.running().contains_key(&id) {
                answers::cancel(shared, from, id, error.to_string());
            }
            return;
        }
        MessageType::SwapInAgreement | MessageType::SwapOutAgreement => MessageKind::Agreement,
        MessageType::OpeningTxBroadcasted => MessageKind::Opening,
        MessageType::Cancel => MessageKind::Cancel,
        MessageType::CoopClose => MessageKind::CoopClose,
        MessageType::Poll | MessageType::RequestPoll => return,
    };
    deliver(
        shared,
        from,
        id,
        PeerMessage::Malformed {
            message,
            reason: error.to_string(),
        },
    );
}

fn requested(shared: &Arc<Shared>, requests: &Requests, from: NodeId, kind: Kind, request: protocol::Request) {
    let id = request.swap_id;
    match shared.store.swap(id) {
        // A request that is repeated is answered by the agreement that the running swap repeats.
        Ok(Some(_)) => return debug!(%from, id = id.short(), "a request for a swap that is known already"),
        Ok(None) => {}
        Err(failure) => return warn!(%failure, "the store cannot be read"),
    }
    let Ok(place) = requests.waiting.clone().try_acquire_owned() else {
        if let Some(line) = shared.line_about(&from) {
            warn!(%from, id = id.short(), left_out = line.left_out, "a request is dropped: too many at once");
        }
        return;
    };
    if !shared.judging.begin(from, id) {
        return debug!(%from, id = id.short(), "a request that is being judged already");
    }
    let (shared, judged) = (shared.clone(), requests.judged.clone());
    let own = shared.guard.judged(&from, shared.clock.now());
    tokio::spawn(async move {
        let _place = place;
        // its own first: who waits for those holds up nobody else
        let _own_turn = own.acquire().await;
        let _turn = judged.acquire().await;
        let verdict = start::respond(&shared, from, kind, request).await;
        let withdrawn = shared.judging.end(from, id);
        match verdict {
            Ok(()) if withdrawn => {
                let reason = "the peer took its request back".into();
                deliver(&shared, from, id, PeerMessage::Cancel(reason));
            }
            Ok(()) => {}
            Err(reason) => {
                if let Some(line) = shared.line_about(&from) {
                    info!(%from, id = id.short(), %reason, left_out = line.left_out, "a request is refused");
                }
                if reason.is_against_the_rules() {
                    shared.offend(from, Offence::Refused);
                }
                if !withdrawn {
                    answers::cancel(&shared, from, id, reason.for_peer());
                }
            }
        }
    });
}

//! Answers to messages of swaps that have no driver: closed ones, and ones that we do not know.
//!
//! Nothing acknowledges a `cancel`, and it may overtake the request it takes back. Who repeats a message to a swap that
//! is over would do so until its own deadline, an hour or a day later, with its channel blocked: so it is told. One
//! answer for one message, and none for a `cancel`: two nodes that know nothing of a swap do not talk for ever.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tracing::{debug, info, warn};

use super::Shared;
use crate::policy::limits::Offence;
use crate::protocol::{self, Cancel, CoopClose, Message};
use crate::swap::event::MessageKind;
use crate::swap::state::Outcome;
use crate::swap::{PeerMessage, Role, State, Swap};
use crate::units::{NodeId, SwapId};

/// Answers on their way at the same time; what comes on top of them is not answered.
const ANSWERS_AT_ONCE: usize = 64;

/// What a peer is told of a swap that is over.
const CLOSED: &str = "the swap is already closed";

/// Places for answers.
pub(super) struct Answers(Arc<Semaphore>);

impl Default for Answers {
    fn default() -> Self {
        Answers(Arc::new(Semaphore::new(ANSWERS_AT_ONCE)))
    }
}

/// What a message is answered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// There is no such swap any more.
    Cancel,
    /// Nor will it be paid: the maker gets our key, or its coins would stay locked until the timelock.
    CoopClose,
}

/// What a message of a closed swap is answered by.
fn answer_of(swap: &Swap, message: MessageKind) -> Option<Answer> {
    let State::Closed(outcome) = &swap.state else {
        return None;
    };
    let canceled = matches!(outcome, Outcome::Canceled { .. });
    // A taker's outcomes that are reached only while no claim payment can exist.
    let unpaid = canceled || matches!(outcome, Outcome::CoopClosed { .. });
    match (message, swap.role) {
        (MessageKind::Agreement, _) if swap.is_initiator() && unpaid => Some(Answer::Cancel),
        (MessageKind::Opening, Role::Taker) if unpaid => Some(Answer::CoopClose),
        // No opening of this swap is in the chain or ever will be: its taker need not repeat its key.
        (MessageKind::CoopClose, Role::Maker) if canceled => Some(Answer::Cancel),
        (
            MessageKind::Request
            | MessageKind::Agreement
            | MessageKind::Opening
            | MessageKind::CoopClose
            | MessageKind::Cancel,
            _,
        ) => None,
    }
}

fn kind_of(message: &PeerMessage) -> MessageKind {
    match message {
        PeerMessage::InAgreement { .. } | PeerMessage::OutAgreement { .. } => MessageKind::Agreement,
        PeerMessage::Opening(_) => MessageKind::Opening,
        PeerMessage::CoopClose { .. } => MessageKind::CoopClose,
        PeerMessage::Cancel(_) => MessageKind::Cancel,
        PeerMessage::Malformed { message, .. } => *message,
    }
}

/// Answers a message of a swap that has no driver, if its sender is that swap's peer and waits for an answer.
pub(super) fn answer(shared: &Arc<Shared>, from: NodeId, id: SwapId, message: &PeerMessage) {
    let kind = kind_of(message);
    match shared.store.swap(id) {
        Ok(Some(swap)) if swap.peer == from => match answer_of(&swap, kind) {
            Some(Answer::Cancel) => cancel(shared, from, id, CLOSED.into()),
            Some(Answer::CoopClose) => {
                if let Some(line) = shared.line_about(&from) {
                    let left_out = line.left_out;
                    info!(
                        id = id.short(),
                        left_out, "a late opening of a cancelled swap: the maker gets our key back"
                    );
                }
                coop_close(shared, &swap);
            }
            None => {}
        },
        Ok(Some(_)) => of_another(shared, from, id),
        Ok(None) if kind != MessageKind::Cancel => unknown(shared, from, id),
        Ok(None) => {}
        Err(failure) => warn!(%failure, "the store cannot be read"),
    }
}

/// A peer speaks of a swap that is not its own.
pub(super) fn of_another(shared: &Arc<Shared>, from: NodeId, id: SwapId) {
    if let Some(line) = shared.line_about(&from) {
        let left_out = line.left_out;
        warn!(%from, id = id.short(), left_out, "a message for another peer's swap is ignored");
    }
    shared.offend(from, Offence::Malformed);
}

/// A swap that we do not know is cancelled for those who may swap with us. A stranger is told nothing.
fn unknown(shared: &Arc<Shared>, from: NodeId, id: SwapId) {
    let policy = shared.policy();
    if policy.blocked.contains(&from) {
        return;
    }
    let allowed = policy.allows(&from);
    let asking = shared.clone();
    let concerned = async move { allowed || has_channel(&asking, from).await };
    let message = Message::Cancel(Cancel {
        swap_id: Some(id),
        message: "no such swap is known here".into(),
    });
    send(shared, from, message, concerned);
}

async fn has_channel(shared: &Shared, peer: NodeId) -> bool {
    match shared.node.channels().await {
        Ok(channels) => channels.iter().any(|channel| channel.peer == peer),
        Err(failure) => {
            debug!(%failure, "the node does not tell its channels");
            false
        }
    }
}

/// Tells a peer once that there will be no such swap.
pub(super) fn cancel(shared: &Arc<Shared>, to: NodeId, id: SwapId, message: String) {
    let swap_id = Some(id);
    send(
        shared,
        to,
        Message::Cancel(Cancel { swap_id, message }),
        std::future::ready(true),
    );
}

/// Gives the maker of a swap that we never paid our key. It announces again every ten seconds, and is answered again.
fn coop_close(shared: &Arc<Shared>, swap: &Swap) {
    let close = CoopClose {
        swap_id: swap.id,
        message: CLOSED.into(),
        privkey: shared.seed.secrets(&swap.keys.path, swap.role).swap_key.clone(),
    };
    send(shared, swap.peer, Message::CoopClose(close), std::future::ready(true));
}

/// Sends an answer if there is a place for it, and if it is `wanted` then.
fn send(shared: &Arc<Shared>, to: NodeId, message: Message, wanted: impl Future<Output = bool> + Send + 'static) {
    let Ok(place) = shared.answers.0.clone().try_acquire_owned() else {
        if let Some(line) = shared.line_about(&to) {
            warn!(%to, left_out = line.left_out, "a message is not answered: too many at once");
        }
        return;
    };
    let (kind, payload) = protocol::encode(&message);
    let shared = shared.clone();
    tokio::spawn(async move {
        let _place = place;
        if wanted.await
            && let Err(failure) = shared.messenger.send(to, kind, payload).await
        {
            debug!(%to, %failure, "an answer could not be sent");
        }
    });
}

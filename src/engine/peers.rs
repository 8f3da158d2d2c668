//! What peers offer, learned by `poll` and `request_poll`, and what we offer them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tracing::{debug, info, warn};

use super::Shared;
use super::aside::aside;
use super::backoff::Backoff;
use crate::policy::limits;
use crate::protocol::{self, Capability, Message, MessageType};
use crate::store::{Seen, Store};
use crate::swap::Kind;
use crate::swap::timelocks::Timelocks;
use crate::units::{Asset, NodeId, Ppm, Timestamp};

/// What is known of one peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerState {
    /// What it offered last, and when.
    pub offer: Option<(Capability, Timestamp)>,
    /// Whether it is connected.
    pub online: bool,
}

/// What is known of all peers.
pub struct Peers {
    known: Mutex<Known>,
    /// Held while what a peer offers is looked up and written, so that the newest is written last.
    writing: Mutex<()>,
    poll_now: Notify,
    /// Held while a poll is on its way to the node.
    telling: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    offers: HashMap<NodeId, (Capability, Timestamp)>,
    online: HashSet<NodeId>,
    /// Whose offers wait to be written.
    unwritten: HashSet<NodeId>,
    /// Polls whose turn has not come.
    waiting: HashSet<(NodeId, Poll)>,
}

impl Known {
    /// Who has to be forgotten for a newcomer's offer, now that as many are known as are remembered: who was heard the
    /// longest ago, and rather one that is not connected. Node ids are free; rows are not.
    fn in_the_way_of(&self, newcomer: &NodeId) -> Option<NodeId> {
        if self.offers.contains_key(newcomer) || self.offers.len() < limits::MOST_REMEMBERED {
            return None;
        }
        let oldest = self
            .offers
            .iter()
            .min_by_key(|(peer, (_, heard))| (self.online.contains(*peer), *heard));
        oldest.map(|(peer, _)| *peer)
    }
}

impl Peers {
    pub(super) fn new(seen: Vec<Seen>) -> Peers {
        let offers = seen
            .into_iter()
            .map(|seen| (seen.peer, (seen.capability, seen.at)))
            .collect();
        Peers {
            known: Mutex::new(Known {
                offers,
                ..Known::default()
            }),
            writing: Mutex::default(),
            poll_now: Notify::new(),
            telling: tokio::sync::Mutex::default(),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of a peer.
    #[must_use]
    pub fn state(&self, peer: &NodeId) -> PeerState {
        let known = self.known();
        PeerState {
            offer: known.offers.get(peer).cloned(),
            online: known.online.contains(peer),
        }
    }

    /// The protocol version in which swaps of this asset can be requested of a peer; `Err` says why they cannot.
    ///
    /// # Errors
    /// The reason, in words for the operator.
    pub fn can_swap(&self, peer: &NodeId, asset: Asset) -> Result<u8, String> {
        let state = self.state(peer);
        if !state.online {
            return Err("it is not connected".into());
        }
        let Some((offer, _)) = state.offer else {
            return Err("it has not told what it offers; perhaps it does not run PeerSwap".into());
        };
        let version = shared_version(offer.version)?;
        if Timelocks::of(asset, version).is_none() {
            return Err(format!(
                "it speaks protocol version {version}: {asset} timelocks are not safe before version {}",
                protocol::VERSION
            ));
        }
        if !offer.assets.contains(&asset) {
            return Err(format!("it does not swap {asset}"));
        }
        if !offer.peer_allowed {
            return Err("it does not allow this node to request swaps".into());
        }
        Ok(version)
    }

    /// The version that we say we speak to a peer; None while it has not said which it speaks: a Go peer never takes
    /// a lower one than it heard once, so nothing is said too early.
    fn version_with(&self, peer: &NodeId) -> Option<u8> {
        let known = self.known();
        let (offer, _) = known.offers.get(peer)?;
        protocol::version_with(offer.version)
    }

    /// The rate that a peer announced to us.
    #[must_use]
    pub fn premium(&self, peer: &NodeId, asset: Asset, kind: Kind) -> Option<Ppm> {
        let (offer, _) = self.known().offers.get(peer).cloned()?;
        Some(match (asset, kind) {
            (Asset::Btc, Kind::In) => offer.rates.btc_in,
            (Asset::Btc, Kind::Out) => offer.rates.btc_out,
            (Asset::Lbtc, Kind::In) => offer.rates.lbtc_in,
            (Asset::Lbtc, Kind::Out) => offer.rates.lbtc_out,
        })
    }

    /// Has every peer told soon what we offer.
    pub(super) fn poll_now(&self) {
        self.poll_now.notify_one();
    }

    /// Takes in what a peer says that it offers, and answers by what we offer if it asks, or if it has not heard that
    /// in its version yet. A peer that says no version only asks: Sluice does before it knows its peer's.
    pub(super) fn learned(&self, shared: &Arc<Shared>, peer: NodeId, capability: Capability, asks: bool) {
        let before = self.version_with(&peer);
        if capability.version != 0 {
            self.keep(shared, peer, capability);
        }
        let known = self.version_with(&peer);
        if asks || known != before {
            send(shared, peer, Poll::Answer);
        }
    }

    fn keep(&self, shared: &Arc<Shared>, peer: NodeId, capability: Capability) {
        let now = shared.clock.now();
        let (news, write) = {
            let mut known = self.known();
            if let Some(forgotten) = known.in_the_way_of(&peer) {
                known.offers.remove(&forgotten);
                known.unwritten.insert(forgotten);
            }
            known.online.insert(peer);
            let before = known.offers.insert(peer, (capability.clone(), now));
            let news = before.is_none_or(|(offer, _)| offer != capability);
            let write = news && known.unwritten.insert(peer);
            (news, write)
        };
        if news && let Some(line) = shared.line_about(&peer) {
            info!(%peer, version = capability.version, assets = ?capability.assets,
                allowed = capability.peer_allowed, left_out = line.left_out, "peer offers");
        }
        if write {
            tokio::spawn(write_beside(shared.clone()));
        }
    }

    /// Writes what waits to be written: each peer's newest offer, however often it has changed meanwhile.
    fn write(&self, store: &Store) {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting: Vec<(NodeId, Option<(Capability, Timestamp)>)> = {
            let mut known = self.known();
            let unwritten = std::mem::take(&mut known.unwritten);
            let mut waiting: Vec<_> = unwritten
                .into_iter()
                .map(|peer| (peer, known.offers.get(&peer).cloned()))
                .collect();
            // one order, whatever the set has: a simulation repeats itself
            waiting.sort_by_key(|(peer, _)| *peer);
            waiting
        };
        for (peer, offer) in waiting {
            let written = match offer {
                Some((capability, at)) => store.put_capability(&Seen { peer, capability, at }),
                None => store.forget_capability(peer),
            };
            if let Err(failure) = written {
                warn!(%failure, "what a peer offers could not be stored");
            }
        }
    }

    /// A peer is connected. One that comes and goes without end is not greeted each time.
    pub(super) fn came(&self, shared: &Arc<Shared>, peer: NodeId) {
        self.known().online.insert(peer);
        if shared.hears(peer, MessageType::RequestPoll) {
            tell(shared, peer, true);
        }
    }

    pub(super) fn went(&self, peer: NodeId) {
        self.known().online.remove(&peer);
    }

    /// Asks every connected peer, after the stream of messages has begun: what came before it was not heard. `meanwhile`:
    /// who has come or gone since the node was asked.
    pub(super) fn are_connected(
        &self,
        shared: &Arc<Shared>,
        mut connected: Vec<NodeId>,
        meanwhile: BTreeMap<NodeId, bool>,
    ) {
        connected.retain(|peer| !meanwhile.contains_key(peer));
        connected.extend(meanwhile.into_iter().filter_map(|(peer, came)| came.then_some(peer)));
        self.known().online = connected.iter().copied().collect();
        for peer in connected {
            tell(shared, peer, true);
        }
    }

    fn online(&self) -> Vec<NodeId> {
        self.known().online.iter().copied().collect()
    }
}

/// Who is connected. The node is asked until it tells.
pub(super) async fn connected(shared: &Shared) -> Vec<NodeId> {
    let (mut backoff, mut told) = (Backoff::of(&shared.pace), false);
    loop {
        match shared.messenger.connected().await {
            Ok(connected) => return connected,
            Err(failure) if told => debug!(%failure, "the node still does not tell who is connected"),
            Err(failure) => warn!(%failure, "the node does not tell who is connected; it is asked again"),
        }
        told = true;
        backoff.pause().await;
    }
}

/// Keeps peers informed: a Go peer forgets one that it has not heard of for half an hour. Who has not told yet what it
/// offers is asked again: the first question, or its answer, may have been lost.
pub(super) async fn keep_polling(shared: Arc<Shared>) {
    loop {
        let poll_now = shared.peers.poll_now.notified();
        // At its time, or at once where something has changed.
        let _ = tokio::time::timeout(shared.pace.poll, poll_now).await;
        for peer in shared.peers.online() {
            tell(&shared, peer, false);
        }
    }
}

/// A write waits for the disk: not in the way of what other peers say.
async fn write_beside(shared: Arc<Shared>) {
    let written = aside(move || shared.peers.write(&shared.store)).await;
    if let Err(failure) = written {
        warn!(%failure, "what a peer offers could not be stored");
    }
}

/// The version of a swap with a peer that speaks `theirs`.
fn shared_version(theirs: u64) -> Result<u8, String> {
    protocol::version_with(theirs)
        .filter(|ours| u64::from(*ours) == theirs)
        .ok_or_else(|| {
            format!(
                "it speaks protocol version {theirs}, we speak {} to {}",
                protocol::OLDEST_VERSION,
                protocol::VERSION
            )
        })
}

/// Why a peer is told what we offer it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Poll {
    /// It has changed.
    Offer,
    /// The same is asked of the peer.
    Question,
    /// The peer has asked.
    Answer,
}

impl Poll {
    fn compose(self, shared: &Shared, peer: &NodeId) -> Message {
        match (self, shared.peers.version_with(peer)) {
            (Poll::Offer | Poll::Answer, Some(version)) => Message::Poll(capability_for(shared, peer, version)),
            (Poll::Question, Some(version)) => Message::RequestPoll(capability_for(shared, peer, version)),
            // A peer that asks without a version waits for ours: no Go peer does.
            (Poll::Answer, None) => Message::Poll(capability_for(shared, peer, protocol::VERSION)),
            // One that has said no version is only asked.
            (Poll::Offer | Poll::Question, None) => Message::RequestPoll(Capability::default()),
        }
    }
}

/// Tells a peer what we offer it, and asks for the same if wanted.
pub(super) fn tell(shared: &Arc<Shared>, peer: NodeId, ask: bool) {
    send(shared, peer, if ask { Poll::Question } else { Poll::Offer });
}

/// One after the other, and each composed when its turn has come: of two that overtake each other, the peer would keep
/// the older one until the next round. So one that waits says what a second one would, and a node that hangs gathers
/// no crowd.
fn send(shared: &Arc<Shared>, peer: NodeId, poll: Poll) {
    if shared.policy().blocked.contains(&peer) || !shared.peers.known().waiting.insert((peer, poll)) {
        return;
    }
    let shared = shared.clone();
    tokio::spawn(async move {
        let _turn = shared.peers.telling.lock().await;
        shared.peers.known().waiting.remove(&(peer, poll));
        let (kind, payload) = protocol::encode(&poll.compose(&shared, &peer));
        if let Err(failure) = shared.messenger.send(peer, kind, payload).await {
            debug!(%peer, %failure, "a poll could not be sent");
        }
    });
}

fn capability_for(shared: &Shared, peer: &NodeId, version: u8) -> Capability {
    let (policy, premiums) = (shared.policy(), shared.premiums());
    let usable = |asset: &Asset| Timelocks::of(*asset, version).is_some() && shared.hindrance(*asset).is_none();
    let fit = shared.sides.configured().filter(usable);
    Capability {
        version: version.into(),
        assets: fit.collect(),
        peer_allowed: policy.allows(peer) && policy.accept_new_swaps && shared.quarantine_of(peer).is_none(),
        rates: premiums.rates(peer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::examples::peer;

    #[test]
    fn of_too_many_peers_who_was_heard_longest_ago_is_forgotten_and_rather_one_that_is_away() {
        let mut known = Known::default();
        let most = u16::try_from(limits::MOST_REMEMBERED).expect("a few thousand");
        for number in 0..most {
            assert_eq!(known.in_the_way_of(&peer(number)), None);
            known
                .offers
                .insert(peer(number), (Capability::default(), Timestamp(number.into())));
        }
        assert_eq!(known.in_the_way_of(&peer(5)), None, "it is known already");
        assert_eq!(known.in_the_way_of(&peer(most)), Some(peer(0)));
        known.online.insert(peer(0));
        assert_eq!(known.in_the_way_of(&peer(most)), Some(peer(1)));
        known.online = known.offers.keys().copied().collect();
        assert_eq!(known.in_the_way_of(&peer(most)), Some(peer(0)));
    }
}

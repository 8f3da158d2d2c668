//! Which nodes are connected, which channels are active, and who is told when that changes.

use std::time::Duration;

use bitcoin::hashes::Hash;
use sluice::units::NodeId;

use super::channel::{Channel, Side};
use super::htlc::Phase;
use super::proto::lnrpc;
use super::proto::lnrpc::channel_event_update::{Channel as Event, UpdateType};
use super::proto::lnrpc::channel_point::FundingTxid;
use super::proto::lnrpc::peer_event::EventType;
use super::state::{State, Timer};

/// A connection between two nodes.
#[derive(Debug, Default)]
pub(super) struct Link {
    /// Whether the harness lets them talk.
    pub(super) allowed: bool,
    /// Lost by an accident, until LND has connected again.
    lost: bool,
    /// What the last event said.
    announced: bool,
}

/// LND's first try after it lost a peer it has channels with (server.go, `defaultBackoff`).
const RECONNECT_AFTER: Duration = Duration::from_secs(1);

/// Two nodes, in the order of their keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pair(NodeId, NodeId);

impl Pair {
    /// The pair, whichever is named first.
    pub(super) fn of(one: &NodeId, other: &NodeId) -> Pair {
        if one < other {
            Pair(*one, *other)
        } else {
            Pair(*other, *one)
        }
    }

    /// The one that is not `node`, if `node` is in it.
    pub(super) fn across(&self, node: &NodeId) -> Option<NodeId> {
        match node {
            node if *node == self.0 => Some(self.1),
            node if *node == self.1 => Some(self.0),
            _ => None,
        }
    }
}

impl State {
    /// Makes two nodes peers of each other, connected.
    pub(super) fn link(&mut self, one: &NodeId, other: &NodeId) {
        let link = self.links.entry(Pair::of(one, other)).or_default();
        link.allowed = true;
        self.links_changed();
    }

    /// Whether the two can exchange messages now.
    pub(super) fn connected(&self, one: &NodeId, other: &NodeId) -> bool {
        let running = |node: &NodeId| self.nodes.get(node).is_some_and(|node| node.running);
        let up = self
            .links
            .get(&Pair::of(one, other))
            .is_some_and(|link| link.allowed && !link.lost);
        up && running(one) && running(other)
    }

    /// An accident cuts the connection; LND makes a new one by itself.
    pub(super) fn lose_link(&mut self, one: &NodeId, other: &NodeId) {
        self.set_lost(Pair::of(one, other), true);
        self.timers
            .push((RECONNECT_AFTER, Timer::Reconnect(Pair::of(one, other))));
    }

    /// The connection that an accident cut is there again.
    pub(super) fn restore_link(&mut self, pair: Pair) {
        self.set_lost(pair, false);
    }

    fn set_lost(&mut self, pair: Pair, lost: bool) {
        if let Some(link) = self.links.get_mut(&pair) {
            link.lost = lost;
        }
        self.links_changed();
    }

    /// The nodes `node` is connected to.
    pub(super) fn peers_of(&self, node: &NodeId) -> Vec<NodeId> {
        let across = self.links.keys().filter_map(|pair| pair.across(node));
        across.filter(|peer| self.connected(node, peer)).collect()
    }

    /// Whether a channel takes HTLCs.
    pub(super) fn active(&self, channel: &Channel) -> bool {
        let [one, other] = channel.ends.each_ref().map(|end| end.node);
        channel.enabled && self.connected(&one, &other)
    }

    /// Tells everyone what changed since the last call, and lets waiting HTLCs go on where a link came back.
    pub(super) fn links_changed(&mut self) {
        let pairs: Vec<Pair> = self.links.keys().copied().collect();
        for pair in pairs {
            let connected = self.connected(&pair.0, &pair.1);
            let link = self.links.get_mut(&pair).expect("links are never removed");
            if std::mem::replace(&mut link.announced, connected) == connected {
                continue;
            }
            self.announce_peer(&pair.0, &pair.1, connected);
            self.announce_peer(&pair.1, &pair.0, connected);
            if connected {
                self.wake_htlcs(pair);
            }
        }
        for index in 0..self.channels.len() {
            let active = self.active(&self.channels[index]);
            if std::mem::replace(&mut self.channels[index].announced_active, active) != active {
                self.announce_channel(index, active);
            }
        }
    }

    fn announce_peer(&mut self, to: &NodeId, about: &NodeId, online: bool) {
        let kind = if online {
            EventType::PeerOnline
        } else {
            EventType::PeerOffline
        };
        let event = lnrpc::PeerEvent {
            pub_key: about.to_string(),
            r#type: kind.into(),
        };
        self.node_mut(to).peer_events.send(&event);
    }

    fn announce_channel(&mut self, index: usize, active: bool) {
        let channel = &self.channels[index];
        let nodes = channel.ends.each_ref().map(|end| end.node);
        let point = lnrpc::ChannelPoint {
            funding_txid: Some(FundingTxid::FundingTxidBytes(
                channel.point.txid.to_byte_array().to_vec(),
            )),
            output_index: channel.point.vout,
        };
        let (kind, event) = if active {
            (UpdateType::ActiveChannel, Event::ActiveChannel(point))
        } else {
            (UpdateType::InactiveChannel, Event::InactiveChannel(point))
        };
        let update = lnrpc::ChannelEventUpdate {
            r#type: kind.into(),
            channel: Some(event),
        };
        for node in nodes {
            self.node_mut(&node).channel_events.send(&update);
        }
    }

    /// Tells both ends of a new channel that it is open.
    pub(super) fn announce_open(&mut self, index: usize) {
        for side in [Side::Initiator, Side::Acceptor] {
            let channel = &self.channels[index];
            let node = channel.end(side).node;
            let update = lnrpc::ChannelEventUpdate {
                r#type: UpdateType::OpenChannel.into(),
                channel: Some(Event::OpenChannel(channel.to_rpc(side, true, String::new()))),
            };
            self.node_mut(&node).channel_events.send(&update);
        }
    }

    fn wake_htlcs(&mut self, pair: Pair) {
        let between = |channel: &&Channel| Pair::of(&channel.ends[0].node, &channel.ends[1].node) == pair;
        for htlc in self.channels.iter().filter(between).flat_map(|channel| &channel.htlcs) {
            match htlc.phase {
                Phase::Travelling => self.timers.push((Duration::ZERO, Timer::Arrive(htlc.id))),
                Phase::Resolved(_) => self.timers.push((Duration::ZERO, Timer::Return(htlc.id))),
                Phase::Held(_) => {}
            }
        }
    }
}

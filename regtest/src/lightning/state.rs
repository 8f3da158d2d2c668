//! Everything the network knows, behind one lock. No I/O and no clock of its own: what should happen later is a
//! [`Timer`], which `network` sets.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bitcoin::secp256k1::SecretKey;
use sluice::units::{NodeId, PaymentHash};

use super::channel::Channel;
use super::hold::{Hold, HoldId};
use super::htlc::HtlcId;
use super::invoice::InvoiceBook;
use super::links::{Link, Pair};
use super::payment::PaymentBook;
use super::proto::lnrpc;
use super::subscribers::Subscribers;

/// Where the height of the Bitcoin chain comes from.
pub(super) type HeightSource = Arc<dyn Fn() -> u32 + Send + Sync>;

/// Something that happens later.
#[derive(Debug, Clone, Copy)]
pub(super) enum Timer {
    /// An HTLC reaches the payee.
    Arrive(HtlcId),
    /// Its result reaches the payer.
    Return(HtlcId),
    /// An invoice's time is over.
    Expire(NodeId, PaymentHash),
    /// LND connects again to a peer it lost.
    Reconnect(Pair),
}

/// One node's data: all of it outlives the node being away.
pub(super) struct NodeState {
    pub(super) alias: String,
    pub(super) key: SecretKey,
    /// False: its process is gone.
    pub(super) running: bool,
    pub(super) wallet: lnrpc::WalletState,
    pub(super) synced: bool,
    pub(super) invoices: InvoiceBook,
    pub(super) payments: PaymentBook,
    pub(super) messages: Subscribers<lnrpc::CustomMessage>,
    pub(super) peer_events: Subscribers<lnrpc::PeerEvent>,
    pub(super) channel_events: Subscribers<lnrpc::ChannelEventUpdate>,
}

impl NodeState {
    /// A node that has just been made.
    pub(super) fn new(alias: String, key: SecretKey) -> NodeState {
        NodeState {
            alias,
            key,
            running: true,
            wallet: lnrpc::WalletState::ServerActive,
            synced: true,
            invoices: InvoiceBook::default(),
            payments: PaymentBook::default(),
            messages: Subscribers::default(),
            peer_events: Subscribers::default(),
            channel_events: Subscribers::default(),
        }
    }
}

/// The whole network.
pub(super) struct State {
    pub(super) nodes: BTreeMap<NodeId, NodeState>,
    pub(super) channels: Vec<Channel>,
    pub(super) links: BTreeMap<Pair, Link>,
    pub(super) holds: Vec<(HoldId, Hold)>,
    pub(super) next_hold: u64,
    pub(super) next_htlc: u64,
    /// HTLCs ever sent, by hash.
    pub(super) htlcs_sent: BTreeMap<PaymentHash, u32>,
    /// From a payment's call to its end, when nothing holds it.
    pub(super) latency: Duration,
    pub(super) height: HeightSource,
    /// To be set when the lock is released.
    pub(super) timers: Vec<(Duration, Timer)>,
}

impl State {
    /// No node yet.
    pub(super) fn new(latency: Duration, height: HeightSource) -> State {
        State {
            nodes: BTreeMap::new(),
            channels: Vec::new(),
            links: BTreeMap::new(),
            holds: Vec::new(),
            next_hold: 0,
            // LND's attempt ids begin at 1 too.
            next_htlc: 1,
            htlcs_sent: BTreeMap::new(),
            latency,
            height,
            timers: Vec::new(),
        }
    }

    /// The Bitcoin chain's height.
    pub(super) fn height(&self) -> u32 {
        (self.height)()
    }

    pub(super) fn node(&self, id: &NodeId) -> &NodeState {
        self.nodes.get(id).expect("nodes are never removed")
    }

    pub(super) fn node_mut(&mut self, id: &NodeId) -> &mut NodeState {
        self.nodes.get_mut(id).expect("nodes are never removed")
    }

    /// A timer has come.
    pub(super) fn fire(&mut self, timer: Timer) {
        match timer {
            Timer::Arrive(id) => self.htlc_arrives(id),
            Timer::Return(id) => self.htlc_returns(id),
            Timer::Expire(node, hash) => self.expire_invoice(&node, hash),
            Timer::Reconnect(pair) => self.restore_link(pair),
        }
    }
}

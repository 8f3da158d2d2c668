//! Peers, as the operator sees them.

use serde::{Deserialize, Serialize};

use crate::policy::Cause;
use crate::policy::limits::Offence;
use crate::swap::terms::Kind;
use crate::units::{Asset, NodeId, Scid, SwapId};

/// A channel with a peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelView {
    /// Its short id.
    pub channel: Scid,
    /// Both ends are there and it takes payments.
    pub active: bool,
    /// Its size.
    pub capacity_sat: u64,
    /// Our side, with the reserve.
    pub local_sat: u64,
    /// Their side, with the reserve.
    pub remote_sat: u64,
    /// The most that can be sent over it now: a swap-out takes its amount, premium and fee from it.
    pub spendable_sat: u64,
    /// The most that can be received over it now: the limit of a swap-in.
    pub receivable_sat: u64,
    /// The swap that holds it; there is one at a time.
    pub busy_with: Option<SwapId>,
}

/// Whether a swap with a peer is possible in one asset and direction, as we would request it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// The asset.
    pub asset: Asset,
    /// The direction as we see it.
    pub direction: Kind,
    /// The rate that the peer last announced to us; positive: we pay. None while it has announced none.
    pub premium_ppm: Option<i64>,
    /// Why it is not possible now; None: it is.
    pub problem: Option<String>,
}

/// A peer's quarantine: no new swaps with it, whoever asks. Swaps under way go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantineView {
    /// `operator`, or the offence that led to it.
    pub cause: Cause,
    /// The same for people, or the operator's note.
    pub reason: String,
    /// Since when, Unix time.
    pub since: u64,
    /// The same in RFC 3339, UTC.
    pub since_text: String,
    /// When it ends, Unix time.
    pub until: u64,
    /// The same in RFC 3339, UTC.
    pub until_text: String,
}

/// Something that is counted against a peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OffenceView {
    /// What.
    pub offence: Offence,
    /// How often, within the time that counts.
    pub count: u32,
    /// So many lead to a quarantine …
    pub threshold: u32,
    /// … if they come within so many seconds.
    pub within_secs: u64,
}

/// What a peer has used up of what it may ask of this node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConductView {
    /// Swaps it asked for that run now.
    pub running_swaps: u64,
    /// The most of them at a time.
    pub most_running_swaps: u64,
    /// Those of them that it has put nothing into: its fee not paid, its opening not confirmed.
    pub pending_swaps: u64,
    /// The most of them at a time.
    pub most_pending_swaps: u64,
    /// Messages that were dropped because they were too many, since the daemon's start.
    pub dropped_messages: u64,
    /// What is counted against it.
    pub offences: Vec<OffenceView>,
}

/// A peer with at least one channel, or in quarantine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerView {
    /// Its identity.
    pub node_id: NodeId,
    /// Its name, where our node knows one.
    pub alias: Option<String>,
    /// Connected now.
    pub online: bool,
    /// The protocol version it last announced; None: it has not been heard to speak PeerSwap.
    pub protocol_version: Option<u64>,
    /// We answer its requests.
    pub allowed: bool,
    /// It answers ours; None while it has not said so.
    pub allows_us: Option<bool>,
    /// Why nothing can be swapped with it at all; None: see its offers.
    pub problem: Option<String>,
    /// Its quarantine; None: it is not in quarantine.
    pub quarantine: Option<QuarantineView>,
    /// What it has used up.
    pub conduct: ConductView,
    /// Per asset and direction.
    pub offers: Vec<Offer>,
    /// Its channels; none with a peer that is listed for its quarantine alone.
    pub channels: Vec<ChannelView>,
}

/// The answer to `peer_list`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerList {
    /// In the order of their node ids.
    pub peers: Vec<PeerView>,
}

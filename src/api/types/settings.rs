//! The daemon itself, its policy, its premiums, the wallet.

use serde::{Deserialize, Serialize};

use crate::policy::PausedBy;
use crate::swap::terms::Kind;
use crate::units::{Asset, NodeId, TxId};

/// The Lightning node behind the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// Its identity.
    pub node_id: NodeId,
    /// Its name.
    pub alias: String,
    /// Its network.
    pub network: String,
    /// Its software and release.
    pub version: String,
    /// Its Bitcoin height.
    pub block_height: u32,
    /// What is wrong with it now (away, not synced); None: nothing.
    pub problem: Option<String>,
}

/// A chain's pause: no new swaps on it until it is resumed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseView {
    /// `operator`, or `deep_reorg`: the daemon, which saw a reorg deeper than the confirmations that it trusts.
    pub by: PausedBy,
    /// Since when, Unix time.
    pub since: u64,
    /// The same in RFC 3339, UTC.
    pub since_text: String,
    /// Why, for people.
    pub note: String,
}

/// The answer to `chain_list`, `chain_pause` and `chain_resume`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainList {
    /// The chains, L-BTC's first.
    pub chains: Vec<ChainStatus>,
}

/// A chain behind the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainStatus {
    /// The asset that lives on it.
    pub asset: Asset,
    /// The node's name of the chain; None, as the next two: it has not answered since the daemon's start.
    pub chain: Option<String>,
    /// The node's release, as it names itself.
    pub version: Option<String>,
    /// Whose wallet pays for its swaps and is paid: `lnd`, or a daemon with the name of a wallet in it.
    pub wallet: Option<String>,
    /// The tip's height; None while the node does not answer.
    pub height: Option<u32>,
    /// Whether new swaps are made on it now.
    pub new_swaps: bool,
    /// What is wrong with it or its node now; None: nothing.
    pub problem: Option<String>,
    /// Since when, Unix time.
    pub problem_since: Option<u64>,
    /// Its pause; None: it is not paused.
    pub paused: Option<PauseView>,
}

/// Rescue files, and the seed whose words open them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RescueStatus {
    /// The folder that they are in.
    pub dir: String,
    /// Why they cannot be written there: no new swap begins, no opening is published, no claim paid; None: they can.
    pub problem: Option<String>,
    /// The second folder.
    pub copy_dir: Option<String>,
    /// Why they cannot be copied there: nothing waits for that; None: they can.
    pub copy_problem: Option<String>,
}

/// The answer to `info`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Info {
    /// The daemon's release.
    pub version: String,
    /// The newest PeerSwap version that it speaks.
    pub protocol_version: u8,
    /// The daemon's process.
    pub pid: u32,
    /// How long it has been running.
    pub uptime_secs: u64,
    /// The Lightning node.
    pub node: NodeStatus,
    /// The chains.
    pub chains: Vec<ChainStatus>,
    /// Rescue files.
    pub rescue: RescueStatus,
    /// Whether the operator lets new swaps be made.
    pub accept_new_swaps: bool,
    /// Swaps that are not closed.
    pub active_swaps: u64,
    /// All swaps ever made.
    pub total_swaps: u64,
}

/// The answer to `policy_get` and `policy_set`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyView {
    /// Whether new swaps are made at all, ours and the peers'.
    pub accept_new_swaps: bool,
    /// Whether every peer may request swaps.
    pub accept_all_peers: bool,
    /// Peers that may request swaps.
    pub allowlist: Vec<NodeId>,
    /// Peers that are not swapped with.
    pub blocked: Vec<NodeId>,
    /// The smallest amount of a swap.
    pub min_amount_sat: u64,
    /// The largest amount of a swap; None: what the channel carries.
    pub max_amount_sat: Option<u64>,
}

/// One premium rate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PremiumRate {
    /// The peer it is for; None: everybody without a rate of its own.
    pub peer: Option<NodeId>,
    /// The asset.
    pub asset: Asset,
    /// The direction as the peer, who initiates, sees it.
    pub direction: Kind,
    /// In millionths of the amount; positive: the peer pays us.
    pub ppm: i64,
}

/// The answer to `premium_get` and `premium_set`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PremiumTable {
    /// Those for everybody first, then by peer.
    pub rates: Vec<PremiumRate>,
}

/// The answer to `wallet_address`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalletAddress {
    /// The asset.
    pub asset: Asset,
    /// The address.
    pub address: String,
}

/// The answer to `wallet_balance`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalletBalanceView {
    /// The asset.
    pub asset: Asset,
    /// Confirmed and free.
    pub spendable_sat: u64,
    /// Seen, not yet confirmed.
    pub pending_sat: u64,
    /// Locked for openings that are being made.
    pub locked_sat: u64,
}

/// The answer to `wallet_send`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendAnswer {
    /// The transaction.
    pub txid: TxId,
}

/// The answer to `stop`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopAnswer {
    /// True: the daemon is on its way down.
    pub stopping: bool,
}

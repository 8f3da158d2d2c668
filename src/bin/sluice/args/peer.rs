//! Whom one can swap with, and who may ask.

use clap::{Args, Subcommand};
use sluice::units::NodeId;

use crate::values::{Limit, amount, limit};

#[derive(Debug, Subcommand)]
pub enum PeerCommand {
    /// Show peers: what can be swapped at what premium, or why not
    List,
    /// Show one peer
    Get(OnePeer),
    /// Make no new swaps with a peer for a time; those under way go on
    Quarantine {
        #[command(flatten)]
        peer: OnePeer,
        /// For how long
        #[arg(long, default_value_t = 24, value_name = "HOURS", value_parser = clap::value_parser!(u64).range(1..=8_760))]
        hours: u64,
        /// Why, for whoever looks later; the peer is not told
        #[arg(long, default_value = "", value_name = "TEXT", hide_default_value = true)]
        note: String,
    },
    /// End a peer's quarantine, whoever began it
    Release(OnePeer),
}

#[derive(Debug, Args)]
pub struct OnePeer {
    /// Its node id
    #[arg(value_name = "NODE")]
    pub peer: NodeId,
}

#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Show the policy
    Get,
    /// Change what is named, leave the rest
    Set(PolicySet),
    /// Let peers request swaps
    Allow(Peers),
    /// Take peers off the list of those that may
    Disallow(Peers),
    /// Swap with these peers under no circumstances
    Block(Peers),
    /// Take that back
    Unblock(Peers),
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub struct PolicySet {
    /// Whether new swaps are made at all
    #[arg(long, value_name = "BOOL")]
    pub accept_new_swaps: Option<bool>,
    /// Whether every peer may request swaps
    #[arg(long, value_name = "BOOL")]
    pub accept_all_peers: Option<bool>,
    /// The smallest amount of a swap, in satoshi
    #[arg(long, value_name = "SAT", value_parser = amount)]
    pub min_amount: Option<u64>,
    /// The largest amount of a swap, in satoshi, or `none`
    #[arg(long, value_name = "SAT", value_parser = limit)]
    pub max_amount: Option<Limit>,
}

#[derive(Debug, Args)]
pub struct Peers {
    /// Node ids
    #[arg(required = true, value_name = "NODE")]
    pub peers: Vec<NodeId>,
}

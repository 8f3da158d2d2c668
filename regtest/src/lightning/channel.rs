//! One channel between two nodes: whose money is where, and how much of it may move.

use bitcoin::{Amount, OutPoint};
use sluice::units::{Msat, NodeId, PaymentHash, Scid};

use super::htlc::Htlc;
use super::proto::lnrpc;

/// Weight of an anchor channel's commitment without HTLCs (BOLT 3, "Expected Weight of the Commitment Transaction").
const COMMITMENT_WEIGHT: u64 = 1_124;
/// Weight of one HTLC output in it (same place).
const HTLC_WEIGHT: u64 = 172;
/// The two anchor outputs, paid by the initiator.
const ANCHORS: Amount = Amount::from_sat(660);
/// LND's ceiling for anchor channels, which is what it uses on regtest: 10 sat/vB.
const FEE_PER_KW: u64 = 2_500;
/// Below this an HTLC has no output of its own (anchor channels with zero-fee HTLCs).
const DUST_LIMIT: Amount = Amount::from_sat(354);

/// Which end of a channel: the initiator, who pays the commitment's fee, or the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// Funded the channel.
    Initiator,
    /// Accepted it.
    Acceptor,
}

impl Side {
    /// The one across.
    pub(super) fn other(self) -> Side {
        match self {
            Side::Initiator => Side::Acceptor,
            Side::Acceptor => Side::Initiator,
        }
    }

    fn slot(self) -> usize {
        match self {
            Side::Initiator => 0,
            Side::Acceptor => 1,
        }
    }
}

/// What one node has in a channel.
#[derive(Debug)]
pub(super) struct End {
    pub(super) node: NodeId,
    /// Before the initiator's commitment fee; both ends and all HTLCs add up to the capacity.
    pub(super) balance: Msat,
    /// The alias this node gave out for the channel.
    pub(super) alias: Option<Scid>,
    /// The number of the next HTLC this end offers.
    pub(super) next_htlc: u64,
}

/// A channel and the HTLCs in it.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) scid: Scid,
    pub(super) point: OutPoint,
    pub(super) capacity: Amount,
    pub(super) max_htlc: Msat,
    pub(super) private: bool,
    /// Known by its alias even after it confirmed.
    pub(super) zero_conf: bool,
    /// False: takes no HTLC, whatever its peers do.
    pub(super) enabled: bool,
    /// What the last event said.
    pub(super) announced_active: bool,
    pub(super) ends: [End; 2],
    pub(super) htlcs: Vec<Htlc>,
}

/// A channel as one of its nodes sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelView {
    /// The short channel id.
    pub scid: Scid,
    /// The node at the other end.
    pub peer: NodeId,
    /// What the funding output holds.
    pub capacity: Amount,
    /// Ours, after the commitment's fee where we pay it, reserve included.
    pub local: Msat,
    /// Theirs, likewise.
    pub remote: Msat,
    /// The largest HTLC we could offer now, were the channel active.
    pub spendable: Msat,
    /// Whether it takes HTLCs.
    pub active: bool,
    /// The HTLCs in it, of both directions.
    pub pending: Vec<PaymentHash>,
    /// Whether we funded it.
    pub initiator: bool,
}

impl Channel {
    /// The side of `node`, if it is a party.
    pub(super) fn side_of(&self, node: &NodeId) -> Option<Side> {
        [Side::Initiator, Side::Acceptor]
            .into_iter()
            .find(|side| self.end(*side).node == *node)
    }

    pub(super) fn end(&self, side: Side) -> &End {
        &self.ends[side.slot()]
    }

    pub(super) fn end_mut(&mut self, side: Side) -> &mut End {
        &mut self.ends[side.slot()]
    }

    /// The number LND calls `chan_id`: the own alias for zero-conf channels, else the scid.
    pub(super) fn chan_id(&self, side: Side) -> Scid {
        match self.end(side).alias {
            Some(alias) if self.zero_conf => alias,
            _ => self.scid,
        }
    }

    /// Whether a caller at `side` may mean this channel by `id`.
    pub(super) fn is_named(&self, side: Side, id: Scid) -> bool {
        id == self.scid || self.end(side).alias == Some(id)
    }

    /// One hundredth, as LND asks of its peers (and no less than dust).
    pub(super) fn reserve(&self) -> Amount {
        (self.capacity / 100).max(DUST_LIMIT)
    }

    /// The commitment's weight with `extra` HTLCs beside those that are there.
    fn commitment_weight(&self, extra: u64) -> u64 {
        let outputs = self.htlcs.iter().filter(|htlc| htlc.amount.floor() >= DUST_LIMIT);
        COMMITMENT_WEIGHT + HTLC_WEIGHT * (outputs.count() as u64 + extra)
    }

    /// What the initiator pays for the commitment with `extra` HTLCs beside those that are there.
    fn commitment_fee(&self, extra: u64) -> Amount {
        Amount::from_sat(FEE_PER_KW * self.commitment_weight(extra) / 1_000)
    }

    /// What LND shows as a balance: the initiator's is after fee and anchors.
    pub(super) fn shown_balance(&self, side: Side) -> Msat {
        let gross = self.end(side).balance;
        match side {
            Side::Initiator => minus(gross, self.commitment_fee(0) + ANCHORS),
            Side::Acceptor => gross,
        }
    }

    /// The bandwidth that LND's path finding sees (lnwallet/channel.go, `availableCommitmentBalance`): the initiator
    /// keeps twice the fee of a commitment with two more HTLCs; the other end may not push the initiator below its
    /// reserve by the fee of an HTLC.
    pub(super) fn spendable(&self, side: Side) -> Msat {
        let reserve = self.reserve();
        match side {
            Side::Initiator => minus(self.end(side).balance, reserve + ANCHORS + self.commitment_fee(2) * 2),
            Side::Acceptor => {
                let ours = minus(self.end(side).balance, reserve);
                let theirs = minus(self.end(Side::Initiator).balance, reserve + ANCHORS);
                let largest_dust = Msat(DUST_LIMIT.to_sat() * 1_000 - 1);
                if minus(theirs, self.commitment_fee(1)).0 == 0 {
                    ours.min(largest_dust)
                } else {
                    ours
                }
            }
        }
    }

    /// Moves money from `side` to the other end, as a payment that is over does.
    pub(super) fn shift(&mut self, side: Side, amount: Msat) {
        self.take(side, amount);
        self.give(side.other(), amount);
    }

    /// Takes `amount` out of a balance, into an HTLC.
    pub(super) fn take(&mut self, side: Side, amount: Msat) {
        let balance = &mut self.end_mut(side).balance;
        *balance = Msat(
            balance
                .0
                .checked_sub(amount.0)
                .expect("spendable is at most the balance"),
        );
    }

    /// Puts an HTLC's `amount` into a balance.
    pub(super) fn give(&mut self, side: Side, amount: Msat) {
        let balance = &mut self.end_mut(side).balance;
        *balance = Msat(
            balance
                .0
                .checked_add(amount.0)
                .expect("balances add up to the capacity"),
        );
    }

    /// As the node at `side` sees it.
    pub(super) fn view(&self, side: Side, active: bool) -> ChannelView {
        ChannelView {
            scid: self.chan_id(side),
            peer: self.end(side.other()).node,
            capacity: self.capacity,
            local: self.shown_balance(side),
            remote: self.shown_balance(side.other()),
            spendable: self.spendable(side),
            active,
            pending: self.htlcs.iter().map(|htlc| htlc.hash).collect(),
            initiator: side == Side::Initiator,
        }
    }

    /// The answer of `ListChannels` at `side`.
    pub(super) fn to_rpc(&self, side: Side, active: bool, peer_alias: String) -> lnrpc::Channel {
        let aliases = |side: Side| self.end(side).alias.map_or(0, |alias| alias.0);
        let pending: Vec<_> = self.htlcs.iter().map(|htlc| htlc.to_rpc(side)).collect();
        lnrpc::Channel {
            active,
            remote_pubkey: self.end(side.other()).node.to_string(),
            channel_point: self.point.to_string(),
            chan_id: self.chan_id(side).0,
            capacity: sat(self.capacity),
            local_balance: sat(self.shown_balance(side).floor()),
            remote_balance: sat(self.shown_balance(side.other()).floor()),
            commit_fee: sat(self.commitment_fee(0)),
            commit_weight: self.commitment_weight(0) as i64,
            fee_per_kw: FEE_PER_KW as i64,
            unsettled_balance: pending.iter().map(|htlc| htlc.amount).sum(),
            pending_htlcs: pending,
            private: self.private,
            initiator: side == Side::Initiator,
            chan_status_flags: "ChanStatusDefault".into(),
            commitment_type: lnrpc::CommitmentType::Anchors.into(),
            local_constraints: Some(self.constraints()),
            remote_constraints: Some(self.constraints()),
            alias_scids: self.end(side).alias.iter().map(|alias| alias.0).collect(),
            zero_conf: self.zero_conf,
            zero_conf_confirmed_scid: if self.zero_conf { self.scid.0 } else { 0 },
            peer_alias,
            peer_scid_alias: aliases(side.other()),
        }
    }

    fn constraints(&self) -> lnrpc::ChannelConstraints {
        let reserve = self.reserve();
        lnrpc::ChannelConstraints {
            csv_delay: self.csv_delay(),
            chan_reserve_sat: reserve.to_sat(),
            dust_limit_sat: DUST_LIMIT.to_sat(),
            max_pending_amt_msat: (self.capacity - reserve).to_sat() * 1_000,
            min_htlc_msat: 1,
            max_accepted_htlcs: 483,
        }
    }

    /// Grows with the capacity (LND, server.go, `RequiredRemoteDelay`): 2,016 blocks for the largest, at least 144.
    fn csv_delay(&self) -> u32 {
        const LARGEST: u64 = (1 << 24) - 1;
        let delay = 2_016 * self.capacity.to_sat() / LARGEST;
        u32::try_from(delay.clamp(144, 2_016)).expect("at most 2,016")
    }

    /// The answer of `GetChanInfo`.
    pub(super) fn to_edge(&self) -> lnrpc::ChannelEdge {
        let policy = lnrpc::RoutingPolicy {
            time_lock_delta: 80,
            min_htlc: 1_000,
            fee_base_msat: 1_000,
            fee_rate_milli_msat: 1,
            disabled: !self.enabled,
            max_htlc_msat: self.max_htlc.0,
        };
        let mut nodes = self.ends.each_ref().map(|end| end.node);
        nodes.sort_by_key(NodeId::serialize);
        lnrpc::ChannelEdge {
            channel_id: self.scid.0,
            chan_point: self.point.to_string(),
            node1_pub: nodes[0].to_string(),
            node2_pub: nodes[1].to_string(),
            capacity: sat(self.capacity),
            node1_policy: Some(policy),
            node2_policy: Some(policy),
        }
    }
}

fn minus(balance: Msat, amount: Amount) -> Msat {
    Msat(balance.0.saturating_sub(amount.to_sat() * 1_000))
}

/// LND's RPC has signed satoshi.
pub(super) fn sat(amount: Amount) -> i64 {
    i64::try_from(amount.to_sat()).expect("all money there is fits 63 bits")
}

/// LND's RPC has signed millisatoshi.
pub(super) fn signed(amount: Msat) -> i64 {
    i64::try_from(amount.0).expect("all money there is fits 63 bits")
}

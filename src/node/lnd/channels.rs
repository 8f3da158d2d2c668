//! Channels, and what can be moved over them.
//!
//! What is spendable is counted as lnd counts it when it looks for a way (lnwallet/channel.go `availableBalance`,
//! v0.20.0-beta): the reserve stays, whoever opened the channel keeps twice the fee of a commitment with two more HTLCs,
//! and no more may be pending than the peer allows. Before lnd sends anything, it counts again.

use bitcoin::Amount;
use futures::stream::{self, StreamExt, TryStreamExt};

use crate::ports::{Channel, PortError};
use crate::units::{NodeId, Scid};

use super::api::lnrpc::{ChanInfoRequest, Channel as LndChannel, ChannelConstraints, ChannelEdge, ListChannelsRequest};
use super::connection::{CALL_LIMIT, Connection};
use super::error::CallErrorKind;
use super::parse_node_id;

/// Weight of one HTLC output on a commitment (input/size.go `HTLCWeight`).
const HTLC_WEIGHT: u64 = 172;
/// Open look-ups of channel policies at a time.
const LOOKUPS: usize = 8;

/// Every channel of the node.
pub(super) async fn list(lnd: &Connection) -> Result<Vec<Channel>, PortError> {
    let channels = fetch(lnd, None).await?;
    stream::iter(channels)
        .map(|channel| async move {
            let edge = edge(lnd, channel.chan_id).await?;
            convert(&channel, edge.as_ref())
        })
        .buffered(LOOKUPS)
        .try_collect()
        .await
}

/// The channel with a peer that goes by this short id.
pub(super) async fn with_peer(lnd: &Connection, peer: NodeId, scid: Scid) -> Result<Option<LndChannel>, PortError> {
    Ok(fetch(lnd, Some(peer))
        .await?
        .into_iter()
        .find(|channel| names(channel).any(|name| name == scid)))
}

async fn fetch(lnd: &Connection, peer: Option<NodeId>) -> Result<Vec<LndChannel>, PortError> {
    let request = ListChannelsRequest {
        peer: peer.map(|id| id.serialize().to_vec()).unwrap_or_default(),
        ..ListChannelsRequest::default()
    };
    let answer = lnd
        .call("ListChannels", CALL_LIMIT, async |mut api| {
            api.lightning.list_channels(request).await
        })
        .await?;
    Ok(answer.channels)
}

/// The announced policies of a channel; None for one that the node's graph does not hold.
async fn edge(lnd: &Connection, chan_id: u64) -> Result<Option<ChannelEdge>, PortError> {
    let request = ChanInfoRequest { chan_id };
    match lnd
        .call("GetChanInfo", CALL_LIMIT, async |mut api| {
            api.lightning.get_chan_info(request).await
        })
        .await
    {
        Ok(edge) => Ok(Some(edge)),
        Err(e) if matches!(e.kind, CallErrorKind::NotFound | CallErrorKind::Refused) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

/// The confirmed short id where there is one: what both ends and the chain call the channel.
fn scid(channel: &LndChannel) -> Scid {
    Scid(if channel.zero_conf_confirmed_scid != 0 {
        channel.zero_conf_confirmed_scid
    } else {
        channel.chan_id
    })
}

/// Every short id that either end has for the channel, the main one first.
fn names(channel: &LndChannel) -> impl Iterator<Item = Scid> {
    let others = [channel.chan_id, channel.peer_scid_alias];
    let others = others.into_iter().chain(channel.alias_scids.iter().copied()).map(Scid);
    let main = scid(channel);
    std::iter::once(main).chain(others.filter(move |name| name.0 != 0 && *name != main))
}

/// The ids by which our own node may know the channel in its graph. A peer's alias is not one: the peer chose it, and
/// may have chosen the id of another channel.
pub(super) fn own_names(channel: &LndChannel) -> Vec<u64> {
    let main = scid(channel).0;
    if main == channel.chan_id {
        vec![main]
    } else {
        vec![channel.chan_id, main]
    }
}

/// What can be sent over it now, going by the channel alone.
pub(super) fn spendable(channel: &LndChannel) -> Amount {
    sides(channel).0.carries()
}

fn convert(channel: &LndChannel, edge: Option<&ChannelEdge>) -> Result<Channel, PortError> {
    let (ours, theirs) = sides(channel);
    let (our_limit, their_limit) = edge.map_or((None, None), |edge| htlc_limits(channel, edge));
    let capped = |amount: Amount, limit: Option<Amount>| limit.map_or(amount, |limit| amount.min(limit));
    let scid = scid(channel);
    let mut aliases: Vec<Scid> = names(channel).skip(1).collect();
    aliases.sort_unstable();
    aliases.dedup();
    Ok(Channel {
        scid,
        aliases,
        peer: parse_node_id("ListChannels", &channel.remote_pubkey)?,
        active: channel.active,
        capacity: sat(channel.capacity),
        local: sat(channel.local_balance),
        remote: sat(channel.remote_balance),
        spendable: capped(ours.carries(), our_limit),
        receivable: capped(theirs.carries(), their_limit),
    })
}

/// The largest HTLC that each end forwards over the channel by its announced policy: ours, then the peer's.
fn htlc_limits(channel: &LndChannel, edge: &ChannelEdge) -> (Option<Amount>, Option<Amount>) {
    let limit = |policy: Option<&super::api::lnrpc::RoutingPolicy>| {
        policy
            .map(|p| p.max_htlc_msat)
            .filter(|msat| *msat != 0)
            .map(|msat| Amount::from_sat(msat / 1000))
    };
    let (first, second) = (limit(edge.node1_policy.as_ref()), limit(edge.node2_policy.as_ref()));
    if edge.node1_pub == channel.remote_pubkey {
        (second, first)
    } else {
        (first, second)
    }
}

/// One end of a channel, as a sender over it.
#[derive(Debug, Clone, Copy)]
struct Side {
    /// Its balance, the commitment's fee not taken off.
    balance: Amount,
    reserve: Amount,
    dust: Amount,
    /// It pays the commitment's fee.
    opener: bool,
    /// What it may have pending at most, and has.
    max_pending: Amount,
    pending: Amount,
    /// HTLCs it may have pending at most, and has.
    max_htlcs: usize,
    htlcs: usize,
    /// The commitment's fee now, with one HTLC more, and what an opener keeps back for it.
    fees: Fees,
    /// What the other end has above its reserve.
    other_free: Amount,
}

#[derive(Debug, Clone, Copy)]
struct Fees {
    with_one_more: Amount,
    kept_back: Amount,
}

impl Side {
    fn free(&self) -> Amount {
        self.balance.checked_sub(self.reserve).unwrap_or(Amount::ZERO)
    }

    /// The largest HTLC that it can offer now.
    fn carries(&self) -> Amount {
        if self.htlcs >= self.max_htlcs {
            return Amount::ZERO;
        }
        let pending = self.max_pending.checked_sub(self.pending).unwrap_or(Amount::ZERO);
        let free = if self.opener {
            self.free().checked_sub(self.fees.kept_back).unwrap_or(Amount::ZERO)
        } else if self.other_free < self.fees.with_one_more {
            // The opener could not pay for one more output: only what makes none can be sent.
            self.free().min(self.dust)
        } else {
            self.free()
        };
        free.min(pending)
    }
}

fn sides(channel: &LndChannel) -> (Side, Side) {
    let fee_rate = u64::try_from(channel.fee_per_kw).unwrap_or(0);
    let weight = u64::try_from(channel.commit_weight).unwrap_or(0);
    let fee = |rate: u64, weight: u64| Amount::from_sat(rate.saturating_mul(weight) / 1000);
    let fees = Fees {
        with_one_more: fee(fee_rate, weight.saturating_add(HTLC_WEIGHT)),
        kept_back: fee(fee_rate.saturating_mul(2), weight.saturating_add(2 * HTLC_WEIGHT)),
    };
    let side = |ours: bool| {
        let (balance, constraints) = if ours {
            (channel.local_balance, channel.local_constraints.as_ref())
        } else {
            (channel.remote_balance, channel.remote_constraints.as_ref())
        };
        let opener = channel.initiator == ours;
        let fee_paid = if opener { sat(channel.commit_fee) } else { Amount::ZERO };
        let no_limits = ChannelConstraints::default();
        let limits = constraints.unwrap_or(&no_limits);
        let pending = || channel.pending_htlcs.iter().filter(move |htlc| htlc.incoming != ours);
        Side {
            balance: sat(balance).checked_add(fee_paid).unwrap_or(Amount::ZERO),
            reserve: Amount::from_sat(limits.chan_reserve_sat),
            dust: Amount::from_sat(limits.dust_limit_sat),
            opener,
            max_pending: or_unlimited(
                limits.max_pending_amt_msat,
                |msat| Amount::from_sat(msat / 1000),
                Amount::MAX_MONEY,
            ),
            pending: pending()
                .map(|htlc| sat(htlc.amount))
                .fold(Amount::ZERO, |sum, a| sum.checked_add(a).unwrap_or(sum)),
            max_htlcs: or_unlimited(
                limits.max_accepted_htlcs.into(),
                |n| usize::try_from(n).unwrap_or(usize::MAX),
                usize::MAX,
            ),
            htlcs: pending().count(),
            fees,
            other_free: Amount::ZERO,
        }
    };
    let (mut ours, mut theirs) = (side(true), side(false));
    ours.other_free = theirs.free();
    theirs.other_free = ours.free();
    (ours, theirs)
}

fn or_unlimited<T>(limit: u64, read: impl Fn(u64) -> T, unlimited: T) -> T {
    if limit == 0 { unlimited } else { read(limit) }
}

/// lnd's amounts are signed and never negative.
fn sat(amount: i64) -> Amount {
    Amount::from_sat(amount.try_into().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::lnd::api::lnrpc::{Htlc, RoutingPolicy};

    const PEER: &str = "02c30ff537639962f493d326a77f1c6cb591ee3d21ca8d89194bb69cb288f497e8";

    fn limits() -> Option<ChannelConstraints> {
        Some(ChannelConstraints {
            chan_reserve_sat: 10_000,
            dust_limit_sat: 354,
            max_pending_amt_msat: 990_000_000,
            max_accepted_htlcs: 483,
            ..ChannelConstraints::default()
        })
    }

    /// As lnd shows a fresh anchor channel of 1,000,000 sat at 2500 sat/kw.
    fn channel() -> LndChannel {
        LndChannel {
            active: true,
            remote_pubkey: PEER.into(),
            chan_id: 108 << 40 | 1 << 16,
            capacity: 1_000_000,
            local_balance: 596_530,
            remote_balance: 400_000,
            commit_fee: 2810,
            commit_weight: 1116,
            fee_per_kw: 2500,
            initiator: true,
            local_constraints: limits(),
            remote_constraints: limits(),
            ..LndChannel::default()
        }
    }

    fn converted(channel: &LndChannel) -> Channel {
        convert(channel, None).unwrap()
    }

    #[test]
    fn the_opener_keeps_its_reserve_and_the_fee_buffer() {
        let shown = converted(&channel());
        // 5000 sat/kw for 1116 + 344 weight units are 7300 sat.
        assert_eq!(shown.spendable, Amount::from_sat(596_530 + 2810 - 10_000 - 7300));
        assert_eq!(shown.receivable, Amount::from_sat(390_000));
    }

    #[test]
    fn who_did_not_open_it_keeps_only_the_reserve() {
        let turned = LndChannel {
            initiator: false,
            ..channel()
        };
        assert_eq!(converted(&turned).spendable, Amount::from_sat(586_530));
        assert_eq!(
            converted(&turned).receivable,
            Amount::from_sat(400_000 + 2810 - 10_000 - 7300)
        );
    }

    #[test]
    fn less_than_the_reserve_is_nothing() {
        let drained = LndChannel {
            local_balance: 9_000,
            commit_fee: 0,
            ..channel()
        };
        assert_eq!(converted(&drained).spendable, Amount::ZERO);
    }

    #[test]
    fn an_opener_without_money_for_fees_can_be_sent_dust_only() {
        let drained = LndChannel {
            local_balance: 7_000,
            remote_balance: 900_000,
            ..channel()
        };
        assert_eq!(converted(&drained).receivable, Amount::from_sat(354));
    }

    #[test]
    fn pending_htlcs_count_against_the_limit_of_their_sender() {
        let htlc = |incoming, amount| Htlc {
            incoming,
            amount,
            ..Htlc::default()
        };
        let mut busy = channel();
        busy.pending_htlcs = vec![htlc(false, 100_000), htlc(true, 700_000)];
        busy.local_constraints.as_mut().unwrap().max_pending_amt_msat = 150_000_999;
        busy.remote_constraints.as_mut().unwrap().max_pending_amt_msat = 710_000_000;
        assert_eq!(converted(&busy).spendable, Amount::from_sat(50_000));
        assert_eq!(converted(&busy).receivable, Amount::from_sat(10_000));
        busy.local_constraints.as_mut().unwrap().max_accepted_htlcs = 1;
        assert_eq!(converted(&busy).spendable, Amount::ZERO);
    }

    #[test]
    fn announced_limits_cap_each_direction() {
        let policy = |msat| {
            Some(RoutingPolicy {
                max_htlc_msat: msat,
                ..RoutingPolicy::default()
            })
        };
        let edge = ChannelEdge {
            node1_pub: PEER.into(),
            node1_policy: policy(20_000_000),
            node2_policy: policy(30_000_000),
            ..ChannelEdge::default()
        };
        let shown = convert(&channel(), Some(&edge)).unwrap();
        assert_eq!(
            (shown.spendable, shown.receivable),
            (Amount::from_sat(30_000), Amount::from_sat(20_000))
        );
    }

    #[test]
    fn a_zero_conf_channel_goes_by_its_confirmed_id_and_keeps_its_aliases() {
        let alias = 16_000_000 << 40;
        let zero_conf = LndChannel {
            chan_id: alias,
            alias_scids: vec![alias],
            peer_scid_alias: alias + 1,
            zero_conf_confirmed_scid: 5 << 40,
            ..channel()
        };
        let shown = converted(&zero_conf);
        assert_eq!(shown.scid, Scid(5 << 40));
        assert_eq!(shown.aliases, vec![Scid(alias), Scid(alias + 1)]);
        assert_eq!(own_names(&zero_conf), vec![alias, 5 << 40]);
    }
}

//! Channels, and what can be moved over them.
//!
//! A channel has several short ids when it was used before it confirmed, or keeps its funding secret: all of them are
//! understood, one is shown.

use bitcoin::Amount;
use futures::stream::{self, StreamExt, TryStreamExt};

use crate::node::grpc::{CALL_LIMIT, CallErrorKind};
use crate::ports::{Aliases, Channel, PortError};
use crate::units::{NodeId, Scid};

use super::api::lnrpc::{ChanInfoRequest, Channel as LndChannel, ChannelEdge, ListChannelsRequest, RoutingPolicy};
use super::connection::Connection;
use super::limits::{sat, sendable};
use super::parse_node_id;

/// How lnd says, in place of an alias, that it knows none (lnd: rpcserver.go, createRPCOpenChannel).
const NO_ALIAS: &str = "unable to lookup peer alias";
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

/// What the peers of all channels call themselves.
pub(super) async fn aliases(lnd: &Connection) -> Result<Aliases, PortError> {
    let request = ListChannelsRequest {
        peer_alias_lookup: true,
        ..ListChannelsRequest::default()
    };
    let known = list_channels(lnd, request).await?.into_iter().filter_map(|channel| {
        let is_known = !channel.peer_alias.is_empty() && !channel.peer_alias.starts_with(NO_ALIAS);
        is_known.then(|| {
            Ok((
                parse_node_id("ListChannels", &channel.remote_pubkey)?,
                channel.peer_alias,
            ))
        })
    });
    known.collect()
}

async fn fetch(lnd: &Connection, peer: Option<NodeId>) -> Result<Vec<LndChannel>, PortError> {
    let request = ListChannelsRequest {
        peer: peer.map(|id| id.serialize().to_vec()).unwrap_or_default(),
        ..ListChannelsRequest::default()
    };
    list_channels(lnd, request).await
}

async fn list_channels(lnd: &Connection, request: ListChannelsRequest) -> Result<Vec<LndChannel>, PortError> {
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
    sendable(channel).0
}

fn convert(channel: &LndChannel, edge: Option<&ChannelEdge>) -> Result<Channel, PortError> {
    let (ours, theirs) = sendable(channel);
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
        spendable: capped(ours, our_limit),
        receivable: capped(theirs, their_limit),
    })
}

/// The largest HTLC that each end forwards over the channel by its announced policy: ours, then the peer's.
fn htlc_limits(channel: &LndChannel, edge: &ChannelEdge) -> (Option<Amount>, Option<Amount>) {
    let limit = |policy: Option<&RoutingPolicy>| {
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

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "02c30ff537639962f493d326a77f1c6cb591ee3d21ca8d89194bb69cb288f497e8";

    fn channel() -> LndChannel {
        LndChannel {
            active: true,
            remote_pubkey: PEER.into(),
            chan_id: 108 << 40 | 1 << 16,
            capacity: 1_000_000,
            local_balance: 596_530,
            remote_balance: 400_000,
            ..LndChannel::default()
        }
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
        let shown = convert(&zero_conf, None).unwrap();
        assert_eq!(shown.scid, Scid(5 << 40));
        assert_eq!(shown.aliases, vec![Scid(alias), Scid(alias + 1)]);
        assert_eq!(own_names(&zero_conf), vec![alias, 5 << 40]);
    }
}

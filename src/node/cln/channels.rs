//! Channels, and what can be moved over them.
//!
//! Each channel has an alias of either end beside its confirmed id, and only aliases before it has confirmed: all of
//! them are understood, one is shown.

use std::collections::BTreeSet;

use bitcoin::Amount;
use futures::stream::{self, StreamExt, TryStreamExt};

use crate::node::grpc::CALL_LIMIT;
use crate::ports::{Aliases, Channel, PortError};
use crate::units::{NodeId, Scid};

use super::api::listpeerchannels_channels_htlcs::ListpeerchannelsChannelsHtlcsDirection as Direction;
use super::api::{
    Amount as ClnAmount, ChannelState, ListnodesNodes, ListnodesRequest, ListpeerchannelsChannels as ClnChannel,
    ListpeerchannelsRequest,
};
use super::connection::Connection;
use super::read_node_id;

/// Open look-ups of peers at a time.
const LOOKUPS: usize = 8;

/// Every channel of the node that is open.
pub(super) async fn list(cln: &Connection) -> Result<Vec<Channel>, PortError> {
    let channels = fetch(cln, None).await?;
    channels
        .iter()
        .filter_map(|channel| convert(channel).transpose())
        .collect()
}

/// What the peers of all channels call themselves.
pub(super) async fn aliases(cln: &Connection) -> Result<Aliases, PortError> {
    let peers: BTreeSet<Vec<u8>> = fetch(cln, None)
        .await?
        .into_iter()
        .map(|channel| channel.peer_id)
        .collect();
    let asked = peers.into_iter().map(|id| async move {
        let request = ListnodesRequest { id: Some(id) };
        cln.call("ListNodes", CALL_LIMIT, async |mut api| api.list_nodes(request).await)
            .await
    });
    let answers = stream::iter(asked).buffer_unordered(LOOKUPS);
    let nodes: Vec<ListnodesNodes> = answers.map_ok(|answer| answer.nodes).try_concat().await?;
    let known = nodes.into_iter().filter_map(|node| Some((node.nodeid, node.alias?)));
    known
        .map(|(id, alias)| Ok((read_node_id("ListNodes", &id)?, alias)))
        .collect()
}

/// The open channel with a peer that goes by this short id.
pub(super) async fn with_peer(cln: &Connection, peer: NodeId, scid: Scid) -> Result<Option<ClnChannel>, PortError> {
    let found = fetch(cln, Some(peer)).await?.into_iter();
    Ok(found.into_iter().find(|channel| names(channel).contains(&scid)))
}

async fn fetch(cln: &Connection, peer: Option<NodeId>) -> Result<Vec<ClnChannel>, PortError> {
    let request = ListpeerchannelsRequest {
        id: peer.map(|id| id.serialize().to_vec()),
    };
    let answer = cln
        .call("ListPeerChannels", CALL_LIMIT, async |mut api| {
            api.list_peer_channels(request).await
        })
        .await?;
    Ok(answer.channels.into_iter().filter(is_open).collect())
}

fn is_open(channel: &ClnChannel) -> bool {
    matches!(
        ChannelState::try_from(channel.state),
        Ok(ChannelState::ChanneldNormal | ChannelState::ChanneldAwaitingSplice)
    )
}

/// Whether both ends are there and have agreed where they were.
pub(super) fn is_active(channel: &ClnChannel) -> bool {
    channel.peer_connected && channel.reestablished != Some(false)
}

/// Every short id that either end has for the channel, the confirmed one first where there is one; the next is our own.
fn names(channel: &ClnChannel) -> Vec<Scid> {
    let alias = channel.alias.as_ref();
    let all = [
        channel.short_channel_id.as_deref(),
        alias.and_then(|alias| alias.local.as_deref()),
        alias.and_then(|alias| alias.remote.as_deref()),
    ];
    let mut names = Vec::new();
    for name in all.into_iter().flatten().filter_map(|text| text.parse().ok()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The id by which lightningd knows the channel. A peer's alias is not one: the peer chose it, and may have chosen the
/// id of another channel.
pub(super) fn own_name(channel: &ClnChannel) -> Option<String> {
    let alias = channel.alias.as_ref().and_then(|alias| alias.local.clone());
    channel.short_channel_id.clone().or(alias)
}

/// What can be sent over it now.
pub(super) fn spendable(channel: &ClnChannel) -> Amount {
    let limit = channel.maximum_htlc_out_msat.map_or(u64::MAX, |limit| limit.msat);
    whole(msat(channel.spendable_msat).min(limit))
}

fn receivable(channel: &ClnChannel) -> Amount {
    let remote = channel.updates.as_ref().and_then(|updates| updates.remote);
    let limit = remote.and_then(|remote| remote.htlc_maximum_msat);
    whole(msat(channel.receivable_msat).min(limit.map_or(u64::MAX, |limit| limit.msat)))
}

/// None for a channel that has no name yet.
fn convert(channel: &ClnChannel) -> Result<Option<Channel>, PortError> {
    let names = names(channel);
    let Some((scid, others)) = names.split_first() else {
        return Ok(None);
    };
    let mut aliases = others.to_vec();
    aliases.sort_unstable();
    let (ours, total) = (msat(channel.to_us_msat), msat(channel.total_msat));
    let theirs = total.saturating_sub(ours);
    Ok(Some(Channel {
        scid: *scid,
        aliases,
        peer: read_node_id("ListPeerChannels", &channel.peer_id)?,
        active: is_active(channel),
        capacity: whole(total),
        // What is offered belongs to neither end until it is settled.
        local: whole(ours.saturating_sub(offered(channel, Direction::Out))),
        remote: whole(theirs.saturating_sub(offered(channel, Direction::In))),
        spendable: spendable(channel),
        receivable: receivable(channel),
    }))
}

/// What is in pending HTLCs of that direction, msat.
fn offered(channel: &ClnChannel, direction: Direction) -> u64 {
    let htlcs = channel.htlcs.iter().filter(|htlc| htlc.direction() == direction);
    htlcs.map(|htlc| msat(htlc.amount_msat)).fold(0, u64::saturating_add)
}

fn msat(amount: Option<ClnAmount>) -> u64 {
    amount.map_or(0, |amount| amount.msat)
}

fn whole(msat: u64) -> Amount {
    Amount::from_sat(msat / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::cln::api::{
        ListpeerchannelsChannelsAlias, ListpeerchannelsChannelsHtlcs, ListpeerchannelsChannelsUpdates,
        ListpeerchannelsChannelsUpdatesRemote,
    };

    const PEER: &str = "02c30ff537639962f493d326a77f1c6cb591ee3d21ca8d89194bb69cb288f497e8";

    fn amount(sat: u64) -> Option<ClnAmount> {
        Some(ClnAmount { msat: sat * 1000 })
    }

    fn channel() -> ClnChannel {
        ClnChannel {
            peer_id: hex::decode(PEER).unwrap(),
            peer_connected: true,
            state: ChannelState::ChanneldNormal.into(),
            short_channel_id: Some("103x1x0".into()),
            to_us_msat: amount(600_000),
            total_msat: amount(1_000_000),
            spendable_msat: amount(585_000),
            receivable_msat: amount(390_000),
            alias: Some(ListpeerchannelsChannelsAlias {
                local: Some("16000000x0x1".into()),
                remote: Some("16000000x0x2".into()),
            }),
            ..ClnChannel::default()
        }
    }

    #[test]
    fn an_unconfirmed_channel_goes_by_our_alias_a_confirmed_one_by_its_id() {
        let (ours, theirs): (Scid, Scid) = ("16000000x0x1".parse().unwrap(), "16000000x0x2".parse().unwrap());
        let shown = convert(&channel()).unwrap().unwrap();
        assert_eq!(
            (shown.scid, shown.aliases),
            ("103:1:0".parse().unwrap(), vec![ours, theirs])
        );
        let unconfirmed = ClnChannel {
            short_channel_id: None,
            ..channel()
        };
        let shown = convert(&unconfirmed).unwrap().unwrap();
        assert_eq!((shown.scid, shown.aliases), (ours, vec![theirs]));
        assert_eq!(own_name(&unconfirmed).unwrap(), "16000000x0x1");
        assert_eq!(own_name(&channel()).unwrap(), "103x1x0");
    }

    #[test]
    fn a_pending_htlc_is_neither_end_s() {
        let htlc = |direction: Direction, sat| ListpeerchannelsChannelsHtlcs {
            direction: direction.into(),
            amount_msat: amount(sat),
        };
        let busy = ClnChannel {
            htlcs: vec![htlc(Direction::Out, 1000), htlc(Direction::In, 20)],
            ..channel()
        };
        let shown = convert(&busy).unwrap().unwrap();
        assert_eq!(
            (shown.local, shown.remote),
            (Amount::from_sat(599_000), Amount::from_sat(399_980))
        );
    }

    #[test]
    fn announced_limits_cap_each_direction() {
        let remote = ListpeerchannelsChannelsUpdatesRemote {
            htlc_maximum_msat: amount(20_000),
        };
        let limited = ClnChannel {
            maximum_htlc_out_msat: amount(30_000),
            updates: Some(ListpeerchannelsChannelsUpdates { remote: Some(remote) }),
            ..channel()
        };
        let shown = convert(&limited).unwrap().unwrap();
        assert_eq!(
            (shown.spendable, shown.receivable),
            (Amount::from_sat(30_000), Amount::from_sat(20_000))
        );
    }

    #[test]
    fn a_channel_that_has_not_found_its_place_again_is_not_active() {
        let lost = ClnChannel {
            reestablished: Some(false),
            ..channel()
        };
        assert!(is_active(&channel()) && !is_active(&lost));
    }
}

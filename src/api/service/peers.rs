//! Peers with a channel: what can be swapped with each, or why not.

use std::collections::BTreeMap;

use super::{Service, broken};
use crate::api::error::ApiError;
use crate::api::types::{ChannelView, Offer, PeerList, PeerView};
use crate::engine::{Engine, PeerState};
use crate::policy::{Denial, Policy};
use crate::ports::Channel;
use crate::swap::Kind;
use crate::units::{Asset, NodeId};

impl Service {
    pub(super) async fn peers(&self) -> Result<PeerList, ApiError> {
        let channels = self.engine()?.node().channels().await;
        let channels = channels.map_err(|failure| ApiError::from_port("the lightning node", failure))?;
        let mut by_peer: BTreeMap<NodeId, Vec<Channel>> = BTreeMap::new();
        for channel in channels {
            by_peer.entry(channel.peer).or_default().push(channel);
        }
        let peers = by_peer
            .into_iter()
            .map(|(peer, channels)| self.peer(peer, channels))
            .collect::<Result<_, _>>()?;
        Ok(PeerList { peers })
    }

    fn peer(&self, node_id: NodeId, channels: Vec<Channel>) -> Result<PeerView, ApiError> {
        let engine = self.engine()?;
        let state = engine.peers().state(&node_id);
        let pairs = Asset::ALL
            .into_iter()
            .flat_map(|asset| [(asset, Kind::In), (asset, Kind::Out)]);
        let offers: Vec<Offer> = pairs
            .map(|(asset, kind)| Self::offer(engine, &node_id, asset, kind))
            .collect();
        let problem = offers.iter().all(|offer| offer.problem.is_some()).then(|| {
            let first = offers.first().and_then(|offer| offer.problem.clone());
            first.unwrap_or_else(|| "it offers nothing".into())
        });
        let PeerState { offer, online } = state;
        Ok(PeerView {
            node_id,
            alias: None,
            online,
            protocol_version: offer.as_ref().map(|(offer, _)| offer.version),
            allowed: self.engine()?.allows(&node_id),
            allows_us: offer.as_ref().map(|(offer, _)| offer.peer_allowed),
            problem,
            offers,
            channels: channels
                .into_iter()
                .map(|channel| self.channel(channel))
                .collect::<Result<_, _>>()?,
        })
    }

    fn offer(engine: &Engine, peer: &NodeId, asset: Asset, direction: Kind) -> Offer {
        let ours = forbidden(&engine.policy(), peer).or_else(|| engine.hindrance(asset));
        let problem = ours.or_else(|| engine.peers().can_swap(peer, asset).err());
        Offer {
            asset,
            direction,
            premium_ppm: engine.peers().premium(peer, asset, direction).map(|ppm| ppm.0),
            problem,
        }
    }

    fn channel(&self, channel: Channel) -> Result<ChannelView, ApiError> {
        Ok(ChannelView {
            channel: channel.scid,
            active: channel.active,
            capacity_sat: channel.capacity.to_sat(),
            local_sat: channel.local.to_sat(),
            remote_sat: channel.remote.to_sat(),
            spendable_sat: channel.spendable.to_sat(),
            receivable_sat: channel.receivable.to_sat(),
            busy_with: self.engine()?.store().channel_holder(channel.scid).map_err(broken)?,
        })
    }
}

/// Why our own policy allows no swap with a peer, whoever asks.
fn forbidden(policy: &Policy, peer: &NodeId) -> Option<String> {
    let denial = policy.admit_peer(peer).err()?;
    Some(match denial {
        Denial::Blocked(_) | Denial::Peer(_) => "it is blocked by the policy".into(),
        Denial::Disabled => "new swaps are switched off by the policy (accept_new_swaps)".into(),
        Denial::TooSmall { .. } | Denial::TooLarge { .. } => denial.to_string(),
    })
}

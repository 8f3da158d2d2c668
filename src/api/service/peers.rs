//! Peers: what can be swapped with each, or why not; what each has used up; who is in quarantine.

use std::collections::BTreeMap;

use super::chains::{SWITCHED_OFF, check_note};
use super::{Service, broken};
use crate::api::error::ApiError;
use crate::api::types::{
    ChannelView, ConductView, OffenceView, Offer, PeerList, PeerQuarantine, PeerView, QuarantineView,
};
use crate::api::view::text::rfc3339;
use crate::engine::{Conduct, Engine, PeerState};
use crate::policy::{Denial, Policy, Quarantine, limits};
use crate::ports::{Aliases, Channel};
use crate::protocol::text::plain;
use crate::swap::Kind;
use crate::units::{Asset, NodeId};

/// The channels with each peer.
type ByPeer = BTreeMap<NodeId, Vec<Channel>>;

/// The longest alias that a node can announce (BOLT 7).
const MAX_ALIAS: usize = 32;

impl Service {
    pub(super) async fn peers(&self) -> Result<PeerList, ApiError> {
        let (mut by_peer, aliases) = (self.channels_by_peer().await?, self.aliases().await?);
        for peer in self.engine()?.quarantined() {
            by_peer.entry(peer).or_default();
        }
        let peers = by_peer
            .into_iter()
            .map(|(peer, channels)| self.peer(peer, channels, &aliases))
            .collect::<Result<_, _>>()?;
        Ok(PeerList { peers })
    }

    pub(super) async fn one_peer(&self, peer: NodeId) -> Result<PeerView, ApiError> {
        let channels = self.channels_by_peer().await?.remove(&peer).unwrap_or_default();
        if channels.is_empty() && self.engine()?.conduct(&peer).quarantine.is_none() {
            let rule = "must be a peer with a channel, or one in quarantine";
            return Err(ApiError::invalid("peer", peer.to_string(), rule));
        }
        self.peer(peer, channels, &self.aliases().await?)
    }

    pub(super) async fn quarantine(&self, request: &PeerQuarantine) -> Result<PeerView, ApiError> {
        let (secs, most) = (request.duration_secs, PeerQuarantine::MOST_SECS);
        if !(1..=most).contains(&secs) {
            let rule = format!("must be 1 to {most}, a year; for ever is `policy_set` with `block`");
            return Err(ApiError::invalid("duration_secs", secs, rule));
        }
        check_note(&request.note)?;
        self.engine()?
            .quarantine(request.peer, secs, &request.note)
            .map_err(broken)?;
        self.changed(request.peer).await
    }

    pub(super) async fn release(&self, peer: NodeId) -> Result<PeerView, ApiError> {
        self.engine()?.release(peer).map_err(broken)?;
        self.changed(peer).await
    }

    /// A peer after a change that is done, whether it has channels or not.
    async fn changed(&self, peer: NodeId) -> Result<PeerView, ApiError> {
        let channels = self.channels_by_peer().await?.remove(&peer).unwrap_or_default();
        self.peer(peer, channels, &self.aliases().await?)
    }

    /// What the peers call themselves. A node that does not tell keeps nobody from what else is known of them.
    async fn aliases(&self) -> Result<Aliases, ApiError> {
        Ok(self.engine()?.node().aliases().await.unwrap_or_default())
    }

    async fn channels_by_peer(&self) -> Result<ByPeer, ApiError> {
        let channels = self.engine()?.node().channels().await;
        let channels = channels.map_err(|failure| ApiError::from_port("the lightning node", failure))?;
        let mut by_peer = ByPeer::new();
        for channel in channels {
            by_peer.entry(channel.peer).or_default().push(channel);
        }
        Ok(by_peer)
    }

    fn peer(&self, node_id: NodeId, channels: Vec<Channel>, aliases: &Aliases) -> Result<PeerView, ApiError> {
        let engine = self.engine()?;
        let state = engine.peers().state(&node_id);
        let pairs = Asset::ALL
            .into_iter()
            .flat_map(|asset| [(asset, Kind::In), (asset, Kind::Out)]);
        let offers: Vec<Offer> = pairs
            .map(|(asset, kind)| Self::offer(engine, &node_id, asset, kind))
            .collect();
        let problem = offers.iter().all(|offer| offer.problem.is_some()).then(|| {
            // that an asset is not configured says nothing of the peer
            let configured = offers
                .iter()
                .find(|offer| engine.configured().any(|asset| asset == offer.asset));
            let first = configured.or(offers.first());
            first
                .and_then(|offer| offer.problem.clone())
                .unwrap_or_else(|| "it offers nothing".into())
        });
        let PeerState { offer, online } = state;
        let conduct = engine.conduct(&node_id);
        Ok(PeerView {
            node_id,
            alias: aliases.get(&node_id).map(|alias| plain(alias, MAX_ALIAS)),
            online,
            protocol_version: offer.as_ref().map(|(offer, _)| offer.version),
            allowed: self.engine()?.allows(&node_id),
            allows_us: offer.as_ref().map(|(offer, _)| offer.peer_allowed),
            problem,
            quarantine: conduct.quarantine.as_ref().map(quarantine_view),
            conduct: conduct_view(&conduct),
            offers,
            channels: channels
                .into_iter()
                .map(|channel| self.channel(channel))
                .collect::<Result<_, _>>()?,
        })
    }

    fn offer(engine: &Engine, peer: &NodeId, asset: Asset, direction: Kind) -> Offer {
        let quarantined = || {
            let quarantine = engine.conduct(peer).quarantine?;
            let until = rfc3339(quarantine.until);
            Some(format!("it is in quarantine until {until}: {}", quarantine.why()))
        };
        let ours = forbidden(&engine.policy(), peer)
            .or_else(quarantined)
            .or_else(|| engine.hindrance(asset));
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

fn quarantine_view(quarantine: &Quarantine) -> QuarantineView {
    QuarantineView {
        cause: quarantine.cause,
        reason: quarantine.reason.clone(),
        since: quarantine.since.0,
        since_text: rfc3339(quarantine.since),
        until: quarantine.until.0,
        until_text: rfc3339(quarantine.until),
    }
}

fn conduct_view(conduct: &Conduct) -> ConductView {
    let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let offences = conduct.offences.iter().map(|(offence, count)| OffenceView {
        offence: *offence,
        count: *count,
        threshold: offence.threshold().count,
        within_secs: offence.threshold().within_secs,
    });
    ConductView {
        running_swaps: number(conduct.running),
        most_running_swaps: number(limits::MOST_RUNNING),
        pending_swaps: number(conduct.pending),
        most_pending_swaps: number(limits::MOST_PENDING),
        dropped_messages: conduct.dropped,
        offences: offences.collect(),
    }
}

/// Why our own policy allows no swap with a peer, whoever asks.
fn forbidden(policy: &Policy, peer: &NodeId) -> Option<String> {
    let denial = policy.admit_peer(peer).err()?;
    Some(match denial {
        Denial::Blocked(_) | Denial::Peer(_) => "it is blocked by the policy".into(),
        Denial::Disabled => SWITCHED_OFF.into(),
        Denial::TooSmall { .. } | Denial::TooLarge { .. } => denial.to_string(),
    })
}

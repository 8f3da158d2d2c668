//! `lnrpc.Lightning`.

use sluice::units::{NodeId, Scid};
use tonic::{Request, Response, Status};

use super::{Answer, Api, Updates, answer, heard, payment_hash, vertex};
use crate::lightning::channel::Channel;
use crate::lightning::proto::lnrpc;
use crate::lightning::proto::lnrpc::lightning_server::Lightning;
use crate::lightning::proto::lnrpc::{
    AddInvoiceResponse, Chain, ChanInfoRequest, ChannelEdge, ChannelEventSubscription, ChannelEventUpdate,
    CustomMessage, GetInfoRequest, GetInfoResponse, Invoice, InvoiceSubscription, ListChannelsRequest,
    ListChannelsResponse, ListPeersRequest, ListPeersResponse, PaymentHash, Peer, PeerEvent, PeerEventSubscription,
    SendCustomMessageRequest, SendCustomMessageResponse, SubscribeCustomMessagesRequest,
};
use crate::lightning::state::State;

/// lnwire/custom.go, CustomTypeStart.
const FIRST_CUSTOM_TYPE: u16 = 32_768;
/// lnwire/message.go, MaxMsgBody: 65,535 bytes less the type's two.
const MAX_MESSAGE: usize = 65_533;
/// The release whose behaviour this is.
const VERSION: &str = "0.20.0-beta commit=v0.20.0-beta";

#[tonic::async_trait]
impl Lightning for Api {
    type SubscribePeerEventsStream = Updates<PeerEvent>;
    type SubscribeChannelEventsStream = Updates<ChannelEventUpdate>;
    type SubscribeInvoicesStream = Updates<Invoice>;
    type SubscribeCustomMessagesStream = Updates<CustomMessage>;

    async fn get_info(&self, _: Request<GetInfoRequest>) -> Result<Response<GetInfoResponse>, Status> {
        Ok(Response::new(self.read(info)))
    }

    async fn list_peers(&self, _: Request<ListPeersRequest>) -> Result<Response<ListPeersResponse>, Status> {
        let peer = |peer: NodeId| Peer {
            pub_key: peer.to_string(),
            address: "127.0.0.1:9735".into(),
            inbound: false,
        };
        let peers = self.read(|state, node| state.peers_of(node).into_iter().map(peer).collect());
        Ok(Response::new(ListPeersResponse { peers }))
    }

    async fn list_channels(
        &self,
        request: Request<ListChannelsRequest>,
    ) -> Result<Response<ListChannelsResponse>, Status> {
        let wanted = request.into_inner();
        if wanted.active_only && wanted.inactive_only {
            return Err(Status::unknown(
                "either `active_only` or `inactive_only` can be set, but not both",
            ));
        }
        if wanted.public_only && wanted.private_only {
            return Err(Status::unknown(
                "either `public_only` or `private_only` can be set, but not both",
            ));
        }
        if !wanted.peer.is_empty() {
            vertex(&wanted.peer)
                .map_err(|error| Status::unknown(format!("invalid `peer` key: {}", error.message())))?;
        }
        let channels = self.read(|state, node| channels(state, node, &wanted));
        Ok(Response::new(ListChannelsResponse { channels }))
    }

    async fn get_chan_info(&self, request: Request<ChanInfoRequest>) -> Result<Response<ChannelEdge>, Status> {
        let id = Scid(request.into_inner().chan_id);
        if id == Scid(0) {
            return Err(Status::unknown("specify either chan_id or chan_point"));
        }
        self.read(|state, node| {
            let known = |channel: &&_| visible(channel, node, id);
            let channel = state.channels.iter().find(known);
            channel.map(|channel| Response::new(channel.to_edge()))
        })
        .ok_or_else(|| Status::not_found("edge not found"))
    }

    async fn subscribe_peer_events(&self, _: Request<PeerEventSubscription>) -> Answer<PeerEvent> {
        let events = self.with(|state, node| state.node_mut(node).peer_events.add());
        answer(heard(events)).await
    }

    async fn subscribe_channel_events(&self, _: Request<ChannelEventSubscription>) -> Answer<ChannelEventUpdate> {
        let events = self.with(|state, node| state.node_mut(node).channel_events.add());
        answer(heard(events)).await
    }

    async fn add_invoice(&self, request: Request<Invoice>) -> Result<Response<AddInvoiceResponse>, Status> {
        let invoice = request.into_inner();
        self.with(|state, node| state.add_invoice(node, &invoice))
            .map(Response::new)
    }

    async fn lookup_invoice(&self, request: Request<PaymentHash>) -> Result<Response<Invoice>, Status> {
        let request = request.into_inner();
        let length = request.r_hash.len();
        let hash = payment_hash(&request.r_hash)
            .map_err(|_| Status::unknown(format!("payment hash must be exactly 32 bytes, is instead {length}")))?;
        let invoice = self.read(|state, node| state.node(node).invoices.look_up(hash));
        invoice.map(Response::new)
    }

    async fn subscribe_invoices(&self, request: Request<InvoiceSubscription>) -> Answer<Invoice> {
        let from = request.into_inner();
        let invoices = self.with(|state, node| state.node_mut(node).invoices.listen(&from));
        answer(heard(invoices)).await
    }

    async fn send_custom_message(
        &self,
        request: Request<SendCustomMessageRequest>,
    ) -> Result<Response<SendCustomMessageResponse>, Status> {
        let message = request.into_inner();
        self.with(|state, node| send(state, node, message))?;
        Ok(Response::new(SendCustomMessageResponse {
            status: "message sent successfully".into(),
        }))
    }

    async fn subscribe_custom_messages(&self, _: Request<SubscribeCustomMessagesRequest>) -> Answer<CustomMessage> {
        let messages = self.with(|state, node| state.node_mut(node).messages.add());
        answer(heard(messages)).await
    }
}

fn info(state: &State, id: &NodeId) -> GetInfoResponse {
    let node = state.node(id);
    let ours = || state.channels.iter().filter(|channel| channel.side_of(id).is_some());
    let active = ours().filter(|channel| state.active(channel)).count();
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    GetInfoResponse {
        identity_pubkey: id.to_string(),
        alias: node.alias.clone(),
        num_pending_channels: 0,
        num_active_channels: count(active),
        num_inactive_channels: count(ours().count() - active),
        num_peers: count(state.peers_of(id).len()),
        block_height: state.height(),
        synced_to_chain: node.synced,
        synced_to_graph: node.synced,
        uris: Vec::new(),
        version: VERSION.into(),
        chains: vec![Chain {
            chain: "bitcoin".into(),
            network: "regtest".into(),
        }],
    }
}

fn channels(state: &State, node: &NodeId, wanted: &ListChannelsRequest) -> Vec<lnrpc::Channel> {
    let mut found = Vec::new();
    for channel in &state.channels {
        let Some(side) = channel.side_of(node) else { continue };
        let peer = channel.end(side.other()).node;
        let active = state.active(channel);
        let fits = (wanted.peer.is_empty() || wanted.peer == peer.serialize())
            && (active || !wanted.active_only)
            && !(wanted.inactive_only && active)
            && !(wanted.public_only && channel.private)
            && (channel.private || !wanted.private_only);
        if fits {
            let alias = if wanted.peer_alias_lookup {
                state.node(&peer).alias.clone()
            } else {
                String::new()
            };
            found.push(channel.to_rpc(side, active, alias));
        }
    }
    found
}

/// Whether a channel is in the node's graph under this id.
fn visible(channel: &Channel, node: &NodeId, id: Scid) -> bool {
    match channel.side_of(node) {
        Some(side) => channel.is_named(side, id),
        None => !channel.private && channel.scid == id,
    }
}

fn send(state: &mut State, from: &NodeId, message: SendCustomMessageRequest) -> Result<(), Status> {
    let peer = vertex(&message.peer)?;
    let peer = NodeId::from_slice(&peer)
        .ok()
        .filter(|peer| state.connected(from, peer));
    let peer = peer.ok_or_else(|| Status::not_found("peer is not connected"))?;
    // LND casts to 16 bits.
    let kind = (message.r#type & 0xffff) as u16;
    if kind < FIRST_CUSTOM_TYPE {
        let text = format!("msg type: {kind} not in custom range: <unknown> and not overridden");
        return Err(Status::unknown(text));
    }
    let size = message.data.len();
    if size > MAX_MESSAGE {
        // LND finds out when it writes, and gives the connection up.
        state.lose_link(from, &peer);
        let text = format!(
            "message payload is too large - encoded {size} bytes, but maximum message payload is {MAX_MESSAGE} bytes"
        );
        return Err(Status::unknown(text));
    }
    let received = CustomMessage {
        peer: from.serialize().to_vec(),
        r#type: kind.into(),
        data: message.data,
    };
    state.node_mut(&peer).messages.send(&received);
    Ok(())
}

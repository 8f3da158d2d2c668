//! One node: how to reach it, and what the harness may do to it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sluice::units::{Msat, NodeId, PaymentHash, Scid};

use super::certificate::{self, Certificate};
use super::channel::{Channel, ChannelView, Side};
use super::invoice::InvoiceView;
use super::links::Pair;
use super::macaroon::Macaroon;
use super::network::{Network, NetworkError};
use super::payment::PaymentView;
use super::proto::lnrpc::{self, WalletState};
use super::rpc;
use super::server::{self, Port, Running};
use super::state::State;

/// A node of the network. Clones are the same node; with the last of them its server ends.
#[derive(Clone)]
pub struct Node {
    inner: Arc<Inner>,
}

struct Inner {
    network: Network,
    id: NodeId,
    alias: String,
    directory: PathBuf,
    certificate: Certificate,
    macaroon: Macaroon,
    port: Port,
    server: Mutex<Option<Running>>,
}

/// Below a node's folder, as LND lays it out.
const TLS_CERT: &str = "tls.cert";
const ADMIN_MACAROON: &str = "data/chain/bitcoin/regtest/admin.macaroon";

impl Node {
    /// Writes the files and takes a port.
    pub(super) fn create(network: Network, id: NodeId, alias: &str, directory: PathBuf) -> Result<Node, NetworkError> {
        let certificate = certificate::generate()?;
        let macaroon = Macaroon::generate();
        write(&directory.join(TLS_CERT), certificate.certificate.as_bytes())?;
        write(&directory.join(ADMIN_MACAROON), macaroon.bytes())?;
        let inner = Inner {
            network,
            id,
            alias: alias.into(),
            directory,
            certificate,
            macaroon,
            port: Port::reserve()?,
            server: Mutex::new(None),
        };
        Ok(Node { inner: Arc::new(inner) })
    }

    /// Starts serving.
    pub(super) fn listen(&self) -> Result<(), NetworkError> {
        let inner = &self.inner;
        let routes = rpc::routes(&inner.network, inner.id, &inner.macaroon);
        let running = server::serve(&inner.port, &inner.certificate, routes)?;
        *inner.server.lock().unwrap_or_else(PoisonError::into_inner) = Some(running);
        Ok(())
    }

    /// Its identity.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.inner.id
    }

    /// Its name.
    #[must_use]
    pub fn alias(&self) -> &str {
        &self.inner.alias
    }

    /// Its folder, laid out as LND's.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.inner.directory
    }

    /// Where its gRPC listens; the same after it was away.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.inner.port.address()
    }

    /// Its certificate, PEM.
    #[must_use]
    pub fn tls_cert_path(&self) -> PathBuf {
        self.inner.directory.join(TLS_CERT)
    }

    /// Its admin macaroon, binary.
    #[must_use]
    pub fn macaroon_path(&self) -> PathBuf {
        self.inner.directory.join(ADMIN_MACAROON)
    }

    /// Takes the node away as `kill -9` does: connections are reset, callers refused, its peers see it offline, HTLCs
    /// stay where they are.
    pub fn go_away(&self) {
        self.inner.server.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.with(|state, id| {
            state.node_mut(id).running = false;
            state.links_changed();
        });
    }

    /// Brings it back at the same address with the same data; HTLCs go on.
    ///
    /// # Errors
    /// When it cannot listen.
    pub fn come_back(&self) -> Result<(), NetworkError> {
        self.listen()?;
        self.with(|state, id| {
            state.node_mut(id).running = true;
            state.links_changed();
        });
        Ok(())
    }

    /// Cuts the connection to a peer, until [`Node::reconnect`].
    pub fn disconnect(&self, peer: &Node) {
        self.with(|state, id| {
            if let Some(link) = state.links.get_mut(&Pair::of(id, &peer.id())) {
                link.allowed = false;
            }
            state.links_changed();
        });
    }

    /// Connects to a peer again.
    pub fn reconnect(&self, peer: &Node) {
        self.with(|state, id| state.link(id, &peer.id()));
    }

    /// Sends custom messages to a peer one behind the other, faster than a call for each could: what a hostile node does.
    /// Nothing reaches a peer that is not connected.
    pub fn flood(&self, peer: &Node, messages: impl IntoIterator<Item = (u16, Vec<u8>)>) {
        let from = self.id().serialize().to_vec();
        for (kind, data) in messages {
            let message = lnrpc::CustomMessage {
                peer: from.clone(),
                r#type: kind.into(),
                data,
            };
            self.with(|state, id| {
                if state.connected(id, &peer.id()) {
                    state.node_mut(&peer.id()).messages.send(&message);
                }
            });
        }
    }

    /// Locks or opens the wallet: only `State` answers while it is not active.
    pub fn set_wallet_state(&self, wallet: WalletState) {
        self.with(|state, id| state.node_mut(id).wallet = wallet);
    }

    /// What `GetInfo` says of the chain.
    pub fn set_synced(&self, synced: bool) {
        self.with(|state, id| state.node_mut(id).synced = synced);
    }

    /// Its channels.
    #[must_use]
    pub fn channels(&self) -> Vec<ChannelView> {
        self.read(|state, id| {
            let views = state.channels.iter().filter_map(|channel| {
                let side = channel.side_of(id)?;
                Some(channel.view(side, state.active(channel)))
            });
            views.collect()
        })
    }

    /// One of its channels.
    ///
    /// # Errors
    /// [`NetworkError::UnknownChannel`].
    pub fn channel(&self, scid: Scid) -> Result<ChannelView, NetworkError> {
        self.read(|state, id| {
            let (index, side) = self.find(state, id, scid)?;
            let channel = &state.channels[index];
            Ok(channel.view(side, state.active(channel)))
        })
    }

    /// Makes a channel take HTLCs or not, whatever the connection does; what is in it goes on.
    ///
    /// # Errors
    /// [`NetworkError::UnknownChannel`].
    pub fn set_channel_active(&self, scid: Scid, active: bool) -> Result<(), NetworkError> {
        self.with(|state, id| {
            let (index, _) = self.find(state, id, scid)?;
            state.channels[index].enabled = active;
            state.links_changed();
            Ok(())
        })
    }

    /// Moves money to the other end at once, as payments that are over would have.
    ///
    /// # Errors
    /// [`NetworkError::UnknownChannel`]; [`NetworkError::TooMuch`] when that is more than it could pay.
    pub fn pay_out(&self, scid: Scid, amount: Msat) -> Result<(), NetworkError> {
        self.with(|state, id| {
            let (index, side) = self.find(state, id, scid)?;
            let channel = &mut state.channels[index];
            let spendable = channel.spendable(side);
            if amount > spendable {
                return Err(NetworkError::TooMuch {
                    scid,
                    spendable,
                    asked: amount,
                });
            }
            channel.shift(side, amount);
            Ok(())
        })
    }

    /// Pays out so much that only `left` could still be paid.
    ///
    /// # Errors
    /// [`NetworkError::UnknownChannel`].
    pub fn drain(&self, scid: Scid, left: Msat) -> Result<(), NetworkError> {
        let spendable = self.channel(scid)?.spendable;
        self.pay_out(scid, Msat(spendable.0.saturating_sub(left.0)))
    }

    /// Its invoices, oldest first.
    #[must_use]
    pub fn invoices(&self) -> Vec<InvoiceView> {
        self.read(|state, id| state.node(id).invoices.views())
    }

    /// The payments it made, oldest first.
    #[must_use]
    pub fn payments(&self) -> Vec<PaymentView> {
        self.read(|state, id| state.node(id).payments.views())
    }

    /// Ends an invoice's time now: it is canceled if it is open.
    pub fn expire_invoice(&self, hash: PaymentHash) {
        self.with(|state, id| state.expire_invoice(id, hash));
    }

    fn find(&self, state: &State, id: &NodeId, scid: Scid) -> Result<(usize, Side), NetworkError> {
        let named = |channel: &Channel| channel.side_of(id).filter(|side| channel.is_named(*side, scid));
        let mut channels = state.channels.iter().enumerate();
        channels
            .find_map(|(index, channel)| Some((index, named(channel)?)))
            .ok_or_else(|| NetworkError::UnknownChannel {
                node: self.inner.alias.clone(),
                scid,
            })
    }

    fn with<T>(&self, work: impl FnOnce(&mut State, &NodeId) -> T) -> T {
        self.inner.network.with(|state| work(state, &self.inner.id))
    }

    fn read<T>(&self, work: impl FnOnce(&State, &NodeId) -> T) -> T {
        self.inner.network.read(|state| work(state, &self.inner.id))
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), NetworkError> {
    let what = || path.display().to_string();
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(NetworkError::io(what()))?;
    }
    std::fs::write(path, bytes).map_err(NetworkError::io(what()))
}

//! LND's gRPC services over the network's state.

mod invoices;
mod lightning;
mod router;
mod wallet;

use std::pin::Pin;

use futures::{Stream, StreamExt, stream};
use sluice::units::{NodeId, PaymentHash};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use super::macaroon::Macaroon;
use super::network::Network;
use super::proto::invoicesrpc::invoices_server::InvoicesServer;
use super::proto::lnrpc::WalletState;
use super::proto::lnrpc::lightning_server::LightningServer;
use super::proto::lnrpc::state_server::StateServer;
use super::proto::routerrpc::router_server::RouterServer;
use super::state::State;

/// What a caller of one node reaches.
#[derive(Clone)]
pub(super) struct Api {
    network: Network,
    node: NodeId,
}

/// A stream of updates.
type Updates<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;
/// The answer to a call for one.
type Answer<T> = Result<Response<Updates<T>>, Status>;

/// All services of a node. Every one but `State` wants the wallet open and the macaroon, in this order.
pub(super) fn routes(network: &Network, node: NodeId, macaroon: &Macaroon) -> Routes {
    let api = Api {
        network: network.clone(),
        node,
    };
    let guard = {
        let (api, macaroon) = (api.clone(), macaroon.clone());
        move |request: Request<()>| {
            api.check_wallet()?;
            macaroon.check(request.metadata())?;
            Ok(request)
        }
    };
    let mut routes = Routes::builder();
    routes
        .add_service(StateServer::new(api.clone()))
        .add_service(LightningServer::with_interceptor(api.clone(), guard.clone()))
        .add_service(RouterServer::with_interceptor(api.clone(), guard.clone()))
        .add_service(InvoicesServer::with_interceptor(api, guard));
    routes.routes()
}

impl Api {
    fn with<T>(&self, work: impl FnOnce(&mut State, &NodeId) -> T) -> T {
        self.network.with(|state| work(state, &self.node))
    }

    fn read<T>(&self, work: impl FnOnce(&State, &NodeId) -> T) -> T {
        self.network.read(|state| work(state, &self.node))
    }

    /// LND's answers before it serves (rpcperms/interceptor.go).
    fn check_wallet(&self) -> Result<(), Status> {
        let refuse = |text: &str| Err(Status::unknown(text));
        match self.read(|state, node| state.node(node).wallet) {
            WalletState::WaitingToStart => refuse("waiting to start, RPC services not available"),
            WalletState::NonExisting => refuse("wallet not created, create one to enable full RPC access"),
            WalletState::Locked => refuse("wallet locked, unlock it to enable full RPC access"),
            WalletState::Unlocked => {
                refuse("the RPC server is in the process of starting up, but not yet ready to accept calls")
            }
            WalletState::RpcActive | WalletState::ServerActive => Ok(()),
        }
    }
}

/// Everything that is sent, until the sender is gone. As LND's, the call has no answer, not even headers, before the
/// first update.
async fn answer<T: Send + 'static>(updates: impl Stream<Item = T> + Send + Unpin + 'static) -> Answer<T> {
    let mut updates = updates;
    let first = updates.next().await;
    let all = stream::iter(first).chain(updates);
    Ok(Response::new(Box::pin(all.map(Ok))))
}

/// What a listener hears.
fn heard<T>(receiver: UnboundedReceiver<T>) -> UnboundedReceiverStream<T> {
    UnboundedReceiverStream::new(receiver)
}

/// lntypes/hash.go, MakeHash.
fn payment_hash(bytes: &[u8]) -> Result<PaymentHash, Status> {
    let hash = bytes.try_into().map(PaymentHash);
    hash.map_err(|_| Status::unknown(format!("invalid hash length of {}, want 32", bytes.len())))
}

/// routing/route/route.go, NewVertexFromBytes.
fn vertex(bytes: &[u8]) -> Result<[u8; 33], Status> {
    let vertex = bytes.try_into();
    vertex.map_err(|_| Status::unknown(format!("invalid vertex length of {}, want 33", bytes.len())))
}

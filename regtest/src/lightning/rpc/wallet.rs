//! `lnrpc.State`.

use tonic::{Request, Response, Status};

use super::Api;
use crate::lightning::proto::lnrpc::state_server::State;
use crate::lightning::proto::lnrpc::{GetStateRequest, GetStateResponse};

#[tonic::async_trait]
impl State for Api {
    async fn get_state(&self, _: Request<GetStateRequest>) -> Result<Response<GetStateResponse>, Status> {
        let wallet = self.read(|state, node| state.node(node).wallet);
        Ok(Response::new(GetStateResponse { state: wallet.into() }))
    }
}

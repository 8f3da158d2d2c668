//! `routerrpc.Router`.

use std::future::ready;

use futures::StreamExt;
use tokio::sync::mpsc::UnboundedReceiver;
use tonic::{Request, Response, Status};

use super::{Api, Updates, payment_hash, updates};
use crate::lightning::proto::lnrpc::Payment;
use crate::lightning::proto::lnrpc::payment::PaymentStatus;
use crate::lightning::proto::routerrpc::router_server::Router;
use crate::lightning::proto::routerrpc::{SendPaymentRequest, TrackPaymentRequest};
use crate::lightning::route::Intent;

#[tonic::async_trait]
impl Router for Api {
    type SendPaymentV2Stream = Updates<Payment>;
    type TrackPaymentV2Stream = Updates<Payment>;

    async fn send_payment_v2(
        &self,
        request: Request<SendPaymentRequest>,
    ) -> Result<Response<Updates<Payment>>, Status> {
        let request = request.into_inner();
        let only_last = request.no_inflight_updates;
        let intent = Intent::read(request, &self.node)?;
        let payment = self.with(|state, payer| state.pay(payer, &intent))?;
        Ok(Response::new(progress(payment, only_last)))
    }

    async fn track_payment_v2(
        &self,
        request: Request<TrackPaymentRequest>,
    ) -> Result<Response<Updates<Payment>>, Status> {
        let request = request.into_inner();
        let hash = payment_hash(&request.payment_hash)?;
        let payment = self.with(|state, payer| state.node_mut(payer).payments.watch(hash))?;
        Ok(Response::new(progress(payment, request.no_inflight_updates)))
    }
}

fn progress(payment: UnboundedReceiver<Payment>, only_last: bool) -> Updates<Payment> {
    let wanted = move |update: &Result<Payment, Status>| {
        let in_flight = |payment: &Payment| payment.status() == PaymentStatus::InFlight;
        !(only_last && update.as_ref().is_ok_and(in_flight))
    };
    Box::pin(updates(payment).filter(move |update| ready(wanted(update))))
}

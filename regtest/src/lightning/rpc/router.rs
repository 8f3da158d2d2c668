//! `routerrpc.Router`.

use std::future::ready;

use futures::StreamExt;
use tokio::sync::mpsc::UnboundedReceiver;
use tonic::Request;

use super::{Answer, Api, Updates, answer, heard, payment_hash};
use crate::lightning::proto::lnrpc::Payment;
use crate::lightning::proto::lnrpc::payment::PaymentStatus;
use crate::lightning::proto::routerrpc::router_server::Router;
use crate::lightning::proto::routerrpc::{SendPaymentRequest, TrackPaymentRequest};
use crate::lightning::route::Intent;

#[tonic::async_trait]
impl Router for Api {
    type SendPaymentV2Stream = Updates<Payment>;
    type TrackPaymentV2Stream = Updates<Payment>;

    async fn send_payment_v2(&self, request: Request<SendPaymentRequest>) -> Answer<Payment> {
        let request = request.into_inner();
        let only_last = request.no_inflight_updates;
        let intent = Intent::read(request, &self.node)?;
        let payment = self.with(|state, payer| state.pay(payer, &intent))?;
        progress(payment, only_last).await
    }

    async fn track_payment_v2(&self, request: Request<TrackPaymentRequest>) -> Answer<Payment> {
        let request = request.into_inner();
        let hash = payment_hash(&request.payment_hash)?;
        let payment = self.with(|state, payer| state.node_mut(payer).payments.watch(hash))?;
        progress(payment, request.no_inflight_updates).await
    }
}

async fn progress(payment: UnboundedReceiver<Payment>, only_last: bool) -> Answer<Payment> {
    let wanted = move |update: &Payment| ready(!only_last || update.status() != PaymentStatus::InFlight);
    answer(heard(payment).filter(wanted)).await
}

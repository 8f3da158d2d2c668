//! `invoicesrpc.Invoices`.

use tonic::{Request, Response, Status};

use super::{Answer, Api, Updates, answer, heard, payment_hash};
use crate::lightning::proto::invoicesrpc::invoices_server::Invoices;
use crate::lightning::proto::invoicesrpc::lookup_invoice_msg::InvoiceRef;
use crate::lightning::proto::invoicesrpc::{
    CancelInvoiceMsg, CancelInvoiceResp, LookupInvoiceMsg, SubscribeSingleInvoiceRequest,
};
use crate::lightning::proto::lnrpc::Invoice;

#[tonic::async_trait]
impl Invoices for Api {
    type SubscribeSingleInvoiceStream = Updates<Invoice>;

    async fn subscribe_single_invoice(&self, request: Request<SubscribeSingleInvoiceRequest>) -> Answer<Invoice> {
        let hash = payment_hash(&request.into_inner().r_hash)?;
        let invoice = self.with(|state, node| state.node_mut(node).invoices.watch(hash));
        answer(heard(invoice)).await
    }

    async fn cancel_invoice(&self, request: Request<CancelInvoiceMsg>) -> Result<Response<CancelInvoiceResp>, Status> {
        let hash = payment_hash(&request.into_inner().payment_hash)?;
        self.with(|state, node| state.cancel_invoice(node, hash))?;
        Ok(Response::new(CancelInvoiceResp {}))
    }

    async fn lookup_invoice_v2(&self, request: Request<LookupInvoiceMsg>) -> Result<Response<Invoice>, Status> {
        let invoice = match request.into_inner().invoice_ref {
            Some(InvoiceRef::PaymentHash(hash)) => {
                let hash = payment_hash(&hash).map_err(|error| {
                    Status::invalid_argument(format!("unable to parse pay hash: {}", error.message()))
                })?;
                self.read(|state, node| state.node(node).invoices.look_up(hash))
            }
            Some(InvoiceRef::PaymentAddr(secret)) => {
                self.read(|state, node| state.node(node).invoices.look_up_secret(&secret))
            }
            None => Err(Status::invalid_argument("invoice ref must be set")),
        };
        invoice.map(Response::new)
    }
}

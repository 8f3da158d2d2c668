//! Our own invoices. Each has a label made of its payment hash, so that none can be made twice.
//!
//! lightningd knows no cancelled invoices: one that must not be paid is deleted, while it is unpaid.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, BoxStream, StreamExt};

use crate::node::grpc::{CALL_LIMIT, CallErrorKind};
use crate::ports::{InvoiceSpec, PortError};
use crate::protocol::invoice::read_invoice;
use crate::swap::event::InvoiceStatus;
use crate::units::{CltvDelta, PaymentHash};

use super::api::amount_or_any::Value;
use super::api::delinvoice_request::DelinvoiceStatus;
use super::api::listinvoices_invoices::ListinvoicesInvoicesStatus as ClnStatus;
use super::api::{
    Amount, AmountOrAny, DelinvoiceRequest, InvoiceRequest, ListinvoicesInvoices, ListinvoicesRequest,
    WaitinvoiceRequest,
};
use super::connection::Connection;

/// cln-grpc serves 200 calls of a connection at a time (hyper's limit); waits beyond that would hear nothing. After so
/// long an invoice is looked up whether or not its wait has answered.
const WAIT: Duration = Duration::from_secs(60);

fn label(hash: PaymentHash) -> String {
    format!("sluice-{hash}")
}

/// Makes an invoice, or finds the one made before with this preimage.
pub(super) async fn ensure(cln: &Connection, spec: &InvoiceSpec) -> Result<String, PortError> {
    let hash = spec.preimage.hash();
    let amount = Amount { msat: spec.amount.0 };
    let request = InvoiceRequest {
        description: spec.description.clone(),
        label: label(hash),
        preimage: Some(spec.preimage.expose().to_vec()),
        cltv: spec.final_cltv.map(|CltvDelta(delta)| delta),
        expiry: Some(spec.expiry_secs),
        amount_msat: Some(AmountOrAny {
            value: Some(Value::Amount(amount)),
        }),
    };
    let made = cln
        .call("Invoice", CALL_LIMIT, async |mut api| api.invoice(request).await)
        .await;
    match made {
        Ok(answer) => Ok(answer.bolt11),
        Err(e) if e.kind == CallErrorKind::AlreadyExists => match find(cln, hash).await? {
            Some(existing) => same_invoice(existing, spec),
            None => Err(e.into()),
        },
        Err(e) => Err(e.into()),
    }
}

fn same_invoice(existing: ListinvoicesInvoices, spec: &InvoiceSpec) -> Result<String, PortError> {
    let hash = spec.preimage.hash();
    let broken = |what: String| PortError::Broken(format!("cln ListInvoices: the invoice {hash} {what}"));
    let bolt11 = existing.bolt11.ok_or_else(|| broken("is not of bolt 11".into()))?;
    // The network is of no interest here.
    let invoice = read_invoice(&bolt11, "").map_err(|e| broken(format!("cannot be read: {e}")))?;
    if invoice.amount != Some(spec.amount) {
        let asked = invoice.amount.map_or("no amount".to_string(), |msat| msat.to_string());
        return Err(broken(format!("asks for {asked}, wanted are {}", spec.amount)));
    }
    match spec.final_cltv {
        Some(CltvDelta(delta)) if invoice.final_cltv.0 != delta => Err(broken(format!(
            "has the final CLTV delta {}, wanted is {delta}",
            invoice.final_cltv.0
        ))),
        Some(_) | None => Ok(bolt11),
    }
}

async fn find(cln: &Connection, hash: PaymentHash) -> Result<Option<ListinvoicesInvoices>, PortError> {
    let request = ListinvoicesRequest {
        payment_hash: Some(hash.0.to_vec()),
    };
    let found = cln
        .call("ListInvoices", CALL_LIMIT, async |mut api| {
            api.list_invoices(request).await
        })
        .await?;
    Ok(found.invoices.into_iter().next())
}

/// What the record says; one that is not there is of an invoice deleted or never made.
fn status(invoice: Option<&ListinvoicesInvoices>) -> Result<InvoiceStatus, PortError> {
    let Some(invoice) = invoice else {
        return Ok(InvoiceStatus::Closed);
    };
    match ClnStatus::try_from(invoice.status) {
        Ok(ClnStatus::Unpaid) => Ok(InvoiceStatus::Open),
        Ok(ClnStatus::Paid) => Ok(InvoiceStatus::Paid),
        Ok(ClnStatus::Expired) => Ok(InvoiceStatus::Closed),
        Err(unknown) => Err(PortError::Broken(format!("cln ListInvoices: invoice status {unknown}"))),
    }
}

/// Yields the state now and at each change, until it is paid or closed.
pub(super) async fn watch(
    cln: &Arc<Connection>,
    hash: PaymentHash,
) -> Result<BoxStream<'static, InvoiceStatus>, PortError> {
    let invoice = find(cln, hash).await?;
    let first = status(invoice.as_ref())?;
    let open = invoice.filter(|_| first == InvoiceStatus::Open);
    let later = stream::unfold((cln.clone(), open), move |(cln, open)| async move {
        let end = end(&cln, hash, open?.label).await?;
        Some((end, (cln, None)))
    });
    Ok(stream::once(async move { first }).chain(later).boxed())
}

/// How an open invoice ended; None at the first sign of trouble.
async fn end(cln: &Connection, hash: PaymentHash, label: String) -> Option<InvoiceStatus> {
    loop {
        let request = WaitinvoiceRequest { label: label.clone() };
        let waited = cln
            .wait("WaitInvoice", WAIT, async |mut api| api.wait_invoice(request).await)
            .await;
        // However it ended, also by an error when the invoice was deleted meanwhile: the record tells.
        if waited.is_err_and(|e| e.kind == CallErrorKind::NoAnswer) {
            return None;
        }
        match status(find(cln, hash).await.ok()?.as_ref()).ok()? {
            InvoiceStatus::Open => {}
            over @ (InvoiceStatus::Paid | InvoiceStatus::Closed) => return Some(over),
        }
    }
}

/// Makes an invoice unpayable unless it is paid.
pub(super) async fn cancel(cln: &Connection, hash: PaymentHash) -> Result<InvoiceStatus, PortError> {
    let found = find(cln, hash).await?;
    let now = status(found.as_ref())?;
    let Some(open) = found.filter(|_| now == InvoiceStatus::Open) else {
        return Ok(now);
    };
    let request = DelinvoiceRequest {
        label: open.label,
        // lightningd deletes nothing that has become something else since: being paid wins.
        status: DelinvoiceStatus::Unpaid.into(),
    };
    let deleted = cln
        .call("DelInvoice", CALL_LIMIT, async |mut api| api.del_invoice(request).await)
        .await;
    let refusal = match deleted {
        Ok(_) => return Ok(InvoiceStatus::Closed),
        Err(e) if e.kind == CallErrorKind::NoAnswer => return Err(e.into()),
        Err(e) => e,
    };
    match status(find(cln, hash).await?.as_ref())? {
        InvoiceStatus::Open => Err(refusal.into()),
        over @ (InvoiceStatus::Paid | InvoiceStatus::Closed) => Ok(over),
    }
}

//! Our own invoices.

use futures::future;
use futures::stream::{self, BoxStream, StreamExt};
use tonic::codec::Streaming;

use crate::node::grpc::{CALL_LIMIT, CallErrorKind};
use crate::ports::{InvoiceSpec, PortError};
use crate::swap::event::InvoiceStatus;
use crate::units::{CltvDelta, PaymentHash};

use super::api::invoicesrpc::lookup_invoice_msg::InvoiceRef;
use super::api::invoicesrpc::{CancelInvoiceMsg, LookupInvoiceMsg, SubscribeSingleInvoiceRequest};
use super::api::lnrpc::Invoice;
use super::api::lnrpc::invoice::InvoiceState;
use super::connection::Connection;

/// Makes an invoice, or finds the one made before with this preimage.
pub(super) async fn ensure(lnd: &Connection, spec: &InvoiceSpec) -> Result<String, PortError> {
    let unfit = |what: &str| PortError::Refused(format!("lnd AddInvoice: {what} does not fit into 63 bits"));
    let request = Invoice {
        memo: spec.description.clone(),
        r_preimage: spec.preimage.expose().to_vec(),
        value_msat: spec.amount.0.try_into().map_err(|_| unfit("the amount"))?,
        expiry: spec.expiry_secs.try_into().map_err(|_| unfit("the expiry"))?,
        cltv_expiry: spec.final_cltv.map_or(0, |CltvDelta(delta)| delta.into()),
        ..Invoice::default()
    };
    let added = lnd
        .call("AddInvoice", CALL_LIMIT, async |mut api| {
            api.lightning.add_invoice(request).await
        })
        .await;
    let refusal = match added {
        Ok(answer) => return Ok(answer.payment_request),
        Err(e) if e.kind == CallErrorKind::NoAnswer => return Err(e.into()),
        Err(e) => e,
    };
    // lnd refuses a second invoice of the same hash with a bare text: what counts is whether there is one.
    match find(lnd, spec.preimage.hash()).await? {
        Some(existing) => same_invoice(&existing, spec),
        None => Err(refusal.into()),
    }
}

fn same_invoice(existing: &Invoice, spec: &InvoiceSpec) -> Result<String, PortError> {
    if u64::try_from(existing.value_msat) != Ok(spec.amount.0) {
        return Err(PortError::Broken(format!(
            "lnd LookupInvoiceV2: the invoice {} asks for {} msat, wanted are {}",
            spec.preimage.hash(),
            existing.value_msat,
            spec.amount
        )));
    }
    match spec.final_cltv {
        Some(CltvDelta(delta)) if existing.cltv_expiry != u64::from(delta) => Err(PortError::Broken(format!(
            "lnd LookupInvoiceV2: the invoice {} has the final CLTV delta {}, wanted is {delta}",
            spec.preimage.hash(),
            existing.cltv_expiry
        ))),
        Some(_) | None => Ok(existing.payment_request.clone()),
    }
}

async fn find(lnd: &Connection, hash: PaymentHash) -> Result<Option<Invoice>, PortError> {
    let request = LookupInvoiceMsg {
        invoice_ref: Some(InvoiceRef::PaymentHash(hash.0.to_vec())),
    };
    let found = lnd
        .call("LookupInvoiceV2", CALL_LIMIT, async |mut api| {
            api.invoices.lookup_invoice_v2(request).await
        })
        .await;
    match found {
        Ok(invoice) => Ok(Some(invoice)),
        Err(e) if e.kind == CallErrorKind::NotFound => Ok(None),
        Err(e) => Err(e.into()),
    }
}

fn status(method: &str, invoice: &Invoice) -> Result<InvoiceStatus, PortError> {
    match InvoiceState::try_from(invoice.state) {
        // Accepted: parts of it are held, none is settled.
        Ok(InvoiceState::Open | InvoiceState::Accepted) => Ok(InvoiceStatus::Open),
        Ok(InvoiceState::Settled) => Ok(InvoiceStatus::Paid),
        // lnd cancels what expires by itself.
        Ok(InvoiceState::Canceled) => Ok(InvoiceStatus::Closed),
        Err(unknown) => Err(PortError::Broken(format!("lnd {method}: invoice state {unknown}"))),
    }
}

/// Yields the state now and at each change, until it is paid or closed.
pub(super) async fn watch(lnd: &Connection, hash: PaymentHash) -> Result<BoxStream<'static, InvoiceStatus>, PortError> {
    const METHOD: &str = "SubscribeSingleInvoice";
    // A subscription to an invoice that does not exist would wait for it for ever.
    if find(lnd, hash).await?.is_none() {
        return Ok(stream::once(future::ready(InvoiceStatus::Closed)).boxed());
    }
    let request = SubscribeSingleInvoiceRequest {
        r_hash: hash.0.to_vec(),
    };
    let updates = lnd
        .call(METHOD, CALL_LIMIT, async |mut api| {
            api.invoices.subscribe_single_invoice(request).await
        })
        .await?;
    Ok(statuses(METHOD, updates).boxed())
}

/// Ends at the first sign of trouble, and after the last state there can be.
fn statuses(method: &'static str, updates: Streaming<Invoice>) -> impl futures::Stream<Item = InvoiceStatus> {
    stream::unfold((updates, None), move |(mut updates, last)| async move {
        if matches!(last, Some(InvoiceStatus::Paid | InvoiceStatus::Closed)) {
            return None;
        }
        loop {
            let now = status(method, &updates.message().await.ok()??).ok()?;
            if last != Some(now) {
                return Some((now, (updates, Some(now))));
            }
        }
    })
}

/// Makes an invoice unpayable unless it is paid.
pub(super) async fn cancel(lnd: &Connection, hash: PaymentHash) -> Result<InvoiceStatus, PortError> {
    let request = CancelInvoiceMsg {
        payment_hash: hash.0.to_vec(),
    };
    let canceled = lnd
        .call("CancelInvoice", CALL_LIMIT, async |mut api| {
            api.invoices.cancel_invoice(request).await
        })
        .await;
    let refusal = match canceled {
        Ok(_) => return Ok(InvoiceStatus::Closed),
        Err(e) if e.kind == CallErrorKind::NoAnswer => return Err(e.into()),
        Err(e) => e,
    };
    // lnd refuses to cancel what is settled or not there by bare texts: its record tells which.
    match find(lnd, hash).await? {
        None => Ok(InvoiceStatus::Closed),
        Some(invoice) => match status("LookupInvoiceV2", &invoice)? {
            InvoiceStatus::Open => Err(refusal.into()),
            over @ (InvoiceStatus::Paid | InvoiceStatus::Closed) => Ok(over),
        },
    }
}

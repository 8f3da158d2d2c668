//! A node's invoices: LND's registry (invoices/invoiceregistry.go, invoices/update.go).

use std::collections::BTreeMap;
use std::time::Duration;

use rand::RngCore;
use sluice::units::{Msat, NodeId, PaymentHash, Preimage};
use tokio::sync::mpsc::UnboundedReceiver;
use tonic::Status;

use super::bolt11;
use super::channel::{sat, signed};
use super::hold::HoldAt;
use super::htlc::{HtlcId, Phase, Place};
use super::invoice_terms;
use super::proto::lnrpc;
use super::proto::lnrpc::failure::FailureCode;
use super::proto::lnrpc::invoice::InvoiceState;
use super::state::{State, Timer};
use super::subscribers::Subscribers;

/// LND refuses HTLCs that end sooner than this many blocks from now (lncfg/config.go, DefaultFinalCltvRejectDelta).
const FINAL_CLTV_REJECT_DELTA: u32 = 13;
/// invoices/errors.go, ErrInvoiceNotFound.
const NOT_FOUND: &str = "unable to locate invoice";

/// An invoice of a node.
pub(super) struct Invoice {
    terms: bolt11::Terms,
    preimage: Preimage,
    bolt11: String,
    state: InvoiceState,
    add_index: u64,
    settle_index: u64,
    settled: Duration,
    paid: Msat,
    htlcs: BTreeMap<HtlcId, lnrpc::InvoiceHtlc>,
}

/// An invoice as the harness sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvoiceView {
    /// What pays it.
    pub hash: PaymentHash,
    /// What it asks for.
    pub amount: Msat,
    /// What was paid.
    pub paid: Msat,
    /// Its description.
    pub memo: String,
    /// Its text.
    pub bolt11: String,
    /// Open, accepted, settled or canceled.
    pub state: InvoiceState,
    /// From creation.
    pub expiry: Duration,
    /// Blocks.
    pub final_cltv: u32,
}

/// The invoices of one node and who watches them.
#[derive(Default)]
pub(super) struct InvoiceBook {
    invoices: BTreeMap<PaymentHash, Invoice>,
    watchers: BTreeMap<PaymentHash, Subscribers<lnrpc::Invoice>>,
    listeners: Subscribers<lnrpc::Invoice>,
    settled: u64,
}

impl Invoice {
    fn to_rpc(&self) -> lnrpc::Invoice {
        let value = self.terms.amount;
        lnrpc::Invoice {
            memo: self.terms.memo.clone(),
            r_preimage: self.preimage.expose().to_vec(),
            r_hash: self.terms.hash.0.to_vec(),
            value: sat(value.floor()),
            creation_date: secs(self.terms.created),
            settle_date: secs(self.settled),
            payment_request: self.bolt11.clone(),
            expiry: secs(self.terms.expiry),
            cltv_expiry: u64::from(self.terms.final_cltv),
            private: false,
            add_index: self.add_index,
            settle_index: self.settle_index,
            amt_paid_sat: sat(self.paid.floor()),
            amt_paid_msat: signed(self.paid),
            state: self.state.into(),
            htlcs: self.htlcs.values().cloned().collect(),
            value_msat: signed(value),
            payment_addr: self.terms.payment_secret.to_vec(),
        }
    }

    fn view(&self) -> InvoiceView {
        InvoiceView {
            hash: self.terms.hash,
            amount: self.terms.amount,
            paid: self.paid,
            memo: self.terms.memo.clone(),
            bolt11: self.bolt11.clone(),
            state: self.state,
            expiry: self.terms.expiry,
            final_cltv: self.terms.final_cltv,
        }
    }

    fn set_htlcs(&mut self, state: lnrpc::InvoiceHtlcState) {
        for htlc in self.htlcs.values_mut() {
            htlc.state = state.into();
            htlc.resolve_time = secs(bolt11::now());
        }
    }
}

impl InvoiceBook {
    /// Everything, oldest first.
    pub(super) fn views(&self) -> Vec<InvoiceView> {
        let mut invoices: Vec<&Invoice> = self.invoices.values().collect();
        invoices.sort_by_key(|invoice| invoice.add_index);
        invoices.into_iter().map(Invoice::view).collect()
    }

    /// The invoice of a hash; NOT_FOUND as LND says it.
    pub(super) fn look_up(&self, hash: PaymentHash) -> Result<lnrpc::Invoice, Status> {
        match self.invoices.get(&hash) {
            Some(invoice) => Ok(invoice.to_rpc()),
            None if self.invoices.is_empty() => Err(Status::not_found("there are no existing invoices")),
            None => Err(Status::not_found(NOT_FOUND)),
        }
    }

    /// The invoice with a payment secret.
    pub(super) fn look_up_secret(&self, secret: &[u8]) -> Result<lnrpc::Invoice, Status> {
        let mut invoices = self.invoices.values();
        let found = invoices.find(|invoice| invoice.terms.payment_secret == secret);
        found.map(Invoice::to_rpc).ok_or_else(|| Status::not_found(NOT_FOUND))
    }

    /// The invoice's state now, if there is one, and every later one until the last.
    pub(super) fn watch(&mut self, hash: PaymentHash) -> UnboundedReceiver<lnrpc::Invoice> {
        let known = self.invoices.get(&hash);
        let mut unheard = Subscribers::default();
        let watchers = match known {
            Some(invoice) if is_final(invoice.state) => &mut unheard,
            _ => self.watchers.entry(hash).or_default(),
        };
        watchers.add_after(known.map(Invoice::to_rpc))
    }

    /// Every invoice added or settled from now on, after those with an index above what is asked for (0: none).
    pub(super) fn listen(&mut self, from: &lnrpc::InvoiceSubscription) -> UnboundedReceiver<lnrpc::Invoice> {
        let mut backlog: Vec<lnrpc::Invoice> = Vec::new();
        let all = || self.invoices.values().map(Invoice::to_rpc);
        if from.add_index > 0 {
            backlog.extend(all().filter(|invoice| invoice.add_index > from.add_index));
            backlog.sort_by_key(|invoice| invoice.add_index);
        }
        if from.settle_index > 0 {
            let mut settled: Vec<_> = all()
                .filter(|invoice| invoice.settle_index > from.settle_index)
                .collect();
            settled.sort_by_key(|invoice| invoice.settle_index);
            backlog.extend(settled);
        }
        self.listeners.add_after(backlog)
    }

    fn changed(&mut self, hash: PaymentHash) {
        let Some(invoice) = self.invoices.get(&hash) else {
            return;
        };
        let (rpc, over) = (invoice.to_rpc(), is_final(invoice.state));
        if let Some(watchers) = self.watchers.get_mut(&hash) {
            watchers.send(&rpc);
        }
        if over {
            self.watchers.remove(&hash);
        }
    }
}

fn is_final(state: InvoiceState) -> bool {
    match state {
        InvoiceState::Open | InvoiceState::Accepted => false,
        InvoiceState::Settled | InvoiceState::Canceled => true,
    }
}

fn secs(time: Duration) -> i64 {
    i64::try_from(time.as_secs()).expect("seconds since 1970 fit 63 bits")
}

impl State {
    /// `AddInvoice`.
    pub(super) fn add_invoice(
        &mut self,
        payee: &NodeId,
        request: &lnrpc::Invoice,
    ) -> Result<lnrpc::AddInvoiceResponse, Status> {
        let mut preimage = [0; 32];
        match request.r_preimage.len() {
            0 => rand::thread_rng().fill_bytes(&mut preimage),
            32 => preimage.copy_from_slice(&request.r_preimage),
            other => return Err(Status::unknown(format!("invalid preimage length of {other}, want 32"))),
        }
        let preimage = Preimage::from_bytes(preimage);
        let terms = invoice_terms::read(request, preimage.hash())?;
        let hash = terms.hash;
        let node = self.node_mut(payee);
        let bolt11 = bolt11::write(&terms, &node.key)?;
        let book = &mut node.invoices;
        if book.invoices.contains_key(&hash) {
            return Err(Status::unknown("invoice with payment hash already exists"));
        }
        let add_index = book.invoices.len() as u64 + 1;
        let response = lnrpc::AddInvoiceResponse {
            r_hash: hash.0.to_vec(),
            payment_request: bolt11.clone(),
            add_index,
            payment_addr: terms.payment_secret.to_vec(),
        };
        let expiry = terms.expiry;
        let invoice = Invoice {
            terms,
            preimage,
            bolt11,
            state: InvoiceState::Open,
            add_index,
            settle_index: 0,
            settled: Duration::ZERO,
            paid: Msat(0),
            htlcs: BTreeMap::new(),
        };
        book.listeners.send(&invoice.to_rpc());
        book.invoices.insert(hash, invoice);
        book.changed(hash);
        self.timers.push((expiry, Timer::Expire(*payee, hash)));
        Ok(response)
    }

    /// Whether an HTLC pays its invoice: the preimage, or what the payee says to the payer.
    pub(super) fn judge(&self, place: Place) -> Result<Preimage, FailureCode> {
        let htlc = self.htlc(place);
        let height = self.height();
        let refused = Err(FailureCode::IncorrectOrUnknownPaymentDetails);
        let Some(invoice) = self.node(&place.payee).invoices.invoices.get(&htlc.hash) else {
            return refused;
        };
        let payable = match invoice.state {
            InvoiceState::Open => true,
            // Accepted by this very HTLC, which the harness lets go on.
            InvoiceState::Accepted => htlc.phase == Phase::Held(HoldAt::Invoice),
            InvoiceState::Settled | InvoiceState::Canceled => false,
        };
        let in_time = htlc.expiry >= height + FINAL_CLTV_REJECT_DELTA.max(invoice.terms.final_cltv);
        let right = htlc.payment_secret == invoice.terms.payment_secret && htlc.amount >= invoice.terms.amount;
        // An HTLC that was accepted in time may be settled late.
        let in_time = in_time || invoice.state == InvoiceState::Accepted;
        if payable && in_time && right {
            Ok(invoice.preimage.clone())
        } else {
            refused
        }
    }

    /// An HTLC came and is kept.
    pub(super) fn accept_invoice(&mut self, place: Place) {
        self.record_htlc(place, InvoiceState::Accepted, lnrpc::InvoiceHtlcState::Accepted);
        let hash = self.htlc(place).hash;
        self.node_mut(&place.payee).invoices.changed(hash);
    }

    /// An HTLC pays the invoice.
    pub(super) fn settle_invoice(&mut self, place: Place) {
        let (hash, amount) = (self.htlc(place).hash, self.htlc(place).amount);
        self.record_htlc(place, InvoiceState::Settled, lnrpc::InvoiceHtlcState::Settled);
        let book = &mut self.node_mut(&place.payee).invoices;
        book.settled += 1;
        if let Some(invoice) = book.invoices.get_mut(&hash) {
            invoice.paid = amount;
            invoice.settled = bolt11::now();
            invoice.settle_index = book.settled;
            book.listeners.send(&invoice.to_rpc());
        }
        book.changed(hash);
    }

    fn record_htlc(&mut self, place: Place, state: InvoiceState, htlc_state: lnrpc::InvoiceHtlcState) {
        let height = i32::try_from(self.height()).unwrap_or(i32::MAX);
        let htlc = self.htlc(place);
        let (id, hash) = (htlc.id, htlc.hash);
        let record = lnrpc::InvoiceHtlc {
            chan_id: place.scid.0,
            htlc_index: htlc.index,
            amt_msat: htlc.amount.0,
            accept_height: height,
            accept_time: secs(bolt11::now()),
            resolve_time: if htlc_state == lnrpc::InvoiceHtlcState::Settled {
                secs(bolt11::now())
            } else {
                0
            },
            expiry_height: i32::try_from(htlc.expiry).unwrap_or(i32::MAX),
            state: htlc_state.into(),
        };
        if let Some(invoice) = self.node_mut(&place.payee).invoices.invoices.get_mut(&hash) {
            invoice.state = state;
            invoice.htlcs.insert(id, record);
        }
    }

    /// The harness sends an accepted HTLC back: the invoice is open again.
    pub(super) fn drop_from_invoice(&mut self, place: Place) {
        let hash = self.htlc(place).hash;
        let book = &mut self.node_mut(&place.payee).invoices;
        if let Some(invoice) = book.invoices.get_mut(&hash)
            && invoice.state == InvoiceState::Accepted
        {
            invoice.set_htlcs(lnrpc::InvoiceHtlcState::Canceled);
            invoice.state = InvoiceState::Open;
            book.changed(hash);
        }
    }

    /// `CancelInvoice`; gives accepted HTLCs back.
    pub(super) fn cancel_invoice(&mut self, payee: &NodeId, hash: PaymentHash) -> Result<(), Status> {
        let book = &mut self.node_mut(payee).invoices;
        if book.invoices.is_empty() {
            return Err(Status::unknown("there are no existing invoices"));
        }
        let Some(invoice) = book.invoices.get_mut(&hash) else {
            return Err(Status::unknown(NOT_FOUND));
        };
        match invoice.state {
            InvoiceState::Settled => return Err(Status::unknown("invoice already settled")),
            InvoiceState::Canceled => return Ok(()),
            InvoiceState::Open | InvoiceState::Accepted => {}
        }
        invoice.state = InvoiceState::Canceled;
        invoice.set_htlcs(lnrpc::InvoiceHtlcState::Canceled);
        book.changed(hash);
        self.fail_accepted(payee, hash);
        Ok(())
    }

    /// The invoice's time is over: an open one is canceled, an accepted one stays (invoices/invoice_expiry_watcher.go).
    pub(super) fn expire_invoice(&mut self, payee: &NodeId, hash: PaymentHash) {
        let invoices = &self.node(payee).invoices.invoices;
        if invoices
            .get(&hash)
            .is_some_and(|invoice| invoice.state == InvoiceState::Open)
        {
            self.cancel_invoice(payee, hash)
                .expect("an open invoice can be canceled");
        }
    }
}

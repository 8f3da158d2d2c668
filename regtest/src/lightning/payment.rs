//! A node's payments: LND's router and control tower (routing/payment_lifecycle.go, payments/db).

use std::collections::BTreeMap;
use std::time::Duration;

use sluice::units::{Msat, NodeId, PaymentHash, Preimage};
use tokio::sync::mpsc::UnboundedReceiver;
use tonic::Status;

use super::bolt11;
use super::channel::{sat, signed};
use super::htlc::{HtlcId, HtlcResult, Offer};
use super::proto::lnrpc;
use super::proto::lnrpc::PaymentFailureReason;
use super::proto::lnrpc::failure::FailureCode;
use super::proto::lnrpc::htlc_attempt::HtlcStatus;
use super::proto::lnrpc::payment::PaymentStatus;
use super::route::{FirstHop, Intent};
use super::state::State;
use super::subscribers::Subscribers;

/// The record of a payment hash that this node pays or has paid.
pub(super) struct Payment {
    hash: PaymentHash,
    amount: Msat,
    bolt11: String,
    created: Duration,
    index: u64,
    status: PaymentStatus,
    reason: PaymentFailureReason,
    attempts: Vec<Attempt>,
    watchers: Subscribers<lnrpc::Payment>,
}

#[derive(Debug)]
struct Attempt {
    id: HtlcId,
    sent: Duration,
    resolved: Duration,
    route: lnrpc::Route,
    height: u32,
    result: Option<HtlcResult>,
}

/// The payments of one node.
#[derive(Default)]
pub(super) struct PaymentBook {
    payments: BTreeMap<PaymentHash, Payment>,
    started: u64,
}

/// A payment as the harness sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentView {
    /// What it pays.
    pub hash: PaymentHash,
    /// How much.
    pub amount: Msat,
    /// In flight, succeeded or failed.
    pub status: PaymentStatus,
    /// Why it failed.
    pub reason: PaymentFailureReason,
}

impl Payment {
    fn preimage(&self) -> Option<&Preimage> {
        self.attempts.iter().find_map(|attempt| match &attempt.result {
            Some(HtlcResult::Settled(preimage)) => Some(preimage),
            Some(HtlcResult::Failed(_)) | None => None,
        })
    }

    fn to_rpc(&self) -> lnrpc::Payment {
        let preimage = self.preimage().map_or([0; 32], |preimage| *preimage.expose());
        lnrpc::Payment {
            payment_hash: self.hash.to_string(),
            payment_preimage: hex::encode(preimage),
            value_sat: sat(self.amount.floor()),
            value_msat: signed(self.amount),
            payment_request: self.bolt11.clone(),
            status: self.status.into(),
            fee_sat: 0,
            fee_msat: 0,
            creation_time_ns: nanos(self.created),
            htlcs: self.attempts.iter().map(Attempt::to_rpc).collect(),
            payment_index: self.index,
            failure_reason: self.reason.into(),
        }
    }

    fn changed(&mut self) {
        let rpc = self.to_rpc();
        self.watchers.send(&rpc);
    }

    /// The last state is out: the streams end, and LND deletes the attempts that failed.
    fn close(&mut self) {
        self.watchers = Subscribers::default();
        self.attempts
            .retain(|attempt| !matches!(attempt.result, Some(HtlcResult::Failed(_))));
    }
}

impl Attempt {
    fn to_rpc(&self) -> lnrpc::HtlcAttempt {
        let (status, preimage, failure) = match &self.result {
            None => (HtlcStatus::InFlight, Vec::new(), None),
            Some(HtlcResult::Settled(preimage)) => (HtlcStatus::Succeeded, preimage.expose().to_vec(), None),
            Some(HtlcResult::Failed(code)) => (HtlcStatus::Failed, Vec::new(), Some(self.failure(*code))),
        };
        lnrpc::HtlcAttempt {
            status: status.into(),
            route: Some(self.route.clone()),
            attempt_time_ns: nanos(self.sent),
            resolve_time_ns: nanos(self.resolved),
            failure,
            preimage,
            attempt_id: self.id.0,
        }
    }

    /// The payee's answer, one hop away.
    fn failure(&self, code: FailureCode) -> lnrpc::Failure {
        let details = code == FailureCode::IncorrectOrUnknownPaymentDetails;
        lnrpc::Failure {
            code: code.into(),
            htlc_msat: if details {
                self.route.total_amt_msat.unsigned_abs()
            } else {
                0
            },
            failure_source_index: 1,
            height: if details { self.height } else { 0 },
        }
    }
}

impl PaymentBook {
    /// Everything, oldest first.
    pub(super) fn views(&self) -> Vec<PaymentView> {
        let mut payments: Vec<&Payment> = self.payments.values().collect();
        payments.sort_by_key(|payment| payment.index);
        let view = |payment: &Payment| PaymentView {
            hash: payment.hash,
            amount: payment.amount,
            status: payment.status,
            reason: payment.reason,
        };
        payments.into_iter().map(view).collect()
    }

    /// The payment's state now and every later one until the last.
    pub(super) fn watch(&mut self, hash: PaymentHash) -> Result<UnboundedReceiver<lnrpc::Payment>, Status> {
        let payment = self.payments.get_mut(&hash);
        let payment = payment.ok_or_else(|| Status::not_found("payment isn't initiated"))?;
        let now = payment.to_rpc();
        match payment.status {
            PaymentStatus::Succeeded | PaymentStatus::Failed => Ok(Subscribers::default().add_after([now])),
            PaymentStatus::Unknown | PaymentStatus::Initiated | PaymentStatus::InFlight => {
                Ok(payment.watchers.add_after([now]))
            }
        }
    }

    /// Writes a new record, over one that failed (payments/db/payment_status.go, `initializable`).
    fn begin(&mut self, intent: &Intent) -> Result<(), Status> {
        let hash = intent.bill.hash;
        match self.payments.get(&hash).map(|payment| payment.status) {
            None | Some(PaymentStatus::Failed) => {}
            Some(PaymentStatus::Succeeded) => return Err(Status::already_exists("invoice is already paid")),
            Some(PaymentStatus::InFlight) => return Err(Status::already_exists("payment is in transition")),
            Some(PaymentStatus::Initiated | PaymentStatus::Unknown) => {
                return Err(Status::already_exists("payment already exists"));
            }
        }
        self.started += 1;
        let payment = Payment {
            hash,
            amount: intent.bill.amount,
            bolt11: intent.bolt11.clone(),
            created: bolt11::now(),
            index: self.started,
            // What LND calls INITIATED it reports as IN_FLIGHT, unless configured otherwise (routerrpc, UseStatusInitiated).
            status: PaymentStatus::InFlight,
            reason: PaymentFailureReason::FailureReasonNone,
            attempts: Vec::new(),
            watchers: Subscribers::default(),
        };
        self.payments.insert(hash, payment);
        Ok(())
    }

    fn known(&mut self, hash: PaymentHash) -> &mut Payment {
        self.payments.get_mut(&hash).expect("an htlc belongs to a payment")
    }
}

fn nanos(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

impl State {
    /// `SendPaymentV2`: the record is written when this returns, and the HTLC is in its channel if there is a route.
    pub(super) fn pay(&mut self, payer: &NodeId, intent: &Intent) -> Result<UnboundedReceiver<lnrpc::Payment>, Status> {
        let hash = intent.bill.hash;
        let payments = &mut self.node_mut(payer).payments;
        payments.begin(intent)?;
        let updates = payments.watch(hash)?;
        match self.find_route(payer, intent) {
            Ok(hop) => self.attempt(payer, intent, hop),
            Err(reason) => {
                let payment = self.node_mut(payer).payments.known(hash);
                payment.reason = reason;
                payment.status = PaymentStatus::Failed;
                payment.changed();
                payment.close();
            }
        }
        Ok(updates)
    }

    fn attempt(&mut self, payer: &NodeId, intent: &Intent, hop: FirstHop) {
        let height = self.height();
        let bill = &intent.bill;
        let offer = Offer {
            hash: bill.hash,
            amount: bill.amount,
            expiry: intent.expiry(height),
            payment_secret: bill.payment_secret,
        };
        let only_hop = lnrpc::Hop {
            chan_id: self.channels[hop.channel].chan_id(hop.side).0,
            expiry: offer.expiry,
            amt_to_forward_msat: signed(bill.amount),
            fee_msat: 0,
            pub_key: bill.payee.to_string(),
        };
        let route = lnrpc::Route {
            total_time_lock: offer.expiry,
            hops: vec![only_hop],
            total_fees_msat: 0,
            total_amt_msat: signed(bill.amount),
        };
        let id = self.offer_htlc(hop.channel, hop.side, offer);
        let payment = self.node_mut(payer).payments.known(bill.hash);
        payment.attempts.push(Attempt {
            id,
            sent: bolt11::now(),
            resolved: Duration::ZERO,
            route,
            height,
            result: None,
        });
        payment.changed();
    }

    /// The payer learns what became of its HTLC.
    pub(super) fn end_attempt(&mut self, payer: &NodeId, hash: PaymentHash, id: HtlcId, result: HtlcResult) {
        let payment = self.node_mut(payer).payments.known(hash);
        let reason = match &result {
            HtlcResult::Settled(_) => PaymentFailureReason::FailureReasonNone,
            HtlcResult::Failed(FailureCode::IncorrectOrUnknownPaymentDetails) => {
                PaymentFailureReason::FailureReasonIncorrectPaymentDetails
            }
            HtlcResult::Failed(_) => PaymentFailureReason::FailureReasonError,
        };
        if reason != PaymentFailureReason::FailureReasonNone {
            // LND fails the payment before its attempt: one more update, in flight and with a reason.
            payment.reason = reason;
            payment.changed();
        }
        payment.status = match &result {
            HtlcResult::Settled(_) => PaymentStatus::Succeeded,
            HtlcResult::Failed(_) => PaymentStatus::Failed,
        };
        let attempts = &mut payment.attempts;
        if let Some(attempt) = attempts.iter_mut().find(|attempt| attempt.id == id) {
            attempt.result = Some(result);
            attempt.resolved = bolt11::now();
        }
        payment.changed();
        payment.close();
    }
}

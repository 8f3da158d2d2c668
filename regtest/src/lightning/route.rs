//! What LND decides before it sends: whether a request is sound, and which channel an HTLC takes.

use sluice::units::{Msat, NodeId, Scid};
use tonic::Status;

use super::bolt11::{self, Bill};
use super::channel::{Channel, Side};
use super::proto::lnrpc::PaymentFailureReason;
use super::proto::routerrpc::SendPaymentRequest;
use super::state::State;

/// Added to the final delta, so that a few blocks may come while the HTLC travels (routing/payment_session.go).
const BLOCK_PADDING: u32 = 3;
/// LND's own limit for the whole route (htlcswitch/link.go, DefaultMaxOutgoingCltvExpiry).
const MAX_TOTAL_TIMELOCK: u32 = 2_016;

/// A payment to make, checked as far as LND checks it before it writes its record.
#[derive(Debug, Clone)]
pub(super) struct Intent {
    pub(super) bill: Bill,
    pub(super) bolt11: String,
    /// Empty: any channel.
    channels: Vec<Scid>,
}

impl Intent {
    /// Reads a request (lnrpc/routerrpc/router_backend.go, `extractIntentFromSendRequest`).
    pub(super) fn read(request: SendPaymentRequest, payer: &NodeId) -> Result<Intent, Status> {
        let limit = match u32::try_from(request.cltv_limit) {
            Ok(0) => MAX_TOTAL_TIMELOCK,
            Ok(limit) if limit <= MAX_TOTAL_TIMELOCK => limit,
            // LND casts: a negative limit is a huge one.
            _ => {
                let limit = request.cltv_limit.cast_unsigned();
                let text = format!("total time lock of {limit} exceeds max allowed {MAX_TOTAL_TIMELOCK}");
                return Err(Status::unknown(text));
            }
        };
        if request.fee_limit_sat != 0 && request.fee_limit_msat != 0 {
            return Err(Status::unknown("sat and msat arguments are mutually exclusive"));
        }
        if request.payment_request.is_empty() {
            return Err(Status::unknown("invalid vertex length of 0, want 33"));
        }
        let bill = bolt11::read(&request.payment_request)?;
        let needed = bill.final_cltv.saturating_add(BLOCK_PADDING);
        if limit <= needed {
            let text = format!("cltv limit {limit} should be greater than {needed}");
            return Err(Status::unknown(text));
        }
        if bill.payee == *payer {
            return Err(Status::unknown("self-payments not allowed"));
        }
        Ok(Intent {
            bill,
            bolt11: request.payment_request,
            channels: request.outgoing_chan_ids.into_iter().map(Scid).collect(),
        })
    }

    /// The HTLC's expiry when it is sent at `height`.
    pub(super) fn expiry(&self, height: u32) -> u32 {
        height
            .saturating_add(self.bill.final_cltv)
            .saturating_add(BLOCK_PADDING)
    }
}

/// A channel to send through.
#[derive(Debug, Clone, Copy)]
pub(super) struct FirstHop {
    pub(super) channel: usize,
    pub(super) side: Side,
}

impl State {
    /// The channel with the most room that leads to the payee, or why there is none (routing/pathfind.go): a channel
    /// that is not active has no bandwidth, so LND then speaks of the balance.
    pub(super) fn find_route(&self, payer: &NodeId, intent: &Intent) -> Result<FirstHop, PaymentFailureReason> {
        let amount = intent.bill.amount;
        let allowed = |hop: &FirstHop| {
            let channel = self.channel(*hop);
            intent.channels.is_empty() || intent.channels.iter().any(|id| channel.is_named(hop.side, *id))
        };
        let hops: Vec<FirstHop> = self.hops_from(payer).filter(allowed).collect();
        let total: u64 = hops.iter().map(|hop| self.bandwidth(*hop).0).sum();
        if total < amount.0 {
            return Err(PaymentFailureReason::FailureReasonInsufficientBalance);
        }
        hops.into_iter()
            .filter(|hop| self.channel(*hop).end(hop.side.other()).node == intent.bill.payee)
            .filter(|hop| self.bandwidth(*hop) >= amount && self.channel(*hop).max_htlc >= amount)
            .max_by_key(|hop| self.bandwidth(*hop))
            .ok_or(PaymentFailureReason::FailureReasonNoRoute)
    }

    fn channel(&self, hop: FirstHop) -> &Channel {
        &self.channels[hop.channel]
    }

    fn hops_from<'a>(&'a self, node: &'a NodeId) -> impl Iterator<Item = FirstHop> + 'a {
        self.channels.iter().enumerate().filter_map(|(channel, candidate)| {
            let side = candidate.side_of(node)?;
            Some(FirstHop { channel, side })
        })
    }

    fn bandwidth(&self, hop: FirstHop) -> Msat {
        let channel = self.channel(hop);
        if self.active(channel) {
            channel.spendable(hop.side)
        } else {
            Msat(0)
        }
    }
}

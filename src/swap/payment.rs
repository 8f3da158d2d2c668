//! When a payment surely does not exist. The taker's key leaves this machine only on such proof.

use super::event::PaymentStatus;
use super::state::GivenInvoice;
use crate::units::Timestamp;

/// For how long a claim payment is tried again after its first attempt, in seconds.
pub(super) const RETRY_SECS: u64 = 120;
/// The pause between two attempts, in seconds.
pub(super) const PAUSE_SECS: u64 = 2;
/// How long after the last call's end its absence in the node is believed.
const ABSENCE_SECS: u64 = 1800;
/// How long a call whose process died or whose connection broke may still have an effect inside the node.
const DRAIN_SECS: u64 = 60;

/// What is known of the calls that may have begun a payment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Calls {
    /// The node has shown the payment once.
    pub seen: bool,
    /// No new attempt was wanted since then.
    pub since: Timestamp,
    /// No call that was lost can be open from then on.
    pub quiet_from: Timestamp,
    /// The opening's spend is final: our key opens nothing any more.
    pub spent: bool,
}

/// From when no call can be open, after one has been lost. `known` is what was known before.
///
/// In steps of a minute: a node that is away for a day loses a call every few seconds.
pub(super) fn quiet_after_loss(known: Timestamp, now: Timestamp) -> Timestamp {
    if known >= now.plus_secs(DRAIN_SECS) {
        return known;
    }
    now.plus_secs(DRAIN_SECS.saturating_mul(2))
}

/// From when no call can be open, after a start: the process before may have died inside one.
pub(super) fn quiet_after_start(known: Timestamp, now: Timestamp) -> Timestamp {
    known.max(now.plus_secs(DRAIN_SECS))
}

/// Whether a status proves that no payment of this invoice exists or can come to exist.
///
/// `Failed` is the node's word, unless a call that was lost may still sit in a socket: then an attempt may begin after
/// the one that the word is about. `Absent` is proof only when the node has never shown the payment, and
/// the invoice has expired or half an hour has passed: lnd writes its record inside the call. A node that has forgotten
/// a payment is believed once the opening's coins are gone for good: the key opens nothing then, and a swap must end.
pub(super) fn proves_unpaid(status: &PaymentStatus, calls: Calls, invoice: &GivenInvoice, now: Timestamp) -> bool {
    let quiet = now >= calls.quiet_from;
    match status {
        PaymentStatus::Failed(_) => quiet,
        PaymentStatus::Absent => {
            let settled = calls.since.max(calls.quiet_from).plus_secs(ABSENCE_SECS);
            let unseen = !calls.seen && (now >= invoice.expires_at || now >= settled);
            quiet && (unseen || calls.spent)
        }
        PaymentStatus::InFlight | PaymentStatus::Paid(_) => false,
    }
}

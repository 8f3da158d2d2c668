//! Payments over one channel, in one part, at most one HTLC per hash.
//!
//! lnd keeps one record per hash and refuses a second payment while one is under way or settled; on that everything
//! here rests. A call that breaks off says nothing: the record is asked, and until it has answered nothing is known.
//! That a payment failed, or does not exist, counts only once lnd has surely read every call that may begin one.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use tonic::codec::Streaming;

use crate::node::direct_payment::{ceil, check, refused};
use crate::node::doubts::{Call, Doubts};
use crate::node::grpc::{CALL_LIMIT, CallError, CallErrorKind};
use crate::ports::{PaymentSpec, PortError};
use crate::swap::event::{Failure, PaymentStatus};
use crate::units::{CltvDelta, NodeId, PaymentHash, Preimage};

use super::api::lnrpc::htlc_attempt::HtlcStatus;
use super::api::lnrpc::payment::PaymentStatus as LndStatus;
use super::api::lnrpc::{Channel as LndChannel, Payment, PaymentFailureReason};
use super::api::routerrpc::{SendPaymentRequest, TrackPaymentRequest};
use super::connection::{Api, Connection};
use super::{Lnd, LndConfig, channels};

const PAY: &str = "lnd SendPaymentV2";
/// lnd ends its search for a way at the time limit and then reports; so much longer is waited for that report.
const GRACE: Duration = Duration::from_secs(2);

/// What lnd's record says now.
pub(super) async fn status(lnd: &Lnd, hash: PaymentHash) -> Result<PaymentStatus, PortError> {
    let said = match find(&lnd.connection, hash).await? {
        Some(record) => read(hash, &record)?,
        None => PaymentStatus::Absent,
    };
    certain(&lnd.doubts, hash, said, std::time::Instant::now())
}

/// Waits until the end is certain; `Absent` without waiting if there is no record.
pub(super) async fn wait(lnd: &Lnd, hash: PaymentHash) -> Result<PaymentStatus, PortError> {
    let said = match track(&lnd.connection, hash).await? {
        Some(mut updates) => follow("TrackPaymentV2", hash, &mut updates, &mut None).await?,
        None => PaymentStatus::Absent,
    };
    certain(&lnd.doubts, hash, said, std::time::Instant::now())
}

/// Makes a payment unless one of this hash is under way or settled.
pub(super) async fn ensure(lnd: &Lnd, spec: &PaymentSpec) -> Result<PaymentStatus, PortError> {
    let limit = Instant::now() + spec.time_limit + GRACE;
    let before = find(&lnd.connection, spec.hash).await?;
    match before.map(|record| read(spec.hash, &record)).transpose()? {
        Some(paid @ PaymentStatus::Paid(_)) => return Ok(paid),
        Some(PaymentStatus::InFlight) => return join(lnd, spec.hash, limit).await,
        Some(PaymentStatus::Failed(_) | PaymentStatus::Absent) | None => {}
    }
    let payee = check(PAY, spec)?.payee;
    let channel = usable_channel(&lnd.connection, spec, payee).await?;
    match send(lnd, spec, &channel, limit).await? {
        // lnd also calls it a lack of balance when the channel has just become inactive.
        PaymentStatus::Failed(Failure::NoBalance) => {
            let now = channels::with_peer(&lnd.connection, payee, spec.scid)
                .await
                .ok()
                .flatten();
            let lacks = now.is_some_and(|c| c.active && channels::spendable(&c) < ceil(spec));
            let failure = if lacks { Failure::NoBalance } else { Failure::Temporary };
            Ok(PaymentStatus::Failed(failure))
        }
        end => Ok(end),
    }
}

async fn usable_channel(lnd: &Connection, spec: &PaymentSpec, payee: NodeId) -> Result<LndChannel, PortError> {
    let channel = channels::with_peer(lnd, payee, spec.scid).await?.ok_or_else(|| {
        refused(
            PAY,
            format_args!("no channel {} with the invoice's payee {payee}", spec.scid),
        )
    })?;
    if channel.active {
        Ok(channel)
    } else {
        Err(PortError::Unreachable(format!(
            "{PAY}: the channel {} is not active now",
            spec.scid
        )))
    }
}

async fn send(lnd: &Lnd, spec: &PaymentSpec, channel: &LndChannel, limit: Instant) -> Result<PaymentStatus, PortError> {
    const METHOD: &str = "SendPaymentV2";
    let late = || CallError::no_answer::<LndConfig>(METHOD, "no answer within the time limit").into();
    let patience = limit.saturating_duration_since(Instant::now());
    if patience <= GRACE {
        return Err(late());
    }
    let seconds = (patience - GRACE).as_secs().max(1);
    let cltv_limit = |CltvDelta(max)| i32::try_from(max).unwrap_or(i32::MAX);
    let request = SendPaymentRequest {
        payment_request: spec.bolt11.clone(),
        timeout_seconds: i32::try_from(seconds).unwrap_or(i32::MAX),
        fee_limit_msat: 0,
        cltv_limit: spec.max_cltv.map_or(0, cltv_limit),
        max_parts: 1,
        // The first update says that the record is written: from then on the payment is known to be under way.
        no_inflight_updates: false,
        outgoing_chan_ids: channels::own_names(channel),
        ..SendPaymentRequest::default()
    };
    let call = lnd.doubts.begin(spec.hash);
    let pay = async |mut api: Api| api.router.send_payment_v2(request).await;
    let mut updates = match lnd.connection.call(METHOD, patience, pay).await {
        Ok(updates) => updates,
        Err(e) if e.kind == CallErrorKind::NoAnswer => return Err(e.into()),
        // Another call was faster: there is one payment, and its record tells.
        Err(e) if e.kind == CallErrorKind::AlreadyExists => {
            call.recorded();
            return join(lnd, spec.hash, limit).await;
        }
        Err(e) => {
            call.refused();
            return Err(e.into());
        }
    };
    let mut unanswered = Some(call);
    match timeout_at(limit, follow(METHOD, spec.hash, &mut updates, &mut unanswered)).await {
        Ok(end) => end,
        Err(_elapsed) if unanswered.is_none() => Ok(PaymentStatus::InFlight),
        Err(_elapsed) => Err(late()),
    }
}

/// Waits for the end of a payment that is there, until the limit.
async fn join(lnd: &Lnd, hash: PaymentHash, limit: Instant) -> Result<PaymentStatus, PortError> {
    match timeout_at(limit, wait(lnd, hash)).await {
        Ok(end) => end,
        Err(_elapsed) => Ok(PaymentStatus::InFlight),
    }
}

async fn find(lnd: &Connection, hash: PaymentHash) -> Result<Option<Payment>, PortError> {
    const METHOD: &str = "TrackPaymentV2";
    let Some(mut updates) = track(lnd, hash).await? else {
        return Ok(None);
    };
    match tokio::time::timeout(CALL_LIMIT, updates.message()).await {
        Ok(Ok(Some(record))) => Ok(Some(record)),
        Ok(Ok(None)) => Err(CallError::no_answer::<LndConfig>(METHOD, "the stream ended without an answer").into()),
        Ok(Err(status)) => Err(CallError::interrupted::<LndConfig>(METHOD, &status).into()),
        Err(_elapsed) => {
            Err(CallError::no_answer::<LndConfig>(METHOD, format_args!("no answer within {CALL_LIMIT:?}")).into())
        }
    }
}

/// The record's state now and at each change; None if there is no record.
async fn track(lnd: &Connection, hash: PaymentHash) -> Result<Option<Streaming<Payment>>, PortError> {
    let request = TrackPaymentRequest {
        payment_hash: hash.0.to_vec(),
        no_inflight_updates: false,
    };
    let tracked = lnd
        .call("TrackPaymentV2", CALL_LIMIT, async |mut api| {
            api.router.track_payment_v2(request).await
        })
        .await;
    match tracked {
        Ok(updates) => Ok(Some(updates)),
        Err(e) if e.kind == CallErrorKind::NotFound => Ok(None),
        Err(e) => Err(e.into()),
    }
}

/// Reads updates until one is final. The first answers the call. Whatever ends the stream before, an error from lnd
/// too, leaves the payment's state unknown.
async fn follow(
    method: &'static str,
    hash: PaymentHash,
    updates: &mut Streaming<Payment>,
    call: &mut Option<Call<'_>>,
) -> Result<PaymentStatus, PortError> {
    loop {
        match updates.message().await {
            Ok(Some(update)) => {
                if let Some(call) = call.take() {
                    call.recorded();
                }
                match read(hash, &update)? {
                    PaymentStatus::InFlight | PaymentStatus::Absent => {}
                    end @ (PaymentStatus::Paid(_) | PaymentStatus::Failed(_)) => return Ok(end),
                }
            }
            Ok(None) => {
                return Err(CallError::no_answer::<LndConfig>(method, "the stream ended before the payment").into());
            }
            Err(status) => return Err(CallError::interrupted::<LndConfig>(method, &status).into()),
        }
    }
}

/// What lnd has just said, unless a call that it may not have read yet can still change it.
fn certain(
    doubts: &Doubts,
    hash: PaymentHash,
    said: PaymentStatus,
    now: std::time::Instant,
) -> Result<PaymentStatus, PortError> {
    match said {
        PaymentStatus::Failed(_) | PaymentStatus::Absent => {
            doubts.check::<LndConfig>("TrackPaymentV2", hash, now)?;
        }
        PaymentStatus::InFlight | PaymentStatus::Paid(_) => {}
    }
    Ok(said)
}

fn read(hash: PaymentHash, record: &Payment) -> Result<PaymentStatus, PortError> {
    let broken = |what: String| PortError::Broken(format!("lnd TrackPaymentV2: payment {hash}: {what}"));
    let attempt_is_out = || {
        record
            .htlcs
            .iter()
            .any(|attempt| attempt.status == i32::from(HtlcStatus::InFlight))
    };
    match LndStatus::try_from(record.status) {
        Ok(LndStatus::Initiated | LndStatus::InFlight) => Ok(PaymentStatus::InFlight),
        Ok(LndStatus::Succeeded) => {
            let preimage: Preimage = record
                .payment_preimage
                .parse()
                .map_err(|_| broken("unreadable preimage".into()))?;
            if preimage.hash() == hash {
                Ok(PaymentStatus::Paid(preimage))
            } else {
                Err(broken("settled by a preimage of another hash".into()))
            }
        }
        Ok(LndStatus::Failed) if attempt_is_out() => Ok(PaymentStatus::InFlight),
        Ok(LndStatus::Failed) => Ok(PaymentStatus::Failed(failure(record.failure_reason))),
        Ok(LndStatus::Unknown) | Err(_) => Err(broken(format!("unknown state {}", record.status))),
    }
}

fn failure(reason: i32) -> Failure {
    match PaymentFailureReason::try_from(reason) {
        Ok(PaymentFailureReason::FailureReasonInsufficientBalance) => Failure::NoBalance,
        Ok(PaymentFailureReason::FailureReasonIncorrectPaymentDetails) => Failure::WrongDetails,
        Ok(
            PaymentFailureReason::FailureReasonNone
            | PaymentFailureReason::FailureReasonTimeout
            | PaymentFailureReason::FailureReasonNoRoute
            | PaymentFailureReason::FailureReasonError
            | PaymentFailureReason::FailureReasonCanceled,
        )
        | Err(_) => Failure::Temporary,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::node::doubts::READ_WITHIN;
    use crate::node::lnd::api::lnrpc::HtlcAttempt;

    fn hash() -> PaymentHash {
        Preimage::from_bytes([7; 32]).hash()
    }

    fn record(status: LndStatus) -> Payment {
        Payment {
            status: status.into(),
            payment_preimage: "00".repeat(32),
            ..Payment::default()
        }
    }

    const NONE: [PaymentStatus; 2] = [PaymentStatus::Absent, PaymentStatus::Failed(Failure::Temporary)];

    #[test]
    fn that_there_is_no_payment_counts_only_once_an_unanswered_call_was_read() {
        for said in NONE {
            let (doubts, now) = (Doubts::long_after_start(), Instant::now());
            drop(doubts.begin(hash()));
            assert_waits(&doubts, now, &said);
        }
    }

    #[test]
    fn after_a_start_that_there_is_no_payment_counts_only_after_a_while() {
        for said in NONE {
            assert_waits(&Doubts::new(READ_WITHIN), Instant::now(), &said);
        }
    }

    /// Said every second, it is not known until the time is over, and then it is.
    fn assert_waits(doubts: &Doubts, now: Instant, said: &PaymentStatus) {
        let ask = |sec| certain(doubts, hash(), said.clone(), now + Duration::from_secs(sec));
        for sec in 0..READ_WITHIN.as_secs() {
            assert!(
                matches!(ask(sec), Err(PortError::Unreachable(_))),
                "{said:?} after {sec} s"
            );
        }
        assert_eq!(ask(READ_WITHIN.as_secs()).unwrap(), *said);
    }

    #[test]
    fn a_payment_that_comes_after_all_is_told_at_once() {
        let (doubts, now) = (Doubts::new(READ_WITHIN), Instant::now());
        assert!(certain(&doubts, hash(), PaymentStatus::Absent, now).is_err());
        for came in [
            PaymentStatus::InFlight,
            PaymentStatus::Paid(Preimage::from_bytes([7; 32])),
        ] {
            assert_eq!(certain(&doubts, hash(), came.clone(), now).unwrap(), came);
        }
    }

    #[test]
    fn a_payment_that_was_never_begun_is_absent_at_once() {
        let doubts = Doubts::long_after_start();
        let said = certain(&doubts, hash(), PaymentStatus::Absent, Instant::now());
        assert_eq!(said.unwrap(), PaymentStatus::Absent);
    }

    #[test]
    fn a_payment_is_paid_only_by_the_preimage_of_its_hash() {
        let mut settled = record(LndStatus::Succeeded);
        assert!(matches!(read(hash(), &settled), Err(PortError::Broken(_))));
        settled.payment_preimage = "07".repeat(32);
        assert_eq!(
            read(hash(), &settled).unwrap(),
            PaymentStatus::Paid(Preimage::from_bytes([7; 32]))
        );
    }

    #[test]
    fn a_record_without_an_end_is_under_way() {
        for status in [LndStatus::Initiated, LndStatus::InFlight] {
            assert_eq!(read(hash(), &record(status)).unwrap(), PaymentStatus::InFlight);
        }
    }

    #[test]
    fn a_failed_payment_with_an_htlc_out_has_not_failed() {
        let out = HtlcAttempt {
            status: HtlcStatus::InFlight.into(),
            ..HtlcAttempt::default()
        };
        let failed = Payment {
            htlcs: vec![out],
            ..record(LndStatus::Failed)
        };
        assert_eq!(read(hash(), &failed).unwrap(), PaymentStatus::InFlight);
    }

    #[test]
    fn a_state_that_lnd_does_not_have_is_no_answer() {
        assert!(matches!(
            read(hash(), &record(LndStatus::Unknown)),
            Err(PortError::Broken(_))
        ));
        let odd = Payment {
            status: 99,
            ..Payment::default()
        };
        assert!(matches!(read(hash(), &odd), Err(PortError::Broken(_))));
    }

    #[test]
    fn reasons_say_whether_another_attempt_may_help() {
        let class = |reason: PaymentFailureReason| failure(reason.into());
        assert_eq!(
            class(PaymentFailureReason::FailureReasonInsufficientBalance),
            Failure::NoBalance
        );
        assert_eq!(
            class(PaymentFailureReason::FailureReasonIncorrectPaymentDetails),
            Failure::WrongDetails
        );
        assert_eq!(class(PaymentFailureReason::FailureReasonNoRoute), Failure::Temporary);
        assert_eq!(class(PaymentFailureReason::FailureReasonTimeout), Failure::Temporary);
    }
}

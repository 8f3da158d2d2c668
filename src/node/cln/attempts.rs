//! The records of a payment's attempts, and how an attempt ended.

use std::time::Duration;

use crate::node::grpc::{CALL_LIMIT, CallError};
use crate::ports::PortError;
use crate::swap::event::Failure;
use crate::units::{PaymentHash, Preimage};

use super::api::listsendpays_payments::ListsendpaysPaymentsStatus as RecordStatus;
use super::api::{ListsendpaysPayments as Record, ListsendpaysRequest, WaitsendpayRequest};
use super::connection::Connection;
use super::fault;

/// So much longer than it promised a wait may take to answer.
const GRACE: Duration = Duration::from_secs(10);

/// BOLT 4's failures of a payee that does not know the payment, or not with this amount or expiry.
const WRONG_DETAILS: [u16; 3] = [0x400f, 18, 19];

pub(super) async fn records(cln: &Connection, hash: PaymentHash) -> Result<Vec<Record>, PortError> {
    let request = ListsendpaysRequest {
        payment_hash: Some(hash.0.to_vec()),
    };
    let answer = cln
        .call("ListSendPays", CALL_LIMIT, async |mut api| {
            api.list_send_pays(request).await
        })
        .await?;
    Ok(answer.payments)
}

/// What the records of a hash come to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum State {
    Absent,
    /// The attempt of this number is under way.
    InFlight(u64),
    Paid(Preimage),
    /// All have failed; the last had this number.
    Failed(u64),
}

pub(super) fn read(hash: PaymentHash, records: &[Record]) -> Result<State, PortError> {
    let broken = |what: String| PortError::Broken(format!("cln ListSendPays: payment {hash}: {what}"));
    let (mut under_way, mut last) = (None, None);
    for record in records {
        match RecordStatus::try_from(record.status) {
            Ok(RecordStatus::Complete) => {
                let bytes = record.payment_preimage.as_deref().unwrap_or_default();
                let preimage = <[u8; 32]>::try_from(bytes).map_err(|_| broken("unreadable preimage".into()))?;
                let preimage = Preimage::from_bytes(preimage);
                if preimage.hash() != hash {
                    return Err(broken("settled by a preimage of another hash".into()));
                }
                return Ok(State::Paid(preimage));
            }
            Ok(RecordStatus::Pending) => under_way = Some(record.groupid),
            Ok(RecordStatus::Failed) => last = last.max(Some(record.groupid)),
            Err(unknown) => return Err(broken(format!("unknown status {unknown}"))),
        }
    }
    Ok(match (under_way, last) {
        (Some(groupid), _) => State::InFlight(groupid),
        (None, Some(groupid)) => State::Failed(groupid),
        (None, None) => State::Absent,
    })
}

/// What `waitsendpay` tells of an attempt.
pub(super) enum Outcome {
    /// It is not over.
    UnderWay,
    /// It is complete, or failed in a way of no interest: the records tell.
    Over,
    /// It failed.
    Failed(Failure),
    /// The node has not told.
    Unknown(CallError),
}

pub(super) async fn outcome(cln: &Connection, hash: PaymentHash, groupid: u64, patience: Duration) -> Outcome {
    let request = WaitsendpayRequest {
        payment_hash: hash.0.to_vec(),
        timeout: Some(u32::try_from(patience.as_secs().max(1)).unwrap_or(u32::MAX)),
        groupid: Some(groupid),
    };
    let waited = cln
        .wait("WaitSendPay", patience + GRACE, async |mut api| {
            api.wait_send_pay(request).await
        })
        .await;
    match waited {
        Ok(Some(_)) => Outcome::Over,
        Ok(None) => Outcome::UnderWay,
        Err(e) => read_outcome(e),
    }
}

fn read_outcome(error: CallError) -> Outcome {
    let failcode = fault::failcode(&error.said);
    match fault::code(&error.said) {
        Some(fault::PAY_IN_PROGRESS) => Outcome::UnderWay,
        Some(fault::PAY_DESTINATION_PERM_FAIL | fault::PAY_TRY_OTHER_ROUTE)
            if failcode.is_some_and(|code| WRONG_DETAILS.contains(&code)) =>
        {
            Outcome::Failed(Failure::WrongDetails)
        }
        Some(
            fault::PAY_UNPARSEABLE_ONION
            | fault::PAY_DESTINATION_PERM_FAIL
            | fault::PAY_TRY_OTHER_ROUTE
            | fault::PAY_UNSPECIFIED_ERROR,
        ) => Outcome::Failed(Failure::Temporary),
        Some(_) | None => Outcome::Unknown(error),
    }
}

#[cfg(test)]
mod tests {
    use tonic::Status;

    use super::*;
    use crate::node::cln::ClnConfig;

    fn hash() -> PaymentHash {
        Preimage::from_bytes([7; 32]).hash()
    }

    fn record(groupid: u64, status: RecordStatus) -> Record {
        Record {
            groupid,
            status: status.into(),
            ..Record::default()
        }
    }

    #[test]
    fn one_complete_attempt_is_a_payment_whatever_the_others_are() {
        let mut complete = record(2, RecordStatus::Complete);
        complete.payment_preimage = Some(vec![7; 32]);
        let records = [
            record(1, RecordStatus::Failed),
            complete,
            record(3, RecordStatus::Failed),
        ];
        let paid = State::Paid(Preimage::from_bytes([7; 32]));
        assert_eq!(read(hash(), &records).unwrap(), paid);
    }

    #[test]
    fn a_payment_is_paid_only_by_the_preimage_of_its_hash() {
        for preimage in [None, Some(vec![8; 32]), Some(vec![7; 31])] {
            let mut odd = record(1, RecordStatus::Complete);
            odd.payment_preimage = preimage;
            assert!(matches!(read(hash(), &[odd]), Err(PortError::Broken(_))));
        }
    }

    #[test]
    fn an_attempt_under_way_outlives_failed_ones() {
        let records = [
            record(1, RecordStatus::Failed),
            record(2, RecordStatus::Pending),
            record(3, RecordStatus::Failed),
        ];
        assert_eq!(read(hash(), &records).unwrap(), State::InFlight(2));
        assert_eq!(read(hash(), &records[..1]).unwrap(), State::Failed(1));
        assert_eq!(read(hash(), &[]).unwrap(), State::Absent);
    }

    #[test]
    fn a_state_that_lightningd_does_not_have_is_no_answer() {
        let odd = Record {
            status: 99,
            ..Record::default()
        };
        assert!(matches!(read(hash(), &[odd]), Err(PortError::Broken(_))));
    }

    #[test]
    fn failures_say_whether_another_attempt_may_help() {
        let class = |code: i32, failcode: u16| {
            let said = format!("RpcError {{ code: Some({code}), data: {{\"failcode\": Number({failcode})}}");
            let error = CallError::from_status::<ClnConfig>("WaitSendPay", &Status::unknown(said));
            match read_outcome(error) {
                Outcome::Failed(failure) => Some(failure),
                Outcome::UnderWay | Outcome::Over | Outcome::Unknown(_) => None,
            }
        };
        assert_eq!(class(203, 0x400f), Some(Failure::WrongDetails));
        assert_eq!(class(204, 18), Some(Failure::WrongDetails));
        assert_eq!(class(204, 0x1007), Some(Failure::Temporary));
        assert_eq!(class(209, 0), Some(Failure::Temporary));
        assert_eq!(class(200, 0), None);
        assert_eq!(class(208, 0), None);
    }
}

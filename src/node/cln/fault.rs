//! lightningd's errors, as cln-grpc passes them on.
//!
//! cln-grpc puts Rust's debug text of the JSON-RPC error into the status and has no field for the code:
//! `Error calling method DelInvoice: RpcError { code: Some(906), message: "Invoice status is paid not unpaid", data:
//! Some(Object {…}) }` (cln-grpc/src/server.rs, v25.12.1). What is read of it is the code, which comes first, the
//! message, and BOLT 4's failure code. An error without a code is cln-grpc's own: it has not reached lightningd.

use tonic::{Code, Status};

use crate::node::grpc::CallErrorKind;

// common/jsonrpc_errors.h, v25.12.1.
const METHOD_NOT_FOUND: i32 = -32_601;
const PLUGIN_TERMINATED: i32 = -4;
const LIGHTNINGD_SHUTDOWN: i32 = -5;
/// A payment of this hash is under way; of `waitsendpay`: still.
pub(super) const PAY_IN_PROGRESS: i32 = 200;
/// There is a record of this attempt, or the payment is complete.
pub(super) const PAY_RHASH_ALREADY_USED: i32 = 201;
/// The HTLC failed with an error that cannot be read.
pub(super) const PAY_UNPARSEABLE_ONION: i32 = 202;
/// The payee sent it back for good.
pub(super) const PAY_DESTINATION_PERM_FAIL: i32 = 203;
/// It could not be sent over this channel, or not now.
pub(super) const PAY_TRY_OTHER_ROUTE: i32 = 204;
const PAY_NO_SUCH_PAYMENT: i32 = 208;
/// It failed, and the record does not tell why.
pub(super) const PAY_UNSPECIFIED_ERROR: i32 = 209;
pub(super) const FUND_CANNOT_AFFORD: i32 = 301;
pub(super) const FUND_CANNOT_AFFORD_WITH_EMERGENCY: i32 = 313;
const INVOICE_LABEL_ALREADY_EXISTS: i32 = 900;
const INVOICE_PREIMAGE_ALREADY_EXISTS: i32 = 901;
const INVOICE_NOT_FOUND: i32 = 905;

/// lightningd's code in what cln-grpc said.
pub(super) fn code(said: &str) -> Option<i32> {
    // Before it stand only words of cln-grpc's own.
    between(said, "RpcError { code: Some(", ")")?.parse().ok()
}

/// BOLT 4's failure code of a payment.
pub(super) fn failcode(said: &str) -> Option<u16> {
    between(said, "\"failcode\": Number(", ")")?.parse().ok()
}

/// lightningd's words and code, without their packing.
pub(super) fn words(said: &str) -> String {
    let message = between(said, ", message: \"", "\", data: ");
    match (message, code(said)) {
        (Some(message), Some(code)) => format!("{message} ({code})"),
        (Some(message), None) => message.to_owned(),
        (None, _) => said.to_owned(),
    }
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(found, _)| found)
}

/// Judges a status that cln-grpc sent.
pub(super) fn judge(status: &Status) -> Option<(CallErrorKind, Option<&'static str>)> {
    match status.code() {
        Code::Unknown => {}
        // cln-grpc did not find lightningd, or its answer was of another kind.
        Code::Internal if status.message().starts_with("Unexpected result") => {
            return Some((CallErrorKind::Broken, None));
        }
        Code::Internal => return Some((CallErrorKind::NoAnswer, None)),
        _ => return None,
    }
    Some(match code(status.message()) {
        None => (CallErrorKind::NoAnswer, None),
        Some(PLUGIN_TERMINATED | LIGHTNINGD_SHUTDOWN) => (CallErrorKind::NoAnswer, Some("the node is stopping")),
        Some(METHOD_NOT_FOUND) => (CallErrorKind::Broken, Some("this node does not know the call")),
        Some(PAY_NO_SUCH_PAYMENT | INVOICE_NOT_FOUND) => (CallErrorKind::NotFound, None),
        Some(INVOICE_LABEL_ALREADY_EXISTS | INVOICE_PREIMAGE_ALREADY_EXISTS) => (CallErrorKind::AlreadyExists, None),
        Some(_) => (CallErrorKind::Refused, None),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::cln::ClnConfig;
    use crate::node::grpc::CallError;
    use crate::ports::PortError;

    // As lightningd v25.12.1 said it, the invoices and ids left out.
    const PAID: &str = "Error calling method DelInvoice: RpcError { code: Some(906), message: \"Invoice status is paid not unpaid\", data: Some(Object {\"current_status\": String(\"paid\"), \"expected_status\": String(\"unpaid\")}) }";
    const USED: &str =
        "Error calling method Invoice: RpcError { code: Some(901), message: \"preimage already used\", data: None }";
    const GONE: &str = "Error calling method WaitSendPay: RpcError { code: None, message: \"no response from lightningd\", data: None }";
    const UNKNOWN: &str = "Error calling method WaitSendPay: RpcError { code: Some(203), message: \"failed: WIRE_INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS (reply from remote)\", data: Some(Object {\"amount_msat\": Number(10000000), \"erring_index\": Number(1), \"failcode\": Number(16399), \"failcodename\": String(\"WIRE_INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS\"), \"groupid\": Number(1), \"status\": String(\"failed\")}) }";

    fn class(code: Code, said: &str) -> PortError {
        CallError::from_status::<ClnConfig>("Method", &Status::new(code, said)).into()
    }

    #[test]
    fn a_code_and_a_failure_code_are_read_out_of_the_debug_text() {
        assert_eq!((code(PAID), failcode(PAID)), (Some(906), None));
        assert_eq!((code(UNKNOWN), failcode(UNKNOWN)), (Some(203), Some(0x400f)));
        assert_eq!((code(GONE), code("transport error")), (None, None));
        let negative = "Error calling method SendCustomMsg: RpcError { code: Some(-32600), message: \"Peer is not connected\", data: None }";
        assert_eq!(code(negative), Some(-32_600));
    }

    #[test]
    fn a_text_of_the_peer_s_is_not_taken_for_a_code() {
        let described = "Error calling method WaitSendPay: RpcError { code: Some(204), message: \"failed\", data: Some(Object {\"description\": String(\"RpcError { code: Some(203), \\\"failcode\\\": Number(16399)\"), \"failcode\": Number(4103)}) }";
        assert_eq!((code(described), failcode(described)), (Some(204), Some(4103)));
    }

    #[test]
    fn people_see_the_message_and_the_code() {
        assert_eq!(
            class(Code::Unknown, PAID).to_string(),
            "cln Method: Invoice status is paid not unpaid (906)"
        );
        assert_eq!(
            class(Code::Unknown, GONE).to_string(),
            "cln Method: no response from lightningd"
        );
    }

    #[test]
    fn only_an_error_with_lightningd_s_code_is_an_answer() {
        for said in [PAID, USED, UNKNOWN] {
            assert!(matches!(class(Code::Unknown, said), PortError::Refused(_)), "{said}");
        }
        let stopping = "Error calling method Getinfo: RpcError { code: Some(-5), message: \"lightningd is shutting down\", data: None }";
        for said in [GONE, stopping, "something else"] {
            assert!(
                matches!(class(Code::Unknown, said), PortError::Unreachable(_)),
                "{said}"
            );
        }
        let no_socket = "No such file or directory (os error 2)";
        assert!(matches!(class(Code::Internal, no_socket), PortError::Unreachable(_)));
        let odd = "Unexpected result Pong to method call Getinfo";
        assert!(matches!(class(Code::Internal, odd), PortError::Broken(_)));
    }
}

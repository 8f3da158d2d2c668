//! What lnd's statuses mean.

use tonic::{Code, Status};

use crate::node::grpc::CallErrorKind;

/// Texts with which lnd says that it is not ready; all come with the code `Unknown`.
/// Sources: rpcperms/interceptor.go:54-76, rpcserver.go (ErrServerNotActive), routerrpc/router_server.go
/// (errServerShuttingDown) of lnd v0.20.0-beta.
const NOT_NOW: [&str; 8] = [
    "wallet locked",
    "wallet not created",
    "waiting to start",
    "in the process of starting",
    "not yet ready",
    "shutting down",
    "server exiting",
    "database not open",
];

/// Texts with which lnd refuses a macaroon, some with the code `Unknown` (macaroons/service.go, gopkg.in/macaroon-bakery).
const MACAROON: [&str; 5] = [
    "permission denied",
    "verification failed",
    "cannot get macaroon",
    "expected 1 macaroon",
    "unable to unmarshal macaroon",
];

/// Judges a status that lnd sent, if it is particular to lnd.
pub(super) fn judge(status: &Status) -> Option<(CallErrorKind, Option<&'static str>)> {
    let says = |texts: &[&str]| texts.iter().any(|text| status.message().contains(text));
    let not_now = |hint| Some((CallErrorKind::NoAnswer, Some(hint)));
    match status.code() {
        Code::Unauthenticated | Code::PermissionDenied => not_now("the macaroon does not allow it"),
        Code::Unknown | Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange | Code::Internal => {
            if says(&["wallet locked"]) {
                not_now("the node waits for its wallet to be unlocked")
            } else if says(&["wallet not created"]) {
                not_now("the node has no wallet yet")
            } else if says(&NOT_NOW) {
                not_now("the node is starting or stopping")
            } else if says(&MACAROON) {
                not_now("the macaroon does not allow it")
            } else {
                None
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::grpc::CallError;
    use crate::node::lnd::LndConfig;
    use crate::ports::PortError;

    fn class(code: Code, message: &str) -> PortError {
        CallError::from_status::<LndConfig>("GetInfo", &Status::new(code, message)).into()
    }

    #[test]
    fn a_node_that_is_not_ready_is_asked_again() {
        for text in [
            "wallet locked, unlock it to enable full RPC access",
            "wallet not created, create one to enable full RPC access",
            "waiting to start, RPC services not available",
            "the RPC server is in the process of starting up, but not yet ready to accept calls",
            "routerrpc server shutting down",
        ] {
            assert!(
                matches!(class(Code::Unknown, text), PortError::Unreachable(_)),
                "{text}"
            );
        }
    }

    #[test]
    fn a_locked_wallet_is_named() {
        let error = class(Code::Unknown, "wallet locked, unlock it to enable full RPC access").to_string();
        assert!(
            error.starts_with("lnd GetInfo: the node waits for its wallet to be unlocked"),
            "{error}"
        );
    }

    #[test]
    fn a_wrong_macaroon_does_not_end_a_swap() {
        let text = "verification failed: signature mismatch after caveat verification";
        assert!(matches!(class(Code::Unknown, text), PortError::Unreachable(_)));
        assert!(matches!(
            class(Code::PermissionDenied, "permission denied"),
            PortError::Unreachable(_)
        ));
    }

    #[test]
    fn a_clear_no_is_refused() {
        let text = "invoice expired. Valid until 2026-01-01";
        assert!(matches!(class(Code::Unknown, text), PortError::Refused(_)));
    }
}

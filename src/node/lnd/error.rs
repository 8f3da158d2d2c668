//! What a failed call means for the caller.

use std::error::Error;
use std::fmt;

use tonic::{Code, Status};

use crate::ports::PortError;

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

/// A call that brought no result.
#[derive(Debug)]
pub(super) struct CallError {
    /// What it means.
    pub(super) kind: CallErrorKind,
    text: String,
}

/// What a failed call means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallErrorKind {
    /// No answer, or not now, or not with these credentials: the operator can mend it while swaps wait.
    NoAnswer,
    /// The thing asked for is not there.
    NotFound,
    /// The thing to be made is there already.
    AlreadyExists,
    /// A clear no.
    Refused,
    /// An answer that makes no sense.
    Broken,
}

impl CallError {
    /// There was no answer, and why.
    pub(super) fn no_answer(method: &str, why: impl fmt::Display) -> Self {
        Self {
            kind: CallErrorKind::NoAnswer,
            text: format!("lnd {method}: {why}"),
        }
    }

    /// A stream broke off. What lnd says of it is of no consequence: it had begun to answer and did not end.
    pub(super) fn interrupted(method: &str, status: &Status) -> Self {
        Self::no_answer(method, format_args!("the stream broke off: {}", describe(status)))
    }

    /// Judges what a call returned instead of a result.
    pub(super) fn from_status(method: &str, status: &Status) -> Self {
        let message = describe(status);
        let (kind, hint) = judge(status, &message);
        let text = match hint {
            Some(hint) => format!("lnd {method}: {hint} ({message})"),
            None => format!("lnd {method}: {message}"),
        };
        Self { kind, text }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<CallError> for PortError {
    fn from(error: CallError) -> Self {
        match error.kind {
            CallErrorKind::NoAnswer => PortError::Unreachable(error.text),
            CallErrorKind::NotFound | CallErrorKind::AlreadyExists | CallErrorKind::Refused => {
                PortError::Refused(error.text)
            }
            CallErrorKind::Broken => PortError::Broken(error.text),
        }
    }
}

fn judge(status: &Status, message: &str) -> (CallErrorKind, Option<&'static str>) {
    let says = |texts: &[&str]| texts.iter().any(|text| message.contains(text));
    // A status made on this side has a cause; one that lnd sent has none.
    if status.source().is_some() {
        return (CallErrorKind::NoAnswer, None);
    }
    match status.code() {
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Aborted | Code::ResourceExhausted => {
            (CallErrorKind::NoAnswer, None)
        }
        Code::Unauthenticated | Code::PermissionDenied => {
            (CallErrorKind::NoAnswer, Some("the macaroon does not allow it"))
        }
        Code::NotFound => (CallErrorKind::NotFound, None),
        Code::AlreadyExists => (CallErrorKind::AlreadyExists, None),
        Code::Unimplemented => (CallErrorKind::Broken, Some("this node does not know the call")),
        Code::DataLoss | Code::Ok => (CallErrorKind::Broken, None),
        _ if says(&["wallet locked"]) => (
            CallErrorKind::NoAnswer,
            Some("the node waits for its wallet to be unlocked"),
        ),
        _ if says(&["wallet not created"]) => (CallErrorKind::NoAnswer, Some("the node has no wallet yet")),
        _ if says(&NOT_NOW) => (CallErrorKind::NoAnswer, Some("the node is starting or stopping")),
        _ if says(&MACAROON) => (CallErrorKind::NoAnswer, Some("the macaroon does not allow it")),
        _ => (CallErrorKind::Refused, None),
    }
}

/// The status's text with its causes, which carry what a person needs: "connection refused", "its certificate is not …".
fn describe(status: &Status) -> String {
    let mut parts: Vec<String> = Vec::new();
    if !status.message().is_empty() {
        parts.push(status.message().to_string());
    }
    let mut cause = status.source();
    while let Some(error) = cause {
        let text = error.to_string();
        // tonic's own words for nothing in particular.
        if text != "transport error" && !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
        cause = error.source();
    }
    if parts.is_empty() {
        parts.push(status.code().description().to_string());
    }
    parts.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(code: Code, message: &str) -> PortError {
        CallError::from_status("GetInfo", &Status::new(code, message)).into()
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

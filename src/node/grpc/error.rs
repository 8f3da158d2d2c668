//! What a failed call means for the caller.

use std::error::Error;
use std::fmt;

use tonic::{Code, Status};

use super::connection::Dialect;
use crate::ports::PortError;

/// A call that brought no result.
#[derive(Debug)]
pub(in crate::node) struct CallError {
    /// What it means.
    pub(in crate::node) kind: CallErrorKind,
    /// What the daemon said, word for word; empty if it said nothing.
    pub(in crate::node) said: String,
    text: String,
}

/// What a failed call means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::node) enum CallErrorKind {
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
    pub(in crate::node) fn no_answer<D: Dialect>(method: &str, why: impl fmt::Display) -> Self {
        Self {
            kind: CallErrorKind::NoAnswer,
            said: String::new(),
            text: format!("{} {method}: {why}", D::DAEMON),
        }
    }

    /// A stream broke off. What the daemon says of it is of no consequence: it had begun to answer and did not end.
    pub(in crate::node) fn interrupted<D: Dialect>(method: &str, status: &Status) -> Self {
        Self::no_answer::<D>(method, format_args!("the stream broke off: {}", describe::<D>(status)))
    }

    /// Judges what a call returned instead of a result.
    pub(in crate::node) fn from_status<D: Dialect>(method: &str, status: &Status) -> Self {
        let message = describe::<D>(status);
        let (kind, hint) = judge::<D>(status);
        let daemon = D::DAEMON;
        let text = match hint {
            Some(hint) => format!("{daemon} {method}: {hint} ({message})"),
            None => format!("{daemon} {method}: {message}"),
        };
        let said = status.message().to_owned();
        Self { kind, said, text }
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

fn judge<D: Dialect>(status: &Status) -> (CallErrorKind, Option<&'static str>) {
    // A status made on this side has a cause; one that the daemon sent has none.
    if status.source().is_some() {
        return (CallErrorKind::NoAnswer, None);
    }
    if let Some(judged) = D::judge(status) {
        return judged;
    }
    match status.code() {
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Aborted | Code::ResourceExhausted => {
            (CallErrorKind::NoAnswer, None)
        }
        Code::NotFound => (CallErrorKind::NotFound, None),
        Code::AlreadyExists => (CallErrorKind::AlreadyExists, None),
        Code::Unimplemented => (CallErrorKind::Broken, Some("this node does not know the call")),
        Code::DataLoss | Code::Ok => (CallErrorKind::Broken, None),
        Code::Unauthenticated
        | Code::PermissionDenied
        | Code::Unknown
        | Code::InvalidArgument
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::Internal => (CallErrorKind::Refused, None),
    }
}

/// The status's text with its causes, which carry what a person needs: "connection refused", "its certificate is not …".
fn describe<D: Dialect>(status: &Status) -> String {
    let mut parts: Vec<String> = Vec::new();
    if !status.message().is_empty() {
        parts.push(D::words(status.message()));
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

//! Why a call failed, with the daemon, the method and the node's own number in the text.

use jsonrpsee::core::ClientError;
use jsonrpsee::http_client::transport::Error as TransportError;

use crate::ports::PortError;

/// Numbers of Elements' RPC errors (rpc/protocol.h).
pub mod code {
    /// `RPC_WALLET_ERROR`: among others, too little money.
    pub const WALLET: i32 = -4;
    /// `RPC_INVALID_ADDRESS_OR_KEY`: also an unknown transaction or block.
    pub const NOT_FOUND: i32 = -5;
    /// `RPC_WALLET_INSUFFICIENT_FUNDS`.
    pub const INSUFFICIENT_FUNDS: i32 = -6;
    /// `RPC_WALLET_NOT_FOUND`: not loaded, or never made.
    pub const WALLET_NOT_FOUND: i32 = -18;
    /// `RPC_VERIFY_ALREADY_IN_CHAIN`.
    pub const ALREADY_IN_CHAIN: i32 = -27;
    /// `RPC_IN_WARMUP`.
    pub const IN_WARMUP: i32 = -28;
    /// `RPC_WALLET_ALREADY_LOADED`.
    pub const WALLET_ALREADY_LOADED: i32 = -35;
}

/// Why a call to the node failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RpcError {
    /// No answer, or not now.
    #[error("elementsd {method}: {reason}")]
    Unreachable {
        /// The method called.
        method: &'static str,
        /// What happened.
        reason: String,
    },
    /// The node answered no.
    #[error("elementsd {method}: {message} ({code})")]
    Refused {
        /// The method called.
        method: &'static str,
        /// The node's number for it.
        code: i32,
        /// The node's words.
        message: String,
    },
    /// The answer cannot be read.
    #[error("elementsd {method}: {reason}")]
    Broken {
        /// The method called.
        method: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

impl RpcError {
    /// The node's number, where it said no.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        match self {
            RpcError::Refused { code, .. } => Some(*code),
            RpcError::Unreachable { .. } | RpcError::Broken { .. } => None,
        }
    }

    pub(super) fn unreachable(method: &'static str, reason: impl Into<String>) -> Self {
        RpcError::Unreachable {
            method,
            reason: reason.into(),
        }
    }

    /// An answer that makes no sense.
    pub fn broken(method: &'static str, reason: impl Into<String>) -> Self {
        RpcError::Broken {
            method,
            reason: reason.into(),
        }
    }

    pub(super) fn from_client(method: &'static str, error: ClientError) -> Self {
        match error {
            ClientError::Call(answer) if answer.code() == code::IN_WARMUP => {
                Self::unreachable(method, format!("{} ({})", answer.message(), code::IN_WARMUP))
            }
            ClientError::Call(answer) => RpcError::Refused {
                method,
                code: answer.code(),
                message: answer.message().to_owned(),
            },
            ClientError::RequestTimeout => Self::unreachable(method, "no answer in time"),
            ClientError::Transport(error) => match http_status(&error) {
                Some(401) => Self::unreachable(method, "user or password is wrong (HTTP 401)"),
                Some(403) => Self::unreachable(method, "this user or address may not call it (HTTP 403)"),
                Some(503) => Self::unreachable(method, "too many calls are waiting at the node (HTTP 503)"),
                Some(status @ 500..) => Self::unreachable(method, format!("HTTP {status}")),
                Some(status) => Self::broken(method, format!("HTTP {status}: is this the address of an elementsd?")),
                None => Self::unreachable(method, root_cause(error.as_ref())),
            },
            other => Self::broken(method, other.to_string()),
        }
    }
}

/// The status of an HTTP answer that was no RPC answer.
pub(super) fn http_status(error: &jsonrpsee::core::BoxError) -> Option<u16> {
    match error.downcast_ref::<TransportError>() {
        Some(TransportError::Rejected { status_code }) => Some(*status_code),
        _ => None,
    }
}

/// The innermost error says what happened (`connection refused`); the outer ones say only that something did.
fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

impl From<RpcError> for PortError {
    fn from(error: RpcError) -> PortError {
        let text = error.to_string();
        match error {
            RpcError::Unreachable { .. } => PortError::Unreachable(text),
            RpcError::Refused { .. } => PortError::Refused(text),
            RpcError::Broken { .. } => PortError::Broken(text),
        }
    }
}

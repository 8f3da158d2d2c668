//! Why a call failed, with the daemon, the method and the node's own number in the text.

use crate::ports::PortError;

/// Numbers of the nodes' RPC errors (rpc/protocol.h).
pub mod code {
    /// `RPC_METHOD_NOT_FOUND`: a node without wallets knows none of their methods.
    pub const METHOD_NOT_FOUND: i32 = -32601;
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
    #[error("{daemon} {method}: {reason}")]
    Unreachable {
        /// The program called.
        daemon: &'static str,
        /// The method called.
        method: &'static str,
        /// What happened.
        reason: String,
    },
    /// The node lets this user or address call other methods at most (`rpcwhitelist`, `rpcallowip`; HTTP 403, httprpc.cpp).
    #[error("{daemon} {method}: this user or address may not call it (HTTP 403)")]
    Forbidden {
        /// The program called.
        daemon: &'static str,
        /// The method called.
        method: &'static str,
    },
    /// The node answered no.
    #[error("{daemon} {method}: {message} ({code})")]
    Refused {
        /// The program called.
        daemon: &'static str,
        /// The method called.
        method: &'static str,
        /// The node's number for it.
        code: i32,
        /// The node's words.
        message: String,
    },
    /// The answer cannot be read.
    #[error("{daemon} {method}: {reason}")]
    Broken {
        /// The program called.
        daemon: &'static str,
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
            RpcError::Unreachable { .. } | RpcError::Forbidden { .. } | RpcError::Broken { .. } => None,
        }
    }

    pub(in crate::chain) fn unreachable(daemon: &'static str, method: &'static str, reason: impl Into<String>) -> Self {
        RpcError::Unreachable {
            daemon,
            method,
            reason: reason.into(),
        }
    }

    /// An answer that makes no sense.
    pub(in crate::chain) fn broken(daemon: &'static str, method: &'static str, reason: impl Into<String>) -> Self {
        RpcError::Broken {
            daemon,
            method,
            reason: reason.into(),
        }
    }

    /// The node's no. While it starts it says so to everything.
    pub(in crate::chain) fn answered(daemon: &'static str, method: &'static str, code: i32, message: &str) -> Self {
        if code == code::IN_WARMUP {
            return Self::unreachable(daemon, method, format!("{message} ({code})"));
        }
        RpcError::Refused {
            daemon,
            method,
            code,
            message: message.to_owned(),
        }
    }

    /// An HTTP answer that was no RPC answer, by its status.
    pub(in crate::chain) fn http(daemon: &'static str, method: &'static str, status: u16) -> Self {
        match status {
            401 => Self::unreachable(daemon, method, "user or password is wrong (HTTP 401)"),
            403 => RpcError::Forbidden { daemon, method },
            503 => Self::unreachable(daemon, method, "too many calls are waiting at the node (HTTP 503)"),
            500.. => Self::unreachable(daemon, method, format!("HTTP {status}")),
            _ => Self::broken(daemon, method, format!("HTTP {status}: is this the address of a node?")),
        }
    }
}

/// The innermost error says what happened (`connection refused`); the outer ones say only that something did.
pub(in crate::chain) fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
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
            // the operator may allow it again: it had no effect, and is no answer to what was asked
            RpcError::Unreachable { .. } | RpcError::Forbidden { .. } => PortError::Unreachable(text),
            RpcError::Refused { .. } => PortError::Refused(text),
            RpcError::Broken { .. } => PortError::Broken(text),
        }
    }
}

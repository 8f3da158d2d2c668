//! Errors of the API: a stable code, one clear sentence, and the facts.
//!
//! The codes are a promise: one is never reused for something else. `docs/api.md` lists them, and a test compares.
//! -32001 to -32011 belong to the JSON-RPC library, -32600 to -32700 to JSON-RPC itself.

use jsonrpsee::types::ErrorObjectOwned;
use serde::{Deserialize, Serialize};

use crate::ports::PortError;
use crate::swap::terms::Kind;
use crate::units::{Asset, NodeId, Scid, SwapId};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal;)*) => {
        /// The codes of [`ApiError`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $($(#[$doc])* $name = $number,)*
        }
        impl Code {
            /// Every code.
            pub const ALL: &[Code] = &[$(Code::$name),*];

            /// The number on the wire.
            #[must_use]
            pub const fn number(self) -> i32 {
                self as i32
            }

            /// The code of that number.
            #[must_use]
            pub fn of(number: i32) -> Option<Code> {
                Code::ALL.iter().copied().find(|code| code.number() == number)
            }
        }
    };
}

codes! {
    /// A parameter is missing, unknown or has a value that is not allowed.
    InvalidParams = -32602;
    /// There is no such swap.
    UnknownSwap = -32020;
    /// The node has no such channel.
    UnknownChannel = -32021;
    /// The channel takes no payments now.
    ChannelInactive = -32022;
    /// Another swap holds the channel.
    ChannelBusy = -32023;
    /// The channel cannot carry that amount.
    ChannelBalance = -32024;
    /// The wallet has too little.
    WalletBalance = -32025;
    /// The peer cannot be swapped with now.
    PeerUnusable = -32026;
    /// No new swaps in this asset now.
    AssetUnusable = -32027;
    /// The asset was left to the daemon, and none can be swapped now.
    NoAssetUsable = -32028;
    /// The idempotency key was used for another order.
    KeyReused = -32029;
    /// Ending the swap is not safe now, or means nothing any more.
    NotCancelable = -32030;
    /// A backend does not answer.
    BackendAway = -32031;
    /// A backend answered no.
    BackendRefused = -32032;
    /// The operator has switched new swaps off.
    SwapsPaused = -32033;
    /// The daemon is on its way down.
    Stopping = -32034;
    /// No transaction of ours waits for a block, or no more may be paid for it now.
    NotBumpable = -32035;
    /// Too many calls are being answered on the connection.
    TooManyCalls = -32036;
    /// Whether the wallet has sent what it was told to send is not known.
    SentUnknown = -32037;
    /// Something failed that should not; the daemon's log has more.
    Internal = -32603;
}

/// Why a call was not done. `data` of the JSON-RPC error holds `error` (the name) and the fields.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "error", rename_all = "snake_case")]
pub enum ApiError {
    /// A parameter is missing, unknown or has a value that is not allowed.
    #[error("parameter {}: {rule}{}", on_one_line(field), shown(value))]
    InvalidParams {
        /// Its name.
        field: String,
        /// What was given; None: nothing.
        value: Option<serde_json::Value>,
        /// What is allowed.
        rule: String,
    },
    /// There is no such swap.
    #[error("there is no swap {swap_id}")]
    UnknownSwap {
        /// The id given.
        swap_id: SwapId,
    },
    /// The node has no such channel.
    #[error("the node has no channel {channel}")]
    UnknownChannel {
        /// The channel given.
        channel: Scid,
    },
    /// The channel takes no payments now.
    #[error("channel {channel} is not active: the peer is away or the channel is closing")]
    ChannelInactive {
        /// The channel.
        channel: Scid,
        /// The peer.
        peer: NodeId,
    },
    /// Another swap holds the channel.
    #[error("channel {channel} is taken by swap {swap_id}; there is one at a time")]
    ChannelBusy {
        /// The channel.
        channel: Scid,
        /// The swap that holds it.
        swap_id: SwapId,
    },
    /// The channel cannot carry that amount.
    #[error("channel {channel} can {} {available_sat} sat now, a swap-{direction} of that amount needs {needed_sat} sat",
        if *direction == Kind::Out { "send" } else { "receive" })]
    ChannelBalance {
        /// The channel.
        channel: Scid,
        /// The direction of the swap.
        direction: Kind,
        /// What the swap needs.
        needed_sat: u64,
        /// What the channel can carry.
        available_sat: u64,
    },
    /// The wallet has too little.
    #[error("the {asset} wallet has {available_sat} sat to spend, {needed_sat} sat are needed")]
    WalletBalance {
        /// The wallet.
        asset: Asset,
        /// What is needed, fee included.
        needed_sat: u64,
        /// What can be spent.
        available_sat: u64,
    },
    /// The peer cannot be swapped with now.
    #[error("no swap with peer {peer} now: {reason}")]
    PeerUnusable {
        /// The peer.
        peer: NodeId,
        /// Why.
        reason: String,
    },
    /// No new swaps in this asset now.
    #[error("no new swaps in {asset} now: {reason}")]
    AssetUnusable {
        /// The asset.
        asset: Asset,
        /// Why.
        reason: String,
    },
    /// The asset was left to the daemon, and none can be swapped now.
    #[error("neither asset can be swapped now: lbtc: {lbtc}; btc: {btc}")]
    NoAssetUsable {
        /// Why not L-BTC.
        lbtc: String,
        /// Why not BTC.
        btc: String,
    },
    /// The idempotency key was used for another order.
    #[error("idempotency key {key} already made swap {swap_id}, with another {differs}")]
    KeyReused {
        /// The key.
        key: String,
        /// The swap it made.
        swap_id: SwapId,
        /// The parameter that differs.
        differs: String,
    },
    /// Ending the swap is not safe now, or means nothing any more.
    #[error("swap {swap_id} is not canceled: {reason}")]
    NotCancelable {
        /// The swap.
        swap_id: SwapId,
        /// Why.
        reason: String,
    },
    /// No transaction of ours waits for a block, or no more may be paid for it now.
    #[error("nothing of swap {swap_id} is bumped: {reason}")]
    NotBumpable {
        /// The swap.
        swap_id: SwapId,
        /// Why.
        reason: String,
    },
    /// A backend does not answer.
    #[error("{backend} does not answer: {reason}")]
    BackendAway {
        /// Which: `lightning node`, `liquid chain`, `liquid wallet`, ….
        backend: String,
        /// What was seen.
        reason: String,
    },
    /// A backend answered no.
    #[error("{backend} refused: {reason}")]
    BackendRefused {
        /// Which.
        backend: String,
        /// Its reason.
        reason: String,
    },
    /// The operator has switched new swaps off.
    #[error("new swaps are switched off; `policy_set` with accept_new_swaps true switches them on")]
    SwapsPaused {},
    /// The daemon is on its way down.
    #[error("the daemon is stopping")]
    Stopping {},
    /// Too many calls are being answered on the connection.
    #[error("{most} calls are being answered on this connection, which is the most at a time")]
    TooManyCalls {
        /// The most.
        most: usize,
    },
    /// Whether the wallet has sent what it was told to send is not known.
    #[error(
        "it is not known whether the {asset} wallet has sent it: {reason}; look at the wallet's transactions before you \
         send again"
    )]
    SentUnknown {
        /// The wallet.
        asset: Asset,
        /// What was seen.
        reason: String,
    },
    /// Something failed that should not.
    #[error("{reason}")]
    Internal {
        /// What.
        reason: String,
    },
}

/// Characters of what a caller gave that an error repeats.
const REPEATED: usize = 80;

/// A name that nobody has checked, on one line.
fn on_one_line(field: &str) -> String {
    field.escape_debug().take(REPEATED).collect()
}

fn shown(value: &Option<serde_json::Value>) -> String {
    value.as_ref().map_or_else(String::new, |value| {
        let text: String = value.to_string().chars().take(REPEATED).collect();
        format!(" (given: {text})")
    })
}

impl ApiError {
    /// Its code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            ApiError::InvalidParams { .. } => Code::InvalidParams,
            ApiError::UnknownSwap { .. } => Code::UnknownSwap,
            ApiError::UnknownChannel { .. } => Code::UnknownChannel,
            ApiError::ChannelInactive { .. } => Code::ChannelInactive,
            ApiError::ChannelBusy { .. } => Code::ChannelBusy,
            ApiError::ChannelBalance { .. } => Code::ChannelBalance,
            ApiError::WalletBalance { .. } => Code::WalletBalance,
            ApiError::PeerUnusable { .. } => Code::PeerUnusable,
            ApiError::AssetUnusable { .. } => Code::AssetUnusable,
            ApiError::NoAssetUsable { .. } => Code::NoAssetUsable,
            ApiError::KeyReused { .. } => Code::KeyReused,
            ApiError::NotCancelable { .. } => Code::NotCancelable,
            ApiError::NotBumpable { .. } => Code::NotBumpable,
            ApiError::BackendAway { .. } => Code::BackendAway,
            ApiError::BackendRefused { .. } => Code::BackendRefused,
            ApiError::SwapsPaused {} => Code::SwapsPaused,
            ApiError::Stopping {} => Code::Stopping,
            ApiError::TooManyCalls { .. } => Code::TooManyCalls,
            ApiError::SentUnknown { .. } => Code::SentUnknown,
            ApiError::Internal { .. } => Code::Internal,
        }
    }

    /// A parameter with a value that is not allowed.
    #[must_use]
    pub fn invalid(field: &str, value: impl Into<serde_json::Value>, rule: impl Into<String>) -> ApiError {
        ApiError::InvalidParams {
            field: field.into(),
            value: Some(value.into()),
            rule: rule.into(),
        }
    }

    /// What a port's error means to a caller; `backend` names it, such as `lightning node`.
    #[must_use]
    pub fn from_port(backend: &str, error: PortError) -> ApiError {
        match error {
            PortError::Unreachable(reason) => ApiError::BackendAway {
                backend: backend.into(),
                reason,
            },
            PortError::Refused(reason) => ApiError::BackendRefused {
                backend: backend.into(),
                reason,
            },
            PortError::Broken(reason) => ApiError::Internal {
                reason: format!("{backend}: {reason}"),
            },
        }
    }
}

impl From<ApiError> for ErrorObjectOwned {
    fn from(error: ApiError) -> Self {
        ErrorObjectOwned::owned(error.code().number(), error.to_string(), Some(error))
    }
}

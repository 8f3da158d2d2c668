//! Errors of the RPC, with the codes of Bitcoin Core and Elements (rpc/protocol.h).

use super::super::consensus::{Reject, RejectClass};
use super::super::wallet::WalletError;
use super::json::{Json, obj};

/// An error that a call answers with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({code})")]
pub struct RpcError {
    /// Code.
    pub code: i32,
    /// Text.
    pub message: String,
}

/// `-32600`: the request is not one.
pub const INVALID_REQUEST: i32 = -32_600;
/// `-32601`: no such method.
pub const METHOD_NOT_FOUND: i32 = -32_601;
/// `-32700`: not JSON.
pub const PARSE_ERROR: i32 = -32_700;
/// `-1`: anything; the help text when parameters are missing.
pub const MISC_ERROR: i32 = -1;
/// `-3`: a parameter has the wrong type.
pub const TYPE_ERROR: i32 = -3;
/// `-4`: a wallet's problem.
pub const WALLET_ERROR: i32 = -4;
/// `-5`: no such block, transaction, address.
pub const INVALID_ADDRESS_OR_KEY: i32 = -5;
/// `-6`: not enough coins.
pub const INSUFFICIENT_FUNDS: i32 = -6;
/// `-8`: a parameter makes no sense.
pub const INVALID_PARAMETER: i32 = -8;
/// `-18`: no such wallet.
pub const WALLET_NOT_FOUND: i32 = -18;
/// `-19`: several wallets, none named.
pub const WALLET_NOT_SPECIFIED: i32 = -19;
/// `-22`: a transaction that cannot be decoded.
pub const DESERIALIZATION_ERROR: i32 = -22;
/// `-25`: inputs missing, and other trouble with a transaction.
pub const VERIFY_ERROR: i32 = -25;
/// `-26`: refused by consensus or policy.
pub const VERIFY_REJECTED: i32 = -26;
/// `-27`: its outputs exist already.
pub const ALREADY_IN_UTXO_SET: i32 = -27;
/// `-32`: no longer so.
pub const METHOD_DEPRECATED: i32 = -32;
/// `-35`: the wallet is loaded.
pub const WALLET_ALREADY_LOADED: i32 = -35;
/// `-36`: a wallet of that name exists.
pub const WALLET_ALREADY_EXISTS: i32 = -36;

impl RpcError {
    /// An error of this code and text.
    pub fn new(code: i32, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    /// As `{"code":…,"message":…}`.
    pub fn to_json(&self) -> Json {
        obj! { "code" => self.code, "message" => self.message.as_str() }
    }
}

impl From<Reject> for RpcError {
    fn from(reject: Reject) -> Self {
        let code = match reject.class {
            RejectClass::MissingInputs => VERIFY_ERROR,
            RejectClass::Rejected => VERIFY_REJECTED,
        };
        Self::new(code, reject.to_string())
    }
}

impl From<WalletError> for RpcError {
    fn from(error: WalletError) -> Self {
        let code = match &error {
            WalletError::InsufficientFunds => INSUFFICIENT_FUNDS,
            WalletError::InvalidParameter(_) => INVALID_PARAMETER,
            WalletError::Missing => WALLET_NOT_FOUND,
            WalletError::Other(_) | WalletError::Blinding => WALLET_ERROR,
        };
        Self::new(code, error.to_string())
    }
}

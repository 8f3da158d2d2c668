//! The units that cross function boundaries, each a type of its own: no bare integer holds money, a height or an id.
//!
//! Money on a chain is [`bitcoin::Amount`] (satoshi) and [`bitcoin::SignedAmount`]; everything else is here.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bitcoin::{Amount, SignedAmount};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A compressed curve point: a node's id, a maker's or taker's swap key. Parsing refuses what is not on the curve.
pub type PubKey = bitcoin::secp256k1::PublicKey;
/// The identity of a Lightning node.
pub type NodeId = PubKey;

/// A text that is not the thing it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} `{value}`: {rule}")]
pub struct ParseUnitError {
    /// What was to be read.
    pub what: &'static str,
    /// The text that was given.
    pub value: String,
    /// What is allowed.
    pub rule: &'static str,
}

/// The asset of a swap, which names its chain as well: `lbtc` lives on Liquid, `btc` on Bitcoin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Asset {
    /// L-BTC on Liquid: confidential, final after two blocks.
    Lbtc,
    /// BTC on Bitcoin, final after three blocks.
    Btc,
}

impl fmt::Display for Asset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Asset::Lbtc => "lbtc",
            Asset::Btc => "btc",
        })
    }
}

impl FromStr for Asset {
    type Err = ParseUnitError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.to_ascii_lowercase().as_str() {
            "lbtc" => Ok(Asset::Lbtc),
            "btc" => Ok(Asset::Btc),
            _ => Err(ParseUnitError {
                what: "asset",
                value: text.into(),
                rule: "must be `lbtc` or `btc`",
            }),
        }
    }
}

/// A block height on the swap's own chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Height(pub u32);

impl Height {
    /// The height this many blocks later; saturates, which no chain reaches.
    #[must_use]
    pub fn plus(self, blocks: Blocks) -> Height {
        Height(self.0.saturating_add(blocks.0))
    }

    /// Confirmations of a transaction in the block at this height when the chain's tip is `tip`; the including
    /// block counts as one. None while the tip is below the block.
    #[must_use]
    pub fn confirmations_at(self, tip: Height) -> Option<Blocks> {
        tip.0.checked_sub(self.0).map(|depth| Blocks(depth.saturating_add(1)))
    }
}

impl fmt::Display for Height {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A number of blocks on the swap's own chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Blocks(pub u32);

impl fmt::Display for Blocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A number of Bitcoin blocks, as Lightning's HTLCs count time (BOLT 2, `cltv_expiry_delta`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CltvDelta(pub u32);

/// An amount on Lightning, in thousandths of a satoshi.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Msat(pub u64);

impl Msat {
    /// The same amount in thousandths; None where it would not fit (more than any money there is).
    #[must_use]
    pub fn from_amount(amount: Amount) -> Option<Msat> {
        amount.to_sat().checked_mul(1000).map(Msat)
    }

    /// The whole satoshi in it, rounded down.
    #[must_use]
    pub fn floor(self) -> Amount {
        Amount::from_sat(self.0 / 1000)
    }
}

impl fmt::Display for Msat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} msat", self.0)
    }
}

/// A premium rate in millionths of the amount. Positive: the initiator pays the responder.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Ppm(pub i64);

impl Ppm {
    /// The premium of `amount` at this rate, truncated toward zero as the protocol's Go implementation does
    /// (premium/premium.go:116 at 816a5bb). None if the product leaves 64 bits.
    #[must_use]
    pub fn of(self, amount: Amount) -> Option<SignedAmount> {
        let product = i128::from(self.0) * i128::from(amount.to_sat());
        i64::try_from(product / 1_000_000).ok().map(SignedAmount::from_sat)
    }
}

impl fmt::Display for Ppm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ppm", self.0)
    }
}

/// A fee rate in satoshi per 1000 virtual bytes; on Liquid, of the discounted size (ELIP-200).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FeeRate(pub u64);

impl FeeRate {
    /// The fee of `vsize` virtual bytes, rounded up: a fee rounded down is below the node's minimum.
    #[must_use]
    pub fn fee(self, vsize: u64) -> Amount {
        Amount::from_sat(self.0.saturating_mul(vsize).div_ceil(1000))
    }
}

impl fmt::Display for FeeRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} sat/kvB", self.0)
    }
}

/// Seconds since 1970, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// What the system's clock says.
    #[must_use]
    pub fn now() -> Timestamp {
        Timestamp(
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or(Duration::ZERO)
                .as_secs(),
        )
    }

    /// This many seconds later.
    #[must_use]
    pub fn plus_secs(self, secs: u64) -> Timestamp {
        Timestamp(self.0.saturating_add(secs))
    }

    /// How long from `now` until this moment; zero once it has come.
    #[must_use]
    pub fn since(self, now: Timestamp) -> Duration {
        Duration::from_secs(self.0.saturating_sub(now.0))
    }
}

/// A short channel id (BOLT 7): block, transaction and output of the funding. Prints as `BxTxO`, reads `x` and `:`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Scid(pub u64);

impl fmt::Display for Scid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}x{}", self.0 >> 40, (self.0 >> 16) & 0xff_ffff, self.0 & 0xffff)
    }
}

impl fmt::Debug for Scid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Scid {
    type Err = ParseUnitError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || ParseUnitError {
            what: "short channel id",
            value: text.chars().take(64).collect(),
            rule: "must be block x transaction x output, such as 812345x17x1 (`:` for `x` is read too)",
        };
        let part = |digits: &str, bits: u32| {
            let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
            let number = if plain { digits.parse::<u64>().ok() } else { None };
            number.filter(|n| n >> bits == 0).ok_or_else(bad)
        };
        let separator = if text.contains('x') { 'x' } else { ':' };
        let parts: Vec<&str> = text.split(separator).collect();
        let [block, transaction, output] = parts[..] else {
            return Err(bad());
        };
        Ok(Scid(
            part(block, 24)? << 40 | part(transaction, 24)? << 16 | part(output, 16)?,
        ))
    }
}

impl TryFrom<String> for Scid {
    type Error = ParseUnitError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Scid> for String {
    fn from(scid: Scid) -> String {
        scid.to_string()
    }
}

fn decode_32(what: &'static str, shown: &str, text: &str) -> Result<[u8; 32], ParseUnitError> {
    let bad = || ParseUnitError {
        what,
        value: shown.chars().take(80).collect(),
        rule: "must be 64 hex digits",
    };
    let bytes = hex::decode(text).map_err(|_| bad())?;
    bytes.try_into().map_err(|_| bad())
}

macro_rules! public_32 {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(pub [u8; 32]);

        impl $name {
            /// The first six hex digits, for logs and labels.
            #[must_use]
            pub fn short(&self) -> String {
                hex::encode(&self.0[..3])
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
        impl FromStr for $name {
            type Err = ParseUnitError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                decode_32($what, text, text).map(Self)
            }
        }
        impl TryFrom<String> for $name {
            type Error = ParseUnitError;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.to_string()
            }
        }
    };
}

macro_rules! secret_32 {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, Zeroize, ZeroizeOnDrop, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name([u8; 32]);

        impl $name {
            /// Takes the bytes as they are.
            #[must_use]
            pub fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }
            /// The bytes: for signing, hashing and the wire, never for a log.
            #[must_use]
            pub fn expose(&self) -> &[u8; 32] {
                &self.0
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
        impl FromStr for $name {
            type Err = ParseUnitError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                decode_32($what, "…", text).map(Self)
            }
        }
        impl TryFrom<String> for $name {
            type Error = ParseUnitError;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(value: $name) -> String {
                hex::encode(value.0)
            }
        }
    };
}

public_32!(
    /// The id of a swap, chosen by its initiator. Not secret; keys are never derived from it.
    SwapId, "swap id");
public_32!(
    /// SHA-256 of a preimage: what an invoice and the opening script are locked to.
    PaymentHash, "payment hash");
secret_32!(
    /// The secret that settles an invoice and opens the taker's path of the script.
    Preimage, "preimage");
secret_32!(
    /// A private key of one swap: a signing key or, on Liquid, the blinding key of an opening output.
    SwapSecret, "private key");

impl Preimage {
    /// Its SHA-256.
    #[must_use]
    pub fn hash(&self) -> PaymentHash {
        use bitcoin::hashes::{Hash, sha256};
        PaymentHash(sha256::Hash::hash(&self.0).to_byte_array())
    }
}

/// A transaction in its network encoding, of whichever chain the swap is on. Prints only its length.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RawTx(pub Vec<u8>);

impl fmt::Debug for RawTx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawTx({} bytes)", self.0.len())
    }
}

impl TryFrom<String> for RawTx {
    type Error = hex::FromHexError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        hex::decode(text).map(RawTx)
    }
}

impl From<RawTx> for String {
    fn from(tx: RawTx) -> String {
        hex::encode(tx.0)
    }
}

/// The id of a transaction; prints in the byte order of the RPCs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TxId(pub bitcoin::Txid);

impl fmt::Display for TxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for TxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An output of a transaction on either chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OutPoint {
    /// The transaction.
    pub txid: TxId,
    /// Its output's index.
    pub vout: u32,
}

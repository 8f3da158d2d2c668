//! Ids and secrets: what is public prints, what is secret does not.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::ParseUnitError;

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

impl Scid {
    /// Reads what operators have at hand: also the decimal number that lnd's tools print as `chan_id`.
    ///
    /// # Errors
    /// It is none of these forms. Block 0 holds no channel: a short number is a slip.
    pub fn from_operator(text: &str) -> Result<Scid, ParseUnitError> {
        let decimal = text.bytes().all(|b| b.is_ascii_digit());
        let number = if decimal { text.parse::<u64>().ok() } else { None };
        if let Some(number) = number.filter(|number| number >> 40 > 0) {
            return Ok(Scid(number));
        }
        text.parse().map_err(|error: ParseUnitError| ParseUnitError {
            rule: "must be block x transaction x output, such as 812345x17x1 or 812345:17:1, or the decimal number that \
                   lnd calls chan_id",
            ..error
        })
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

/// What the seed of all keys is known by: 16 bytes of its tagged hash, tag = "sluice/fingerprint". Not secret: who has
/// it learns nothing of the seed's 128 random bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeedFingerprint(pub [u8; 16]);

impl Preimage {
    /// Its SHA-256.
    #[must_use]
    pub fn hash(&self) -> PaymentHash {
        use bitcoin::hashes::{Hash, sha256};
        PaymentHash(sha256::Hash::hash(&self.0).to_byte_array())
    }
}

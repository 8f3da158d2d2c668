//! The units that cross function boundaries, each a type of its own: no bare integer holds money, a height or an id.
//!
//! Money on a chain is [`bitcoin::Amount`] (satoshi) and [`bitcoin::SignedAmount`]; everything else is here.

mod asset;
#[cfg(test)]
pub(crate) mod examples;
mod ids;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bitcoin::{Amount, SignedAmount};
use serde::{Deserialize, Serialize};

pub use asset::{Asset, AssetChoice};
pub use ids::{PaymentHash, Preimage, Scid, SeedFingerprint, SwapId, SwapSecret};

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

    /// Whole satoshi, rounded up.
    #[must_use]
    pub fn ceil(self) -> Amount {
        Amount::from_sat(self.0.div_ceil(1000))
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

    /// In satoshi per virtual byte, with three decimals: exact.
    #[must_use]
    pub fn in_sat_per_vb(self) -> String {
        format!("{}.{:03}", self.0 / 1000, self.0 % 1000)
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

/// In RFC 3339, UTC: `2026-11-21T03:15:00Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, secs) = (self.0 / 86_400, self.0 % 86_400);
        // civil from days, by eras of 400 years that begin on 1 March (Howard Hinnant, chrono-compatible date algorithms)
        let days = days + 719_468;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 {
            month_from_march + 3
        } else {
            month_from_march - 9
        };
        let year = year_of_era + era * 400 + u64::from(month <= 2);
        let (hour, minute, second) = (secs / 3600, secs / 60 % 60, secs % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

/// A transaction in its network encoding, of whichever chain the swap is on. Prints only its length.
///
/// Copies share the bytes: a swap's state, its effects and the chain's watcher all hold the same ten kilobytes.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RawTx(pub Arc<[u8]>);

impl fmt::Debug for RawTx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawTx({} bytes)", self.0.len())
    }
}

impl From<Vec<u8>> for RawTx {
    fn from(bytes: Vec<u8>) -> RawTx {
        RawTx(bytes.into())
    }
}

impl TryFrom<String> for RawTx {
    type Error = hex::FromHexError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        hex::decode(text).map(RawTx::from)
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

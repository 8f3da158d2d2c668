//! What is swapped, and what follows from the chain that it lives on.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Blocks, FeeRate, ParseUnitError};

/// The asset of a swap, which names its chain as well: `lbtc` lives on Liquid, `btc` on Bitcoin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Asset {
    /// L-BTC on Liquid: confidential, final after two blocks.
    Lbtc,
    /// BTC on Bitcoin, final after three blocks.
    Btc,
}

impl Asset {
    /// Every asset, in the order in which they are preferred.
    pub const ALL: [Asset; 2] = [Asset::Lbtc, Asset::Btc];

    /// How long its chain takes for so many blocks, on average: a minute for each on Liquid, ten on Bitcoin.
    #[must_use]
    pub fn time_of(self, blocks: Blocks) -> Duration {
        let secs = match self {
            Asset::Lbtc => 60,
            Asset::Btc => 600,
        };
        Duration::from_secs(u64::from(blocks.0) * secs)
    }

    /// The least rate that every node of its chain relays by default (`DEFAULT_MIN_RELAY_TX_FEE`, src/policy/policy.h):
    /// of Elements, and of Bitcoin Core before 29.1, 1 sat per virtual byte.
    #[must_use]
    pub const fn least_fee_rate(self) -> FeeRate {
        match self {
            Asset::Lbtc => FeeRate(100),
            Asset::Btc => FeeRate(1_000),
        }
    }
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

/// What an order says of the asset.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum AssetChoice {
    /// L-BTC if it is possible, else BTC.
    #[default]
    Auto,
    /// This one.
    One(Asset),
}

impl AssetChoice {
    /// Whether the order may be made in that asset.
    #[must_use]
    pub fn allows(self, asset: Asset) -> bool {
        match self {
            AssetChoice::Auto => true,
            AssetChoice::One(one) => one == asset,
        }
    }
}

impl From<Asset> for AssetChoice {
    fn from(asset: Asset) -> AssetChoice {
        AssetChoice::One(asset)
    }
}

impl fmt::Display for AssetChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AssetChoice::Auto => f.write_str("auto"),
            AssetChoice::One(asset) => asset.fmt(f),
        }
    }
}

impl FromStr for AssetChoice {
    type Err = ParseUnitError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.eq_ignore_ascii_case("auto") {
            return Ok(AssetChoice::Auto);
        }
        let one = text.parse().map(AssetChoice::One);
        one.map_err(|error: ParseUnitError| ParseUnitError {
            rule: "must be `auto`, `lbtc` or `btc`",
            ..error
        })
    }
}

impl TryFrom<String> for AssetChoice {
    type Error = ParseUnitError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<AssetChoice> for String {
    fn from(choice: AssetChoice) -> String {
        choice.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_blocks_take_so_long_on_each_chain() {
        assert_eq!(Asset::Lbtc.time_of(Blocks(10_080)), Duration::from_secs(7 * 86_400));
        assert_eq!(Asset::Btc.time_of(Blocks(1008)), Duration::from_secs(7 * 86_400));
    }
}

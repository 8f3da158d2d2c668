//! What a place in a block costs.

use sluice::units::{Asset, FeeRate};

/// The least that a node relays for.
pub fn floor(asset: Asset) -> FeeRate {
    match asset {
        Asset::Btc => FeeRate(1_000),
        Asset::Lbtc => FeeRate(100),
    }
}

/// What a block costs when nothing is going on.
pub fn usual_price(asset: Asset) -> FeeRate {
    FeeRate(floor(asset).0 * 2)
}

/// What a replacement pays on top.
pub fn increment(asset: Asset) -> FeeRate {
    floor(asset)
}

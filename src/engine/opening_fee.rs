//! What the opening of a swap-out costs: the maker asks for it in advance, the taker pays within a bound.

use bitcoin::Amount;

use crate::swap::fees::FeeRates;
use crate::units::{Asset, FeeRate};

/// What nodes take a place in a block for while they have no estimate, 25 sat/vB: lnd's fallback (chainreg/chainregistry.go)
/// and Go PeerSwap's on Core Lightning (6250 sat/kw in onchain/estimator.go).
const UNESTIMATED_BTC: FeeRate = FeeRate(25_000);

/// The size that an opening with one or two inputs is charged for, for estimates. Measured with one input and change:
/// 281 discounted on Liquid, 154 on Bitcoin; another input is 68.
fn size(asset: Asset) -> u64 {
    match asset {
        Asset::Lbtc => 300,
        Asset::Btc => 225,
    }
}

/// Go PeerSwap charges for these flat sizes (onchain/liquid.go:401 and bitcoin.go:45 at 816a5bb), so a bound from exact
/// sizes would refuse it.
fn go_size(asset: Asset) -> u64 {
    match asset {
        Asset::Lbtc => 750,
        Asset::Btc => 350,
    }
}

/// What a maker asks for.
pub(super) fn expected(asset: Asset, rate: FeeRate) -> Amount {
    rate.fee(size(asset))
}

/// The most that a taker pays, so that honest peers are served and dishonest ones do not get much:
///
/// * `factor` times what the opening costs at our own rate, because estimates of two nodes differ;
/// * where our node has no estimate, on Bitcoin at least what it costs at 25 sat/vB: the operator's floor, which is our
///   rate then, says nothing of what others pay, and a peer without an estimate charges so. With an estimate of our own
///   such a peer is refused: it asks for many times the price. Go PeerSwap on Liquid goes by the least rate when it has
///   no estimate, as we do;
/// * never more than at the operator's ceiling.
pub(super) fn bound(asset: Asset, rates: &FeeRates, factor: u64) -> Amount {
    let unknown = match asset {
        Asset::Btc if !rates.estimated => UNESTIMATED_BTC,
        Asset::Btc | Asset::Lbtc => FeeRate(0),
    };
    let rate = FeeRate(rates.asked.0.saturating_mul(factor)).max(unknown);
    rate.min(rates.ceiling).fee(go_size(asset))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound_sat(asset: Asset, rate: u64, estimated: bool, ceiling: u64) -> u64 {
        let rates = FeeRates {
            asked: FeeRate(rate),
            estimated,
            least: FeeRate(0),
            ceiling: FeeRate(ceiling),
        };
        bound(asset, &rates, 3).to_sat()
    }

    #[test]
    fn a_taker_with_an_estimate_pays_a_few_times_its_own_price() {
        assert_eq!(bound_sat(Asset::Btc, 2_000, true, 200_000), 3 * 2 * 350);
        assert_eq!(bound_sat(Asset::Lbtc, 100, true, 10_000), 225);
    }

    #[test]
    fn a_taker_without_an_estimate_pays_what_a_maker_without_one_charges() {
        let charged_by_go = 25 * 350;
        assert_eq!(bound_sat(Asset::Btc, 1_000, false, 200_000), charged_by_go);
        assert!(bound_sat(Asset::Btc, 1_000, true, 200_000) < charged_by_go);
        assert_eq!(bound_sat(Asset::Lbtc, 100, false, 10_000), 225, "Go charges 75");
    }

    #[test]
    fn a_taker_pays_no_more_than_at_the_operators_ceiling() {
        assert_eq!(bound_sat(Asset::Btc, 90_000, true, 100_000), 100 * 350);
        assert_eq!(bound_sat(Asset::Btc, 1_000, false, 10_000), 10 * 350);
    }
}

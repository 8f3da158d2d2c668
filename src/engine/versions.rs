//! What the versions of a transaction have in common: their sizes, and what one pays to take another's place.

use bitcoin::Amount;

use crate::swap::Swap;
use crate::swap::state::{Claim, Opened};
use crate::tx::{self, Coin};
use crate::units::Asset;

/// The size of the opening and its next child, by which fees are judged; of the first child, an upper bound.
#[must_use]
pub fn size_with_child(swap: &Swap, opened: &Opened, discounted: bool) -> u64 {
    let child = match (opened.children.last(), swap.terms.asset, discounted) {
        (Some(child), _, _) => child.cost.size(discounted),
        // one input with a signature, one output of any kind
        (None, Asset::Btc, _) => 150,
        // with the fee's output, and without or with the proofs of the confidential one
        (None, Asset::Lbtc, true) => 250,
        (None, Asset::Lbtc, false) => 1_600,
    };
    opened.opening.cost.size(discounted).saturating_add(child)
}

/// The least fee of a version that takes the place of this one ([`tx::replacement_fee`]).
///
/// # Errors
/// In words, for a record that no release of Sluice would make.
pub fn replacement_fee(swap: &Swap, replaced: &Claim) -> Result<Amount, String> {
    let coin = Coin::of(swap.terms.asset, swap.terms.policy_asset).map_err(|error| error.to_string())?;
    Ok(tx::replacement_fee(coin, &replaced.cost))
}

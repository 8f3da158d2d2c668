//! What a transaction costs.

use elements::Transaction;

/// What a transaction costs, read from the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Its fee.
    pub fee_sat: u64,
    /// Its virtual size.
    pub vsize: u64,
    /// Its discounted virtual size (ELIP-200), by which the fee is judged.
    pub discount_vsize: u64,
}

impl Cost {
    /// Reads it. Fees are outputs on Liquid.
    #[must_use]
    pub fn of(tx: &Transaction) -> Cost {
        let size = |bytes: usize| u64::try_from(bytes).expect("a transaction is shorter than 2^64 bytes");
        Cost {
            fee_sat: tx.all_fees().values().sum(),
            vsize: size(tx.vsize()),
            discount_vsize: size(tx.discount_vsize()),
        }
    }
}

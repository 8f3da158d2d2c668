//! When a transaction may enter a block: absolute (`nLockTime`) and relative (BIP 68) locks (consensus/tx_verify.cpp).

use super::super::Ledger;
use super::Coin;

/// Lock times below this are heights, from it on seconds since 1970.
const LOCKTIME_THRESHOLD: u32 = 500_000_000;
const DISABLE_FLAG: u32 = 1 << 31;
const TIME_FLAG: u32 = 1 << 22;
const MASK: u32 = 0xffff;
/// Relative times count in units of 2⁹ = 512 seconds.
const GRANULARITY: u32 = 9;

/// The block that a transaction wants to be in.
pub struct LockContext<'a> {
    /// Its height.
    pub height: u32,
    /// Median time of the eleven blocks before it, seconds since 1970 (BIP 113).
    pub median_time_past: u32,
    /// Median time past as of a block below: what relative times are measured from.
    pub median_time_at: &'a dyn Fn(u32) -> u32,
}

/// Whether `nLockTime` allows the transaction into that block.
pub fn is_final<L: Ledger>(tx: &L::Transaction, context: &LockContext<'_>) -> bool {
    let lock = L::lock_time(tx);
    let clock = if lock < LOCKTIME_THRESHOLD {
        context.height
    } else {
        context.median_time_past
    };
    lock == 0 || lock < clock || L::inputs(tx).iter().all(|input| input.sequence == u32::MAX)
}

/// Whether each input is old enough for its sequence number (BIP 68). `coins` are the spent outputs, in order.
pub fn sequence_locks_met<L: Ledger>(tx: &L::Transaction, coins: &[Coin<L>], context: &LockContext<'_>) -> bool {
    if L::version(tx) < 2 {
        return true;
    }
    L::inputs(tx).iter().zip(coins).all(|(input, coin)| {
        let sequence = input.sequence;
        let value = sequence & MASK;
        if sequence & DISABLE_FLAG != 0 {
            true
        } else if sequence & TIME_FLAG != 0 {
            let coin_time = (context.median_time_at)(coin.height.saturating_sub(1));
            u64::from(coin_time) + (u64::from(value) << GRANULARITY) <= u64::from(context.median_time_past)
        } else {
            u64::from(coin.height) + u64::from(value) <= u64::from(context.height)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bitcoin::Bitcoin;
    use bitcoin::absolute::LockTime;
    use bitcoin::transaction::Version;
    use bitcoin::{Sequence, Transaction, TxIn, TxOut};

    fn spend(sequence: u32) -> (Transaction, Coin<Bitcoin>) {
        let input = TxIn {
            sequence: Sequence(sequence),
            ..TxIn::default()
        };
        let tx = Transaction {
            version: Version::TWO,
            lock_time: LockTime::ZERO,
            input: vec![input],
            output: vec![],
        };
        (
            tx,
            Coin {
                output: TxOut::NULL,
                height: 100,
                coinbase: false,
            },
        )
    }

    fn met(tx: &Transaction, coin: &Coin<Bitcoin>, height: u32) -> bool {
        let context = LockContext {
            height,
            median_time_past: 10_000,
            median_time_at: &|height| height * 60,
        };
        sequence_locks_met::<Bitcoin>(tx, std::slice::from_ref(coin), &context)
    }

    #[test]
    fn a_relative_height_opens_exactly_when_the_next_block_is_that_many_after_the_coin() {
        let (tx, coin) = spend(10_080);
        assert!(!met(&tx, &coin, 10_179));
        assert!(met(&tx, &coin, 10_180));
    }

    #[test]
    fn version_1_and_the_disable_flag_know_no_relative_lock() {
        let (mut tx, coin) = spend(10_080 | DISABLE_FLAG);
        assert!(met(&tx, &coin, 101));
        tx.input[0].sequence = Sequence(10_080);
        tx.version = Version::ONE;
        assert!(met(&tx, &coin, 101));
    }

    #[test]
    fn a_relative_time_counts_512_seconds_from_the_median_before_the_coin() {
        // The coin's clock starts at 99 × 60 = 5,940 s; 7 × 512 = 3,584 s later is 9,524, 8 × 512 is 10,036.
        let (tx, coin) = spend(7 | TIME_FLAG);
        assert!(met(&tx, &coin, 101));
        let (tx, coin) = spend(8 | TIME_FLAG);
        assert!(!met(&tx, &coin, 101));
    }

    #[test]
    fn an_absolute_height_must_lie_below_the_block() {
        let (mut tx, _) = spend(0);
        let context = LockContext {
            height: 50,
            median_time_past: 0,
            median_time_at: &|_| 0,
        };
        tx.lock_time = LockTime::from_consensus(50);
        assert!(!is_final::<Bitcoin>(&tx, &context));
        tx.lock_time = LockTime::from_consensus(49);
        assert!(is_final::<Bitcoin>(&tx, &context));
        tx.lock_time = LockTime::from_consensus(50);
        tx.input[0].sequence = Sequence::MAX;
        assert!(is_final::<Bitcoin>(&tx, &context));
    }
}

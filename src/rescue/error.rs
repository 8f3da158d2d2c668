//! What can be wrong with a rescue, each in one sentence with both facts.

use bitcoin::Amount;

use crate::tx::TxError;
use crate::units::{Blocks, FeeRate, Height, PaymentHash, SeedFingerprint, TxId};

/// Why a rescue file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RescueError {
    /// Another file.
    #[error("it is no rescue file: its first line is not `{wanted}`")]
    NoRescueFile {
        /// How one begins.
        wanted: &'static str,
    },
    /// Of a later release.
    #[error(
        "it is a rescue file of format `{got}`, this release reads format 1: use the release that wrote it, or a later one"
    )]
    Format {
        /// Its number.
        got: String,
    },
    /// Not what was once written.
    #[error("it is damaged: {field}: {fact}; take another copy of it")]
    Damaged {
        /// What.
        field: &'static str,
        /// What is wrong with it.
        fact: String,
    },
    /// Encrypted under another seed.
    #[error("it belongs to seed {}, the words given are those of seed {}", hex::encode(.file.0), hex::encode(.given.0))]
    WrongSeed {
        /// The file's.
        file: SeedFingerprint,
        /// The one given.
        given: SeedFingerprint,
    },
    /// Authentic, and yet not what this release expects.
    #[error("its content has no usable `{field}`: it was written by another release")]
    Content {
        /// Which part.
        field: String,
    },
}

/// Why no transaction brings the coins now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoWay {
    /// We were paid: who takes the coins as well has taken both.
    #[error(
        "the peer has paid the claim invoice, your Lightning node said so of payment {hash}: the coins are the peer's"
    )]
    Paid {
        /// The payment.
        hash: PaymentHash,
    },
    /// The refund has to wait.
    #[error(
        "the refund is not possible yet: it fits into block {from}, the chain is at block {tip}; {} blocks to go",
        .left.0
    )]
    Immature {
        /// The first block that the refund fits in.
        from: Height,
        /// The tip.
        tip: Height,
        /// Blocks until a refund can be published.
        left: Blocks,
    },
    /// Nobody knows since when the timelock counts.
    #[error("the opening {opening} is in no block yet: the timelock of {} blocks begins with its block", .csv.0)]
    Unconfirmed {
        /// The opening.
        opening: TxId,
        /// The timelock.
        csv: Blocks,
    },
    /// The opening is not there.
    #[error(
        "the opening {opening} is in no block and not in the node's mempool: as far as this node knows its coins never \
         left the maker's wallet"
    )]
    NeverOpened {
        /// The opening.
        opening: TxId,
    },
    /// The opening cannot come any more.
    #[error(
        "the opening {opening} can never get into a block: its coins were spent otherwise in block {at}, and are where \
         that transaction took them"
    )]
    Voided {
        /// The opening.
        opening: TxId,
        /// The block of the other spend.
        at: Height,
    },
    /// The preimage is missing.
    #[error(
        "the claim needs the preimage of payment {hash}, which this file was written too early to know: ask your \
         Lightning node for it (`lncli trackpayment {hash}` or `lightning-cli listpays payment_hash={hash}`) and give \
         --preimage; if the node says that it never paid, the coins are not yours"
    )]
    NoPreimage {
        /// What it must hash to.
        hash: PaymentHash,
    },
    /// A preimage of another payment.
    #[error("that preimage hashes to {got}, the opening is locked to {want}")]
    WrongPreimage {
        /// The opening's.
        want: PaymentHash,
        /// The given one's.
        got: PaymentHash,
    },
    /// Not an address, or of another chain.
    #[error("{0}")]
    Address(TxError),
    /// More for the fee than a need can explain.
    #[error(
        "at {rate} the fee is {} sat, and no more than {} sat, half of what the opening holds, is paid to get it: give \
         a lower --fee-rate", .fee.to_sat(), .most.to_sat()
    )]
    TooDear {
        /// The rate.
        rate: FeeRate,
        /// What it makes of the fee.
        fee: Amount,
        /// The most.
        most: Amount,
    },
    /// The transaction cannot be made.
    #[error("the transaction cannot be made: {0}")]
    Build(TxError),
}

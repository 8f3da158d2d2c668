//! What can be wrong with a transaction, each with both facts.

use bitcoin::Amount;
use elements::AssetId;

use crate::units::{PaymentHash, PubKey, TxId};

/// Why a transaction could not be read, judged or made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TxError {
    /// L-BTC without the id that it has on its chain.
    #[error("asset lbtc needs the policy asset's id of its chain, and there is none")]
    NoPolicyAsset,
    /// A Bitcoin transaction names the outputs it spends, not their values.
    #[error("a bitcoin transaction does not tell its fee: the values of its inputs are in other transactions")]
    FeeNotTold,
    /// Not a transaction in network encoding.
    #[error("{len} bytes are not a transaction: {reason}")]
    Undecodable {
        /// How long it is.
        len: usize,
        /// What the decoder says.
        reason: String,
    },
    /// A witness script of another form.
    #[error("a witness script of {len} bytes is not an opening script")]
    NotOpeningScript {
        /// How long it is.
        len: usize,
    },
    /// The transaction is not the opening it should be.
    #[error(transparent)]
    BadOpening(#[from] BadOpening),
    /// A private key that is zero or above the curve's order.
    #[error("the {side}'s private key is not a number between zero and the curve's order")]
    InvalidKey {
        /// Whose: `maker` or `taker`.
        side: &'static str,
    },
    /// A private key that the script does not name.
    #[error("the {side}'s private key belongs to {got}, the opening script names {want}")]
    WrongKey {
        /// Whose: `maker` or `taker`.
        side: &'static str,
        /// The key in the script.
        want: Box<PubKey>,
        /// The key given.
        got: Box<PubKey>,
    },
    /// The fee leaves nothing worth having.
    #[error("the opening's {amount} less a fee of {fee} is below the least output of {dust}")]
    Dust {
        /// What the opening holds.
        amount: Amount,
        /// What the claim would cost.
        fee: Amount,
        /// The least that an output may hold.
        dust: Amount,
    },
    /// A replacement would have to pay more than it may.
    #[error("a replacement pays at least {fee}, at most {most} may be paid now")]
    AboveCeiling {
        /// What it must pay.
        fee: Amount,
        /// What it may pay.
        most: Amount,
    },
    /// The proofs of a confidential output could not be made.
    #[error("blinding the claim of an opening of {amount}: {reason}")]
    Blinding {
        /// What the opening holds.
        amount: Amount,
        /// What the library says.
        reason: String,
    },
    /// A preimage was to be put into another transaction than a taker's claim.
    #[error("transaction {txid} is not a claim that waits for its preimage")]
    NoPreimageSlot {
        /// The transaction.
        txid: TxId,
    },
    /// Not an address of the chain.
    #[error("{address} is not an address of this chain: {reason}")]
    Address {
        /// What was given.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A preimage of another payment.
    #[error("the preimage hashes to {got}, the opening script asks for {want}")]
    WrongPreimage {
        /// The hash in the script.
        want: PaymentHash,
        /// The hash of what was given.
        got: PaymentHash,
    },
}

/// Why an opening is refused. The taker must not pay for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadOpening {
    /// Nothing pays to the script.
    #[error("no output of {txid} pays to {script}")]
    NoOutput {
        /// The transaction.
        txid: TxId,
        /// The output script in hex.
        script: String,
    },
    /// More than one output pays to the script.
    #[error("{count} outputs of {txid} pay to the opening script, one may")]
    Ambiguous {
        /// The transaction.
        txid: TxId,
        /// How many.
        count: usize,
    },
    /// Another asset.
    #[error("opening output {vout} holds asset {got}, terms say {want}")]
    Asset {
        /// The output.
        vout: u32,
        /// The asset of the terms.
        want: AssetId,
        /// The asset it holds.
        got: AssetId,
    },
    /// The sender disclosed another asset than the one committed to.
    #[error("opening output {vout} commits to asset {committed}, its disclosed secrets to {disclosed}")]
    AssetCommitment {
        /// The output.
        vout: u32,
        /// The commitment in the output, in hex.
        committed: String,
        /// The commitment of the disclosed asset and blinding factor, in hex.
        disclosed: String,
    },
    /// Another amount.
    #[error("opening output {vout} holds {got}, terms say {want}")]
    Value {
        /// The output.
        vout: u32,
        /// The amount of the terms.
        want: Amount,
        /// The amount it holds.
        got: Amount,
    },
    /// The sender disclosed another value than the one committed to.
    #[error("opening output {vout} commits to value {committed}, its disclosed secrets to {disclosed}")]
    ValueCommitment {
        /// The output.
        vout: u32,
        /// The commitment in the output, in hex.
        committed: String,
        /// The commitment of the disclosed value and blinding factor, in hex.
        disclosed: String,
    },
    /// Confidential, and no usable blinding key was given.
    #[error("opening output {vout} is confidential, and the blinding key is {problem}")]
    BlindingKey {
        /// The output.
        vout: u32,
        /// `missing` or `not a private key`.
        problem: &'static str,
    },
    /// Confidential, and the blinding key does not open it.
    #[error("opening output {vout} does not open with the blinding key: {reason}")]
    Unblindable {
        /// The output.
        vout: u32,
        /// What went wrong.
        reason: String,
    },
    /// Asset and value are not both explicit or both committed.
    #[error("opening output {vout} hides only one of asset and value")]
    HalfBlinded {
        /// The output.
        vout: u32,
    },
}

//! The states of a swap. What is known only in a state lives in its variant.

use serde::{Deserialize, Serialize};

use super::event::InvoiceStatus;
pub use super::fees::TxCost;
use super::progress::Progress;
use super::terms::{Deal, Kind, Role, SwapKeys, Terms};
pub use super::voiding::{Race, Voiding};
use crate::units::{
    CltvDelta, Height, Msat, NodeId, OutPoint, PaymentHash, Preimage, RawTx, SwapId, SwapSecret, Timestamp, TxId,
};

/// One swap, as it is committed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Swap {
    /// Chosen by the initiator.
    pub id: SwapId,
    /// The Lightning node at the other end of the channel.
    pub peer: NodeId,
    /// The direction, as the initiator sees it.
    pub kind: Kind,
    /// This node's side.
    pub role: Role,
    /// What is swapped.
    pub terms: Terms,
    /// This side's keys.
    pub keys: SwapKeys,
    /// The chain's tip before the first message: the payment window counts from here.
    pub anchor: Height,
    /// When the swap was made.
    pub created_at: Timestamp,
    /// Where it stands.
    pub state: State,
}

/// Where a swap stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Our request is going out, or out: waiting for the agreement.
    Requested {
        /// The request was handed to the node. It is never handed over twice.
        sent: bool,
        /// When to give up.
        deadline: Timestamp,
    },
    /// Agreed, and we fund the opening.
    Maker(Deal, Maker),
    /// Agreed, and we pay the claim invoice.
    Taker(Deal, Taker),
    /// Nothing is at stake any more; the peer is being told.
    Canceling {
        /// Why.
        reason: String,
        /// When to stop trying to tell.
        until: Timestamp,
    },
    /// Over.
    Closed(Outcome),
}

/// The maker's states after the agreement.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Maker {
    /// Swap-out: waiting for the taker to pay the opening's fee in advance.
    AwaitingFee {
        /// The fee invoice, once the node has made it.
        fee: Option<OwnInvoice>,
    },
    /// Making the claim invoice, then the opening transaction. Nothing is published.
    Funding {
        /// The claim invoice, once made.
        invoice: Option<OwnInvoice>,
        /// When this state was entered; a Go taker gives up ten minutes after the agreement.
        since: Timestamp,
    },
    /// The opening is signed and committed: handing it to the network.
    Publishing {
        /// The signed opening.
        opening: Opening,
        /// The claim invoice.
        invoice: OwnInvoice,
        /// When funding began.
        since: Timestamp,
        /// The daemon has started since: nothing is published before the chain has shown how late it is.
        #[serde(default)]
        look_first: bool,
    },
    /// The opening may not be used any more: spending one of its inputs to ourselves, so that it never confirms.
    Voiding(Voiding),
    /// The opening is with the network.
    Opened(Opened),
    /// Taking the coins back with the taker's key.
    ClaimingCoop {
        /// As it was opened.
        opened: Opened,
        /// The taker's private swap key, from coop_close.
        taker_key: SwapSecret,
        /// The way back.
        refund: Refund,
    },
    /// Taking the coins back after the timelock.
    ClaimingCsv {
        /// As it was opened.
        opened: Opened,
        /// The way back.
        refund: Refund,
    },
}

/// An opening that its maker has handed to the network.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Opened {
    /// The signed opening.
    pub opening: Opening,
    /// The claim invoice.
    pub invoice: OwnInvoice,
    /// Whether the taker is still told of the opening.
    pub announce: bool,
    /// The claim invoice, as our node last stated it.
    pub status: InvoiceStatus,
    /// The block that holds the opening, as last seen.
    pub confirmed_at: Option<Height>,
    /// Empty, or the newest child that pushes the opening into a block: no other is kept.
    #[serde(default)]
    pub children: Vec<Claim>,
    /// How the opening fares, with its newest child, until a block holds it.
    #[serde(default)]
    pub progress: Progress,
}

/// A maker's refund under way.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Refund {
    /// When to go on although our node has not confirmed that the claim invoice can no longer be paid.
    pub until: Timestamp,
    /// The claim invoice can no longer be paid, or `until` has passed.
    pub invoice_closed: bool,
    /// Empty, or the refund as it was signed last: no other is kept. Records of earlier releases hold all versions, the
    /// newest last.
    pub claims: Vec<Claim>,
    /// How the newest of them fares.
    #[serde(default)]
    pub progress: Progress,
}

/// The taker's states after the agreement.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Taker {
    /// Swap-out: paying the opening's fee in advance.
    PayingFee {
        /// The fee invoice.
        fee: GivenInvoice,
        /// The opening's announcement, if it came before our node told that the fee is paid.
        offer: Option<Offer>,
        /// A wish to stop, acted on once the payment is certain.
        cancel: Option<Abandon>,
        /// The node has shown the payment once: from then on its absence proves nothing.
        seen: bool,
        /// From when no call that was lost can be open.
        quiet_from: Timestamp,
    },
    /// Waiting for the maker's announcement of the opening.
    AwaitingOpening,
    /// The opening was announced: waiting for its confirmations.
    AwaitingConfirmation {
        /// What was announced.
        offer: Offer,
        /// The block that holds the opening, as last seen.
        confirmed_at: Option<Height>,
    },
    /// The claim invoice is being paid, the claim prepared.
    PayingClaim {
        /// What is paid for.
        paying: Paying,
        /// The present attempt.
        attempt: Attempt,
    },
    /// No further attempt is made. The key stays here until it is certain that no payment can exist.
    AbandoningPayment {
        /// What was to be paid for.
        paying: Paying,
        /// Why.
        reason: String,
        /// Since when no new attempt was wanted.
        since: Timestamp,
        /// The opening's spend is final.
        #[serde(default)]
        spent: bool,
    },
    /// Paid. Claiming with the preimage.
    ClaimingInvoice {
        /// What was paid for.
        offer: Offer,
        /// The opening, to put it back after a reorg.
        opening: RawTx,
        /// What our payment bought.
        preimage: Preimage,
        /// The block that holds the opening, as last seen; a refund fits in from there. None in records of earlier
        /// releases, until the chain shows it.
        #[serde(default)]
        confirmed_at: Option<Height>,
        /// Empty, or the claim as it was signed last, without the preimage: no other is kept. Records of earlier releases
        /// hold all versions, the newest last.
        claims: Vec<Claim>,
        /// How the newest of them fares.
        #[serde(default)]
        progress: Progress,
        /// A reorg has taken the opening out of the chain: it is published again.
        opening_gone: bool,
    },
    /// No payment can exist: giving the maker our key so that it need not wait for the timelock.
    CoopClosing {
        /// What was announced, if anything was.
        offer: Option<Offer>,
        /// Told at least once.
        sent: bool,
        /// Why.
        reason: String,
    },
}

/// The claim payment, and all that a claim needs besides its preimage.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Paying {
    /// What is paid for.
    pub offer: Offer,
    /// The opening, verified.
    pub opening: RawTx,
    /// The block that holds it.
    pub confirmed_at: Height,
    /// The claim, signed, without the preimage.
    pub claim: Option<Claim>,
    /// When the first attempt began.
    pub first_attempt: Timestamp,
    /// The node has shown the payment once: from then on its absence proves nothing.
    pub seen: bool,
    /// From when no call that was lost can be open.
    pub quiet_from: Timestamp,
}

/// Where an attempt to pay stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attempt {
    /// The call is wanted; the number tells one attempt from the next.
    Calling(u32),
    /// The last one failed for good; the next begins then.
    Pausing {
        /// The number of the next attempt.
        next: u32,
        /// When it begins.
        until: Timestamp,
    },
}

/// Why a taker that may have paid a fee wants to stop, and who wished it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Abandon {
    /// Who.
    pub by: Party,
    /// Why.
    pub reason: String,
}

/// An invoice of our own node.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OwnInvoice {
    /// BOLT 11.
    pub bolt11: String,
    /// What it is locked to.
    pub hash: PaymentHash,
    /// When it can no longer be paid.
    pub expires_at: Timestamp,
}

/// A peer's invoice, read from its BOLT 11 text. Only well-formed ones exist; the machine judges what they say.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct GivenInvoice {
    /// BOLT 11.
    pub bolt11: String,
    /// What it is locked to.
    pub hash: PaymentHash,
    /// What it asks for; None for an invoice without an amount.
    pub amount: Option<Msat>,
    /// The node that is paid, recovered from the signature.
    pub payee: NodeId,
    /// Made for the Lightning network of this node.
    pub our_network: bool,
    /// Blocks that its payee wants between the HTLC and its expiry.
    pub final_cltv: CltvDelta,
    /// When it can no longer be paid.
    pub expires_at: Timestamp,
}

/// What opening_tx_broadcasted announced.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Offer {
    /// The claim invoice.
    pub invoice: GivenInvoice,
    /// The opening transaction. Its output is found by script: a Go maker always announces index 0 on Liquid.
    pub txid: TxId,
    /// On Liquid the key that unblinds the opening output; None on Bitcoin.
    pub blinding_key: Option<SwapSecret>,
}

/// A maker's signed opening.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Opening {
    /// The transaction.
    pub tx: RawTx,
    /// The swap's output in it.
    pub outpoint: OutPoint,
    /// The outputs it spends.
    pub inputs: Vec<OutPoint>,
    /// Its fee and sizes.
    pub cost: TxCost,
}

/// A signed spend by us: of the swap's output, of the opening's change to push it into a block, or of an input of the
/// opening to void it. A taker's lacks the preimage, which no signature depends on.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Claim {
    /// The transaction.
    pub tx: RawTx,
    /// Its id, which the witness does not change.
    pub txid: TxId,
    /// Its fee and sizes, as published.
    pub cost: TxCost,
}

/// Who ended a swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Party {
    /// This node or its operator.
    Us,
    /// The peer.
    Peer,
}

/// How a swap ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Maker: the claim invoice was paid, and the opening's spend is final.
    ClaimPaid {
        /// Who has the opening's coins: the taker, or we (a taker that paid and never claimed).
        coins: Party,
    },
    /// Taker: we paid, and our claim is final.
    ClaimedByInvoice,
    /// Maker: not paid, and the coins are back by the taker's key.
    ClaimedByCoop,
    /// Maker: not paid, and the coins are back by the timelock.
    ClaimedByCsv,
    /// Taker: not paid, and the maker has our key, or needs it no more.
    CoopClosed {
        /// Why.
        reason: String,
    },
    /// Nothing was opened.
    Canceled {
        /// Who ended it.
        by: Party,
        /// Why.
        reason: String,
    },
    /// Maker: an input of the opening has vanished from the chain, and the operator did not want to wait for it any
    /// longer. Should it ever come back and the opening confirm, the rescue file, which is kept, takes its coins.
    GivenUp {
        /// What was seen.
        reason: String,
    },
    /// Coins are gone against the rules. Must never happen; the operator is alarmed.
    Lost {
        /// What was seen.
        reason: String,
    },
}

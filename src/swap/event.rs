//! What can be observed. Observations are not edges: to miss one is harmless, a second one is a no-op.

use serde::{Deserialize, Serialize};

use super::fees::Wish;
use super::state::{Claim, GivenInvoice, Offer, Opening, OwnInvoice};
use super::terms::Deal;
use crate::units::{Height, Preimage, PubKey, RawTx, SwapSecret, Timestamp};

/// When an event is judged: the clock, and the chain's tip as far as it is known since this process started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Now {
    /// The clock.
    pub time: Timestamp,
    /// The tip of the swap's chain; None until the chain has answered. Not knowing never starts a payment.
    pub tip: Option<Height>,
}

/// One observation.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The daemon started with this swap in its store; comes before anything else acts on the swap.
    Started,
    /// The peer said something.
    Peer(PeerMessage),
    /// What the chain shows of this swap: at every new tip and after every start.
    Chain(ChainView),
    /// The state of one of our own invoices.
    Invoice(InvoiceKind, InvoiceStatus),
    /// The state of a payment of ours.
    Payment(InvoiceKind, PaymentStatus),
    /// A call that pays ended without an answer: whether it takes effect, and when, is not known.
    CallLost(InvoiceKind),
    /// Something was made; it has not left this machine.
    Made(Made),
    /// The node took a message for the peer.
    Sent(MessageKind),
    /// A transaction is in our chain node's mempool or chain.
    Accepted(TxKind),
    /// An effect was refused for good.
    Refused(EffectKind, String),
    /// Time has passed; a deadline may have come.
    Tick,
    /// The operator wants out.
    Abort(String),
    /// The operator wants another version of what waits for a block, now.
    Bump(Wish),
}

/// What a peer said, decoded. Content is checked for form only; the machine judges it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PeerMessage {
    /// swap_in_agreement.
    InAgreement {
        /// The version that the agreement names.
        version: u8,
        /// Premium and key.
        deal: Deal,
    },
    /// swap_out_agreement.
    OutAgreement {
        /// The version that the agreement names.
        version: u8,
        /// Premium and key.
        deal: Deal,
        /// The fee invoice.
        fee: GivenInvoice,
    },
    /// opening_tx_broadcasted.
    Opening(Offer),
    /// cancel.
    Cancel(String),
    /// coop_close.
    CoopClose {
        /// Why.
        reason: String,
        /// The key given.
        key: SwapSecret,
        /// Its public half.
        key_of: PubKey,
    },
    /// A message for this swap whose content breaks the protocol.
    Malformed {
        /// Which message.
        message: MessageKind,
        /// What is wrong with it.
        reason: String,
    },
}

/// The messages of a swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    /// swap_in_request or swap_out_request.
    Request,
    /// swap_in_agreement or swap_out_agreement.
    Agreement,
    /// opening_tx_broadcasted.
    Opening,
    /// cancel.
    Cancel,
    /// coop_close.
    CoopClose,
}

/// What the chain shows of a swap, at one tip.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ChainView {
    /// The tip it was seen from.
    pub tip: Height,
    /// The opening.
    pub opening: OpeningView,
    /// The opening output's spend, in a block.
    pub spend: Option<Spend>,
    /// Maker: an input of the opening is spent by another transaction, in the block at this height.
    pub conflict: Option<Height>,
    /// Maker that voids its opening: no input of it is in the chain to be spent or in the mempool, and what spends them can
    /// be in neither.
    #[serde(default)]
    pub gone: bool,
}

/// The opening, as the chain shows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpeningView {
    /// In no block, and not known from the mempool.
    Unseen,
    /// In the mempool.
    Mempool,
    /// In a block of the best chain.
    Confirmed {
        /// That block.
        at: Height,
        /// Whether it is what the swap's terms ask for.
        verdict: Verdict,
    },
}

/// A verified opening.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Right script, asset and value.
    Good(RawTx),
    /// What is wrong.
    Bad(String),
}

/// A confirmed spend of the opening output.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Spend {
    /// The block that holds it.
    pub at: Height,
    /// By which path of the script.
    pub path: SpendPath,
    /// It pays our own payout script, so it is a version of our own claim.
    pub ours: bool,
}

/// The three ways to spend an opening.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpendPath {
    /// By the preimage and the taker's key.
    Preimage,
    /// By both keys.
    Coop,
    /// By the maker's key after the timelock.
    Csv,
}

/// The two invoices of a swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InvoiceKind {
    /// Pays the opening's fee in advance (swap-out).
    Fee,
    /// Pays for the opening.
    Claim,
}

/// The state of an invoice of our own node.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InvoiceStatus {
    /// It can be paid.
    #[default]
    Open,
    /// It is paid.
    Paid,
    /// It can no longer be paid: expired, cancelled, or never made.
    Closed,
}

impl InvoiceStatus {
    /// What is known once the node has said that: paid is for ever, what is closed does not open again.
    #[must_use]
    pub fn then(self, said: InvoiceStatus) -> InvoiceStatus {
        match (self, said) {
            (InvoiceStatus::Paid, _) | (_, InvoiceStatus::Paid) => InvoiceStatus::Paid,
            (InvoiceStatus::Closed, _) | (_, InvoiceStatus::Closed) => InvoiceStatus::Closed,
            (InvoiceStatus::Open, InvoiceStatus::Open) => InvoiceStatus::Open,
        }
    }
}

/// The state of a payment, as our node states it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentStatus {
    /// The node knows of none. Proof of nothing by itself: a call may still sit in a socket.
    Absent,
    /// An HTLC may be out.
    InFlight,
    /// Settled.
    Paid(Preimage),
    /// Failed for good; no HTLC is out.
    Failed(Failure),
}

/// Why a payment failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// The peer or the channel could not carry it just now; another attempt may succeed.
    Temporary,
    /// Not enough balance in the channel.
    NoBalance,
    /// The payee does not know the payment, or not with these details.
    WrongDetails,
}

/// Things that effects make.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Made {
    /// An invoice.
    Invoice(InvoiceKind, OwnInvoice),
    /// A signed opening, its inputs locked in the wallet.
    Opening(Opening),
    /// A signed spend of the opening to our payout.
    Claim(Claim),
    /// A signed spend of one of the opening's inputs to ourselves.
    Void(Claim),
    /// A signed child of the opening that pays for both.
    Push(Claim),
}

/// Transactions that we publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TxKind {
    /// The opening.
    Opening,
    /// A spend of the opening by us.
    Claim,
    /// A spend of one of the opening's inputs to ourselves.
    Void,
    /// A spend of the opening's change to ourselves, which pays for both.
    Push,
}

/// Effects that can be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EffectKind {
    /// To send a message.
    Send,
    /// To make an invoice.
    MakeInvoice,
    /// To make the opening.
    MakeOpening,
    /// To make a spend of the opening.
    MakeClaim,
    /// To make a spend of an input of the opening.
    MakeVoid,
    /// To make a child of the opening.
    MakePush,
    /// To publish.
    Broadcast(TxKind),
    /// To pay.
    Pay(InvoiceKind),
}

//! What the world should be made to do while a swap is in a state. Plain data: the engine performs it.

use super::event::{InvoiceKind, SpendPath, TxKind};
use super::fees::Wish;
use super::state::{GivenInvoice, OwnInvoice};
use crate::units::{CltvDelta, Height, Msat, PaymentHash, Preimage, RawTx, Timestamp};

/// One thing to be done, or kept going, while the committed state wants it. Equal effects are the same work.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Hand a message to the peer; with `repeat` again and again, since nothing acknowledges.
    Send {
        /// The message; the engine fills in what only it may hold (keys).
        message: Outgoing,
        /// Keep sending.
        repeat: bool,
    },
    /// Have our node make an invoice, locked to this swap's hash of that kind.
    MakeInvoice {
        /// Which.
        kind: InvoiceKind,
        /// What it asks for.
        amount: Msat,
        /// Its lifetime.
        expiry_secs: u64,
        /// Its final CLTV delta; None: the node's default.
        final_cltv: Option<CltvDelta>,
    },
    /// Fund, blind, sign and lock the opening that pays for the claim invoice of this hash. Not published.
    MakeOpening(PaymentHash),
    /// Build and sign a spend of the opening by that path to our payout, in place of the newest one if there is one,
    /// perhaps as the operator wishes. Not published.
    MakeClaim(SpendPath, Option<Wish>),
    /// Build and sign a child of the opening that pays for both, in place of the newest one if there is one, perhaps as
    /// the operator wishes. Not published.
    MakePush(Option<Wish>),
    /// Build and sign a spend of the opening's inputs, or of some of them, to ourselves, in place of the newest one if
    /// there is one, perhaps as the operator wishes. Not published.
    MakeVoid(Option<Wish>),
    /// Hand a transaction to the network until it is no longer wanted: again at every block while it is refused, and
    /// whenever the node, that took it, may have lost it.
    Broadcast {
        /// Which.
        kind: TxKind,
        /// The transaction.
        tx: RawTx,
        /// A taker's claim lacks its preimage, which is put in here.
        preimage: Option<Preimage>,
    },
    /// Pay an invoice over the swap's channel, in one part. Looks first whether it is already paid or under way.
    /// Joined, never dropped, once begun.
    Pay(Payee),
    /// Report what our node says of a payment until it is certain.
    WatchPayment(InvoiceKind, PaymentHash),
    /// Report what our node says of an invoice of its own.
    WatchInvoice(InvoiceKind, PaymentHash),
    /// Report what the chain shows at every tip.
    WatchChain,
    /// Make an invoice of ours unpayable.
    CancelInvoice(PaymentHash),
    /// A tick then.
    WakeAt(Timestamp),
}

/// A payment to be made.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Payee {
    /// Which invoice of the swap.
    pub kind: InvoiceKind,
    /// The invoice.
    pub invoice: GivenInvoice,
    /// Which attempt; a later one is other work.
    pub attempt: u32,
    /// The HTLC's expiry must be less than this many Bitcoin blocks away; None: no limit but the node's.
    pub max_cltv: Option<CltvDelta>,
    /// The first tip at which it must not begin any more.
    pub before: Height,
}

/// A message to the peer. What it says follows from the swap; only what the state adds is here.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Outgoing {
    /// swap_in_request or swap_out_request.
    Request,
    /// swap_in_agreement or, with the fee invoice, swap_out_agreement.
    Agreement(Option<OwnInvoice>),
    /// opening_tx_broadcasted.
    Opening,
    /// cancel.
    Cancel(String),
    /// coop_close, which gives our swap key away.
    CoopClose(String),
}

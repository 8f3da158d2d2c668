//! What reaches the machine, in few bytes.

use sluice::swap::Outgoing;
use sluice::swap::event::{
    EffectKind, Event, Failure, InvoiceKind, InvoiceStatus, MessageKind, PaymentStatus, PeerMessage, SpendPath, TxKind,
};
use sluice::swap::state::{Offer, Swap};
use sluice::swap::terms::{Deal, Kind};
use sluice::units::Msat;

use crate::chain::Chain;
use crate::fixtures::*;

/// An event in few bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Seen {
    Started,
    Tick,
    Agreed,
    /// For a satoshi more than may be asked for: as a fee where there is one, otherwise as a premium.
    AgreedDear,
    /// To a swap in the other direction.
    AgreedToOther,
    Announced,
    /// With a claim invoice that asks for more than was agreed.
    AnnouncedDear,
    /// A message of that kind that cannot be read.
    Malformed(MessageKind),
    Cancel,
    Key,
    WrongKey,
    Abort,
    Bump,
    Chain(Chain),
    Payment(InvoiceKind, Paid),
    CallLost(InvoiceKind),
    MadeInvoice(InvoiceKind),
    MadeOpening,
    MadeClaim,
    MadeVoid,
    MadePush,
    Invoice(InvoiceKind, InvoiceStatus),
    Sent(MessageKind),
    Accepted(TxKind),
    Refused(EffectKind),
}

/// All that a peer may say of a swap, at any time.
pub const SAID: [(&str, Seen); 12] = [
    ("the peer agrees", Seen::Agreed),
    ("the peer agrees, and asks for too much", Seen::AgreedDear),
    ("the peer agrees to a swap in the other direction", Seen::AgreedToOther),
    ("the peer announces an opening", Seen::Announced),
    ("the peer announces, and asks for too much", Seen::AnnouncedDear),
    ("the peer cancels", Seen::Cancel),
    ("the peer gives its key", Seen::Key),
    ("the peer gives a wrong key", Seen::WrongKey),
    (
        "an agreement that nobody can read",
        Seen::Malformed(MessageKind::Agreement),
    ),
    (
        "an announcement that nobody can read",
        Seen::Malformed(MessageKind::Opening),
    ),
    ("a cancel that nobody can read", Seen::Malformed(MessageKind::Cancel)),
    ("a key that nobody can read", Seen::Malformed(MessageKind::CoopClose)),
];

/// What the node knows of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Paid {
    No,
    InFlight,
    Yes,
    Failed(Failure),
}

/// The path of a spend, in a byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum By {
    Preimage,
    Coop,
    Csv,
}

impl By {
    pub fn path(self) -> SpendPath {
        match self {
            By::Preimage => SpendPath::Preimage,
            By::Coop => SpendPath::Coop,
            By::Csv => SpendPath::Csv,
        }
    }
}

/// An announcement that asks for a satoshi too much.
fn dear(swap: &Swap) -> Offer {
    let mut offer = offer(swap.kind, swap.terms.asset);
    offer.invoice.amount = Some(Msat(due(swap.kind).0 + 1000));
    offer
}

/// A wish for a satoshi too much.
fn agreed_dear(kind: Kind) -> Event {
    match kind {
        Kind::In => {
            let premium = PREMIUM + bitcoin::SignedAmount::ONE_SAT;
            agreement_of(kind, 7, Deal { premium, ..deal() })
        }
        Kind::Out => {
            let mut fee = fee_invoice();
            fee.amount = Some(Msat((FEE_BOUND.to_sat() + 1) * 1000));
            let (version, deal) = (7, deal());
            Event::Peer(PeerMessage::OutAgreement { version, deal, fee })
        }
    }
}

pub fn event(swap: &Swap, seen: Seen) -> Event {
    match seen {
        Seen::Started => Event::Started,
        Seen::Tick => Event::Tick,
        Seen::Agreed => agreement(swap.kind),
        Seen::AgreedDear => agreed_dear(swap.kind),
        Seen::AgreedToOther => agreement(match swap.kind {
            Kind::In => Kind::Out,
            Kind::Out => Kind::In,
        }),
        Seen::Announced => announced(swap.kind, swap.terms.asset),
        Seen::AnnouncedDear => Event::Peer(PeerMessage::Opening(dear(swap))),
        Seen::Malformed(kind) => malformed(kind),
        Seen::Cancel => cancel(),
        Seen::Key => coop_close(),
        Seen::WrongKey => coop_close_with(other_key()),
        Seen::Abort => abort(),
        Seen::Bump => bump(None),
        Seen::Chain(chain) => Event::Chain(chain.view()),
        Seen::Payment(kind, paid) => Event::Payment(
            kind,
            match paid {
                Paid::No => PaymentStatus::Absent,
                Paid::InFlight => PaymentStatus::InFlight,
                Paid::Yes => PaymentStatus::Paid(preimage(kind)),
                Paid::Failed(failure) => PaymentStatus::Failed(failure),
            },
        ),
        Seen::CallLost(kind) => Event::CallLost(kind),
        Seen::MadeInvoice(kind) => made_invoice(kind),
        Seen::MadeOpening => made_opening(),
        Seen::MadeClaim => made_claim(1),
        Seen::MadeVoid => made_void(),
        Seen::MadePush => made_push(1),
        Seen::Invoice(kind, status) => Event::Invoice(kind, status),
        Seen::Sent(kind) => Event::Sent(kind),
        Seen::Accepted(kind) => Event::Accepted(kind),
        Seen::Refused(kind) => Event::Refused(kind, String::new()),
    }
}

pub fn message_kind(message: &Outgoing) -> MessageKind {
    match message {
        Outgoing::Request => MessageKind::Request,
        Outgoing::Agreement(_) => MessageKind::Agreement,
        Outgoing::Opening => MessageKind::Opening,
        Outgoing::Cancel(_) => MessageKind::Cancel,
        Outgoing::CoopClose(_) => MessageKind::CoopClose,
    }
}

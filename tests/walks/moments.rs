//! What may happen to a swap, at random: times, tips and events, likely ones more often.

use bitcoin::SignedAmount;
use proptest::prelude::*;
use proptest::sample::select;
use sluice::swap::Now;
use sluice::swap::event::{
    ChainView, EffectKind, Event, Failure, InvoiceKind, InvoiceStatus, Made, MessageKind, OpeningView, PaymentStatus,
    PeerMessage, Spend, SpendPath, TxKind,
};
use sluice::swap::state::{GivenInvoice, Offer};
use sluice::swap::terms::{Deal, Kind};
use sluice::units::{Asset, CltvDelta, Height, Msat, Preimage, Timestamp};

use crate::fixtures::*;

/// A clock, a tip and what is observed then.
pub type Moment = (Now, Event);

fn invoice_kind() -> impl Strategy<Value = InvoiceKind> {
    select(vec![InvoiceKind::Fee, InvoiceKind::Claim])
}

fn words() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), Just("no".to_owned()), ".{0,20}"]
}

/// Heights at the borders of the timelocks, and any other.
pub fn height() -> impl Strategy<Value = Height> {
    let borders = vec![
        0, 99, 100, 101, 102, 103, 152, 153, 159, 160, 454, 455, 603, 604, 1107, 1108, 10_179, 10_180,
    ];
    prop_oneof![8 => select(borders), 4 => 95u32..250, 2 => 0u32..12_000, 1 => any::<u32>()].prop_map(Height)
}

fn time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![6 => 0u64..700, 3 => 0u64..8000, 1 => 0u64..10_000_000]
        .prop_map(|secs| START.plus_secs(secs))
        .boxed()
}

fn given(kind: InvoiceKind) -> impl Strategy<Value = GivenInvoice> {
    let right = match kind {
        InvoiceKind::Fee => fee_invoice(),
        InvoiceKind::Claim => claim_invoice(Kind::Out, Asset::Lbtc),
    };
    let amount = prop_oneof![4 => Just(right.amount), 4 => Just(Some(due(Kind::In))), 1 => any::<Option<u64>>().prop_map(|a| a.map(Msat))];
    let payee = prop_oneof![9 => Just(peer_node()), 1 => Just(our_node())];
    let cltv = prop_oneof![9 => Just(right.final_cltv), 1 => any::<u32>().prop_map(CltvDelta)];
    let expires = prop_oneof![4 => Just(right.expires_at), 1 => time()];
    (amount, payee, cltv, expires, prop::bool::weighted(0.95)).prop_map(
        move |(amount, payee, final_cltv, expires_at, our_network)| GivenInvoice {
            amount,
            payee,
            final_cltv,
            expires_at,
            our_network,
            ..right.clone()
        },
    )
}

fn offers() -> impl Strategy<Value = Offer> {
    (given(InvoiceKind::Claim), prop::bool::weighted(0.8)).prop_map(|(invoice, confidential)| Offer {
        invoice,
        txid: txid(1),
        blinding_key: confidential.then(peer_secret),
    })
}

fn deals() -> impl Strategy<Value = Deal> {
    let premium = prop_oneof![4 => Just(PREMIUM.to_sat()), 2 => -5000i64..5000, 1 => any::<i64>()];
    (premium, select(vec![peer_key(), peer_key(), peer_key(), our_key()])).prop_map(|(premium, peer_key)| Deal {
        premium: SignedAmount::from_sat(premium),
        peer_key,
    })
}

fn message_kind() -> impl Strategy<Value = MessageKind> {
    select(vec![
        MessageKind::Request,
        MessageKind::Agreement,
        MessageKind::Opening,
        MessageKind::Cancel,
        MessageKind::CoopClose,
    ])
}

fn messages() -> impl Strategy<Value = PeerMessage> {
    let version = || prop_oneof![9 => Just(7u8), 1 => any::<u8>()];
    prop_oneof![
        3 => (version(), deals()).prop_map(|(version, deal)| PeerMessage::InAgreement { version, deal }),
        3 => (version(), deals(), given(InvoiceKind::Fee))
            .prop_map(|(version, deal, fee)| PeerMessage::OutAgreement { version, deal, fee }),
        4 => offers().prop_map(PeerMessage::Opening),
        1 => words().prop_map(PeerMessage::Cancel),
        2 => (words(), select(vec![peer_key(), other_key()]))
            .prop_map(|(reason, key_of)| PeerMessage::CoopClose { reason, key: peer_secret(), key_of }),
        1 => (message_kind(), words()).prop_map(|(message, reason)| PeerMessage::Malformed { message, reason }),
    ]
}

fn paths() -> impl Strategy<Value = SpendPath> {
    select(vec![SpendPath::Preimage, SpendPath::Coop, SpendPath::Csv])
}

fn views() -> impl Strategy<Value = ChainView> {
    let opening = prop_oneof![
        2 => Just(OpeningView::Unseen),
        1 => Just(OpeningView::Mempool),
        6 => height().prop_map(|at| confirmed(at.0)),
        1 => height().prop_map(|at| confirmed_bad(at.0)),
    ];
    let spend = (height(), paths(), any::<bool>()).prop_map(|(at, path, ours)| Spend { at, path, ours });
    (
        height(),
        opening,
        prop::option::weighted(0.1, spend),
        prop::option::weighted(0.05, height()),
        prop::bool::weighted(0.2),
    )
        .prop_map(|(tip, opening, spend, conflict, gone)| ChainView {
            tip,
            opening,
            spend,
            conflict,
            gone,
        })
}

fn statuses() -> impl Strategy<Value = PaymentStatus> {
    let failure = select(vec![Failure::Temporary, Failure::NoBalance, Failure::WrongDetails]);
    prop_oneof![
        1 => Just(PaymentStatus::Absent),
        2 => Just(PaymentStatus::InFlight),
        2 => invoice_kind().prop_map(|kind| PaymentStatus::Paid(preimage(kind))),
        1 => any::<[u8; 32]>().prop_map(|bytes| PaymentStatus::Paid(Preimage::from_bytes(bytes))),
        2 => failure.prop_map(PaymentStatus::Failed),
    ]
}

fn transactions() -> impl Strategy<Value = TxKind> {
    select(vec![TxKind::Opening, TxKind::Claim, TxKind::Void, TxKind::Push])
}

fn effects() -> impl Strategy<Value = EffectKind> {
    prop_oneof![
        Just(EffectKind::Send),
        Just(EffectKind::MakeInvoice),
        Just(EffectKind::MakeOpening),
        Just(EffectKind::MakeClaim),
        Just(EffectKind::MakeVoid),
        Just(EffectKind::MakePush),
        transactions().prop_map(EffectKind::Broadcast),
        invoice_kind().prop_map(EffectKind::Pay),
    ]
}

fn made() -> impl Strategy<Value = Made> {
    prop_oneof![
        invoice_kind().prop_map(|kind| Made::Invoice(kind, own_invoice(kind))),
        Just(Made::Opening(opening())),
        (0u8..9).prop_map(|n| Made::Claim(claim(n))),
        Just(Made::Void(void(1))),
        (0u8..9).prop_map(|n| Made::Push(claim(n))),
    ]
}

pub fn events() -> impl Strategy<Value = Event> {
    let invoice_status = select(vec![InvoiceStatus::Open, InvoiceStatus::Paid, InvoiceStatus::Closed]);
    prop_oneof![
        1 => Just(Event::Started),
        6 => messages().prop_map(Event::Peer),
        6 => views().prop_map(Event::Chain),
        2 => (invoice_kind(), invoice_status).prop_map(|(kind, status)| Event::Invoice(kind, status)),
        5 => (invoice_kind(), statuses()).prop_map(|(kind, status)| Event::Payment(kind, status)),
        1 => invoice_kind().prop_map(Event::CallLost),
        5 => made().prop_map(Event::Made),
        1 => message_kind().prop_map(Event::Sent),
        2 => transactions().prop_map(Event::Accepted),
        1 => (effects(), words()).prop_map(|(effect, reason)| Event::Refused(effect, reason)),
        1 => Just(Event::Tick),
        1 => words().prop_map(Event::Abort),
        1 => prop::option::of(0u64..10_000).prop_map(bump),
    ]
}

pub fn moments() -> impl Strategy<Value = Vec<Moment>> {
    let moment = (time(), prop::option::weighted(0.9, height()), events());
    prop::collection::vec(moment.prop_map(|(time, tip, event)| (Now { time, tip }, event)), 1..40)
}

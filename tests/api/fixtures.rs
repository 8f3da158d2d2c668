//! Swaps in every state.

use std::str::FromStr;

use bitcoin::hashes::Hash;
use bitcoin::secp256k1::{PublicKey, Secp256k1, SecretKey};
use bitcoin::{Amount, BlockHash, ScriptBuf, SignedAmount, Txid};
use sluice::swap::event::InvoiceStatus;
use sluice::swap::progress::Progress;
use sluice::swap::state::{
    Abandon, Attempt, Claim, GivenInvoice, Offer, Opened, Opening, OwnInvoice, Party, Paying, Refund, TxCost,
};
use sluice::swap::terms::{Deal, FeePolicy, KeyPath, Payout, SwapKeys};
use sluice::swap::{Kind, Maker, Outcome, Role, State, Swap, Taker, Terms};
use sluice::units::{
    Asset, CltvDelta, Height, Msat, OutPoint, PaymentHash, Preimage, RawTx, Scid, SwapId, SwapSecret, Timestamp, TxId,
};

/// When the swaps of these tests were made: 2026-11-21T03:00:00Z.
pub const MADE: Timestamp = Timestamp(1_795_230_000);
/// The tip at that moment.
pub const ANCHOR: Height = Height(500);

pub fn point(secret: u8) -> PublicKey {
    PublicKey::from_secret_key(&Secp256k1::new(), &SecretKey::from_slice(&[secret; 32]).unwrap())
}

pub fn channel() -> Scid {
    Scid::from_str("812345x17x1").unwrap()
}

/// A swap in that state. The number makes its id.
pub fn swap(number: u8, kind: Kind, role: Role, state: State) -> Swap {
    Swap {
        id: SwapId([number; 32]),
        peer: point(2),
        kind,
        role,
        terms: Terms {
            version: 7,
            asset: Asset::Lbtc,
            genesis: BlockHash::all_zeros(),
            policy_asset: Some(elements::AssetId::LIQUID_BTC),
            node: point(1),
            scid: channel(),
            amount: Amount::from_sat(1_000_000),
            premium_limit: SignedAmount::from_sat(2_000),
            payout: Payout {
                address: "el1example".into(),
                script: ScriptBuf::new(),
                blinding_key: Some(point(3)),
            },
            fees: FeePolicy {
                fee_invoice: Amount::from_sat(225),
            },
        },
        keys: SwapKeys {
            path: KeyPath([1, 2, 3, 4, 5]),
            swap_key: point(4),
            blinding_key: Some(point(5)),
            claim_hash: Some(PaymentHash([7; 32])),
            fee_hash: Some(PaymentHash([8; 32])),
        },
        anchor: ANCHOR,
        created_at: MADE,
        state,
    }
}

pub fn deal() -> Deal {
    Deal {
        premium: SignedAmount::from_sat(1_500),
        peer_key: point(6),
    }
}

fn txid(byte: u8) -> TxId {
    TxId(Txid::from_byte_array([byte; 32]))
}

fn later(secs: u64) -> Timestamp {
    MADE.plus_secs(secs)
}

fn cost() -> TxCost {
    TxCost {
        fee: Amount::from_sat(23),
        vsize: 1347,
        discount_vsize: 230,
    }
}

pub fn own_invoice() -> OwnInvoice {
    OwnInvoice {
        bolt11: "lnbcrt10m1pown".into(),
        hash: PaymentHash([7; 32]),
        expires_at: later(600),
    }
}

fn given_invoice(amount_sat: u64) -> GivenInvoice {
    GivenInvoice {
        bolt11: "lnbcrt10m1pgiven".into(),
        hash: PaymentHash([7; 32]),
        amount: Some(Msat(amount_sat * 1000)),
        payee: point(2),
        our_network: true,
        final_cltv: CltvDelta(29),
        expires_at: later(600),
    }
}

pub fn offer() -> Offer {
    Offer {
        invoice: given_invoice(1_001_500),
        txid: txid(9),
        blinding_key: Some(SwapSecret::from_bytes([1; 32])),
    }
}

pub fn opening() -> Opening {
    Opening {
        tx: RawTx::from(vec![0]),
        outpoint: OutPoint { txid: txid(9), vout: 1 },
        inputs: Vec::new(),
        cost: TxCost {
            fee: Amount::from_sat(29),
            vsize: 2515,
            discount_vsize: 281,
        },
    }
}

pub fn claim() -> Claim {
    Claim {
        tx: RawTx::from(vec![0]),
        txid: txid(10),
        cost: cost(),
    }
}

pub fn opened(status: InvoiceStatus, confirmed_at: Option<u32>) -> Opened {
    Opened {
        opening: opening(),
        invoice: own_invoice(),
        announce: status == InvoiceStatus::Open,
        status,
        confirmed_at: confirmed_at.map(Height),
        children: Vec::new(),
        progress: Progress::Fresh,
    }
}

fn refund(invoice_closed: bool, claims: Vec<Claim>) -> Refund {
    Refund {
        until: later(600),
        invoice_closed,
        claims,
        progress: Progress::Fresh,
    }
}

pub fn paying() -> Paying {
    Paying {
        offer: offer(),
        opening: RawTx::from(vec![0]),
        confirmed_at: Height(501),
        claim: None,
        first_attempt: MADE,
        seen: false,
        quiet_from: MADE,
    }
}

pub fn claiming(claims: Vec<Claim>, opening_gone: bool) -> Taker {
    Taker::ClaimingInvoice {
        offer: offer(),
        opening: RawTx::from(vec![0]),
        preimage: Preimage::from_bytes([3; 32]),
        confirmed_at: Some(Height(501)),
        claims,
        progress: Progress::Fresh,
        opening_gone,
    }
}

pub fn reason() -> String {
    "the operator wants out".into()
}

/// Every state that reads differently, with its name; the machine's own names lead.
pub fn every_state() -> Vec<(&'static str, Swap)> {
    let mut all = Vec::new();
    let deadline = later(120);
    for (name, sent) in [("Requested, not sent", false), ("Requested, sent", true)] {
        let state = State::Requested { sent, deadline };
        all.push((name, swap(1, Kind::Out, Role::Taker, state)));
    }
    let until = later(600);
    let canceling = State::Canceling {
        reason: reason(),
        until,
    };
    all.push(("Canceling", swap(1, Kind::Out, Role::Taker, canceling)));
    for (name, taker) in takers() {
        let kind = if name.ends_with("(swap-in)") {
            Kind::In
        } else {
            Kind::Out
        };
        all.push((name, swap(1, kind, Role::Taker, State::Taker(deal(), taker))));
    }
    for (name, maker) in makers().into_iter().chain(crate::voids::forms()) {
        let kind = if name.starts_with("AwaitingFee") {
            Kind::Out
        } else {
            Kind::In
        };
        all.push((name, swap(1, kind, Role::Maker, State::Maker(deal(), maker))));
    }
    for (name, role, outcome) in outcomes() {
        all.push((name, swap(1, Kind::Out, role, State::Closed(outcome))));
    }
    all
}

fn takers() -> Vec<(&'static str, Taker)> {
    let fee = |cancel| Taker::PayingFee {
        fee: given_invoice(225),
        offer: None,
        cancel,
        seen: false,
        quiet_from: MADE,
    };
    let abandon = Abandon {
        by: Party::Us,
        reason: reason(),
    };
    let awaiting = |at: Option<u32>| Taker::AwaitingConfirmation {
        offer: offer(),
        confirmed_at: at.map(Height),
    };
    let paying_claim = |attempt| Taker::PayingClaim {
        paying: paying(),
        attempt,
    };
    let closing = |offer, sent| Taker::CoopClosing {
        offer,
        sent,
        reason: reason(),
    };
    vec![
        ("PayingFee", fee(None)),
        ("PayingFee, ending", fee(Some(abandon))),
        ("AwaitingOpening", Taker::AwaitingOpening),
        ("AwaitingOpening (swap-in)", Taker::AwaitingOpening),
        ("AwaitingConfirmation, mempool", awaiting(None)),
        ("AwaitingConfirmation, first block", awaiting(Some(502))),
        ("AwaitingConfirmation, deep enough", awaiting(Some(501))),
        ("PayingClaim", paying_claim(Attempt::Calling(1))),
        ("PayingClaim, again", paying_claim(Attempt::Calling(3))),
        (
            "PayingClaim, pause",
            paying_claim(Attempt::Pausing {
                next: 2,
                until: later(12),
            }),
        ),
        (
            "AbandoningPayment",
            Taker::AbandoningPayment {
                paying: paying(),
                reason: reason(),
                since: MADE,
                spent: false,
            },
        ),
        ("ClaimingInvoice, unsigned", claiming(Vec::new(), false)),
        ("ClaimingInvoice", claiming(vec![claim()], false)),
        ("ClaimingInvoice, reorg", claiming(vec![claim()], true)),
        ("CoopClosing, no opening", closing(None, false)),
        ("CoopClosing", closing(Some(offer()), true)),
    ]
}

fn makers() -> Vec<(&'static str, Maker)> {
    let coop = |status, closed, claims| Maker::ClaimingCoop {
        opened: opened(status, Some(501)),
        taker_key: SwapSecret::from_bytes([1; 32]),
        refund: refund(closed, claims),
    };
    vec![
        ("AwaitingFee, no invoice", Maker::AwaitingFee { fee: None }),
        (
            "AwaitingFee",
            Maker::AwaitingFee {
                fee: Some(own_invoice()),
            },
        ),
        (
            "Funding, no invoice",
            Maker::Funding {
                invoice: None,
                since: MADE,
            },
        ),
        (
            "Funding",
            Maker::Funding {
                invoice: Some(own_invoice()),
                since: MADE,
            },
        ),
        (
            "Publishing",
            Maker::Publishing {
                opening: opening(),
                invoice: own_invoice(),
                since: MADE,
                look_first: false,
            },
        ),
        ("Opened, mempool", Maker::Opened(opened(InvoiceStatus::Open, None))),
        (
            "Opened, first block",
            Maker::Opened(opened(InvoiceStatus::Open, Some(502))),
        ),
        (
            "Opened, deep enough",
            Maker::Opened(opened(InvoiceStatus::Open, Some(501))),
        ),
        ("Opened, paid", Maker::Opened(opened(InvoiceStatus::Paid, Some(501)))),
        (
            "Opened, not payable",
            Maker::Opened(opened(InvoiceStatus::Closed, Some(501))),
        ),
        (
            "ClaimingCoop, invoice open",
            coop(InvoiceStatus::Open, false, Vec::new()),
        ),
        ("ClaimingCoop, unsigned", coop(InvoiceStatus::Closed, true, Vec::new())),
        ("ClaimingCoop", coop(InvoiceStatus::Closed, true, vec![claim()])),
        (
            "ClaimingCoop, paid after all",
            coop(InvoiceStatus::Paid, true, vec![claim()]),
        ),
        (
            "ClaimingCsv",
            Maker::ClaimingCsv {
                opened: opened(InvoiceStatus::Closed, Some(501)),
                refund: refund(true, vec![claim()]),
            },
        ),
    ]
}

fn outcomes() -> Vec<(&'static str, Role, Outcome)> {
    let canceled = |by| Outcome::Canceled { by, reason: reason() };
    vec![
        ("ClaimPaid", Role::Maker, Outcome::ClaimPaid { coins: Party::Peer }),
        ("ClaimPaid, both", Role::Maker, Outcome::ClaimPaid { coins: Party::Us }),
        ("ClaimedByInvoice", Role::Taker, Outcome::ClaimedByInvoice),
        ("ClaimedByCoop", Role::Maker, Outcome::ClaimedByCoop),
        ("ClaimedByCsv", Role::Maker, Outcome::ClaimedByCsv),
        ("CoopClosed", Role::Taker, Outcome::CoopClosed { reason: reason() }),
        ("Canceled by us", Role::Taker, canceled(Party::Us)),
        ("Canceled by the peer", Role::Taker, canceled(Party::Peer)),
        ("GivenUp", Role::Maker, Outcome::GivenUp { reason: reason() }),
        ("Lost", Role::Taker, Outcome::Lost { reason: reason() }),
    ]
}

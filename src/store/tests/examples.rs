//! A swap in every state, with made-up contents: what the golden records hold.

use std::iter;

use bitcoin::hashes::Hash;
use bitcoin::{Amount, ScriptBuf, SignedAmount};

use crate::swap::event::{Failure, InvoiceKind, InvoiceStatus, Made, PaymentStatus, PeerMessage};
use crate::swap::progress::Progress;
use crate::swap::state::{
    Abandon, Attempt, Claim, GivenInvoice, Offer, Opened, Opening, OwnInvoice, Party, Paying, Race, Refund, TxCost,
    Voiding,
};
use crate::swap::terms::{Deal, FeePolicy, KeyPath, Payout, SwapKeys};
use crate::swap::{Event, Kind, Maker, Outcome, Role, State, Swap, Taker, Terms};
use crate::units::{
    Asset, CltvDelta, Height, Msat, NodeId, OutPoint, PaymentHash, Preimage, PubKey, RawTx, Scid, SwapId, SwapSecret,
    Timestamp, TxId,
};

/// The preimage and the keys of the examples in hex, which must be in no journal.
pub(super) const SECRETS: [[u8; 32]; 2] = [[0x5a; 32], [0x6b; 32]];

pub(super) fn point(secret: u8) -> PubKey {
    let secret = bitcoin::secp256k1::SecretKey::from_slice(&[secret; 32]).unwrap();
    secret.public_key(&bitcoin::secp256k1::Secp256k1::new())
}

pub(super) fn node() -> NodeId {
    point(1)
}

/// A taker's swap-out of L-BTC over a channel of its own, just requested.
pub(super) fn swap(id: u8, scid: Scid) -> Swap {
    Swap {
        id: SwapId([id; 32]),
        peer: point(2),
        kind: Kind::Out,
        role: Role::Taker,
        terms: Terms {
            version: 7,
            asset: Asset::Lbtc,
            genesis: bitcoin::BlockHash::all_zeros(),
            policy_asset: Some(elements::AssetId::LIQUID_BTC),
            node: node(),
            scid,
            amount: Amount::from_sat(1_000_000),
            premium_limit: SignedAmount::from_sat(-1500),
            payout: Payout {
                address: "el1example".into(),
                script: ScriptBuf::from_hex("001400").unwrap(),
                blinding_key: Some(point(3)),
            },
            fees: FeePolicy {
                fee_invoice: Amount::from_sat(225),
            },
        },
        keys: SwapKeys {
            path: KeyPath([1, 2, 3, 4, u32::MAX]),
            swap_key: point(4),
            blinding_key: Some(point(5)),
            claim_hash: Some(PaymentHash([7; 32])),
            fee_hash: Some(PaymentHash([8; 32])),
        },
        anchor: Height(500),
        created_at: Timestamp(1_700_000_000),
        state: State::Requested {
            sent: false,
            deadline: Timestamp(1_700_000_600),
        },
    }
}

/// The same swap in another state.
pub(super) fn in_state(swap: &Swap, state: State) -> Swap {
    Swap { state, ..swap.clone() }
}

fn secret() -> SwapSecret {
    SwapSecret::from_bytes(SECRETS[1])
}

fn preimage() -> Preimage {
    Preimage::from_bytes(SECRETS[0])
}

fn txid(byte: u8) -> TxId {
    TxId(bitcoin::Txid::from_byte_array([byte; 32]))
}

fn outpoint(byte: u8) -> OutPoint {
    OutPoint {
        txid: txid(byte),
        vout: 1,
    }
}

fn own_invoice() -> OwnInvoice {
    OwnInvoice {
        bolt11: "lnbcrt10m1pown".into(),
        hash: PaymentHash([7; 32]),
        expires_at: Timestamp(1_700_003_600),
    }
}

fn offer() -> Offer {
    Offer {
        invoice: given_invoice(),
        txid: txid(9),
        blinding_key: Some(secret()),
    }
}

fn given_invoice() -> GivenInvoice {
    GivenInvoice {
        bolt11: "lnbcrt10m1pgiven".into(),
        hash: PaymentHash([7; 32]),
        amount: Some(Msat(1_001_000_000)),
        payee: point(2),
        our_network: true,
        final_cltv: CltvDelta(29),
        expires_at: Timestamp(1_700_003_600),
    }
}

fn cost() -> TxCost {
    TxCost {
        fee: Amount::from_sat(23),
        vsize: 1347,
        discount_vsize: 230,
    }
}

fn claim() -> Claim {
    Claim {
        tx: RawTx::from(vec![0xcc; 40]),
        txid: txid(10),
        cost: cost(),
    }
}

fn opening() -> Opening {
    Opening {
        tx: RawTx::from(vec![0xdd; 40]),
        outpoint: outpoint(9),
        inputs: vec![outpoint(11)],
        cost: cost(),
    }
}

fn opened() -> Opened {
    Opened {
        opening: opening(),
        invoice: own_invoice(),
        announce: true,
        status: InvoiceStatus::Open,
        confirmed_at: Some(Height(501)),
        children: Vec::new(),
        progress: Progress::Fresh,
    }
}

fn refund() -> Refund {
    Refund {
        until: Timestamp(1_700_000_700),
        invoice_closed: false,
        claims: vec![claim()],
        progress: Progress::Fresh,
    }
}

fn paying() -> Paying {
    Paying {
        offer: offer(),
        opening: RawTx::from(vec![0xdd; 40]),
        confirmed_at: Height(501),
        claim: Some(claim()),
        first_attempt: Timestamp(1_700_000_100),
        seen: true,
        quiet_from: Timestamp(1_700_000_050),
    }
}

fn reason() -> String {
    "no balance".into()
}

fn makers() -> Vec<Maker> {
    let (taker_key, since) = (secret(), Timestamp(1_700_000_001));
    vec![
        Maker::AwaitingFee {
            fee: Some(own_invoice()),
        },
        Maker::Funding { invoice: None, since },
        Maker::Publishing {
            opening: opening(),
            invoice: own_invoice(),
            since,
            look_first: false,
        },
        Maker::Voiding(Voiding {
            opening: opening(),
            children: Vec::new(),
            invoice: own_invoice(),
            status: InvoiceStatus::Open,
            voids: Vec::new(),
            progress: Progress::Fresh,
            hindrance: None,
            race: Race::Open,
            taker_key: None,
            reason: reason(),
        }),
        Maker::Opened(opened()),
        Maker::ClaimingCoop {
            opened: opened(),
            taker_key,
            refund: refund(),
        },
        Maker::ClaimingCsv {
            opened: opened(),
            refund: refund(),
        },
    ]
}

fn takers() -> Vec<Taker> {
    vec![
        Taker::PayingFee {
            fee: given_invoice(),
            offer: Some(offer()),
            cancel: Some(Abandon {
                by: Party::Peer,
                reason: reason(),
            }),
            seen: false,
            quiet_from: Timestamp(1_700_000_000),
        },
        Taker::AwaitingOpening,
        Taker::AwaitingConfirmation {
            offer: offer(),
            confirmed_at: None,
        },
        Taker::PayingClaim {
            paying: paying(),
            attempt: Attempt::Calling(1),
        },
        Taker::PayingClaim {
            paying: paying(),
            attempt: Attempt::Pausing {
                next: 2,
                until: Timestamp(1_700_000_110),
            },
        },
        Taker::AbandoningPayment {
            paying: paying(),
            reason: format!("{:?}", Failure::NoBalance),
            since: Timestamp(1_700_000_120),
            spent: false,
        },
        Taker::ClaimingInvoice {
            offer: offer(),
            opening: RawTx::from(vec![0xdd; 40]),
            preimage: preimage(),
            confirmed_at: None,
            claims: vec![claim()],
            progress: Progress::Fresh,
            opening_gone: false,
        },
        Taker::CoopClosing {
            offer: None,
            sent: true,
            reason: reason(),
        },
    ]
}

fn outcomes() -> Vec<Outcome> {
    vec![
        Outcome::ClaimPaid { coins: Party::Peer },
        Outcome::ClaimedByInvoice,
        Outcome::ClaimedByCoop,
        Outcome::ClaimedByCsv,
        Outcome::CoopClosed { reason: reason() },
        Outcome::Canceled {
            by: Party::Us,
            reason: reason(),
        },
        Outcome::Lost { reason: reason() },
    ]
}

/// Every state but the first.
pub(super) fn states() -> Vec<State> {
    let deal = Deal {
        premium: SignedAmount::from_sat(-150),
        peer_key: point(6),
    };
    let canceling = State::Canceling {
        reason: reason(),
        until: Timestamp(1_700_000_900),
    };
    let makers = makers().into_iter().map(|state| State::Maker(deal, state));
    let takers = takers().into_iter().map(|state| State::Taker(deal, state));
    let closed = outcomes().into_iter().map(State::Closed);
    makers
        .chain(takers)
        .chain(iter::once(canceling))
        .chain(closed)
        .collect()
}

/// Events that carry what a journal must not: a preimage, keys, and a transaction as long as the network takes.
pub(super) fn secret_events() -> [Event; 4] {
    let close = PeerMessage::CoopClose {
        reason: reason(),
        key: secret(),
        key_of: point(6),
    };
    [
        Event::Payment(InvoiceKind::Claim, PaymentStatus::Paid(preimage())),
        Event::Peer(PeerMessage::Opening(offer())),
        Event::Peer(close),
        Event::Made(Made::Claim(claim())),
    ]
}

//! The maker: funds the opening and is paid by the claim invoice.
//!
//! ```text
//! AwaitingFee ─► Funding ─► Publishing ─► Opened ─► closed
//!                               │          │ ▲
//!                               ▼          ▼ │ paid after all
//!                            Voiding    ClaimingCoop, ClaimingCsv ─► closed
//! ```
//!
//! Nothing is published that is not committed, and a refund begins only when the claim invoice cannot be paid any more.

use super::effect::{Effect, Outgoing};
use super::event::{ChainView, EffectKind, Event, InvoiceKind, InvoiceStatus, Made, OpeningView, PeerMessage, TxKind};
use super::progress::Progress;
use super::refund;
use super::state::{Maker, Opened, Opening, OwnInvoice, State, Swap, Voiding};
use super::step::{Scene, closed_by_peer};
use super::terms::{Deal, Kind};
use super::timelocks::{Timelocks, too_late_to_open};
use super::voiding;
use crate::units::{Height, RawTx, SwapSecret, Timestamp};

/// A Go taker gives up ten minutes after the agreement, once, and is gone: funding after that would lock our coins
/// for the whole CSV (swap/actions.go:640 of ElementsProject/peerswap at 816a5bb).
const TAKER_PATIENCE_SECS: u64 = 540;
/// An opening whose claim invoice has no more of its life left than one part in so many gets its confirmations too late
/// to be paid for: a daemon or a wallet that was away for long may make one.
const LEAST_LIFE_LEFT: u64 = 4;
/// The lifetime of a fee invoice.
const FEE_INVOICE_EXPIRY_SECS: u64 = 600;

pub(super) fn step(scene: &Scene, deal: &Deal, state: &Maker, event: &Event) -> Option<State> {
    match state {
        Maker::AwaitingFee { fee } => awaiting_fee(scene, deal, fee.as_ref(), event),
        Maker::Funding { invoice, since } => funding(scene, deal, invoice.as_ref(), *since, event),
        Maker::Publishing { .. } => publishing(scene, deal, state, event),
        Maker::Voiding(state) => voiding::step(scene, deal, state, event),
        Maker::Opened(opened) => refund::opened(scene, deal, opened, event),
        Maker::ClaimingCoop { opened, refund, .. } | Maker::ClaimingCsv { opened, refund } => {
            refund::claiming(scene, deal, state, opened, refund, event)
        }
    }
}

/// Whether the opening may not be published any more, as far as is known.
fn late(
    scene: &Scene,
    since: Option<Timestamp>,
    invoice: Option<&OwnInvoice>,
    tip: Option<Height>,
) -> Option<&'static str> {
    let impatient = since.filter(|_| scene.swap.kind == Kind::In);
    if impatient.is_some_and(|since| scene.now.time >= since.plus_secs(TAKER_PATIENCE_SECS)) {
        return Some("the opening could not be made before the taker gives up");
    }
    let least = scene.limits.invoice_expiry_secs / LEAST_LIFE_LEFT;
    if invoice.is_some_and(|invoice| scene.now.time.plus_secs(least) >= invoice.expires_at) {
        return Some("the claim invoice would expire before it could be paid");
    }
    let over = tip.is_some_and(|tip| too_late_to_open(tip, scene.swap.anchor, scene.limits));
    over.then_some("the opening would confirm too late to be paid for")
}

fn tip_of(scene: &Scene, event: &Event) -> Option<Height> {
    if let Event::Chain(view) = event {
        return Some(view.tip);
    }
    scene.now.tip
}

fn awaiting_fee(scene: &Scene, deal: &Deal, fee: Option<&OwnInvoice>, event: &Event) -> Option<State> {
    let stay = |maker: Maker| Some(State::Maker(*deal, maker));
    match event {
        Event::Made(Made::Invoice(InvoiceKind::Fee, made)) if fee.is_none() => stay(Maker::AwaitingFee {
            fee: Some(made.clone()),
        }),
        Event::Invoice(InvoiceKind::Fee, InvoiceStatus::Paid) => stay(Maker::Funding {
            invoice: None,
            since: scene.now.time,
        }),
        Event::Invoice(InvoiceKind::Fee, InvoiceStatus::Closed) => Some(scene.cancel("the fee invoice was not paid")),
        Event::Refused(EffectKind::MakeInvoice, reason) => {
            Some(scene.cancel(format!("the fee invoice could not be made: {reason}")))
        }
        Event::Abort(reason) => Some(scene.cancel(reason)),
        Event::Peer(PeerMessage::Cancel(reason) | PeerMessage::CoopClose { reason, .. }) => {
            Some(closed_by_peer(reason))
        }
        Event::Chain(_) | Event::Tick => {
            late(scene, None, None, tip_of(scene, event)).map(|reason| scene.cancel(reason))
        }
        Event::Started
        | Event::Peer(_)
        | Event::Invoice(..)
        | Event::Payment(..)
        | Event::CallLost(_)
        | Event::Made(_)
        | Event::Sent(_)
        | Event::Accepted(_)
        | Event::Refused(..)
        | Event::Bump(_) => None,
    }
}

fn funding(scene: &Scene, deal: &Deal, invoice: Option<&OwnInvoice>, since: Timestamp, event: &Event) -> Option<State> {
    let stay = |maker: Maker| Some(State::Maker(*deal, maker));
    match (event, invoice) {
        (Event::Made(Made::Invoice(InvoiceKind::Claim, made)), None) => stay(Maker::Funding {
            invoice: Some(made.clone()),
            since,
        }),
        (Event::Made(Made::Opening(opening)), Some(invoice)) => {
            let late = late(scene, Some(since), Some(invoice), scene.now.tip);
            Some(late.map_or_else(
                || to_publish(deal, opening, invoice, since, false),
                |reason| scene.cancel(reason),
            ))
        }
        (Event::Refused(EffectKind::MakeInvoice, reason), _) => {
            Some(scene.cancel(format!("the claim invoice could not be made: {reason}")))
        }
        (Event::Refused(EffectKind::MakeOpening, reason), _) => {
            Some(scene.cancel(format!("the opening could not be funded: {reason}")))
        }
        (Event::Abort(reason), _) => Some(scene.cancel(reason)),
        (Event::Peer(PeerMessage::Cancel(reason) | PeerMessage::CoopClose { reason, .. }), _) => {
            Some(closed_by_peer(reason))
        }
        (Event::Chain(_) | Event::Tick, _) => {
            late(scene, Some(since), invoice, tip_of(scene, event)).map(|reason| scene.cancel(reason))
        }
        (
            Event::Started
            | Event::Peer(_)
            | Event::Invoice(..)
            | Event::Payment(..)
            | Event::CallLost(_)
            | Event::Made(_)
            | Event::Sent(_)
            | Event::Accepted(_)
            | Event::Refused(..)
            | Event::Bump(_),
            _,
        ) => None,
    }
}

fn publishing(scene: &Scene, deal: &Deal, state: &Maker, event: &Event) -> Option<State> {
    let Maker::Publishing {
        opening,
        invoice,
        since,
        look_first,
    } = state
    else {
        return None;
    };
    let opened = |confirmed_at| {
        let opened = newly_opened(opening, invoice, confirmed_at);
        Some(State::Maker(*deal, Maker::Opened(opened)))
    };
    let void_with = |taker_key: Option<SwapSecret>, reason: &str| {
        let begun = voiding::begin(&newly_opened(opening, invoice, None), reason);
        let next = Voiding { taker_key, ..begun };
        Some(State::Maker(*deal, Maker::Voiding(next)))
    };
    let void = |reason: &str| void_with(None, reason);
    let look = |look_first| Some(to_publish(deal, opening, invoice, *since, look_first));
    match event {
        Event::Accepted(TxKind::Opening) => opened(None),
        Event::Chain(ChainView {
            opening: OpeningView::Confirmed { at, .. },
            ..
        }) => opened(Some(*at)),
        Event::Chain(ChainView {
            opening: OpeningView::Mempool,
            ..
        }) => opened(None),
        Event::Refused(EffectKind::Broadcast(TxKind::Opening), reason) => {
            void(&format!("the network refused the opening: {reason}"))
        }
        Event::Peer(PeerMessage::CoopClose { reason, key, key_of }) => {
            void_with((*key_of == deal.peer_key).then(|| key.clone()), reason)
        }
        Event::Peer(PeerMessage::Cancel(reason)) | Event::Abort(reason) => void(reason),
        // The daemon may have been away for days: whether the opening is out, or late, the chain says.
        Event::Started => look(true),
        Event::Chain(view) => {
            late(scene, Some(*since), Some(invoice), Some(view.tip)).map_or_else(|| look(false), void)
        }
        Event::Tick if !look_first => late(scene, Some(*since), Some(invoice), scene.now.tip).and_then(void),
        Event::Tick
        | Event::Peer(_)
        | Event::Invoice(..)
        | Event::Payment(..)
        | Event::CallLost(_)
        | Event::Made(_)
        | Event::Sent(_)
        | Event::Accepted(_)
        | Event::Refused(..)
        | Event::Bump(_) => None,
    }
}

/// An opening that is to be published; with `look_first`, unless the chain says that it is out, or late.
fn to_publish(deal: &Deal, opening: &Opening, invoice: &OwnInvoice, since: Timestamp, look_first: bool) -> State {
    let (opening, invoice) = (opening.clone(), invoice.clone());
    State::Maker(
        *deal,
        Maker::Publishing {
            opening,
            invoice,
            since,
            look_first,
        },
    )
}

pub(super) fn newly_opened(opening: &Opening, invoice: &OwnInvoice, confirmed_at: Option<Height>) -> Opened {
    Opened {
        opening: opening.clone(),
        invoice: invoice.clone(),
        announce: true,
        status: InvoiceStatus::Open,
        confirmed_at,
        children: Vec::new(),
        progress: Progress::Fresh,
    }
}

pub(super) fn broadcast(kind: TxKind, tx: &RawTx) -> Effect {
    Effect::Broadcast {
        kind,
        tx: tx.clone(),
        preimage: None,
    }
}

pub(super) fn wants(swap: &Swap, limits: &Timelocks, deal: &Deal, state: &Maker) -> Vec<Effect> {
    let patience =
        |since: &Timestamp| (swap.kind == Kind::In).then(|| Effect::WakeAt(since.plus_secs(TAKER_PATIENCE_SECS)));
    match state {
        Maker::AwaitingFee { fee: None } => vec![
            Effect::MakeInvoice {
                kind: InvoiceKind::Fee,
                amount: crate::units::Msat(swap.terms.fees.fee_invoice.to_sat().saturating_mul(1000)),
                expiry_secs: FEE_INVOICE_EXPIRY_SECS,
                final_cltv: None,
            },
            Effect::WatchChain,
        ],
        Maker::AwaitingFee { fee: Some(fee) } => vec![
            Effect::Send {
                message: Outgoing::Agreement(Some(fee.clone())),
                repeat: true,
            },
            Effect::WatchInvoice(InvoiceKind::Fee, fee.hash),
            Effect::WatchChain,
        ],
        Maker::Funding { invoice: None, since } => {
            let make = swap
                .terms
                .claim_amount(swap.kind, deal)
                .map(|amount| Effect::MakeInvoice {
                    kind: InvoiceKind::Claim,
                    amount,
                    expiry_secs: limits.invoice_expiry_secs,
                    final_cltv: Some(limits.final_cltv),
                });
            make.into_iter()
                .chain([Effect::WatchChain])
                .chain(patience(since))
                .collect()
        }
        Maker::Funding {
            invoice: Some(invoice),
            since,
        } => [Effect::MakeOpening(invoice.hash), Effect::WatchChain]
            .into_iter()
            .chain(patience(since))
            .collect(),
        Maker::Publishing { look_first: true, .. } => vec![Effect::WatchChain],
        Maker::Publishing { opening, since, .. } => {
            let publish = [broadcast(TxKind::Opening, &opening.tx), Effect::WatchChain];
            publish.into_iter().chain(patience(since)).collect()
        }
        Maker::Voiding(state) => voiding::wants(state),
        Maker::Opened(opened) => refund::wants_opened(opened),
        Maker::ClaimingCoop { opened, refund, .. } => {
            refund::wants_claiming(opened, refund, super::event::SpendPath::Coop)
        }
        Maker::ClaimingCsv { opened, refund } => refund::wants_claiming(opened, refund, super::event::SpendPath::Csv),
    }
}

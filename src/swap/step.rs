//! The two functions of the machine, and the states that maker and taker share.

use super::effect::{Effect, Outgoing};
use super::event::{EffectKind, Event, InvoiceStatus, MessageKind, Now, PeerMessage};
use super::state::{Attempt, GivenInvoice, Maker, Outcome, Party, Paying, State, Swap, Taker};
use super::terms::{Deal, Kind};
use super::timelocks::Timelocks;
use super::{fee, maker, taker};
use crate::units::Timestamp;

/// What an event does to a swap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Stay,
    /// This is the swap from now on, once it is committed.
    To(Box<Swap>),
}

/// How long a peer is told of a cancellation before it is left to its own deadlines.
const CANCEL_SECS: u64 = 600;

/// What a transition is judged by, beside the state and the event.
pub(super) struct Scene<'a> {
    pub swap: &'a Swap,
    pub limits: &'static Timelocks,
    pub now: Now,
}

impl Scene<'_> {
    pub(super) fn cancel(&self, reason: impl Into<String>) -> State {
        State::Canceling {
            reason: reason.into(),
            until: self.now.time.plus_secs(CANCEL_SECS),
        }
    }

    /// Checks what every invoice of the peer must satisfy before it is paid.
    pub(super) fn check_invoice(&self, invoice: &GivenInvoice) -> Result<(), String> {
        if !invoice.our_network {
            return Err("the invoice is for another Lightning network".into());
        }
        if invoice.payee != self.swap.peer {
            return Err(format!(
                "the invoice pays {}, not the channel's peer {}",
                invoice.payee, self.swap.peer
            ));
        }
        if invoice.expires_at <= self.now.time {
            return Err("the invoice has expired".into());
        }
        Ok(())
    }
}

/// What an event does to a swap. Pure and total: what means nothing in the swap's state is [`Step::Stay`], and a peer
/// that breaks the protocol is a transition with the reason inside.
#[must_use]
pub fn step(swap: &Swap, now: Now, event: &Event) -> Step {
    let Some(limits) = swap.terms.timelocks() else {
        return Step::Stay;
    };
    let scene = Scene { swap, limits, now };
    let next = match &swap.state {
        State::Requested { sent, deadline } => requested(&scene, *sent, *deadline, event),
        State::Maker(deal, state) => maker::step(&scene, deal, state, event),
        State::Taker(deal, state) => taker::step(&scene, deal, state, event),
        State::Canceling { reason, until } => canceling(&scene, reason, *until, event),
        State::Closed(_) => None,
    };
    match next {
        Some(state) if state != swap.state => Step::To(Box::new(Swap { state, ..swap.clone() })),
        Some(_) | None => Step::Stay,
    }
}

/// What the world should be made to do while a swap is in its state. Pure; a restart calls the same.
#[must_use]
pub fn wants(swap: &Swap) -> Vec<Effect> {
    let Some(limits) = swap.terms.timelocks() else {
        return Vec::new();
    };
    match &swap.state {
        State::Requested { sent, deadline } => {
            let request = (!sent).then_some(Effect::Send {
                message: Outgoing::Request,
                repeat: false,
            });
            request.into_iter().chain([Effect::WakeAt(*deadline)]).collect()
        }
        State::Maker(deal, state) => maker::wants(swap, limits, deal, state),
        State::Taker(_, state) => taker::wants(swap, limits, state),
        State::Canceling { reason, until } => vec![
            Effect::Send {
                message: Outgoing::Cancel(reason.clone()),
                repeat: false,
            },
            Effect::WakeAt(*until),
        ],
        State::Closed(_) => Vec::new(),
    }
}

/// Whether a swap in this state keeps others off its channel: only one that could still pay over it does, since a Go
/// peer frees its side as soon as no payment is to come, and we would refuse it. What is freed is never held again.
#[must_use]
pub fn holds_channel(state: &State) -> bool {
    match state {
        State::Requested { .. } => true,
        State::Maker(_, state) => match state {
            Maker::AwaitingFee { .. } | Maker::Funding { .. } | Maker::Publishing { .. } => true,
            Maker::Voiding(voiding) => voiding.status == InvoiceStatus::Open,
            Maker::Opened(opened) => opened.status == InvoiceStatus::Open,
            Maker::ClaimingCoop { .. } | Maker::ClaimingCsv { .. } => false,
        },
        State::Taker(_, state) => match state {
            Taker::PayingFee { .. }
            | Taker::AwaitingOpening
            | Taker::AwaitingConfirmation { .. }
            | Taker::PayingClaim { .. }
            | Taker::AbandoningPayment { .. } => true,
            Taker::ClaimingInvoice { .. } | Taker::CoopClosing { .. } => false,
        },
        State::Canceling { .. } | State::Closed(_) => false,
    }
}

fn requested(scene: &Scene, sent: bool, deadline: Timestamp, event: &Event) -> Option<State> {
    let swap = scene.swap;
    match event {
        // A request goes out once. After a restart nobody knows whether it did, so it counts as sent: a Go peer would
        // answer a second one with `cancel` while its first instance runs on. The deadline cleans up.
        Event::Started | Event::Sent(MessageKind::Request) => {
            (!sent).then_some(State::Requested { sent: true, deadline })
        }
        Event::Peer(PeerMessage::InAgreement { version, deal }) if swap.kind == Kind::In => {
            Some(match check_deal(swap, *version, deal) {
                Ok(()) => State::Maker(
                    *deal,
                    Maker::Funding {
                        invoice: None,
                        since: scene.now.time,
                    },
                ),
                Err(reason) => scene.cancel(reason),
            })
        }
        Event::Peer(PeerMessage::OutAgreement { version, deal, fee }) if swap.kind == Kind::Out => {
            let checked = check_deal(swap, *version, deal).and_then(|()| check_fee(scene, fee));
            Some(match checked {
                Ok(()) => State::Taker(*deal, fee::paying(scene, fee)),
                Err(reason) => scene.cancel(reason),
            })
        }
        Event::Peer(PeerMessage::Cancel(reason)) => Some(closed_by_peer(reason)),
        Event::Peer(PeerMessage::Malformed {
            message: MessageKind::Agreement,
            reason,
        }) => Some(scene.cancel(reason)),
        Event::Refused(EffectKind::Send, reason) => {
            Some(scene.cancel(format!("the request could not be sent: {reason}")))
        }
        Event::Abort(reason) => Some(scene.cancel(reason)),
        Event::Tick if scene.now.time >= deadline => Some(scene.cancel("the peer did not answer the request")),
        Event::Peer(_)
        | Event::Chain(_)
        | Event::Invoice(..)
        | Event::Payment(..)
        | Event::CallLost(_)
        | Event::Made(_)
        | Event::Sent(_)
        | Event::Accepted(_)
        | Event::Refused(..)
        | Event::Tick
        | Event::Bump(_) => None,
    }
}

fn check_deal(swap: &Swap, version: u8, deal: &Deal) -> Result<(), String> {
    let terms = &swap.terms;
    if version != terms.version {
        return Err(format!(
            "the agreement names protocol version {version}, the request {}",
            terms.version
        ));
    }
    if deal.premium > terms.premium_limit {
        let (premium, limit) = (deal.premium.to_sat(), terms.premium_limit.to_sat());
        return Err(format!("premium of {premium} sat is above the limit of {limit} sat"));
    }
    if terms.opening_amount(swap.kind, deal).is_none() || terms.claim_amount(swap.kind, deal).is_none() {
        let (amount, premium) = (terms.amount.to_sat(), deal.premium.to_sat());
        return Err(format!(
            "amount of {amount} sat and premium of {premium} sat leave nothing to swap"
        ));
    }
    if deal.peer_key == swap.keys.swap_key {
        return Err("the agreement repeats our own key".into());
    }
    Ok(())
}

fn check_fee(scene: &Scene, fee: &GivenInvoice) -> Result<(), String> {
    scene.check_invoice(fee)?;
    let limit = scene.swap.terms.fees.fee_invoice;
    match fee.amount {
        None => Err("the fee invoice names no amount".into()),
        Some(_) if fee.final_cltv >= fee::FEE_MAX_CLTV => Err(format!(
            "the fee invoice wants a final CLTV delta of {}, the limit is {}",
            fee.final_cltv.0,
            fee::FEE_MAX_CLTV.0.saturating_sub(1)
        )),
        Some(asked) if asked.0 > limit.to_sat().saturating_mul(1000) => Err(format!(
            "the fee invoice asks for {asked}, more than the bound of {} sat",
            limit.to_sat()
        )),
        Some(_) => Ok(()),
    }
}

fn canceling(scene: &Scene, reason: &str, until: Timestamp, event: &Event) -> Option<State> {
    let over = match event {
        Event::Sent(MessageKind::Cancel)
        | Event::Refused(EffectKind::Send, _)
        | Event::Peer(PeerMessage::Cancel(_)) => true,
        Event::Tick => scene.now.time >= until,
        Event::Started
        | Event::Peer(_)
        | Event::Chain(_)
        | Event::Invoice(..)
        | Event::Payment(..)
        | Event::CallLost(_)
        | Event::Made(_)
        | Event::Sent(_)
        | Event::Accepted(_)
        | Event::Refused(..)
        | Event::Abort(_)
        | Event::Bump(_) => false,
    };
    over.then(|| {
        State::Closed(Outcome::Canceled {
            by: Party::Us,
            reason: reason.into(),
        })
    })
}

pub(super) fn closed_by_peer(reason: &str) -> State {
    State::Closed(Outcome::Canceled {
        by: Party::Peer,
        reason: reason.into(),
    })
}

impl Paying {
    /// Whether a failed attempt may be followed by another.
    #[must_use]
    pub fn may_try_again(&self, now: Timestamp) -> bool {
        now < self.first_attempt.plus_secs(super::payment::RETRY_SECS)
    }
}

impl Attempt {
    /// The number of the attempt after this one.
    #[must_use]
    pub fn next(self) -> u32 {
        match self {
            Attempt::Calling(number) => number.saturating_add(1),
            Attempt::Pausing { next, .. } => next,
        }
    }
}

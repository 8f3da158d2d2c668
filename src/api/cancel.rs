//! What it would mean to end a swap now. Pure; the engine acts on the answer.

use super::error::ApiError;
use super::types::CancelAction;
use crate::swap::event::InvoiceStatus;
use crate::swap::may_be_given_up;
use crate::swap::state::{Maker, Outcome, State, Swap, Taker};

const VOIDED: &str = "the opening may have left already: its coins are spent back to ourselves; should it confirm \
    first, the swap goes on";
const FEE_UNDER_WAY: &str = "the fee payment may be under way and cannot be called back; the swap ends as soon as its \
    result is certain; if it was paid, the fee is lost";
const NOT_CLAIMED: &str = "the claim invoice is not paid; the peer gets our key and takes its coins back; a fee that \
    was paid in advance is lost";
const PAYMENT_UNDER_WAY: &str = "no further attempt to pay is made, but one that is under way cannot be called back: \
    if it settles, the coins are claimed and the swap is done";

const GIVEN_UP: &str = "an input of the opening has vanished from the chain, and nobody watches for it any longer; should \
    it ever come back and the opening confirm, its coins are ours after the timelock: `sluice rescue` takes them with \
    the swap's rescue file, which is kept";

/// What to do about a wish to end a swap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advice {
    /// What is answered.
    pub action: CancelAction,
    /// Whether the swap must be told ([`crate::swap::Event::Abort`]); false where it is ending already.
    pub abort: bool,
    /// What that means for the money.
    pub explanation: &'static str,
}

fn ends(explanation: &'static str) -> Result<Advice, &'static str> {
    Ok(Advice {
        action: CancelAction::Canceled,
        abort: true,
        explanation,
    })
}

fn noted(explanation: &'static str) -> Result<Advice, &'static str> {
    Ok(Advice {
        action: CancelAction::Noted,
        abort: true,
        explanation,
    })
}

fn ending(explanation: &'static str) -> Result<Advice, &'static str> {
    Ok(Advice {
        action: CancelAction::AlreadyEnding,
        abort: false,
        explanation,
    })
}

/// What to do about the operator's wish to end that swap.
///
/// # Errors
/// [`ApiError::NotCancelable`] with the reason, where ending it is not safe or means nothing any more.
pub fn advise(swap: &Swap) -> Result<Advice, ApiError> {
    let advice = match &swap.state {
        State::Requested { .. } => ends("nothing was agreed; nothing is at stake"),
        State::Maker(_, maker) => advise_maker(maker),
        State::Taker(_, taker) => advise_taker(taker),
        State::Canceling { .. } => ending("the swap is canceled already; the peer is being told"),
        State::Closed(_) => Err("it is closed"),
    };
    advice.map_err(|reason| ApiError::NotCancelable {
        swap_id: swap.id,
        reason: reason.into(),
    })
}

/// What the wish to end a swap has done: the swap when it was asked and when it had heard. In between it may have moved
/// on, so what it is told to be is what it became.
///
/// # Errors
/// [`ApiError::NotCancelable`] if it became what cannot be ended, or goes on.
pub fn done(before: &Swap, after: &Swap) -> Result<Advice, ApiError> {
    let became = match &after.state {
        State::Canceling { .. } | State::Closed(Outcome::Canceled { .. }) => {
            let asked = advise(before)
                .ok()
                .filter(|advice| advice.action == CancelAction::Canceled);
            ends(asked.map_or("nothing more is opened or paid", |advice| advice.explanation))
        }
        State::Taker(_, Taker::CoopClosing { .. }) => ends(NOT_CLAIMED),
        State::Taker(_, Taker::PayingFee { cancel: Some(_), .. }) => noted(FEE_UNDER_WAY),
        State::Taker(_, Taker::AbandoningPayment { .. }) => noted(PAYMENT_UNDER_WAY),
        State::Closed(Outcome::GivenUp { .. }) => ends(GIVEN_UP),
        State::Maker(_, Maker::Voiding(_)) => noted(VOIDED),
        State::Requested { .. } | State::Maker(..) | State::Taker(..) | State::Closed(_) => {
            let advice = advise(after)?;
            if advice.abort {
                Err("it has not taken the wish; look at it and ask again")
            } else {
                Ok(advice)
            }
        }
    };
    became.map_err(|reason| ApiError::NotCancelable {
        swap_id: after.id,
        reason: reason.into(),
    })
}

fn advise_maker(maker: &Maker) -> Result<Advice, &'static str> {
    match maker {
        Maker::AwaitingFee { .. } => ends("nothing was opened; nothing is at stake"),
        Maker::Funding { .. } => ends("nothing was published; the coins of the opening are free again"),
        Maker::Publishing { .. } => noted(VOIDED),
        Maker::Voiding(voiding) if may_be_given_up(voiding) => ends(GIVEN_UP),
        Maker::Voiding(_) => ending("the opening's coins are being spent back to ourselves already"),
        Maker::Opened(opened) => match opened.status {
            InvoiceStatus::Paid => Err("the peer has paid: the swap is done but for the peer's claim"),
            InvoiceStatus::Open => Err(
                "the opening is with the network and the peer may pay for it at any time. If it does not, the coins \
                 come back with its key or after the timelock, by themselves",
            ),
            InvoiceStatus::Closed => {
                ending("it was not paid; the coins come back with the peer's key or after the timelock, by themselves")
            }
        },
        Maker::ClaimingCoop { .. } | Maker::ClaimingCsv { .. } => ending("the coins are being taken back already"),
    }
}

fn advise_taker(taker: &Taker) -> Result<Advice, &'static str> {
    match taker {
        Taker::PayingFee { cancel: None, .. } => noted(FEE_UNDER_WAY),
        Taker::PayingFee { cancel: Some(_), .. } => {
            ending("the swap ends as soon as the fee payment's result is certain")
        }
        Taker::AwaitingOpening => ends("nothing more is paid; a fee that was paid in advance is lost"),
        Taker::AwaitingConfirmation { .. } => ends(NOT_CLAIMED),
        Taker::PayingClaim { .. } => noted(PAYMENT_UNDER_WAY),
        Taker::AbandoningPayment { .. } => ending("the swap ends as soon as it is certain that no payment can exist"),
        Taker::ClaimingInvoice { .. } => Err("it is paid; the coins are being claimed"),
        Taker::CoopClosing { .. } => ending("nothing is paid; the peer has our key or is being sent it"),
    }
}

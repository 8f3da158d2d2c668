//! What the operator may do about a swap now: asked of those who would have to do it, so that nothing is offered that
//! they refuse. And what he need not do.

use super::Scene;
use super::text::sats;
use crate::api::bump::{self, Offer};
use crate::api::cancel;
use crate::api::types::{CancelAction, ChoiceKind, ChoiceView};
use crate::swap::event::InvoiceStatus;
use crate::swap::fees::Bumped;
use crate::swap::state::{Maker, State, Taker};

const VOID: &str =
    "the coins are spent back to ourselves, or taken back should the opening confirm unpaid: you need do nothing";
const REFUND: &str = "the coins are taken back, with the peer's key or after the timelock: you need do nothing";
const CLAIM: &str = "the claim is replaced at a higher fee if it is stuck: you need do nothing";
const COOP_CLOSE: &str = "the peer is given our key once it is certain that nothing is paid: you need do nothing";

/// Everything that is not refused for the swap's state and changes something.
pub(super) fn of(scene: &Scene) -> Vec<ChoiceView> {
    let bump = bump::offer(scene.swap, scene.trail, scene.now.tip).ok();
    let bump = bump.map(|offer| (ChoiceKind::Bump, bumping(&offer)));
    let cancel = cancel::advise(scene.swap).ok().and_then(|advice| ending(&advice));
    let cancel = cancel.map(|effect| (ChoiceKind::Cancel, effect));
    bump.into_iter()
        .chain(cancel)
        .map(|(kind, effect)| ChoiceView {
            kind,
            command: command(kind, scene),
            effect,
        })
        .collect()
}

/// Refund, closing with our key, and the claim: the daemon sees to them.
pub(super) fn without_the_operator(scene: &Scene) -> Option<&'static str> {
    match &scene.swap.state {
        State::Maker(_, maker) => match maker {
            Maker::AwaitingFee { .. } | Maker::Funding { .. } => None,
            Maker::Publishing { .. } | Maker::Voiding(_) => Some(VOID),
            Maker::Opened(opened) | Maker::ClaimingCoop { opened, .. } | Maker::ClaimingCsv { opened, .. } => {
                (opened.status != InvoiceStatus::Paid).then_some(REFUND)
            }
        },
        State::Taker(_, taker) => match taker {
            Taker::PayingFee { .. } => None,
            Taker::ClaimingInvoice { .. } => Some(CLAIM),
            Taker::AwaitingOpening
            | Taker::AwaitingConfirmation { .. }
            | Taker::PayingClaim { .. }
            | Taker::AbandoningPayment { .. }
            | Taker::CoopClosing { .. } => Some(COOP_CLOSE),
        },
        State::Requested { .. } | State::Canceling { .. } | State::Closed(_) => None,
    }
}

/// As all of `sluice` names a swap: by the first digits of its id.
fn command(kind: ChoiceKind, scene: &Scene) -> String {
    let name = match kind {
        ChoiceKind::Bump => "bump",
        ChoiceKind::Cancel => "cancel",
    };
    format!("sluice swap {name} {}", &scene.swap.id.to_string()[..8])
}

fn bumping(offer: &Offer) -> String {
    let (paid, least) = (sats(offer.paid.to_sat()), sats(offer.least.to_sat()));
    let replaced = |what| {
        format!("replaces our {what}, which pays a fee of {paid}, by one that pays at least {least} and comes sooner")
    };
    match offer.stake.of {
        Bumped::Opening => format!(
            "pushes the opening into a block sooner by a child that spends its change, if the network asks for more \
             than the fee of {paid} that is paid now, or for a rate named with --fee-rate"
        ),
        Bumped::Claim => replaced("claim"),
        Bumped::Refund => replaced("refund"),
        Bumped::Void => replaced("spend of the opening's coins back to ourselves"),
    }
}

/// None where the wish would change nothing: the swap is ending already.
fn ending(advice: &cancel::Advice) -> Option<String> {
    let explanation = advice.explanation;
    match advice.action {
        CancelAction::Canceled => Some(format!("ends the swap: {explanation}")),
        CancelAction::Noted => Some(format!("ends the swap if it still can: {explanation}")),
        CancelAction::AlreadyEnding => None,
    }
}

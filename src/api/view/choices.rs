//! What the operator may do about a swap now: asked of those who would have to do it, so that nothing is offered that
//! they refuse.

use super::Scene;
use super::text::sats;
use crate::api::bump::{self, Offer};
use crate::api::cancel;
use crate::api::types::{CancelAction, ChoiceKind, ChoiceView};
use crate::swap::fees::Bumped;

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

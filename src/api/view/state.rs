//! Where a swap stands: one stage for programs, one sentence for people.

use super::Scene;
use super::text::sats;
use crate::api::types::Stage;
use crate::swap::event::InvoiceStatus;
use crate::swap::state::{Attempt, Maker, Opened, Outcome, Party, Race, Refund, State, Taker, Voiding};
use crate::units::{Blocks, Height};

pub(super) fn describe(scene: &Scene) -> (Stage, String) {
    match &scene.swap.state {
        State::Requested { sent: false, .. } => (Stage::Requested, "sending the request to the peer".into()),
        State::Requested { sent: true, .. } => (Stage::Requested, "requested, waiting for the peer's answer".into()),
        State::Maker(_, maker) => describe_maker(scene, maker),
        State::Taker(_, taker) => describe_taker(scene, taker),
        State::Canceling { reason, .. } => (Stage::Closing, format!("canceled, telling the peer: {reason}")),
        State::Closed(outcome) => (Stage::Closed, describe_outcome(outcome)),
    }
}

fn describe_maker(scene: &Scene, maker: &Maker) -> (Stage, String) {
    match maker {
        Maker::AwaitingFee { fee: None } => (Stage::Agreed, "agreed, making the fee invoice".into()),
        Maker::AwaitingFee { fee: Some(_) } => (
            Stage::Agreed,
            "agreed, waiting for the peer to pay the opening's fee".into(),
        ),
        Maker::Funding { invoice: None, .. } => (Stage::Opening, "agreed, making the claim invoice".into()),
        Maker::Funding { invoice: Some(_), .. } => (Stage::Opening, "agreed, signing the opening transaction".into()),
        Maker::Publishing { .. } => (Stage::Opening, "publishing the opening transaction".into()),
        Maker::Voiding(voiding) => (Stage::Closing, describe_voiding(scene, voiding)),
        Maker::Opened(opened) => describe_opened(scene, opened),
        Maker::ClaimingCoop { opened, refund, .. } => refunding(opened, refund, "with the peer's key"),
        Maker::ClaimingCsv { opened, refund } => refunding(opened, refund, "after the timelock"),
    }
}

fn describe_voiding(scene: &Scene, voiding: &Voiding) -> String {
    let Voiding { reason, hindrance, .. } = voiding;
    match voiding.race {
        Race::Open => {
            let hindrance = hindrance
                .as_ref()
                .map_or(String::new(), |why| format!(" (not now: {why})"));
            format!("spending the opening's coins back to ourselves before it confirms: {reason}{hindrance}")
        }
        Race::Void(at) => format!(
            "the opening's coins are spent elsewhere in {}, waiting for confirmations: {reason}",
            scene.block(at)
        ),
        Race::Opening(at) => format!(
            "the opening has confirmed in {} before its coins were spent back, waiting for confirmations: {reason}",
            scene.block(at)
        ),
        Race::Gone(since) => format!(
            "an input of the opening has been missing from the chain since {}, as after a reorg: it is waited for: {reason}",
            scene.block(since)
        ),
        Race::LongGone => format!(
            "an input of the opening has been missing from the chain for longer than the timelock, and nothing is at \
             stake unless it comes back: {reason}"
        ),
    }
}

fn describe_opened(scene: &Scene, opened: &Opened) -> (Stage, String) {
    match opened.status {
        InvoiceStatus::Paid => (Stage::Paid, "paid, waiting for the peer to claim its coins".into()),
        InvoiceStatus::Closed => (
            Stage::Refunding,
            "not paid and not payable any more, waiting for the peer's key or the timelock".into(),
        ),
        InvoiceStatus::Open => confirming(scene, opened.confirmed_at).unwrap_or_else(|| {
            (
                Stage::Paying,
                "opening confirmed, waiting for the peer to pay the claim invoice".into(),
            )
        }),
    }
}

/// None once the opening has the depth it needs.
fn confirming(scene: &Scene, confirmed_at: Option<Height>) -> Option<(Stage, String)> {
    let (depth, needed) = (scene.confirmations(confirmed_at), scene.needed());
    if depth >= needed {
        return None;
    }
    Some(if depth == Blocks(0) {
        let pushed = times("pushed", scene.trail.pushes.len());
        let words = format!("opening published{pushed}, not in a block yet (0 of {needed} blocks)");
        (Stage::OpeningPublished, words)
    } else {
        (
            Stage::Confirming,
            format!("opening confirming ({depth} of {needed} blocks)"),
        )
    })
}

/// ` and pushed twice`; nothing for never.
fn times(what: &str, number: usize) -> String {
    match number {
        0 => String::new(),
        1 => format!(" and {what} once"),
        2 => format!(" and {what} twice"),
        many => format!(" and {what} {many} times"),
    }
}

fn refunding(opened: &Opened, refund: &Refund, how: &str) -> (Stage, String) {
    let words = match (opened.status, refund.invoice_closed, refund.claims.is_empty()) {
        (InvoiceStatus::Paid, _, _) => {
            format!("paid while taking the coins back {how}; waiting for what the chain decides")
        }
        (_, false, _) => format!("taking the coins back {how}: closing the claim invoice first"),
        (_, true, true) => format!("taking the coins back {how}: signing the refund"),
        (_, true, false) => format!("taking the coins back {how}: refund published, waiting for its confirmations"),
    };
    (Stage::Refunding, words)
}

fn describe_taker(scene: &Scene, taker: &Taker) -> (Stage, String) {
    match taker {
        Taker::PayingFee { cancel: None, fee, .. } => {
            let asked = fee.amount.map_or(0, |asked| asked.floor().to_sat());
            let words = format!("agreed, paying {} in advance for the opening's fee", sats(asked));
            (Stage::Agreed, words)
        }
        Taker::PayingFee {
            cancel: Some(abandon), ..
        } => (
            Stage::Closing,
            format!(
                "ending as soon as the fee payment's result is certain: {}",
                abandon.reason
            ),
        ),
        Taker::AwaitingOpening => (
            Stage::Agreed,
            "agreed, waiting for the peer's opening transaction".into(),
        ),
        Taker::AwaitingConfirmation { confirmed_at, .. } => {
            confirming(scene, *confirmed_at).unwrap_or((Stage::Confirming, "opening confirmed, checking it".into()))
        }
        Taker::PayingClaim { attempt, .. } => (Stage::Paying, describe_attempt(*attempt)),
        Taker::AbandoningPayment { reason, .. } => (
            Stage::Closing,
            format!("paying no further, making sure that no payment is under way: {reason}"),
        ),
        Taker::ClaimingInvoice { opening_gone: true, .. } => (
            Stage::Claiming,
            "paid, but a reorg took the opening out of the chain: publishing it and our claim again".into(),
        ),
        Taker::ClaimingInvoice { claims, .. } if claims.is_empty() => {
            (Stage::Claiming, "paid, signing our claim".into())
        }
        Taker::ClaimingInvoice { .. } => {
            let replaced = times("replaced", scene.trail.replaced.len());
            let words = format!("paid, our claim is published{replaced}, waiting for its confirmations");
            (Stage::Claiming, words)
        }
        Taker::CoopClosing { reason, sent, .. } => {
            let doing = if *sent {
                "the peer has our key"
            } else {
                "sending the peer our key"
            };
            (
                Stage::Closing,
                format!("not paid, {doing} to take its coins back: {reason}"),
            )
        }
    }
}

fn describe_attempt(attempt: Attempt) -> String {
    match attempt {
        Attempt::Calling(0 | 1) => "paying the claim invoice".into(),
        Attempt::Calling(number) => format!("paying the claim invoice (attempt {number})"),
        Attempt::Pausing { next, .. } => format!("the payment failed, attempt {next} comes next"),
    }
}

fn describe_outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::ClaimPaid { coins: Party::Peer } => "done: paid over Lightning".into(),
        Outcome::ClaimPaid { coins: Party::Us } => {
            "done: paid over Lightning, and the coins came back to us as well".into()
        }
        Outcome::ClaimedByInvoice => "done: paid, and the coins are ours".into(),
        Outcome::ClaimedByCoop => "not paid; the coins are back, with the peer's key".into(),
        Outcome::ClaimedByCsv => "not paid; the coins are back, after the timelock".into(),
        Outcome::CoopClosed { reason } => format!("not paid; the peer has our key for its coins: {reason}"),
        Outcome::Canceled { by: Party::Us, reason } => format!("canceled by this node: {reason}"),
        Outcome::Canceled {
            by: Party::Peer,
            reason,
        } => format!("canceled by the peer: {reason}"),
        Outcome::GivenUp { reason } => format!("canceled by this node: {reason}; its rescue file is kept"),
        Outcome::Lost { reason } => format!("COINS LOST: {reason}"),
    }
}

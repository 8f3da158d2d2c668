//! What comes next, by when, what comes of it if nothing happens, and what the operator may do.

use super::text::{grouped, lasting, ordinal, sats};
use super::{Scene, choices};
use crate::api::types::{Deadline, NextView};
use crate::swap::event::InvoiceStatus;
use crate::swap::may_be_given_up;
use crate::swap::state::{Attempt, GivenInvoice, Maker, Opened, Paying, Race, State, Taker, Voiding};
use crate::units::{Blocks, Height};

const NOTHING_AT_STAKE: &str = "the swap is canceled; nothing is at stake";

fn soon((brief, what): (&str, impl Into<String>), if_nothing_happens: impl Into<String>) -> NextView {
    NextView {
        what: what.into(),
        brief: brief.into(),
        deadline: None,
        if_nothing_happens: if_nothing_happens.into(),
        you_may: Vec::new(),
        by_itself: None,
    }
}

fn by(deadline: Deadline, what: (&str, impl Into<String>), if_nothing_happens: impl Into<String>) -> NextView {
    NextView {
        deadline: Some(deadline),
        ..soon(what, if_nothing_happens)
    }
}

/// None once the swap is closed.
pub(super) fn next(scene: &Scene) -> Option<NextView> {
    let next = expected(scene)?;
    Some(NextView {
        you_may: choices::of(scene),
        by_itself: choices::without_the_operator(scene).map(str::to_owned),
        ..next
    })
}

fn expected(scene: &Scene) -> Option<NextView> {
    match &scene.swap.state {
        State::Requested { deadline, .. } => Some(by(
            scene.by_time(*deadline),
            ("peer agrees", "the peer agrees and names its premium"),
            NOTHING_AT_STAKE,
        )),
        State::Maker(_, maker) => Some(next_maker(scene, maker)),
        State::Taker(_, taker) => Some(next_taker(scene, taker)),
        State::Canceling { until, .. } => Some(by(
            scene.by_time(*until),
            ("peer hears of it", "the peer hears of it"),
            "the swap is closed all the same; nothing is at stake",
        )),
        State::Closed(_) => None,
    }
}

impl Scene<'_> {
    /// The first tip at which an opening is not published any more.
    fn publish_before(&self) -> Height {
        let Height(end) = self.window_end();
        // as `too_late_to_open` judges: the confirmations and five blocks before the end of the window
        Height(end.saturating_sub(self.needed().0).saturating_sub(5))
    }

    /// When the maker's own way back opens: `from block …`.
    fn refund(&self) -> String {
        match self.refund_at() {
            Some(height) => format!("from {}", self.block(height)),
            None => {
                let csv = self.limits.map_or(Blocks(0), |limits| limits.csv);
                format!(
                    "{} blocks after it confirms (about {})",
                    grouped(csv.0),
                    lasting(self.time_of(csv))
                )
            }
        }
    }

    fn fee_lost(&self) -> String {
        let fee = self.trail.fee_invoice;
        fee.map_or(String::new(), |fee| {
            format!("; the fee of {} paid in advance is lost", sats(fee.to_sat()))
        })
    }

    fn needed_confirmation(&self) -> String {
        format!("{} confirmation", ordinal(self.needed().0))
    }

    fn claim_sats(&self) -> String {
        self.lightning_sat().map_or("the agreed amount".into(), sats)
    }
}

fn next_maker(scene: &Scene, maker: &Maker) -> NextView {
    match maker {
        Maker::AwaitingFee { fee } => {
            let asked = sats(scene.swap.terms.fees.fee_invoice.to_sat());
            let what = ("peer pays the fee", format!("the peer pays the fee invoice of {asked}"));
            let deadline = match fee {
                Some(fee) => scene.by_time(fee.expires_at),
                None => scene.by_height(scene.publish_before()),
            };
            by(deadline, what, NOTHING_AT_STAKE)
        }
        Maker::Funding { .. } => by(
            scene.by_height(scene.publish_before()),
            (
                "wallet signs the opening",
                "the wallet signs the opening transaction, and it is published",
            ),
            "the swap is canceled and the coins are free again",
        ),
        Maker::Publishing { .. } => by(
            scene.by_height(scene.publish_before()),
            ("network takes the opening", "the network takes the opening transaction"),
            "its coins are spent back to ourselves and the swap is canceled",
        ),
        Maker::Voiding(voiding) => next_voiding(scene, voiding),
        Maker::Opened(opened) => next_opened(scene, opened),
        Maker::ClaimingCoop { opened, .. } | Maker::ClaimingCsv { opened, .. }
            if opened.status == InvoiceStatus::Paid =>
        {
            soon(
                (
                    "claim or refund is final",
                    "the chain takes the peer's claim or our refund",
                ),
                "nothing is at stake for us: the peer has paid",
            )
        }
        Maker::ClaimingCoop { .. } => soon(
            ("refund becomes final", "our refund with both keys becomes final"),
            format!(
                "it is published again until it is; our own key alone takes the coins back {}",
                scene.refund()
            ),
        ),
        Maker::ClaimingCsv { .. } => soon(
            ("refund becomes final", "our refund becomes final"),
            "it is published again until it is; nobody else but a peer that paid can take the coins",
        ),
    }
}

fn next_voiding(scene: &Scene, voiding: &Voiding) -> NextView {
    let otherwise = format!(
        "should the opening confirm first, the swap goes on: the peer pays, or we take our coins back {}",
        scene.refund()
    );
    let back = "what is missing comes back, and the opening's coins are spent back to ourselves";
    let missing = ("missing input comes back", back);
    match voiding.race {
        Race::Open | Race::Void(_) => soon(
            (
                "our void becomes final",
                "our spend of the coins becomes final, and the swap is canceled",
            ),
            otherwise,
        ),
        Race::Opening(_) => soon(
            (
                "opening becomes final",
                "the opening becomes final, and the swap goes on",
            ),
            "should a reorganisation undo it, our spend of the coins decides",
        ),
        Race::Gone(since) => {
            let csv = scene.limits.map_or(Blocks(0), |limits| limits.csv);
            let otherwise = "the invoice is closed and the channel is free; the watch goes on";
            by(scene.by_height(since.plus(csv)), missing, otherwise)
        }
        Race::LongGone if may_be_given_up(voiding) => soon(
            missing,
            "the watch goes on; nothing else waits for it, and the channel is free",
        ),
        Race::LongGone => soon(
            (
                "invoice is closed",
                "our node closes the invoice, and the channel is free",
            ),
            back,
        ),
    }
}

fn next_opened(scene: &Scene, opened: &Opened) -> NextView {
    let refund = format!("we take our coins back {}", scene.refund());
    match opened.status {
        InvoiceStatus::Paid => soon(
            ("peer's claim becomes final", "the peer's claim becomes final"),
            match scene.refund_at() {
                Some(height) => format!("nothing is at stake for us; the swap closes at {}", scene.block(height)),
                None => "nothing is at stake for us; the swap closes by itself".into(),
            },
        ),
        InvoiceStatus::Closed => {
            let what = (
                "peer gives us its key",
                "the peer gives us its key, so that we need not wait",
            );
            match scene.refund_at() {
                Some(height) => by(scene.by_height(height), what, refund),
                None => soon(what, refund),
            }
        }
        InvoiceStatus::Open => {
            let paid = scene.claim_sats();
            let what = if scene.confirmations(opened.confirmed_at) < scene.needed() {
                format!("the peer pays {paid} at the {}", scene.needed_confirmation())
            } else {
                format!("the peer pays {paid}")
            };
            by(scene.by_height(scene.window_end()), ("peer pays", what), refund)
        }
    }
}

fn next_taker(scene: &Scene, taker: &Taker) -> NextView {
    match taker {
        Taker::PayingFee { fee, cancel, .. } => next_fee(scene, fee, cancel.is_some()),
        Taker::AwaitingOpening => by(
            scene.by_height(scene.window_end()),
            (
                "peer publishes the opening",
                "the peer publishes the opening transaction",
            ),
            match scene.trail.fee_invoice {
                Some(_) => format!("the swap is closed{}", scene.fee_lost()),
                None => "the swap is closed; nothing is at stake".into(),
            },
        ),
        Taker::AwaitingConfirmation { confirmed_at, .. } => next_confirmation(scene, *confirmed_at),
        Taker::PayingClaim { paying, attempt } => next_payment(scene, paying, *attempt),
        Taker::AbandoningPayment { .. } => next_certainty(scene),
        Taker::ClaimingInvoice { .. } => next_claim(scene),
        Taker::CoopClosing { offer: None, .. } => {
            let day = scene.limits.map_or(Blocks(0), |limits| limits.day);
            by(
                scene.by_height(scene.window_end().plus(day)),
                (
                    "time for openings passes",
                    "the time passes in which the peer may have opened without telling",
                ),
                "the swap is closed; nothing is at stake",
            )
        }
        Taker::CoopClosing { offer: Some(_), .. } => soon(
            (
                "peer takes its coins back",
                "the peer takes its coins back with our key",
            ),
            format!(
                "nothing is at stake for us; the peer takes its coins back alone {}",
                scene.refund()
            ),
        ),
    }
}

fn next_fee(scene: &Scene, fee: &GivenInvoice, ending: bool) -> NextView {
    let asked = fee.amount.map_or(0, |asked| asked.floor().to_sat());
    let deadline = scene.by_time(fee.expires_at);
    if ending {
        return by(
            deadline,
            (
                "fee payment's end is known",
                "our node says for certain what became of the fee payment",
            ),
            format!("the swap ends; at most the fee of {} is lost", sats(asked)),
        );
    }
    by(
        deadline,
        (
            "fee payment settles",
            format!("the fee payment of {} settles", sats(asked)),
        ),
        NOTHING_AT_STAKE,
    )
}

fn next_confirmation(scene: &Scene, confirmed_at: Option<Height>) -> NextView {
    let end = match (scene.limits, confirmed_at) {
        (Some(limits), Some(at)) => limits.pay_before(scene.swap.anchor, at),
        (_, None) | (None, _) => scene.window_end(),
    };
    let (paid, at) = (scene.claim_sats(), scene.needed_confirmation());
    by(
        scene.by_height(end),
        ("we pay", format!("pay the claim invoice of {paid} at the {at}")),
        format!(
            "nothing is paid; the peer takes its coins back with our key, or alone {}{}",
            scene.refund(),
            scene.fee_lost()
        ),
    )
}

/// What becomes of a payment of which no new attempt is made.
fn next_certainty(scene: &Scene) -> NextView {
    let what = (
        "payment's end is known",
        "our node says for certain what became of the payment",
    );
    let otherwise = format!(
        "our key stays here; if it was paid, the coins are claimed, if not, the peer takes them back {}",
        scene.refund()
    );
    match scene.refund_at() {
        Some(height) => by(scene.by_height(height), what, otherwise),
        None => soon(what, otherwise),
    }
}

fn next_claim(scene: &Scene) -> NextView {
    let what = ("claim becomes final", "our claim becomes final");
    match scene.refund_at() {
        Some(height) => by(
            scene.by_height(height),
            what,
            format!(
                "it is published again until it is; the peer could take the coins from {}",
                scene.block(height)
            ),
        ),
        None => soon(what, "opening and claim are published again until they are final"),
    }
}

fn next_payment(scene: &Scene, paying: &Paying, attempt: Attempt) -> NextView {
    let end = match scene.limits {
        Some(limits) => limits.pay_before(scene.swap.anchor, paying.confirmed_at),
        None => scene.window_end(),
    };
    let otherwise = format!(
        "no new attempt is made after that; once no payment can exist, the peer takes its coins back with our key, or \
         alone {}",
        scene.refund()
    );
    match attempt {
        Attempt::Calling(_) => by(
            scene.by_height(end),
            (
                "payment settles",
                format!(
                    "the payment of {} settles and our claim is published",
                    scene.claim_sats()
                ),
            ),
            otherwise,
        ),
        Attempt::Pausing { until, .. } => by(
            scene.by_time(until),
            ("payment is tried again", "the payment is tried again"),
            otherwise,
        ),
    }
}

//! From the machine's states to what a person reads. Pure.
//!
//! ```text
//! Swap (committed) + Trail (what it forgot) + Now ──► state in words, next step, deadline, what if nothing
//!                                                      happens, what the operator may do
//! ```
//!
//! Every match names every state: a new one must be put into words before it compiles.

mod choices;
mod next;
mod state;
pub mod text;

use std::time::Duration;

use super::types::{
    Deadline, OpeningSummary, OutcomeKind, OutcomeView, SpendSummary, Stage, SwapView, Timings, Until, VersionSummary,
};
use crate::swap::event::{InvoiceStatus, Now};
use crate::swap::state::{Maker, Outcome, Party, State, Swap, Taker};
use crate::swap::terms::Deal;
use crate::swap::timelocks::Timelocks;
use crate::trail::{Millis, Trail, Version};
use crate::units::{Blocks, Height, Msat, Timestamp};
use text::{grouped, lasting, rfc3339};

/// A swap as the operator sees it at that moment.
#[must_use]
pub fn view(swap: &Swap, trail: &Trail, now: Now) -> SwapView {
    let scene = Scene {
        swap,
        trail,
        now,
        limits: swap.terms.timelocks(),
    };
    let (terms, deal) = (&swap.terms, scene.deal());
    let (stage, state) = state::describe(&scene);
    SwapView {
        swap_id: swap.id,
        peer: swap.peer,
        channel: terms.scid,
        direction: swap.kind,
        role: swap.role,
        initiator: swap.is_initiator(),
        asset: terms.asset,
        asset_reason: trail.choice.clone(),
        amount_sat: terms.amount.to_sat(),
        premium_sat: deal.map(|deal| deal.premium.to_sat()),
        max_premium_sat: terms.premium_limit.to_sat(),
        chain_amount_sat: scene.chain_sat(),
        lightning_amount_sat: scene.lightning_sat(),
        fee_invoice_sat: trail.fee_invoice.map(|fee| fee.to_sat()),
        created_at: swap.created_at.0,
        created_at_text: rfc3339(swap.created_at),
        state,
        stage,
        confirmations: scene.confirmations(scene.confirmed_at()).0,
        confirmations_needed: scene.needed().0,
        settled: settled(&swap.state),
        outcome: match &swap.state {
            State::Closed(outcome) => Some(outcome_view(outcome)),
            State::Requested { .. } | State::Maker(..) | State::Taker(..) | State::Canceling { .. } => None,
        },
        next: next::next(&scene),
        opening: opening_summary(&scene),
        spend: spend_summary(trail),
        timings_ms: timings(trail),
    }
}

/// Whether what `swap_wait` waits for has come.
#[must_use]
pub fn has_reached(view: &SwapView, until: Until) -> bool {
    match until {
        Until::Closed => view.stage == Stage::Closed,
        Until::Settled => view.settled,
    }
}

/// What the words are made from.
struct Scene<'a> {
    swap: &'a Swap,
    trail: &'a Trail,
    now: Now,
    limits: Option<&'static Timelocks>,
}

impl Scene<'_> {
    fn deal(&self) -> Option<Deal> {
        match &self.swap.state {
            State::Maker(deal, _) | State::Taker(deal, _) => Some(*deal),
            State::Requested { .. } | State::Canceling { .. } | State::Closed(_) => self.trail.deal,
        }
    }

    fn chain_sat(&self) -> Option<u64> {
        let held = self.swap.terms.opening_amount(self.swap.kind, &self.deal()?);
        held.map(bitcoin::Amount::to_sat)
    }

    fn lightning_sat(&self) -> Option<u64> {
        let asked = self.swap.terms.claim_amount(self.swap.kind, &self.deal()?);
        asked.map(|asked| Msat::floor(asked).to_sat())
    }

    fn needed(&self) -> Blocks {
        self.limits.map_or(Blocks(0), |limits| limits.confirmations)
    }

    /// The block that holds the opening, as last seen.
    fn confirmed_at(&self) -> Option<Height> {
        let remembered = self.trail.opening.as_ref().and_then(|opening| opening.confirmed_at);
        match &self.swap.state {
            State::Maker(_, maker) => match maker {
                Maker::Opened(opened) | Maker::ClaimingCoop { opened, .. } | Maker::ClaimingCsv { opened, .. } => {
                    opened.confirmed_at
                }
                Maker::AwaitingFee { .. }
                | Maker::Funding { .. }
                | Maker::Publishing { .. }
                | Maker::Voiding { .. } => None,
            },
            State::Taker(_, taker) => match taker {
                Taker::AwaitingConfirmation { confirmed_at, .. } => *confirmed_at,
                Taker::PayingClaim { paying, .. } | Taker::AbandoningPayment { paying, .. } => {
                    Some(paying.confirmed_at)
                }
                Taker::ClaimingInvoice { opening_gone: true, .. } => None,
                Taker::ClaimingInvoice { .. } | Taker::CoopClosing { .. } => remembered,
                Taker::PayingFee { .. } | Taker::AwaitingOpening => None,
            },
            State::Requested { .. } | State::Canceling { .. } | State::Closed(_) => remembered,
        }
    }

    /// At most as many as are needed: more mean nothing. None are known while the chain does not answer.
    fn confirmations(&self, confirmed_at: Option<Height>) -> Blocks {
        let depth = match (confirmed_at, self.now.tip) {
            (Some(at), Some(tip)) => at.confirmations_at(tip).unwrap_or(Blocks(0)),
            // it was in a block when the swap was last looked at
            (Some(_), None) => Blocks(1),
            (None, _) => Blocks(0),
        };
        depth.min(self.needed())
    }

    fn window_end(&self) -> Height {
        let window = self.limits.map_or(Blocks(0), |limits| limits.window);
        self.swap.anchor.plus(window)
    }

    /// The first block that the maker's refund fits in.
    fn refund_at(&self) -> Option<Height> {
        let csv = self.limits?.csv;
        self.confirmed_at().map(|at| at.plus(csv))
    }

    fn time_of(&self, blocks: Blocks) -> Duration {
        self.swap.terms.asset.time_of(blocks)
    }

    /// `block 10,581 (about 6 d 23 h)`.
    fn block(&self, height: Height) -> String {
        let number = grouped(height.0);
        let Some(tip) = self.now.tip else {
            return format!("block {number}");
        };
        match height.0.checked_sub(tip.0) {
            None | Some(0) => format!("block {number} (now)"),
            Some(blocks) => format!("block {number} (about {})", lasting(self.time_of(Blocks(blocks)))),
        }
    }

    fn by_height(&self, height: Height) -> Deadline {
        let at = self.now.tip.map(|tip| {
            let blocks = Blocks(height.0.saturating_sub(tip.0));
            self.now.time.plus_secs(self.time_of(blocks).as_secs()).0
        });
        Deadline {
            height: Some(height.0),
            at,
            text: self.block(height),
        }
    }

    fn by_time(&self, at: Timestamp) -> Deadline {
        let text = match at.since(self.now.time) {
            Duration::ZERO => "now".into(),
            left => format!("in {}", lasting(left)),
        };
        Deadline {
            height: None,
            at: Some(at.0),
            text,
        }
    }
}

fn settled(state: &State) -> bool {
    match state {
        State::Requested { .. } | State::Canceling { .. } => false,
        State::Maker(_, maker) => match maker {
            Maker::Opened(opened) | Maker::ClaimingCoop { opened, .. } | Maker::ClaimingCsv { opened, .. } => {
                opened.status == InvoiceStatus::Paid
            }
            Maker::AwaitingFee { .. } | Maker::Funding { .. } | Maker::Publishing { .. } | Maker::Voiding { .. } => {
                false
            }
        },
        State::Taker(_, taker) => match taker {
            Taker::ClaimingInvoice { claims, .. } => !claims.is_empty(),
            Taker::PayingFee { .. }
            | Taker::AwaitingOpening
            | Taker::AwaitingConfirmation { .. }
            | Taker::PayingClaim { .. }
            | Taker::AbandoningPayment { .. }
            | Taker::CoopClosing { .. } => false,
        },
        State::Closed(_) => true,
    }
}

fn outcome_view(outcome: &Outcome) -> OutcomeView {
    let (kind, success, reason) = match outcome {
        Outcome::ClaimPaid { coins: Party::Peer } => (OutcomeKind::ClaimPaid, true, None),
        Outcome::ClaimPaid { coins: Party::Us } => {
            let reason = "the peer paid, and the coins came back to us as well";
            (OutcomeKind::ClaimPaid, true, Some(reason.to_owned()))
        }
        Outcome::ClaimedByInvoice => (OutcomeKind::ClaimedByInvoice, true, None),
        Outcome::ClaimedByCoop => (OutcomeKind::ClaimedByCoop, false, None),
        Outcome::ClaimedByCsv => (OutcomeKind::ClaimedByCsv, false, None),
        Outcome::CoopClosed { reason } => (OutcomeKind::CoopClosed, false, Some(reason.clone())),
        Outcome::Canceled { by, reason } => {
            let reason = match by {
                Party::Us => reason.clone(),
                Party::Peer => format!("the peer canceled: {reason}"),
            };
            (OutcomeKind::Canceled, false, Some(reason))
        }
        Outcome::GivenUp { reason } => (OutcomeKind::Canceled, false, Some(reason.clone())),
        Outcome::Lost { reason } => (OutcomeKind::Lost, false, Some(reason.clone())),
    };
    OutcomeView { kind, success, reason }
}

fn opening_summary(scene: &Scene) -> Option<OpeningSummary> {
    let facts = scene.trail.opening.as_ref()?;
    Some(OpeningSummary {
        txid: facts.txid,
        vout: facts.vout,
        height: scene.confirmed_at().map(|at| at.0),
        fee_sat: facts.cost.map(|cost| cost.fee.to_sat()),
        vsize: facts.cost.map(|cost| cost.vsize),
        discount_vsize: facts.cost.map(|cost| cost.discount_vsize),
        confidential: facts.confidential,
        pushes: scene.trail.pushes.iter().map(version_summary).collect(),
    })
}

/// What the chain shows, with what we know of our own; a claim of ours that the chain does not show yet is one too.
fn spend_summary(trail: &Trail) -> Option<SpendSummary> {
    let seen = trail.spend.as_ref();
    let claim = trail.claim.as_ref().filter(|_| seen.is_none_or(|spend| spend.ours));
    let kind = seen.map(|spend| &spend.path).or(claim.map(|claim| &claim.path))?;
    Some(SpendSummary {
        kind: kind.clone(),
        ours: seen.map_or(claim.is_some(), |spend| spend.ours),
        txid: claim.map(|claim| claim.txid),
        height: seen.map(|spend| spend.at.0),
        fee_sat: claim.map(|claim| claim.cost.fee.to_sat()),
        vsize: claim.map(|claim| claim.cost.vsize),
        discount_vsize: claim.map(|claim| claim.cost.discount_vsize),
        replaced: trail.replaced.iter().map(version_summary).collect(),
    })
}

fn version_summary(version: &Version) -> VersionSummary {
    VersionSummary {
        txid: version.txid,
        fee_sat: version.cost.fee.to_sat(),
        vsize: version.cost.vsize,
        discount_vsize: version.cost.discount_vsize,
    }
}

fn timings(trail: &Trail) -> Timings {
    let since = |mark: Option<Millis>| mark.map(|at| at.0.saturating_sub(trail.created.0));
    let marks = &trail.marks;
    Timings {
        agreed: since(marks.agreed),
        opening_published: since(marks.opening_published),
        confirmed: since(marks.confirmed),
        payment_started: since(marks.payment_started),
        paid: since(marks.paid),
        spend_published: since(marks.spend_published),
        closed: since(marks.closed),
    }
}

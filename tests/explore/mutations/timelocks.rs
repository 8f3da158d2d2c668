//! Each margin of `may_pay` one block too small.

use sluice::swap::event::{ChainView, Event, InvoiceKind, OpeningView};
use sluice::swap::state::{State, Swap, Taker};
use sluice::swap::timelocks::Timelocks;
use sluice::swap::{Effect, Now, Payee, Step, step, wants};
use sluice::units::{CltvDelta, Height};

fn less_one(height: Height) -> Height {
    Height(height.0 - 1)
}

/// The step, with a tip that is one block behind wherever it is the first one that `is_end` names.
fn behind_at(swap: &Swap, now: Now, event: &Event, is_end: fn(&Swap, &Timelocks, Height, Height) -> bool) -> Step {
    let Some(limits) = swap.terms.timelocks() else {
        return Step::Stay;
    };
    let is_claim = matches!(
        &swap.state,
        State::Taker(_, Taker::AwaitingConfirmation { .. } | Taker::PayingClaim { .. })
    );
    match event {
        Event::Chain(view) if is_claim => match view.opening {
            OpeningView::Confirmed { at, .. } if is_end(swap, limits, view.tip, at) => {
                let tip = less_one(view.tip);
                let now = Now { tip: Some(tip), ..now };
                step(swap, now, &Event::Chain(ChainView { tip, ..view.clone() }))
            }
            _ => step(swap, now, event),
        },
        _ => step(swap, now, event),
    }
}

pub fn decided_after_window(swap: &Swap, now: Now, event: &Event) -> Step {
    behind_at(swap, now, event, |swap, limits, tip, _| {
        tip == swap.anchor.plus(limits.window)
    })
}

pub fn decided_after_claimable(swap: &Swap, now: Now, event: &Event) -> Step {
    behind_at(swap, now, event, |_, limits, tip, at| {
        tip == at.plus(limits.claimable_blocks())
    })
}

fn pay(swap: &Swap, change: impl Fn(&mut Payee)) -> Vec<Effect> {
    let mut all = wants(swap);
    for effect in &mut all {
        if let Effect::Pay(payee) = effect
            && payee.kind == InvoiceKind::Claim
        {
            change(payee);
        }
    }
    all
}

/// The first tip at which the call must not begin any more, by limits that differ from the shipped ones.
fn called_by(swap: &Swap, change: fn(&mut Timelocks)) -> Vec<Effect> {
    let (State::Taker(_, Taker::PayingClaim { paying, .. }), Some(limits)) = (&swap.state, swap.terms.timelocks())
    else {
        return wants(swap);
    };
    let mut limits = *limits;
    change(&mut limits);
    let before = limits.pay_before(swap.anchor, paying.confirmed_at);
    pay(swap, |payee| payee.before = before)
}

pub fn called_after_window(swap: &Swap) -> Vec<Effect> {
    called_by(swap, |limits| limits.window.0 += 1)
}

pub fn called_with_less_pay_call(swap: &Swap) -> Vec<Effect> {
    called_by(swap, |limits| limits.pay_call.0 -= 1)
}

pub fn called_with_less_cltv(swap: &Swap) -> Vec<Effect> {
    called_by(swap, |limits| limits.total_cltv.0 -= 1)
}

pub fn called_with_less_claim_margin(swap: &Swap) -> Vec<Effect> {
    called_by(swap, |limits| limits.claim_margin.0 -= 1)
}

pub fn called_with_longer_csv(swap: &Swap) -> Vec<Effect> {
    called_by(swap, |limits| limits.csv.0 += 1)
}

/// Until the end of the window, however old the opening is.
pub fn called_by_window_only(swap: &Swap) -> Vec<Effect> {
    called_by(swap, |limits| limits.csv.0 *= 2)
}

/// For as long as the claim surely precedes a refund, however long ago the anchor was.
pub fn called_by_timelock_only(swap: &Swap) -> Vec<Effect> {
    called_by(swap, |limits| limits.window = limits.csv)
}

pub fn called_at_any_height(swap: &Swap) -> Vec<Effect> {
    pay(swap, |payee| payee.before = Height(u32::MAX))
}

pub fn htlc_one_block_longer(swap: &Swap) -> Vec<Effect> {
    pay(swap, |payee| {
        payee.max_cltv = payee.max_cltv.map(|CltvDelta(blocks)| CltvDelta(blocks + 1))
    })
}

pub fn htlc_of_any_length(swap: &Swap) -> Vec<Effect> {
    pay(swap, |payee| payee.max_cltv = None)
}

/// The timelock is counted from the block after the opening's.
pub fn timelock_one_block_later(swap: &Swap, now: Now, event: &Event) -> Step {
    let is_paying = matches!(&swap.state, State::Taker(_, Taker::PayingClaim { .. }));
    match event {
        Event::Chain(view) if is_paying => match &view.opening {
            OpeningView::Confirmed { at, verdict } if view.tip.0 > at.0 + 10 => {
                let opening = OpeningView::Confirmed {
                    at: Height(at.0 + 1),
                    verdict: verdict.clone(),
                };
                step(
                    swap,
                    now,
                    &Event::Chain(ChainView {
                        opening,
                        ..view.clone()
                    }),
                )
            }
            _ => step(swap, now, event),
        },
        _ => step(swap, now, event),
    }
}

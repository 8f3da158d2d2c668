//! Each margin of `may_pay`, by itself one block too small: in the decision to pay, in the bound of the call that follows
//! from it, or in both.

use sluice::swap::terms::Role;
use sluice::units::Asset;

use super::super::{Mutation, timelocks};
use super::{StepOf, WantsOf, of};
use crate::graph::Bounds;
use crate::rules::Invariant::{self, NeverPoorer, PaidInTime};
use crate::rules::{Rules, SHIPPED};

fn margin(asset: Asset, name: &'static str, rules: Rules, breaks: Option<Invariant>) -> Mutation {
    Mutation {
        asset,
        bounds: Bounds { faults: 0, bumps: 0 },
        breaks,
        ..of(Role::Taker, name, rules, NeverPoorer)
    }
}

fn decided(step: StepOf) -> Rules {
    Rules { step, ..SHIPPED }
}

fn called(wants: WantsOf) -> Rules {
    Rules { wants, ..SHIPPED }
}

fn both(step: StepOf, wants: WantsOf) -> Rules {
    Rules { step, wants, ..SHIPPED }
}

pub fn rows() -> Vec<Mutation> {
    let mut all = of_the_window();
    all.extend(of_the_timelock());
    all.extend(of_the_htlc());
    all
}

/// On Liquid it is always the window that comes first.
fn of_the_window() -> Vec<Mutation> {
    let longer = both(timelocks::decided_after_window, timelocks::called_after_window);
    let late = Some(PaidInTime);
    vec![
        margin(Asset::Btc, "may_pay: the window is one block longer", longer, late),
        margin(
            Asset::Lbtc,
            "may_pay: the window is one block longer, on Liquid",
            longer,
            late,
        ),
        margin(
            Asset::Btc,
            "may_pay: the window is one block longer for the decision (harmless: the call has its own bound)",
            decided(timelocks::decided_after_window),
            None,
        ),
        margin(
            Asset::Btc,
            "may_pay: the window is one block longer for the call",
            called(timelocks::called_after_window),
            late,
        ),
        margin(
            Asset::Lbtc,
            "may_pay: the window is one block longer for the call, on Liquid",
            called(timelocks::called_after_window),
            late,
        ),
        margin(
            Asset::Lbtc,
            "may_pay: only the timelock bounds the call, on Liquid",
            called(timelocks::called_by_timelock_only),
            late,
        ),
        margin(
            Asset::Btc,
            "may_pay: the call comes at any height",
            called(timelocks::called_at_any_height),
            late,
        ),
    ]
}

/// On Bitcoin the timelock is so short that its margins bind within the window.
fn of_the_timelock() -> Vec<Mutation> {
    let poorer = Some(NeverPoorer);
    let calls: [(&str, WantsOf); 5] = [
        (
            "may_pay: one block less between decision and HTLC",
            timelocks::called_with_less_pay_call,
        ),
        (
            "may_pay: one block less for the HTLC's life",
            timelocks::called_with_less_cltv,
        ),
        (
            "may_pay: one block less for an outage and the claim",
            timelocks::called_with_less_claim_margin,
        ),
        (
            "may_pay: the timelock has one block more",
            timelocks::called_with_longer_csv,
        ),
        (
            "may_pay: only the window bounds the call",
            timelocks::called_by_window_only,
        ),
    ];
    let mut all: Vec<Mutation> = calls
        .into_iter()
        .map(|(name, wants)| margin(Asset::Btc, name, called(wants), poorer))
        .collect();
    all.extend([
        margin(
            Asset::Btc,
            "may_pay: one block less in the decision (harmless: the call has its own bound)",
            decided(timelocks::decided_after_claimable),
            None,
        ),
        margin(
            Asset::Btc,
            "may_pay: one block less in decision and call",
            both(
                timelocks::decided_after_claimable,
                timelocks::called_with_less_claim_margin,
            ),
            poorer,
        ),
        margin(
            Asset::Btc,
            "may_pay: the timelock is counted from one block later",
            decided(timelocks::timelock_one_block_later),
            poorer,
        ),
    ]);
    all
}

fn of_the_htlc() -> Vec<Mutation> {
    let poorer = Some(NeverPoorer);
    vec![
        margin(
            Asset::Btc,
            "may_pay: the HTLC lives one block longer",
            called(timelocks::htlc_one_block_longer),
            poorer,
        ),
        margin(
            Asset::Lbtc,
            "may_pay: the HTLC lives one block longer, on Liquid (harmless: its window leaves days)",
            called(timelocks::htlc_one_block_longer),
            None,
        ),
        margin(
            Asset::Btc,
            "may_pay: the HTLC lives as long as the maker likes",
            called(timelocks::htlc_of_any_length),
            poorer,
        ),
        margin(
            Asset::Lbtc,
            "may_pay: the HTLC lives as long as the maker likes, on Liquid",
            called(timelocks::htlc_of_any_length),
            poorer,
        ),
    ]
}

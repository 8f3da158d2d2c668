//! Shortcuts before the opening.

use sluice::swap::terms::Kind;

use super::super::{Mutation, fee};
use super::{maker_steps, taker_steps, taker_wants};
use crate::rules::Invariant::{NeverPoorer, OneHtlc, PaidInTime};

pub fn rows() -> Vec<Mutation> {
    let of_swap_out = |mutation: Mutation| Mutation {
        kind: Kind::Out,
        ..mutation
    };
    let mut all: Vec<Mutation> = [
        taker_steps(
            "the fee counts as unpaid at a failure, although a lost call may still pay",
            fee::unpaid_on_failure,
            NeverPoorer,
        ),
        taker_steps(
            "the fee counts as unpaid when the node's answer is lost",
            fee::unpaid_on_lost_call,
            NeverPoorer,
        ),
        taker_steps(
            "the fee counts as unpaid when the operator aborts",
            fee::unpaid_on_abort,
            NeverPoorer,
        ),
        taker_steps(
            "a start does not wait for the call to pay the fee of the process before",
            fee::start_is_quiet,
            NeverPoorer,
        ),
        taker_wants(
            "a second attempt at the fee while the first is in flight",
            fee::second_attempt_while_in_flight,
            OneHtlc,
        ),
        taker_wants(
            "the fee is paid after the payment window",
            fee::paid_at_any_time,
            PaidInTime,
        ),
        taker_steps(
            "the fee is paid whatever it is",
            fee::agreement_not_looked_at,
            NeverPoorer,
        ),
        maker_steps(
            "the opening is funded before its fee is paid",
            fee::funded_before_the_fee,
            NeverPoorer,
        ),
    ]
    .map(of_swap_out)
    .into();
    all.push(maker_steps(
        "the premium is paid whatever it is",
        fee::agreement_not_looked_at,
        NeverPoorer,
    ));
    all
}

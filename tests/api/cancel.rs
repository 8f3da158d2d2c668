//! What is said to the wish to end a swap, which may move on before it hears of it.

use sluice::api::cancel::{Advice, done};
use sluice::api::error::ApiError;
use sluice::api::types::CancelAction;
use sluice::swap::state::Party;
use sluice::swap::{Kind, Outcome, Role, State, Swap, Taker};

use crate::fixtures::{MADE, claim, claiming, deal, offer, paying, swap};

fn out(state: State) -> Swap {
    swap(0xa1, Kind::Out, Role::Taker, state)
}

fn taker(taker: Taker) -> Swap {
    out(State::Taker(deal(), taker))
}

fn confirming() -> Swap {
    taker(Taker::AwaitingConfirmation {
        offer: offer(),
        confirmed_at: None,
    })
}

fn requested() -> Swap {
    let deadline = MADE.plus_secs(120);
    out(State::Requested { sent: true, deadline })
}

fn canceled() -> Swap {
    let (by, reason) = (Party::Us, "canceled by the operator".into());
    out(State::Closed(Outcome::Canceled { by, reason }))
}

fn action(before: &Swap, after: &Swap) -> (CancelAction, &'static str) {
    let Advice {
        action, explanation, ..
    } = done(before, after).unwrap();
    (action, explanation)
}

#[test]
fn a_swap_that_ended_is_canceled_and_says_what_was_at_stake() {
    let (action, explanation) = action(&requested(), &canceled());
    assert_eq!(action, CancelAction::Canceled);
    assert!(explanation.contains("nothing is at stake"), "{explanation}");
}

#[test]
fn a_swap_that_began_to_pay_meanwhile_is_only_noted() {
    let abandoning = taker(Taker::AbandoningPayment {
        paying: paying(),
        reason: "canceled by the operator".into(),
        since: MADE,
        spent: false,
    });
    let (action, explanation) = action(&confirming(), &abandoning);
    assert_eq!(action, CancelAction::Noted);
    assert!(explanation.contains("under way"), "{explanation}");
}

#[test]
fn a_swap_that_was_paid_meanwhile_is_not_canceled() {
    let paid = taker(claiming(vec![claim()], false));
    let error = done(&confirming(), &paid).unwrap_err();
    assert!(matches!(error, ApiError::NotCancelable { .. }), "{error}");
    assert!(error.to_string().contains("it is paid"), "{error}");
}

#[test]
fn a_swap_that_goes_on_is_not_said_to_end() {
    let error = done(&confirming(), &confirming()).unwrap_err();
    assert!(error.to_string().contains("ask again"), "{error}");
}

//! Opened, and in no block: the opening is pushed by a child that spends its change.

use sluice::swap::event::{EffectKind, Event, InvoiceStatus};
use sluice::swap::state::{Maker, State, Voiding};
use sluice::swap::terms::Kind;

use crate::fixtures::*;

/// In no block for ten blocks.
fn stuck() -> Case {
    Case::maker(Kind::Out).opened().on(in_mempool(101)).on(in_mempool(111))
}

const UNCONFIRMED: [&str; 4] = [
    "send opening",
    "broadcast opening",
    "watch claim invoice",
    "watch chain",
];

fn with(more: &[&'static str]) -> Vec<&'static str> {
    UNCONFIRMED.iter().chain(more).copied().collect()
}

#[test]
fn an_opening_that_waits_ten_blocks_is_pushed_and_stays_the_same() {
    let waiting = Case::maker(Kind::Out)
        .opened()
        .on(in_mempool(101))
        .ignores(in_mempool(110));
    waiting
        .wants(&UNCONFIRMED)
        .on(in_mempool(111))
        .wants(&with(&["make push"]));
    let pushed = stuck().on(made_push(1)).wants(&with(&["broadcast push"]));
    let again = pushed
        .on(in_mempool(112))
        .on(unseen(122))
        .wants(&with(&["broadcast push", "make push"]));
    let replaced = again.on(made_push(2)).wants(&with(&["broadcast push"]));
    assert_eq!(replaced.swap.newest_version(), Some(&claim(2)));
    replaced
        .on(seen(123, 123))
        .wants(&["send opening", "watch claim invoice", "watch chain"])
        .ignores(made_push(3));
}

#[test]
fn an_opening_that_cannot_be_pushed_now_may_be_later() {
    let refused = Event::Refused(EffectKind::MakePush, "it pays what the network asks for".into());
    let waiting = stuck().on(refused).wants(&UNCONFIRMED).ignores(in_mempool(120));
    waiting.on(in_mempool(121)).wants(&with(&["make push"]));
}

#[test]
fn what_is_said_of_a_push_means_nothing_once_the_opening_is_in_a_block() {
    let refused = Event::Refused(EffectKind::MakePush, "it is in a block".into());
    Case::maker(Kind::Out)
        .opened_and_confirmed()
        .ignores(refused)
        .ignores(made_push(1));
}

#[test]
fn an_opening_that_nobody_can_pay_for_any_more_is_not_pushed() {
    let late = Case::maker(Kind::Out).opened().on(in_mempool(159)).on(in_mempool(160));
    late.ignores(in_mempool(175)).wants(&UNCONFIRMED);
    stuck()
        .on(invoice_is(InvoiceStatus::Paid))
        .on(in_mempool(112))
        .wants(&["broadcast opening", "watch chain"]);
    let given_up = stuck().on(coop_close()).is("claiming_coop");
    given_up.wants(&[
        "broadcast opening",
        "cancel invoice",
        "watch claim invoice",
        "watch chain",
        "wake",
    ]);
}

#[test]
fn an_opening_is_pushed_at_once_when_the_operator_wishes() {
    let case = Case::maker(Kind::Out).opened().on(bump(None)).ignores(bump(None));
    case.wants(&with(&["make push"]))
        .on(made_push(1))
        .wants(&with(&["broadcast push"]));
    Case::maker(Kind::Out).opened_and_confirmed().ignores(bump(None));
}

#[test]
fn what_takes_a_pushed_openings_place_knows_of_its_child() {
    let voiding = stuck()
        .on(made_push(1))
        .on(invoice_is(InvoiceStatus::Closed))
        .on(in_mempool(160))
        .is("voiding");
    let State::Maker(_, Maker::Voiding(Voiding { children, .. })) = &voiding.swap.state else {
        panic!("{:?}", voiding.swap.state);
    };
    assert_eq!(children, &[claim(1)]);
}

#[test]
fn a_pushed_opening_that_wins_over_its_void_knows_of_its_child() {
    let voiding = stuck()
        .on(made_push(1))
        .on(invoice_is(InvoiceStatus::Closed))
        .on(in_mempool(160));
    let won = voiding.is("voiding").on(seen(162, 161)).is("opened");
    assert_eq!(won.swap.newest_version(), Some(&claim(1)));
}

//! Voiding: the maker takes back an opening that may not be used any more.

use sluice::swap::event::{EffectKind, Event, InvoiceStatus, TxKind};
use sluice::swap::fees::{Bumped, Stake};
use sluice::swap::state::{Maker, Race, State, Voiding};
use sluice::swap::terms::Kind;
use sluice::units::{Blocks, Height};

use crate::fixtures::*;

/// With a void that is out.
fn voided(kind: Kind) -> Case {
    let case = Case::maker(kind).voiding().on(made_void());
    case.wants(&["broadcast void", "watch chain"])
}

fn state(case: &Case) -> &Voiding {
    match &case.swap.state {
        State::Maker(_, Maker::Voiding(state)) => state,
        other => panic!("not voiding but {other:?}"),
    }
}

#[test]
fn whichever_of_opening_and_void_becomes_final_decides() {
    let voiding = voided(Kind::In)
        .ignores(made_void())
        .ignores(Event::Accepted(TxKind::Void));
    let first = voiding.clone().on(conflict(103, 103)).is("voiding");
    first
        .wants(&["broadcast void", "watch chain"])
        .on(conflict(104, 103))
        .ends("canceled, by: us");
    let won = voiding.on(seen(101, 101)).is("voiding").on(seen(102, 101)).is("opened");
    won.wants(&["send opening", "watch claim invoice", "watch chain"]);
}

#[test]
fn a_key_that_is_given_before_the_opening_wins_takes_its_coins_back() {
    let before = [
        Case::maker(Kind::Out).publishing().on(coop_close()),
        Case::maker(Kind::Out).voiding().on(coop_close()).ignores(coop_close()),
        voided(Kind::In).on(coop_close()),
    ];
    for voiding in before {
        let won = voiding.is("voiding").on(seen(101, 101)).on(seen(102, 101));
        won.is("claiming_coop")
            .wants(&["watch chain", "watch claim invoice", "cancel invoice", "wake"])
            .on(invoice_is(InvoiceStatus::Closed))
            .wants(&["watch chain", "make claim by both keys"]);
    }
    let late = Case::maker(Kind::In).voiding().on(coop_close());
    late.on(conflict(104, 103)).ends("canceled, by: us");
}

#[test]
fn a_key_that_is_not_the_takers_takes_nothing_back() {
    let wrong = || coop_close_with(other_key());
    let voiding = Case::maker(Kind::Out).publishing().on(wrong()).ignores(wrong());
    voiding.on(seen(102, 101)).is("opened");
}

#[test]
fn voiding_goes_on_whatever_is_said() {
    let case = Case::maker(Kind::In).voiding().ignores(abort()).ignores(cancel());
    case.on(coop_close())
        .is("voiding")
        .ignores(Event::Tick)
        .ignores(Event::Started)
        .wants(&["make void", "watch chain"]);
}

#[test]
fn a_void_that_waits_ten_blocks_is_replaced() {
    let waiting = voided(Kind::Out).on(unseen(101)).ignores(unseen(110));
    let stuck = waiting
        .on(in_mempool(111))
        .wants(&["broadcast void", "make void", "watch chain"]);
    let again = stuck.on(made_void_again(2)).wants(&["broadcast void", "watch chain"]);
    assert_eq!(again.swap.newest_version(), Some(&void(2)));
    // a reorg gives both another chance
    let back = again.on(conflict(112, 112)).on(unseen(113)).on(unseen(123));
    back.wants(&["broadcast void", "make void", "watch chain"])
        .on(conflict(124, 124))
        .wants(&["broadcast void", "watch chain"]);
}

#[test]
fn a_void_that_could_not_be_made_or_published_is_tried_again_and_says_why() {
    let refused = |what| Event::Refused(what, "the change is spent".into());
    let not_made = Case::maker(Kind::In)
        .voiding()
        .tip(105)
        .on(refused(EffectKind::MakeVoid))
        .wants(&["watch chain"])
        .ignores(refused(EffectKind::MakeVoid));
    assert_eq!(state(&not_made).hindrance.as_deref(), Some("the change is spent"));
    let made = not_made
        .on(unseen(106))
        .wants(&["make void", "watch chain"])
        .on(made_void());
    assert_eq!(state(&made).hindrance, None);
    let not_out = made
        .on(refused(EffectKind::Broadcast(TxKind::Void)))
        .wants(&["broadcast void", "watch chain"]);
    assert_eq!(state(&not_out).hindrance.as_deref(), Some("the change is spent"));
    assert_eq!(state(&not_out.on(Event::Accepted(TxKind::Void))).hindrance, None);
}

#[test]
fn a_void_is_replaced_at_once_when_the_operator_wishes() {
    Case::maker(Kind::Out).voiding().ignores(bump(None));
    let wished = voided(Kind::Out).on(bump(None)).ignores(bump(None));
    assert!(wished.swap.is_bumping());
    let replaced = wished
        .wants(&["broadcast void", "make void", "watch chain"])
        .on(made_void_again(2))
        .wants(&["broadcast void", "watch chain"]);
    for decided in [conflict(112, 112), seen(112, 112), gone(112)] {
        let decided = replaced.clone().on(decided).ignores(bump(None));
        assert!(!decided.swap.is_bumping());
    }
}

#[test]
fn a_void_saves_a_wait_and_has_no_deadline() {
    let case = voided(Kind::Out);
    let amount = case.swap.terms.opening_amount(Kind::Out, &deal()).unwrap();
    let stake = Stake {
        of: Bumped::Void,
        amount,
        left: None,
        stretch: Blocks(0),
    };
    assert_eq!(case.swap.stake(Some(Height(200))), Some(stake));
}

/// An input has been gone for as long as the timelock lasts.
fn long_gone() -> Case {
    let gone_once = voided(Kind::In).on(gone(200)).ignores(gone(201)).holds_channel(true);
    let csv = 10_080;
    gone_once.ignores(gone(200 + csv - 1)).on(gone(200 + csv))
}

#[test]
fn the_channel_is_free_once_an_input_has_been_gone_for_the_whole_timelock_and_nobody_can_pay() {
    let case = long_gone()
        .is("voiding")
        .ignores(gone(20_000))
        .ignores(abort())
        .holds_channel(true);
    let free = case
        .wants(&["broadcast void", "cancel invoice", "watch chain"])
        .on(invoice_is(InvoiceStatus::Closed));
    free.wants(&["broadcast void", "watch chain"]).holds_channel(false);
}

#[test]
fn what_is_missing_is_waited_for_until_the_operator_ends_it() {
    let free = long_gone().on(invoice_is(InvoiceStatus::Closed));
    free.clone().on(abort()).ends("given_up");
    free.clone().on(conflict(20_001, 20_000)).ends("canceled, by: us");
    let back = free.on(seen(20_000, 20_000)).on(seen(20_001, 20_000)).is("opened");
    back.holds_channel(false)
        .wants(&["watch chain"])
        .on(seen(30_079, 20_000))
        .is("claiming_csv");
}

#[test]
fn an_input_that_comes_back_is_not_gone_and_is_counted_from_anew() {
    let back = voided(Kind::In).on(gone(200)).on(unseen(300));
    assert_eq!(state(&back).race, Race::Open);
    let again = back.on(gone(301)).ignores(gone(200 + 10_080));
    assert_eq!(state(&again).race, Race::Gone(Height(301)));
    let long = again.on(gone(301 + 10_080));
    assert_eq!(state(&long).race, Race::LongGone);
    long.on(in_mempool(11_000)).wants(&["broadcast void", "watch chain"]);
}

#[test]
fn a_node_that_reads_its_chain_anew_shows_nothing_to_be_gone() {
    let case = voided(Kind::In).on(gone(9)).on(gone(99));
    assert_eq!(state(&case).race, Race::Open);
    assert_eq!(state(&case.on(gone(100))).race, Race::Gone(Height(100)));
    // what was counted on a longer chain is not counted on a shorter one
    let longer = voided(Kind::In).on(gone(9_000));
    let shorter = longer.clone().on(gone(150));
    assert_eq!(state(&shorter).race, Race::Gone(Height(150)));
    assert_eq!(state(&longer.on(gone(99))).race, Race::Open);
}

#[test]
fn a_void_of_an_earlier_release_which_names_no_cost_is_made_once_more() {
    let voided = voided(Kind::Out);
    let mut stored = serde_json::to_value(&voided.swap).unwrap();
    let fields = stored
        .pointer_mut("/state/maker/1/voiding")
        .unwrap()
        .as_object_mut()
        .unwrap();
    for added in ["voids", "progress", "hindrance", "race"] {
        assert!(fields.remove(added).is_some(), "{added}");
    }
    fields.insert("spend".into(), serde_json::to_value(void_tx()).unwrap());
    let swap = serde_json::from_value(stored).unwrap();
    let read = Case { swap, ..voided };
    read.wants(&["make void", "watch chain"])
        .on(made_void())
        .wants(&["broadcast void", "watch chain"]);
}

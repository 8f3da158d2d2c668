//! Questions about a swap that its state answers.

use sluice::swap::event::{Event, InvoiceStatus, PeerMessage};
use sluice::swap::state::{Maker, Offer, State, Taker};
use sluice::swap::terms::{Kind, Role};
use sluice::units::Asset;

use crate::fixtures::*;

fn maker(case: &Case) -> &Maker {
    match &case.swap.state {
        State::Maker(_, maker) => maker,
        other => panic!("{other:?}"),
    }
}

fn offered_to(case: &Case) -> Option<&Offer> {
    match &case.swap.state {
        State::Taker(_, taker) => Taker::offer(taker),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_direction_is_named_as_the_api_names_it() {
    assert_eq!([Kind::In, Kind::Out].map(|kind| kind.to_string()), ["in", "out"]);
}

#[test]
fn the_maker_of_a_swap_in_and_the_taker_of_a_swap_out_have_made_the_request() {
    for (role, kind, made) in [
        (Role::Maker, Kind::In, true),
        (Role::Maker, Kind::Out, false),
        (Role::Taker, Kind::In, false),
        (Role::Taker, Kind::Out, true),
    ] {
        let swap = Case::new(role, kind, Asset::Lbtc).swap;
        assert_eq!(swap.is_initiator(), made, "{role:?} of a swap-{kind:?}");
    }
}

#[test]
fn a_maker_knows_its_opening_once_it_is_signed_and_as_opened_once_it_is_out() {
    for case in [Case::maker(Kind::Out).awaiting_fee(), Case::maker(Kind::In).funding()] {
        assert_eq!(maker(&case).opening(), None);
        assert_eq!(maker(&case).opened(), None);
    }
    for case in [Case::maker(Kind::In).publishing(), Case::maker(Kind::In).voiding()] {
        assert_eq!(maker(&case).opening(), Some(&opening()));
        assert_eq!(maker(&case).opened(), None);
    }
    for case in [
        Case::maker(Kind::In).opened_and_confirmed(),
        Case::maker(Kind::In).claiming_coop(),
        Case::maker(Kind::In).claiming_csv(),
    ] {
        assert_eq!(maker(&case).opening(), Some(&opening()));
        let opened = maker(&case).opened().unwrap();
        assert_eq!(
            (&opened.opening, &opened.invoice),
            (&opening(), &own_invoice(sluice::swap::InvoiceKind::Claim))
        );
    }
}

#[test]
fn a_taker_knows_the_opening_from_its_verification_until_its_claim_is_final() {
    let opening_of = |case: &Case| match &case.swap.state {
        State::Taker(_, taker) => taker.opening().cloned(),
        other => panic!("{other:?}"),
    };
    let taker = || Case::taker(Kind::Out);
    let unverified = [
        taker().paying_fee(),
        taker().awaiting_opening(),
        taker().awaiting_confirmation(),
        taker().coop_closing(),
    ];
    for case in unverified {
        assert_eq!(opening_of(&case), None);
    }
    for case in [
        taker().paying_claim(),
        taker().abandoning_payment(),
        taker().claiming_invoice(),
    ] {
        assert_eq!(opening_of(&case), Some(opening_tx()));
    }
}

#[test]
fn a_taker_knows_what_was_announced_until_the_end() {
    let taker = || Case::taker(Kind::Out);
    let nothing = [
        taker().paying_fee(),
        taker().awaiting_opening(),
        taker().awaiting_opening().on(abort()),
    ];
    for case in nothing {
        assert_eq!(offered_to(&case), None);
    }
    let something = [
        taker().paying_fee().on(announced(Kind::Out, Asset::Lbtc)),
        taker().awaiting_confirmation(),
        taker().paying_claim(),
        taker().abandoning_payment(),
        taker().claiming_invoice(),
        taker().coop_closing(),
    ];
    for case in something {
        assert_eq!(offered_to(&case), Some(&offer(Kind::Out, Asset::Lbtc)));
    }
}

#[test]
fn another_announcement_does_not_take_the_place_of_the_first() {
    let other = || {
        Event::Peer(PeerMessage::Opening(Offer {
            txid: txid(7),
            ..offer(Kind::Out, Asset::Lbtc)
        }))
    };
    for case in [
        Case::taker(Kind::Out).awaiting_confirmation(),
        Case::taker(Kind::Out).paying_claim(),
        Case::taker(Kind::Out).coop_closing(),
    ] {
        case.ignores(other());
    }
    let early = Case::taker(Kind::Out)
        .paying_fee()
        .on(announced(Kind::Out, Asset::Lbtc));
    early.ignores(other());
}

#[test]
fn a_wish_for_another_version_is_open_until_that_is_made() {
    let refunding = |case: Case| case.on(invoice_is(InvoiceStatus::Closed)).on(made_claim(1));
    let cases = [
        (Case::maker(Kind::In).opened(), made_push(2)),
        (refunding(Case::maker(Kind::In).claiming_coop()), made_claim(2)),
        (refunding(Case::maker(Kind::In).claiming_csv()), made_claim(2)),
        (Case::taker(Kind::In).claiming_invoice(), made_claim(2)),
    ];
    for (case, made) in cases {
        assert!(!case.swap.is_bumping(), "{:?}", case.swap.state);
        let wished = case.on(bump(None));
        assert!(wished.swap.is_bumping(), "{:?}", wished.swap.state);
        let answered = wished.on(made);
        assert!(!answered.swap.is_bumping(), "{:?}", answered.swap.state);
        assert_eq!(answered.swap.newest_version(), Some(&claim(2)));
    }
    assert!(!Case::taker(Kind::In).paying_claim().swap.is_bumping());
}

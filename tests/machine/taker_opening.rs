//! AwaitingOpening and AwaitingConfirmation: the taker until it may pay.

use bitcoin::SignedAmount;
use sluice::swap::event::{Event, MessageKind, PeerMessage, SpendPath};
use sluice::swap::state::Offer;
use sluice::swap::terms::{Kind, Role};
use sluice::swap::{State, wants};
use sluice::units::{Asset, CltvDelta, Msat};

use crate::fixtures::*;

const KINDS: [Kind; 2] = [Kind::In, Kind::Out];

fn announced_with(kind: Kind, change: impl Fn(&mut Offer)) -> Event {
    let mut offer = offer(kind, Asset::Lbtc);
    change(&mut offer);
    Event::Peer(PeerMessage::Opening(offer))
}

#[test]
fn the_agreement_is_repeated_in_a_swap_in_and_was_said_by_the_maker_in_a_swap_out() {
    Case::taker(Kind::In)
        .awaiting_opening()
        .wants(&["send agreement", "watch chain"])
        .holds_channel(true);
    Case::taker(Kind::Out)
        .awaiting_opening()
        .wants(&["watch chain"])
        .holds_channel(true);
}

#[test]
fn a_good_announcement_is_watched_for_and_its_repetitions_mean_nothing() {
    for kind in KINDS {
        let case = Case::taker(kind)
            .awaiting_confirmation()
            .wants(&["watch chain"])
            .holds_channel(true);
        let other = announced_with(kind, |offer| offer.txid = txid(7));
        case.ignores(announced(kind, Asset::Lbtc))
            .ignores(other)
            .is("awaiting_confirmation");
    }
}

#[test]
fn an_announcement_that_breaks_the_agreement_gives_the_key_back() {
    type Change = fn(&mut Offer);
    let changes: [(&str, Change); 10] = [
        ("too high", |offer| offer.invoice.amount = Some(Msat(1_002_000_001))),
        ("too low", |offer| offer.invoice.amount = Some(Msat(1_001_999_999))),
        ("no amount", |offer| offer.invoice.amount = None),
        ("cltv", |offer| offer.invoice.final_cltv = CltvDelta(30)),
        ("payee", |offer| offer.invoice.payee = other_key()),
        ("us", |offer| offer.invoice.payee = our_node()),
        ("network", |offer| offer.invoice.our_network = false),
        ("expired", |offer| offer.invoice.expires_at = START),
        ("blinding key", |offer| offer.blinding_key = None),
        ("all", |offer| offer.invoice.amount = Some(Msat(u64::MAX))),
    ];
    for (what, change) in changes {
        let case = Case::taker(Kind::Out)
            .awaiting_opening()
            .on(announced_with(Kind::Out, change));
        assert!(is_key_given(&case.swap), "{what}");
    }
}

#[test]
fn a_final_cltv_of_29_is_taken_and_less_too() {
    for cltv in [1, 18, 29] {
        let offered = announced_with(Kind::In, |offer| offer.invoice.final_cltv = CltvDelta(cltv));
        Case::taker(Kind::In).on(offered).is("awaiting_confirmation");
    }
}

#[test]
fn on_bitcoin_a_final_cltv_of_503_is_taken_504_is_not_and_a_blinding_key_neither() {
    let bitcoin = |change: fn(&mut Offer)| {
        let mut offer = offer(Kind::In, Asset::Btc);
        change(&mut offer);
        Case::new(Role::Taker, Kind::In, Asset::Btc).on(Event::Peer(PeerMessage::Opening(offer)))
    };
    bitcoin(|_| ()).is("awaiting_confirmation");
    bitcoin(|offer| offer.invoice.final_cltv = CltvDelta(504)).is("coop_closing");
    bitcoin(|offer| offer.blinding_key = Some(peer_secret())).is("coop_closing");
}

#[test]
fn the_premium_is_in_the_claim_invoice_of_a_swap_out_and_in_the_opening_of_a_swap_in() {
    let claims = |kind: Kind, premium: i64, msat: u64| {
        let mut case = Case::taker(kind).awaiting_opening();
        if let State::Taker(deal, _) = &mut case.swap.state {
            deal.premium = SignedAmount::from_sat(premium);
        }
        case.on(announced_with(kind, |offer| offer.invoice.amount = Some(Msat(msat))))
            .is("awaiting_confirmation");
    };
    claims(Kind::Out, 1500, 1_001_500_000);
    claims(Kind::Out, -1500, 998_500_000);
    claims(Kind::In, 1500, 1_000_000_000);
    claims(Kind::In, -1500, 1_000_000_000);
}

#[test]
fn a_malformed_announcement_and_an_abort_give_the_key_back_and_a_cancel_just_ends() {
    for kind in KINDS {
        let awaiting = || Case::taker(kind).awaiting_opening();
        awaiting().on(malformed(MessageKind::Opening)).is("coop_closing");
        awaiting().on(abort()).is("coop_closing");
        awaiting().on(cancel()).ends("canceled, by: peer");
    }
}

#[test]
fn a_malformed_message_of_another_type_and_coop_close_mean_nothing_to_a_taker() {
    let case = Case::taker(Kind::In).awaiting_opening().ignores(coop_close());
    case.ignores(malformed(MessageKind::Agreement))
        .ignores(malformed(MessageKind::CoopClose))
        .ignores(Event::Started);
}

#[test]
fn a_maker_that_does_not_open_within_the_window_gets_the_key() {
    for kind in KINDS {
        Case::taker(kind)
            .awaiting_opening()
            .ignores(unseen(159))
            .on(unseen(160))
            .is("coop_closing");
    }
}

#[test]
fn payment_begins_at_the_second_confirmation_and_not_before() {
    let case = Case::taker(Kind::In)
        .awaiting_confirmation()
        .ignores(unseen(100))
        .ignores(in_mempool(101));
    case.on(seen(101, 101))
        .is("awaiting_confirmation")
        .on(seen(102, 101))
        .is("paying_claim");
}

#[test]
fn on_bitcoin_payment_begins_at_the_third_confirmation() {
    let case = Case::new(Role::Taker, Kind::Out, Asset::Btc).awaiting_confirmation();
    case.on(seen(102, 101))
        .is("awaiting_confirmation")
        .on(seen(103, 101))
        .is("paying_claim");
}

#[test]
fn a_reorg_before_payment_only_takes_the_confirmations_back() {
    let case = Case::taker(Kind::In)
        .awaiting_confirmation()
        .on(seen(101, 101))
        .on(unseen(101));
    case.on(seen(102, 102))
        .is("awaiting_confirmation")
        .on(seen(103, 102))
        .is("paying_claim");
}

#[test]
fn a_payment_may_begin_at_159_and_not_at_160() {
    let awaiting = || Case::taker(Kind::In).awaiting_confirmation();
    awaiting().on(seen(159, 158)).is("paying_claim");
    let late = awaiting().on(seen(160, 159)).is("coop_closing");
    assert_eq!(late.reason(), "the payment window is over");
    awaiting().on(seen(160, 160)).is("coop_closing");
    awaiting().on(unseen(160)).is("coop_closing");
}

#[test]
fn a_payment_does_not_begin_when_an_old_opening_could_be_refunded_before_the_claim() {
    // 6525 blocks are what a payment at the border needs; the swap's window is long open here.
    let mut case = Case::taker(Kind::In).awaiting_confirmation();
    case.swap.anchor = sluice::units::Height(20_000);
    case.clone().on(seen(20_000, 13_476)).is("paying_claim");
    case.on(seen(20_000, 13_475)).is("coop_closing");
}

#[test]
fn a_bad_or_spent_opening_gives_the_key_back_at_once() {
    let awaiting = || Case::taker(Kind::In).awaiting_confirmation();
    let bad = Event::Chain(view(101, confirmed_bad(101)));
    assert!(awaiting().on(bad).reason().contains("5001 sat"));
    awaiting().on(spent(102, 102, SpendPath::Csv, false)).is("coop_closing");
}

#[test]
fn an_invoice_that_expired_while_the_opening_confirmed_is_not_paid() {
    let awaiting = || Case::taker(Kind::In).awaiting_confirmation();
    awaiting().at(3599).on(seen(102, 101)).is("paying_claim");
    awaiting().at(3600).on(seen(102, 101)).is("coop_closing");
}

#[test]
fn a_cancel_or_an_abort_before_payment_gives_the_key_back() {
    for wish in [cancel(), abort()] {
        Case::taker(Kind::Out)
            .awaiting_confirmation()
            .on(wish)
            .is("coop_closing")
            .wants(&["send coop_close", "watch chain"]);
    }
}

#[test]
fn nothing_is_paid_before_the_opening_is_confirmed() {
    for case in [
        Case::taker(Kind::In).awaiting_opening(),
        Case::taker(Kind::Out).awaiting_confirmation(),
    ] {
        assert!(
            wants(&case.swap)
                .iter()
                .all(|effect| !effect_name(effect).starts_with("pay"))
        );
    }
}

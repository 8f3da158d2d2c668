//! PayingClaim and AbandoningPayment: the key stays here for as long as a payment may exist.

use sluice::swap::event::{EffectKind, Event, Failure, InvoiceKind, PaymentStatus, PeerMessage, SpendPath};
use sluice::swap::terms::{Kind, Role};
use sluice::swap::{Effect, wants};
use sluice::units::{Asset, CltvDelta, Height};

use crate::fixtures::*;

const KINDS: [Kind; 2] = [Kind::In, Kind::Out];

fn paying() -> Case {
    Case::taker(Kind::Out).paying_claim().on(made_claim(1))
}

fn payee(case: &Case) -> sluice::swap::Payee {
    let pay = wants(&case.swap).into_iter().find_map(|effect| match effect {
        Effect::Pay(payee) => Some(payee),
        _ => None,
    });
    pay.expect("a payment is wanted")
}

/// The swap in a state in which the key must not leave, with the clock and tip of the case.
#[track_caller]
fn keeps_the_key(case: Case) -> Case {
    assert!(!is_key_given(&case.swap), "{:?}", case.swap.state);
    case
}

fn refused(effect: EffectKind) -> Event {
    Event::Refused(effect, "no".into())
}

#[test]
fn no_payment_begins_before_the_claim_is_signed() {
    for kind in KINDS {
        let case = Case::taker(kind).paying_claim().holds_channel(true);
        let refused = case.clone().on(refused(EffectKind::MakeClaim));
        refused
            .is("abandoning_payment")
            .wants(&["watch claim payment", "watch chain"]);
        case.wants(&["make claim by preimage", "watch chain"])
            .on(made_claim(1))
            .wants(&["pay claim", "watch chain"]);
    }
}

#[test]
fn the_payment_is_bounded_by_33_blocks_of_bitcoin_and_the_end_of_the_window() {
    let payee = payee(&paying());
    assert_eq!(
        (payee.before, payee.max_cltv, payee.attempt),
        (Height(160), Some(CltvDelta(33)), 1)
    );
    assert_eq!(payee.invoice.amount, Some(due(Kind::Out)));
    let bitcoin = self::payee(
        &Case::new(Role::Taker, Kind::In, Asset::Btc)
            .paying_claim()
            .on(made_claim(1)),
    );
    assert_eq!(
        (bitcoin.before, bitcoin.max_cltv),
        (Height(101 + 354), Some(CltvDelta(507)))
    );
}

#[test]
fn a_payment_moves_on_to_the_claim_with_or_without_one_made() {
    paying()
        .on(paid(InvoiceKind::Claim))
        .wants(&["broadcast claim", "watch chain"]);
    // as records of earlier releases may have it
    Case::taker(Kind::Out)
        .paying_claim()
        .on(paid(InvoiceKind::Claim))
        .wants(&["make claim by preimage", "watch chain"])
        .holds_channel(false);
}

#[test]
fn a_preimage_that_does_not_fit_is_no_payment() {
    let wrong = || Event::Payment(InvoiceKind::Claim, PaymentStatus::Paid(preimage(InvoiceKind::Fee)));
    paying().ignores(wrong()).on(abort()).ignores(wrong());
}

#[test]
fn a_temporary_failure_is_tried_again_after_two_seconds_for_two_minutes() {
    let pausing = Case::taker(Kind::In).pausing().wants(&["wake", "watch chain"]);
    let again = pausing.at(1).ignores(Event::Tick).at(2).on(Event::Tick);
    assert_eq!(payee(&again).attempt, 2);
    let third = again.at(119).on(failed(Failure::Temporary)).at(121).on(Event::Tick);
    assert_eq!(
        third.is("abandoning_payment").reason(),
        "the claim payment failed until its time was over"
    );
    paying().at(120).on(failed(Failure::Temporary)).is("abandoning_payment");
}

#[test]
fn an_old_failure_told_again_in_a_pause_means_nothing() {
    Case::taker(Kind::In)
        .pausing()
        .ignores(failed(Failure::Temporary))
        .ignores(failed(Failure::NoBalance));
}

#[test]
fn no_attempt_begins_while_the_tip_is_not_known_or_the_window_is_over() {
    let pausing = Case::taker(Kind::In).pausing();
    pausing
        .clone()
        .at(2)
        .no_tip()
        .ignores(Event::Tick)
        .on(seen(110, 101))
        .is("paying_claim");
    pausing.clone().at(2).tip(159).on(Event::Tick).is("paying_claim");
    pausing.clone().at(2).tip(160).on(Event::Tick).is("abandoning_payment");
    pausing.on(seen(160, 101)).is("abandoning_payment");
}

/// A swap whose maker's invoice lives for a month.
fn with_a_long_invoice(asset: Asset) -> Case {
    let mut offered = offer(Kind::In, asset);
    offered.invoice.expires_at = START.plus_secs(30 * 86_400);
    let announced = Event::Peer(PeerMessage::Opening(offered));
    Case::new(Role::Taker, Kind::In, asset).awaiting_opening().on(announced)
}

#[test]
fn an_old_tip_starts_no_payment_however_long_the_invoice_lives() {
    for asset in [Asset::Lbtc, Asset::Btc] {
        let limit = limits(asset).pay_within_secs;
        let waiting = with_a_long_invoice(asset).is("awaiting_confirmation");
        // The daemon was away for days, and its chain node answers by a height inside the window.
        let tip = waiting.confirming_tip();
        let late = waiting.clone().at(limit).on(seen(tip, 101)).is("coop_closing");
        assert_eq!(late.reason(), "the payment window is over");
        let paying = waiting.at(limit - 1).on(seen(tip, 101)).is("paying_claim");
        let pausing = paying.on(failed(Failure::Temporary));
        pausing.clone().at(limit + 1).on(Event::Tick).is("abandoning_payment");
        pausing.at(limit).on(seen(tip, 101)).is("abandoning_payment");
    }
}

#[test]
fn a_call_that_is_wanted_begins_no_later_than_the_clock_allows() {
    for asset in [Asset::Lbtc, Asset::Btc] {
        let confirming = with_a_long_invoice(asset);
        let tip = confirming.confirming_tip();
        let until = payee(&confirming.on(seen(tip, 101)).on(made_claim(1)))
            .invoice
            .expires_at;
        assert_eq!(until, START.plus_secs(limits(asset).pay_within_secs));
        let honest = Case::new(Role::Taker, Kind::In, asset).paying_claim().on(made_claim(1));
        let honest = payee(&honest).invoice;
        assert_eq!(honest, claim_invoice(Kind::In, asset));
    }
}

#[test]
fn a_pausing_payment_is_tried_again_by_a_new_block_too() {
    let again = Case::taker(Kind::In).pausing().at(2).on(seen(103, 101));
    assert_eq!(payee(&again).attempt, 2);
}

#[test]
fn what_can_never_succeed_is_not_tried_again() {
    paying()
        .on(failed(Failure::NoBalance))
        .is("abandoning_payment")
        .wants(&["watch claim payment", "watch chain"]);
}

#[test]
fn a_payee_that_refuses_is_asked_again_for_two_minutes_because_our_node_may_be_behind() {
    let refused = paying().on(failed(Failure::WrongDetails));
    assert_eq!(payee(&refused.clone().at(2).on(Event::Tick)).attempt, 2);
    refused.at(120).on(Event::Tick).is("abandoning_payment");
}

#[test]
fn every_reason_to_stop_leads_to_abandoning_and_never_straight_to_the_key() {
    let bad = Event::Chain(view(102, confirmed_bad(101)));
    let reasons = [
        abort(),
        cancel(),
        refused(EffectKind::Pay(InvoiceKind::Claim)),
        refused(EffectKind::MakeClaim),
        unseen(102),
        in_mempool(102),
        seen(101, 101),
        bad,
        spent(103, 103, SpendPath::Csv, false),
    ];
    for reason in reasons {
        let case = keeps_the_key(paying().on(reason).is("abandoning_payment").holds_channel(true));
        case.on(paid(InvoiceKind::Claim)).is("claiming_invoice");
    }
}

#[test]
fn the_windows_end_does_not_stop_a_call_that_may_have_begun() {
    keeps_the_key(
        paying()
            .ignores(seen(160, 101))
            .ignores(seen(5000, 101))
            .is("paying_claim"),
    );
}

#[test]
fn a_reorg_that_moves_the_opening_moves_the_last_moment_to_pay() {
    let mut case = paying();
    case.swap.anchor = Height(6600);
    let moved = case.on(seen(110, 105));
    assert_eq!(payee(&moved).before, Height(105 + 6525));
}

#[test]
fn a_failure_is_proof_that_no_payment_exists() {
    let given = Case::taker(Kind::In)
        .abandoning_payment()
        .on(failed(Failure::Temporary))
        .is("coop_closing");
    assert!(is_key_given(&given.swap));
}

#[test]
fn a_failure_is_no_proof_before_calls_of_an_earlier_process_have_drained() {
    let restarted = paying().at(10).on(Event::Started).on(abort()).at(69);
    let waiting = keeps_the_key(restarted.ignores(failed(Failure::Temporary)));
    waiting.at(70).on(failed(Failure::Temporary)).is("coop_closing");
    let later = Case::taker(Kind::In).abandoning_payment().at(10).on(Event::Started);
    keeps_the_key(later.at(69).ignores(failed(Failure::NoBalance)))
        .at(70)
        .on(failed(Failure::NoBalance));
}

#[test]
fn a_failure_is_no_proof_while_a_call_whose_connection_broke_may_be_open() {
    for case in [paying(), Case::taker(Kind::Out).abandoning_payment()] {
        let lost = case
            .at(10)
            .on(Event::CallLost(InvoiceKind::Claim))
            .after(abort())
            .is("abandoning_payment");
        let waiting = keeps_the_key(lost.at(69).ignores(failed(Failure::NoBalance)));
        waiting.at(130).on(failed(Failure::NoBalance)).is("coop_closing");
    }
}

#[test]
fn calls_that_are_lost_again_and_again_are_noted_once_a_minute() {
    let lost = || Event::CallLost(InvoiceKind::Claim);
    paying()
        .at(10)
        .on(lost())
        .ignores(lost())
        .at(70)
        .ignores(lost())
        .at(71)
        .on(lost());
}

#[test]
fn an_absent_payment_is_no_proof_until_the_invoice_has_expired_or_half_an_hour_has_passed() {
    let short = || Case::taker(Kind::In).at(100).abandoning_payment();
    keeps_the_key(short().at(1899).ignores(absent()))
        .at(1900)
        .on(absent())
        .is("coop_closing");
    let late = Case::taker(Kind::In).at(3000).abandoning_payment();
    keeps_the_key(late.at(3599).ignores(absent()))
        .at(3600)
        .on(absent())
        .is("coop_closing");
}

#[test]
fn a_start_makes_the_half_hour_begin_again() {
    let restarted = Case::taker(Kind::In).abandoning_payment().at(1000).on(Event::Started);
    keeps_the_key(restarted.at(2859).ignores(absent()))
        .at(2860)
        .on(absent())
        .is("coop_closing");
}

#[test]
fn an_absent_payment_means_nothing_while_a_call_is_wanted() {
    keeps_the_key(paying().at(1_000_000).ignores(absent()));
}

#[test]
fn a_payment_that_was_in_flight_is_not_believed_to_be_absent() {
    for seen_where in [
        paying().on(in_flight()).ignores(in_flight()).on(abort()),
        Case::taker(Kind::Out).abandoning_payment().on(in_flight()),
    ] {
        let case = keeps_the_key(seen_where.at(10_000_000).ignores(absent()).on(Event::Started));
        case.at(20_000_000)
            .ignores(absent())
            .on(failed(Failure::Temporary))
            .is("coop_closing");
    }
}

#[test]
fn a_forgotten_payment_ends_once_the_openings_coins_are_gone_for_good() {
    let forgotten = paying().on(in_flight()).on(abort()).at(10_000_000).ignores(absent());
    let gone = |tip| spent(tip, 10_200, SpendPath::Csv, false);
    let waiting = keeps_the_key(forgotten.ignores(gone(10_200)).ignores(absent()).on(gone(10_201)));
    waiting
        .clone()
        .on(paid(InvoiceKind::Claim))
        .on(gone(10_202))
        .ends("lost");
    waiting
        .on(absent())
        .is("coop_closing")
        .on(gone(10_202))
        .ends("coop_closed");
}

#[test]
fn a_payment_in_flight_is_waited_for_past_every_deadline() {
    let case = Case::taker(Kind::In).abandoning_payment().on(in_flight());
    let case = case
        .at(100_000_000)
        .ignores(in_flight())
        .ignores(Event::Tick)
        .ignores(seen(20_000, 101));
    keeps_the_key(case).on(paid(InvoiceKind::Claim)).is("claiming_invoice");
}

#[test]
fn a_wish_of_anybody_does_not_hurry_the_key() {
    let case = Case::taker(Kind::In).abandoning_payment();
    keeps_the_key(
        case.ignores(cancel())
            .ignores(abort())
            .ignores(coop_close())
            .ignores(Event::Tick),
    );
}

#[test]
fn a_claim_that_was_made_late_is_kept_while_abandoning() {
    let case = Case::taker(Kind::In)
        .abandoning_payment()
        .on(made_claim(1))
        .on(paid(InvoiceKind::Claim));
    case.wants(&["broadcast claim", "watch chain"]);
}

/// Go PeerSwap, measured: killed 14 ms after the node had settled the payment, started again after 61 blocks, it
/// gave its key to the maker, and 1,000,000 sat with it.
#[test]
fn a_taker_that_was_killed_when_it_had_paid_claims_after_61_blocks() {
    for kind in KINDS {
        let back = Case::taker(kind)
            .paying_claim()
            .on(made_claim(1))
            .on(in_flight())
            .at(3660)
            .no_tip();
        let back = keeps_the_key(back.on(Event::Started).is("paying_claim"));
        let back = keeps_the_key(back.after(seen(163, 101)).after(Event::Tick));
        for late in [None, Some(refused(EffectKind::Pay(InvoiceKind::Claim)))] {
            let mut case = back.clone();
            if let Some(late) = late {
                case = keeps_the_key(case.on(late).is("abandoning_payment"));
            }
            let claiming = case
                .on(paid(InvoiceKind::Claim))
                .wants(&["broadcast claim", "watch chain"]);
            claiming
                .on(spent(165, 164, SpendPath::Preimage, true))
                .ends("claimed_by_invoice");
        }
    }
}

#[test]
fn a_taker_that_was_killed_before_its_node_knew_of_a_payment_waits_for_proof() {
    let back = paying().at(3660).no_tip().on(Event::Started).after(seen(163, 101));
    let late = back
        .on(refused(EffectKind::Pay(InvoiceKind::Claim)))
        .is("abandoning_payment");
    keeps_the_key(late.ignores(absent()))
        .at(3720)
        .on(absent())
        .is("coop_closing");
}

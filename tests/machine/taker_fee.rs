//! PayingFee: the taker of a swap-out pays the opening's fee in advance.

use sluice::swap::event::{EffectKind, Event, Failure, InvoiceKind, MessageKind, PaymentStatus, PeerMessage};
use sluice::swap::terms::Kind;
use sluice::swap::{Effect, wants};
use sluice::units::{Asset, CltvDelta, Height};

use crate::fixtures::*;

fn paying() -> Case {
    Case::taker(Kind::Out).paying_fee()
}

fn fee(status: PaymentStatus) -> Event {
    Event::Payment(InvoiceKind::Fee, status)
}

fn refused() -> Event {
    Event::Refused(EffectKind::Pay(InvoiceKind::Fee), "too late".into())
}

fn offered() -> Event {
    announced(Kind::Out, Asset::Lbtc)
}

#[test]
fn the_fee_is_paid_before_the_end_of_the_window_and_within_two_days() {
    let case = paying().wants(&["pay fee"]).holds_channel(true);
    let wanted = wants(&case.swap);
    let [Effect::Pay(payee)] = &wanted[..] else {
        panic!("{wanted:?}")
    };
    assert_eq!((payee.before, payee.max_cltv), (Height(150), Some(CltvDelta(288))));
}

#[test]
fn a_paid_fee_moves_on_to_the_opening() {
    paying().on(paid(InvoiceKind::Fee)).is("awaiting_opening");
}

#[test]
fn a_preimage_that_does_not_fit_the_fee_is_no_payment() {
    paying().ignores(fee(PaymentStatus::Paid(preimage(InvoiceKind::Claim))));
}

#[test]
fn an_opening_that_comes_before_the_fees_end_is_known_is_kept() {
    let case = paying().on(offered()).is("paying_fee").ignores(offered());
    case.on(paid(InvoiceKind::Fee)).is("awaiting_confirmation");
}

#[test]
fn a_bad_opening_that_comes_early_is_closed_as_soon_as_the_fee_is_paid() {
    let mut bad = offer(Kind::Out, Asset::Lbtc);
    bad.invoice.final_cltv = CltvDelta(30);
    paying()
        .on(Event::Peer(PeerMessage::Opening(bad)))
        .on(paid(InvoiceKind::Fee))
        .is("coop_closing");
}

#[test]
fn a_fee_that_cannot_be_paid_cancels() {
    for failure in [Failure::Temporary, Failure::NoBalance, Failure::WrongDetails] {
        paying().on(fee(PaymentStatus::Failed(failure))).is("canceling");
    }
    paying().on(refused()).is("canceling");
}

#[test]
fn a_fee_that_was_not_paid_is_told_with_its_reason() {
    let told = |status| paying().at(1_000_000).on(fee(status)).is("canceling").reason();
    for (status, reason) in [
        (
            PaymentStatus::Failed(Failure::Temporary),
            "the fee payment failed: the channel could not carry it",
        ),
        (
            PaymentStatus::Failed(Failure::NoBalance),
            "the fee payment failed: too little balance in the channel",
        ),
        (
            PaymentStatus::Failed(Failure::WrongDetails),
            "the fee payment failed: the payee refused it",
        ),
        (PaymentStatus::Absent, "the fee payment failed: it was never begun"),
    ] {
        assert_eq!(told(status), reason);
    }
}

#[test]
fn a_cancel_or_an_abort_is_acted_on_once_the_payment_is_certain() {
    let [by_peer, by_us] = [cancel(), abort()].map(|wish| paying().on(wish).is("paying_fee"));
    for case in [&by_peer, &by_us] {
        case.clone()
            .wants(&["watch fee payment"])
            .ignores(Event::Tick)
            .holds_channel(true);
    }
    by_peer
        .clone()
        .on(fee(PaymentStatus::Failed(Failure::Temporary)))
        .ends("canceled, by: peer");
    by_us
        .clone()
        .on(fee(PaymentStatus::Failed(Failure::Temporary)))
        .is("canceling");
    by_peer.on(paid(InvoiceKind::Fee)).ends("canceled, by: peer");
    by_us.on(paid(InvoiceKind::Fee)).is("coop_closing");
}

#[test]
fn a_cancel_after_an_opening_gives_the_key_back_once_the_fee_is_certain() {
    paying()
        .on(offered())
        .on(cancel())
        .on(paid(InvoiceKind::Fee))
        .is("coop_closing");
    paying()
        .on(malformed(MessageKind::Opening))
        .on(paid(InvoiceKind::Fee))
        .is("coop_closing");
}

#[test]
fn the_first_wish_to_stop_counts() {
    paying().on(cancel()).ignores(abort()).ignores(cancel());
}

#[test]
fn an_absent_fee_payment_is_believed_when_its_invoice_has_expired_or_after_half_an_hour() {
    let stopped = paying().on(abort());
    stopped
        .clone()
        .at(599)
        .ignores(fee(PaymentStatus::Absent))
        .at(600)
        .on(fee(PaymentStatus::Absent))
        .is("canceling");
    let mut long = stopped;
    if let sluice::swap::State::Taker(_, sluice::swap::Taker::PayingFee { fee, .. }) = &mut long.swap.state {
        fee.expires_at = START.plus_secs(100_000);
    }
    long.at(1799)
        .ignores(fee(PaymentStatus::Absent))
        .at(1800)
        .on(fee(PaymentStatus::Absent))
        .is("canceling");
}

#[test]
fn an_absent_fee_payment_that_was_in_flight_is_never_believed() {
    let seen = paying()
        .on(fee(PaymentStatus::InFlight))
        .ignores(fee(PaymentStatus::InFlight))
        .on(abort());
    seen.at(1_000_000)
        .ignores(fee(PaymentStatus::Absent))
        .on(paid(InvoiceKind::Fee))
        .is("coop_closing");
}

#[test]
fn after_a_start_a_failure_is_believed_when_no_call_of_before_can_be_open() {
    let failed = || fee(PaymentStatus::Failed(Failure::Temporary));
    let case = paying().at(10).on(Event::Started).at(69).on(failed()).is("paying_fee");
    case.wants(&["watch fee payment"])
        .ignores(failed())
        .at(70)
        .on(failed())
        .is("canceling");
}

#[test]
fn a_lost_call_keeps_a_refusal_from_being_the_end() {
    let lost = paying().at(10).on(Event::CallLost(InvoiceKind::Fee));
    let noted = lost.on(refused()).is("paying_fee").wants(&["watch fee payment"]);
    noted.clone().on(paid(InvoiceKind::Fee)).is("coop_closing");
    noted.at(600).on(fee(PaymentStatus::Absent)).is("canceling");
}

#[test]
fn what_is_said_of_the_claim_means_nothing_to_the_fee() {
    let case = paying()
        .ignores(paid(InvoiceKind::Claim))
        .ignores(Event::CallLost(InvoiceKind::Claim));
    case.ignores(Event::Refused(EffectKind::Pay(InvoiceKind::Claim), "no".into()))
        .ignores(seen(102, 101));
}

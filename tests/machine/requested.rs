//! Requested and Canceling: the states that maker and taker share.

use bitcoin::SignedAmount;
use sluice::swap::event::{EffectKind, Event, InvoiceKind, MessageKind, PeerMessage};
use sluice::swap::state::State;
use sluice::swap::terms::{Deal, Kind};
use sluice::units::{CltvDelta, Msat};

use crate::fixtures::*;

fn initiators() -> [Case; 2] {
    [Case::maker(Kind::In), Case::taker(Kind::Out)]
}

/// An agreement to a swap-out with that premium.
fn out_agreement(premium: i64) -> Event {
    agreement_of(
        Kind::Out,
        7,
        Deal {
            premium: SignedAmount::from_sat(premium),
            ..deal()
        },
    )
}

fn with_limit(limit: i64) -> Case {
    let mut case = Case::taker(Kind::Out);
    case.swap.terms.premium_limit = SignedAmount::from_sat(limit);
    case
}

#[test]
fn a_request_is_sent_once_and_then_waited_for() {
    for case in initiators() {
        let asked = case.wants(&["send request", "wake"]).holds_channel(true);
        asked
            .on(Event::Sent(MessageKind::Request))
            .wants(&["wake"])
            .ignores(Event::Sent(MessageKind::Request));
    }
}

#[test]
fn a_request_is_never_sent_again_after_a_start() {
    for case in initiators() {
        case.on(Event::Started)
            .is("requested")
            .wants(&["wake"])
            .ignores(Event::Started)
            .wants(&["wake"]);
    }
}

#[test]
fn a_request_that_nobody_answers_is_cancelled_at_its_deadline_also_after_a_start() {
    for case in initiators() {
        let waiting = case.after(Event::Started).at(DEADLINE_SECS - 1).ignores(Event::Tick);
        waiting
            .at(DEADLINE_SECS)
            .on(Event::Tick)
            .is("canceling")
            .wants(&["send cancel", "wake"]);
    }
}

#[test]
fn a_request_that_cannot_be_sent_is_cancelled() {
    for case in initiators() {
        case.on(Event::Refused(EffectKind::Send, "peer is offline".into()))
            .is("canceling")
            .holds_channel(false);
    }
}

#[test]
fn a_cancel_ends_a_request_and_an_abort_tells_the_peer_first() {
    for case in initiators() {
        case.clone().on(cancel()).ends("canceled, by: peer");
        case.on(abort())
            .is("canceling")
            .on(Event::Sent(MessageKind::Cancel))
            .ends("canceled, by: us");
    }
}

#[test]
fn an_agreement_moves_the_maker_to_funding_and_the_taker_to_the_fee() {
    Case::maker(Kind::In)
        .on(agreement(Kind::In))
        .is("funding")
        .holds_channel(true);
    Case::taker(Kind::Out)
        .on(agreement(Kind::Out))
        .is("paying_fee")
        .holds_channel(true);
}

#[test]
fn an_agreement_of_the_wrong_kind_means_nothing() {
    Case::maker(Kind::In).ignores(agreement(Kind::Out));
    Case::taker(Kind::Out).ignores(agreement(Kind::In));
}

#[test]
fn a_second_agreement_means_nothing() {
    Case::maker(Kind::In).funding().ignores(agreement(Kind::In));
    Case::taker(Kind::Out).paying_fee().ignores(agreement(Kind::Out));
}

#[test]
fn an_agreement_of_another_version_is_cancelled() {
    for version in [0, 5, 6, 8, 255] {
        let case = Case::taker(Kind::Out)
            .on(agreement_of(Kind::Out, version, deal()))
            .is("canceling");
        assert!(
            case.reason().contains(&format!("version {version}")),
            "{}",
            case.reason()
        );
        Case::maker(Kind::In)
            .on(agreement_of(Kind::In, version, deal()))
            .is("canceling");
    }
}

#[test]
fn a_premium_is_agreed_to_up_to_the_limit_and_not_a_satoshi_more() {
    for (limit, premium, agreed) in [
        (2000, 2000, true),
        (2000, 2001, false),
        (2000, 0, true),
        (2000, -1, true),
        (0, 0, true),
        (0, 1, false),
        (-150, -150, true),
        (-150, -151, true),
        (-150, -149, false),
        (-150, 0, false),
    ] {
        let case = with_limit(limit).on(out_agreement(premium));
        case.is(if agreed { "paying_fee" } else { "canceling" });
    }
}

#[test]
fn a_premium_that_leaves_nothing_to_swap_is_cancelled() {
    // With the last of them the opening is what it would be, and the claim invoice more than any invoice can ask for.
    for premium in [-1_000_000, -1_000_001, i64::MIN, i64::MAX, i64::MAX - 1_000_000] {
        with_limit(i64::MAX).on(out_agreement(premium)).is("canceling");
    }
    with_limit(0).on(out_agreement(-999_999)).is("paying_fee");
}

#[test]
fn an_agreement_with_our_own_key_is_cancelled() {
    let repeated = Deal {
        peer_key: our_key(),
        ..deal()
    };
    Case::maker(Kind::In)
        .on(agreement_of(Kind::In, 7, repeated))
        .is("canceling");
    Case::taker(Kind::Out)
        .on(agreement_of(Kind::Out, 7, repeated))
        .is("canceling");
}

#[test]
fn a_fee_invoice_is_paid_only_if_it_is_what_was_agreed() {
    let agreed = |change: &dyn Fn(&mut sluice::swap::state::GivenInvoice)| {
        let mut fee = fee_invoice();
        change(&mut fee);
        Case::taker(Kind::Out).on(Event::Peer(PeerMessage::OutAgreement {
            version: 7,
            deal: deal(),
            fee,
        }))
    };
    agreed(&|fee| fee.amount = Some(Msat(225_000))).is("paying_fee");
    agreed(&|fee| fee.amount = Some(Msat(225_001))).is("canceling");
    agreed(&|fee| fee.amount = Some(Msat(u64::MAX))).is("canceling");
    agreed(&|fee| fee.amount = None).is("canceling");
    agreed(&|fee| fee.payee = other_key()).is("canceling");
    agreed(&|fee| fee.our_network = false).is("canceling");
    agreed(&|fee| fee.expires_at = START).is("canceling");
    agreed(&|fee| fee.expires_at = START.plus_secs(1)).is("paying_fee");
    agreed(&|fee| fee.final_cltv = CltvDelta(144)).is("paying_fee");
    agreed(&|fee| fee.final_cltv = CltvDelta(2016)).is("canceling");
}

#[test]
fn a_malformed_agreement_is_cancelled_and_other_malformed_messages_mean_nothing() {
    for case in initiators() {
        let [agreement, opening] = [MessageKind::Agreement, MessageKind::Opening].map(malformed);
        case.ignores(opening).on(agreement).is("canceling");
    }
}

#[test]
fn messages_out_of_order_mean_nothing_to_a_request() {
    for case in initiators() {
        let kind = case.swap.kind;
        let offered = announced(kind, case.swap.terms.asset);
        case.ignores(offered)
            .ignores(coop_close())
            .ignores(paid(InvoiceKind::Claim))
            .ignores(made_opening());
    }
}

#[test]
fn a_cancellation_is_told_for_ten_minutes_at_most() {
    let canceling = Case::taker(Kind::Out).on(abort()).is("canceling").holds_channel(false);
    let waiting = canceling.clone().ignores(Event::Started).at(599).ignores(Event::Tick);
    waiting.at(600).on(Event::Tick).ends("canceled, by: us");
    canceling.clone().on(cancel()).ends("canceled, by: us");
    canceling
        .on(Event::Refused(EffectKind::Send, "no such peer".into()))
        .ends("canceled, by: us");
}

#[test]
fn a_late_agreement_does_not_revive_a_cancelled_swap() {
    Case::taker(Kind::Out)
        .on(abort())
        .ignores(agreement(Kind::Out))
        .ignores(announced_out());
}

fn announced_out() -> Event {
    announced(Kind::Out, sluice::units::Asset::Lbtc)
}

#[test]
fn a_closed_swap_changes_no_more_and_wants_nothing() {
    let closed = Case::taker(Kind::Out).on(cancel());
    let closed = closed
        .ignores(agreement(Kind::Out))
        .ignores(announced_out())
        .ignores(Event::Started);
    closed
        .ignores(paid(InvoiceKind::Claim))
        .ignores(seen(102, 101))
        .ignores(abort())
        .wants(&[]);
}

#[test]
fn a_record_whose_version_has_no_timelocks_does_nothing() {
    let mut case = Case::taker(Kind::Out);
    case.swap.terms.version = 6;
    assert!(matches!(case.swap.state, State::Requested { .. }));
    case.ignores(agreement(Kind::Out)).ignores(cancel()).wants(&[]);
}

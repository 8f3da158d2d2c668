//! AwaitingFee, Funding, Publishing, Voiding: the maker until its opening is with the network.

use sluice::swap::event::{EffectKind, Event, InvoiceKind, InvoiceStatus, Made, MessageKind, TxKind};
use sluice::swap::state::OwnInvoice;
use sluice::swap::terms::{Kind, Role};
use sluice::swap::{Effect, wants};
use sluice::units::{Asset, CltvDelta, Msat};

use crate::fixtures::*;

const KINDS: [Kind; 2] = [Kind::In, Kind::Out];

fn fee(status: InvoiceStatus) -> Event {
    Event::Invoice(InvoiceKind::Fee, status)
}

fn refused(effect: EffectKind) -> Event {
    Event::Refused(effect, "no".into())
}

#[test]
fn the_agreement_is_repeated_with_the_fee_invoice_once_that_is_made() {
    let case = Case::maker(Kind::Out)
        .wants(&["make fee invoice", "watch chain"])
        .holds_channel(true);
    let case = case
        .on(made_invoice(InvoiceKind::Fee))
        .ignores(made_invoice(InvoiceKind::Fee))
        .holds_channel(true);
    case.wants(&["send agreement", "watch fee invoice", "watch chain"])
        .ignores(Event::Started);
}

#[test]
fn another_fee_invoice_does_not_take_the_place_of_the_one_that_the_taker_has() {
    let other = OwnInvoice {
        bolt11: "another".into(),
        ..own_invoice(InvoiceKind::Fee)
    };
    let made = Event::Made(Made::Invoice(InvoiceKind::Fee, other));
    Case::maker(Kind::Out).awaiting_fee().ignores(made);
}

#[test]
fn the_fee_invoice_asks_for_the_fee_for_ten_minutes() {
    assert!(wants(&Case::maker(Kind::Out).swap).contains(&Effect::MakeInvoice {
        kind: InvoiceKind::Fee,
        amount: Msat(225_000),
        expiry_secs: 600,
        final_cltv: None,
    }));
}

#[test]
fn a_paid_fee_begins_the_funding() {
    Case::maker(Kind::Out)
        .awaiting_fee()
        .ignores(fee(InvoiceStatus::Open))
        .on(fee(InvoiceStatus::Paid))
        .is("funding");
}

#[test]
fn a_fee_that_is_not_paid_in_time_cancels() {
    let awaiting = || Case::maker(Kind::Out).awaiting_fee();
    awaiting().on(fee(InvoiceStatus::Closed)).is("canceling");
    awaiting().ignores(unseen(152)).on(unseen(153)).is("canceling");
    awaiting().on(abort()).is("canceling");
    Case::maker(Kind::Out)
        .on(refused(EffectKind::MakeInvoice))
        .is("canceling");
    Case::maker(Kind::Out).on(unseen(153)).is("canceling");
}

#[test]
fn a_taker_that_gives_up_before_anything_is_published_just_ends_the_swap() {
    for end in [cancel(), coop_close(), coop_close_with(other_key())] {
        Case::maker(Kind::Out)
            .awaiting_fee()
            .on(end.clone())
            .ends("canceled, by: peer");
        for kind in KINDS {
            Case::maker(kind).funding().on(end.clone()).ends("canceled, by: peer");
        }
    }
}

#[test]
fn the_invoice_is_made_before_the_opening() {
    Case::maker(Kind::In)
        .funding()
        .wants(&["make claim invoice", "watch chain", "wake"])
        .ignores(made_opening());
    let invoiced = Case::maker(Kind::In).funding().on(made_invoice(InvoiceKind::Claim));
    let invoiced = invoiced
        .ignores(made_invoice(InvoiceKind::Claim))
        .ignores(made_invoice(InvoiceKind::Fee));
    invoiced
        .wants(&["make opening", "watch chain", "wake"])
        .holds_channel(true);
    Case::maker(Kind::Out)
        .funding()
        .wants(&["make claim invoice", "watch chain"]);
}

#[test]
fn the_claim_invoice_asks_for_the_agreed_amount_and_the_longest_final_cltv() {
    for (kind, asset, final_cltv, expiry_secs) in [
        (Kind::In, Asset::Lbtc, 29, 3600),
        (Kind::Out, Asset::Lbtc, 29, 3600),
        (Kind::In, Asset::Btc, 503, 86_400),
    ] {
        let case = Case::new(Role::Maker, kind, asset).funding();
        assert!(wants(&case.swap).contains(&Effect::MakeInvoice {
            kind: InvoiceKind::Claim,
            amount: due(kind),
            expiry_secs,
            final_cltv: Some(CltvDelta(final_cltv)),
        }));
    }
}

#[test]
fn funding_that_is_refused_or_aborted_cancels() {
    for event in [
        refused(EffectKind::MakeInvoice),
        refused(EffectKind::MakeOpening),
        abort(),
    ] {
        Case::maker(Kind::In).funding().on(event).is("canceling");
    }
}

#[test]
fn a_malformed_message_does_not_stop_a_maker() {
    for kind in [
        MessageKind::Cancel,
        MessageKind::CoopClose,
        MessageKind::Opening,
        MessageKind::Agreement,
    ] {
        Case::maker(Kind::In).funding().ignores(malformed(kind));
        Case::maker(Kind::In).publishing().ignores(malformed(kind));
        Case::maker(Kind::In).opened().ignores(malformed(kind));
    }
}

#[test]
fn on_swap_in_nothing_is_funded_nine_minutes_after_the_agreement() {
    let funding = || Case::maker(Kind::In).funding().on(made_invoice(InvoiceKind::Claim));
    funding().at(539).on(made_opening()).is("publishing");
    funding().at(540).on(made_opening()).is("canceling");
    funding()
        .at(539)
        .ignores(Event::Tick)
        .at(540)
        .on(Event::Tick)
        .is("canceling");
    Case::maker(Kind::In).publishing().at(540).on(Event::Tick).is("voiding");
}

#[test]
fn nothing_is_published_whose_invoice_is_about_to_expire() {
    // it lives for a day here; a quarter of an hour must be left on Liquid, where an hour is usual, and six hours on Bitcoin
    for (asset, last) in [(Asset::Lbtc, 85_499), (Asset::Btc, 64_799)] {
        let maker = || Case::new(Role::Maker, Kind::Out, asset);
        let funding = || maker().funding().on(made_invoice(InvoiceKind::Claim));
        funding().at(last).on(made_opening()).is("publishing");
        funding().at(last + 1).on(made_opening()).is("canceling");
        funding()
            .at(last)
            .ignores(Event::Tick)
            .at(last + 1)
            .on(Event::Tick)
            .is("canceling");
        maker()
            .publishing()
            .at(last)
            .ignores(Event::Tick)
            .at(last + 1)
            .on(Event::Tick)
            .is("voiding");
        let back = maker().publishing().on(Event::Started);
        back.at(last + 1).on(unseen(120)).is("voiding");
    }
}

#[test]
fn on_swap_out_the_taker_waits_for_the_window_and_so_does_the_maker() {
    let funding = || Case::maker(Kind::Out).funding().on(made_invoice(InvoiceKind::Claim));
    funding().at(85_499).tip(152).on(made_opening()).is("publishing");
    funding().tip(153).on(made_opening()).is("canceling");
    funding().ignores(unseen(152)).on(unseen(153)).is("canceling");
}

#[test]
fn an_opening_is_published_only_once_it_is_committed() {
    let names = |case: &Case| wants(&case.swap).iter().map(effect_name).collect::<Vec<_>>();
    let funding = Case::maker(Kind::In).funding().on(made_invoice(InvoiceKind::Claim));
    assert!(!names(&funding).contains(&"broadcast opening".into()));
    funding
        .on(made_opening())
        .wants(&["broadcast opening", "watch chain", "wake"])
        .holds_channel(true);
}

#[test]
fn an_opening_that_the_network_has_is_announced() {
    for there in [Event::Accepted(TxKind::Opening), in_mempool(100), seen(101, 101)] {
        let opened = Case::maker(Kind::In)
            .publishing()
            .on(there)
            .is("opened")
            .holds_channel(true);
        assert!(sends(&opened.swap, |message| matches!(
            message,
            sluice::swap::Outgoing::Opening
        )));
    }
}

#[test]
fn an_opening_that_is_refused_late_or_unwanted_is_voided() {
    let publishing = || Case::maker(Kind::Out).publishing();
    let no = refused(EffectKind::Broadcast(TxKind::Opening));
    for event in [no, abort(), cancel(), coop_close(), unseen(153)] {
        publishing()
            .on(event)
            .is("voiding")
            .wants(&["make void", "watch chain"])
            .holds_channel(true);
    }
    publishing()
        .ignores(unseen(152))
        .ignores(refused(EffectKind::Broadcast(TxKind::Claim)));
}

#[test]
fn after_a_start_an_opening_is_published_only_when_the_chain_has_shown_that_it_is_not_late() {
    let back = || {
        Case::maker(Kind::In)
            .publishing()
            .at(10_000)
            .no_tip()
            .on(Event::Started)
            .wants(&["watch chain"])
    };
    back()
        .ignores(Event::Started)
        .ignores(Event::Tick)
        .on(unseen(110))
        .is("voiding");
    back().on(in_mempool(110)).is("opened");
    back().on(seen(110, 101)).is("opened");
    let early = Case::maker(Kind::In).publishing().at(100).no_tip().on(Event::Started);
    early
        .on(unseen(101))
        .is("publishing")
        .wants(&["broadcast opening", "watch chain", "wake"]);
    Case::maker(Kind::Out)
        .publishing()
        .at(10_000)
        .on(Event::Started)
        .on(unseen(153))
        .is("voiding");
}

//! Opened, ClaimingCoop, ClaimingCsv: the maker's coins are in the opening.

use sluice::swap::event::{EffectKind, Event, InvoiceKind, InvoiceStatus, SpendPath, TxKind};
use sluice::swap::terms::{Kind, Role};
use sluice::units::Asset;

use crate::fixtures::*;

/// The first tip from which a refund of an opening in block 101 fits.
const MATURE: u32 = 10_180;

fn opened() -> Case {
    Case::maker(Kind::Out).opened_and_confirmed()
}

fn open() -> Event {
    invoice_is(InvoiceStatus::Open)
}

fn is_paid() -> Event {
    invoice_is(InvoiceStatus::Paid)
}

fn is_closed() -> Event {
    invoice_is(InvoiceStatus::Closed)
}

fn not_made() -> Event {
    Event::Refused(EffectKind::MakeClaim, "the fee is more than the output".into())
}

#[test]
fn the_opening_is_announced_and_published_until_it_confirms() {
    let case = Case::maker(Kind::In).opened().holds_channel(true);
    let case = case.wants(&[
        "send opening",
        "broadcast opening",
        "watch claim invoice",
        "watch chain",
    ]);
    let case = case
        .ignores(Event::Started)
        .ignores(Event::Accepted(TxKind::Opening))
        .on(seen(101, 101));
    case.wants(&["send opening", "watch claim invoice", "watch chain"])
        .ignores(open());
}

#[test]
fn an_opening_that_a_reorg_took_is_published_again() {
    let gone = opened().on(unseen(102)).wants(&[
        "send opening",
        "broadcast opening",
        "watch claim invoice",
        "watch chain",
    ]);
    gone.on(seen(103, 103))
        .wants(&["send opening", "watch claim invoice", "watch chain"]);
}

#[test]
fn a_payment_is_recorded_and_the_takers_claim_awaited() {
    let case = opened()
        .on(is_paid())
        .is("opened")
        .wants(&["watch chain"])
        .holds_channel(false);
    let case = case
        .ignores(is_closed())
        .ignores(open())
        .ignores(spent(103, 103, SpendPath::Preimage, false));
    case.on(spent(104, 103, SpendPath::Preimage, false))
        .ends("claim_paid, coins: peer");
}

#[test]
fn a_taker_that_is_quicker_than_our_node_is_waited_for() {
    let case = opened()
        .ignores(spent(104, 103, SpendPath::Preimage, false))
        .on(is_paid());
    case.on(spent(105, 103, SpendPath::Preimage, false))
        .ends("claim_paid, coins: peer");
}

#[test]
fn a_preimage_spend_of_what_was_not_paid_is_a_loss() {
    opened()
        .on(is_closed())
        .on(spent(104, 103, SpendPath::Preimage, false))
        .ends("lost");
}

#[test]
fn a_spend_with_our_key_that_is_not_ours_is_a_loss() {
    for path in [SpendPath::Coop, SpendPath::Csv] {
        opened().on(spent(104, 103, path, false)).ends("lost");
    }
}

#[test]
fn an_invoice_that_expired_is_told_to_nobody_and_frees_the_channel() {
    let case = opened().on(is_closed()).wants(&["watch chain"]).holds_channel(false);
    case.ignores(open()).on(coop_close()).is("claiming_coop");
}

#[test]
fn a_cancel_makes_the_maker_quiet_and_nothing_else() {
    let quiet = opened()
        .on(cancel())
        .is("opened")
        .wants(&["watch claim invoice", "watch chain"])
        .holds_channel(true);
    let quiet = quiet.ignores(cancel());
    quiet.clone().on(is_paid()).is("opened");
    quiet.on(coop_close()).is("claiming_coop");
}

#[test]
fn coop_close_counts_only_with_the_takers_own_key() {
    opened()
        .ignores(coop_close_with(other_key()))
        .ignores(coop_close_with(our_key()))
        .on(coop_close());
}

#[test]
fn coop_close_of_what_was_paid_means_nothing() {
    opened().on(is_paid()).ignores(coop_close());
}

#[test]
fn an_abort_cannot_take_back_what_is_published() {
    opened().ignores(abort()).ignores(Event::Tick).is("opened");
}

#[test]
fn the_refund_begins_when_it_fits_into_the_next_block() {
    opened()
        .ignores(seen(MATURE - 1, 101))
        .on(seen(MATURE, 101))
        .is("claiming_csv")
        .holds_channel(false);
    let bitcoin = Case::new(Role::Maker, Kind::In, Asset::Btc).opened_and_confirmed();
    bitcoin.ignores(seen(1107, 101)).on(seen(1108, 101)).is("claiming_csv");
}

#[test]
fn a_refund_whose_opening_confirmed_while_the_daemon_was_away_publishes_no_opening() {
    let back = Case::maker(Kind::In).opened().on(invoice_is(InvoiceStatus::Closed));
    back.on(seen(MATURE, 101))
        .is("claiming_csv")
        .wants(&["make claim by timelock", "watch chain"]);
}

#[test]
fn what_was_paid_for_and_never_taken_is_left_to_the_taker() {
    opened()
        .on(is_paid())
        .on(seen(MATURE, 101))
        .ends("claim_paid, coins: peer");
}

#[test]
fn inputs_that_are_spent_elsewhere_end_the_swap_once_that_is_final() {
    let unconfirmed = || Case::maker(Kind::In).opened();
    unconfirmed()
        .ignores(conflict(103, 103))
        .on(conflict(104, 103))
        .ends("canceled, by: us");
    unconfirmed()
        .on(is_paid())
        .on(conflict(104, 103))
        .ends("claim_paid, coins: us");
}

#[test]
fn an_opening_that_nobody_can_pay_for_and_no_block_takes_is_voided_when_the_window_is_over() {
    let unpayable = Case::maker(Kind::In).opened().on(is_closed());
    unpayable.clone().ignores(unseen(159)).on(unseen(160)).is("voiding");
    unpayable.clone().on(in_mempool(160)).is("voiding");
    unpayable.clone().on(seen(160, 160)).is("opened");
    // Its channel was freed when the invoice expired, and stays free, whichever transaction wins.
    let voiding = unpayable.on(unseen(160)).holds_channel(false);
    voiding
        .on(seen(162, 161))
        .is("opened")
        .wants(&["watch chain"])
        .holds_channel(false);
    Case::maker(Kind::In).opened().ignores(unseen(160)).is("opened");
}

#[test]
fn a_refund_waits_until_the_invoice_cannot_be_paid() {
    for (case, path) in [
        (Case::maker(Kind::In).claiming_coop(), "make claim by both keys"),
        (Case::maker(Kind::In).claiming_csv(), "make claim by timelock"),
    ] {
        let waits = ["cancel invoice", "watch claim invoice", "watch chain", "wake"];
        let case = case
            .wants(&waits)
            .holds_channel(false)
            .ignores(open())
            .ignores(Event::Started);
        case.clone().on(is_closed()).wants(&[path, "watch chain"]);
        let away = case.at(599).ignores(Event::Tick).at(600).on(Event::Tick);
        away.wants(&[path, "watch claim invoice", "watch chain"]);
    }
}

#[test]
fn a_refund_does_not_wait_for_an_invoice_that_is_known_to_be_closed() {
    let coop = opened().on(is_closed()).on(coop_close());
    coop.wants(&["make claim by both keys", "watch chain"]);
    let csv = opened().on(is_closed()).on(seen(MATURE, 101));
    csv.wants(&["make claim by timelock", "watch chain"]);
}

#[test]
fn a_refund_that_finds_the_invoice_paid_is_none() {
    for case in [
        Case::maker(Kind::In).claiming_coop(),
        Case::maker(Kind::In).claiming_csv(),
    ] {
        let paid = case.on(is_paid()).is("opened").wants(&["watch chain"]);
        paid.on(seen(MATURE, 101)).ends("claim_paid, coins: peer");
    }
}

#[test]
fn a_refund_is_published_until_it_is_final() {
    for (case, path, outcome) in [
        (
            Case::maker(Kind::In).claiming_coop(),
            SpendPath::Coop,
            "claimed_by_coop",
        ),
        (Case::maker(Kind::In).claiming_csv(), SpendPath::Csv, "claimed_by_csv"),
    ] {
        let case = case
            .on(is_closed())
            .on(made_claim(1))
            .wants(&["broadcast claim", "watch chain"]);
        let case = case.ignores(spent(10_200, 10_200, path.clone(), true));
        case.clone().on(spent(10_201, 10_200, path.clone(), true)).ends(outcome);
        case.on(is_paid())
            .on(spent(10_201, 10_200, path, true))
            .ends("claim_paid, coins: us");
    }
}

#[test]
fn a_taker_that_claims_first_is_told_by_the_outcome() {
    let case = Case::maker(Kind::In).claiming_coop().on(is_closed()).on(made_claim(1));
    case.clone()
        .on(spent(104, 103, SpendPath::Preimage, false))
        .ends("lost");
    case.on(is_paid())
        .on(spent(104, 103, SpendPath::Preimage, false))
        .ends("claim_paid, coins: peer");
}

#[test]
fn a_refund_that_waits_ten_blocks_is_replaced() {
    let case = Case::maker(Kind::In)
        .claiming_coop()
        .on(is_closed())
        .on(made_claim(1))
        .on(seen(103, 101));
    let stuck = case
        .on(seen(113, 101))
        .wants(&["broadcast claim", "make claim by both keys", "watch chain"]);
    stuck.on(made_claim(2)).wants(&["broadcast claim", "watch chain"]);
}

#[test]
fn a_refund_that_could_not_be_made_is_made_at_a_later_block() {
    let case = Case::maker(Kind::In)
        .claiming_csv()
        .on(is_closed())
        .on(not_made())
        .wants(&["watch chain"]);
    case.on(seen(MATURE + 1, 101))
        .wants(&["make claim by timelock", "watch chain"]);
}

#[test]
fn a_cooperative_refund_that_did_not_come_about_becomes_one_by_the_timelock() {
    let coop = Case::maker(Kind::In).claiming_coop().on(is_closed());
    for case in [coop.clone().on(not_made()), coop.on(made_claim(1))] {
        let case = case
            .after(seen(MATURE - 1, 101))
            .is("claiming_coop")
            .on(seen(MATURE, 101))
            .is("claiming_csv");
        case.wants(&["make claim by timelock", "watch chain"]);
    }
}

#[test]
fn a_repeated_coop_close_begins_nothing_anew() {
    let coop = Case::maker(Kind::In)
        .claiming_coop()
        .ignores(coop_close())
        .on(is_closed())
        .ignores(coop_close());
    coop.on(not_made()).ignores(coop_close());
}

#[test]
fn a_refund_of_an_opening_that_a_reorg_took_publishes_both() {
    let case = Case::maker(Kind::In)
        .claiming_csv()
        .on(is_closed())
        .on(made_claim(1))
        .on(unseen(MATURE));
    case.wants(&["broadcast opening", "broadcast claim", "watch chain"]);
}

#[test]
fn what_is_said_of_the_fee_means_nothing_once_opened() {
    opened()
        .ignores(Event::Invoice(InvoiceKind::Fee, InvoiceStatus::Closed))
        .ignores(made_opening());
}

#[test]
fn a_refund_is_replaced_at_once_when_the_operator_wishes() {
    let refunding = opened().on(seen(MATURE, 101)).on(is_closed()).on(made_claim(1));
    let wished = refunding.on(bump(Some(700)));
    wished.wants(&["broadcast claim", "make claim by timelock", "watch chain"]);
}

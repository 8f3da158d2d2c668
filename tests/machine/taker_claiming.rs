//! ClaimingInvoice and CoopClosing: the taker's two ends.

use sluice::swap::event::{EffectKind, Event, InvoiceKind, MessageKind, SpendPath, TxKind};
use sluice::swap::fees::Wish;
use sluice::swap::terms::Kind;
use sluice::swap::{Effect, Role, State, Taker, wants};
use sluice::units::{Asset, FeeRate};

use crate::fixtures::*;

fn claiming() -> Case {
    Case::taker(Kind::Out).claiming_invoice()
}

fn closing() -> Case {
    Case::taker(Kind::Out).coop_closing()
}

fn not_made() -> Event {
    Event::Refused(EffectKind::MakeClaim, "the fee is more than the output".into())
}

#[test]
fn the_claim_is_published_with_its_preimage_until_it_is_final() {
    let case = claiming()
        .wants(&["broadcast claim", "watch chain"])
        .holds_channel(false);
    assert!(wants(&case.swap).contains(&Effect::Broadcast {
        kind: TxKind::Claim,
        tx: claim(1).tx,
        preimage: Some(preimage(InvoiceKind::Claim)),
    }));
    let case = case
        .ignores(Event::Accepted(TxKind::Claim))
        .ignores(spent(103, 103, SpendPath::Preimage, true));
    case.on(spent(104, 103, SpendPath::Preimage, true))
        .ends("claimed_by_invoice");
}

#[test]
fn a_bitcoin_claim_is_final_after_three_blocks() {
    let case = Case::new(Role::Taker, Kind::In, Asset::Btc).claiming_invoice();
    let case = case.ignores(spent(105, 104, SpendPath::Preimage, true));
    case.on(spent(106, 104, SpendPath::Preimage, true))
        .ends("claimed_by_invoice");
}

#[test]
fn another_spend_is_a_loss_once_it_is_final_and_not_before() {
    for (path, ours) in [
        (SpendPath::Csv, false),
        (SpendPath::Coop, false),
        (SpendPath::Preimage, false),
    ] {
        claiming()
            .ignores(spent(103, 103, path.clone(), ours))
            .on(spent(104, 103, path, ours))
            .ends("lost");
    }
}

#[test]
fn who_has_paid_never_gives_the_key_whatever_is_said() {
    let case = claiming()
        .ignores(abort())
        .ignores(cancel())
        .ignores(coop_close())
        .ignores(absent())
        .ignores(Event::Tick);
    let case = case
        .ignores(failed(sluice::swap::event::Failure::Temporary))
        .ignores(Event::Started);
    assert!(!is_key_given(&case.at(10_000_000).after(seen(20_000, 101)).swap));
}

#[test]
fn an_opening_that_a_reorg_took_is_published_again() {
    let gone = claiming()
        .on(unseen(103))
        .wants(&["broadcast opening", "broadcast claim", "watch chain"]);
    gone.ignores(unseen(104))
        .on(in_mempool(104))
        .wants(&["broadcast claim", "watch chain"]);
}

#[test]
fn a_claim_that_waits_ten_blocks_is_replaced() {
    let waiting = claiming()
        .on(seen(103, 101))
        .ignores(seen(112, 101))
        .wants(&["broadcast claim", "watch chain"]);
    let stuck = waiting
        .on(seen(113, 101))
        .wants(&["broadcast claim", "make claim by preimage", "watch chain"]);
    let replaced = stuck.on(made_claim(2)).wants(&["broadcast claim", "watch chain"]);
    assert_eq!(replaced.swap.newest_claim(), Some(&claim(2)));
    replaced
        .on(seen(114, 101))
        .on(seen(124, 101))
        .wants(&["broadcast claim", "make claim by preimage", "watch chain"]);
}

#[test]
fn a_claim_in_a_block_is_not_replaced() {
    let mined = claiming()
        .on(seen(103, 101))
        .on(spent(113, 113, SpendPath::Preimage, true));
    mined
        .wants(&["broadcast claim", "watch chain"])
        .on(spent(114, 113, SpendPath::Preimage, true))
        .ends("claimed_by_invoice");
}

#[test]
fn a_replacement_that_could_not_be_made_is_tried_again_later() {
    let stuck = claiming().on(seen(103, 101)).on(seen(113, 101));
    let refused = stuck
        .on(not_made())
        .wants(&["broadcast claim", "watch chain"])
        .ignores(seen(122, 101));
    refused
        .on(seen(123, 101))
        .wants(&["broadcast claim", "make claim by preimage", "watch chain"]);
}

#[test]
fn only_the_newest_version_of_a_claim_is_kept() {
    let (mut case, mut tip) = (claiming(), 103);
    for version in 2..30 {
        case = case
            .after(seen(tip, 101))
            .on(seen(tip + 10, 101))
            .on(made_claim(version));
        tip += 11;
    }
    let State::Taker(_, Taker::ClaimingInvoice { claims, .. }) = &case.swap.state else {
        panic!("{:?}", case.swap.state);
    };
    assert_eq!(claims, &[claim(29)]);
}

#[test]
fn a_claim_is_replaced_at_once_when_the_operator_wishes() {
    let wished = claiming().on(bump(Some(5_000)));
    let wish = Some(Wish {
        rate: Some(FeeRate(5_000)),
    });
    assert!(wants(&wished.swap).contains(&Effect::MakeClaim(SpendPath::Preimage, wish)));
    let again = wished.ignores(bump(Some(5_000))).ignores(seen(103, 101));
    let replaced = again.on(made_claim(2)).wants(&["broadcast claim", "watch chain"]);
    assert_eq!(replaced.swap.newest_claim(), Some(&claim(2)));
    // what cannot be made is told to nobody twice; it waits as after any failure
    let refused = replaced.on(bump(None)).on(not_made());
    refused.wants(&["broadcast claim", "watch chain"]);
}

#[test]
fn what_is_mined_or_not_made_yet_is_not_bumped() {
    let paid = Case::taker(Kind::In).paying_claim().on(paid(InvoiceKind::Claim));
    paid.ignores(bump(None));
    let wished = claiming().on(bump(None));
    wished
        .on(spent(113, 113, SpendPath::Preimage, true))
        .wants(&["broadcast claim", "watch chain"]);
    Case::taker(Kind::Out).awaiting_confirmation().ignores(bump(None));
    Case::taker(Kind::Out).paying_claim().ignores(bump(None));
}

#[test]
fn a_claim_that_could_not_be_made_is_made_at_a_later_block() {
    let paid = Case::taker(Kind::In).paying_claim().on(paid(InvoiceKind::Claim));
    let refused = paid
        .wants(&["make claim by preimage", "watch chain"])
        .on(not_made())
        .wants(&["watch chain"]);
    refused
        .ignores(seen(102, 101))
        .on(seen(103, 101))
        .wants(&["make claim by preimage", "watch chain"]);
}

#[test]
fn blocks_do_not_keep_the_first_claim_from_being_made() {
    let paid = Case::taker(Kind::In).paying_claim().on(paid(InvoiceKind::Claim));
    for tip in [103, 104, 120] {
        paid.clone()
            .after(seen(tip, 101))
            .wants(&["make claim by preimage", "watch chain"]);
    }
}

#[test]
fn coop_close_is_repeated_while_the_opening_is_unspent() {
    let case = closing()
        .wants(&["send coop_close", "watch chain"])
        .holds_channel(false);
    let case = case
        .on(Event::Sent(MessageKind::CoopClose))
        .ignores(Event::Sent(MessageKind::CoopClose));
    let case = case
        .wants(&["send coop_close", "watch chain"])
        .ignores(Event::Started)
        .ignores(in_mempool(9999));
    let case = case
        .ignores(seen(9999, 101))
        .ignores(spent(10_000, 10_000, SpendPath::Coop, false));
    case.on(spent(10_001, 10_000, SpendPath::Coop, false))
        .ends("coop_closed");
}

#[test]
fn a_maker_that_never_opened_is_told_until_a_day_after_the_window() {
    let told = closing().on(Event::Sent(MessageKind::CoopClose)).ignores(unseen(1599));
    told.on(unseen(1600)).ends("coop_closed");
}

#[test]
fn a_bad_opening_is_the_makers_own_affair_a_day_after_the_window() {
    let told = closing().on(Event::Sent(MessageKind::CoopClose));
    told.on(Event::Chain(view(1600, confirmed_bad(101))))
        .ends("coop_closed");
}

#[test]
fn a_maker_that_cannot_be_told_is_given_up_when_it_needs_our_key_no_more() {
    closing()
        .ignores(seen(10_179, 101))
        .on(seen(10_180, 101))
        .ends("coop_closed");
    closing()
        .ignores(unseen(1600))
        .ignores(unseen(11_679))
        .on(unseen(11_680))
        .ends("coop_closed");
}

#[test]
fn a_late_announcement_tells_what_to_watch_for() {
    let closing = Case::taker(Kind::In).awaiting_opening().on(abort()).is("coop_closing");
    let late = announced(Kind::In, Asset::Lbtc);
    let knows = closing.on(late.clone()).is("coop_closing").ignores(late);
    assert!(is_key_given(&knows.swap));
}

#[test]
fn a_maker_that_cancels_before_it_announced_anything_needs_no_key() {
    for kind in [Kind::In, Kind::Out] {
        let closing = Case::taker(kind).awaiting_opening().on(abort()).is("coop_closing");
        closing.clone().on(cancel()).ends("coop_closed");
        let told = closing.on(Event::Sent(MessageKind::CoopClose));
        told.clone().on(cancel()).ends("coop_closed");
        // What was announced may be in the chain: the maker needs our key until its coins are spent.
        told.on(announced(kind, Asset::Lbtc))
            .ignores(cancel())
            .is("coop_closing");
    }
}

#[test]
fn nothing_is_paid_any_more_once_the_key_is_given() {
    let case = closing()
        .ignores(seen(102, 101))
        .ignores(paid(InvoiceKind::Claim))
        .ignores(in_flight())
        .ignores(abort());
    case.ignores(cancel()).wants(&["send coop_close", "watch chain"]);
}

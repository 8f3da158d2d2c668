//! Every state in words.

use std::fmt::Write;

use sluice::api::cancel::advise;
use sluice::api::types::{ChoiceView, Stage, SwapView, Until};
use sluice::api::view::{has_reached, view};
use sluice::swap::event::{ChainView, Event, InvoiceStatus, Now, OpeningView, Spend, SpendPath, TxKind, Verdict};
use sluice::swap::state::Attempt;
use sluice::swap::{Kind, Maker, Outcome, Role, State, Swap, Taker};
use sluice::trail::{Millis, Trail};
use sluice::units::{Height, RawTx};

use crate::fixtures::{ANCHOR, MADE, claim, claiming, deal, every_state, offer, opened, paying, swap};

fn now(tip: u32) -> Now {
    Now {
        time: MADE.plus_secs(90),
        tip: Some(Height(tip)),
    }
}

/// A swap that has the trail of its own state only.
fn seen(swap: &Swap, now: Now) -> SwapView {
    view(swap, &Trail::begin(swap, Millis(MADE.0 * 1000)), now)
}

fn told(name: &str, swap: &Swap) -> String {
    let seen = seen(swap, now(502));
    let stage = serde_json::to_value(seen.stage).unwrap();
    let mut text = format!("{name}\n  {}: {}\n", stage.as_str().unwrap(), seen.state);
    if let Some(next) = &seen.next {
        let by = next.deadline.as_ref().map_or("no limit", |by| &by.text);
        writeln!(
            text,
            "  next: {} [{by}]\n  brief: {}\n  else: {}",
            next.what, next.brief, next.if_nothing_happens
        )
        .unwrap();
        for ChoiceView { command, effect, .. } in &next.you_may {
            writeln!(text, "  may: {command}: {effect}").unwrap();
        }
        if let Some(by_itself) = &next.by_itself {
            writeln!(text, "  by itself: {by_itself}").unwrap();
        }
    }
    match advise(swap) {
        Ok(advice) => {
            let action = serde_json::to_value(advice.action).unwrap();
            writeln!(text, "  cancel: {}: {}", action.as_str().unwrap(), advice.explanation).unwrap();
        }
        Err(error) => writeln!(text, "  cancel: {error}").unwrap(),
    }
    text.replace(&swap.id.to_string(), "ID")
}

/// The words of every state are reviewed in `tests/data/views.txt`. After a change that is meant, run with
/// `UPDATE_VIEWS=1` and read the difference.
#[test]
fn every_state_reads_as_reviewed() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/views.txt");
    let all: Vec<String> = every_state().iter().map(|(name, swap)| told(name, swap)).collect();
    let text = all.join("\n");
    if std::env::var_os("UPDATE_VIEWS").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    let reviewed = std::fs::read_to_string(path).unwrap();
    for (now, then) in text.split("\n\n").zip(reviewed.split("\n\n")) {
        assert_eq!(now.trim_end(), then.trim_end());
    }
    assert_eq!(text, reviewed);
}

#[test]
fn every_stage_is_reached_by_some_state() {
    let stages: Vec<Stage> = every_state()
        .iter()
        .map(|(_, swap)| seen(swap, now(502)).stage)
        .collect();
    for stage in [
        Stage::Requested,
        Stage::Agreed,
        Stage::Opening,
        Stage::OpeningPublished,
        Stage::Confirming,
        Stage::Paying,
        Stage::Paid,
        Stage::Claiming,
        Stage::Refunding,
        Stage::Closing,
        Stage::Closed,
    ] {
        assert!(stages.contains(&stage), "{stage:?}");
    }
}

#[test]
fn a_state_reads_without_a_tip_too() {
    for (name, swap) in every_state() {
        let blind = Now { tip: None, ..now(0) };
        let seen = seen(&swap, blind);
        assert!(!seen.state.is_empty(), "{name}");
        if let Some(deadline) = seen.next.and_then(|next| next.deadline) {
            assert!(!deadline.text.contains("about"), "{name}: {}", deadline.text);
        }
    }
}

#[test]
fn the_fallback_names_block_and_time() {
    let opened = Maker::Opened(opened(InvoiceStatus::Open, Some(501)));
    let maker = swap(1, Kind::In, Role::Maker, State::Maker(deal(), opened));
    let next = seen(&maker, now(502)).next.unwrap();
    assert_eq!(
        next.if_nothing_happens,
        "we take our coins back from block 10,581 (about 6 d 23 h)"
    );
    let deadline = next.deadline.unwrap();
    assert_eq!(deadline.height, Some(ANCHOR.0 + 60));
    assert_eq!(deadline.at, Some(now(502).time.0 + 58 * 60));
}

#[test]
fn what_comes_next_fits_a_column_too() {
    for (name, swap) in every_state() {
        let seen = seen(&swap, now(502));
        let brief = seen.next.as_ref().map(|next| next.brief.chars().count());
        assert_eq!(brief.is_none(), seen.outcome.is_some(), "{name}");
        assert!(
            brief.is_none_or(|length| (1..=26).contains(&length)),
            "{name}: {seen:?}"
        );
    }
}

#[test]
fn who_may_have_coins_to_take_back_is_told_that_it_happens_by_itself() {
    let mut told = 0;
    for (name, swap) in every_state() {
        let next = seen(&swap, now(502)).next;
        let by_itself = next.and_then(|next| next.by_itself);
        let awaits = match &swap.state {
            State::Maker(_, maker) if maker.opening().is_none() => None,
            State::Maker(_, Maker::Publishing { .. } | Maker::Voiding(_)) => Some("spent back to ourselves"),
            State::Maker(_, _) if name.contains("paid") => None,
            State::Maker(_, _) => Some("with the peer's key or after the timelock"),
            State::Taker(_, Taker::PayingFee { .. }) => None,
            State::Taker(_, Taker::ClaimingInvoice { .. }) => Some("replaced at a higher fee"),
            State::Taker(_, _) => Some("given our key"),
            State::Requested { .. } | State::Canceling { .. } | State::Closed(_) => None,
        };
        assert_eq!(by_itself.is_some(), awaits.is_some(), "{name}");
        if let (Some(by_itself), Some(awaits)) = (by_itself, awaits) {
            assert!(by_itself.contains(awaits), "{name}: {by_itself}");
            assert!(by_itself.ends_with(": you need do nothing"), "{name}: {by_itself}");
            told += 1;
        }
    }
    assert!(told > 0);
}

#[test]
fn only_paid_swaps_and_closed_ones_are_settled() {
    for (name, swap) in every_state() {
        let seen = seen(&swap, now(502));
        let paid = [
            "ClaimingInvoice",
            "ClaimingInvoice, reorg",
            "Opened, paid",
            "ClaimingCoop, paid after all",
        ];
        let expected = paid.contains(&name) || seen.stage == Stage::Closed;
        assert_eq!(has_reached(&seen, Until::Settled), expected, "{name}");
        assert_eq!(has_reached(&seen, Until::Closed), seen.outcome.is_some(), "{name}");
    }
}

/// Steps of a taker, half a second apart.
fn taker_trail() -> (Trail, Swap) {
    let at = |step: u64| Millis(MADE.0 * 1000 + step * 500);
    let with = |state: State| swap(1, Kind::Out, Role::Taker, state);
    let requested = with(State::Requested {
        sent: false,
        deadline: MADE.plus_secs(120),
    });
    let chain = |spend| {
        Event::Chain(ChainView {
            tip: Height(502),
            opening: OpeningView::Confirmed {
                at: Height(501),
                verdict: Verdict::Good(RawTx::from(vec![0])),
            },
            spend,
            conflict: None,
            gone: false,
        })
    };
    let taker = |taker| with(State::Taker(deal(), taker));
    let (awaiting, attempt) = (
        Taker::AwaitingConfirmation {
            offer: offer(),
            confirmed_at: None,
        },
        Attempt::Calling(1),
    );
    let mut trail = Trail::begin(&requested, at(0));
    trail.note(&Event::Tick, &taker(Taker::AwaitingOpening), at(1));
    trail.note(&Event::Tick, &taker(awaiting), at(2));
    let paying = Taker::PayingClaim {
        paying: paying(),
        attempt,
    };
    trail.note(&chain(None), &taker(paying), at(3));
    trail.note(&Event::Tick, &taker(claiming(vec![claim()], false)), at(4));
    trail.note(
        &Event::Accepted(TxKind::Claim),
        &taker(claiming(vec![claim()], false)),
        at(5),
    );
    let spend = Spend {
        at: Height(503),
        path: SpendPath::Preimage,
        ours: true,
    };
    let closed = with(State::Closed(Outcome::ClaimedByInvoice));
    trail.note(&chain(Some(spend)), &closed, at(6));
    (trail, closed)
}

#[test]
fn a_closed_swap_remembers_what_its_state_forgot() {
    let (trail, closed) = taker_trail();
    let seen = view(&closed, &trail, now(504));
    assert_eq!(seen.premium_sat, Some(1_500));
    assert_eq!(seen.chain_amount_sat, Some(1_000_000));
    assert_eq!(seen.lightning_amount_sat, Some(1_001_500));
    let opening = seen.opening.unwrap();
    assert_eq!((opening.txid, opening.height), (offer().txid, Some(501)));
    let spend = seen.spend.unwrap();
    assert_eq!(
        (spend.txid, spend.height, spend.fee_sat),
        (Some(claim().txid), Some(503), Some(23))
    );
    let timings = serde_json::to_value(seen.timings_ms).unwrap();
    let expected = serde_json::json!({
        "agreed": 500, "opening_published": 1000, "confirmed": 1500, "payment_started": 1500, "paid": 2000,
        "spend_published": 2500, "closed": 3000,
    });
    assert_eq!(timings, expected);
}

#[test]
fn a_trail_survives_being_stored() {
    let (trail, _) = taker_trail();
    let text = serde_json::to_string(&trail).unwrap();
    assert_eq!(serde_json::from_str::<Trail>(&text).unwrap(), trail);
}

#[test]
fn the_peers_spend_is_not_taken_for_ours() {
    let (mut trail, closed) = taker_trail();
    trail.spend = Some(Spend {
        at: Height(503),
        path: SpendPath::Csv,
        ours: false,
    });
    let spend = view(&closed, &trail, now(504)).spend.unwrap();
    assert_eq!((spend.ours, spend.txid, spend.kind), (false, None, SpendPath::Csv));
}

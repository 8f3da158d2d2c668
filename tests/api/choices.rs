//! What the operator is told that he may do, and what those say who are asked to do it.

use sluice::api::bump::{Scene, plan};
use sluice::api::cancel::{advise, done};
use sluice::api::types::{CancelAction, ChoiceKind, ChoiceView};
use sluice::api::view::view;
use sluice::swap::event::{Event, InvoiceStatus, Now, Spend, SpendPath};
use sluice::swap::fees::{FeeRates, Wish};
use sluice::swap::state::{Claim, Opened, TxCost};
use sluice::swap::{Kind, Maker, Outcome, Role, State, Step, Swap, step};
use sluice::trail::{Millis, Trail};
use sluice::units::{FeeRate, Height};

use crate::cli::{code, err, json, out, sluice};
use crate::fixtures::{MADE, claim, claiming, deal, every_state, opened, swap};
use crate::served::Served;

/// A network that asks for more than any of the fixtures' transactions pays.
const RATES: FeeRates = FeeRates {
    asked: FeeRate(5_000),
    estimated: true,
    least: FeeRate(100),
    ceiling: FeeRate(10_000),
};

fn now() -> Now {
    Now {
        time: MADE.plus_secs(90),
        tip: Some(Height(502)),
    }
}

fn maker(maker: Maker) -> Swap {
    swap(1, Kind::In, Role::Maker, State::Maker(deal(), maker))
}

fn taker_claiming(claim: Claim) -> Swap {
    swap(
        1,
        Kind::Out,
        Role::Taker,
        State::Taker(deal(), claiming(vec![claim], false)),
    )
}

fn seen_in_a_block(ours: bool) -> Spend {
    Spend {
        at: Height(502),
        path: SpendPath::Preimage,
        ours,
    }
}

/// Every state, with what its trail knows; and those that differ from them by what may be done alone.
fn every_scene() -> Vec<(&'static str, Swap, Trail)> {
    let begun = |(name, swap): (&'static str, Swap)| {
        let trail = Trail::begin(&swap, Millis(MADE.0 * 1000));
        (name, swap, trail)
    };
    let waiting = |status, children| {
        Maker::Opened(Opened {
            children,
            ..opened(status, None)
        })
    };
    let dear = Claim {
        cost: TxCost {
            fee: bitcoin::Amount::from_sat(499_999),
            ..claim().cost
        },
        ..claim()
    };
    let mut all: Vec<_> = every_state().into_iter().map(begun).collect();
    all.push(begun((
        "an opening with a child",
        maker(waiting(InvoiceStatus::Open, vec![claim()])),
    )));
    all.push(begun((
        "an opening in no block that is paid",
        maker(waiting(InvoiceStatus::Paid, Vec::new())),
    )));
    all.push(begun(("a claim that pays half of the coin", taker_claiming(dear))));
    for (name, ours) in [("our claim in a block", true), ("the peer's spend in a block", false)] {
        let (name, swap, mut trail) = begun((name, taker_claiming(claim())));
        trail.spend = Some(seen_in_a_block(ours));
        all.push((name, swap, trail));
    }
    all
}

fn offered(swap: &Swap, trail: &Trail, now: Now) -> Vec<ChoiceView> {
    view(swap, trail, now).next.map_or(Vec::new(), |next| next.you_may)
}

fn kinds(offered: &[ChoiceView]) -> Vec<ChoiceKind> {
    offered.iter().map(|choice| choice.kind).collect()
}

fn stepped(swap: &Swap, event: &Event) -> Option<Swap> {
    match step(swap, now(), event) {
        Step::To(next) => Some(*next),
        Step::Stay => None,
    }
}

#[test]
fn a_bump_is_offered_exactly_where_it_is_taken() {
    let mut taken = 0;
    for (name, swap, trail) in every_scene() {
        let scene = Scene {
            swap: &swap,
            trail: &trail,
            tip: now().tip,
            rates: RATES,
            discounted: true,
        };
        let wish = Wish { rate: None };
        let plan = plan(&scene, wish);
        let offers = kinds(&offered(&swap, &trail, now())).contains(&ChoiceKind::Bump);
        assert_eq!(offers, plan.is_ok(), "{name}: {plan:?}");
        if offers {
            let next = stepped(&swap, &Event::Bump(wish)).unwrap_or_else(|| panic!("{name} does not hear of it"));
            assert!(next.is_bumping(), "{name}");
            taken += 1;
        }
    }
    assert!(taken > 0);
}

#[test]
fn an_end_is_offered_exactly_where_it_is_taken_and_changes_something() {
    let mut taken = 0;
    for (name, swap, trail) in every_scene() {
        let offers = kinds(&offered(&swap, &trail, now())).contains(&ChoiceKind::Cancel);
        let ended = stepped(&swap, &Event::Abort("canceled by the operator".into()));
        match advise(&swap) {
            Ok(advice) if advice.action != CancelAction::AlreadyEnding => {
                assert!(offers, "{name}: {advice:?}");
                let ended = ended.unwrap_or_else(|| panic!("{name} does not hear of it"));
                let done = done(&swap, &ended).unwrap_or_else(|error| panic!("{name}: {error}"));
                assert_eq!(done.action, advice.action, "{name}");
                taken += 1;
            }
            refused_or_ending => {
                assert!(!offers, "{name}: {refused_or_ending:?}");
                assert_eq!(ended, None, "{name}");
            }
        }
    }
    assert!(taken > 0);
}

#[test]
fn what_is_offered_is_the_same_while_the_chain_does_not_answer() {
    for (name, swap, trail) in every_scene() {
        let blind = Now { tip: None, ..now() };
        let (with, without) = (offered(&swap, &trail, now()), offered(&swap, &trail, blind));
        assert_eq!(kinds(&with), kinds(&without), "{name}");
    }
}

#[test]
fn a_choice_is_a_command_and_what_it_does_in_one_sentence() {
    for (name, swap, trail) in every_scene() {
        for choice in offered(&swap, &trail, now()) {
            let kind = serde_json::to_value(choice.kind).unwrap();
            let typed = format!("sluice swap {} 01010101", kind.as_str().unwrap());
            assert_eq!(choice.command, typed, "{name}");
            assert!(!choice.effect.contains(". "), "{name}: {}", choice.effect);
        }
    }
}

#[test]
fn what_a_bump_costs_at_least_is_what_the_plan_says() {
    let claiming = taker_claiming(claim());
    let trail = Trail::begin(&claiming, Millis(0));
    let [choice] = &offered(&claiming, &trail, now())[..] else {
        panic!("a claim that waits may be bumped, and nothing else");
    };
    let scene = Scene {
        swap: &claiming,
        trail: &trail,
        tip: now().tip,
        rates: FeeRates {
            asked: FeeRate(100),
            ..RATES
        },
        discounted: true,
    };
    let planned = plan(&scene, Wish { rate: None }).unwrap();
    let (paid, next) = (planned.paid.0.to_sat(), planned.next.0.to_sat());
    assert_eq!(
        choice.effect,
        format!(
            "replaces our claim, which pays a fee of {paid} sat, by one that pays at least {next} sat and comes sooner"
        )
    );
}

/// What people are told of a swap is what programs read, and what they may do is taken as it is typed.
#[tokio::test]
async fn what_may_be_done_is_shown_as_it_is_typed_and_is_taken() {
    let served = Served::begin().await;
    let deadline = MADE.plus_secs(120);
    let requested = State::Requested { sent: true, deadline };
    served.fake.put(swap(0xa1, Kind::Out, Role::Taker, requested));
    let paid = State::Taker(deal(), claiming(vec![claim()], false));
    served.fake.put(swap(0xb2, Kind::Out, Role::Taker, paid));
    for (id, kind) in [("a1a1a1a1", "cancel"), ("b2b2b2b2", "bump")] {
        let text = out(&sluice(&served, &["swap", "get", id]).await);
        let shown = format!("\nyou may             sluice swap {kind} {id}: ");
        assert!(text.contains(&shown), "{text}");
        let next = &json(&sluice(&served, &["swap", "get", id, "--json"]).await)["next"];
        assert_eq!(next["you_may"][0]["kind"], kind);
        let typed = next["you_may"][0]["command"].as_str().unwrap();
        let args: Vec<&str> = typed.split(' ').skip(1).collect();
        let output = sluice(&served, &args).await;
        assert_eq!(code(&output), 0, "{typed}: {}", err(&output));
    }
    let over = State::Closed(Outcome::ClaimedByInvoice);
    served.fake.put(swap(0xb2, Kind::Out, Role::Taker, over));
    let text = out(&sluice(&served, &["swap", "get", "b2"]).await);
    assert!(!text.contains("you may"), "{text}");
}

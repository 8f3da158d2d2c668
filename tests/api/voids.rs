//! An opening that is taken back, as the operator sees it: in all its forms, and what may be done about it.

use bitcoin::Amount;
use sluice::api::bump::{Plan, Scene, plan};
use sluice::api::cancel::{advise, done};
use sluice::api::error::ApiError;
use sluice::api::types::CancelAction;
use sluice::swap::event::InvoiceStatus;
use sluice::swap::fees::{Bumped, FeeRates, Wish};
use sluice::swap::progress::Progress;
use sluice::swap::state::{Race, Voiding};
use sluice::swap::{Kind, Maker, Outcome, Role, State, Swap};
use sluice::trail::{Millis, Trail};
use sluice::units::{FeeRate, Height};

use crate::fixtures::{claim, deal, opening, own_invoice, reason, swap};

fn voiding() -> Voiding {
    Voiding {
        opening: opening(),
        children: Vec::new(),
        invoice: own_invoice(),
        status: InvoiceStatus::Open,
        voids: Vec::new(),
        progress: Progress::Fresh,
        hindrance: None,
        race: Race::Open,
        taker_key: None,
        reason: reason(),
    }
}

fn racing(race: Race) -> Voiding {
    Voiding {
        voids: vec![claim()],
        race,
        ..voiding()
    }
}

fn long_gone() -> Voiding {
    Voiding {
        status: InvoiceStatus::Closed,
        ..racing(Race::LongGone)
    }
}

/// The state in each of its forms.
pub fn forms() -> Vec<(&'static str, Maker)> {
    let hindered = Voiding {
        hindrance: Some("the wallet cannot".into()),
        ..voiding()
    };
    let forms = [
        ("Voiding", voiding()),
        ("Voiding, hindered", hindered),
        ("Voiding, published", racing(Race::Open)),
        ("Voiding, spent", racing(Race::Void(Height(502)))),
        ("Voiding, opened", racing(Race::Opening(Height(502)))),
        ("Voiding, gone", racing(Race::Gone(Height(502)))),
        ("Voiding, long gone", long_gone()),
    ];
    forms.map(|(name, voiding)| (name, Maker::Voiding(voiding))).into()
}

fn of(voiding: Voiding) -> Swap {
    swap(
        0xa1,
        Kind::Out,
        Role::Maker,
        State::Maker(deal(), Maker::Voiding(voiding)),
    )
}

fn asked(voiding: Voiding, rate: Option<u64>) -> Result<Plan, ApiError> {
    let swap = of(voiding);
    let trail = Trail::begin(&swap, Millis(0));
    let scene = Scene {
        swap: &swap,
        trail: &trail,
        tip: Some(Height(510)),
        rates: FeeRates {
            asked: FeeRate(200),
            estimated: true,
            least: FeeRate(100),
            ceiling: FeeRate(10_000),
        },
        discounted: true,
    };
    let wish = Wish {
        rate: rate.map(FeeRate),
    };
    plan(&scene, wish)
}

#[test]
fn a_void_that_waits_is_replaced_for_a_twentieth_of_what_is_at_stake_at_most() {
    let cost = claim().cost;
    let planned = asked(racing(Race::Open), None).unwrap();
    assert_eq!((planned.transaction, planned.txid), (Bumped::Void, claim().txid));
    assert_eq!(planned.paid, (cost.fee, cost.rate(true)));
    assert!(planned.next.0 >= cost.fee + FeeRate(100).fee(cost.vsize), "{planned:?}");
    let stake = of(racing(Race::Open)).stake(None).unwrap().amount;
    let named = asked(racing(Race::Open), Some(10_001)).unwrap();
    assert_eq!(named.ceiling, Amount::from_sat(stake.to_sat() / 20));
}

#[test]
fn what_is_decided_not_made_or_gone_is_not_replaced() {
    let refused = |voiding: Voiding| match asked(voiding, None) {
        Err(ApiError::NotBumpable { reason, .. }) => reason,
        other => panic!("{other:?}"),
    };
    assert!(refused(voiding()).contains("not made yet"));
    assert!(refused(racing(Race::Void(Height(502)))).contains("spent in block 502"));
    assert!(refused(racing(Race::Opening(Height(502)))).contains("opening is in block 502"));
    assert!(refused(racing(Race::Gone(Height(502)))).contains("vanished"));
    assert!(refused(long_gone()).contains("vanished"));
}

#[test]
fn a_swap_whose_input_is_gone_is_ended_only_when_nobody_can_pay_any_more() {
    let action = |voiding| advise(&of(voiding)).unwrap().action;
    let still_payable = racing(Race::LongGone);
    for ending in [voiding(), racing(Race::Gone(Height(502))), still_payable] {
        assert_eq!(action(ending), CancelAction::AlreadyEnding);
    }
    let asked = of(long_gone());
    let advice = advise(&asked).unwrap();
    assert_eq!((advice.action, advice.abort), (CancelAction::Canceled, true));
    assert!(advice.explanation.contains("rescue file"), "{}", advice.explanation);
    let ended = Swap {
        state: State::Closed(Outcome::GivenUp { reason: reason() }),
        ..asked.clone()
    };
    assert_eq!(done(&asked, &ended).unwrap(), advice);
}

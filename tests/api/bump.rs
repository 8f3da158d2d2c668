//! What is said to the wish to bump: which transaction, from which fee to which, or why not.

use bitcoin::Amount;
use sluice::api::bump::{Plan, Scene, plan};
use sluice::api::error::ApiError;
use sluice::swap::event::InvoiceStatus;
use sluice::swap::fees::{Bumped, FeeRates, Wish};
use sluice::swap::state::Opened;
use sluice::swap::{Kind, Maker, Role, State, Swap, Taker};
use sluice::trail::{Millis, Trail};
use sluice::units::{FeeRate, Height};

use crate::fixtures::{claim, claiming, deal, offer, opened, paying, swap};

const RATES: FeeRates = FeeRates {
    asked: FeeRate(200),
    estimated: true,
    least: FeeRate(100),
    ceiling: FeeRate(10_000),
};

fn taker(taker: Taker) -> Swap {
    swap(0xa1, Kind::Out, Role::Taker, State::Taker(deal(), taker))
}

fn maker(maker: Maker) -> Swap {
    swap(0xa1, Kind::Out, Role::Maker, State::Maker(deal(), maker))
}

fn asked(swap: &Swap, rate: Option<u64>) -> Result<Plan, ApiError> {
    let trail = Trail::begin(swap, Millis(0));
    let scene = Scene {
        swap,
        trail: &trail,
        tip: Some(Height(510)),
        rates: RATES,
        discounted: true,
    };
    let wish = Wish {
        rate: rate.map(FeeRate),
    };
    plan(&scene, wish)
}

fn refused(swap: &Swap) -> String {
    match asked(swap, None) {
        Err(ApiError::NotBumpable { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

fn rule(swap: &Swap, rate: u64) -> String {
    match asked(swap, Some(rate)) {
        Err(ApiError::InvalidParams { field, rule, .. }) => {
            assert_eq!(field, "fee_rate_sat_per_kvb");
            rule
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_claim_that_waits_is_replaced_at_a_higher_fee() {
    let claiming = taker(claiming(vec![claim()], false));
    let cost = claim().cost;
    let planned = asked(&claiming, None).unwrap();
    assert_eq!((planned.transaction, planned.txid), (Bumped::Claim, claim().txid));
    assert_eq!(planned.paid, (cost.fee, cost.rate(true)));
    let more = cost.fee + FeeRate(100).fee(cost.vsize);
    assert!(
        planned.next.0 >= more,
        "a replacement is judged by its undiscounted size: {planned:?}"
    );
    assert!(planned.ceiling >= planned.next.0);
}

#[test]
fn an_opening_that_waits_is_pushed() {
    let waiting = maker(Maker::Opened(opened(InvoiceStatus::Open, None)));
    let planned = asked(&waiting, Some(5_000)).unwrap();
    assert_eq!(planned.transaction, Bumped::Opening);
    assert!(
        planned.next.0 > planned.paid.0 && planned.next.1 <= FeeRate(5_000),
        "{planned:?}"
    );
    let pushed = maker(Maker::Opened(Opened {
        children: vec![claim()],
        ..opened(InvoiceStatus::Open, None)
    }));
    let again = asked(&pushed, Some(5_000)).unwrap();
    assert_eq!(
        again.paid.0,
        planned.paid.0 + claim().cost.fee,
        "what its child pays counts"
    );
}

#[test]
fn a_rate_out_of_bounds_names_both() {
    let claiming = taker(claiming(vec![claim()], false));
    let paid = claim().cost.rate(true);
    let low = rule(&claiming, paid.0);
    assert!(
        low.starts_with("must be at least ") && low.contains(&paid.to_string()),
        "{low}"
    );
    let high = rule(&claiming, u64::MAX);
    let stake = claiming.stake(Some(Height(510))).unwrap().amount;
    let half = Amount::from_sat(stake.to_sat() / 2);
    assert!(
        high.starts_with("must be at most ")
            && high.contains(&format!("a fee of {} sat", half.to_sat()))
            && high.ends_with(&format!("at stake, {} sat", stake.to_sat())),
        "{high}"
    );
}

#[test]
fn where_nothing_waits_it_says_what_is() {
    let states = [
        (taker(Taker::AwaitingOpening), "only its maker can push it"),
        (
            taker(Taker::AwaitingConfirmation {
                offer: offer(),
                confirmed_at: None,
            }),
            "only its maker can push it",
        ),
        (
            taker(Taker::AbandoningPayment {
                paying: paying(),
                reason: "no".into(),
                since: crate::fixtures::MADE,
                spent: false,
            }),
            "not published before it is paid",
        ),
        (taker(claiming(Vec::new(), false)), "not made yet"),
        (
            maker(Maker::Opened(opened(InvoiceStatus::Open, Some(501)))),
            "in block 501 already",
        ),
        (maker(Maker::AwaitingFee { fee: None }), "not made yet"),
    ];
    for (swap, words) in states {
        let reason = refused(&swap);
        assert!(reason.contains(words), "{reason}");
    }
}

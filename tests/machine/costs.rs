//! What transactions cost, and what a child must pay to push its parent.

use bitcoin::Amount;
use sluice::swap::fees::{FeeRates, TxCost, fee_of_child, least_fee_of_void};
use sluice::swap::{Kind, Role};
use sluice::units::{Asset, Blocks, FeeRate, Height};

use crate::fixtures::*;

const OPENING: TxCost = TxCost {
    fee: Amount::from_sat(29),
    vsize: 1_300,
    discount_vsize: 230,
};
const CHILD: TxCost = TxCost {
    fee: Amount::from_sat(400),
    vsize: 1_000,
    discount_vsize: 170,
};
/// One satoshi for a virtual byte, and a tenth of that for each byte of what takes the place of another.
const RATES: (FeeRate, FeeRate) = (FeeRate(1_000), FeeRate(100));

#[test]
fn a_fee_is_judged_by_the_discounted_size_on_liquid_and_by_the_whole_size_on_bitcoin() {
    assert_eq!((OPENING.size(true), OPENING.size(false)), (230, 1_300));
    assert_eq!((CHILD.rate(true), CHILD.rate(false)), (FeeRate(2_352), FeeRate(400)));
}

#[test]
fn two_transactions_cost_what_both_do() {
    let both = TxCost {
        fee: Amount::from_sat(429),
        vsize: 2_300,
        discount_vsize: 400,
    };
    assert_eq!(OPENING.and(&CHILD), both);
    let pushed = Case::maker(Kind::Out).opened();
    let pays = |case: &Case| match &case.swap.state {
        sluice::swap::State::Maker(_, sluice::swap::Maker::Opened(opened)) => opened.pays(),
        other => panic!("{other:?}"),
    };
    assert_eq!(pays(&pushed), opening().cost);
    let pushed = pushed.on(bump(None)).on(made_push(1));
    assert_eq!(pays(&pushed), opening().cost.and(&claim(1).cost));
}

#[test]
fn a_child_pays_what_its_opening_lacks() {
    let fee = |discounted| fee_of_child(&OPENING, &CHILD, discounted, None, RATES);
    assert_eq!(fee(true), Some(Amount::from_sat(400 - 29)));
    assert_eq!(fee(false), Some(Amount::from_sat(2_300 - 29)));
}

#[test]
fn a_child_pays_for_itself_also_where_its_opening_lacks_nothing() {
    for fee in [400, 1_000_000] {
        let rich = TxCost {
            fee: Amount::from_sat(fee),
            ..OPENING
        };
        assert_eq!(
            fee_of_child(&rich, &CHILD, true, None, RATES),
            Some(Amount::from_sat(170))
        );
    }
}

#[test]
fn a_child_pays_more_than_the_child_whose_place_it_takes_and_for_its_own_undiscounted_size() {
    let replacing = |fee| {
        let replaced = TxCost {
            fee: Amount::from_sat(fee),
            ..CHILD
        };
        fee_of_child(&OPENING, &CHILD, true, Some(&replaced), RATES)
    };
    assert_eq!(replacing(400), Some(Amount::from_sat(400 + 100)));
    assert_eq!(replacing(100), Some(Amount::from_sat(371)), "what is missing is more");
    assert_eq!(replacing(u64::MAX), None, "there is not as much money");
}

#[test]
fn a_void_pays_more_than_the_opening_and_the_void_whose_places_it_takes_and_for_its_own_undiscounted_size() {
    let least = |replaced: Option<u64>| {
        let replaced = replaced.map(|fee| TxCost {
            fee: Amount::from_sat(fee),
            ..CHILD
        });
        least_fee_of_void(&OPENING, replaced.as_ref(), 2_000, FeeRate(100))
    };
    assert_eq!(least(None), Some(Amount::from_sat(29 + 200)));
    assert_eq!(least(Some(400)), Some(Amount::from_sat(400 + 200)));
    assert_eq!(
        least(Some(28)),
        Some(Amount::from_sat(29 + 200)),
        "the opening paid more"
    );
    assert_eq!(least(Some(u64::MAX)), None, "there is not as much money");
}

#[test]
fn the_least_that_the_node_takes_may_be_all_that_the_operator_allows() {
    let rates = FeeRates {
        asked: FeeRate(5_000),
        estimated: true,
        least: FeeRate(2_000),
        ceiling: FeeRate(2_000),
    };
    assert_eq!(rates.for_new(), Ok(FeeRate(2_000)));
}

#[test]
fn what_is_at_stake_is_what_the_opening_holds() {
    for (kind, held) in [(Kind::In, 1_002_000), (Kind::Out, 1_000_000)] {
        for case in [
            Case::maker(kind).opened(),
            Case::maker(kind).claiming_coop(),
            Case::maker(kind).claiming_csv(),
            Case::taker(kind).paying_claim(),
            Case::taker(kind).abandoning_payment(),
            Case::taker(kind).claiming_invoice(),
        ] {
            let stake = case.swap.stake(Some(Height(110))).unwrap();
            assert_eq!(stake.amount, Amount::from_sat(held), "{:?}", case.swap.state);
        }
    }
}

#[test]
fn more_is_paid_for_an_opening_in_the_last_half_of_its_window_and_for_a_claim_in_its_last_day() {
    for (asset, half, day) in [(Asset::Lbtc, 30, 1_440), (Asset::Btc, 252, 144)] {
        let stretch = |case: Case| case.swap.stake(Some(Height(110))).unwrap().stretch;
        let [maker, taker] = [Role::Maker, Role::Taker].map(|role| Case::new(role, Kind::In, asset));
        assert_eq!(stretch(maker.opened()), Blocks(half));
        assert_eq!(stretch(taker.clone().paying_claim()), Blocks(day));
        assert_eq!(stretch(taker.clone().abandoning_payment()), Blocks(day));
        assert_eq!(stretch(taker.claiming_invoice()), Blocks(day));
    }
}

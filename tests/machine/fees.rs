//! What a transaction may cost: far from its deadline, near it, and on the operator's word.

use bitcoin::Amount;
use proptest::prelude::*;
use sluice::swap::Kind;
use sluice::swap::event::InvoiceKind;
use sluice::swap::fees::{Bumped, Ceiling, FeeRates, Stake, TooDear, Wish, push_rate};
use sluice::units::{Asset, Blocks, FeeRate, Height};

use crate::fixtures::*;

const MILLION: Amount = Amount::from_sat(1_000_000);

fn stake(of: Bumped, left: Option<u32>) -> Stake {
    Stake {
        of,
        amount: MILLION,
        left: left.map(Blocks),
        stretch: Blocks(144),
    }
}

fn most(of: Bumped, left: Option<u32>, operator: u64, wish: Option<Wish>) -> u64 {
    stake(of, left).ceiling(FeeRate(operator), wish).fee(150).to_sat()
}

fn rates(asked: u64, least: u64, ceiling: u64) -> FeeRates {
    FeeRates {
        asked: FeeRate(asked),
        estimated: true,
        least: FeeRate(least),
        ceiling: FeeRate(ceiling),
    }
}

fn wished(rate: Option<u64>) -> Option<Wish> {
    Some(Wish {
        rate: rate.map(FeeRate),
    })
}

#[test]
fn the_ceiling_grows_as_the_deadline_nears() {
    // the operator allows 2 sat/vB, so 300 sat for 150 vB; 1,000,000 sat are at stake
    let claims = [
        (145, 300),
        (144, 50_000),
        (37, 50_000),
        (36, 200_000),
        (7, 200_000),
        (6, 500_000),
        (0, 500_000),
    ];
    for (left, fee) in claims {
        assert_eq!(most(Bumped::Claim, Some(left), 2_000, None), fee, "{left} blocks left");
    }
    let openings = [(145, 300), (144, 1_000), (36, 2_000), (6, 5_000), (0, 5_000)];
    for (left, fee) in openings {
        assert_eq!(
            most(Bumped::Opening, Some(left), 2_000, None),
            fee,
            "{left} blocks left"
        );
    }
    assert_eq!(most(Bumped::Refund, None, 2_000, None), 300, "a refund has no deadline");
    assert_eq!(
        most(Bumped::Claim, None, 2_000, None),
        300,
        "nothing is known of a deadline"
    );
}

#[test]
fn the_operators_word_counts_above_his_ceiling_but_not_above_the_share() {
    for (of, fee) in [
        (Bumped::Claim, 500_000),
        (Bumped::Refund, 500_000),
        (Bumped::Opening, 50_000),
    ] {
        assert_eq!(most(of, Some(1000), 2_000, wished(Some(3_000))), fee);
        assert_eq!(
            most(of, Some(1000), 2_000, wished(None)),
            300,
            "without a rate his ceiling holds"
        );
    }
}

#[test]
fn a_new_swap_waits_while_the_node_takes_nothing_that_is_allowed() {
    assert_eq!(rates(500, 100, 2_000).for_new(), Ok(FeeRate(500)));
    assert_eq!(rates(5_000, 100, 2_000).for_new(), Ok(FeeRate(2_000)));
    let dear = TooDear {
        least: FeeRate(2_001),
        ceiling: FeeRate(2_000),
    };
    assert_eq!(rates(5_000, 2_001, 2_000).for_new(), Err(dear));
    assert_eq!(
        dear.to_string(),
        "the chain's node takes nothing below 2001 sat/kvB, and the operator's fee ceiling is 2000 sat/kvB"
    );
}

#[test]
fn an_opening_is_pushed_only_where_the_network_asks_for_more() {
    let opening = stake(Bumped::Opening, Some(1000));
    let push = |paid, asked, wish| push_rate(&opening, (FeeRate(paid), 300), &rates(asked, 100, 2_000), wish);
    assert_eq!(push(100, 500, None), Ok(FeeRate(500)));
    assert_eq!(push(100, 5_000, None), Ok(FeeRate(2_000)), "up to the ceiling");
    let enough = push(500, 500, None).unwrap_err();
    assert!(
        enough.contains("pays 500 sat/kvB") && enough.contains("at most 2000 sat/kvB"),
        "{enough}"
    );
    assert!(push(2_000, 5_000, None).is_err());
    assert_eq!(
        push(500, 500, wished(None)),
        Ok(FeeRate(625)),
        "the operator knows more"
    );
    assert_eq!(push(500, 500, wished(Some(9_000))), Ok(FeeRate(9_000)));
}

/// The blocks left of a swap's transactions, on the way from the payment to the end.
#[test]
fn deadlines_are_where_money_can_be_lost() {
    let claiming = Case::taker(Kind::Out)
        .paying_claim()
        .on(made_claim(1))
        .on(paid(InvoiceKind::Claim));
    let left = |tip: u32| claiming.swap.stake(Some(Height(tip))).unwrap().left;
    // opened in block 101: the refund fits into block 10,181
    assert_eq!(
        (left(103), left(10_180), left(20_000)),
        (Some(Blocks(10_077)), Some(Blocks(0)), Some(Blocks(0)))
    );
    assert_eq!(claiming.swap.stake(None).unwrap().left, None);

    let opened = Case::maker(Kind::Out).opened();
    // the window ends at 160, and two confirmations come before that
    assert_eq!(opened.swap.stake(Some(Height(150))).unwrap().left, Some(Blocks(8)));
    assert_eq!(
        opened.on(seen(101, 101)).swap.stake(Some(Height(150))),
        None,
        "it is in a block"
    );
    let refund = Case::maker(Kind::Out).opened_and_confirmed().on(seen(10_180, 101)).swap;
    assert_eq!(refund.stake(Some(Height(10_180))).unwrap().left, None);
    assert!(
        Case::new(sluice::swap::Role::Taker, Kind::In, Asset::Btc)
            .swap
            .stake(Some(ANCHOR))
            .is_none()
    );
}

fn ceiling(sat: u64, left: u32, operator: u64, wish: Option<Wish>) -> Ceiling {
    let stake = Stake {
        amount: Amount::from_sat(sat),
        ..stake(Bumped::Claim, Some(left))
    };
    stake.ceiling(FeeRate(operator), wish)
}

proptest! {
    #[test]
    fn nothing_pays_more_than_half_of_what_is_at_stake(
        sat in 0u64..2_100_000_000_000_000, left in 0u32..2_000, operator: u64, size in 1u64..100_000, rate: Option<u64>,
    ) {
        let fee = ceiling(sat, left, operator, wished(rate)).fee(size);
        prop_assert!(fee.to_sat() <= sat / 2);
    }

    #[test]
    fn a_ceiling_grows_with_the_stake_and_as_blocks_pass(
        sat in 0u64..2_100_000_000_000_000, left in 1u32..2_000, operator in 0u64..1_000_000, size in 1u64..100_000,
    ) {
        let fee = |sat, left| ceiling(sat, left, operator, None).fee(size);
        prop_assert!(fee(sat, left) <= fee(sat, left - 1));
        prop_assert!(fee(sat, left) <= fee(sat.saturating_mul(2), left));
        prop_assert!(fee(sat, left) >= FeeRate(operator).fee(size).min(Amount::from_sat(sat / 2)));
    }

    #[test]
    fn far_from_the_deadline_the_operators_ceiling_holds(
        sat in 0u64..2_100_000_000_000_000, left in 145u32.., operator in 0u64..1_000_000, size in 1u64..100_000,
    ) {
        prop_assert!(ceiling(sat, left, operator, None).fee(size) <= FeeRate(operator).fee(size));
    }

    /// However the rates move, the versions of one transaction are few.
    #[test]
    fn each_version_pays_notably_more_than_the_one_before(
        before in 1u64..1_000_000_000, asked in 0u64..1_000_000, left in prop::option::of(0u32..2_000),
    ) {
        let rates = rates(asked, 0, 1_000);
        let next = stake(Bumped::Claim, left).rate(Some(FeeRate(before)), &rates, None);
        prop_assert!(next >= FeeRate(asked) && next.0 * 4 >= before * 5);
        let in_the_stretch = left.is_some_and(|left| left <= 144);
        prop_assert!(!in_the_stretch || next.0 >= before * 2);
    }
}

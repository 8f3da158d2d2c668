//! The table of timelocks and its borders, with the numbers of Go PeerSwap's own tests.

use sluice::swap::terms::{Kind, Role};
use sluice::swap::timelocks::{Timelocks, is_final, may_pay, may_refund, too_late_to_open};
use sluice::units::{Asset, Blocks, CltvDelta, Height};

use crate::fixtures::*;

#[test]
fn the_table_holds_the_safe_pairs_of_asset_and_version() {
    for version in [5, 6, 7] {
        let bitcoin = Timelocks::of(Asset::Btc, version).unwrap();
        assert_eq!(
            (bitcoin.csv, bitcoin.window, bitcoin.confirmations),
            (Blocks(1008), Blocks(504), Blocks(3))
        );
        assert_eq!(
            (bitcoin.final_cltv, bitcoin.total_cltv),
            (CltvDelta(503), CltvDelta(507))
        );
    }
    let liquid = Timelocks::of(Asset::Lbtc, 7).unwrap();
    assert_eq!(
        (liquid.csv, liquid.window, liquid.confirmations),
        (Blocks(10_080), Blocks(60), Blocks(2))
    );
    assert_eq!((liquid.final_cltv, liquid.total_cltv), (CltvDelta(29), CltvDelta(33)));
    for (asset, version) in [
        (Asset::Lbtc, 5),
        (Asset::Lbtc, 6),
        (Asset::Lbtc, 8),
        (Asset::Btc, 4),
        (Asset::Btc, 8),
    ] {
        assert_eq!(Timelocks::of(asset, version), None);
    }
}

#[test]
fn on_liquid_the_window_of_sixty_blocks_from_100_is_open_at_159_and_over_at_160() {
    let liquid = limits(Asset::Lbtc);
    for (tip, open) in [(100, true), (159, true), (160, false), (u32::MAX, false)] {
        assert_eq!(
            may_pay(Height(tip), ANCHOR, Height(tip.min(158)), liquid),
            open,
            "tip {tip}"
        );
    }
}

#[test]
fn on_bitcoin_the_window_is_open_at_603_and_over_at_604() {
    let bitcoin = limits(Asset::Btc);
    for (tip, open) in [(603, true), (604, false)] {
        assert_eq!(may_pay(Height(tip), ANCHOR, Height(601), bitcoin), open, "tip {tip}");
    }
}

#[test]
fn a_payment_must_leave_room_for_its_htlc_and_the_claim_before_the_refund() {
    // confirmed + csv - pay_call - HTLC - claim margin: 10080 - 15 - 33 * 20 - 2880, and 1008 - 3 - 507 - 144.
    for (asset, room) in [(Asset::Lbtc, 6525), (Asset::Btc, 354)] {
        let (limits, confirmed_at) = (limits(asset), Height(50_000));
        let border = confirmed_at.0 + room;
        let anchor = Height(border - 1);
        assert!(may_pay(Height(border - 1), anchor, confirmed_at, limits), "{asset}");
        assert!(!may_pay(Height(border), anchor, confirmed_at, limits), "{asset}");
    }
}

#[test]
fn by_the_clock_a_payment_may_start_for_much_longer_than_an_invoice_lives_and_not_until_a_refund_is_near() {
    // Blocks at two thirds of their usual distance.
    for (asset, block_secs) in [(Asset::Lbtc, 40), (Asset::Btc, 400)] {
        let limits = limits(asset);
        assert!(
            limits.pay_within_secs >= limits.invoice_expiry_secs + 3 * 3600,
            "{asset}"
        );
        let room = u64::from(limits.claimable_blocks().0) * block_secs;
        assert!(limits.pay_within_secs < room, "{asset}: {room} s");
        assert_eq!(limits.pay_until(START), START.plus_secs(limits.pay_within_secs));
    }
}

#[test]
fn an_opening_that_confirmed_long_before_the_swap_is_never_paid_for() {
    // A maker could fund early, and announce when its timelock is nearly over.
    let liquid = limits(Asset::Lbtc);
    assert!(!may_pay(Height(20_000), Height(20_000), Height(20_000 - 6525), liquid));
    assert!(!may_pay(Height(20_000), Height(20_000), Height(0), liquid));
}

#[test]
fn heights_at_the_end_of_their_range_do_not_wrap() {
    for asset in [Asset::Lbtc, Asset::Btc] {
        let (limits, end) = (limits(asset), Height(u32::MAX));
        assert!(!may_pay(end, end, end, limits));
        assert!(!may_pay(end, Height(0), Height(0), limits));
        assert!(too_late_to_open(end, end, limits));
        assert!(may_refund(end, Height(0), limits));
        assert!(!is_final(Height(0), end, limits));
    }
}

#[test]
fn confirmations_count_the_including_block() {
    let two = limits(Asset::Lbtc);
    for (tx, tip, reached) in [
        (101, 100, false),
        (100, 100, false),
        (100, 101, true),
        (i32::MAX as u32, i32::MAX as u32, false),
        (i32::MAX as u32 - 1, i32::MAX as u32, true),
        (u32::MAX - 1, u32::MAX, true),
    ] {
        assert_eq!(is_final(Height(tip), Height(tx), two), reached, "in {tx}, tip {tip}");
    }
    assert!(!is_final(Height(102), Height(101), limits(Asset::Btc)));
    assert!(is_final(Height(103), Height(101), limits(Asset::Btc)));
}

#[test]
fn a_refund_of_an_opening_in_block_100_fits_from_tip_10179_on() {
    let liquid = limits(Asset::Lbtc);
    assert!(!may_refund(Height(10_178), Height(100), liquid));
    assert!(may_refund(Height(10_179), Height(100), liquid));
    let bitcoin = limits(Asset::Btc);
    assert!(!may_refund(Height(1106), Height(100), bitcoin));
    assert!(may_refund(Height(1107), Height(100), bitcoin));
}

#[test]
fn a_maker_opens_only_while_confirmations_and_five_blocks_fit_into_the_window() {
    assert!(!too_late_to_open(Height(152), ANCHOR, limits(Asset::Lbtc)));
    assert!(too_late_to_open(Height(153), ANCHOR, limits(Asset::Lbtc)));
    assert!(!too_late_to_open(Height(595), ANCHOR, limits(Asset::Btc)));
    assert!(too_late_to_open(Height(596), ANCHOR, limits(Asset::Btc)));
}

#[test]
fn a_swap_of_either_asset_runs_by_its_own_limits() {
    for asset in [Asset::Lbtc, Asset::Btc] {
        for kind in [Kind::In, Kind::Out] {
            let taker = Case::new(Role::Taker, kind, asset).claiming_invoice();
            taker.is("claiming_invoice");
            Case::new(Role::Maker, kind, asset).claiming_csv().is("claiming_csv");
        }
    }
}

//! What the engine expects of a Lightning node, against every node there is: the same cases run on the embedded nodes
//! and, where `lnd`, `lightningd` and `bitcoind` are found, on real ones.

#![allow(clippy::unwrap_used)]

mod access;
mod bench;
mod cln;
mod embedded;
mod holding;
mod invoices;
mod messages;
mod payments;
#[path = "../lightning/pinned.rs"]
mod pinned;
mod real;
mod zero_conf;

use std::io::Write;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;

use futures::FutureExt;

use bench::Bench;
use cln::ClnPays;
use real::Real;

/// Names every case once, for the embedded and for the real nodes.
macro_rules! contract {
    ($($module:ident :: $case:ident),+ $(,)?) => {
        /// Runs every case on one world, one after the other.
        async fn run_all(bench: &mut dyn Bench) {
            $(
                let began = std::time::Instant::now();
                eprintln!("case {} …", stringify!($case));
                $module::$case(bench).await;
                eprintln!("case {} ok, {} ms", stringify!($case), began.elapsed().as_millis());
            )+
        }

        /// Every case on a world of its own.
        mod on_embedded_nodes {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    let mut bench = super::embedded::Embedded::start().await;
                    super::$module::$case(&mut bench).await;
                }
            )+
        }
    };
}

contract!(
    access::a_node_tells_who_and_where_it_is,
    access::channels_are_seen_alike_from_both_ends,
    access::a_peer_is_known_by_the_name_that_it_announces,
    access::wrong_credentials_are_named_and_read_again_once_mended,
    access::a_wrong_certificate_is_named_and_read_again_once_mended,
    access::a_missing_permission_is_named,
    access::a_node_without_open_wallet_is_not_ready,
    access::a_node_that_is_away_is_unreachable,
    invoices::the_same_invoice_is_made_once,
    invoices::another_amount_for_the_same_preimage_is_broken,
    invoices::an_invoice_says_what_was_asked_for,
    invoices::a_watched_invoice_is_open_then_paid,
    invoices::a_cancelled_invoice_is_closed_and_cannot_be_paid,
    invoices::a_paid_invoice_cannot_be_cancelled,
    invoices::an_invoice_that_was_never_made_is_closed,
    invoices::an_expired_invoice_is_closed_and_refused,
    invoices::a_hundred_invoices_are_watched_at_once,
    payments::a_payment_settles,
    payments::paying_again_pays_once,
    payments::a_payment_in_flight_is_joined_not_repeated,
    payments::two_calls_at_once_make_one_htlc,
    payments::a_held_htlc_stays_in_flight_until_it_settles,
    payments::a_held_htlc_that_fails_was_not_paid,
    payments::an_unknown_payment_is_absent,
    payments::what_a_process_before_may_have_begun_is_not_absent_at_once,
    payments::more_than_the_channel_has_fails_and_can_be_paid_later,
    payments::all_that_is_spendable_can_be_sent,
    payments::an_htlc_that_lives_too_long_is_refused,
    payments::an_htlc_expires_three_blocks_after_what_its_invoice_wants,
    payments::another_channel_than_the_payee_s_is_refused,
    payments::other_details_than_the_invoice_s_are_refused,
    payments::an_inactive_channel_is_not_a_failed_payment,
    payments::a_payer_that_goes_away_in_the_middle_knows_its_payment_later,
    payments::a_payee_that_stands_still_leaves_the_payment_in_flight,
    payments::a_payee_that_dies_in_the_middle_is_paid_when_it_is_back,
    payments::a_channel_is_found_by_its_alias,
    messages::messages_go_both_ways,
    messages::the_largest_message_arrives,
    messages::a_message_that_is_too_large_or_not_peerswap_s_is_refused,
    messages::an_offline_peer_is_unreachable,
    messages::peers_come_and_go,
    messages::a_stream_ends_with_its_node_and_begins_again,
);

/// Where each of those programs is; None, loudly, where one is missing.
fn programs<const N: usize>(test: &str, names: [&str; N]) -> Option<[PathBuf; N]> {
    let found = names.map(sluice_regtest::daemons::find);
    if found.iter().all(Option::is_some) {
        return Some(found.map(|path| path.expect("just looked at")));
    }
    let missing = names.iter().zip(&found).filter(|(_, path)| path.is_none());
    let missing: Vec<&str> = missing.map(|(name, _)| *name).collect();
    // Not by a macro: what those print is kept back while a test succeeds.
    let skipped = format!(
        "SKIPPED: {test}: not found: {}; see regtest/README.md\n",
        missing.join(", ")
    );
    std::io::stderr().write_all(skipped.as_bytes()).unwrap();
    None
}

/// Plays a case; of one that fails the last lines of both nodes are printed.
async fn played<B>(mut bench: B, case: impl AsyncFnOnce(&mut B), tails: impl FnOnce(&B) -> String) {
    if let Err(failed) = AssertUnwindSafe(case(&mut bench)).catch_unwind().await {
        eprintln!("{}", tails(&bench));
        std::panic::resume_unwind(failed);
    }
}

/// Against lnd and bitcoind, where they are found.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lnd_keeps_the_contract() {
    let Some([lnd, bitcoind]) = programs("lnd_keeps_the_contract", ["lnd", "bitcoind"]) else {
        return;
    };
    let bench = Real::start(&lnd, &bitcoind).await.unwrap();
    played(bench, async |bench| run_all(bench).await, Real::tails).await;
}

/// Against lnd and bitcoind, where they are found.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lnd_pays_over_channels_that_are_in_no_block() {
    let Some([lnd, bitcoind]) = programs("lnd_pays_over_channels_that_are_in_no_block", ["lnd", "bitcoind"]) else {
        return;
    };
    let bench = Real::start(&lnd, &bitcoind).await.unwrap();
    let case = async |bench: &mut Real| zero_conf::a_channel_is_paid_over_before_and_after_it_confirms(bench).await;
    played(bench, case, Real::tails).await;
}

/// Against lightningd, lnd and bitcoind, where they are found. A lightningd accepts such a channel only by a plugin.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cln_pays_over_channels_that_are_in_no_block() {
    let needed = ["lightningd", "lnd", "bitcoind"];
    let Some([lightningd, lnd, bitcoind]) = programs("cln_pays_over_channels_that_are_in_no_block", needed) else {
        return;
    };
    let bench = ClnPays::start(&lightningd, Some(&lnd), &bitcoind).await.unwrap();
    let case = async |bench: &mut ClnPays| zero_conf::a_channel_is_paid_over_before_and_after_it_confirms(bench).await;
    played(bench, case, ClnPays::tails).await;
}

/// Against lightningd and bitcoind, where they are found; an lnd is paid, which can hold what it is paid.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cln_keeps_the_contract_as_the_payer() {
    let needed = ["lightningd", "lnd", "bitcoind"];
    let Some([lightningd, lnd, bitcoind]) = programs("cln_keeps_the_contract_as_the_payer", needed) else {
        return;
    };
    let bench = ClnPays::start(&lightningd, Some(&lnd), &bitcoind).await.unwrap();
    played(bench, async |bench| run_all(bench).await, ClnPays::tails).await;
}

/// Against lightningds and bitcoind, where they are found.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cln_keeps_the_contract_at_both_ends() {
    let needed = ["lightningd", "bitcoind"];
    let Some([lightningd, bitcoind]) = programs("cln_keeps_the_contract_at_both_ends", needed) else {
        return;
    };
    let bench = ClnPays::start(&lightningd, None, &bitcoind).await.unwrap();
    played(bench, async |bench| run_all(bench).await, ClnPays::tails).await;
}

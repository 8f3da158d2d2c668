//! What Sluice's Liquid adapter promises, held against real elementsd and against the embedded chain: the same tests.
//!
//! The real node is what `ELEMENTSD_EXE` names, or `elementsd` in the PATH; without one its half is skipped, loudly.

#![allow(clippy::unwrap_used)]

mod chain;
mod faults;
mod fees;
mod node;
mod wallet;
mod world;

/// Runs each case once per backend.
macro_rules! contract {
    ($($module:ident: { $($case:ident),* $(,)? })*) => {
        contract! { @on embedded Backend::Embedded(sluice_regtest::liquid::Release::V28); $($($module $case)*)* }
        contract! { @on elementsd Backend::Elementsd; $($($module $case)*)* }
    };
    (@on $name:ident $backend:expr; $($module:ident $case:ident)*) => {
        mod $name {
            use crate::node::Backend;
            use crate::world::World;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    if let Some(world) = World::start($backend).await {
                        crate::$module::$case(world).await;
                    }
                }
            )*
        }
    };
}

contract! {
    chain: {
        tells_what_the_node_is,
        a_tip_is_pushed_for_every_block,
        an_opening_is_seen_from_the_mempool_to_its_spend,
        a_first_look_finds_what_happened_while_we_were_away,
        blocks_missed_in_between_are_read,
        what_a_reorg_undoes_is_no_longer_seen,
        a_reorg_to_the_same_height_is_noticed,
        an_input_spent_elsewhere_is_a_conflict,
        broadcasting_twice_is_ok,
        a_double_spend_is_refused,
        a_block_costs_the_same_calls_whatever_is_watched,
        between_blocks_nothing_is_called_but_the_long_poll,
        the_fee_rate_costs_no_call_per_swap,
    }
    wallet: {
        an_opening_is_confidential_and_costs_its_true_size,
        funding_locks_coins_until_they_are_released,
        openings_made_together_share_no_coin,
        too_little_money_is_refused_with_both_amounts,
        only_coins_of_committed_openings_stay_locked,
        a_caller_that_goes_away_leaves_no_coin_locked,
        an_opening_can_be_voided,
        addresses_are_confidential_and_can_be_paid,
    }
    faults: {
        a_wrong_password_is_unreachable_and_names_the_method,
        a_restarted_node_is_found_again_with_its_new_cookie,
        locks_survive_the_restart_of_the_node,
        errors_name_daemon_method_and_number,
    }
}

// the older dialect of errors, where it makes a difference
contract! {
    @on embedded_v23 Backend::Embedded(sluice_regtest::liquid::Release::V23);
    chain tells_what_the_node_is
    chain a_tip_is_pushed_for_every_block
    chain an_opening_is_seen_from_the_mempool_to_its_spend
    chain broadcasting_twice_is_ok
    chain a_double_spend_is_refused
    wallet too_little_money_is_refused_with_both_amounts
    wallet addresses_are_confidential_and_can_be_paid
    faults a_restarted_node_is_found_again_with_its_new_cookie
    faults errors_name_daemon_method_and_number
}

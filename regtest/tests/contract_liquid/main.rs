//! What Sluice's Liquid adapter promises, held against real elementsd and against the embedded chain: the same tests.
//!
//! The real node is what `ELEMENTSD_EXE` names, or `elementsd` in the PATH; without one its half is skipped, loudly.

mod chain;
mod faults;
mod wallet;
mod world;

/// Runs each case once per backend.
macro_rules! contract {
    ($($case:path as $name:ident),* $(,)?) => {
        mod elementsd {
            use crate::world::{Backend, World};
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    if let Some(world) = World::start(Backend::Elementsd).await {
                        $case(world).await;
                    }
                }
            )*
        }
    };
}

contract! {
    crate::chain::tells_what_the_node_is as tells_what_the_node_is,
    crate::chain::a_tip_is_pushed_for_every_block as a_tip_is_pushed_for_every_block,
    crate::chain::an_opening_is_seen_from_the_mempool_to_its_spend as an_opening_is_seen_from_the_mempool_to_its_spend,
    crate::chain::a_first_look_finds_what_happened_while_we_were_away as a_first_look_finds_what_happened_while_we_were_away,
    crate::chain::blocks_missed_in_between_are_read as blocks_missed_in_between_are_read,
    crate::chain::what_a_reorg_undoes_is_no_longer_seen as what_a_reorg_undoes_is_no_longer_seen,
    crate::chain::a_reorg_to_the_same_height_is_noticed as a_reorg_to_the_same_height_is_noticed,
    crate::chain::an_input_spent_elsewhere_is_a_conflict as an_input_spent_elsewhere_is_a_conflict,
    crate::chain::broadcasting_twice_is_ok as broadcasting_twice_is_ok,
    crate::chain::a_double_spend_is_refused as a_double_spend_is_refused,
    crate::chain::a_block_costs_the_same_calls_whatever_is_watched as a_block_costs_the_same_calls_whatever_is_watched,
    crate::chain::between_blocks_nothing_is_called_but_the_long_poll as between_blocks_nothing_is_called_but_the_long_poll,
    crate::chain::the_fee_rate_costs_no_call_per_swap as the_fee_rate_costs_no_call_per_swap,
    crate::wallet::an_opening_is_confidential_and_costs_its_true_size as an_opening_is_confidential_and_costs_its_true_size,
    crate::wallet::funding_locks_coins_until_they_are_released as funding_locks_coins_until_they_are_released,
    crate::wallet::openings_made_together_share_no_coin as openings_made_together_share_no_coin,
    crate::wallet::too_little_money_is_refused_with_both_amounts as too_little_money_is_refused_with_both_amounts,
    crate::wallet::only_coins_of_committed_openings_stay_locked as only_coins_of_committed_openings_stay_locked,
    crate::wallet::a_caller_that_goes_away_leaves_no_coin_locked as a_caller_that_goes_away_leaves_no_coin_locked,
    crate::wallet::an_opening_can_be_voided as an_opening_can_be_voided,
    crate::wallet::addresses_are_confidential_and_can_be_paid as addresses_are_confidential_and_can_be_paid,
    crate::faults::a_wrong_password_is_unreachable_and_names_the_method as a_wrong_password_is_unreachable_and_names_the_method,
    crate::faults::a_restarted_node_is_found_again_with_its_new_cookie as a_restarted_node_is_found_again_with_its_new_cookie,
    crate::faults::locks_survive_the_restart_of_the_node as locks_survive_the_restart_of_the_node,
    crate::faults::errors_name_daemon_method_and_number as errors_name_daemon_method_and_number,
}

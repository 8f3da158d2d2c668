//! What Sluice's chain adapters promise, held against real nodes and against the embedded chain: the same tests.
//!
//! The real nodes are what `ELEMENTSD_EXE` and `BITCOIND_EXE` name, or `elementsd` and `bitcoind` in the PATH (or, for
//! the latter, where `regtest/daemons/install` put it); without one its part is skipped, loudly.

#![allow(clippy::unwrap_used)]

mod bench;
mod bitcoin;
mod chain;
mod claims;
mod discounts;
mod faults;
mod holder;
mod large;
mod liquid;
mod node;
mod nodes;
mod pushing;
mod start;
mod voids;
mod wallet;
mod walletless;
mod witness;
mod world;

/// Runs cases against one backend.
macro_rules! contract {
    (@on $name:ident $bench:ty; $($module:ident $case:ident)*) => {
        mod $name {
            use crate::world::World;
            type Bench = $bench;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    if let Some(world) = World::<Bench>::start().await {
                        crate::$module::$case(world).await;
                    }
                }
            )*
        }
    };
}

/// Runs the whole contract against each backend.
macro_rules! whole_contract {
    ($($name:ident $bench:ty;)*) => {
        $(
            contract! {
                @on $name $bench;
                chain tells_what_the_node_is
                chain a_tip_is_pushed_for_every_block
                chain an_opening_is_seen_from_the_mempool_to_its_spend
                chain a_first_look_finds_what_happened_while_we_were_away
                chain blocks_missed_in_between_are_read
                chain what_a_reorg_undoes_is_no_longer_seen
                chain a_reorg_to_the_same_height_is_noticed
                chain an_input_spent_elsewhere_is_a_conflict
                chain broadcasting_twice_is_ok
                chain a_double_spend_is_refused
                chain a_block_costs_the_same_calls_whatever_is_watched
                chain between_blocks_nothing_is_called_but_the_long_poll
                chain the_fee_rate_costs_no_call_per_swap
                wallet an_opening_is_exact_and_costs_its_true_size
                wallet funding_locks_coins_until_they_are_freed
                wallet openings_made_together_share_no_coin
                wallet too_little_money_is_refused_with_both_amounts
                wallet only_coins_of_committed_openings_stay_locked
                wallet a_caller_that_goes_away_leaves_no_coin_locked
                wallet a_caller_that_goes_away_when_the_opening_is_made_leaves_no_coin_locked
                wallet an_opening_can_be_voided
                wallet addresses_are_the_wallets_own_and_can_be_paid
                pushing a_child_pays_for_its_opening_and_confirms_with_it
                pushing a_push_takes_the_place_of_the_one_before
                pushing what_cannot_be_pushed_is_refused_in_a_sentence
                pushing a_push_undoes_no_other_transaction_of_the_wallet
                pushing a_push_does_not_take_the_place_of_one_on_which_another_transaction_stands
                voids a_void_takes_the_place_of_the_one_before
                voids a_dear_void_takes_more_inputs_of_the_opening_and_no_other_coin
                voids what_a_replacement_would_undo_is_counted
                voids an_output_that_a_reorg_takes_away_is_gone
                faults a_wrong_password_is_unreachable_and_names_the_method
                faults a_restarted_node_is_found_again_with_its_new_cookie
                faults locks_survive_the_restart_of_the_node
                faults errors_name_daemon_method_and_number
                faults an_answer_that_comes_too_late_is_given_up_in_time
                faults a_send_whose_answer_is_lost_is_not_told_as_one_that_failed
                witness a_witness_with_the_same_blocks_raises_no_doubt
                witness a_witness_with_other_blocks_is_told_with_both
                witness a_witness_of_another_chain_is_refused
            }
        )*
    };
}

whole_contract! {
    embedded crate::liquid::Embedded<false>;
    elementsd crate::liquid::RealElementsd;
    embedded_bitcoin crate::bitcoin::Embedded;
    bitcoind crate::bitcoin::RealBitcoind;
}

// the older dialect of errors, where it makes a difference
contract! {
    @on embedded_v23 crate::liquid::Embedded<true>;
    chain tells_what_the_node_is
    chain a_tip_is_pushed_for_every_block
    chain an_opening_is_seen_from_the_mempool_to_its_spend
    chain broadcasting_twice_is_ok
    chain a_double_spend_is_refused
    wallet too_little_money_is_refused_with_both_amounts
    wallet addresses_are_the_wallets_own_and_can_be_paid
    pushing a_child_pays_for_its_opening_and_confirms_with_it
    faults a_restarted_node_is_found_again_with_its_new_cookie
    faults errors_name_daemon_method_and_number
}

// the wallets of Lightning nodes, beside a bitcoind without any
macro_rules! wallet_contract {
    ($($name:ident $bench:ty;)*) => {
        $(
            contract! {
                @on $name $bench;
                wallet an_opening_is_exact_and_costs_its_true_size
                wallet funding_locks_coins_until_they_are_freed
                wallet openings_made_together_share_no_coin
                wallet too_little_money_is_refused_with_both_amounts
                wallet only_coins_of_committed_openings_stay_locked
                wallet a_caller_that_goes_away_leaves_no_coin_locked
                wallet a_caller_that_goes_away_when_the_opening_is_made_leaves_no_coin_locked
                wallet an_opening_can_be_voided
                voids a_void_takes_the_place_of_the_one_before
                voids a_dear_void_takes_more_inputs_of_the_opening_and_no_other_coin
                wallet addresses_are_the_wallets_own_and_can_be_paid
                faults locks_survive_the_restart_of_the_node
                claims every_path_is_taken_by_the_node_and_a_refund_not_a_block_early
                nodes a_large_opening_takes_several_coins_of_both_kinds
                nodes locks_of_others_are_left_alone
            }
        )*
    };
}

wallet_contract! {
    lnd_wallet crate::nodes::LndWallets;
    lightningd_wallet crate::nodes::ClnWallets;
}

// lightningd does not know the change of what it has not published
contract! {
    @on lnd_wallet_pushes crate::nodes::LndWallets;
    pushing a_child_pays_for_its_opening_and_confirms_with_it
    pushing a_push_takes_the_place_of_the_one_before
    pushing a_push_does_not_take_the_place_of_one_on_which_another_transaction_stands
}
contract! {
    @on lightningd_wallet_pushes crate::nodes::ClnWallets;
    pushing an_opening_whose_change_is_not_known_yet_is_not_pushed
}

// what only Liquid has
contract! {
    @on embedded_liquid crate::liquid::Embedded<false>;
    discounts an_opening_is_confidential
}
contract! {
    @on elementsd_liquid crate::liquid::RealElementsd;
    discounts an_opening_is_confidential
}

// what only Bitcoin has
contract! {
    @on embedded_bitcoin_alone crate::bitcoin::Embedded;
    claims every_path_is_taken_by_the_node_and_a_refund_not_a_block_early
    claims a_claim_is_replaced_by_one_that_pays_for_its_relay
    claims a_claim_may_pay_more_than_a_node_takes_for_a_slip
}
contract! {
    @on bitcoind_alone crate::bitcoin::RealBitcoind;
    claims every_path_is_taken_by_the_node_and_a_refund_not_a_block_early
    claims a_claim_is_replaced_by_one_that_pays_for_its_relay
    claims a_claim_may_pay_more_than_a_node_takes_for_a_slip
    large a_block_of_two_megabytes_is_handled_at_once
}

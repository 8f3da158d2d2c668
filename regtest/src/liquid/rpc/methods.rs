//! The table of methods.

use super::super::Elements;
use super::super::params::policy_asset;
use super::{federation, rawtx as elements_rawtx};
use crate::chain::rpc::Run::{self, Now, Wait as Waits};
use crate::chain::rpc::json::{Json, obj};
use crate::chain::rpc::methods::methods;
use crate::chain::rpc::{
    Answer, Call, Method, blocks, control, mempool, mining, rawtx, wallet, wallet_admin, wallet_tx,
};

/// Every method, in the order of `help`.
pub const METHODS: &[Method<Elements>] = methods! {
    "Blockchain": {
        "getbestblockhash" "" Now(blocks::get_best_block_hash);
        "getblock" "blockhash:s verbosity|verbose:x?" Now(blocks::get_block);
        "getblockchaininfo" "" Now(federation::get_blockchain_info);
        "getblockcount" "" Now(blocks::get_block_count);
        "getblockhash" "height:n" Now(blocks::get_block_hash);
        "getblockheader" "blockhash:s verbose:b?" Now(blocks::get_block_header);
        "getchaintips" "" Now(blocks::get_chain_tips);
        "getmempoolentry" "txid:s" Now(mempool::get_mempool_entry);
        "getmempoolinfo" "" Now(mempool::get_mempool_info);
        "getrawmempool" "verbose:b? mempool_sequence:b?" Now(mempool::get_raw_mempool);
        "getsidechaininfo" "" Now(federation::get_sidechain_info);
        "gettxout" "txid:s n:n include_mempool:b?" Now(blocks::get_tx_out);
        "gettxspendingprevout" "outputs:a" Now(mempool::get_tx_spending_prevout);
        "waitforblock" "blockhash:s timeout:n?" Waits(blocks::wait_for_block);
        "waitforblockheight" "height:n timeout:n?" Waits(blocks::wait_for_block_height);
        "waitfornewblock" "timeout:n?" Waits(blocks::wait_for_new_block);
        "invalidateblock" "blockhash:s" Now(blocks::invalidate_block);
        "reconsiderblock" "blockhash:s" Now(blocks::reconsider_block);
    }
    "Control": {
        "getrpcinfo" "" Now(control::get_rpc_info);
        "help" "command:s?" Now(control::help);
        "stop" "wait:n?" Run::Stop;
        "uptime" "" Now(control::uptime);
    }
    "Mining": {
        "generateblock" "output:s transactions:a submit:b?" Now(mining::generate_block);
        "generatetoaddress" "nblocks:n address:s maxtries:n?" Now(mining::generate_to_address);
    }
    "Network": {
        "getconnectioncount" "" Now(control::get_connection_count);
        "getnetworkinfo" "" Now(control::get_network_info);
        "ping" "" Now(control::ping);
    }
    "Rawtransactions": {
        "createrawtransaction" "inputs:a outputs:x locktime:n? replaceable:b? version:n?" Now(elements_rawtx::create_raw_transaction);
        "decoderawtransaction" "hexstring:s iswitness:b?" Now(rawtx::decode_raw_transaction);
        "fundrawtransaction" "hexstring:s options:x? iswitness:b?" Now(wallet_tx::fund_raw_transaction);
        "getrawtransaction" "txid:s verbosity|verbose:x? blockhash:s?" Now(rawtx::get_raw_transaction);
        "sendrawtransaction" "hexstring:s maxfeerate:x? maxburnamount:x?" Now(rawtx::send_raw_transaction);
        "testmempoolaccept" "rawtxs:a maxfeerate:x?" Now(rawtx::test_mempool_accept);
    }
    "Util": {
        "dumpassetlabels" "" Now(dump_asset_labels);
        "echo" "arg0:x? arg1:x? arg2:x? arg3:x?" Now(control::echo);
        "estimatesmartfee" "conf_target:n estimate_mode:s?" Now(mempool::estimate_smart_fee);
        "setmocktime" "timestamp:n" Now(control::set_mock_time);
        "validateaddress" "address:s" Now(control::validate_address);
    }
    "Wallet": {
        "blindrawtransaction" "hexstring:s ignoreblindfail:b? asset_commitments:a? blind_issuances:b?"
            Now(elements_rawtx::blind_raw_transaction);
        "createwallet" "wallet_name:s disable_private_keys:b? blank:b? passphrase:s? avoid_reuse:b? descriptors:b? \
            load_on_startup:b? external_signer:b?" Now(wallet_admin::create_wallet);
        "getaddressinfo" "address:s" Now(wallet::get_address_info);
        "getbalance" "dummy:s? minconf:n? include_watchonly:b? avoid_reuse:b? assetlabel:s?" Now(wallet::get_balance);
        "getbalances" "" Now(wallet::get_balances);
        "getnewaddress" "label:s? address_type:s?" Now(wallet::get_new_address);
        "getrawchangeaddress" "address_type:s?" Now(wallet::get_raw_change_address);
        "gettransaction" "txid:s include_watchonly:b? verbose:b? assetlabel:s?" Now(wallet_tx::get_transaction);
        "getwalletinfo" "" Now(wallet_admin::get_wallet_info);
        "listlockunspent" "" Now(wallet::list_lock_unspent);
        "listtransactions" "label|dummy:s? count:n? skip:n? include_watchonly:b?" Now(wallet_tx::list_transactions);
        "listunspent" "minconf:n? maxconf:n? addresses:a? include_unsafe:b? query_options:o?" Now(wallet::list_unspent);
        "listwallets" "" Now(wallet_admin::list_wallets);
        "loadwallet" "filename:s load_on_startup:b?" Now(wallet_admin::load_wallet);
        "lockunspent" "unlock:b transactions:a? persistent:b?" Now(wallet::lock_unspent);
        "rescanblockchain" "start_height:n? stop_height:n?" Now(wallet_admin::rescan_blockchain);
        "sendtoaddress" "address:s amount:x comment:s? comment_to:s? subtractfeefromamount:b? replaceable:b? \
            conf_target:n? estimate_mode:s? avoid_reuse:b? assetlabel:s? ignoreblindfail:b? fee_rate:x? verbose:b?"
            Now(wallet_tx::send_to_address);
        "setlabel" "address:s label:s" Now(wallet::set_label);
        "signrawtransactionwithwallet" "hexstring:s prevtxs:a? sighashtype:s?" Now(wallet_tx::sign_raw_transaction);
        "unblindrawtransaction" "hex:s" Now(elements_rawtx::unblind_raw_transaction);
        "unloadwallet" "wallet_name:s? load_on_startup:b?" Now(wallet_admin::unload_wallet);
    }
};

/// Methods that the older release does not have.
pub const NEW: &[&str] = &["gettxspendingprevout"];

fn dump_asset_labels(_: &mut Call<'_, Elements>) -> Answer {
    Ok(obj! { "bitcoin" => Json::text(policy_asset()) })
}

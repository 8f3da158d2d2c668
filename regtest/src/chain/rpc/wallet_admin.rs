//! Methods that make, load and describe wallets (wallet/rpc/wallet.cpp).

use super::super::node::FAUCET;
use super::super::wallet::{Wallet, wallet_seed};
use super::error::{INVALID_PARAMETER, RpcError, WALLET_ALREADY_LOADED, WALLET_ERROR, WALLET_NOT_FOUND};
use super::json::{Json, obj};
use super::{Answer, Call, Shown};

pub fn list_wallets<L: Shown>(call: &mut Call<'_, L>) -> Answer {
    Ok(call
        .node
        .state
        .wallets
        .keys()
        .filter(|name| *name != FAUCET)
        .map(|name| Json::from(name.as_str()))
        .collect())
}

pub fn create_wallet<L: Shown>(call: &mut Call<'_, L>) -> Answer {
    let name = call.args.text(0).to_owned();
    let state = &mut call.node.state;
    if state.wallets.contains_key(&name) || state.unloaded.contains_key(&name) {
        let code = L::wallet_exists_code(call.release);
        let text = format!(
            "Wallet file verification failed. Failed to create database path '{name}'. Database already exists."
        );
        return Err(RpcError::new(code, text));
    }
    let wallet = Wallet::new(&name, wallet_seed(call.seed, &name));
    state.wallets.insert(name.clone(), wallet);
    // A seed that was used before finds its coins again.
    rescan(call, &name);
    Ok(loaded(call, &name))
}

pub fn load_wallet<L: Shown>(call: &mut Call<'_, L>) -> Answer {
    let name = call.args.text(0).to_owned();
    let state = &mut call.node.state;
    if state.wallets.contains_key(&name) {
        let (code, text) = match L::is_modern(call.release) {
            false => (WALLET_ERROR, "Wallet file verification failed. SQLiteDatabase: Unable to obtain an exclusive lock on the database, is it being used by another instance of Elements Core?\n".to_owned()),
            true => (WALLET_ALREADY_LOADED, format!("Wallet \"{name}\" is already loaded.")),
        };
        return Err(RpcError::new(code, text));
    }
    let Some(wallet) = state.unloaded.remove(&name) else {
        let text =
            format!("Wallet file verification failed. Failed to load database path '{name}'. Path does not exist.");
        return Err(RpcError::new(WALLET_NOT_FOUND, text));
    };
    state.wallets.insert(name.clone(), wallet);
    rescan(call, &name);
    Ok(loaded(call, &name))
}

fn loaded<L: Shown>(call: &Call<'_, L>, name: &str) -> Json {
    match L::is_modern(call.release) {
        false => obj! { "name" => name, "warning" => "" },
        true => obj! { "name" => name },
    }
}

pub fn unload_wallet<L: Shown>(call: &mut Call<'_, L>) -> Answer {
    let given = call.args.text(0).to_owned();
    let name = match (call.wallet_path, given.is_empty()) {
        (Some(path), false) if path != given => {
            let text = "RPC endpoint wallet and wallet_name parameter specify different wallets";
            return Err(RpcError::new(INVALID_PARAMETER, text));
        }
        (_, true) => call.wallet_name()?,
        (_, false) => given,
    };
    let state = &mut call.node.state;
    let missing = || RpcError::new(WALLET_NOT_FOUND, "Requested wallet does not exist or is not loaded");
    let mut wallet = state.wallets.remove(&name).ok_or_else(missing)?;
    wallet.forget_locks();
    state.unloaded.insert(name, wallet);
    Ok(match L::is_modern(call.release) {
        false => obj! { "warning" => "" },
        true => Json::Obj(Vec::new()),
    })
}

fn rescan<L: Shown>(call: &mut Call<'_, L>, name: &str) {
    let now = call.node.now();
    let state = &mut call.node.state;
    let Some(wallet) = state.wallets.get_mut(name) else {
        return;
    };
    wallet.rescan(&state.chain, &state.mempool, now);
}

pub fn rescan_blockchain<L: Shown>(call: &mut Call<'_, L>) -> Answer {
    let name = call.wallet_name()?;
    rescan(call, &name);
    Ok(obj! { "start_height" => call.args.int(0, 0)?, "stop_height" => call.node.tip().height })
}

pub fn get_wallet_info<L: Shown>(call: &mut Call<'_, L>) -> Answer {
    let view = call.view()?;
    let sum = |passes: &dyn Fn(&super::super::wallet::Spendable<L>) -> bool| L::balance_json(&view.balance(passes));
    Ok(obj! {
        "walletname" => view.wallet.name(),
        "walletversion" => 169_900,
        "format" => "sqlite",
        "balance" => L::balance_json(&view.trusted_balance()),
        "unconfirmed_balance" => sum(&|coin| !coin.trusted && coin.confirmations == 0),
        "immature_balance" => sum(&|coin| coin.immature),
        "txcount" => view.wallet.transactions().len(),
        "keypoolsize" => 4_000,
        "keypoolsize_hd_internal" => 4_000,
        "paytxfee" => Json::Btc(0),
        "private_keys_enabled" => true,
        "avoid_reuse" => false,
        "scanning" => false,
        "descriptors" => true,
        "external_signer" => false,
    })
}

//! Methods about a wallet's addresses, coins and balances (wallet/rpc/addresses.cpp, coins.cpp).

use super::super::wallet::{Spendable, View};
use super::args::{parse_address, parse_outpoint};
use super::descriptor::with_checksum;
use super::error::{INVALID_ADDRESS_OR_KEY, INVALID_PARAMETER, METHOD_DEPRECATED, RpcError};
use super::json::{Json, obj};
use super::{Answer, Call, Shown, decode};

/// Upper bound of `listunspent`'s confirmations.
const MAX_CONFIRMATIONS: i64 = 9_999_999;

/// All addresses are P2WPKH.
fn check_address_type<L: Shown>(call: &Call<'_, L>, position: usize) -> Result<(), RpcError> {
    match call.args.text(position) {
        kind if kind.is_empty() || L::ADDRESS_TYPES.contains(&kind) => Ok(()),
        other => Err(RpcError::new(
            INVALID_ADDRESS_OR_KEY,
            format!("Unknown address type '{other}'"),
        )),
    }
}

pub fn get_new_address<L: Shown>(call: &mut Call<'_, L>) -> Answer {
    check_address_type(call, 1)?;
    let label = call.args.text(0).to_owned();
    let wallet = call.wallet()?;
    let address = wallet.new_address(false);
    wallet.set_label(L::address_script(&address), label);
    Ok(Json::text(address))
}

pub fn get_raw_change_address<L: Shown>(call: &mut Call<'_, L>) -> Answer {
    check_address_type(call, 0)?;
    Ok(Json::text(call.wallet()?.new_address(true)))
}

pub fn set_label<L: Shown>(call: &mut Call<'_, L>) -> Answer {
    let address = parse_address::<L>(call.args.text(0), "Invalid Bitcoin address")?;
    let label = call.args.text(1).to_owned();
    call.wallet()?.set_label(L::address_script(&address), label);
    Ok(Json::Null)
}

pub fn get_address_info<L: Shown>(call: &mut Call<'_, L>) -> Answer {
    let text = call.args.text(0);
    let view = call.view()?;
    let address = parse_address::<L>(text, L::NO_ADDRESS)?;
    let script = L::address_script(&address);
    let path = view.wallet.path(&script);
    let mut json = Json::Obj(Vec::new());
    L::describe_address(&mut json, &address);
    json.push("ismine", path.is_some());
    json.push("solvable", path.is_some());
    json.push("iswatchonly", false);
    json.push("ischange", path.is_some_and(|path| path.change));
    if let Some(path) = path {
        let keys = view.wallet.keys();
        json.push("desc", with_checksum(&keys.descriptor(path)));
        json.push("parent_desc", with_checksum(&keys.parent_descriptor(path)));
        json.push("pubkey", hex::encode(keys.public(path).serialize()));
        L::describe_own_address(&mut json, keys, &script);
        json.push("timestamp", 1);
        json.push("hdkeypath", keys.path_text(path));
        json.push("hdseedid", "0".repeat(40));
        json.push("hdmasterfingerprint", keys.fingerprint().to_string());
    }
    let labels: Vec<&str> = view.wallet.label(&script).into_iter().collect();
    json.push("labels", labels);
    Ok(json)
}

pub fn get_balance<L: Shown>(call: &mut Call<'_, L>) -> Answer {
    let least = u32::try_from(call.args.int(1, 0)?).unwrap_or(0);
    let view = call.view()?;
    if !["", "*"].contains(&call.args.text(0)) {
        let text = "dummy first argument must be excluded or set to \"*\".";
        return Err(RpcError::new(METHOD_DEPRECATED, text));
    }
    let balance = view.balance(|coin| coin.trusted && !coin.immature && coin.confirmations >= least);
    L::one_balance(&balance, call.args.text(4))
}

pub fn get_balances<L: Shown>(call: &mut Call<'_, L>) -> Answer {
    let view = call.view()?;
    let pending = view.balance(|coin| !coin.trusted && coin.confirmations == 0);
    let immature = view.balance(|coin| coin.immature);
    let mine = obj! {
        "trusted" => L::balance_json(&view.trusted_balance()),
        "untrusted_pending" => L::balance_json(&pending),
        "immature" => L::balance_json(&immature),
    };
    let tip = call.node.tip();
    let mut json = obj! { "mine" => mine };
    if L::is_modern(call.release) {
        json.push(
            "lastprocessedblock",
            obj! { "hash" => Json::text(tip.hash), "height" => tip.height },
        );
    }
    Ok(json)
}

pub fn list_unspent<L: Shown>(call: &mut Call<'_, L>) -> Answer {
    let range = call.args.int(0, 1)?..=call.args.int(1, MAX_CONFIRMATIONS)?;
    let include_unsafe = call.args.flag(3, true);
    let mut scripts = Vec::new();
    for value in call.args.array(2) {
        let text = value.as_str().unwrap_or_default();
        let address = parse_address::<L>(text, &format!("Invalid Bitcoin address: {text}"))?;
        scripts.push(L::address_script(&address));
    }
    let view = call.view()?;
    let wanted = |coin: &Spendable<L>| {
        range.contains(&i64::from(coin.confirmations))
            && !coin.immature
            && (include_unsafe || coin.trusted)
            && !view.wallet.locked().contains_key(&coin.outpoint)
            && (scripts.is_empty() || scripts.iter().any(|script| **script == *L::script(&coin.coin.output)))
    };
    Ok(view
        .unspent()
        .into_iter()
        .filter(wanted)
        .map(|coin| unspent_json(&view, &coin))
        .collect())
}

fn unspent_json<L: Shown>(view: &View<'_, L>, coin: &Spendable<L>) -> Json {
    let (output, contents) = (&coin.coin.output, &coin.coin.contents);
    let script = L::script(output);
    let mut json = decode::outpoint::<L>(&coin.outpoint);
    if let Some(address) = L::address(script) {
        json.push("address", address.to_string());
    }
    if let Some(label) = view.wallet.label(script) {
        json.push("label", label);
    }
    json.push("scriptPubKey", hex::encode(script.as_bytes()));
    json.push("amount", Json::btc(L::sat(contents)));
    L::describe_unspent(&mut json, output, contents);
    json.push("confirmations", coin.confirmations);
    if coin.confirmations == 0 {
        add_family(view, coin, &mut json);
    }
    json.push("spendable", true);
    json.push("solvable", true);
    json.push("desc", with_checksum(&view.wallet.keys().descriptor(coin.coin.path)));
    json.push("safe", coin.trusted);
    json
}

fn add_family<L: Shown>(view: &View<'_, L>, coin: &Spendable<L>, json: &mut Json) {
    let mempool = &view.state.mempool;
    let Some(entry) = mempool.get(&L::outpoint_txid(&coin.outpoint)) else {
        return;
    };
    let mut with_self = mempool.ancestors(&entry.tx);
    with_self.insert(entry.txid);
    let family = mempool.family(&with_self);
    json.push("ancestorcount", family.count);
    json.push("ancestorsize", family.vsize);
    json.push("ancestorfees", family.fee_sat);
}

pub fn list_lock_unspent<L: Shown>(call: &mut Call<'_, L>) -> Answer {
    let view = call.view()?;
    Ok(view.wallet.locked().keys().map(decode::outpoint::<L>).collect())
}

pub fn lock_unspent<L: Shown>(call: &mut Call<'_, L>) -> Answer {
    let unlock = call.args.flag(0, false);
    let persistent = call.args.flag(2, false);
    let wallet_name = call.wallet_name()?;
    if call.args.is_absent(1) {
        if unlock {
            call.wallet()?.unlock_all();
        }
        return Ok(true.into());
    }
    let mut outpoints = Vec::new();
    for value in call.args.array(1) {
        let outpoint = parse_outpoint::<L>(value)?;
        check_lockable(call, &wallet_name, &outpoint, unlock, persistent)?;
        outpoints.push(outpoint);
    }
    let wallet = call.wallet()?;
    for outpoint in outpoints {
        if unlock {
            wallet.unlock(&outpoint)
        } else {
            wallet.lock(outpoint, persistent)
        }
    }
    Ok(true.into())
}

fn check_lockable<L: Shown>(
    call: &Call<'_, L>,
    wallet: &str,
    outpoint: &L::OutPoint,
    unlock: bool,
    persistent: bool,
) -> Result<(), RpcError> {
    let invalid = |text: &str| Err(RpcError::new(INVALID_PARAMETER, format!("Invalid parameter, {text}")));
    let Some(wallet) = call.node.state.wallets.get(wallet) else {
        return Ok(());
    };
    let Some(tx) = wallet.transaction(&L::outpoint_txid(outpoint)) else {
        return invalid("unknown transaction");
    };
    if L::outpoint_vout(outpoint) as usize >= L::outputs(&tx.tx).len() {
        return invalid("vout index out of bounds");
    }
    if call.node.coin(outpoint).is_none() {
        return invalid("expected unspent output");
    }
    match (unlock, wallet.locked().get(outpoint)) {
        (true, None) => invalid("expected locked output"),
        // A lock in memory may be made persistent, nothing else may be locked twice.
        (false, Some(was_persistent)) if *was_persistent || !persistent => invalid("output already locked"),
        _ => Ok(()),
    }
}

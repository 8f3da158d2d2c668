//! Methods about a wallet's addresses, coins and balances (wallet/rpc/addresses.cpp, coins.cpp).

use elements::confidential::{AssetBlindingFactor, ValueBlindingFactor};
use elements::{Address, AssetId, OutPoint};

use super::super::params::{ADDRESS_PARAMS, policy_asset};
use super::super::wallet::{Spendable, View};
use super::args::{parse_address, parse_outpoint};
use super::control::describe_address;
use super::descriptor::with_checksum;
use super::error::{INVALID_ADDRESS_OR_KEY, INVALID_PARAMETER, METHOD_DEPRECATED, RpcError};
use super::json::{Json, obj};
use super::{Answer, Call};

/// Upper bound of `listunspent`'s confirmations.
const MAX_CONFIRMATIONS: i64 = 9_999_999;

/// What an asset is called in balances.
fn asset_label(asset: AssetId) -> String {
    if asset == policy_asset() {
        "bitcoin".to_owned()
    } else {
        asset.to_string()
    }
}

/// Sums by asset label; the policy asset is always there.
pub fn balance_json(balance: &super::super::wallet::Balance) -> Json {
    let mut all = balance.clone();
    all.entry(policy_asset()).or_default();
    Json::Obj(
        all.into_iter()
            .map(|(asset, sat)| (asset_label(asset), Json::Btc(sat)))
            .collect(),
    )
}

/// All addresses are confidential P2WPKH: `bech32` and `blech32` mean the same to Elements, which hides by default.
fn check_address_type(call: &Call<'_>, position: usize) -> Result<(), RpcError> {
    match call.args.text(position) {
        "" | "bech32" | "blech32" => Ok(()),
        other => Err(RpcError::new(
            INVALID_ADDRESS_OR_KEY,
            format!("Unknown address type '{other}'"),
        )),
    }
}

pub fn get_new_address(call: &mut Call<'_>) -> Answer {
    check_address_type(call, 1)?;
    let label = call.args.text(0).to_owned();
    let wallet = call.wallet()?;
    let address = wallet.new_address(false);
    wallet.set_label(address.script_pubkey(), label);
    Ok(Json::text(address))
}

pub fn get_raw_change_address(call: &mut Call<'_>) -> Answer {
    check_address_type(call, 0)?;
    Ok(Json::text(call.wallet()?.new_address(true)))
}

pub fn set_label(call: &mut Call<'_>) -> Answer {
    let address = parse_address(call.args.text(0), "Invalid Bitcoin address")?;
    let label = call.args.text(1).to_owned();
    call.wallet()?.set_label(address.script_pubkey(), label);
    Ok(Json::Null)
}

pub fn get_address_info(call: &mut Call<'_>) -> Answer {
    let text = call.args.text(0);
    let view = call.view()?;
    let address = parse_address(text, "Invalid checksum or length of Base58 address")?;
    let script = address.script_pubkey();
    let path = view.wallet.path(&script);
    let mut json = Json::Obj(Vec::new());
    describe_address(&mut json, &address);
    json.push("ismine", path.is_some());
    json.push("solvable", path.is_some());
    json.push("iswatchonly", false);
    json.push("ischange", path.is_some_and(|path| path.change));
    if let Some(path) = path {
        let keys = view.wallet.keys();
        json.push("desc", with_checksum(&keys.descriptor(path)));
        json.push("parent_desc", with_checksum(&keys.parent_descriptor(path)));
        json.push("pubkey", hex::encode(keys.public(path).serialize()));
        let confidential = Address::from_script(&script, Some(keys.blinding_public(&script)), ADDRESS_PARAMS);
        if let Some(confidential) = confidential {
            json.push("confidential", confidential.to_string());
        }
        json.push("timestamp", 1);
        json.push("hdkeypath", path.to_string());
        json.push("hdseedid", "0".repeat(40));
        json.push("hdmasterfingerprint", keys.fingerprint().to_string());
    }
    let labels: Vec<&str> = view.wallet.label(&script).into_iter().collect();
    json.push("labels", labels);
    Ok(json)
}

pub fn get_balance(call: &mut Call<'_>) -> Answer {
    let least = u32::try_from(call.args.int(1, 0)?).unwrap_or(0);
    let view = call.view()?;
    if !["", "*"].contains(&call.args.text(0)) {
        let text = "dummy first argument must be excluded or set to \"*\".";
        return Err(RpcError::new(METHOD_DEPRECATED, text));
    }
    let balance = view.balance(|coin| coin.trusted && !coin.immature && coin.confirmations >= least);
    let label = call.args.text(4);
    if label.is_empty() {
        return Ok(balance_json(&balance));
    }
    let asset = if label == "bitcoin" {
        Ok(policy_asset())
    } else {
        label.parse()
    };
    let asset: AssetId = asset.map_err(|_| {
        RpcError::new(
            INVALID_PARAMETER,
            format!("Unknown label and invalid asset hex: {label}"),
        )
    })?;
    Ok(Json::Btc(balance.get(&asset).copied().unwrap_or(0)))
}

pub fn get_balances(call: &mut Call<'_>) -> Answer {
    let view = call.view()?;
    let pending = view.balance(|coin| !coin.trusted && coin.confirmations == 0);
    let immature = view.balance(|coin| coin.immature);
    let mine = obj! {
        "trusted" => balance_json(&view.trusted_balance()),
        "untrusted_pending" => balance_json(&pending),
        "immature" => balance_json(&immature),
    };
    let tip = call.node.tip();
    let mut json = obj! { "mine" => mine };
    if call.release == super::super::Release::V28 {
        json.push(
            "lastprocessedblock",
            obj! { "hash" => Json::text(tip.hash), "height" => tip.height },
        );
    }
    Ok(json)
}

pub fn list_unspent(call: &mut Call<'_>) -> Answer {
    let range = call.args.int(0, 1)?..=call.args.int(1, MAX_CONFIRMATIONS)?;
    let include_unsafe = call.args.flag(3, true);
    let mut scripts = Vec::new();
    for value in call.args.array(2) {
        let text = value.as_str().unwrap_or_default();
        scripts.push(parse_address(text, &format!("Invalid Bitcoin address: {text}"))?.script_pubkey());
    }
    let view = call.view()?;
    let wanted = |coin: &Spendable| {
        range.contains(&i64::from(coin.confirmations))
            && !coin.immature
            && (include_unsafe || coin.trusted)
            && !view.wallet.locked().contains_key(&coin.outpoint)
            && (scripts.is_empty() || scripts.contains(&coin.coin.output.script_pubkey))
    };
    Ok(view
        .unspent()
        .into_iter()
        .filter(wanted)
        .map(|coin| unspent_json(&view, &coin))
        .collect())
}

fn unspent_json(view: &View<'_>, coin: &Spendable) -> Json {
    let (output, secrets) = (&coin.coin.output, &coin.coin.secrets);
    let mut json = obj! { "txid" => Json::text(coin.outpoint.txid), "vout" => coin.outpoint.vout };
    if let Some(address) = Address::from_script(&output.script_pubkey, None, ADDRESS_PARAMS) {
        json.push("address", address.to_string());
    }
    if let Some(label) = view.wallet.label(&output.script_pubkey) {
        json.push("label", label);
    }
    json.push("scriptPubKey", hex::encode(output.script_pubkey.as_bytes()));
    json.push("amount", Json::btc(secrets.value));
    if output.asset.is_confidential() {
        json.push(
            "assetcommitment",
            hex::encode(elements::encode::serialize(&output.asset)),
        );
    }
    json.push("asset", Json::text(secrets.asset));
    if output.value.is_confidential() {
        json.push(
            "amountcommitment",
            hex::encode(elements::encode::serialize(&output.value)),
        );
    }
    json.push("amountblinder", value_factor(&secrets.value_bf));
    json.push("assetblinder", asset_factor(&secrets.asset_bf));
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

fn add_family(view: &View<'_>, coin: &Spendable, json: &mut Json) {
    let mempool = &view.state.mempool;
    let Some(entry) = mempool.get(&coin.outpoint.txid) else {
        return;
    };
    let mut with_self = mempool.ancestors(&entry.tx);
    with_self.insert(entry.txid);
    let family = mempool.family(&with_self);
    json.push("ancestorcount", family.count);
    json.push("ancestorsize", family.vsize);
    json.push("ancestorfees", family.fee_sat);
}

/// Factors are shown in display order, as hashes are.
pub fn value_factor(factor: &ValueBlindingFactor) -> String {
    hex::encode(factor.into_inner().as_ref().iter().rev().copied().collect::<Vec<u8>>())
}

/// As [`value_factor`].
pub fn asset_factor(factor: &AssetBlindingFactor) -> String {
    hex::encode(factor.into_inner().as_ref().iter().rev().copied().collect::<Vec<u8>>())
}

pub fn list_lock_unspent(call: &mut Call<'_>) -> Answer {
    let view = call.view()?;
    let json = |outpoint: &OutPoint| obj! { "txid" => Json::text(outpoint.txid), "vout" => outpoint.vout };
    Ok(view.wallet.locked().keys().map(json).collect())
}

pub fn lock_unspent(call: &mut Call<'_>) -> Answer {
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
        let outpoint = parse_outpoint(value)?;
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

fn check_lockable(
    call: &Call<'_>,
    wallet: &str,
    outpoint: &OutPoint,
    unlock: bool,
    persistent: bool,
) -> Result<(), RpcError> {
    let invalid = |text: &str| Err(RpcError::new(INVALID_PARAMETER, format!("Invalid parameter, {text}")));
    let Some(wallet) = call.node.state.wallets.get(wallet) else {
        return Ok(());
    };
    let Some(tx) = wallet.transaction(&outpoint.txid) else {
        return invalid("unknown transaction");
    };
    if outpoint.vout as usize >= tx.tx.output.len() {
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

/// The confidential address that an output of ours or of our making pays, else the plain one.
pub fn output_address(view: &View<'_>, output: &elements::TxOut) -> Option<Address> {
    match view.wallet.made(output) {
        Some((_, key)) => Address::from_script(&output.script_pubkey, Some(*key), ADDRESS_PARAMS),
        None => view.wallet.address(&output.script_pubkey),
    }
}

//! Methods that build, hide, sign and show a wallet's transactions (wallet/rpc/spend.cpp, elements.cpp, transactions.cpp).

use elements::confidential::{Asset, Nonce, Value as ConfidentialValue};
use elements::encode::serialize_hex;
use elements::{LockTime, OutPoint, Sequence, Transaction, TxOut, TxOutSecrets, TxOutWitness, Txid};
use serde_json::Value;

use super::super::Release;
use super::super::params::{MIN_RELAY_FEE_RATE, explicit_output, policy_asset};
use super::super::wallet::{FundOptions, Recipient, View, WalletError, explicit_secrets, open};
use super::args::{parse_address, parse_amount, parse_decimal};
use super::error::{INSUFFICIENT_FUNDS, INVALID_ADDRESS_OR_KEY, INVALID_PARAMETER, RpcError, TYPE_ERROR, WALLET_ERROR};
use super::json::{Json, obj};
use super::wallet::{asset_factor, balance_json, output_address, value_factor};
use super::{Answer, Call, decode};

/// What the wallet pays when there is no estimate: 0.1 sat per vbyte (wallet/wallet.cpp).
const FALLBACK_FEE_RATE: u64 = MIN_RELAY_FEE_RATE;

pub fn fund_raw_transaction(call: &mut Call<'_>) -> Answer {
    let tx = call.args.transaction(0, "TX decode failed")?;
    let mut options = FundOptions::at_rate(FALLBACK_FEE_RATE);
    if let Some(Value::Object(given)) = call.args.get(1) {
        read_options(given, &mut options)?;
    }
    let name = call.wallet_name()?;
    let funded = call.node.fund(&name, tx, &options).map_err(|error| match error {
        // fundrawtransaction has its own code for what sendtoaddress says with −6.
        WalletError::InsufficientFunds => RpcError::new(WALLET_ERROR, error.to_string()),
        other => other.into(),
    })?;
    Ok(obj! {
        "hex" => serialize_hex(&funded.tx),
        "fee" => Json::btc(funded.fee_sat),
        "changepos" => funded.change_position.map_or(-1, |position| position as i64),
    })
}

fn read_options(given: &serde_json::Map<String, Value>, options: &mut FundOptions) -> Result<(), RpcError> {
    for (key, value) in given {
        match key.as_str() {
            // Below the relay minimum is fine here: the caller knows what it does.
            "feeRate" => options.fee_rate = parse_amount(value)?,
            // sat per vbyte, up to three decimals.
            "fee_rate" => options.fee_rate = parse_decimal(value, 3)?,
            "changePosition" | "change_position" => options.change_position = Some(change_position(value)?),
            "changeAddress" | "change_address" => options.change = Some(recipient(value)?),
            "lockUnspents" | "lock_unspents" => options.lock = value.as_bool().unwrap_or(false),
            "include_unsafe" => options.include_unsafe = value.as_bool().unwrap_or(false),
            "add_inputs" => options.add_inputs = value.as_bool().unwrap_or(true),
            "replaceable" if value == &Value::Bool(false) => options.sequence = Sequence::ENABLE_LOCKTIME_NO_RBF,
            "subtractFeeFromOutputs" | "subtract_fee_from_outputs" => {
                let indices = value.as_array().map_or(&[][..], Vec::as_slice).iter();
                options.subtract_fee_from = indices.filter_map(|n| n.as_u64().map(|n| n as usize)).collect();
            }
            "replaceable" | "includeWatching" | "include_watching" | "change_type" | "conf_target"
            | "estimate_mode" => {}
            other => return Err(RpcError::new(TYPE_ERROR, format!("Unexpected key {other}"))),
        }
    }
    Ok(())
}

fn change_position(value: &Value) -> Result<usize, RpcError> {
    let position = value.as_u64().and_then(|position| usize::try_from(position).ok());
    position.ok_or_else(|| RpcError::new(INVALID_PARAMETER, "changePosition out of bounds"))
}

fn recipient(value: &Value) -> Result<Recipient, RpcError> {
    let address = parse_address(
        value.as_str().unwrap_or_default(),
        "Change address must be a valid bitcoin address",
    )?;
    Ok((
        address.script_pubkey(),
        address.blinding_pubkey.map_or(Nonce::Null, Nonce::Confidential),
    ))
}

pub fn blind_raw_transaction(call: &mut Call<'_>) -> Answer {
    let tx = call.args.transaction(0, "TX decode failed")?;
    let ignore_fail = call.args.flag(1, true);
    let name = call.wallet_name()?;
    Ok(serialize_hex(&call.node.blind(&name, tx, ignore_fail)?).into())
}

pub fn sign_raw_transaction(call: &mut Call<'_>) -> Answer {
    let tx = call
        .args
        .transaction(0, "TX decode failed. Make sure the tx has at least one input.")?;
    let signed = call.node.sign(&call.wallet_name()?, tx)?;
    let mut json = obj! { "hex" => serialize_hex(&signed.tx), "complete" => signed.failures.is_empty() };
    let errors: Vec<Json> = signed
        .failures
        .iter()
        .map(|failure| {
            let input = &signed.tx.input[failure.index];
            obj! {
                "txid" => Json::text(failure.outpoint.txid),
                "vout" => failure.outpoint.vout,
                "witness" => input.witness.script_witness.iter().map(hex::encode).collect::<Vec<_>>(),
                "scriptSig" => hex::encode(input.script_sig.as_bytes()),
                "sequence" => input.sequence.to_consensus_u32(),
                "error" => failure.error.as_str(),
            }
        })
        .collect();
    if !errors.is_empty() {
        json.push("errors", Json::Arr(errors));
    }
    Ok(json)
}

pub fn unblind_raw_transaction(call: &mut Call<'_>) -> Answer {
    let mut tx = call.args.transaction(0, "TX decode failed")?;
    let keys = call.view()?.wallet.keys();
    for output in tx.output.iter_mut().filter(|output| output.value.is_confidential()) {
        if let Some(secrets) = open(output, keys.blinding_secret(&output.script_pubkey)) {
            output.asset = Asset::Explicit(secrets.asset);
            output.value = ConfidentialValue::Explicit(secrets.value);
            output.nonce = Nonce::Null;
            output.witness = TxOutWitness::default();
        }
    }
    Ok(obj! { "hex" => serialize_hex(&tx) })
}

pub fn send_to_address(call: &mut Call<'_>) -> Answer {
    let text = call.args.text(0).to_owned();
    let address = parse_address(&text, &format!("Invalid Bitcoin address: {text}"))?;
    let sat = parse_amount(call.args.get(1).unwrap_or(&Value::Null))?;
    if sat == 0 {
        return Err(RpcError::new(INSUFFICIENT_FUNDS, "Transaction amount too small"));
    }
    let mut options = FundOptions::at_rate(FALLBACK_FEE_RATE);
    if let Some(value) = call.args.get(11) {
        options.fee_rate = parse_decimal(value, 3)?;
        check_fee_rate(options.fee_rate)?;
    }
    if call.args.flag(4, false) {
        options.subtract_fee_from = vec![0];
    }
    if !call.args.flag(5, true) {
        options.sequence = Sequence::ENABLE_LOCKTIME_NO_RBF;
    }
    let mut output = explicit_output(policy_asset(), sat, address.script_pubkey());
    output.nonce = address.blinding_pubkey.map_or(Nonce::Null, Nonce::Confidential);
    let height = call.node.tip().height;
    let lock_time = LockTime::from_consensus(height);
    let tx = Transaction {
        version: 2,
        lock_time,
        input: Vec::new(),
        output: vec![output],
    };
    let name = call.wallet_name()?;
    let txid = Json::text(call.node.send(&name, tx, &options)?);
    Ok(if call.args.flag(12, false) {
        obj! { "txid" => txid, "fee_reason" => "Fallback fee" }
    } else {
        txid
    })
}

/// `sendtoaddress` does not pay less than relays.
fn check_fee_rate(rate: u64) -> Result<(), RpcError> {
    if rate >= MIN_RELAY_FEE_RATE {
        return Ok(());
    }
    let text = |rate: u64| format!("{}.{:03} sat/vB", rate / 1_000, rate % 1_000);
    let (given, least) = (text(rate), text(MIN_RELAY_FEE_RATE));
    let message = format!("Fee rate ({given}) is lower than the minimum fee rate setting ({least})");
    Err(RpcError::new(INSUFFICIENT_FUNDS, message))
}

pub fn get_transaction(call: &mut Call<'_>) -> Answer {
    let txid = call.args.txid(0, "txid")?;
    let view = call.view()?;
    let Some(entry) = view.wallet.transaction(&txid) else {
        return Err(RpcError::new(
            INVALID_ADDRESS_OR_KEY,
            "Invalid or non-wallet transaction id",
        ));
    };
    let tx = &entry.tx;
    let mut net = view.net(&txid);
    let mut json = Json::Obj(Vec::new());
    if spends_ours(&view, tx) {
        let fee = tx.fee_in(policy_asset());
        *net.entry(policy_asset()).or_default() += i128::from(fee);
        json.push("amount", balance_json(&net));
        json.push("fee", obj! { "bitcoin" => Json::Btc(-i128::from(fee)) });
    } else {
        json.push("amount", balance_json(&net));
    }
    describe_place(call, &view, &txid, &mut json);
    json.push("details", details(&view, tx));
    json.push("hex", serialize_hex(tx.as_ref()));
    if call.args.flag(2, false) {
        json.push("decoded", decode::transaction(tx));
    }
    if call.release == Release::V28 {
        let tip = call.node.tip();
        json.push(
            "lastprocessedblock",
            obj! { "hash" => Json::text(tip.hash), "height" => tip.height },
        );
    }
    Ok(json)
}

fn spends_ours(view: &View<'_>, tx: &Transaction) -> bool {
    tx.input
        .iter()
        .any(|input| view.wallet.coin(&input.previous_output).is_some())
}

/// Confirmations, block, times: what `gettransaction` and `listtransactions` share (`WalletTxToJSON`).
fn describe_place(call: &Call<'_>, view: &View<'_>, txid: &Txid, json: &mut Json) {
    let chain = &view.state.chain;
    let Some(entry) = view.wallet.transaction(txid) else {
        return;
    };
    match chain.block_of(txid) {
        Some(block) => {
            json.push("confirmations", chain.height() - block.height() + 1);
            if entry.tx.is_coinbase() {
                json.push("generated", true);
            }
            json.push("blockhash", Json::text(block.hash));
            json.push("blockheight", block.height());
            json.push(
                "blockindex",
                block.block.txdata.iter().position(|tx| tx.txid() == *txid),
            );
            json.push("blocktime", block.block.header.time);
        }
        None => {
            json.push("confirmations", 0);
            json.push("trusted", view.is_trusted(txid));
        }
    }
    json.push("txid", Json::text(txid));
    if call.release == Release::V28 {
        json.push("wtxid", Json::text(entry.tx.wtxid()));
    }
    json.push("walletconflicts", Json::Arr(Vec::new()));
    json.push("time", entry.time);
    json.push("timereceived", entry.time);
    let signals = entry.tx.input.iter().any(|input| input.sequence.is_rbf());
    let waits = view.state.mempool.get(txid).is_some();
    json.push("bip125-replaceable", if waits && signals { "yes" } else { "no" });
}

/// One entry per output that was sent, then one per output that was received. Change is left out.
fn details(view: &View<'_>, tx: &Transaction) -> Json {
    let from_us = spends_ours(view, tx);
    let fee = tx.fee_in(policy_asset());
    let (mut sent, mut received) = (Vec::new(), Vec::new());
    for (vout, output) in tx.output.iter().enumerate() {
        let path = view.wallet.path(&output.script_pubkey);
        if output.script_pubkey.is_empty() || path.is_some_and(|path| path.change && from_us) {
            continue;
        }
        let ours = path.and_then(|_| view.wallet.coin(&OutPoint::new(tx.txid(), vout as u32)));
        if from_us {
            let made = view.wallet.made(output).map(|(secrets, _)| *secrets);
            let secrets = made
                .or_else(|| explicit_secrets(output))
                .or(ours.map(|coin| coin.secrets));
            let mut json = detail(view, output, vout, "send", secrets, -1);
            // Positive, unlike the transaction's own `fee`: Elements negates what is negative already.
            json.push("fee", Json::btc(fee));
            json.push("abandoned", false);
            sent.push(json);
        }
        if let Some(coin) = ours {
            received.push(detail(view, output, vout, category(view, tx), Some(coin.secrets), 1));
        }
    }
    sent.extend(received);
    Json::Arr(sent)
}

fn category(view: &View<'_>, tx: &Transaction) -> &'static str {
    match (tx.is_coinbase(), view.confirmations(&tx.txid())) {
        (false, _) => "receive",
        (true, None) => "orphan",
        (true, Some(confirmations)) if confirmations > super::super::params::COINBASE_MATURITY => "generate",
        (true, Some(_)) => "immature",
    }
}

fn detail(
    view: &View<'_>,
    output: &TxOut,
    vout: usize,
    category: &str,
    secrets: Option<TxOutSecrets>,
    sign: i128,
) -> Json {
    let mut json = Json::Obj(Vec::new());
    if let Some(address) = output_address(view, output) {
        json.push("address", address.to_unconfidential().to_string());
    }
    json.push("category", category);
    if let Some(secrets) = secrets {
        json.push("amount", Json::Btc(sign * i128::from(secrets.value)));
        json.push("amountblinder", value_factor(&secrets.value_bf));
        json.push("asset", Json::text(secrets.asset));
        json.push("assetblinder", asset_factor(&secrets.asset_bf));
    }
    if let Some(label) = view.wallet.label(&output.script_pubkey) {
        json.push("label", label);
    }
    json.push("vout", vout);
    json
}

pub fn list_transactions(call: &mut Call<'_>) -> Answer {
    let label = call.args.text(0).to_owned();
    let count =
        usize::try_from(call.args.int(1, 10)?).map_err(|_| RpcError::new(INVALID_PARAMETER, "Negative count"))?;
    let skip = usize::try_from(call.args.int(2, 0)?).map_err(|_| RpcError::new(INVALID_PARAMETER, "Negative from"))?;
    let view = call.view()?;
    let mut entries = Vec::new();
    for tx in view.wallet.transactions() {
        let txid = tx.tx.txid();
        let Json::Arr(parts) = details(&view, &tx.tx) else {
            continue;
        };
        for mut part in parts {
            let named = matches!(&part, Json::Obj(fields) if fields.contains(&("label".into(), label.as_str().into())));
            if ["", "*"].contains(&label.as_str()) || named {
                describe_place(call, &view, &txid, &mut part);
                entries.push(part);
            }
        }
    }
    let end = entries.len().saturating_sub(skip);
    let start = end.saturating_sub(count);
    Ok(Json::Arr(entries.drain(start..end).collect()))
}

//! Methods that build, sign and show a wallet's transactions (wallet/rpc/spend.cpp, transactions.cpp).

use bitcoin::Sequence;
use serde_json::Value;

use super::super::consensus::COINBASE_MATURITY;
use super::super::policy::signals_replacement;
use super::super::wallet::{FundOptions, View, WalletError};
use super::args::{parse_address, parse_amount, parse_decimal};
use super::error::{INSUFFICIENT_FUNDS, INVALID_ADDRESS_OR_KEY, INVALID_PARAMETER, RpcError, TYPE_ERROR, WALLET_ERROR};
use super::json::{Json, obj};
use super::{Answer, Call, Shown};

pub fn fund_raw_transaction<L: Shown>(call: &mut Call<'_, L>) -> Answer {
    let tx = call.args.transaction::<L>(0, "TX decode failed")?;
    let options = fund_options(call, 1)?;
    let name = call.wallet_name()?;
    let funded = call.node.fund(&name, tx, &options).map_err(funding_error)?;
    Ok(obj! {
        "hex" => hex::encode(L::transaction_bytes(&funded.tx)),
        "fee" => Json::btc(funded.fee_sat),
        "changepos" => funded.change_position.map_or(-1, |position| position as i64),
    })
}

/// The options of funding at this position.
pub fn fund_options<L: Shown>(call: &Call<'_, L>, position: usize) -> Result<FundOptions<L>, RpcError> {
    let mut options = FundOptions::at_rate(L::MIN_RELAY_FEE_RATE);
    if let Some(Value::Object(given)) = call.args.get(position) {
        read_options(given, &mut options)?;
    }
    Ok(options)
}

/// Methods that fund without sending have a code of their own for what `sendtoaddress` says with −6.
pub fn funding_error(error: WalletError) -> RpcError {
    match error {
        WalletError::InsufficientFunds => RpcError::new(WALLET_ERROR, error.to_string()),
        other => other.into(),
    }
}

fn read_options<L: Shown>(
    given: &serde_json::Map<String, Value>,
    options: &mut FundOptions<L>,
) -> Result<(), RpcError> {
    for (key, value) in given {
        match key.as_str() {
            // Below the relay minimum is fine here: the caller knows what it does.
            "feeRate" => options.fee_rate = parse_amount(value)?,
            // sat per vbyte, up to three decimals.
            "fee_rate" => options.fee_rate = parse_decimal(value, 3)?,
            "changePosition" | "change_position" => options.change_position = Some(change_position(value)?),
            "changeAddress" | "change_address" => options.change = Some(recipient::<L>(value)?),
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

fn recipient<L: Shown>(value: &Value) -> Result<L::Recipient, RpcError> {
    let text = value.as_str().unwrap_or_default();
    let address = parse_address::<L>(text, "Change address must be a valid bitcoin address")?;
    Ok(L::recipient(&address))
}

pub fn sign_raw_transaction<L: Shown>(call: &mut Call<'_, L>) -> Answer {
    let tx = call
        .args
        .transaction::<L>(0, "TX decode failed. Make sure the tx has at least one input.")?;
    let signed = call.node.sign(&call.wallet_name()?, tx)?;
    let inputs = L::inputs(&signed.tx);
    let mut json =
        obj! { "hex" => hex::encode(L::transaction_bytes(&signed.tx)), "complete" => signed.failures.is_empty() };
    let errors: Vec<Json> = signed
        .failures
        .iter()
        .map(|failure| {
            let input = &inputs[failure.index];
            obj! {
                "txid" => Json::text(L::outpoint_txid(&failure.outpoint)),
                "vout" => L::outpoint_vout(&failure.outpoint),
                "witness" => input.witness.iter().map(hex::encode).collect::<Vec<_>>(),
                "scriptSig" => hex::encode(input.script_sig.as_bytes()),
                "sequence" => input.sequence,
                "error" => failure.error.as_str(),
            }
        })
        .collect();
    if !errors.is_empty() {
        json.push("errors", Json::Arr(errors));
    }
    Ok(json)
}

pub fn send_to_address<L: Shown>(call: &mut Call<'_, L>) -> Answer {
    let text = call.args.text(0).to_owned();
    let address = parse_address::<L>(&text, &format!("Invalid Bitcoin address: {text}"))?;
    let sat = parse_amount(call.args.get(1).unwrap_or(&Value::Null))?;
    if sat == 0 {
        return Err(RpcError::new(INSUFFICIENT_FUNDS, "Transaction amount too small"));
    }
    let mut options = FundOptions::at_rate(L::MIN_RELAY_FEE_RATE);
    if let Some(value) = call.args.get(L::FEE_RATE_ARGUMENT) {
        options.fee_rate = parse_decimal(value, 3)?;
        check_fee_rate::<L>(options.fee_rate)?;
    }
    if call.args.flag(4, false) {
        options.subtract_fee_from = vec![0];
    }
    if !call.args.flag(5, true) {
        options.sequence = Sequence::ENABLE_LOCKTIME_NO_RBF;
    }
    let output = L::pay(&L::recipient(&address), sat);
    let tx = L::transaction(call.node.tip().height, vec![output]);
    let name = call.wallet_name()?;
    let txid = Json::text(call.node.send(&name, tx, &options)?);
    Ok(if call.args.flag(L::FEE_RATE_ARGUMENT + 1, false) {
        obj! { "txid" => txid, "fee_reason" => "Fallback fee" }
    } else {
        txid
    })
}

/// `sendtoaddress` does not pay less than relays.
fn check_fee_rate<L: Shown>(rate: u64) -> Result<(), RpcError> {
    if rate >= L::MIN_RELAY_FEE_RATE {
        return Ok(());
    }
    let text = |rate: u64| format!("{}.{:03} sat/vB", rate / 1_000, rate % 1_000);
    let (given, least) = (text(rate), text(L::MIN_RELAY_FEE_RATE));
    let message = format!("Fee rate ({given}) is lower than the minimum fee rate setting ({least})");
    Err(RpcError::new(INSUFFICIENT_FUNDS, message))
}

pub fn get_transaction<L: Shown>(call: &mut Call<'_, L>) -> Answer {
    let txid = call.args.hash(0, "txid")?;
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
    let fee = own_fee(&view, tx);
    if let Some(fee) = fee {
        *net.entry(L::policy_asset()).or_default() += i128::from(fee);
    }
    json.push("amount", L::balance_json(&net));
    if let Some(fee) = fee {
        json.push("fee", L::balance_json(&[(L::policy_asset(), -i128::from(fee))].into()));
    }
    describe_place(call, &view, &txid, &mut json);
    json.push("details", details(&view, tx));
    json.push("hex", hex::encode(L::transaction_bytes(tx)));
    if call.args.flag(2, false) {
        json.push("decoded", L::decoded(tx));
    }
    if L::is_modern(call.release) {
        let tip = call.node.tip();
        json.push(
            "lastprocessedblock",
            obj! { "hash" => Json::text(tip.hash), "height" => tip.height },
        );
    }
    Ok(json)
}

/// The fee of a transaction that spends from the wallet.
fn own_fee<L: Shown>(view: &View<'_, L>, tx: &L::Transaction) -> Option<u64> {
    let inputs = L::inputs(tx);
    let ours: Vec<_> = inputs
        .iter()
        .filter_map(|input| view.wallet.coin(&input.previous))
        .collect();
    let spent = ours.iter().map(|coin| L::sat(&coin.contents)).sum();
    (!ours.is_empty()).then(|| L::fee_of(tx, spent))
}

/// Confirmations, block, times: what `gettransaction` and `listtransactions` share (`WalletTxToJSON`).
fn describe_place<L: Shown>(call: &Call<'_, L>, view: &View<'_, L>, txid: &L::Txid, json: &mut Json) {
    let chain = &view.state.chain;
    let Some(entry) = view.wallet.transaction(txid) else {
        return;
    };
    match chain.block_of(txid) {
        Some(block) => {
            json.push("confirmations", chain.height() - block.height + 1);
            if L::is_coinbase(&entry.tx) {
                json.push("generated", true);
            }
            json.push("blockhash", Json::text(block.hash));
            json.push("blockheight", block.height);
            json.push(
                "blockindex",
                block.transactions().iter().position(|tx| L::txid(tx) == *txid),
            );
            json.push("blocktime", block.time());
        }
        None => {
            json.push("confirmations", 0);
            json.push("trusted", view.is_trusted(txid));
        }
    }
    json.push("txid", Json::text(txid));
    if L::is_modern(call.release) {
        json.push("wtxid", Json::text(L::wtxid(&entry.tx)));
    }
    json.push("walletconflicts", Json::Arr(Vec::new()));
    json.push("time", entry.time);
    json.push("timereceived", entry.time);
    let signals = signals_replacement::<L>(&entry.tx);
    let waits = view.state.mempool.get(txid).is_some();
    json.push("bip125-replaceable", if waits && signals { "yes" } else { "no" });
}

/// One entry per output that was sent, then one per output that was received. Change is left out.
fn details<L: Shown>(view: &View<'_, L>, tx: &L::Transaction) -> Json {
    let fee = own_fee(view, tx);
    let (mut sent, mut received) = (Vec::new(), Vec::new());
    for (vout, output) in (0_u32..).zip(L::outputs(tx)) {
        let path = view.wallet.path(L::script(output));
        if L::is_fee(output) || path.is_some_and(|path| path.change && fee.is_some()) {
            continue;
        }
        let ours = path.and_then(|_| view.wallet.coin(&L::outpoint(L::txid(tx), vout)));
        if let Some(fee) = fee {
            let contents = L::made(view.wallet.made(), output)
                .or_else(|| L::shown_contents(output))
                .or(ours.map(|coin| coin.contents));
            let mut json = detail(view, output, vout, "send", contents, -1);
            json.push("fee", Json::Btc(L::DETAIL_FEE_SIGN * i128::from(fee)));
            json.push("abandoned", false);
            sent.push(json);
        }
        if let Some(coin) = ours {
            received.push(detail(view, output, vout, category(view, tx), Some(coin.contents), 1));
        }
    }
    sent.extend(received);
    Json::Arr(sent)
}

fn category<L: Shown>(view: &View<'_, L>, tx: &L::Transaction) -> &'static str {
    match (L::is_coinbase(tx), view.confirmations(&L::txid(tx))) {
        (false, _) => "receive",
        (true, None) => "orphan",
        (true, Some(confirmations)) if confirmations > COINBASE_MATURITY => "generate",
        (true, Some(_)) => "immature",
    }
}

fn detail<L: Shown>(
    view: &View<'_, L>,
    output: &L::TxOut,
    vout: u32,
    category: &str,
    contents: Option<L::Contents>,
    sign: i128,
) -> Json {
    let mut json = Json::Obj(Vec::new());
    if let Some(address) = L::address(L::script(output)) {
        json.push("address", address.to_string());
    }
    json.push("category", category);
    if let Some(contents) = contents {
        json.push("amount", Json::Btc(sign * i128::from(L::sat(&contents))));
        L::describe_detail(&mut json, &contents);
    }
    if let Some(label) = view.wallet.label(L::script(output)) {
        json.push("label", label);
    }
    json.push("vout", vout);
    json
}

pub fn list_transactions<L: Shown>(call: &mut Call<'_, L>) -> Answer {
    let label = call.args.text(0).to_owned();
    let count =
        usize::try_from(call.args.int(1, 10)?).map_err(|_| RpcError::new(INVALID_PARAMETER, "Negative count"))?;
    let skip = usize::try_from(call.args.int(2, 0)?).map_err(|_| RpcError::new(INVALID_PARAMETER, "Negative from"))?;
    let view = call.view()?;
    let mut entries = Vec::new();
    for tx in view.wallet.transactions() {
        let txid = L::txid(&tx.tx);
        let Json::Arr(parts) = details(&view, &tx.tx) else {
            continue;
        };
        // The list is made from its newest end, each transaction's part as well.
        for mut part in parts.into_iter().rev() {
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

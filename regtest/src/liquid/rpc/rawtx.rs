//! Methods about raw transactions (rpc/rawtransaction.cpp, rpc/mempool.cpp).

use elements::confidential::{Asset, Nonce, Value as ConfidentialValue};
use elements::encode::serialize_hex;
use elements::script::Builder;
use elements::{AssetId, LockTime, OutPoint, Script, Sequence, Transaction, TxIn, TxOut};
use serde_json::Value;

use super::super::Release;
use super::super::consensus::RejectClass;
use super::super::params::{explicit_output, policy_asset};
use super::super::policy::{fee_for, rate};
use super::args::{decode_transaction, parse_address, parse_amount, parse_outpoint};
use super::error::{
    ALREADY_IN_UTXO_SET, DESERIALIZATION_ERROR, INVALID_ADDRESS_OR_KEY, INVALID_PARAMETER, RpcError, TYPE_ERROR,
    VERIFY_ERROR,
};
use super::json::{Json, obj};
use super::{Answer, Call, decode};

/// Highest fee rate that `sendrawtransaction` sends without being told to, sat per 1000 vbytes: 0.10 BTC.
const DEFAULT_MAX_FEE_RATE: u64 = 10_000_000;
const MAX_PACKAGE: usize = 25;
const DECODE_FAILED: &str = "TX decode failed. Make sure the tx has at least one input.";

pub fn get_raw_transaction(call: &mut Call<'_>) -> Answer {
    let txid = call.args.txid(0, "parameter 1")?;
    let verbose = call.args.verbosity(1, 0)? > 0;
    let state = &call.node.state;
    let not_found = |text| Err(RpcError::new(INVALID_ADDRESS_OR_KEY, text));
    if call.args.is_absent(2) {
        // Without an index of transactions only the mempool is searched, as by the real node.
        let Some(entry) = state.mempool.get(&txid) else {
            return not_found(
                "No such mempool transaction. Use -txindex or provide a block hash to enable blockchain transaction \
                 queries. Use gettransaction for wallet transactions.",
            );
        };
        let tx = &entry.tx;
        return Ok(if verbose {
            decode::transaction_with_hex(tx)
        } else {
            serialize_hex(tx.as_ref()).into()
        });
    }
    let Some(entry) = state.chain.entry(&call.args.block_hash(2, "parameter 3")?) else {
        return not_found("Block hash not found");
    };
    let Some(tx) = entry.block.txdata.iter().find(|tx| tx.txid() == txid) else {
        return not_found(
            "No such transaction found in the provided block. Use gettransaction for wallet transactions.",
        );
    };
    if !verbose {
        return Ok(serialize_hex(tx).into());
    }
    let active = state.chain.is_active(entry);
    let mut json = obj! { "in_active_chain" => active };
    if let (Json::Obj(fields), Json::Obj(more)) = (&mut json, decode::transaction_with_hex(tx)) {
        fields.extend(more);
    }
    json.push("blockhash", Json::text(entry.hash));
    json.push(
        "confirmations",
        if active {
            state.chain.height() - entry.height() + 1
        } else {
            0
        },
    );
    if active {
        json.push("time", entry.block.header.time);
        json.push("blocktime", entry.block.header.time);
    }
    Ok(json)
}

pub fn decode_raw_transaction(call: &mut Call<'_>) -> Answer {
    let tx = call.args.transaction(0, "TX decode failed")?;
    Ok(decode::transaction(&tx))
}

fn max_fee_rate(call: &Call<'_>, position: usize) -> Result<u64, RpcError> {
    let rate = call.args.get(position).map_or(Ok(DEFAULT_MAX_FEE_RATE), parse_amount)?;
    if rate >= 100_000_000 {
        return Err(RpcError::new(
            INVALID_PARAMETER,
            "Fee rates larger than or equal to 1BTC/kvB are not accepted",
        ));
    }
    Ok(rate)
}

pub fn send_raw_transaction(call: &mut Call<'_>) -> Answer {
    let tx = call.args.transaction(0, DECODE_FAILED)?;
    let max_burn = call.args.get(2).map_or(Ok(0), parse_amount)?;
    let max_rate = max_fee_rate(call, 1)?;
    let burns = |output: &TxOut| {
        output.script_pubkey.is_op_return() && output.value.explicit().is_some_and(|value| value > max_burn)
    };
    if tx.output.iter().any(burns) {
        let text = "Unspendable output exceeds maximum configured by user (maxburnamount)";
        return Err(RpcError::new(VERIFY_ERROR, text));
    }
    if tx
        .output
        .iter()
        .any(|output| !output.nonce.is_null() && output.value.is_explicit())
    {
        let text = "Transaction output has nonce, but is not blinded. Did you forget to call blindrawtransaction, or \
                    rawblindrawtransaction?";
        return Err(RpcError::new(VERIFY_ERROR, text));
    }
    broadcast(call, &tx, max_rate)
}

/// Puts a transaction into the mempool. One that waits there already is sent again, which is no error.
fn broadcast(call: &mut Call<'_>, tx: &Transaction, max_rate: u64) -> Answer {
    let txid = tx.txid();
    let confirmed = |vout| call.node.state.chain.coin(&OutPoint::new(txid, vout)).is_some();
    if (0..tx.output.len() as u32).any(confirmed) {
        return Err(RpcError::new(
            ALREADY_IN_UTXO_SET,
            "Transaction outputs already in utxo set",
        ));
    }
    if call.node.state.mempool.get(&txid).is_some() {
        return Ok(Json::text(txid));
    }
    let acceptance = call.node.test_accept(tx)?;
    if max_rate > 0 && acceptance.fee_sat > fee_for(max_rate, tx.vsize() as u64) {
        let text = "Fee exceeds maximum configured by user (e.g. -maxtxfee, maxfeerate)";
        return Err(RpcError::new(VERIFY_ERROR, text));
    }
    Ok(Json::text(call.node.accept(tx)?))
}

/// Tests each transaction by itself: packages are not known here, as they are not on releases before 24.
pub fn test_mempool_accept(call: &mut Call<'_>) -> Answer {
    let raw = call.args.array(0).to_vec();
    if raw.is_empty() || raw.len() > MAX_PACKAGE {
        let text = format!("Array must contain between 1 and {MAX_PACKAGE} transactions.");
        return Err(RpcError::new(INVALID_PARAMETER, text));
    }
    let max_rate = max_fee_rate(call, 1)?;
    let mut results = Vec::new();
    for value in &raw {
        let text = value.as_str().unwrap_or_default();
        let failed = || format!("TX decode failed: {text} Make sure the tx has at least one input.");
        let tx = decode_transaction(text).ok_or_else(|| RpcError::new(DESERIALIZATION_ERROR, failed()))?;
        results.push(test_one(call, &tx, max_rate));
    }
    Ok(Json::Arr(results))
}

fn test_one(call: &mut Call<'_>, tx: &Transaction, max_rate: u64) -> Json {
    let mut json = obj! { "txid" => Json::text(tx.txid()), "wtxid" => Json::text(tx.wtxid()) };
    let vsize = tx.vsize() as u64;
    match call.node.test_accept(tx) {
        Ok(acceptance) if max_rate > 0 && acceptance.fee_sat > fee_for(max_rate, vsize) => {
            json.push("allowed", false);
            json.push("reject-reason", "max-fee-exceeded");
        }
        Ok(acceptance) => {
            json.push("allowed", true);
            json.push("vsize", vsize);
            let mut fees = obj! { "base" => Json::btc(acceptance.fee_sat) };
            if call.release == Release::V28 {
                fees.push("effective-feerate", Json::btc(rate(acceptance.fee_sat, vsize)));
                fees.push("effective-includes", vec![tx.wtxid().to_string()]);
            }
            json.push("fees", fees);
        }
        Err(reject) => {
            json.push("allowed", false);
            if reject.class == RejectClass::MissingInputs {
                json.push("reject-reason", "missing-inputs");
            } else {
                json.push("reject-reason", reject.reason.as_str());
                if call.release == Release::V28 {
                    json.push("reject-details", reject.to_string());
                }
            }
        }
    }
    json
}

pub fn create_raw_transaction(call: &mut Call<'_>) -> Answer {
    let lock_time = u32::try_from(call.args.int(2, 0)?)
        .map_err(|_| RpcError::new(INVALID_PARAMETER, "Invalid parameter, locktime out of range"))?;
    // Newer releases make replaceable transactions unless told otherwise.
    let replaceable = call.args.flag(3, call.release == Release::V28);
    let version = u32::try_from(call.args.int(4, 2)?).unwrap_or(2);
    let mut inputs = Vec::new();
    for value in call.args.array(0) {
        let default = match (replaceable, lock_time) {
            (true, _) => Sequence::ENABLE_RBF_NO_LOCKTIME,
            (false, 0) => Sequence::MAX,
            (false, _) => Sequence::ENABLE_LOCKTIME_NO_RBF,
        };
        let sequence = value["sequence"]
            .as_u64()
            .and_then(|n| u32::try_from(n).ok())
            .map_or(default, Sequence);
        inputs.push(TxIn {
            previous_output: parse_outpoint(value)?,
            sequence,
            ..TxIn::default()
        });
    }
    let outputs = match call.args.get(1) {
        Some(Value::Array(items)) => items.iter().map(parse_output).collect::<Result<_, _>>()?,
        Some(Value::Object(map)) => {
            let items = map
                .iter()
                .map(|(key, value)| parse_output(&Value::from_iter([(key.clone(), value.clone())])));
            items.collect::<Result<_, _>>()?
        }
        _ => {
            return Err(RpcError::new(
                INVALID_PARAMETER,
                "Invalid parameter, output argument must be non-null",
            ));
        }
    };
    let lock_time = LockTime::from_consensus(lock_time);
    Ok(serialize_hex(&Transaction {
        version,
        lock_time,
        input: inputs,
        output: outputs,
    })
    .into())
}

/// One output: an address (or `fee`, `burn`, `data`) with its amount, and perhaps an asset and a blinding key beside it.
fn parse_output(value: &Value) -> Result<TxOut, RpcError> {
    let object = value.as_object();
    let object = object.ok_or_else(|| {
        RpcError::new(
            INVALID_PARAMETER,
            "Invalid parameter, key-value pair not an object as expected",
        )
    })?;
    let mut output = explicit_output(policy_asset(), 0, Script::new());
    let mut named = false;
    for (key, value) in object {
        match key.as_str() {
            "asset" => output.asset = Asset::Explicit(parse_asset(value)?),
            "blinder_index" => {}
            "data" => {
                let data = hex::decode(value.as_str().unwrap_or_default());
                let data = data.map_err(|_| RpcError::new(INVALID_PARAMETER, "Data must be hexadecimal string"))?;
                output.script_pubkey = Builder::new()
                    .push_opcode(elements::opcodes::all::OP_RETURN)
                    .push_slice(&data)
                    .into_script();
            }
            "burn" => {
                output.value = ConfidentialValue::Explicit(parse_amount(value)?);
                output.script_pubkey = Builder::new()
                    .push_opcode(elements::opcodes::all::OP_RETURN)
                    .into_script();
            }
            "fee" => output.value = ConfidentialValue::Explicit(parse_amount(value)?),
            address => {
                if named {
                    let text = "Invalid parameter, key-value pair must contain exactly one key";
                    return Err(RpcError::new(INVALID_PARAMETER, text));
                }
                named = true;
                let address = parse_address(address, &format!("Invalid Bitcoin address: {address}"))?;
                output.value = ConfidentialValue::Explicit(parse_amount(value)?);
                output.script_pubkey = address.script_pubkey();
                output.nonce = address.blinding_pubkey.map_or(Nonce::Null, Nonce::Confidential);
            }
        }
    }
    Ok(output)
}

fn parse_asset(value: &Value) -> Result<AssetId, RpcError> {
    let text = value
        .as_str()
        .ok_or_else(|| RpcError::new(TYPE_ERROR, "Asset is not a string"))?;
    match text {
        "bitcoin" => Ok(policy_asset()),
        _ => text.parse().map_err(|_| {
            RpcError::new(
                INVALID_PARAMETER,
                format!("Unknown label and invalid asset hex: {text}"),
            )
        }),
    }
}

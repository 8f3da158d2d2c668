//! Methods about raw transactions (rpc/rawtransaction.cpp, rpc/mempool.cpp).

use super::super::consensus::RejectClass;
use super::super::policy::{fee_for, rate};
use super::args::{decode_transaction, parse_amount};
use super::error::{
    ALREADY_IN_UTXO_SET, DESERIALIZATION_ERROR, INVALID_ADDRESS_OR_KEY, INVALID_PARAMETER, RpcError, VERIFY_ERROR,
};
use super::json::{Json, obj};
use super::{Answer, Call, Shown, decode};

/// Highest fee rate that `sendrawtransaction` sends without being told to, sat per 1000 vbytes: 0.10 BTC.
const DEFAULT_MAX_FEE_RATE: u64 = 10_000_000;
const MAX_PACKAGE: usize = 25;
const DECODE_FAILED: &str = "TX decode failed. Make sure the tx has at least one input.";

pub fn get_raw_transaction<L: Shown>(call: &mut Call<'_, L>) -> Answer {
    let txid = call.args.hash(0, "parameter 1")?;
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
            decode::transaction_with_hex::<L>(tx)
        } else {
            hex::encode(L::transaction_bytes(tx)).into()
        });
    }
    let Some(entry) = state.chain.entry(&call.args.hash(2, "parameter 3")?) else {
        return not_found("Block hash not found");
    };
    let Some(tx) = entry.transactions().iter().find(|tx| L::txid(tx) == txid) else {
        return not_found(
            "No such transaction found in the provided block. Use gettransaction for wallet transactions.",
        );
    };
    if !verbose {
        return Ok(hex::encode(L::transaction_bytes(tx)).into());
    }
    let active = state.chain.is_active(entry);
    let mut json = obj! { "in_active_chain" => active };
    if let (Json::Obj(fields), Json::Obj(more)) = (&mut json, decode::transaction_with_hex::<L>(tx)) {
        fields.extend(more);
    }
    json.push("blockhash", Json::text(entry.hash));
    json.push(
        "confirmations",
        if active {
            state.chain.height() - entry.height + 1
        } else {
            0
        },
    );
    if active {
        json.push("time", entry.time());
        json.push("blocktime", entry.time());
    }
    Ok(json)
}

pub fn decode_raw_transaction<L: Shown>(call: &mut Call<'_, L>) -> Answer {
    let tx = call.args.transaction::<L>(0, "TX decode failed")?;
    Ok(L::decoded(&tx))
}

fn max_fee_rate<L: Shown>(call: &Call<'_, L>, position: usize) -> Result<u64, RpcError> {
    let rate = call.args.get(position).map_or(Ok(DEFAULT_MAX_FEE_RATE), parse_amount)?;
    if rate >= 100_000_000 {
        return Err(RpcError::new(
            INVALID_PARAMETER,
            "Fee rates larger than or equal to 1BTC/kvB are not accepted",
        ));
    }
    Ok(rate)
}

pub fn send_raw_transaction<L: Shown>(call: &mut Call<'_, L>) -> Answer {
    let tx = call.args.transaction::<L>(0, DECODE_FAILED)?;
    let max_burn = call.args.get(2).map_or(Ok(0), parse_amount)?;
    let max_rate = max_fee_rate(call, 1)?;
    let burns =
        |output: &L::TxOut| L::script(output).is_op_return() && L::shown_sat(output).is_some_and(|sat| sat > max_burn);
    if L::outputs(&tx).iter().any(burns) {
        let text = "Unspendable output exceeds maximum configured by user (maxburnamount)";
        return Err(RpcError::new(VERIFY_ERROR, text));
    }
    L::check_sendable(&tx)?;
    broadcast(call, &tx, max_rate)
}

/// Puts a transaction into the mempool. One that waits there already is sent again, which is no error.
fn broadcast<L: Shown>(call: &mut Call<'_, L>, tx: &L::Transaction, max_rate: u64) -> Answer {
    let txid = L::txid(tx);
    let confirmed = |vout| call.node.state.chain.coin(&L::outpoint(txid, vout)).is_some();
    if (0..L::outputs(tx).len() as u32).any(confirmed) {
        return Err(RpcError::new(
            ALREADY_IN_UTXO_SET,
            "Transaction outputs already in utxo set",
        ));
    }
    if call.node.state.mempool.get(&txid).is_some() {
        return Ok(Json::text(txid));
    }
    let acceptance = call.node.test_accept(tx)?;
    if max_rate > 0 && acceptance.fee_sat > fee_for(max_rate, L::vsize(tx)) {
        let text = "Fee exceeds maximum configured by user (e.g. -maxtxfee, maxfeerate)";
        return Err(RpcError::new(VERIFY_ERROR, text));
    }
    Ok(Json::text(call.node.accept(tx)?))
}

/// Tests each transaction by itself: packages are not known here, as they are not on releases before 24.
pub fn test_mempool_accept<L: Shown>(call: &mut Call<'_, L>) -> Answer {
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
        let tx = decode_transaction::<L>(text).ok_or_else(|| RpcError::new(DESERIALIZATION_ERROR, failed()))?;
        results.push(test_one(call, &tx, max_rate));
    }
    Ok(Json::Arr(results))
}

fn test_one<L: Shown>(call: &mut Call<'_, L>, tx: &L::Transaction, max_rate: u64) -> Json {
    let mut json = obj! { "txid" => Json::text(L::txid(tx)), "wtxid" => Json::text(L::wtxid(tx)) };
    let vsize = L::vsize(tx);
    match call.node.test_accept(tx) {
        Ok(acceptance) if max_rate > 0 && acceptance.fee_sat > fee_for(max_rate, vsize) => {
            json.push("allowed", false);
            json.push("reject-reason", "max-fee-exceeded");
        }
        Ok(acceptance) => {
            json.push("allowed", true);
            json.push("vsize", vsize);
            let mut fees = obj! { "base" => Json::btc(acceptance.fee_sat) };
            if L::is_modern(call.release) {
                fees.push("effective-feerate", Json::btc(rate(acceptance.fee_sat, vsize)));
                fees.push("effective-includes", vec![L::wtxid(tx).to_string()]);
            }
            json.push("fees", fees);
        }
        Err(reject) => {
            json.push("allowed", false);
            if reject.class == RejectClass::MissingInputs {
                json.push("reject-reason", "missing-inputs");
            } else {
                json.push("reject-reason", reject.reason.as_str());
                if L::is_modern(call.release) {
                    json.push("reject-details", reject.to_string());
                }
            }
        }
    }
    json
}

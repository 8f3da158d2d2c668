//! Methods that build transactions (rpc/rawtransaction_util.cpp).

use bitcoin::absolute::LockTime;
use bitcoin::consensus::encode::serialize_hex;
use bitcoin::opcodes::all::OP_RETURN;
use bitcoin::script::{Builder, PushBytesBuf};
use bitcoin::{Amount, Sequence, Transaction, TxIn, TxOut, transaction};
use serde_json::Value;

use super::super::Bitcoin;
use crate::chain::rpc::args::{parse_address, parse_amount, parse_outpoint};
use crate::chain::rpc::error::{INVALID_PARAMETER, RpcError};
use crate::chain::rpc::{Answer, Call};

pub fn create_raw_transaction(call: &mut Call<'_, Bitcoin>) -> Answer {
    Ok(serialize_hex(&build(call)?).into())
}

/// A transaction of the first four parameters: inputs, outputs, lock time, and whether it may be replaced.
pub fn build(call: &Call<'_, Bitcoin>) -> Result<Transaction, RpcError> {
    let lock_time = u32::try_from(call.args.int(2, 0)?)
        .map_err(|_| RpcError::new(INVALID_PARAMETER, "Invalid parameter, locktime out of range"))?;
    let default = match (replaceable(call), lock_time) {
        (true, _) => Sequence::ENABLE_RBF_NO_LOCKTIME,
        (false, 0) => Sequence::MAX,
        (false, _) => Sequence::ENABLE_LOCKTIME_NO_RBF,
    };
    let input = |value: &Value| {
        let sequence = value["sequence"].as_u64().and_then(|n| u32::try_from(n).ok());
        Ok(TxIn {
            previous_output: parse_outpoint::<Bitcoin>(value)?,
            sequence: sequence.map_or(default, Sequence),
            ..TxIn::default()
        })
    };
    let input = call.args.array(0).iter().map(input).collect::<Result<_, RpcError>>()?;
    let output = parse_outputs(call.args.get(1))?;
    Ok(Transaction {
        version: transaction::Version::TWO,
        lock_time: LockTime::from_consensus(lock_time),
        input,
        output,
    })
}

/// `walletcreatefundedpsbt` has its options there, which do not say it so.
fn replaceable(call: &Call<'_, Bitcoin>) -> bool {
    call.args.get(3).and_then(Value::as_bool).unwrap_or(true)
}

/// Outputs as one object, or as a list of objects with one key each.
fn parse_outputs(given: Option<&Value>) -> Result<Vec<TxOut>, RpcError> {
    let invalid = |text: &str| RpcError::new(INVALID_PARAMETER, format!("Invalid parameter, {text}"));
    let pair = |item: &Value| match item.as_object() {
        Some(map) if map.len() == 1 => Ok(map.clone()),
        Some(_) => Err(invalid("key-value pair must contain exactly one key")),
        None => Err(invalid("key-value pair not an object as expected")),
    };
    let maps = match given {
        Some(Value::Object(map)) => vec![map.clone()],
        Some(Value::Array(items)) => items.iter().map(pair).collect::<Result<_, _>>()?,
        _ => return Err(invalid("output argument must be non-null")),
    };
    let pairs = maps.iter().flatten();
    pairs.map(|(key, value)| parse_output(key, value)).collect()
}

fn parse_output(key: &str, value: &Value) -> Result<TxOut, RpcError> {
    if key == "data" {
        let data = hex::decode(value.as_str().unwrap_or_default()).ok();
        let data = data.and_then(|bytes| PushBytesBuf::try_from(bytes).ok());
        let data = data.ok_or_else(|| RpcError::new(INVALID_PARAMETER, "Data must be hexadecimal string"))?;
        return Ok(TxOut {
            value: Amount::ZERO,
            script_pubkey: Builder::new().push_opcode(OP_RETURN).push_slice(data).into_script(),
        });
    }
    let address = parse_address::<Bitcoin>(key, &format!("Invalid Bitcoin address: {key}"))?;
    Ok(TxOut {
        value: Amount::from_sat(parse_amount(value)?),
        script_pubkey: address.script_pubkey(),
    })
}

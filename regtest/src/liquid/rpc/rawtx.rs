//! Methods that build, hide and show transactions as only Elements does (rpc/rawtransaction.cpp, wallet/rpc/elements.cpp).

use elements::confidential::{Asset, Nonce, Value as ConfidentialValue};
use elements::encode::serialize_hex;
use elements::script::Builder;
use elements::{AssetId, LockTime, Script, Sequence, Transaction, TxIn, TxOut, TxOutWitness};
use serde_json::Value;

use super::super::params::{explicit_output, policy_asset};
use super::super::{Elements, Release};
use crate::chain::Ledger;
use crate::chain::rpc::args::{parse_address, parse_amount, parse_outpoint};
use crate::chain::rpc::error::{INVALID_PARAMETER, RpcError, TYPE_ERROR};
use crate::chain::rpc::json::obj;
use crate::chain::rpc::{Answer, Call};

pub fn blind_raw_transaction(call: &mut Call<'_, Elements>) -> Answer {
    let tx = call.args.transaction::<Elements>(0, "TX decode failed")?;
    let ignore_fail = call.args.flag(1, true);
    let name = call.wallet_name()?;
    Ok(serialize_hex(&call.node.blind(&name, tx, ignore_fail)?).into())
}

pub fn unblind_raw_transaction(call: &mut Call<'_, Elements>) -> Answer {
    let mut tx = call.args.transaction::<Elements>(0, "TX decode failed")?;
    let view = call.view()?;
    let keys = view.wallet.keys();
    for output in tx.output.iter_mut().filter(|output| output.value.is_confidential()) {
        if let Some(secrets) = Elements::open(keys, output) {
            output.asset = Asset::Explicit(secrets.asset);
            output.value = ConfidentialValue::Explicit(secrets.value);
            output.nonce = Nonce::Null;
            output.witness = TxOutWitness::default();
        }
    }
    Ok(obj! { "hex" => serialize_hex(&tx) })
}

pub fn create_raw_transaction(call: &mut Call<'_, Elements>) -> Answer {
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
            previous_output: parse_outpoint::<Elements>(value)?,
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
                let address = parse_address::<Elements>(address, &format!("Invalid Bitcoin address: {address}"))?;
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

//! Methods that make blocks.

use elements::encode::serialize_hex;
use elements::{Transaction, Txid};

use super::args::{decode_transaction, parse_address};
use super::error::{DESERIALIZATION_ERROR, INVALID_ADDRESS_OR_KEY, RpcError, VERIFY_ERROR};
use super::json::{Json, obj};
use super::{Answer, Call};

pub fn generate_to_address(call: &mut Call<'_>) -> Answer {
    let blocks = call.args.int(0, 0)?.max(0);
    let address = parse_address(call.args.text(1), "Error: Invalid address")?;
    let script = address.script_pubkey();
    Ok((0..blocks).map(|_| Json::text(call.node.mine(&script))).collect())
}

/// A block of exactly the given transactions, waiting or not.
pub fn generate_block(call: &mut Call<'_>) -> Answer {
    let script = parse_address(call.args.text(0), "Error: Invalid address or descriptor")?.script_pubkey();
    let given = call
        .args
        .array(1)
        .iter()
        .map(|value| given_transaction(call, value.as_str().unwrap_or_default()));
    let txdata = given.collect::<Result<Vec<_>, _>>()?;
    let block = call
        .node
        .block_of(txdata, &script)
        .map_err(|reject| RpcError::new(VERIFY_ERROR, format!("TestBlockValidity failed: {reject}")))?;
    let mut json = obj! { "hash" => Json::text(block.block_hash()) };
    if call.args.flag(2, true) {
        call.node.connect(block);
    } else {
        json.push("hex", serialize_hex(&block));
    }
    Ok(json)
}

/// By the id of a waiting transaction, or raw.
fn given_transaction(call: &Call<'_>, text: &str) -> Result<Transaction, RpcError> {
    if let Ok(txid) = text.parse::<Txid>() {
        let entry = call.node.state.mempool.get(&txid);
        let missing = || RpcError::new(INVALID_ADDRESS_OR_KEY, format!("Transaction {text} not in mempool."));
        return Ok((*entry.ok_or_else(missing)?.tx).clone());
    }
    decode_transaction(text).ok_or_else(|| {
        let message = format!("Transaction decode failed for {text}. Make sure the tx has at least one input.");
        RpcError::new(DESERIALIZATION_ERROR, message)
    })
}

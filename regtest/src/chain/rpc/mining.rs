//! Methods that make blocks.

use super::args::{decode_transaction, parse_address};
use super::error::{DESERIALIZATION_ERROR, INVALID_ADDRESS_OR_KEY, RpcError, VERIFY_ERROR};
use super::json::{Json, obj};
use super::{Answer, Call, Shown};

pub fn generate_to_address<L: Shown>(call: &mut Call<'_, L>) -> Answer {
    let blocks = call.args.int(0, 0)?.max(0);
    let address = parse_address::<L>(call.args.text(1), "Error: Invalid address")?;
    let script = L::address_script(&address);
    Ok((0..blocks).map(|_| Json::text(call.node.mine(&script))).collect())
}

/// A block of exactly the given transactions, waiting or not.
pub fn generate_block<L: Shown>(call: &mut Call<'_, L>) -> Answer {
    let address = parse_address::<L>(call.args.text(0), "Error: Invalid address or descriptor")?;
    let script = L::address_script(&address);
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
    let mut json = obj! { "hash" => Json::text(L::block_hash(&block)) };
    if call.args.flag(2, true) {
        call.node.connect(block);
    } else {
        json.push("hex", hex::encode(L::block_bytes(&block)));
    }
    Ok(json)
}

/// By the id of a waiting transaction, or raw.
fn given_transaction<L: Shown>(call: &Call<'_, L>, text: &str) -> Result<L::Transaction, RpcError> {
    if let Ok(txid) = text.parse::<L::Txid>() {
        let entry = call.node.state.mempool.get(&txid);
        let missing = || RpcError::new(INVALID_ADDRESS_OR_KEY, format!("Transaction {text} not in mempool."));
        return Ok((*entry.ok_or_else(missing)?.tx).clone());
    }
    decode_transaction::<L>(text).ok_or_else(|| {
        let message = format!("Transaction decode failed for {text}. Make sure the tx has at least one input.");
        RpcError::new(DESERIALIZATION_ERROR, message)
    })
}

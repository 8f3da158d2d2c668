//! Methods that make blocks.

use std::collections::HashSet;

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

/// Mines the given transactions and no others: waiting ones by id, or raw ones, which must be acceptable.
pub fn generate_block(call: &mut Call<'_>) -> Answer {
    let script = parse_address(call.args.text(0), "Error: Invalid address or descriptor")?.script_pubkey();
    let mut wanted = HashSet::new();
    for value in call.args.array(1).to_vec() {
        let text = value.as_str().unwrap_or_default();
        if let Ok(txid) = text.parse::<elements::Txid>() {
            if call.node.state.mempool.get(&txid).is_none() {
                let message = format!("Transaction {text} not in mempool.");
                return Err(RpcError::new(INVALID_ADDRESS_OR_KEY, message));
            }
            wanted.insert(txid);
            continue;
        }
        let failed = || {
            RpcError::new(
                DESERIALIZATION_ERROR,
                format!("Transaction decode failed for {text}. Make sure the tx has at least one input."),
            )
        };
        let tx = decode_transaction(text).ok_or_else(failed)?;
        call.node.accept(&tx)?;
        wanted.insert(tx.txid());
    }
    let missing = || RpcError::new(VERIFY_ERROR, "TestBlockValidity failed: bad-txns-inputs-missingorspent");
    let hash = call.node.mine_only(&script, &wanted).ok_or_else(missing)?;
    Ok(obj! { "hash" => Json::text(hash) })
}

//! Transactions of Bitcoin as JSON (core_write.cpp).

use bitcoin::{Transaction, TxIn, TxOut};

use super::super::Bitcoin;
use crate::chain::rpc::decode::{asm, script};
use crate::chain::rpc::json::{Json, obj};

/// A transaction in full, without its hex.
pub fn transaction(tx: &Transaction) -> Json {
    obj! {
        "txid" => Json::text(tx.compute_txid()),
        "hash" => Json::text(tx.compute_wtxid()),
        "version" => tx.version.0,
        "size" => tx.total_size(),
        "vsize" => tx.vsize(),
        "weight" => tx.weight().to_wu(),
        "locktime" => tx.lock_time.to_consensus_u32(),
        "vin" => tx.input.iter().map(|given| input(tx, given)).collect::<Json>(),
        "vout" => (0_u32..).zip(&tx.output).map(|(n, made)| output(made, n)).collect::<Json>(),
    }
}

fn input(tx: &Transaction, input: &TxIn) -> Json {
    let mut json = Json::Obj(Vec::new());
    let program = &input.script_sig;
    if tx.is_coinbase() {
        json.push("coinbase", program.to_hex_string());
    } else {
        json.push("txid", Json::text(input.previous_output.txid));
        json.push("vout", input.previous_output.vout);
        json.push(
            "scriptSig",
            obj! { "asm" => asm(program), "hex" => program.to_hex_string() },
        );
    }
    if !input.witness.is_empty() {
        json.push("txinwitness", input.witness.iter().map(hex::encode).collect::<Vec<_>>());
    }
    json.push("sequence", input.sequence.0);
    json
}

fn output(output: &TxOut, n: u32) -> Json {
    obj! {
        "value" => Json::btc(output.value.to_sat()),
        "n" => n,
        "scriptPubKey" => script::<Bitcoin>(&output.script_pubkey),
    }
}

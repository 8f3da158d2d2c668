//! Transactions and scripts as JSON (core_write.cpp).

use bitcoin::opcodes::all;
use bitcoin::script::{Instruction, Script};

use super::Shown;
use super::descriptor::with_checksum;
use super::json::{Json, obj};

/// A transaction in full with its hex.
pub fn transaction_with_hex<L: Shown>(tx: &L::Transaction) -> Json {
    let mut json = L::decoded(tx);
    json.push("hex", hex::encode(L::transaction_bytes(tx)));
    json
}

/// `{"txid":…,"vout":…}`.
pub fn outpoint<L: Shown>(at: &L::OutPoint) -> Json {
    obj! { "txid" => Json::text(L::outpoint_txid(at)), "vout" => L::outpoint_vout(at) }
}

/// A script: its text, descriptor, hex, address and kind.
pub fn script<L: Shown>(script: &Script) -> Json {
    let address = L::address(script).map(|address| address.to_string());
    let descriptor = match &address {
        Some(address) => format!("addr({address})"),
        None => format!("raw({})", hex::encode(script.as_bytes())),
    };
    let mut json = obj! {
        "asm" => asm(script),
        "desc" => with_checksum(&descriptor),
        "hex" => hex::encode(script.as_bytes()),
    };
    if let Some(address) = address {
        json.push("address", address);
    }
    json.push("type", L::script_kind(script).unwrap_or_else(|| kind(script)));
    json
}

fn kind(script: &Script) -> &'static str {
    if script.is_p2wpkh() {
        "witness_v0_keyhash"
    } else if script.is_p2wsh() {
        "witness_v0_scripthash"
    } else if script.is_p2tr() {
        "witness_v1_taproot"
    } else if script.is_witness_program() {
        "witness_unknown"
    } else if script.is_p2pkh() {
        "pubkeyhash"
    } else if script.is_p2sh() {
        "scripthash"
    } else if script.is_p2pk() {
        "pubkey"
    } else if script.is_op_return() {
        "nulldata"
    } else {
        "nonstandard"
    }
}

/// A script as text: short pushes as numbers, long ones as hex.
pub fn asm(script: &Script) -> String {
    let words = script.instructions().map(|instruction| match instruction {
        Ok(Instruction::PushBytes(bytes)) if bytes.is_empty() => "0".to_owned(),
        Ok(Instruction::PushBytes(bytes)) if bytes.len() <= 4 => short_number(bytes.as_bytes()).to_string(),
        Ok(Instruction::PushBytes(bytes)) => hex::encode(bytes.as_bytes()),
        Ok(Instruction::Op(op)) => op_name(op),
        Err(_) => "[error]".to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

fn short_number(bytes: &[u8]) -> i64 {
    let magnitude = bytes
        .iter()
        .rev()
        .fold(0_i64, |acc, byte| (acc << 8) | i64::from(*byte));
    let sign = 0x80_i64 << (8 * (bytes.len() - 1));
    if magnitude & sign == 0 {
        magnitude
    } else {
        -(magnitude & !sign)
    }
}

fn op_name(op: bitcoin::opcodes::Opcode) -> String {
    let code = op.to_u8();
    match op {
        all::OP_PUSHNUM_NEG1 => "-1".to_owned(),
        all::OP_CSV => "OP_CHECKSEQUENCEVERIFY".to_owned(),
        all::OP_CLTV => "OP_CHECKLOCKTIMEVERIFY".to_owned(),
        _ if (all::OP_PUSHNUM_1.to_u8()..=all::OP_PUSHNUM_16.to_u8()).contains(&code) => {
            (code - all::OP_PUSHNUM_1.to_u8() + 1).to_string()
        }
        _ => op.to_string(),
    }
}

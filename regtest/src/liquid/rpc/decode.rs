//! Transactions and scripts as JSON (core_write.cpp).

use std::collections::BTreeMap;

use elements::confidential::{Asset, Nonce, Value};
use elements::encode::{serialize, serialize_hex};
use elements::opcodes::all;
use elements::script::Instruction;
use elements::{Address, AssetId, Script, Transaction, TxIn, TxOut};

use super::super::params::{ADDRESS_PARAMS, op_true, witness_only_hash};
use super::descriptor::with_checksum;
use super::json::{Json, obj};

/// A transaction in full, without its hex.
pub fn transaction(tx: &Transaction) -> Json {
    let withash: Vec<u8> = witness_only_hash(tx).into_iter().rev().collect();
    let mut fees: BTreeMap<AssetId, i128> = BTreeMap::new();
    for output in tx.output.iter().filter(|output| output.is_fee()) {
        if let (Some(asset), Some(sat)) = (output.asset.explicit(), output.value.explicit()) {
            *fees.entry(asset).or_default() += i128::from(sat);
        }
    }
    obj! {
        "txid" => Json::text(tx.txid()),
        "hash" => Json::text(tx.wtxid()),
        "wtxid" => Json::text(tx.wtxid()),
        "withash" => hex::encode(withash),
        "version" => tx.version,
        "size" => tx.size(),
        "vsize" => tx.vsize(),
        "weight" => tx.weight(),
        "discountvsize" => tx.discount_vsize(),
        "discountweight" => tx.discount_weight(),
        "locktime" => tx.lock_time.to_consensus_u32(),
        "vin" => tx.input.iter().map(input).collect::<Json>(),
        "vout" => (0_u32..).zip(&tx.output).map(|(n, out)| output(out, n)).collect::<Json>(),
        "fee" => Json::Obj(fees.into_iter().map(|(asset, sat)| (asset.to_string(), Json::Btc(sat))).collect()),
    }
}

/// A transaction in full with its hex.
pub fn transaction_with_hex(tx: &Transaction) -> Json {
    let mut json = transaction(tx);
    json.push("hex", serialize_hex(tx));
    json
}

fn input(input: &TxIn) -> Json {
    let mut json = Json::Obj(Vec::new());
    if input.is_coinbase() {
        json.push("coinbase", hex::encode(input.script_sig.as_bytes()));
    } else {
        json.push("txid", Json::text(input.previous_output.txid));
        json.push("vout", input.previous_output.vout);
        let script = &input.script_sig;
        json.push(
            "scriptSig",
            obj! { "asm" => asm(script), "hex" => hex::encode(script.as_bytes()) },
        );
        json.push("is_pegin", input.is_pegin);
    }
    json.push("sequence", input.sequence.to_consensus_u32());
    if !input.witness.script_witness.is_empty() {
        json.push(
            "txinwitness",
            input.witness.script_witness.iter().map(hex::encode).collect::<Vec<_>>(),
        );
    }
    if input.has_issuance() {
        json.push("issuance", issuance(input));
    }
    json
}

fn issuance(input: &TxIn) -> Json {
    let issuance = &input.asset_issuance;
    let (asset, token) = input.issuance_ids();
    let new = issuance.asset_blinding_nonce.is_null();
    let contract = elements::ContractHash::from_byte_array(issuance.asset_entropy.to_byte_array());
    let entropy = match new {
        true => AssetId::generate_asset_entropy(input.previous_output, contract),
        false => issuance.asset_entropy,
    };
    let nonce: Vec<u8> = issuance
        .asset_blinding_nonce
        .to_byte_array()
        .into_iter()
        .rev()
        .collect();
    let entropy: Vec<u8> = entropy.to_byte_array().into_iter().rev().collect();
    let mut json = obj! {
        "assetBlindingNonce" => hex::encode(nonce),
        "assetEntropy" => hex::encode(entropy),
        "isreissuance" => !new,
    };
    if new {
        json.push("token", Json::text(token));
    }
    json.push("asset", Json::text(asset));
    for (name, value) in [
        ("assetamount", issuance.amount),
        ("tokenamount", issuance.inflation_keys),
    ] {
        match value {
            Value::Explicit(sat) => json.push(name, Json::btc(sat)),
            Value::Confidential(commitment) => {
                json.push(format!("{name}commitment"), hex::encode(commitment.serialize()));
            }
            Value::Null => {}
        }
    }
    json
}

fn output(output: &TxOut, n: u32) -> Json {
    let mut json = Json::Obj(Vec::new());
    if let Value::Explicit(sat) = output.value {
        json.push("value", Json::btc(sat));
    } else {
        if let Some(info) = RangeInfo::of(&output.witness.rangeproof.to_vec()) {
            info.write(&mut json);
        }
        if !output.witness.surjection_proof.is_empty() {
            json.push("surjectionproof", hex::encode(output.witness.surjection_proof.to_vec()));
        }
        json.push("valuecommitment", hex::encode(serialize(&output.value)));
    }
    match output.asset {
        Asset::Explicit(asset) => json.push("asset", Json::text(asset)),
        Asset::Confidential(_) | Asset::Null => json.push("assetcommitment", hex::encode(serialize(&output.asset))),
    }
    let nonce = match output.nonce {
        Nonce::Null => String::new(),
        Nonce::Explicit(_) | Nonce::Confidential(_) => hex::encode(serialize(&output.nonce)),
    };
    json.push("commitmentnonce", nonce);
    json.push("commitmentnonce_fully_valid", output.nonce.is_confidential());
    json.push("n", n);
    json.push("scriptPubKey", script(&output.script_pubkey));
    json
}

/// What the head of a range proof says in the open (secp256k1-zkp, `rangeproof_getheader`).
struct RangeInfo {
    exponent: i32,
    bits: u32,
    least: u64,
    most: u64,
}

impl RangeInfo {
    fn of(proof: &[u8]) -> Option<Self> {
        let (flags, rest) = proof.split_first()?;
        let (has_range, has_least) = (flags & 0x40 != 0, flags & 0x20 != 0);
        let (exponent, bits, rest) = if has_range {
            let (mantissa, rest) = rest.split_first()?;
            (i32::from(flags & 0x1f), u32::from(*mantissa) + 1, rest)
        } else {
            (-1, 0, rest)
        };
        let least = if has_least {
            u64::from_be_bytes(rest.get(..8)?.try_into().ok()?)
        } else {
            0
        };
        let scale = 10_u64.checked_pow(exponent.max(0).unsigned_abs())?;
        let span = if bits == 0 {
            0
        } else {
            u64::MAX.checked_shr(64_u32.checked_sub(bits)?)?
        };
        Some(Self {
            exponent,
            bits,
            least,
            most: least.saturating_add(span.saturating_mul(scale)),
        })
    }

    fn write(&self, json: &mut Json) {
        if self.exponent == -1 {
            json.push("value", Json::btc(self.least));
        } else {
            json.push("value-minimum", Json::btc(self.least));
            json.push("value-maximum", Json::btc(self.most));
        }
        json.push("ct-exponent", self.exponent);
        json.push("ct-bits", self.bits);
    }
}

/// A script: its text, descriptor, hex, address and kind.
pub fn script(script: &Script) -> Json {
    let address = Address::from_script(script, None, ADDRESS_PARAMS).map(|address| address.to_string());
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
    json.push("type", kind(script));
    json
}

fn kind(script: &Script) -> &'static str {
    if script.is_empty() {
        "fee"
    } else if script.as_bytes() == op_true().as_bytes() {
        "true"
    } else if script.is_v0_p2wpkh() {
        "witness_v0_keyhash"
    } else if script.is_v0_p2wsh() {
        "witness_v0_scripthash"
    } else if script.is_v1_p2tr() {
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
        Ok(Instruction::PushBytes([])) => "0".to_owned(),
        Ok(Instruction::PushBytes(bytes)) if bytes.len() <= 4 => short_number(bytes).to_string(),
        Ok(Instruction::PushBytes(bytes)) => hex::encode(bytes),
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

fn op_name(op: elements::opcodes::All) -> String {
    let code = op.into_u8();
    match op {
        all::OP_PUSHNUM_NEG1 => "-1".to_owned(),
        all::OP_CSV => "OP_CHECKSEQUENCEVERIFY".to_owned(),
        all::OP_CLTV => "OP_CHECKLOCKTIMEVERIFY".to_owned(),
        _ if (all::OP_PUSHNUM_1.into_u8()..=all::OP_PUSHNUM_16.into_u8()).contains(&code) => {
            (code - all::OP_PUSHNUM_1.into_u8() + 1).to_string()
        }
        _ => format!("{op:?}"),
    }
}

//! Transactions of Elements as JSON (core_write.cpp).

use std::collections::BTreeMap;

use elements::confidential::{Asset, Nonce, Value};
use elements::encode::serialize;
use elements::{AssetId, Transaction, TxIn, TxOut};

use super::super::Elements;
use super::super::ledger::plain_script;
use super::super::params::witness_only_hash;
use crate::chain::rpc::decode::{asm, script};
use crate::chain::rpc::json::{Json, obj};

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
            obj! { "asm" => asm(plain_script(script)), "hex" => hex::encode(script.as_bytes()) },
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
    json.push("scriptPubKey", script::<Elements>(plain_script(&output.script_pubkey)));
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

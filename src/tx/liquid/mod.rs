//! Liquid's transactions. Knows the `elements` crate, which nothing above `tx` sees.

pub(super) mod asset;
pub(super) mod claim;
pub(super) mod opening;
pub(super) mod spend;

use bitcoin::hashes::Hash;
use bitcoin::{Amount, Script, ScriptBuf};
use elements::address::AddressError;
use elements::{Address, AddressParams, AssetId, Transaction};

use super::TxError;
use crate::swap::state::TxCost;
use crate::swap::terms::Payout;
use crate::units::{FeeRate, OutPoint, PubKey, RawTx, TxId};

/// Elements' incremental relay fee (src/policy/policy.h, DEFAULT_INCREMENTAL_RELAY_FEE).
const INCREMENTAL_RELAY_FEE: FeeRate = FeeRate(100);

pub(super) fn decode(tx: &RawTx) -> Result<Transaction, TxError> {
    elements::encode::deserialize(&tx.0).map_err(|error| TxError::Undecodable {
        len: tx.0.len(),
        reason: error.to_string(),
    })
}

pub(super) fn encode(tx: &Transaction) -> RawTx {
    RawTx::from(elements::encode::serialize(tx))
}

pub(super) fn txid(tx: &Transaction) -> TxId {
    from_elements_txid(tx.txid())
}

fn from_elements_txid(txid: elements::Txid) -> TxId {
    TxId(bitcoin::Txid::from_byte_array(txid.to_byte_array()))
}

fn to_elements_script(script: &Script) -> elements::Script {
    elements::Script::from(script.to_bytes())
}

pub(super) fn inputs(tx: &Transaction) -> Vec<OutPoint> {
    let outpoint = |input: &elements::TxIn| OutPoint {
        txid: from_elements_txid(input.previous_output.txid),
        vout: input.previous_output.vout,
    };
    tx.input.iter().map(outpoint).collect()
}

pub(super) fn outputs_with<'a>(tx: &'a Transaction, output_script: &'a Script) -> impl Iterator<Item = u32> + 'a {
    (0..)
        .zip(&tx.output)
        .filter(move |(_, output)| output.script_pubkey.as_bytes() == output_script.as_bytes())
        .map(|(vout, _)| vout)
}

/// The discounted size is rust-elements' own, which agrees with Elements' src/policy/discount.h: output proofs count
/// two bytes, a committed value as an explicit one, a nonce as none.
pub(super) fn cost(tx: &Transaction, policy_asset: AssetId) -> TxCost {
    TxCost {
        fee: Amount::from_sat(tx.fee_in(policy_asset)),
        vsize: size(tx.vsize()),
        discount_vsize: size(tx.discount_vsize()),
    }
}

fn size(bytes: usize) -> u64 {
    u64::try_from(bytes).expect("a transaction is shorter than 2^64 bytes")
}

pub(super) fn replacement_fee(replaced: &TxCost) -> Amount {
    let increment = INCREMENTAL_RELAY_FEE.fee(replaced.vsize);
    replaced.fee.checked_add(increment).unwrap_or(Amount::MAX)
}

pub(super) fn address(chain: &str, output_script: &Script, blinding_key: Option<PubKey>) -> Option<String> {
    let params = match chain {
        "liquidv1" => &AddressParams::LIQUID,
        "liquidtestnet" => &AddressParams::LIQUID_TESTNET,
        _ => &AddressParams::ELEMENTS,
    };
    Address::from_script(&to_elements_script(output_script), blinding_key, params).map(|address| address.to_string())
}

pub(super) fn payout_to(address: &str, like: &str) -> Result<Payout, String> {
    let read: Address = address.parse().map_err(|error: AddressError| error.to_string())?;
    let known: Option<Address> = like.parse().ok();
    if known.is_some_and(|known| known.params != read.params) {
        return Err(format!("it is of another network than {like}"));
    }
    Ok(Payout {
        address: address.to_owned(),
        script: ScriptBuf::from_bytes(read.script_pubkey().into_bytes()),
        blinding_key: read.blinding_pubkey,
    })
}

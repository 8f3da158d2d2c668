//! Transactions that a wallet makes of its coins, with stand-ins of the right size for its signatures.

use bitcoin::hashes::Hash;
use bitcoin::transaction::Version;
use bitcoin::{Amount, ScriptBuf, Sequence, absolute};
use elements::confidential::{Asset as AnAsset, AssetBlindingFactor, Nonce, Value, ValueBlindingFactor};
use elements::secp256k1_zkp::SECP256K1;
use elements::{LockTime, TxOutSecrets, TxOutWitness};
use sluice::units::{Asset, OutPoint, PubKey, RawTx, SwapSecret};

use crate::liquid_bench::policy_asset;
use crate::world::State;

/// An output to be made.
#[derive(Debug, Clone)]
pub struct Paying {
    pub script: ScriptBuf,
    pub amount: Amount,
    /// Confidential, for the holder of this key.
    pub blinding_key: Option<PubKey>,
}

impl Paying {
    pub fn to(script: &ScriptBuf, amount: Amount) -> Paying {
        Paying {
            script: script.clone(),
            amount,
            blinding_key: None,
        }
    }
}

pub fn public(secret: &SwapSecret) -> PubKey {
    let key = bitcoin::secp256k1::SecretKey::from_slice(secret.expose()).unwrap();
    key.public_key(bitcoin::secp256k1::SECP256K1)
}

/// An output of Liquid that everybody can read.
pub fn explicit(script: &ScriptBuf, amount: Amount) -> elements::TxOut {
    elements::TxOut {
        asset: AnAsset::Explicit(policy_asset()),
        value: Value::Explicit(amount.to_sat()),
        nonce: Nonce::Null,
        script_pubkey: elements::Script::from(script.to_bytes()),
        witness: TxOutWitness::empty(),
    }
}

pub fn assemble(state: &mut State, asset: Asset, inputs: &[OutPoint], outputs: &[Paying], fee: Amount) -> RawTx {
    match asset {
        Asset::Btc => bitcoin_tx(inputs, outputs),
        Asset::Lbtc => liquid_tx(state, inputs, outputs, fee),
    }
}

/// A signature of 72 bytes and a key.
fn stand_in() -> [Vec<u8>; 2] {
    [vec![0; 72], vec![0; 33]]
}

fn bitcoin_tx(inputs: &[OutPoint], outputs: &[Paying]) -> RawTx {
    let input = |point: &OutPoint| bitcoin::TxIn {
        previous_output: bitcoin::OutPoint::new(point.txid.0, point.vout),
        sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
        witness: bitcoin::Witness::from_slice(&stand_in()),
        ..bitcoin::TxIn::default()
    };
    let output = |paying: &Paying| bitcoin::TxOut {
        value: paying.amount,
        script_pubkey: paying.script.clone(),
    };
    RawTx::from(bitcoin::consensus::serialize(&bitcoin::Transaction {
        version: Version::TWO,
        lock_time: absolute::LockTime::ZERO,
        input: inputs.iter().map(input).collect(),
        output: outputs.iter().map(output).collect(),
    }))
}

fn liquid_tx(state: &mut State, inputs: &[OutPoint], outputs: &[Paying], fee: Amount) -> RawTx {
    let input = |point: &OutPoint| {
        let mut input = elements::TxIn {
            previous_output: elements::OutPoint::new(
                elements::Txid::from_byte_array(point.txid.0.to_byte_array()),
                point.vout,
            ),
            sequence: elements::Sequence(0xffff_fffd),
            ..elements::TxIn::default()
        };
        input.witness.script_witness = elements::Witness::from_slice(&stand_in());
        input
    };
    let spent: Vec<TxOutSecrets> = inputs.iter().map(|point| secrets(state, *point)).collect();
    let mut made: Vec<elements::TxOut> = Vec::new();
    for paying in outputs {
        let output = explicit(&paying.script, paying.amount);
        made.push(match paying.blinding_key {
            None => output,
            Some(key) => {
                let script = output.script_pubkey.clone();
                let (sat, asset) = (paying.amount.to_sat(), policy_asset());
                let rng = &mut state.rng;
                let blinded =
                    elements::TxOut::new_last_confidential(rng, SECP256K1, sat, asset, script, key, &spent, &[]);
                blinded.unwrap().0
            }
        });
    }
    made.push(elements::TxOut::new_fee(fee.to_sat(), policy_asset()));
    RawTx::from(elements::encode::serialize(&elements::Transaction {
        version: 2,
        lock_time: LockTime::ZERO,
        input: inputs.iter().map(input).collect(),
        output: made,
    }))
}

/// What the wallet knows of one of its coins.
fn secrets(state: &State, point: OutPoint) -> TxOutSecrets {
    let ledger = &state.ledgers[&Asset::Lbtc];
    let output = &ledger.held(point.txid).unwrap().tx.outputs[point.vout as usize];
    let liquid = output.liquid.as_ref().unwrap();
    if let Some(value) = liquid.value.explicit() {
        let (asset_bf, value_bf) = (AssetBlindingFactor::zero(), ValueBlindingFactor::zero());
        return TxOutSecrets::new(policy_asset(), asset_bf, value, value_bf);
    }
    let key = ledger.owner(&output.script).unwrap().blinding.as_ref().unwrap();
    let key = bitcoin::secp256k1::SecretKey::from_slice(key.expose()).unwrap();
    liquid.unblind(SECP256K1, key).unwrap()
}

//! Partially signed transactions (BIP 174): wallet/rpc/spend.cpp, rpc/rawtransaction.cpp.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bitcoin::consensus::encode::serialize_hex;
use bitcoin::psbt::{Input, Psbt};
use bitcoin::{PublicKey, Transaction, Witness, ecdsa};

use super::super::Bitcoin;
use super::rawtx::build;
use crate::chain::rpc::error::{DESERIALIZATION_ERROR, RpcError, WALLET_ERROR};
use crate::chain::rpc::json::{Json, obj};
use crate::chain::rpc::wallet_tx::{fund_options, funding_error};
use crate::chain::rpc::{Answer, Call};

pub fn wallet_create_funded_psbt(call: &mut Call<'_, Bitcoin>) -> Answer {
    let tx = build(call)?;
    let options = fund_options(call, 3)?;
    let name = call.wallet_name()?;
    let funded = call.node.fund(&name, tx, &options).map_err(funding_error)?;
    let mut psbt = Psbt::from_unsigned_tx(funded.tx).map_err(broken)?;
    add_spent_outputs(call, &mut psbt);
    Ok(obj! {
        "psbt" => encode(&psbt),
        "fee" => Json::btc(funded.fee_sat),
        "changepos" => funded.change_position.map_or(-1, |position| position as i64),
    })
}

pub fn wallet_process_psbt(call: &mut Call<'_, Bitcoin>) -> Answer {
    let mut psbt = decode(call.args.text(0))?;
    let (sign, finalize) = (call.args.flag(1, true), call.args.flag(4, true));
    add_spent_outputs(call, &mut psbt);
    if sign {
        let signed = call.node.sign(&call.wallet_name()?, psbt.unsigned_tx.clone())?;
        for (input, given) in psbt.inputs.iter_mut().zip(&signed.tx.input) {
            add_signature(input, &given.witness);
        }
    }
    if finalize {
        psbt.inputs.iter_mut().for_each(finish);
    }
    let complete = psbt.inputs.iter().all(is_signed);
    let mut json = obj! { "psbt" => encode(&psbt), "complete" => complete };
    if complete && finalize {
        json.push("hex", serialize_hex(&extract(psbt)));
    }
    Ok(json)
}

pub fn finalize_psbt(call: &mut Call<'_, Bitcoin>) -> Answer {
    let mut psbt = decode(call.args.text(0))?;
    psbt.inputs.iter_mut().for_each(finish);
    let complete = psbt.inputs.iter().all(|input| input.final_script_witness.is_some());
    let mut json = if complete && call.args.flag(1, true) {
        obj! { "hex" => serialize_hex(&extract(psbt)) }
    } else {
        obj! { "psbt" => encode(&psbt) }
    };
    json.push("complete", complete);
    Ok(json)
}

fn encode(psbt: &Psbt) -> String {
    STANDARD.encode(psbt.serialize())
}

fn decode(text: &str) -> Result<Psbt, RpcError> {
    let failed = |what: String| RpcError::new(DESERIALIZATION_ERROR, format!("TX decode failed {what}"));
    let bytes = STANDARD.decode(text).map_err(|_| failed("invalid base64".into()))?;
    Psbt::deserialize(&bytes).map_err(|error| failed(error.to_string()))
}

fn broken(error: impl ToString) -> RpcError {
    RpcError::new(WALLET_ERROR, error.to_string())
}

/// Adds what each input spends, as far as the node knows it.
fn add_spent_outputs(call: &Call<'_, Bitcoin>, psbt: &mut Psbt) {
    for (input, given) in psbt.inputs.iter_mut().zip(&psbt.unsigned_tx.input) {
        if input.witness_utxo.is_none() {
            input.witness_utxo = call.node.output(&given.previous_output).map(|coin| coin.output);
        }
    }
}

/// Takes a signature over from a signed P2WPKH input.
fn add_signature(input: &mut Input, witness: &Witness) {
    let (Some(signature), Some(key)) = (witness.nth(0), witness.nth(1)) else {
        return;
    };
    if let (Ok(key), Ok(signature)) = (PublicKey::from_slice(key), ecdsa::Signature::from_slice(signature)) {
        input.partial_sigs.insert(key, signature);
    }
}

/// Makes the witness of a P2WPKH input from its signature.
fn finish(input: &mut Input) {
    let pays_key = |input: &Input| {
        let output = input.witness_utxo.as_ref();
        output.is_some_and(|output| output.script_pubkey.is_p2wpkh())
    };
    if input.final_script_witness.is_some() || !pays_key(input) {
        return;
    }
    if let Some((key, signature)) = input.partial_sigs.pop_first() {
        input.final_script_witness = Some(Witness::p2wpkh(&signature, &key.inner));
    }
}

fn is_signed(input: &Input) -> bool {
    input.final_script_witness.is_some() || !input.partial_sigs.is_empty()
}

/// The transaction with the witnesses that were made.
fn extract(psbt: Psbt) -> Transaction {
    let mut tx = psbt.unsigned_tx;
    for (input, given) in tx.input.iter_mut().zip(psbt.inputs) {
        input.witness = given.final_script_witness.unwrap_or_default();
    }
    tx
}

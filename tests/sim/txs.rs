//! Transactions of both chains as the simulated ledger sees them, and whether a script lets them spend.

use bitcoin::hashes::Hash;
use bitcoin::{Amount, ScriptBuf};
use elements::secp256k1_zkp::SECP256K1;
use sluice::units::{Asset, OutPoint, RawTx, TxId};

use crate::liquid_bench::interpreter;

/// A decoded transaction.
#[derive(Debug, Clone)]
pub struct Tx {
    pub raw: RawTx,
    pub id: TxId,
    pub inputs: Vec<Input>,
    pub outputs: Vec<Output>,
    /// What it says of its fee: on Liquid only.
    pub stated_fee: Option<Amount>,
    /// The size by which its fee is judged.
    pub size: u64,
    /// The size by which the fee of a replacement is judged.
    pub vsize: u64,
}

#[derive(Debug, Clone, Copy)]
pub struct Input {
    pub point: OutPoint,
    /// Blocks that the output it spends must have been in the chain for (BIP 68).
    pub age: u32,
}

#[derive(Debug, Clone)]
pub struct Output {
    pub script: ScriptBuf,
    /// None: confidential, and not ours to open.
    pub value: Option<Amount>,
    /// As Liquid has it.
    pub liquid: Option<elements::TxOut>,
}

pub fn decode(asset: Asset, raw: &RawTx) -> Result<Tx, String> {
    match asset {
        Asset::Btc => bitcoin_tx(raw),
        Asset::Lbtc => liquid_tx(raw),
    }
}

/// BIP 68, for locks by height; version 1 and the disabling bit have none.
fn age(version: u32, sequence: u32) -> u32 {
    if version < 2 || sequence & (1 << 31) != 0 {
        0
    } else {
        sequence & 0xffff
    }
}

fn bitcoin_tx(raw: &RawTx) -> Result<Tx, String> {
    let tx: bitcoin::Transaction = bitcoin::consensus::deserialize(&raw.0).map_err(|error| error.to_string())?;
    let size = tx.vsize() as u64;
    let input = |input: &bitcoin::TxIn| Input {
        point: OutPoint {
            txid: TxId(input.previous_output.txid),
            vout: input.previous_output.vout,
        },
        age: age(tx.version.0 as u32, input.sequence.0),
    };
    let output = |output: &bitcoin::TxOut| Output {
        script: output.script_pubkey.clone(),
        value: Some(output.value),
        liquid: None,
    };
    Ok(Tx {
        raw: raw.clone(),
        id: TxId(tx.compute_txid()),
        inputs: tx.input.iter().map(input).collect(),
        outputs: tx.output.iter().map(output).collect(),
        stated_fee: None,
        size,
        vsize: size,
    })
}

fn liquid_tx(raw: &RawTx) -> Result<Tx, String> {
    let tx: elements::Transaction = elements::encode::deserialize(&raw.0).map_err(|error| error.to_string())?;
    let input = |input: &elements::TxIn| Input {
        point: OutPoint {
            txid: TxId(bitcoin::Txid::from_byte_array(
                input.previous_output.txid.to_byte_array(),
            )),
            vout: input.previous_output.vout,
        },
        age: age(tx.version, input.sequence.0),
    };
    let output = |output: &elements::TxOut| Output {
        script: ScriptBuf::from_bytes(output.script_pubkey.to_bytes()),
        value: output.value.explicit().map(Amount::from_sat),
        liquid: Some(output.clone()),
    };
    let fee: u64 = tx
        .output
        .iter()
        .filter(|output| output.is_fee())
        .filter_map(|output| output.value.explicit())
        .sum();
    Ok(Tx {
        raw: raw.clone(),
        id: TxId(bitcoin::Txid::from_byte_array(tx.txid().to_byte_array())),
        inputs: tx.input.iter().map(input).collect(),
        outputs: tx.output.iter().map(output).collect(),
        stated_fee: Some(Amount::from_sat(fee)),
        size: tx.discount_vsize() as u64,
        vsize: tx.vsize() as u64,
    })
}

/// Whether scripts and, on Liquid, amounts let the transaction spend these outputs, which are `ages` blocks deep.
///
/// An opening is judged by its real script and the real signatures: on Bitcoin by the rules of Bitcoin Core, on Liquid
/// by an interpreter of the opcodes that it has. What else is spent are coins of the wallets, whose signatures are
/// stood in for.
pub fn judge(asset: Asset, tx: &Tx, spent: &[Output], ages: &[u32]) -> Result<(), String> {
    for (index, output) in spent.iter().enumerate() {
        if !output.script.is_p2wsh() {
            continue;
        }
        match asset {
            Asset::Btc => {
                let value = output.value.ok_or("a value of Bitcoin is always known")?;
                bitcoinconsensus::verify(output.script.as_bytes(), value.to_sat(), &tx.raw.0, None, index)
                    .map_err(|error| format!("script: {error:?}"))?;
            }
            Asset::Lbtc if index == 0 => {
                let decoded: elements::Transaction = elements::encode::deserialize(&tx.raw.0).unwrap();
                let liquid = output.liquid.as_ref().ok_or("an output of Liquid")?;
                interpreter::execute(&decoded, liquid, ages[index]).map_err(|error| format!("script: {error}"))?;
            }
            Asset::Lbtc => return Err("script: an opening is spent by the first input only".into()),
        }
    }
    match asset {
        Asset::Btc => Ok(()),
        Asset::Lbtc => judge_amounts(tx, spent),
    }
}

/// Proofs where there are any, else the sum.
fn judge_amounts(tx: &Tx, spent: &[Output]) -> Result<(), String> {
    let known = |outputs: &[Output]| outputs.iter().map(|output| output.value).sum::<Option<Amount>>();
    let confidential = |outputs: &[Output]| {
        let liquid = outputs.iter().filter_map(|output| output.liquid.as_ref());
        liquid.into_iter().any(|output| output.value.is_confidential())
    };
    if confidential(&tx.outputs) || confidential(spent) {
        let decoded: elements::Transaction = elements::encode::deserialize(&tx.raw.0).unwrap();
        let spent: Vec<elements::TxOut> = spent.iter().filter_map(|output| output.liquid.clone()).collect();
        return decoded
            .verify_tx_amt_proofs(SECP256K1, &spent)
            .map_err(|error| format!("amounts: {error:?}"));
    }
    if known(&tx.outputs) == known(spent) {
        Ok(())
    } else {
        Err(format!("amounts: {:?} become {:?}", known(spent), known(&tx.outputs)))
    }
}

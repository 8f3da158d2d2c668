//! Conservation of every asset, visible or hidden (confidential_validation.cpp, `VerifyAmounts`).

use elements::confidential::{Asset, Value};
use elements::secp256k1_zkp::{Generator, PedersenCommitment, verify_commitments_sum_to_equal};
use elements::{AssetId, Transaction, TxIn, TxOut};

use super::params::{MAX_MONEY_SAT, secp};
use crate::chain::consensus::Reject;

/// The explicit fee in this asset, in sat.
///
/// # Errors
/// A fee output of zero or beyond the money range: `bad-txns-fee-outofrange`.
pub fn fee_sat(tx: &Transaction, asset: AssetId) -> Result<u64, Reject> {
    let mut total = 0_u64;
    for output in tx.output.iter().filter(|output| output.is_fee()) {
        let fee = output.value.explicit().unwrap_or(0);
        if fee == 0 || fee > MAX_MONEY_SAT {
            return Err(Reject::new("bad-txns-fee-outofrange"));
        }
        if output.asset.explicit() == Some(asset) {
            total = total
                .checked_add(fee)
                .ok_or_else(|| Reject::new("bad-txns-fee-outofrange"))?;
        }
    }
    Ok(total)
}

/// Checks the amounts that are visible, by themselves (consensus/tx_check.cpp).
///
/// # Errors
/// One that is absent, or beyond the money range.
pub fn check_explicit_values(tx: &Transaction) -> Result<(), Reject> {
    let mut total = 0_u64;
    for output in &tx.output {
        if output.value.is_null() {
            return Err(Reject::new("bad-txns-vout-amount-invalid"));
        }
        let Some(value) = output.value.explicit() else {
            continue;
        };
        if value > i64::MAX as u64 {
            return Err(Reject::new("bad-txns-vout-negative"));
        }
        if value > MAX_MONEY_SAT {
            return Err(Reject::new("bad-txns-vout-toolarge"));
        }
        total = total.saturating_add(value);
        if total > MAX_MONEY_SAT {
            return Err(Reject::new("bad-txns-txouttotal-toolarge"));
        }
    }
    Ok(())
}

/// Checks that inputs and outputs balance in every asset and that each hidden output proves its range and its asset.
///
/// # Errors
/// Elements says `bad-txns-in-ne-out` whatever of it fails.
pub fn verify_amounts(spent: &[TxOut], tx: &Transaction) -> Result<(), Reject> {
    if balanced(spent, tx).is_some() {
        Ok(())
    } else {
        Err(Reject::with("bad-txns-in-ne-out", "value in != value out"))
    }
}

fn balanced(spent: &[TxOut], tx: &Transaction) -> Option<()> {
    let mut generators = Vec::new();
    let mut inputs = Vec::new();
    for (output, input) in spent.iter().zip(&tx.input) {
        let generator = generator(&output.asset)?;
        generators.push(generator);
        inputs.push(commitment(&output.value, generator)?);
        issued(input, &mut generators, &mut inputs)?;
    }
    let mut outputs = Vec::new();
    for output in &tx.output {
        let generator = generator(&output.asset)?;
        if output.value == Value::Explicit(0) {
            // Nothing that can be spent may be worth nothing: a token of value zero would still allow reissuance.
            output.script_pubkey.is_provably_unspendable().then_some(())?;
        } else {
            outputs.push(commitment(&output.value, generator)?);
        }
    }
    verify_commitments_sum_to_equal(secp(), &inputs, &outputs).then_some(())?;
    tx.output.iter().try_for_each(|output| proofs_hold(output, &generators))
}

fn generator(asset: &Asset) -> Option<Generator> {
    asset.into_asset_gen(secp())
}

fn commitment(value: &Value, generator: Generator) -> Option<PedersenCommitment> {
    match value {
        Value::Explicit(sat) if (1..=MAX_MONEY_SAT).contains(sat) => {
            Some(PedersenCommitment::new_unblinded(secp(), *sat, generator))
        }
        Value::Confidential(commitment) => Some(*commitment),
        Value::Explicit(_) | Value::Null => None,
    }
}

/// What an input issues adds to the inputs' side, as one or two pseudo-inputs. Only new, visible issuances are known here.
fn issued(input: &TxIn, generators: &mut Vec<Generator>, inputs: &mut Vec<PedersenCommitment>) -> Option<()> {
    if !input.has_issuance() {
        return Some(());
    }
    let issuance = &input.asset_issuance;
    issuance.asset_blinding_nonce.is_null().then_some(())?;
    let (asset, token) = input.issuance_ids();
    for (amount, id) in [(issuance.amount, asset), (issuance.inflation_keys, token)] {
        match amount {
            Value::Null => {}
            Value::Explicit(_) => {
                let generator = Generator::new_unblinded(secp(), id.into_tag());
                generators.push(generator);
                inputs.push(commitment(&amount, generator)?);
            }
            Value::Confidential(_) => return None,
        }
    }
    Some(())
}

fn proofs_hold(output: &TxOut, domain: &[Generator]) -> Option<()> {
    let generator = generator(&output.asset)?;
    let witness = &output.witness;
    match output.value {
        Value::Confidential(commitment) => {
            let proof = witness.rangeproof.as_ref()?;
            proof
                .verify(secp(), commitment, output.script_pubkey.as_bytes(), generator)
                .ok()?;
        }
        Value::Explicit(_) => witness.rangeproof.is_empty().then_some(())?,
        Value::Null => return None,
    }
    match output.asset {
        Asset::Confidential(generator) => {
            let proof = witness.surjection_proof.as_ref()?;
            proof.verify(secp(), generator, domain).then_some(())
        }
        Asset::Explicit(_) => witness.surjection_proof.is_empty().then_some(()),
        Asset::Null => None,
    }
}

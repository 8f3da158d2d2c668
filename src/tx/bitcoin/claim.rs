//! The three spends of an opening: one input, one output, and what is between them is the fee.

use bitcoin::hashes::Hash;
use bitcoin::secp256k1::Message;
use bitcoin::sighash::SighashCache;
use bitcoin::transaction::Version;
use bitcoin::{Amount, EcdsaSighashType, OutPoint, Sequence, Transaction, TxIn, TxOut, Witness, absolute};

use crate::swap::state::Claim;
use crate::tx::signing::{self, DUST_INPUT_SIZE, DUST_RATE, Signer};
use crate::tx::{ClaimRequest, TxError};
use crate::units::{Preimage, RawTx};

pub(in crate::tx) fn build(request: &ClaimRequest<'_>) -> Result<Claim, TxError> {
    let opening = super::decode(request.opening)?;
    let spec = request.spec;
    let vout = super::verify(&opening, spec)?;
    let script = signing::parse_script(request)?;
    let signer = Signer::of(request.path, &script)?;
    let mut tx = Transaction {
        version: Version::TWO,
        lock_time: absolute::LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint::new(opening.compute_txid(), vout),
            sequence: Sequence(signer.sequence(&script)),
            witness: Witness::from_slice(&signer.witness_template(spec.script.as_bytes())),
            ..TxIn::default()
        }],
        output: vec![TxOut {
            value: spec.amount,
            script_pubkey: request.payout.script.clone(),
        }],
    };
    // the witness has its final length already, and the output's value takes the same room whatever it is
    let fee = request.fee_for(super::cost(&tx, Amount::ZERO).vsize)?;
    tx.output[0].value = paid_after(fee, request)?;
    let sighash = SighashCache::new(&tx)
        .p2wsh_signature_hash(0, &spec.script, spec.amount, EcdsaSighashType::All)
        .expect("the input is there");
    let message = Message::from_digest(sighash.to_byte_array());
    tx.input[0].witness = Witness::from_slice(&signer.witness(spec.script.as_bytes(), &message));
    Ok(Claim {
        txid: super::txid(&tx),
        cost: super::cost(&tx, fee),
        tx: super::encode(&tx),
    })
}

/// What the payout gets.
fn paid_after(fee: Amount, request: &ClaimRequest<'_>) -> Result<Amount, TxError> {
    let amount = request.spec.amount;
    let script_len = u64::try_from(request.payout.script.len()).expect("a script is shorter than 2^64 bytes");
    // value 8, script's length 1
    let dust = DUST_RATE.fee(script_len.saturating_add(9 + DUST_INPUT_SIZE));
    let paid = amount.checked_sub(fee).filter(|paid| *paid >= dust);
    paid.ok_or(TxError::Dust { amount, fee, dust })
}

pub(in crate::tx) fn with_preimage(claim: &RawTx, preimage: &Preimage) -> Result<RawTx, TxError> {
    let mut tx = super::decode(claim)?;
    let witnesses: Vec<_> = tx.input.iter().map(|input| input.witness.to_vec()).collect();
    let witness = signing::put_preimage(super::txid(&tx), &witnesses, preimage)?;
    tx.input[0].witness = Witness::from_slice(&witness);
    Ok(super::encode(&tx))
}

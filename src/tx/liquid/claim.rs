//! The three spends of an opening: one input, the payout, the fee.

use bitcoin::Amount;
use elements::confidential::{Asset, AssetBlindingFactor, Nonce, Value, ValueBlindingFactor};
use elements::opcodes::all::OP_RETURN;
use elements::script::Builder;
use elements::secp256k1_zkp::{Message, PublicKey, SECP256K1, SecretKey};
use elements::sighash::SighashCache;
use elements::{
    AssetId, EcdsaSighashType, LockTime, OutPoint, RangeProof, Sequence, Transaction, TxIn, TxOut, TxOutSecrets,
    TxOutWitness, Witness,
};
use rand::{CryptoRng, RngCore};

use super::opening::{self, VerifiedOutput};
use crate::swap::state::Claim;
use crate::tx::signing::{self, DUST_INPUT_SIZE, DUST_RATE, Signer};
use crate::tx::{ClaimRequest, FeeBasis, OpeningScript, TxError};
use crate::units::{Preimage, PubKey, RawTx};

pub(in crate::tx) fn build(
    request: &ClaimRequest<'_>,
    policy_asset: AssetId,
    rng: &mut (impl RngCore + CryptoRng),
) -> Result<Claim, TxError> {
    let opening = super::decode(request.opening)?;
    let spend = Spend {
        opened: opening::verify(&opening, request.spec, policy_asset)?,
        txid: opening.txid(),
        script: signing::parse_script(request)?,
        request,
        asset: policy_asset,
    };
    let signer = Signer::of(request.path, &spend.script)?;
    // The discounted size does not depend on what is blinded, so this first fee is also the last one, except where
    // the whole size counts: only the finished proofs tell it.
    let mut fee = spend.fee_for(&spend.unblinded(Amount::ZERO, &signer)?)?;
    loop {
        let mut tx = spend.unblinded(fee, &signer)?;
        spend.blind(&mut tx, rng)?;
        let wanted = spend.fee_for(&tx)?;
        if fee >= wanted {
            spend.sign(&mut tx, &signer);
            return Ok(Claim {
                txid: super::txid(&tx),
                cost: super::cost(&tx, policy_asset),
                tx: super::encode(&tx),
            });
        }
        fee = wanted;
    }
}

/// A claim in the making.
struct Spend<'a> {
    opened: VerifiedOutput<'a>,
    txid: elements::Txid,
    script: OpeningScript,
    request: &'a ClaimRequest<'a>,
    asset: AssetId,
}

impl Spend<'_> {
    fn fee_for(&self, tx: &Transaction) -> Result<Amount, TxError> {
        let cost = super::cost(tx, self.asset);
        let size = match self.request.basis {
            FeeBasis::Discounted => cost.discount_vsize,
            FeeBasis::Full => cost.vsize,
        };
        self.request.fee_for(size)
    }

    /// The claim with explicit outputs and a witness of the final lengths.
    fn unblinded(&self, fee: Amount, signer: &Signer) -> Result<Transaction, TxError> {
        let payout = explicit(
            self.paid_after(fee)?,
            self.asset,
            super::to_elements_script(&self.request.payout.script),
        );
        let mut output = vec![payout];
        if self.needs_absorber() {
            let unspendable = Builder::new().push_opcode(OP_RETURN).into_script();
            output.push(explicit(0, self.asset, unspendable));
        }
        output.push(TxOut::new_fee(fee.to_sat(), self.asset));
        let mut input = TxIn {
            previous_output: OutPoint::new(self.txid, self.opened.vout),
            sequence: Sequence(signer.sequence(&self.script)),
            ..TxIn::default()
        };
        let template = signer.witness_template(self.request.spec.script.as_bytes());
        input.witness.script_witness = Witness::from_slice(&template);
        Ok(Transaction {
            version: 2,
            lock_time: LockTime::ZERO,
            input: vec![input],
            output,
        })
    }

    /// What the payout gets, in satoshi.
    fn paid_after(&self, fee: Amount) -> Result<u64, TxError> {
        let amount = Amount::from_sat(self.opened.secrets.value);
        let script_len = super::size(self.request.payout.script.len());
        // asset 33, value 33, nonce 33, script's length 1
        let dust = DUST_RATE.fee(script_len.saturating_add(100 + DUST_INPUT_SIZE));
        let paid = amount.checked_sub(fee).filter(|paid| *paid >= dust);
        paid.map(Amount::to_sat).ok_or(TxError::Dust { amount, fee, dust })
    }

    /// A confidential input needs a confidential output, or the commitments cannot sum up to nothing.
    fn needs_absorber(&self) -> bool {
        self.opened.output.value.is_confidential() && self.request.payout.blinding_key.is_none()
    }

    fn blind(&self, tx: &mut Transaction, rng: &mut (impl RngCore + CryptoRng)) -> Result<(), TxError> {
        let (at, blinded) = match self.request.payout.blinding_key {
            Some(key) => (0, blind_payout(&tx.output[0], key, &self.opened.secrets, rng)),
            None if self.needs_absorber() => (1, blind_absorber(&tx.output[1], &self.opened.secrets, rng)),
            None => return Ok(()),
        };
        tx.output[at] = blinded.map_err(|error| TxError::Blinding {
            amount: Amount::from_sat(self.opened.secrets.value),
            reason: error.to_string(),
        })?;
        Ok(())
    }

    fn sign(&self, tx: &mut Transaction, signer: &Signer) {
        let script = &self.request.spec.script;
        let code = super::to_elements_script(script);
        let value = self.opened.output.value;
        let sighash = SighashCache::new(&*tx).segwitv0_sighash(0, &code, value, EcdsaSighashType::All);
        let message = Message::from_digest(sighash.to_byte_array());
        let witness = signer.witness(script.as_bytes(), &message);
        tx.input[0].witness.script_witness = Witness::from_slice(&witness);
    }
}

fn explicit(sat: u64, asset: AssetId, script_pubkey: elements::Script) -> TxOut {
    TxOut {
        asset: Asset::Explicit(asset),
        value: Value::Explicit(sat),
        nonce: Nonce::Null,
        script_pubkey,
        witness: TxOutWitness::empty(),
    }
}

/// The output, confidential: 52 bits hidden, exponent 0, least value 1, as every wallet of this chain does it.
fn blind_payout(
    output: &TxOut,
    key: PubKey,
    spent: &TxOutSecrets,
    rng: &mut (impl RngCore + CryptoRng),
) -> Result<TxOut, elements::ConfidentialTxOutError> {
    let value = output.value.explicit().expect("blinded once");
    let script = output.script_pubkey.clone();
    TxOut::new_last_confidential(rng, SECP256K1, value, spent.asset, script, key, &[*spent], &[])
        .map(|(blinded, ..)| blinded)
}

/// An output without value whose commitments take up the blinding factors of the input, as Elements' own wallet adds
/// it. Nobody can spend it, so that it holds nothing is proven openly, in a short proof.
fn blind_absorber(
    output: &TxOut,
    spent: &TxOutSecrets,
    rng: &mut (impl RngCore + CryptoRng),
) -> Result<TxOut, elements::ConfidentialTxOutError> {
    let asset_bf = AssetBlindingFactor::new(rng);
    let value_bf = ValueBlindingFactor::last(SECP256K1, 0, asset_bf, &[spent.value_blind_inputs()], &[]);
    let (asset, surjection_proof) = output.asset.blind(rng, SECP256K1, asset_bf, &[*spent])?;
    let generator = asset.commitment().expect("just blinded");
    let value = Value::new_confidential(SECP256K1, 0, generator, value_bf);
    let commitment = value.commitment().expect("just blinded");
    let reader = PublicKey::from_secret_key(SECP256K1, &SecretKey::new(rng));
    let (nonce, shared) = Nonce::new_confidential(rng, SECP256K1, &reader);
    let bound_to = output.script_pubkey.as_bytes();
    let rangeproof = RangeProof::new(
        SECP256K1,
        0,
        commitment,
        0,
        value_bf.into_inner(),
        &[],
        bound_to,
        shared,
        -1,
        0,
        generator,
    )?;
    Ok(TxOut {
        asset,
        value,
        nonce,
        script_pubkey: output.script_pubkey.clone(),
        witness: TxOutWitness {
            surjection_proof,
            rangeproof,
        },
    })
}

pub(in crate::tx) fn with_preimage(claim: &RawTx, preimage: &Preimage) -> Result<RawTx, TxError> {
    let mut tx = super::decode(claim)?;
    let witnesses: Vec<_> = tx
        .input
        .iter()
        .map(|input| input.witness.script_witness.to_vec())
        .collect();
    let witness = signing::put_preimage(super::txid(&tx), &witnesses, preimage)?;
    tx.input[0].witness.script_witness = Witness::from_slice(&witness);
    Ok(super::encode(&tx))
}

//! What an opening's output really holds.

use bitcoin::Amount;
use elements::confidential::{Asset, AssetBlindingFactor, Value, ValueBlindingFactor};
use elements::secp256k1_zkp::{Generator, PedersenCommitment, SECP256K1, SecretKey};
use elements::{AssetId, RangeProofMessage, Transaction, TxOut, TxOutSecrets};

use crate::tx::{BadOpening, OpeningSpec, only_output, output_script};
use crate::units::SwapSecret;

/// An opening's output, and what its blinding key discloses.
pub(in crate::tx) struct VerifiedOutput<'a> {
    pub(in crate::tx) vout: u32,
    pub(super) output: &'a TxOut,
    pub(super) secrets: TxOutSecrets,
}

/// Finds the opening's output by its script and judges it, in the order in which the running Go taker does
/// (peerswap onchain/liquid.go:439-524 at 816a5bb).
pub(in crate::tx) fn verify<'a>(
    tx: &'a Transaction,
    spec: &OpeningSpec<'_>,
    policy_asset: AssetId,
) -> Result<VerifiedOutput<'a>, BadOpening> {
    let script = output_script(&spec.script);
    let vout = only_output(super::txid(tx), super::outputs_with(tx, &script), &script)?;
    let output = &tx.output[vout as usize];
    let secrets = match (output.asset, output.value) {
        (Asset::Explicit(asset), Value::Explicit(value)) => {
            TxOutSecrets::new(asset, AssetBlindingFactor::zero(), value, ValueBlindingFactor::zero())
        }
        (Asset::Confidential(asset), Value::Confidential(value)) => {
            Disclosure::of(vout, output, asset, value, spec.blinding_key)?.checked(vout, asset, value)?
        }
        _ => return Err(BadOpening::HalfBlinded { vout }),
    };
    if secrets.asset != policy_asset {
        return Err(BadOpening::Asset {
            vout,
            want: policy_asset,
            got: secrets.asset,
        });
    }
    if secrets.value != spec.amount.to_sat() {
        return Err(BadOpening::Value {
            vout,
            want: spec.amount,
            got: Amount::from_sat(secrets.value),
        });
    }
    Ok(VerifiedOutput { vout, output, secrets })
}

/// What the range proof of a confidential output says to the owner of the blinding key. It is the sender's word, and
/// only the commitments made again from it prove it: the message inside may name any asset (PeerSwap before
/// v5.0.1 believed it, fixed by 28e4d28).
struct Disclosure {
    asset: RangeProofMessage,
    value: u64,
    value_bf: ValueBlindingFactor,
}

impl Disclosure {
    fn of(
        vout: u32,
        output: &TxOut,
        asset: Generator,
        value: PedersenCommitment,
        blinding_key: Option<&SwapSecret>,
    ) -> Result<Self, BadOpening> {
        let unusable = |problem| BadOpening::BlindingKey { vout, problem };
        let closed = |reason: String| BadOpening::Unblindable { vout, reason };
        let key = blinding_key.ok_or_else(|| unusable("missing"))?;
        let key = SecretKey::from_slice(key.expose()).map_err(|_| unusable("not a private key"))?;
        let shared = output
            .nonce
            .shared_secret(&key)
            .ok_or_else(|| closed("it has no nonce".into()))?;
        let proof = output.witness.rangeproof.as_ref();
        let proof = proof.ok_or_else(|| closed("it has no range proof".into()))?;
        let (opened, _) = proof
            .rewind(SECP256K1, value, shared, output.script_pubkey.as_bytes(), asset)
            .map_err(|error| closed(format!("range proof: {error}")))?;
        let (id, blinder) = split_message(&opened.message).ok_or_else(|| closed("its message is short".into()))?;
        let asset_bf = AssetBlindingFactor::from_byte_array(blinder).map_err(|error| closed(error.to_string()))?;
        let value_bf = ValueBlindingFactor::from_slice(opened.blinding_factor.as_ref());
        Ok(Self {
            asset: RangeProofMessage::new(AssetId::from_byte_array(id), asset_bf),
            value: opened.value,
            value_bf: value_bf.map_err(|error| closed(error.to_string()))?,
        })
    }

    fn checked(self, vout: u32, asset: Generator, value: PedersenCommitment) -> Result<TxOutSecrets, BadOpening> {
        let disclosed = self.asset.commitment(SECP256K1);
        if disclosed != asset {
            return Err(BadOpening::AssetCommitment {
                vout,
                committed: hex::encode(asset.serialize()),
                disclosed: hex::encode(disclosed.serialize()),
            });
        }
        let disclosed = PedersenCommitment::new(SECP256K1, self.value, self.value_bf.into_inner(), asset);
        if disclosed != value {
            return Err(BadOpening::ValueCommitment {
                vout,
                committed: hex::encode(value.serialize()),
                disclosed: hex::encode(disclosed.serialize()),
            });
        }
        let (id, asset_bf) = (*self.asset.asset_id(), *self.asset.blinding_factor());
        Ok(TxOutSecrets::new(id, asset_bf, self.value, self.value_bf))
    }
}

/// Asset id and asset blinding factor, the first 64 bytes of a range proof's message.
fn split_message(message: &[u8]) -> Option<([u8; 32], [u8; 32])> {
    let (id, rest) = message.split_first_chunk::<32>()?;
    let (blinder, _) = rest.split_first_chunk::<32>()?;
    Some((*id, *blinder))
}

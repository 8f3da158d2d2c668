//! Hides outputs: a key in an output's nonce field says for whom (`blindrawtransaction`, blind.cpp).

use bitcoin::Script;
use bitcoin::hashes::{Hash, sha256, sha512};
use elements::confidential::{Asset, AssetBlindingFactor, Nonce, RangeProof, Value, ValueBlindingFactor};
use elements::opcodes::all::OP_RETURN;
use elements::script::Builder;
use elements::secp256k1_zkp::{PublicKey, SecretKey};
use elements::{RangeProofMessage, Transaction, TxOut, TxOutSecrets, TxOutWitness};
use rand::rngs::OsRng;

use super::params::{explicit_output, secp};
use crate::chain::wallet::{KeyRing, WalletError, hmac};

/// Exponent and bits of range proofs, as Elements makes them: values up to 2⁵² sat are hidden among all of these.
const RANGE_EXPONENT: i32 = 0;
const RANGE_BITS: u8 = 52;

/// What an output that hides nothing holds.
pub fn explicit_secrets(output: &TxOut) -> Option<TxOutSecrets> {
    Some(TxOutSecrets::new(
        output.asset.explicit()?,
        AssetBlindingFactor::zero(),
        output.value.explicit()?,
        ValueBlindingFactor::zero(),
    ))
}

/// Hides every output whose nonce is a key. `inputs` are the secrets of the spent outputs, in order.
///
/// A single output can only be hidden if an input is: else its factor would have to be zero. Then the key is dropped and
/// the output stays visible, as `ignoreblindfail` has it; without that an error says so.
/// Hidden inputs with nothing to hide among the outputs get a worthless hidden output to balance against.
///
/// Returns what the hidden outputs hold, by index.
///
/// # Errors
/// Texts of Elements.
pub fn blind(
    tx: &mut Transaction,
    inputs: &[TxOutSecrets],
    ignore_fail: bool,
    dummy_key: PublicKey,
) -> Result<Vec<(usize, TxOutSecrets)>, WalletError> {
    let hidden_inputs = inputs
        .iter()
        .any(|secrets| secrets.value_bf != ValueBlindingFactor::zero());
    let mut wanted = outputs_to_blind(tx);
    match (hidden_inputs, wanted.as_slice()) {
        (false, []) => return Ok(Vec::new()),
        (false, [only]) if ignore_fail => {
            tx.output[*only].nonce = Nonce::Null;
            return Ok(Vec::new());
        }
        (false, [_]) => {
            let text = "Unable to blind transaction: Add another output to blind in order to complete the blinding.";
            return Err(WalletError::InvalidParameter(text.into()));
        }
        (true, []) => wanted.push(add_dummy(tx, dummy_key)?),
        _ => {}
    }
    if wanted.iter().any(|index| !can_surject(&tx.output[*index], inputs)) {
        let text = "Unable to blind transaction: Are you sure each asset type to blind is represented in the inputs?";
        return Err(WalletError::InvalidParameter(text.into()));
    }
    blind_all(tx, inputs, &wanted)
}

fn outputs_to_blind(tx: &Transaction) -> Vec<usize> {
    let wanted = |output: &TxOut| output.nonce.is_confidential() && output.value.is_explicit();
    (0..tx.output.len())
        .filter(|index| wanted(&tx.output[*index]))
        .collect()
}

fn add_dummy(tx: &mut Transaction, key: PublicKey) -> Result<usize, WalletError> {
    let asset = tx
        .output
        .last()
        .and_then(|output| output.asset.explicit())
        .ok_or_else(|| {
            let text = "Unable to blind transaction: transaction has no outputs to balance blinded inputs against.";
            WalletError::InvalidParameter(text.into())
        })?;
    let mut dummy = explicit_output(asset, 0, Builder::new().push_opcode(OP_RETURN).into_script());
    dummy.nonce = Nonce::Confidential(key);
    tx.output.push(dummy);
    Ok(tx.output.len() - 1)
}

fn can_surject(output: &TxOut, inputs: &[TxOutSecrets]) -> bool {
    inputs
        .iter()
        .any(|secrets| output.asset == Asset::Explicit(secrets.asset))
}

fn blind_all(
    tx: &mut Transaction,
    inputs: &[TxOutSecrets],
    wanted: &[usize],
) -> Result<Vec<(usize, TxOutSecrets)>, WalletError> {
    let mut known: Vec<TxOutSecrets> = (0..tx.output.len())
        .filter(|index| !wanted.contains(index))
        .filter_map(|i| explicit_secrets(&tx.output[i]))
        .collect();
    let mut hidden = Vec::new();
    for (position, index) in wanted.iter().enumerate() {
        let output = &tx.output[*index];
        let visible = explicit_secrets(output).ok_or(WalletError::Blinding)?;
        let asset_bf = AssetBlindingFactor::new(&mut OsRng);
        // The last factor is whatever makes the sums equal.
        let value_bf = if position + 1 == wanted.len() {
            let side = |all: &[TxOutSecrets]| all.iter().map(TxOutSecrets::value_blind_inputs).collect::<Vec<_>>();
            ValueBlindingFactor::last(secp(), visible.value, asset_bf, &side(inputs), &side(&known))
        } else {
            ValueBlindingFactor::new(&mut OsRng)
        };
        let secrets = TxOutSecrets::new(visible.asset, asset_bf, visible.value, value_bf);
        tx.output[*index] = hide(output, secrets, inputs)?;
        known.push(secrets);
        hidden.push((*index, secrets));
    }
    Ok(hidden)
}

/// The output with commitments and proofs in place of what it showed.
fn hide(output: &TxOut, secrets: TxOutSecrets, inputs: &[TxOutSecrets]) -> Result<TxOut, WalletError> {
    let receiver = output.nonce.commitment().ok_or(WalletError::Blinding)?;
    let script_pubkey = output.script_pubkey.clone();
    let (asset, surjection_proof) = Asset::Explicit(secrets.asset)
        .blind(&mut OsRng, secp(), secrets.asset_bf, inputs)
        .map_err(|_| WalletError::Blinding)?;
    let message = RangeProofMessage::new(secrets.asset, secrets.asset_bf);
    let generator = message.commitment(secp());
    let value = Value::new_confidential(secp(), secrets.value, generator, secrets.value_bf);
    let (nonce, shared_secret) = Nonce::with_ephemeral_sk(secp(), SecretKey::new(&mut OsRng), &receiver);
    // A worthless output can only prove to be at least zero.
    let least = u64::from(!script_pubkey.is_provably_unspendable());
    let rangeproof = RangeProof::new(
        secp(),
        least,
        value.commitment().ok_or(WalletError::Blinding)?,
        secrets.value,
        secrets.value_bf.into_inner(),
        &message.to_byte_array(),
        script_pubkey.as_bytes(),
        shared_secret,
        RANGE_EXPONENT,
        RANGE_BITS,
        generator,
    )
    .map_err(|_| WalletError::Blinding)?;
    Ok(TxOut {
        asset,
        value,
        nonce,
        script_pubkey,
        witness: TxOutWitness {
            surjection_proof,
            rangeproof,
        },
    })
}

/// What an output holds, if this key hides it or nothing does.
pub fn open(output: &TxOut, key: SecretKey) -> Option<TxOutSecrets> {
    explicit_secrets(output).or_else(|| output.unblind(secp(), key).ok())
}

/// The key that hides outputs to this script: HMAC-SHA256 of the script (SLIP-77).
pub fn blinding_secret(keys: &KeyRing, script: &Script) -> SecretKey {
    let digest = hmac::<sha256::Hash>(&slip77_master(keys.seed()), script.as_bytes());
    SecretKey::from_slice(digest.as_byte_array()).expect("a digest is a key but with probability 2^-128")
}

/// The public half of [`blinding_secret`].
pub fn blinding_public(keys: &KeyRing, script: &Script) -> PublicKey {
    PublicKey::from_secret_key(secp(), &blinding_secret(keys, script))
}

/// SLIP-21 node `SLIP-0077` under the seed, its second half.
fn slip77_master(seed: &[u8; 32]) -> [u8; 32] {
    let root = hmac::<sha512::Hash>(b"Symmetric key seed", seed);
    let (chain_code, _) = root.as_byte_array().split_at(32);
    let node = hmac::<sha512::Hash>(chain_code, b"\0SLIP-0077");
    let (_, key) = node.as_byte_array().split_at(32);
    key.try_into().expect("half of 64 bytes")
}

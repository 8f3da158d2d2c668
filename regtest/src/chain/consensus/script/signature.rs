//! Encodings of keys and signatures, and the check itself.

use bitcoin::secp256k1::{Message, PublicKey, SECP256K1, ecdsa::Signature};
use bitcoin::{EcdsaSighashType, Script};

use super::{InputContext, Rules, ScriptError};

/// Checks one signature (script/interpreter.cpp, `EvalChecksigPreTapscript`). An empty or wrong signature is `false`.
///
/// # Errors
/// Encodings that the rules forbid; under the standard rules also a wrong signature that is not empty.
pub fn check(sig: &[u8], key: &[u8], code: &Script, context: &InputContext<'_>) -> Result<bool, ScriptError> {
    check_encoding(sig, context.rules)?;
    check_key(key, context.rules)?;
    let good = is_valid(sig, key, code, context);
    if !good && !sig.is_empty() && context.rules == Rules::Standard {
        return Err(ScriptError::SigNullFail);
    }
    Ok(good)
}

/// Whether the signature is by that key over this input. Anything malformed is not.
pub fn is_valid(sig: &[u8], key: &[u8], code: &Script, context: &InputContext<'_>) -> bool {
    let Some((hash_type, der)) = sig.split_last() else {
        return false;
    };
    if EcdsaSighashType::from_standard(u32::from(*hash_type)).is_err() {
        return false;
    }
    let (Ok(key), Ok(mut signature)) = (PublicKey::from_slice(key), Signature::from_der_lax(der)) else {
        return false;
    };
    // The curve library verifies low S alone; a high one is the same signature, refused by the standard rules already.
    signature.normalize_s();
    let message = Message::from_digest((context.sighash)(code, *hash_type));
    SECP256K1.verify_ecdsa(&message, &signature, &key).is_ok()
}

/// Strict DER always; low S and a known hash type under the standard rules.
pub fn check_encoding(sig: &[u8], rules: Rules) -> Result<(), ScriptError> {
    if sig.is_empty() {
        return Ok(());
    }
    if !is_strict_der(sig) {
        return Err(ScriptError::SigDer);
    }
    if rules == Rules::Mandatory {
        return Ok(());
    }
    let (hash_type, der) = sig.split_last().ok_or(ScriptError::SigDer)?;
    let signature = Signature::from_der(der).map_err(|_| ScriptError::SigDer)?;
    let mut low = signature;
    low.normalize_s();
    if low != signature {
        return Err(ScriptError::SigHighS);
    }
    EcdsaSighashType::from_standard(u32::from(*hash_type))
        .map(drop)
        .map_err(|_| ScriptError::SigHashtype)
}

/// Keys in witness scripts are compressed (standard rule).
pub fn check_key(key: &[u8], rules: Rules) -> Result<(), ScriptError> {
    if rules == Rules::Mandatory {
        return Ok(());
    }
    match (key.len(), key.first()) {
        (33, Some(2 | 3)) => Ok(()),
        (65, Some(4)) => Err(ScriptError::WitnessPubkeyType),
        _ => Err(ScriptError::PubkeyType),
    }
}

/// BIP 66: `30 total 02 len R 02 len S hashtype`, integers positive and without needless zeros.
fn is_strict_der(sig: &[u8]) -> bool {
    if !(9..=73).contains(&sig.len()) || sig[0] != 0x30 || usize::from(sig[1]) != sig.len() - 3 {
        return false;
    }
    let len_r = usize::from(sig[3]);
    if 5 + len_r >= sig.len() {
        return false;
    }
    let len_s = usize::from(sig[5 + len_r]);
    len_r + len_s + 7 == sig.len()
        && is_der_integer(&sig[2..4 + len_r])
        && is_der_integer(&sig[4 + len_r..6 + len_r + len_s])
}

/// `field` is tag, length, bytes.
fn is_der_integer(field: &[u8]) -> bool {
    match field {
        [0x02, _, digits @ ..] => match digits {
            [] => false,
            [first, ..] if first & 0x80 != 0 => false,
            [0, second, ..] => second & 0x80 != 0,
            _ => true,
        },
        _ => false,
    }
}

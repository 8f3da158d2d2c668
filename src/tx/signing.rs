//! What the claims of both chains have in common: their keys, their witness, the place of the preimage.

use bitcoin::secp256k1::{Message, PublicKey, SECP256K1, SecretKey};

use super::{ClaimPath, ClaimRequest, OpeningScript, TxError};
use crate::swap::event::SpendPath;
use crate::units::{FeeRate, Preimage, PubKey, SwapSecret, TxId};

/// Every signature is made until it has this length: a low R and a full S, DER, and the sighash byte. The size of a
/// claim is then known before it is signed, and its fee exact.
const SIGNATURE_LEN: usize = 71;
/// Where the preimage will be. No signature covers the witness.
const PREIMAGE_SLOT: [u8; 32] = [0; 32];
/// The rate at which Bitcoin's nodes judge an output too small to be spent (Bitcoin Core, src/policy/policy.h,
/// `DUST_RELAY_TX_FEE`). Elements' default is 100, and it does not ask it of confidential outputs; who stays above
/// this is above every node's.
pub(super) const DUST_RATE: FeeRate = FeeRate(3000);
/// Bytes of an input that spends a witness output, by the same rule (src/policy/policy.cpp, `GetDustThreshold`).
pub(super) const DUST_INPUT_SIZE: u64 = 67;

/// The opening script of a request.
pub(super) fn parse_script(request: &ClaimRequest<'_>) -> Result<OpeningScript, TxError> {
    let script = &request.spec.script;
    OpeningScript::parse(script).ok_or(TxError::NotOpeningScript { len: script.len() })
}

/// A path's keys, proven to be those of the script.
pub(super) enum Signer {
    Preimage { taker: SecretKey },
    Coop { maker: SecretKey, taker: SecretKey },
    Csv { maker: SecretKey },
}

impl Signer {
    pub(super) fn of(path: ClaimPath<'_>, script: &OpeningScript) -> Result<Self, TxError> {
        let maker = |secret| signing_key("maker", secret, &script.maker);
        let taker = |secret| signing_key("taker", secret, &script.taker);
        Ok(match path {
            ClaimPath::Preimage { taker_key } => Signer::Preimage {
                taker: taker(taker_key)?,
            },
            ClaimPath::Coop { maker_key, taker_key } => Signer::Coop {
                maker: maker(maker_key)?,
                taker: taker(taker_key)?,
            },
            ClaimPath::Csv { maker_key } => Signer::Csv {
                maker: maker(maker_key)?,
            },
        })
    }

    /// The sequence of the input (BIP 68): only a refund waits.
    pub(super) fn sequence(&self, script: &OpeningScript) -> u32 {
        match self {
            Signer::Preimage { .. } | Signer::Coop { .. } => 0,
            Signer::Csv { .. } => script.refund_sequence(),
        }
    }

    /// The witness, bottom to top (peerswap onchain/utils.go:53-81 at 816a5bb).
    pub(super) fn witness(&self, script: &[u8], message: &Message) -> Vec<Vec<u8>> {
        self.stack(script, |key| fixed_length_signature(message, key))
    }

    /// A witness of the same lengths, for what must be known before there is anything to sign.
    pub(super) fn witness_template(&self, script: &[u8]) -> Vec<Vec<u8>> {
        self.stack(script, |_| vec![0; SIGNATURE_LEN])
    }

    fn stack(&self, script: &[u8], sign: impl Fn(&SecretKey) -> Vec<u8>) -> Vec<Vec<u8>> {
        let mut stack = match self {
            Signer::Preimage { taker } => vec![sign(taker), PREIMAGE_SLOT.to_vec(), vec![], vec![]],
            Signer::Coop { maker, taker } => vec![sign(taker), sign(maker), vec![]],
            Signer::Csv { maker } => vec![sign(maker)],
        };
        stack.push(script.to_vec());
        stack
    }
}

fn signing_key(side: &'static str, secret: &SwapSecret, want: &PubKey) -> Result<SecretKey, TxError> {
    let key = SecretKey::from_slice(secret.expose()).map_err(|_| TxError::InvalidKey { side })?;
    let got = PublicKey::from_secret_key(SECP256K1, &key);
    if got == *want {
        Ok(key)
    } else {
        Err(TxError::WrongKey {
            side,
            want: Box::new(*want),
            got: Box::new(got),
        })
    }
}

/// A deterministic signature (RFC 6979, then with a counter as extra data, as Bitcoin Core grinds for a low R) of
/// [`SIGNATURE_LEN`] bytes; every second attempt is one.
fn fixed_length_signature(message: &Message, key: &SecretKey) -> Vec<u8> {
    let mut signature = SECP256K1.sign_ecdsa(message, key).serialize_der();
    let mut counter = 0_u32;
    while signature.len() != SIGNATURE_LEN - 1 {
        counter = counter.wrapping_add(1);
        let mut extra = [0; 32];
        extra[..4].copy_from_slice(&counter.to_le_bytes());
        signature = SECP256K1
            .sign_ecdsa_with_noncedata(message, key, &extra)
            .serialize_der();
    }
    let mut element = signature.to_vec();
    element.push(0x01); // SIGHASH_ALL
    element
}

/// The witnesses of a claim's inputs with the preimage in its place. Only a claim of one input has one.
pub(super) fn put_preimage(
    txid: TxId,
    witnesses: &[Vec<Vec<u8>>],
    preimage: &Preimage,
) -> Result<Vec<Vec<u8>>, TxError> {
    let no_slot = TxError::NoPreimageSlot { txid };
    let [witness] = witnesses else {
        return Err(no_slot);
    };
    let mut stack = witness.clone();
    let [_, slot, _, _, script] = &mut stack[..] else {
        return Err(no_slot);
    };
    let Some(script) = OpeningScript::parse(bitcoin::Script::from_bytes(script)) else {
        return Err(no_slot);
    };
    if script.hash != preimage.hash() {
        return Err(TxError::WrongPreimage {
            want: script.hash,
            got: preimage.hash(),
        });
    }
    if slot[..] != PREIMAGE_SLOT && slot[..] != preimage.expose()[..] {
        return Err(no_slot);
    }
    *slot = preimage.expose().to_vec();
    Ok(stack)
}

/// Which path a witness takes, and the preimage where it shows one. The witness of a version 0 output must leave
/// exactly one element, so its length tells the path whatever its elements are: a miner may put a wrong signature
/// where we leave an empty one.
pub(super) fn path_of(witness: &[Vec<u8>]) -> Option<(SpendPath, Option<Preimage>)> {
    match witness {
        [_taker_sig, preimage, _, _, _script] => {
            let preimage = <[u8; 32]>::try_from(&preimage[..]).ok()?;
            Some((SpendPath::Preimage, Some(Preimage::from_bytes(preimage))))
        }
        [_taker_sig, _maker_sig, _, _script] => Some((SpendPath::Coop, None)),
        [_maker_sig, _script] => Some((SpendPath::Csv, None)),
        _ => None,
    }
}

/// Whether every one of a spend's spendable outputs, and at least one, is the payout's. One such output among others
/// would not do: anyone who can spend the opening could add a crumb for us.
pub(super) fn pays_only<'a>(mut outputs: impl Iterator<Item = &'a [u8]>, payout_script: &bitcoin::Script) -> bool {
    let ours = |script: &[u8]| script == payout_script.as_bytes();
    outputs.next().is_some_and(ours) && outputs.all(ours)
}

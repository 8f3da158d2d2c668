//! Signs the inputs that the wallet owns.

use bitcoin::EcdsaSighashType;
use bitcoin::secp256k1::{Message, SECP256K1};

use super::super::Ledger;
use super::super::consensus::script::{Rules, key_hash_code, verify_input};
use super::Wallet;

/// The outcome of signing.
pub struct Signed<L: Ledger> {
    /// The transaction with what could be signed.
    pub tx: L::Transaction,
    /// Inputs that are not valid yet.
    pub failures: Vec<SignFailure<L>>,
}

/// An input that could not be signed.
pub struct SignFailure<L: Ledger> {
    /// What it spends.
    pub outpoint: L::OutPoint,
    /// Its index.
    pub index: usize,
    /// Why, in the daemon's words.
    pub error: String,
}

impl<L: Ledger> Wallet<L> {
    /// Signs what is ours; `outputs` finds the spent outputs of all inputs.
    pub fn sign(&self, mut tx: L::Transaction, outputs: impl Fn(&L::OutPoint) -> Option<L::TxOut>) -> Signed<L> {
        let mut failures = Vec::new();
        let spends: Vec<L::OutPoint> = L::inputs(&tx).iter().map(|input| input.previous).collect();
        for (index, outpoint) in spends.into_iter().enumerate() {
            let Some(output) = outputs(&outpoint) else {
                failures.push(SignFailure {
                    outpoint,
                    index,
                    error: "Input not found or already spent".into(),
                });
                continue;
            };
            self.sign_input(&mut tx, index, &output);
            if let Err(error) = verify_input::<L>(&tx, index, &output, Rules::Standard) {
                let unsigned = L::inputs(&tx)[index].witness.is_empty();
                let error = if unsigned {
                    "Unable to sign input, invalid stack size (possibly missing key)".into()
                } else {
                    error.to_string()
                };
                failures.push(SignFailure { outpoint, index, error });
            }
        }
        Signed { tx, failures }
    }

    fn sign_input(&self, tx: &mut L::Transaction, index: usize, output: &L::TxOut) {
        let Some(path) = self.path(L::script(output)) else {
            return;
        };
        let key = self.keys().secret(path);
        let public = self.keys().public(path).serialize();
        let code = key_hash_code(&L::script(output).as_bytes()[2..]);
        let hash_type = EcdsaSighashType::All as u8;
        let digest = L::sighash(tx, index, &code, output, hash_type);
        // Low R makes every signature 71 bytes with its hash type, so that fees are exact.
        let signature = SECP256K1.sign_ecdsa_low_r(&Message::from_digest(digest), &key);
        let mut encoded = signature.serialize_der().to_vec();
        encoded.push(hash_type);
        L::set_witness(tx, index, vec![encoded, public.to_vec()]);
    }
}

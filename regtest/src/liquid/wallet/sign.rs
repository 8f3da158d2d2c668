//! Signs the inputs that the wallet owns.

use elements::opcodes::all;
use elements::script::Builder;
use elements::secp256k1_zkp::Message;
use elements::sighash::SighashCache;
use elements::{EcdsaSighashType, OutPoint, Script, Transaction, TxOut};

use super::super::consensus::script::{Rules, verify_input};
use super::super::params::secp;
use super::Wallet;

/// The outcome of signing.
pub struct Signed {
    /// The transaction with what could be signed.
    pub tx: Transaction,
    /// Inputs that are not valid yet.
    pub failures: Vec<SignFailure>,
}

/// An input that could not be signed.
pub struct SignFailure {
    /// What it spends.
    pub outpoint: OutPoint,
    /// Its index.
    pub index: usize,
    /// Why, in Elements' words.
    pub error: String,
}

impl Wallet {
    /// Signs what is ours; `outputs` finds the spent outputs of all inputs.
    pub fn sign(&self, mut tx: Transaction, outputs: impl Fn(&OutPoint) -> Option<TxOut>) -> Signed {
        let mut failures = Vec::new();
        for index in 0..tx.input.len() {
            let outpoint = tx.input[index].previous_output;
            let Some(output) = outputs(&outpoint) else {
                failures.push(SignFailure {
                    outpoint,
                    index,
                    error: "Input not found or already spent".into(),
                });
                continue;
            };
            self.sign_input(&mut tx, index, &output);
            if let Err(error) = verify_input(&tx, index, &output, Rules::Standard) {
                let unsigned = tx.input[index].witness.script_witness.is_empty();
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

    fn sign_input(&self, tx: &mut Transaction, index: usize, output: &TxOut) {
        let Some(path) = self.path(&output.script_pubkey) else {
            return;
        };
        let key = self.keys().secret(path);
        let public = self.keys().public(path).serialize();
        let code = p2pkh_code(&output.script_pubkey);
        let digest = SighashCache::new(&*tx).segwitv0_sighash(index, &code, output.value, EcdsaSighashType::All);
        // Low R makes every signature 71 bytes with its hash type, so that fees are exact.
        let signature = secp().sign_ecdsa_low_r(&Message::from_digest(digest.to_byte_array()), &key);
        let mut encoded = signature.serialize_der().to_vec();
        encoded.push(EcdsaSighashType::All as u8);
        tx.input[index].witness.script_witness = vec![encoded, public.to_vec()].into();
    }
}

/// What a P2WPKH signature commits to as its script: the P2PKH script of the same hash (BIP 143).
fn p2pkh_code(program: &Script) -> Script {
    Builder::new()
        .push_opcode(all::OP_DUP)
        .push_opcode(all::OP_HASH160)
        .push_slice(&program.as_bytes()[2..])
        .push_opcode(all::OP_EQUALVERIFY)
        .push_opcode(all::OP_CHECKSIG)
        .into_script()
}

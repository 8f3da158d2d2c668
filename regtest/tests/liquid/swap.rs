//! A swap's opening and its spends, built here from rust-elements alone: what the chain must accept, and broken on purpose
//! what it must refuse.

#![allow(dead_code, reason = "each test file uses its part")]

use bitcoin::hashes::{Hash, sha256};
use elements::confidential::{AssetBlindingFactor, Nonce, ValueBlindingFactor};
use elements::encode::{deserialize, serialize_hex};
use elements::opcodes::all;
use elements::script::Builder;
use elements::secp256k1_zkp::{Keypair, Message, PublicKey, Secp256k1, SecretKey};
use elements::sighash::SighashCache;
use elements::{
    Address, AddressParams, AssetId, EcdsaSighashType, LockTime, OutPoint, Script, Sequence, Transaction, TxIn, TxOut,
    TxOutSecrets,
};
use rand::rngs::OsRng;
use serde_json::json;

use crate::client::Client;

pub const PREIMAGE: [u8; 32] = [9; 32];

pub fn policy_asset() -> AssetId {
    "5ac9f65c0efcc4775e0baec4ec03abdde22473cd3cf33c0419ca290e0751b225"
        .parse()
        .unwrap()
}

fn key(byte: u8) -> Keypair {
    Keypair::from_secret_key(&Secp256k1::new(), &SecretKey::from_slice(&[byte; 32]).unwrap())
}

pub fn maker() -> Keypair {
    key(1)
}

pub fn taker() -> Keypair {
    key(2)
}

/// The script of an opening output (protocol.md §3.1).
pub fn opening_script(csv: i64) -> Script {
    let (maker, taker) = (maker().public_key().serialize(), taker().public_key().serialize());
    let hash = sha256::Hash::hash(&PREIMAGE).to_byte_array();
    let branch = |builder: Builder| {
        builder
            .push_slice(&maker)
            .push_opcode(all::OP_CHECKSIG)
            .push_opcode(all::OP_NOTIF)
    };
    branch(branch(Builder::new()))
        .push_opcode(all::OP_SIZE)
        .push_slice(&[32])
        .push_opcode(all::OP_EQUALVERIFY)
        .push_opcode(all::OP_SHA256)
        .push_slice(&hash)
        .push_opcode(all::OP_EQUALVERIFY)
        .push_opcode(all::OP_ENDIF)
        .push_slice(&taker)
        .push_opcode(all::OP_CHECKSIG)
        .push_opcode(all::OP_ELSE)
        .push_int(csv)
        .push_opcode(all::OP_CSV)
        .push_opcode(all::OP_ENDIF)
        .into_script()
}

/// An opening that is in the mempool or in a block.
pub struct Opening {
    pub outpoint: OutPoint,
    pub output: TxOut,
    pub secrets: TxOutSecrets,
    pub script: Script,
}

impl Opening {
    /// Pays 0.01 L-BTC, hidden, into the script.
    pub async fn fund(wallet: &Client, csv: i64) -> Self {
        let script = opening_script(csv);
        let blinding = key(3);
        let address = Address::p2wsh(&script, Some(blinding.public_key()), &AddressParams::ELEMENTS);
        let txid = wallet.text("sendtoaddress", json!([address.to_string(), "0.01"])).await;
        let raw = wallet.text("getrawtransaction", json!([txid])).await;
        let tx: Transaction = deserialize(&hex::decode(raw).unwrap()).unwrap();
        let program = script.to_v0_p2wsh();
        let vout = tx
            .output
            .iter()
            .position(|output| output.script_pubkey == program)
            .unwrap();
        let output = tx.output[vout].clone();
        let secrets = output.unblind(&Secp256k1::new(), blinding.secret_key()).unwrap();
        Self {
            outpoint: OutPoint::new(tx.txid(), vout as u32),
            output,
            secrets,
            script,
        }
    }

    /// A spend, not signed yet, that pays everything but the fee to one hidden output.
    pub fn spend(&self, sequence: u32, fee_sat: u64) -> Transaction {
        self.spend_with(sequence, fee_sat, self.secrets.value - fee_sat)
    }

    /// As [`Opening::spend`], whatever the output claims to hold.
    pub fn spend_with(&self, sequence: u32, fee_sat: u64, value: u64) -> Transaction {
        let secp = Secp256k1::new();
        let asset_bf = AssetBlindingFactor::new(&mut OsRng);
        let inputs = [self.secrets.value_blind_inputs()];
        let fee = (fee_sat, AssetBlindingFactor::zero(), ValueBlindingFactor::zero());
        let value_bf = ValueBlindingFactor::last(&secp, value, asset_bf, &inputs, &[fee]);
        let secrets = TxOutSecrets::new(self.secrets.asset, asset_bf, value, value_bf);
        let receiver: PublicKey = key(4).public_key();
        let script = Address::p2wpkh(
            &bitcoin::PublicKey::new(
                bitcoin::secp256k1::PublicKey::from_slice(&key(5).public_key().serialize()).unwrap(),
            ),
            None,
            &AddressParams::ELEMENTS,
        )
        .script_pubkey();
        let output = TxOut::with_txout_secrets(
            &mut OsRng,
            &secp,
            script,
            receiver,
            SecretKey::new(&mut OsRng),
            secrets,
            &[self.secrets],
        )
        .unwrap();
        Transaction {
            version: 2,
            lock_time: LockTime::ZERO,
            input: vec![TxIn {
                previous_output: self.outpoint,
                sequence: Sequence(sequence),
                ..TxIn::default()
            }],
            output: vec![output, TxOut::new_fee(fee_sat, self.secrets.asset)],
        }
    }

    /// A signature over the spend, with its hash type.
    pub fn sign(&self, tx: &Transaction, key: &Keypair) -> Vec<u8> {
        let digest = SighashCache::new(tx).segwitv0_sighash(0, &self.script, self.output.value, EcdsaSighashType::All);
        let signature = Secp256k1::new().sign_ecdsa(&Message::from_digest(digest.to_byte_array()), &key.secret_key());
        let mut bytes = signature.serialize_der().to_vec();
        bytes.push(EcdsaSighashType::All as u8);
        bytes
    }

    /// Puts these items and the script into the witness.
    pub fn witness(&self, tx: &mut Transaction, mut items: Vec<Vec<u8>>) {
        items.push(self.script.to_bytes());
        tx.input[0].witness.script_witness = items.into();
    }

    /// The taker's claim with the preimage.
    pub fn claim(&self, fee_sat: u64) -> Transaction {
        let mut tx = self.spend(0, fee_sat);
        let signature = self.sign(&tx, &taker());
        self.witness(&mut tx, vec![signature, PREIMAGE.to_vec(), vec![], vec![]]);
        tx
    }

    /// The maker's refund after the delay.
    pub fn refund(&self, sequence: u32, fee_sat: u64) -> Transaction {
        let mut tx = self.spend(sequence, fee_sat);
        let signature = self.sign(&tx, &maker());
        self.witness(&mut tx, vec![signature]);
        tx
    }

    /// The cooperative close, with both keys.
    pub fn cooperative(&self, fee_sat: u64) -> Transaction {
        let mut tx = self.spend(0, fee_sat);
        let (ours, theirs) = (self.sign(&tx, &taker()), self.sign(&tx, &maker()));
        self.witness(&mut tx, vec![ours, theirs, vec![]]);
        tx
    }
}

/// Sends a transaction; the error is code and text.
pub async fn send(client: &Client, tx: &Transaction) -> Result<String, (i64, String)> {
    let sent = client
        .try_call("sendrawtransaction", json!([serialize_hex(tx), 0]))
        .await;
    sent.map(|txid| txid.as_str().unwrap().to_owned())
}

/// Sends a transaction that must be refused, and returns code and text.
pub async fn refusal(client: &Client, tx: &Transaction) -> (i64, String) {
    send(client, tx).await.expect_err("the transaction was accepted")
}

/// Nothing of a nonce is left where nothing is hidden.
pub fn visible(sat: u64, script: Script) -> TxOut {
    TxOut {
        nonce: Nonce::Null,
        script_pubkey: script,
        ..TxOut::new_fee(sat, policy_asset())
    }
}

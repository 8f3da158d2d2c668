//! A swap's opening and its spends, built here from rust-bitcoin alone: what the chain must accept, and broken on purpose
//! what it must refuse.

#![allow(dead_code, reason = "each test file uses its part")]

use bitcoin::absolute::LockTime;
use bitcoin::consensus::encode::{deserialize_hex, serialize_hex};
use bitcoin::hashes::{Hash, sha256};
use bitcoin::opcodes::all;
use bitcoin::script::{Builder, ScriptBuf};
use bitcoin::secp256k1::{Keypair, Message, Secp256k1, SecretKey};
use bitcoin::sighash::SighashCache;
use bitcoin::transaction::Version;
use bitcoin::{
    Address, Amount, CompressedPublicKey, EcdsaSighashType, Network, OutPoint, Sequence, Transaction, TxIn, TxOut,
    Witness,
};
use serde_json::json;

use crate::client::Client;

pub const PREIMAGE: [u8; 32] = [9; 32];

fn key(byte: u8) -> Keypair {
    Keypair::from_secret_key(&Secp256k1::new(), &SecretKey::from_slice(&[byte; 32]).unwrap())
}

pub fn maker() -> Keypair {
    key(1)
}

pub fn taker() -> Keypair {
    key(2)
}

/// An output's script that belongs to nobody here.
pub fn payout() -> ScriptBuf {
    ScriptBuf::new_p2wpkh(&CompressedPublicKey(key(5).public_key()).wpubkey_hash())
}

/// The script of an opening output (protocol.md §3.1).
pub fn opening_script(csv: i64) -> ScriptBuf {
    let (maker, taker) = (maker().public_key().serialize(), taker().public_key().serialize());
    let hash = sha256::Hash::hash(&PREIMAGE).to_byte_array();
    let branch = |builder: Builder| {
        builder
            .push_slice(maker)
            .push_opcode(all::OP_CHECKSIG)
            .push_opcode(all::OP_NOTIF)
    };
    branch(branch(Builder::new()))
        .push_opcode(all::OP_SIZE)
        .push_slice([32])
        .push_opcode(all::OP_EQUALVERIFY)
        .push_opcode(all::OP_SHA256)
        .push_slice(hash)
        .push_opcode(all::OP_EQUALVERIFY)
        .push_opcode(all::OP_ENDIF)
        .push_slice(taker)
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
    pub script: ScriptBuf,
}

impl Opening {
    /// Pays 0.01 BTC into the script.
    pub async fn fund(wallet: &Client, csv: i64) -> Self {
        Self::fund_script(wallet, opening_script(csv)).await
    }

    /// Pays 0.01 BTC into the hash of any script.
    pub async fn fund_script(wallet: &Client, script: ScriptBuf) -> Self {
        let address = Address::p2wsh(&script, Network::Regtest);
        let txid = wallet.text("sendtoaddress", json!([address.to_string(), "0.01"])).await;
        let kept = wallet.call("gettransaction", json!([txid])).await;
        // Again: a wallet keeps to itself that its node, under load, has not taken a payment.
        wallet.text("sendrawtransaction", json!([kept["hex"]])).await;
        let tx: Transaction = deserialize_hex(kept["hex"].as_str().unwrap()).unwrap();
        let program = script.to_p2wsh();
        let vout = tx
            .output
            .iter()
            .position(|output| output.script_pubkey == program)
            .unwrap();
        Self {
            outpoint: OutPoint::new(tx.compute_txid(), vout as u32),
            output: tx.output[vout].clone(),
            script,
        }
    }

    /// A spend, not signed yet, that pays everything but the fee to one output.
    pub fn spend(&self, sequence: u32, fee_sat: u64) -> Transaction {
        Transaction {
            version: Version::TWO,
            lock_time: LockTime::ZERO,
            input: vec![TxIn {
                previous_output: self.outpoint,
                sequence: Sequence(sequence),
                ..TxIn::default()
            }],
            output: vec![TxOut {
                value: self.output.value - Amount::from_sat(fee_sat),
                script_pubkey: payout(),
            }],
        }
    }

    /// A signature over the spend, with its hash type.
    pub fn sign(&self, tx: &Transaction, key: &Keypair) -> Vec<u8> {
        let digest = SighashCache::new(tx)
            .p2wsh_signature_hash(0, &self.script, self.output.value, EcdsaSighashType::All)
            .unwrap();
        let message = Message::from_digest(digest.to_byte_array());
        let signature = Secp256k1::new().sign_ecdsa(&message, &key.secret_key());
        let mut bytes = signature.serialize_der().to_vec();
        bytes.push(EcdsaSighashType::All as u8);
        bytes
    }

    /// Puts these items and the script into the witness.
    pub fn witness(&self, tx: &mut Transaction, mut items: Vec<Vec<u8>>) {
        items.push(self.script.to_bytes());
        tx.input[0].witness = Witness::from_slice(&items);
    }

    /// The taker's claim with the preimage.
    pub fn claim(&self, fee_sat: u64) -> Transaction {
        let mut tx = self.spend(0, fee_sat);
        self.sign_claim(&mut tx);
        tx
    }

    /// Signs a claim again after a change.
    pub fn sign_claim(&self, tx: &mut Transaction) {
        let signature = self.sign(tx, &taker());
        self.witness(tx, vec![signature, PREIMAGE.to_vec(), vec![], vec![]]);
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

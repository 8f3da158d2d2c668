//! What makes a chain a Liquid chain.

use std::collections::HashMap;

use bitcoin::Script;
use elements::confidential::{Nonce, Value};
use elements::encode::{deserialize, serialize};
use elements::secp256k1_zkp::{PublicKey, SecretKey};
use elements::sighash::SighashCache;
use elements::{
    Address, AssetId, Block, BlockHash, EcdsaSighashType, LockTime, OutPoint, Sequence, Transaction, TxIn, TxOut,
    TxOutSecrets, TxOutWitness, Txid, Wtxid, confidential,
};

use super::params::{self, ADDRESS_PARAMS, explicit_output, op_true, policy_asset};
use super::{Release, amounts, blinding, template};
use crate::chain::consensus::{Coin, Reject};
use crate::chain::ledger::{Input, Ledger, Place};
use crate::chain::wallet::{KeyRing, Wallet, WalletError};

/// The ledger of Elements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Elements;

/// What outputs hold that a wallet hid for others, by commitment.
#[derive(Clone, Debug, Default)]
pub struct HiddenOutputs(HashMap<Value, TxOutSecrets>);

/// A script to pay, and the key to hide the output with.
pub type Recipient = (elements::Script, Nonce);

/// A script as elements has it.
pub fn elements_script(script: &Script) -> elements::Script {
    elements::Script::from(script.to_bytes())
}

/// A script as all chains have it.
pub fn plain_script(script: &elements::Script) -> &Script {
    Script::from_bytes(script.as_bytes())
}

impl Ledger for Elements {
    type Txid = Txid;
    type Wtxid = Wtxid;
    type BlockHash = BlockHash;
    type OutPoint = OutPoint;
    type Transaction = Transaction;
    type TxOut = TxOut;
    type Block = Block;
    type Address = Address;
    type Asset = AssetId;
    type Contents = TxOutSecrets;
    type Recipient = Recipient;
    type Made = HiddenOutputs;
    type Release = Release;

    const MIN_RELAY_FEE_RATE: u64 = params::MIN_RELAY_FEE_RATE;
    const INCREMENTAL_RELAY_FEE_RATE: u64 = params::INCREMENTAL_RELAY_FEE_RATE;
    const DUST_RELAY_FEE_RATE: u64 = params::DUST_RELAY_FEE_RATE;
    const SIGNALLED_REPLACEMENT: bool = true;
    const GENESIS_COINS: bool = true;
    /// As ELIP-200 counts it.
    const CHANGE_OUTPUT_VSIZE: u64 = 66;
    const ACCOUNT: &'static str = "m/84'/1'/0'";

    fn genesis() -> Block {
        params::genesis_block()
    }

    fn assemble(place: &Place<'_, Self>, transactions: Vec<Transaction>, fees_sat: u64) -> Block {
        let script = elements_script(place.script);
        template::assemble(
            place.height,
            place.previous,
            place.time,
            transactions,
            fees_sat,
            &script,
        )
    }

    fn postpone(block: &mut Block) {
        block.header.time += 1;
    }

    fn block_hash(block: &Block) -> BlockHash {
        block.block_hash()
    }

    fn previous_block(block: &Block) -> BlockHash {
        block.header.prev_blockhash
    }

    fn block_time(block: &Block) -> u32 {
        block.header.time
    }

    fn transactions(block: &Block) -> &[Transaction] {
        &block.txdata
    }

    fn block_bytes(block: &Block) -> Vec<u8> {
        serialize(block)
    }

    fn read_block(bytes: &[u8]) -> Option<Block> {
        deserialize(bytes).ok()
    }

    fn outpoint(txid: Txid, vout: u32) -> OutPoint {
        OutPoint::new(txid, vout)
    }

    fn outpoint_txid(at: &OutPoint) -> Txid {
        at.txid
    }

    fn outpoint_vout(at: &OutPoint) -> u32 {
        at.vout
    }

    fn transaction(lock_time: u32, output: Vec<TxOut>) -> Transaction {
        Transaction {
            version: 2,
            lock_time: LockTime::from_consensus(lock_time),
            input: Vec::new(),
            output,
        }
    }

    fn txid(tx: &Transaction) -> Txid {
        tx.txid()
    }

    fn wtxid(tx: &Transaction) -> Wtxid {
        tx.wtxid()
    }

    fn version(tx: &Transaction) -> u32 {
        tx.version
    }

    fn lock_time(tx: &Transaction) -> u32 {
        tx.lock_time.to_consensus_u32()
    }

    fn is_coinbase(tx: &Transaction) -> bool {
        tx.is_coinbase()
    }

    fn is_null(at: &OutPoint) -> bool {
        at.is_null()
    }

    fn inputs(tx: &Transaction) -> Vec<Input<'_, Self>> {
        tx.input
            .iter()
            .map(|input| Input {
                previous: input.previous_output,
                sequence: input.sequence.to_consensus_u32(),
                script_sig: plain_script(&input.script_sig),
                witness: input.witness.script_witness.iter().collect(),
            })
            .collect()
    }

    fn outputs(tx: &Transaction) -> &[TxOut] {
        &tx.output
    }

    fn outputs_mut(tx: &mut Transaction) -> &mut Vec<TxOut> {
        &mut tx.output
    }

    fn add_input(tx: &mut Transaction, previous_output: OutPoint, sequence: u32) {
        tx.input.push(TxIn {
            previous_output,
            sequence: Sequence(sequence),
            ..TxIn::default()
        });
    }

    fn set_witness(tx: &mut Transaction, index: usize, items: Vec<Vec<u8>>) {
        tx.input[index].witness.script_witness = items.into();
    }

    fn weight(tx: &Transaction) -> usize {
        tx.weight()
    }

    fn size(tx: &Transaction) -> usize {
        tx.size()
    }

    /// Discounted (ELIP-200).
    fn fee_vsize(tx: &Transaction) -> u64 {
        tx.discount_vsize() as u64
    }

    fn transaction_bytes(tx: &Transaction) -> Vec<u8> {
        serialize(tx)
    }

    fn read_transaction(bytes: &[u8]) -> Option<Transaction> {
        deserialize(bytes).ok()
    }

    /// The value is committed to as it is serialised, hidden or not.
    fn sighash(tx: &Transaction, index: usize, code: &Script, spent: &TxOut, hash_type: u8) -> [u8; 32] {
        let kind = EcdsaSighashType::from_standard(u32::from(hash_type)).unwrap_or(EcdsaSighashType::All);
        SighashCache::new(tx)
            .segwitv0_sighash(index, &elements_script(code), spent.value, kind)
            .to_byte_array()
    }

    fn script(output: &TxOut) -> &Script {
        plain_script(&output.script_pubkey)
    }

    fn is_fee(output: &TxOut) -> bool {
        output.is_fee()
    }

    fn fee_output(sat: u64) -> Option<TxOut> {
        Some(TxOut::new_fee(sat, policy_asset()))
    }

    fn shown_sat(output: &TxOut) -> Option<u64> {
        let asset = output.asset.explicit();
        output.value.explicit().filter(|_| asset == Some(policy_asset()))
    }

    fn set_sat(output: &mut TxOut, sat: u64) {
        output.value = Value::Explicit(sat);
    }

    fn without_proofs(output: &TxOut) -> TxOut {
        TxOut {
            witness: TxOutWitness::default(),
            ..output.clone()
        }
    }

    fn unhidden(output: &TxOut) -> TxOut {
        TxOut {
            nonce: confidential::Nonce::Null,
            ..output.clone()
        }
    }

    fn output_size(output: &TxOut) -> usize {
        serialize(&Self::without_proofs(output)).len()
    }

    fn is_standard_too(script: &Script) -> bool {
        // The empty script marks a fee.
        script.is_empty() || script.as_bytes() == op_true().as_bytes()
    }

    fn check_values(tx: &Transaction) -> Result<(), Reject> {
        amounts::check_explicit_values(tx)
    }

    fn fee_sat(tx: &Transaction, _: &[Coin<Self>]) -> Result<u64, Reject> {
        amounts::fee_sat(tx, policy_asset())
    }

    fn verify_amounts(spent: &[TxOut], tx: &Transaction) -> Result<(), Reject> {
        amounts::verify_amounts(spent, tx)
    }

    /// 23.3: `mempool-script-verify-flag-failed (…)`. Newer: `mandatory-script-verify-flag-failed (…)` where blocks refuse,
    /// too, else `non-mandatory-script-verify-flag (…)`.
    fn script_reject(release: Release, standard: &str, mandatory: Option<&str>, place: String) -> Reject {
        match (release, mandatory) {
            (Release::V23, _) => Reject::new(format!("mempool-script-verify-flag-failed ({standard})")),
            (Release::V28, None) => Reject::with(format!("non-mandatory-script-verify-flag ({standard})"), place),
            (Release::V28, Some(error)) => {
                Reject::with(format!("mandatory-script-verify-flag-failed ({error})"), place)
            }
        }
    }

    fn policy_asset() -> AssetId {
        policy_asset()
    }

    fn asset(contents: &TxOutSecrets) -> AssetId {
        contents.asset
    }

    fn sat(contents: &TxOutSecrets) -> u64 {
        contents.value
    }

    fn shown_contents(output: &TxOut) -> Option<TxOutSecrets> {
        blinding::explicit_secrets(output)
    }

    fn open(keys: &KeyRing, output: &TxOut) -> Option<TxOutSecrets> {
        blinding::open(output, blinding_key(keys, output))
    }

    fn made(made: &HiddenOutputs, output: &TxOut) -> Option<TxOutSecrets> {
        made.0.get(&output.value).copied()
    }

    fn pay((script, nonce): &Recipient, sat: u64) -> TxOut {
        TxOut {
            nonce: *nonce,
            ..explicit_output(policy_asset(), sat, script.clone())
        }
    }

    fn recipient(address: &Address) -> Recipient {
        let nonce = address.blinding_pubkey.map_or(Nonce::Null, Nonce::Confidential);
        (address.script_pubkey(), nonce)
    }

    fn own_address(keys: &KeyRing, script: &Script) -> Option<Address> {
        let key: PublicKey = blinding::blinding_public(keys, script);
        Address::from_script(&elements_script(script), Some(key), ADDRESS_PARAMS)
    }

    fn address(script: &Script) -> Option<Address> {
        Address::from_script(&elements_script(script), None, ADDRESS_PARAMS)
    }

    fn read_address(text: &str) -> Option<Address> {
        Address::parse_with_params(text, ADDRESS_PARAMS).ok()
    }

    fn hide(
        wallet: &mut Wallet<Self>,
        mut tx: Transaction,
        spent: &[TxOutSecrets],
        ignore_fail: bool,
    ) -> Result<Transaction, WalletError> {
        let op_return = Script::from_bytes(&[0x6a]);
        let dummy_key = blinding::blinding_public(wallet.keys(), op_return);
        let hidden = blinding::blind(&mut tx, spent, ignore_fail, dummy_key)?;
        let made = hidden
            .into_iter()
            .map(|(index, secrets)| (tx.output[index].value, secrets));
        wallet.made_mut().0.extend(made);
        Ok(tx)
    }
}

fn blinding_key(keys: &KeyRing, output: &TxOut) -> SecretKey {
    blinding::blinding_secret(keys, plain_script(&output.script_pubkey))
}

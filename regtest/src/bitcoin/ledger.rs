//! What makes a chain a Bitcoin chain.

use bitcoin::absolute::LockTime;
use bitcoin::address::NetworkUnchecked;
use bitcoin::consensus::{deserialize, serialize};
use bitcoin::constants::genesis_block;
use bitcoin::hashes::Hash;
use bitcoin::sighash::SighashCache;
use bitcoin::{
    Address, Amount, Block, BlockHash, EcdsaSighashType, Network, OutPoint, Script, ScriptBuf, Sequence, Transaction,
    TxIn, TxOut, Txid, Witness, Wtxid, transaction,
};

use super::{Daemon, template};
use crate::chain::consensus::{Coin, Reject};
use crate::chain::ledger::{Input, Ledger, Place};
use crate::chain::policy::money;
use crate::chain::wallet::{KeyRing, Wallet, WalletError};

/// The ledger of Bitcoin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bitcoin;

impl Ledger for Bitcoin {
    type Txid = Txid;
    type Wtxid = Wtxid;
    type BlockHash = BlockHash;
    type OutPoint = OutPoint;
    type Transaction = Transaction;
    type TxOut = TxOut;
    type Block = Block;
    type Address = Address;
    type Asset = ();
    type Contents = Amount;
    type Recipient = ScriptBuf;
    type Made = ();
    type Release = Daemon;

    const MIN_RELAY_FEE_RATE: u64 = 1_000;
    const INCREMENTAL_RELAY_FEE_RATE: u64 = 1_000;
    const DUST_RELAY_FEE_RATE: u64 = 3_000;
    /// Since 28.0 everything that waits may be replaced.
    const SIGNALLED_REPLACEMENT: bool = false;
    /// The coinbase of the genesis block was never spendable.
    const GENESIS_COINS: bool = false;
    const CHANGE_OUTPUT_VSIZE: u64 = 31;
    const ACCOUNT: &'static str = "m/84h/1h/0h";

    fn genesis() -> Block {
        genesis_block(Network::Regtest)
    }

    fn assemble(place: &Place<'_, Self>, transactions: Vec<Transaction>, fees_sat: u64) -> Block {
        template::assemble(place, transactions, fees_sat)
    }

    fn postpone(block: &mut Block) {
        block.header.time += 1;
        template::work(block);
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
            version: transaction::Version::TWO,
            lock_time: LockTime::from_consensus(lock_time),
            input: Vec::new(),
            output,
        }
    }

    fn txid(tx: &Transaction) -> Txid {
        tx.compute_txid()
    }

    fn wtxid(tx: &Transaction) -> Wtxid {
        tx.compute_wtxid()
    }

    fn version(tx: &Transaction) -> u32 {
        tx.version.0 as u32
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
                sequence: input.sequence.0,
                script_sig: &input.script_sig,
                witness: input.witness.iter().collect(),
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
        tx.input[index].witness = Witness::from_slice(&items);
    }

    fn weight(tx: &Transaction) -> usize {
        tx.weight().to_wu() as usize
    }

    fn size(tx: &Transaction) -> usize {
        tx.total_size()
    }

    fn fee_vsize(tx: &Transaction) -> u64 {
        Self::vsize(tx)
    }

    fn transaction_bytes(tx: &Transaction) -> Vec<u8> {
        serialize(tx)
    }

    fn read_transaction(bytes: &[u8]) -> Option<Transaction> {
        deserialize(bytes).ok().or_else(|| without_inputs(bytes))
    }

    fn sighash(tx: &Transaction, index: usize, code: &Script, spent: &TxOut, hash_type: u8) -> [u8; 32] {
        let kind = EcdsaSighashType::from_consensus(u32::from(hash_type));
        SighashCache::new(tx)
            .p2wsh_signature_hash(index, code, spent.value, kind)
            .expect("the input is one of the transaction's")
            .to_byte_array()
    }

    fn script(output: &TxOut) -> &Script {
        &output.script_pubkey
    }

    fn is_fee(_: &TxOut) -> bool {
        false
    }

    fn fee_output(_: u64) -> Option<TxOut> {
        None
    }

    fn shown_sat(output: &TxOut) -> Option<u64> {
        Some(output.value.to_sat())
    }

    fn set_sat(output: &mut TxOut, sat: u64) {
        output.value = Amount::from_sat(sat);
    }

    fn without_proofs(output: &TxOut) -> TxOut {
        output.clone()
    }

    fn unhidden(output: &TxOut) -> TxOut {
        output.clone()
    }

    fn output_size(output: &TxOut) -> usize {
        output.size()
    }

    fn is_standard_too(_: &Script) -> bool {
        false
    }

    fn check_values(tx: &Transaction) -> Result<(), Reject> {
        let mut total = 0_u64;
        for sat in tx.output.iter().map(|output| output.value.to_sat()) {
            if sat > i64::MAX as u64 {
                return Err(Reject::new("bad-txns-vout-negative"));
            }
            if sat > Amount::MAX_MONEY.to_sat() {
                return Err(Reject::new("bad-txns-vout-toolarge"));
            }
            total = total.saturating_add(sat);
            if total > Amount::MAX_MONEY.to_sat() {
                return Err(Reject::new("bad-txns-txouttotal-toolarge"));
            }
        }
        Ok(())
    }

    fn fee_sat(tx: &Transaction, coins: &[Coin<Self>]) -> Result<u64, Reject> {
        let spent: u64 = coins.iter().map(|coin| coin.output.value.to_sat()).sum();
        let made: u64 = tx.output.iter().map(|output| output.value.to_sat()).sum();
        spent.checked_sub(made).ok_or_else(|| {
            let detail = format!("value in ({}) < value out ({})", money(spent), money(made));
            Reject::with("bad-txns-in-belowout", detail)
        })
    }

    /// Nothing is hidden: [`Ledger::fee_sat`] has seen it all.
    fn verify_amounts(_: &[TxOut], _: &Transaction) -> Result<(), Reject> {
        Ok(())
    }

    fn script_reject(_: Daemon, standard: &str, mandatory: Option<&str>, place: String) -> Reject {
        match mandatory {
            None => Reject::with(format!("non-mandatory-script-verify-flag ({standard})"), place),
            Some(error) => Reject::with(format!("mandatory-script-verify-flag-failed ({error})"), place),
        }
    }

    fn policy_asset() {}

    fn asset(_: &Amount) {}

    fn sat(contents: &Amount) -> u64 {
        contents.to_sat()
    }

    fn shown_contents(output: &TxOut) -> Option<Amount> {
        Some(output.value)
    }

    fn open(_: &KeyRing, output: &TxOut) -> Option<Amount> {
        Some(output.value)
    }

    fn made((): &(), _: &TxOut) -> Option<Amount> {
        None
    }

    fn pay(recipient: &ScriptBuf, sat: u64) -> TxOut {
        TxOut {
            value: Amount::from_sat(sat),
            script_pubkey: recipient.clone(),
        }
    }

    fn recipient(address: &Address) -> ScriptBuf {
        address.script_pubkey()
    }

    fn own_address(_: &KeyRing, script: &Script) -> Option<Address> {
        Self::address(script)
    }

    fn address(script: &Script) -> Option<Address> {
        Address::from_script(script, Network::Regtest).ok()
    }

    fn read_address(text: &str) -> Option<Address> {
        let address: Address<NetworkUnchecked> = text.parse().ok()?;
        address.require_network(Network::Regtest).ok()
    }

    fn hide(_: &mut Wallet<Self>, tx: Transaction, _: &[Amount], _: bool) -> Result<Transaction, WalletError> {
        Ok(tx)
    }
}

/// A transaction without inputs, whose empty list looks like the marker of a witness: read as `DecodeHexTx` does when the
/// form with witnesses makes no sense.
fn without_inputs(bytes: &[u8]) -> Option<Transaction> {
    let (version, rest) = bytes.split_at_checked(4)?;
    let outputs = rest.strip_prefix(&[0])?;
    let (output, read): (Vec<TxOut>, usize) = bitcoin::consensus::deserialize_partial(outputs).ok()?;
    Some(Transaction {
        version: transaction::Version(i32::from_le_bytes(version.try_into().ok()?)),
        lock_time: deserialize(outputs.get(read..)?).ok()?,
        input: Vec::new(),
        output,
    })
}

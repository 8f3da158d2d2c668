//! What differs between the chains: the form of transactions and blocks, what an output holds, who may make money.
//!
//! Everything else in this folder is written once, over this trait. Scripts have one form on all chains: bytes, seen as
//! [`bitcoin::Script`].

use std::fmt::{Debug, Display};
use std::hash::Hash;
use std::str::FromStr;

use bitcoin::Script;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::consensus::{Coin, Reject};
use super::wallet::{KeyRing, Wallet, WalletError};

/// A name of something: a hash, or a place in a transaction.
pub trait Id: Copy + Eq + Ord + Hash + Debug + Display + FromStr + Send + Sync + 'static {}

impl<T: Copy + Eq + Ord + Hash + Debug + Display + FromStr + Send + Sync + 'static> Id for T {}

/// One input of a transaction, in the form that all chains share.
#[derive(Clone, Debug)]
pub struct Input<'a, L: Ledger> {
    /// What it spends.
    pub previous: L::OutPoint,
    /// Its sequence number.
    pub sequence: u32,
    /// Its script, empty for witness programs.
    pub script_sig: &'a Script,
    /// The items of its witness.
    pub witness: Vec<&'a [u8]>,
}

/// Where a block is to stand, and for whom.
pub struct Place<'a, L: Ledger> {
    /// Its height.
    pub height: u32,
    /// The block before it.
    pub previous: L::BlockHash,
    /// Its time, seconds since 1970.
    pub time: u32,
    /// Who gets what its maker may take.
    pub script: &'a Script,
}

/// A kind of chain.
pub trait Ledger: Copy + Default + Debug + PartialEq + Eq + Send + Sync + 'static {
    /// A transaction's id.
    type Txid: Id;
    /// The id that commits to witnesses, too.
    type Wtxid: Id;
    /// A block's id.
    type BlockHash: Id;
    /// Where an output is.
    type OutPoint: Id + Serialize + DeserializeOwned;
    /// A transaction.
    type Transaction: Clone + Debug + Send + Sync;
    /// An output.
    type TxOut: Clone + Debug + Send + Sync;
    /// A block.
    type Block: Clone + Debug + Send + Sync;
    /// An address.
    type Address: Clone + Debug + Display;
    /// What money is counted in.
    type Asset: Copy + Ord + Debug + Send + Sync;
    /// What an output holds, for who can see it.
    type Contents: Copy + Debug + Send + Sync;
    /// What a payer must know of the payee.
    type Recipient: Clone + Debug;
    /// What a wallet remembers of the outputs that it made for others.
    type Made: Clone + Default + Debug + Send + Sync;
    /// What the daemon's answers depend on.
    type Release: Copy + Default + Debug + PartialEq + Eq + Send + Sync;

    /// Relay and mining minimum, sat per 1000 vbytes of [`Ledger::fee_vsize`].
    const MIN_RELAY_FEE_RATE: u64;
    /// What a replacement pays on top, sat per 1000 vbytes of [`Ledger::vsize`].
    const INCREMENTAL_RELAY_FEE_RATE: u64;
    /// Rate that decides what is dust, sat per 1000 bytes.
    const DUST_RELAY_FEE_RATE: u64;
    /// Whether only what signals that it may be replaced is replaced (BIP 125, rule 1).
    const SIGNALLED_REPLACEMENT: bool;
    /// Whether the outputs of the genesis block are coins.
    const GENESIS_COINS: bool;
    /// Vbytes of a change output as fees count it, with its own share of the output count.
    const CHANGE_OUTPUT_VSIZE: u64;
    /// Where the keys of wallets are.
    const ACCOUNT: &'static str;

    /// The first block.
    fn genesis() -> Self::Block;
    /// A block of these transactions on top of another, valid but for what the transactions do.
    fn assemble(place: &Place<'_, Self>, transactions: Vec<Self::Transaction>, fees_sat: u64) -> Self::Block;
    /// The block a second later.
    fn postpone(block: &mut Self::Block);
    /// A block's id.
    fn block_hash(block: &Self::Block) -> Self::BlockHash;
    /// The block before it.
    fn previous_block(block: &Self::Block) -> Self::BlockHash;
    /// When it was made, seconds since 1970.
    fn block_time(block: &Self::Block) -> u32;
    /// Its transactions, the coinbase first.
    fn transactions(block: &Self::Block) -> &[Self::Transaction];
    /// As it goes over the wire.
    fn block_bytes(block: &Self::Block) -> Vec<u8>;
    /// A block from its bytes.
    fn read_block(bytes: &[u8]) -> Option<Self::Block>;

    /// The place of an output.
    fn outpoint(txid: Self::Txid, vout: u32) -> Self::OutPoint;
    /// Whose output it is.
    fn outpoint_txid(at: &Self::OutPoint) -> Self::Txid;
    /// Which of its outputs.
    fn outpoint_vout(at: &Self::OutPoint) -> u32;

    /// A transaction of version 2 with these outputs and no inputs yet.
    fn transaction(lock_time: u32, outputs: Vec<Self::TxOut>) -> Self::Transaction;
    /// A transaction's id.
    fn txid(tx: &Self::Transaction) -> Self::Txid;
    /// Its id with witnesses.
    fn wtxid(tx: &Self::Transaction) -> Self::Wtxid;
    /// Its version.
    fn version(tx: &Self::Transaction) -> u32;
    /// Its lock time.
    fn lock_time(tx: &Self::Transaction) -> u32;
    /// Whether it is the first of a block.
    fn is_coinbase(tx: &Self::Transaction) -> bool;
    /// Whether an input spends the null outpoint, as only a coinbase may.
    fn is_null(at: &Self::OutPoint) -> bool;
    /// Its inputs.
    fn inputs(tx: &Self::Transaction) -> Vec<Input<'_, Self>>;
    /// Its outputs.
    fn outputs(tx: &Self::Transaction) -> &[Self::TxOut];
    /// Its outputs, to be changed.
    fn outputs_mut(tx: &mut Self::Transaction) -> &mut Vec<Self::TxOut>;
    /// Adds an input that is not signed.
    fn add_input(tx: &mut Self::Transaction, spends: Self::OutPoint, sequence: u32);
    /// Replaces the witness of an input.
    fn set_witness(tx: &mut Self::Transaction, index: usize, items: Vec<Vec<u8>>);
    /// Weight, in weight units.
    fn weight(tx: &Self::Transaction) -> usize;
    /// Size on the wire, in bytes.
    fn size(tx: &Self::Transaction) -> usize;
    /// Size by which fees are judged when a transaction is relayed, in vbytes.
    fn fee_vsize(tx: &Self::Transaction) -> u64;
    /// As it goes over the wire.
    fn transaction_bytes(tx: &Self::Transaction) -> Vec<u8>;
    /// A transaction from its bytes.
    fn read_transaction(bytes: &[u8]) -> Option<Self::Transaction>;
    /// What an ECDSA signature of a version 0 witness program commits to (BIP 143).
    fn sighash(tx: &Self::Transaction, index: usize, code: &Script, spent: &Self::TxOut, hash_type: u8) -> [u8; 32];

    /// The script that guards an output.
    fn script(output: &Self::TxOut) -> &Script;
    /// Whether an output is no output but says what the miner gets.
    fn is_fee(output: &Self::TxOut) -> bool;
    /// The output that says what the miner gets, where there is such a thing.
    fn fee_output(sat: u64) -> Option<Self::TxOut>;
    /// What an output shows that it holds, sat; `None` if it is hidden, or not the money that pays fees.
    fn shown_sat(output: &Self::TxOut) -> Option<u64>;
    /// Makes an output hold and show this.
    fn set_sat(output: &mut Self::TxOut, sat: u64);
    /// An output as it is kept among the coins: without the proofs that were checked when it was made.
    fn without_proofs(output: &Self::TxOut) -> Self::TxOut;
    /// An output as it counts for the fee of who makes it: nothing of it is hidden.
    fn unhidden(output: &Self::TxOut) -> Self::TxOut;
    /// Size of an output without its proofs, in bytes.
    fn output_size(output: &Self::TxOut) -> usize;
    /// Whether nodes relay outputs to this script, beyond those that all chains relay.
    fn is_standard_too(script: &Script) -> bool;

    /// Checks the amounts that a transaction shows, by themselves.
    ///
    /// # Errors
    /// Amounts beyond the money range.
    fn check_values(tx: &Self::Transaction) -> Result<(), Reject>;
    /// What a transaction leaves to the miner.
    ///
    /// # Errors
    /// A fee beyond the money range, or money out of nothing where that is seen at once.
    fn fee_sat(tx: &Self::Transaction, coins: &[Coin<Self>]) -> Result<u64, Reject>;
    /// Checks what must be proved about amounts. Its outcome depends on nothing but what is given.
    ///
    /// # Errors
    /// Money out of nothing, or a proof that does not hold.
    fn verify_amounts(spent: &[Self::TxOut], tx: &Self::Transaction) -> Result<(), Reject>;
    /// How a script that failed is told: the error by the rules of relay, by those of blocks if they refuse it, too, and
    /// where it happened.
    fn script_reject(release: Self::Release, standard: &str, mandatory: Option<&str>, place: String) -> Reject;

    /// The money that pays fees.
    fn policy_asset() -> Self::Asset;
    /// Which money an output holds.
    fn asset(contents: &Self::Contents) -> Self::Asset;
    /// How much, sat.
    fn sat(contents: &Self::Contents) -> u64;
    /// What an output that hides nothing holds.
    fn shown_contents(output: &Self::TxOut) -> Option<Self::Contents>;
    /// What an output that pays a wallet holds.
    fn open(keys: &KeyRing, output: &Self::TxOut) -> Option<Self::Contents>;
    /// What a wallet knows of an output that it made for another.
    fn made(made: &Self::Made, output: &Self::TxOut) -> Option<Self::Contents>;
    /// An output that pays, nothing of it hidden yet.
    fn pay(recipient: &Self::Recipient, sat: u64) -> Self::TxOut;
    /// Where an address wants to be paid.
    fn recipient(address: &Self::Address) -> Self::Recipient;
    /// The address of a wallet's own script.
    fn own_address(keys: &KeyRing, script: &Script) -> Option<Self::Address>;
    /// The address of a script.
    fn address(script: &Script) -> Option<Self::Address>;
    /// An address from its text.
    fn read_address(text: &str) -> Option<Self::Address>;
    /// Hides what a wallet's transaction shall hide, given what it spends, and remembers what that was.
    ///
    /// # Errors
    /// What cannot be hidden.
    fn hide(
        wallet: &mut Wallet<Self>,
        tx: Self::Transaction,
        spent: &[Self::Contents],
        ignore_fail: bool,
    ) -> Result<Self::Transaction, WalletError>;

    /// Size in vbytes: weight divided by four, rounded up.
    fn vsize(tx: &Self::Transaction) -> u64 {
        Self::weight(tx).div_ceil(4) as u64
    }

    /// Size without any witness, in bytes, as in a transaction id's preimage.
    fn stripped_size(tx: &Self::Transaction) -> usize {
        // Weight is three times this size plus the whole size.
        Self::weight(tx).saturating_sub(Self::size(tx)) / 3
    }
}

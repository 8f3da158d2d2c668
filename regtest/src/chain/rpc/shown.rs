//! What differs between the chains' JSON.

use bitcoin::{Script, ScriptBuf};

use super::super::Ledger;
use super::super::blocks::BlockEntry;
use super::super::consensus::Coin;
use super::super::node::Node;
use super::super::wallet::{Balance, KeyRing, WalletError};
use super::error::RpcError;
use super::json::Json;
use super::{Answer, Method};

/// A kind of chain as its daemon shows it.
pub trait Shown: Ledger {
    /// Every method, in the order of `help`.
    const METHODS: &'static [Method<Self>];
    /// What the daemon calls itself.
    const DAEMON: &'static str;
    /// Its services for peers, as bits in hex and by name.
    const SERVICES: (&'static str, &'static [&'static str]);
    /// Types of addresses that wallets make.
    const ADDRESS_TYPES: &'static [&'static str];
    /// What `getaddressinfo` says of text that is no address.
    const NO_ADDRESS: &'static str;
    /// Where `sendtoaddress` has its parameter `fee_rate`; `verbose` follows it.
    const FEE_RATE_ARGUMENT: usize;
    /// The sign of the fee in a transaction's details.
    const DETAIL_FEE_SIGN: i128;

    /// Whether a release has a method.
    fn knows(release: Self::Release, method: &Method<Self>) -> bool;
    /// Whether a release speaks JSON-RPC 2.0 and has the newer fields and codes.
    fn is_modern(release: Self::Release) -> bool;
    /// A release's version as a number, and as it is told to peers.
    fn daemon_version(release: Self::Release) -> (u32, String);
    /// The code of `createwallet` for a name that is taken.
    fn wallet_exists_code(release: Self::Release) -> i32;
    /// Gives a fresh chain's faucet its first coins.
    ///
    /// # Errors
    /// The coins are not there.
    fn open_faucet(node: &mut Node<Self>) -> Result<(), WalletError>;

    /// A block's header as it goes over the wire.
    fn header_bytes(block: &Self::Block) -> Vec<u8>;
    /// Bytes of the header that are witness.
    fn header_witness_size(block: &Self::Block) -> usize;
    /// Version of a block.
    fn block_version(block: &Self::Block) -> u32;
    /// Root of the tree of its transactions.
    fn merkle_root(block: &Self::Block) -> Json;
    /// Adds what else a header says.
    fn describe_header(json: &mut Json, entry: &BlockEntry<Self>);
    /// A transaction in full, without its hex.
    fn decoded(tx: &Self::Transaction) -> Json;
    /// A transaction of a block that spent these coins, in full.
    fn mined(tx: &Self::Transaction, spent: &[Coin<Self>]) -> Json;
    /// Adds what a coin holds, for `gettxout`.
    fn describe_coin(json: &mut Json, output: &Self::TxOut);
    /// The kind of a script that only this chain knows.
    fn script_kind(script: &Script) -> Option<&'static str>;
    /// Whether a transaction may be sent at all.
    ///
    /// # Errors
    /// What was forgotten.
    fn check_sendable(tx: &Self::Transaction) -> Result<(), RpcError>;
    /// The fee of a wallet's transaction that spends so much of the wallet's.
    fn fee_of(tx: &Self::Transaction, spent_sat: u64) -> u64;

    /// The script that an address pays to.
    fn address_script(address: &Self::Address) -> ScriptBuf;
    /// Adds what an address says by itself.
    fn describe_address(json: &mut Json, address: &Self::Address);
    /// Adds what a wallet knows of its own address.
    fn describe_own_address(json: &mut Json, keys: &KeyRing, script: &Script);
    /// How `validateaddress` begins of an address.
    fn valid_address() -> Json;
    /// What `validateaddress` says of text that is none.
    fn invalid_address(text: &str) -> Json;
    /// A sum, or a sum for each kind of money.
    fn balance_json(balance: &Balance<Self>) -> Json;
    /// What `getbalance` answers to this label.
    ///
    /// # Errors
    /// There is no such money.
    fn one_balance(balance: &Balance<Self>, label: &str) -> Answer;
    /// Adds what `listunspent` says of a coin after its amount.
    fn describe_unspent(json: &mut Json, output: &Self::TxOut, contents: &Self::Contents);
    /// Adds what `gettransaction` says of an output after its amount.
    fn describe_detail(json: &mut Json, contents: &Self::Contents);
}

//! What of Bitcoin Core's JSON-RPC is its own: proof of work, plain amounts.

mod decode;
mod methods;
mod psbt;
mod rawtx;

use bitcoin::consensus::serialize;
use bitcoin::{Address, Amount, Block, Script, ScriptBuf, Transaction, TxOut};

use super::{Bitcoin, Daemon};
use crate::chain::blocks::BlockEntry;
use crate::chain::consensus::Coin;
use crate::chain::node::{FAUCET, Node};
use crate::chain::rpc::error::{RpcError, WALLET_ERROR};
use crate::chain::rpc::json::{Json, obj};
use crate::chain::rpc::{Answer, Method, Shown};
use crate::chain::wallet::{Balance, KeyRing, WalletError};

/// Coins that the faucet has at once, each a block's reward.
const COINS: u32 = 40;
/// Blocks until they can be spent.
const MATURITY: u32 = 100;

impl Shown for Bitcoin {
    const METHODS: &'static [Method<Self>] = methods::METHODS;
    const DAEMON: &'static str = "Bitcoin Core";
    const SERVICES: (&'static str, &'static [&'static str]) =
        ("0000000000000c09", &["NETWORK", "WITNESS", "NETWORK_LIMITED", "P2P_V2"]);
    const ADDRESS_TYPES: &'static [&'static str] = &["bech32"];
    const NO_ADDRESS: &'static str = "Invalid checksum or length of Base58 address (P2PKH or P2SH)";
    const FEE_RATE_ARGUMENT: usize = 9;
    const DETAIL_FEE_SIGN: i128 = -1;

    fn knows(daemon: Daemon, method: &Method<Self>) -> bool {
        daemon == Daemon::WithWallet || !(method.category == "Wallet" || methods::OF_WALLETS.contains(&method.name))
    }

    fn is_modern(_: Daemon) -> bool {
        true
    }

    fn daemon_version(_: Daemon) -> (u32, String) {
        (290_000, "/Satoshi:29.0.0/".into())
    }

    fn wallet_exists_code(_: Daemon) -> i32 {
        WALLET_ERROR
    }

    fn open_faucet(node: &mut Node<Self>) -> Result<(), WalletError> {
        let script = node.wallet_mut(FAUCET)?.new_address(false).script_pubkey();
        for _ in 0..COINS + MATURITY {
            node.mine(&script);
        }
        Ok(())
    }

    fn header_bytes(block: &Block) -> Vec<u8> {
        serialize(&block.header)
    }

    fn header_witness_size(_: &Block) -> usize {
        0
    }

    fn block_version(block: &Block) -> u32 {
        block.header.version.to_consensus() as u32
    }

    fn merkle_root(block: &Block) -> Json {
        Json::text(block.header.merkle_root)
    }

    fn describe_header(json: &mut Json, entry: &BlockEntry<Self>) {
        json.push("nonce", entry.block.header.nonce);
        methods::describe_work(json, entry.height);
    }

    fn decoded(tx: &Transaction) -> Json {
        decode::transaction(tx)
    }

    fn mined(tx: &Transaction, spent: &[Coin<Self>]) -> Json {
        let mut json = decode::transaction(tx);
        if !tx.is_coinbase() {
            let spent = spent.iter().map(|coin| coin.output.value.to_sat()).sum();
            json.push("fee", Json::btc(Self::fee_of(tx, spent)));
        }
        json.push("hex", hex::encode(serialize(tx)));
        json
    }

    fn describe_coin(json: &mut Json, output: &TxOut) {
        json.push("value", Json::btc(output.value.to_sat()));
    }

    fn script_kind(_: &Script) -> Option<&'static str> {
        None
    }

    fn check_sendable(_: &Transaction) -> Result<(), RpcError> {
        Ok(())
    }

    fn fee_of(tx: &Transaction, spent_sat: u64) -> u64 {
        let made = tx.output.iter().map(|output| output.value.to_sat()).sum();
        spent_sat.saturating_sub(made)
    }

    fn address_script(address: &Address) -> ScriptBuf {
        address.script_pubkey()
    }

    fn describe_address(json: &mut Json, address: &Address) {
        let script = address.script_pubkey();
        json.push("address", address.to_string());
        json.push("scriptPubKey", script.to_hex_string());
        json.push("isscript", script.is_p2sh() || script.is_p2wsh());
        json.push("iswitness", script.is_witness_program());
        if let Some(program) = address.witness_program() {
            json.push("witness_version", u32::from(program.version().to_num()));
            json.push("witness_program", hex::encode(program.program().as_bytes()));
        }
    }

    fn describe_own_address(_: &mut Json, _: &KeyRing, _: &Script) {}

    fn valid_address() -> Json {
        obj! { "isvalid" => true }
    }

    fn invalid_address(_: &str) -> Json {
        obj! { "isvalid" => false, "error_locations" => Json::Arr(Vec::new()), "error" => Self::NO_ADDRESS }
    }

    fn balance_json(balance: &Balance<Self>) -> Json {
        Json::Btc(balance.values().sum())
    }

    fn one_balance(balance: &Balance<Self>, _: &str) -> Answer {
        Ok(Self::balance_json(balance))
    }

    fn describe_unspent(_: &mut Json, _: &TxOut, _: &Amount) {}

    fn describe_detail(_: &mut Json, _: &Amount) {}
}

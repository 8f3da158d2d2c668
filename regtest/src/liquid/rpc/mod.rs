//! What of Elements' JSON-RPC is its own: confidential fields, sums by asset, the federation.

mod decode;
mod federation;
mod methods;
mod rawtx;

use bitcoin::{Script, ScriptBuf};
use elements::address::Payload;
use elements::confidential::{AssetBlindingFactor, ValueBlindingFactor};
use elements::encode::serialize;
use elements::{Address, AssetId, Block, BlockExtData, Transaction, TxOut, TxOutSecrets};

use super::ledger::plain_script;
use super::params::{op_true, policy_asset};
use super::{Elements, Release, faucet};
use crate::chain::Ledger;
use crate::chain::blocks::BlockEntry;
use crate::chain::consensus::Coin;
use crate::chain::node::Node;
use crate::chain::rpc::decode::transaction_with_hex;
use crate::chain::rpc::error::{INVALID_PARAMETER, RpcError, VERIFY_ERROR, WALLET_ALREADY_EXISTS, WALLET_ERROR};
use crate::chain::rpc::json::{Json, obj};
use crate::chain::rpc::{Answer, Method, Shown};
use crate::chain::wallet::{Balance, KeyRing, WalletError};

impl Shown for Elements {
    const METHODS: &'static [Method<Self>] = methods::METHODS;
    const DAEMON: &'static str = "Elements Core";
    const SERVICES: (&'static str, &'static [&'static str]) =
        ("0000000000000409", &["NETWORK", "WITNESS", "NETWORK_LIMITED"]);
    /// Both mean the same to Elements, which hides by default.
    const ADDRESS_TYPES: &'static [&'static str] = &["bech32", "blech32"];
    const NO_ADDRESS: &'static str = "Invalid checksum or length of Base58 address";
    const FEE_RATE_ARGUMENT: usize = 11;
    /// Positive, unlike the transaction's own `fee`: Elements negates what is negative already.
    const DETAIL_FEE_SIGN: i128 = 1;

    fn knows(release: Release, method: &Method<Self>) -> bool {
        release == Release::V28 || !methods::NEW.contains(&method.name)
    }

    fn is_modern(release: Release) -> bool {
        release == Release::V28
    }

    fn daemon_version(release: Release) -> (u32, String) {
        let (number, text) = release.version();
        (number, format!("/Elements Core:{text}/"))
    }

    fn wallet_exists_code(release: Release) -> i32 {
        match release {
            Release::V23 => WALLET_ERROR,
            Release::V28 => WALLET_ALREADY_EXISTS,
        }
    }

    fn open_faucet(node: &mut Node<Self>) -> Result<(), WalletError> {
        faucet::open(node)
    }

    fn header_bytes(block: &Block) -> Vec<u8> {
        serialize(&block.header)
    }

    fn header_witness_size(block: &Block) -> usize {
        match &block.header.ext {
            BlockExtData::Dynafed { signblock_witness, .. } => serialize(signblock_witness).len(),
            BlockExtData::Proof { .. } => 0,
        }
    }

    fn block_version(block: &Block) -> u32 {
        block.header.version
    }

    fn merkle_root(block: &Block) -> Json {
        Json::text(block.header.merkle_root)
    }

    fn describe_header(json: &mut Json, entry: &BlockEntry<Self>) {
        federation::describe(json, &entry.block.header.ext);
    }

    fn decoded(tx: &Transaction) -> Json {
        decode::transaction(tx)
    }

    fn mined(tx: &Transaction, _: &[Coin<Self>]) -> Json {
        transaction_with_hex::<Self>(tx)
    }

    fn describe_coin(json: &mut Json, output: &TxOut) {
        match output.value.explicit() {
            Some(sat) => json.push("value", Json::btc(sat)),
            None => json.push("valuecommitment", hex::encode(serialize(&output.value))),
        }
        match output.asset.explicit() {
            Some(asset) => json.push("asset", Json::text(asset)),
            None => json.push("assetcommitment", hex::encode(serialize(&output.asset))),
        }
        let nonce = if output.nonce.is_null() {
            String::new()
        } else {
            hex::encode(serialize(&output.nonce))
        };
        json.push("commitmentnonce", nonce);
    }

    fn script_kind(script: &Script) -> Option<&'static str> {
        if script.is_empty() {
            Some("fee")
        } else {
            (script.as_bytes() == op_true().as_bytes()).then_some("true")
        }
    }

    fn check_sendable(tx: &Transaction) -> Result<(), RpcError> {
        let forgotten = |output: &TxOut| !output.nonce.is_null() && output.value.is_explicit();
        if !tx.output.iter().any(forgotten) {
            return Ok(());
        }
        let text = "Transaction output has nonce, but is not blinded. Did you forget to call blindrawtransaction, or \
                    rawblindrawtransaction?";
        Err(RpcError::new(VERIFY_ERROR, text))
    }

    fn fee_of(tx: &Transaction, _: u64) -> u64 {
        tx.fee_in(policy_asset())
    }

    fn address_script(address: &Address) -> ScriptBuf {
        plain_script(&address.script_pubkey()).to_owned()
    }

    fn describe_address(json: &mut Json, address: &Address) {
        let script = address.script_pubkey();
        json.push("address", address.to_string());
        json.push("scriptPubKey", hex::encode(script.as_bytes()));
        json.push("isscript", script.is_p2sh() || script.is_v0_p2wsh());
        if let Payload::WitnessProgram { version, program } = &address.payload {
            json.push("iswitness", true);
            json.push("witness_version", u32::from(version.to_u8()));
            json.push("witness_program", hex::encode(program));
        } else {
            json.push("iswitness", false);
        }
        let key = address.blinding_pubkey.map(|key| hex::encode(key.serialize()));
        json.push("confidential_key", key.unwrap_or_default());
        json.push("unconfidential", address.to_unconfidential().to_string());
    }

    fn describe_own_address(json: &mut Json, keys: &KeyRing, script: &Script) {
        if let Some(confidential) = Self::own_address(keys, script) {
            json.push("confidential", confidential.to_string());
        }
    }

    fn valid_address() -> Json {
        obj! { "isvalid" => true, "isvalid_parent" => false }
    }

    fn invalid_address(_: &str) -> Json {
        obj! {
            "isvalid" => false,
            "isvalid_parent" => false,
            "error_locations" => Json::Arr(Vec::new()),
            "error" => Self::NO_ADDRESS,
            "error_parent" => Self::NO_ADDRESS,
        }
    }

    /// Sums by asset label; the policy asset is always there.
    fn balance_json(balance: &Balance<Self>) -> Json {
        let mut all = balance.clone();
        all.entry(policy_asset()).or_default();
        let sums = all.into_iter().map(|(asset, sat)| (asset_label(asset), Json::Btc(sat)));
        Json::Obj(sums.collect())
    }

    fn one_balance(balance: &Balance<Self>, label: &str) -> Answer {
        if label.is_empty() {
            return Ok(Self::balance_json(balance));
        }
        let asset = if label == "bitcoin" {
            Ok(policy_asset())
        } else {
            label.parse()
        };
        let unknown = |_| {
            let text = format!("Unknown label and invalid asset hex: {label}");
            RpcError::new(INVALID_PARAMETER, text)
        };
        let asset: AssetId = asset.map_err(unknown)?;
        Ok(Json::Btc(balance.get(&asset).copied().unwrap_or(0)))
    }

    fn describe_unspent(json: &mut Json, output: &TxOut, secrets: &TxOutSecrets) {
        if output.asset.is_confidential() {
            json.push("assetcommitment", hex::encode(serialize(&output.asset)));
        }
        json.push("asset", Json::text(secrets.asset));
        if output.value.is_confidential() {
            json.push("amountcommitment", hex::encode(serialize(&output.value)));
        }
        json.push("amountblinder", value_factor(&secrets.value_bf));
        json.push("assetblinder", asset_factor(&secrets.asset_bf));
    }

    fn describe_detail(json: &mut Json, secrets: &TxOutSecrets) {
        json.push("amountblinder", value_factor(&secrets.value_bf));
        json.push("asset", Json::text(secrets.asset));
        json.push("assetblinder", asset_factor(&secrets.asset_bf));
    }
}

/// What an asset is called in balances.
fn asset_label(asset: AssetId) -> String {
    if asset == policy_asset() {
        "bitcoin".to_owned()
    } else {
        asset.to_string()
    }
}

/// Factors are shown in display order, as hashes are.
fn value_factor(factor: &ValueBlindingFactor) -> String {
    hex::encode(factor.into_inner().as_ref().iter().rev().copied().collect::<Vec<u8>>())
}

fn asset_factor(factor: &AssetBlindingFactor) -> String {
    hex::encode(factor.into_inner().as_ref().iter().rev().copied().collect::<Vec<u8>>())
}

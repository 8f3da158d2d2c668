//! The federation in blocks and in its own methods (rpc/blockchain.cpp).

use elements::{BlockExtData, dynafed};

use super::super::Elements;
use super::super::ledger::plain_script;
use super::super::params::{self, CHAIN_NAME};
use crate::chain::rpc::blocks::is_catching_up;
use crate::chain::rpc::control::warnings;
use crate::chain::rpc::decode::asm;
use crate::chain::rpc::json::{Json, obj};
use crate::chain::rpc::{Answer, Call};

const EPOCH_LENGTH: u32 = 10;

/// Adds what signs a block.
pub fn describe(json: &mut Json, ext: &BlockExtData) {
    match ext {
        BlockExtData::Proof { challenge, solution } => {
            json.push("signblock_witness_asm", asm(plain_script(solution)));
            json.push("signblock_witness_hex", hex::encode(solution.as_bytes()));
            json.push("signblock_challenge", hex::encode(challenge.as_bytes()));
        }
        BlockExtData::Dynafed {
            current,
            proposed,
            signblock_witness,
        } => {
            json.push(
                "signblock_witness_hex",
                signblock_witness.iter().map(hex::encode).collect::<Vec<_>>(),
            );
            let both = obj! { "current" => dynafed_params(current), "proposed" => dynafed_params(proposed) };
            json.push("dynamic_parameters", both);
        }
    }
}

fn dynafed_params(params: &dynafed::Params) -> Json {
    let display = |bytes: [u8; 32]| hex::encode(bytes.into_iter().rev().collect::<Vec<_>>());
    let mut json = Json::Obj(Vec::new());
    json.push(
        "type",
        if params.is_full() {
            "full"
        } else if params.is_compact() {
            "compact"
        } else {
            "null"
        },
    );
    let (Some(script), Some(limit)) = (params.signblockscript(), params.signblock_witness_limit()) else {
        return json;
    };
    json.push("root", display(params.calculate_root().to_byte_array()));
    json.push("signblockscript", hex::encode(script.as_bytes()));
    json.push("max_block_witness", limit);
    if let Some(compact) = params
        .clone()
        .into_compact()
        .as_ref()
        .and_then(dynafed::Params::elided_root)
    {
        json.push("extra_root", display(compact.to_byte_array()));
    }
    if let Some(full) = params.full() {
        json.push("fedpeg_program", hex::encode(full.fedpeg_program.as_bytes()));
        json.push("fedpegscript", hex::encode(&full.fedpegscript));
        json.push(
            "extension_space",
            full.extension_space.iter().map(hex::encode).collect::<Vec<_>>(),
        );
    }
    json
}

pub fn get_blockchain_info(call: &mut Call<'_, Elements>) -> Answer {
    let chain = &call.node.state.chain;
    let tip = chain.tip();
    let catching_up = is_catching_up(call);
    let current = params::dynafed_params(1);
    let full = current.full().expect("block 1 announces its parameters in full");
    Ok(obj! {
        "chain" => CHAIN_NAME,
        "blocks" => tip.height,
        "headers" => tip.height,
        "bestblockhash" => Json::text(tip.hash),
        "time" => tip.time(),
        "mediantime" => tip.median_time,
        "verificationprogress" => if catching_up { 0 } else { 1 },
        "initialblockdownload" => catching_up,
        "size_on_disk" => chain.size_on_disk(),
        "pruned" => false,
        "trim_headers" => false,
        "current_params_root" => hex::encode(current.calculate_root().to_byte_array().into_iter().rev().collect::<Vec<_>>()),
        "current_signblock_asm" => asm(plain_script(&full.signblockscript)),
        "current_signblock_hex" => hex::encode(full.signblockscript.as_bytes()),
        "max_block_witness" => full.signblock_witness_limit,
        "current_fedpeg_program" => hex::encode(full.fedpeg_program.as_bytes()),
        "current_fedpeg_script" => hex::encode(&full.fedpegscript),
        "extension_space" => full.extension_space.iter().map(hex::encode).collect::<Vec<_>>(),
        "epoch_length" => EPOCH_LENGTH,
        "total_valid_epochs" => 2,
        "epoch_age" => tip.height % EPOCH_LENGTH,
        "warnings" => warnings::<Elements>(call.release),
    })
}

pub fn get_sidechain_info(_: &mut Call<'_, Elements>) -> Answer {
    let current = params::dynafed_params(1);
    let full = current.full().expect("block 1 announces its parameters in full");
    let script = hex::encode(&full.fedpegscript);
    Ok(obj! {
        "fedpegscript" => script.as_str(),
        "current_fedpeg_programs" => vec![hex::encode(full.fedpeg_program.as_bytes())],
        "current_fedpegscripts" => vec![script],
        "pegged_asset" => Json::text(params::policy_asset()),
        "min_peg_diff" => format!("7{}", "f".repeat(63)),
        "parent_blockhash" => params::PARENT_GENESIS_HASH,
        "parent_chain_has_pow" => true,
        "enforce_pak" => false,
        "pegin_confirmation_depth" => 8,
    })
}

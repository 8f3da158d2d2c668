//! Methods about blocks and the outputs on them (rpc/blockchain.cpp).

use std::time::Duration;

use elements::encode::{serialize, serialize_hex};
use elements::{BlockExtData, BlockHash, OutPoint, dynafed};

use super::super::Release;
use super::super::chain::{BlockEntry, Chain};
use super::super::params::{self, CHAIN_NAME};
use super::error::{INVALID_ADDRESS_OR_KEY, INVALID_PARAMETER, MISC_ERROR};
use super::json::{Json, obj};
use super::methods::{Until, Wait};
use super::{Answer, Call, RpcError, decode};

const EPOCH_LENGTH: u32 = 10;
/// A tip older than this means that the node is catching up, seconds.
const MAX_TIP_AGE: u64 = 24 * 60 * 60;

pub fn get_block_count(call: &mut Call<'_>) -> Answer {
    Ok(call.node.tip().height.into())
}

pub fn get_best_block_hash(call: &mut Call<'_>) -> Answer {
    Ok(Json::text(call.node.tip().hash))
}

pub fn get_block_hash(call: &mut Call<'_>) -> Answer {
    let height = u32::try_from(call.args.int(0, 0)?).ok();
    let entry = height.and_then(|height| call.node.state.chain.at(height));
    let entry = entry.ok_or_else(|| RpcError::new(INVALID_PARAMETER, "Block height out of range"))?;
    Ok(Json::text(entry.hash))
}

fn entry<'a>(call: &'a Call<'_>, position: usize) -> Result<&'a BlockEntry, RpcError> {
    let hash = call.args.block_hash(position, "blockhash")?;
    let entry = call.node.state.chain.entry(&hash);
    entry
        .map(AsRef::as_ref)
        .ok_or_else(|| RpcError::new(INVALID_ADDRESS_OR_KEY, "Block not found"))
}

pub fn get_block_header(call: &mut Call<'_>) -> Answer {
    let entry = entry(call, 0)?;
    if !call.args.flag(1, true) {
        return Ok(serialize_hex(&entry.block.header).into());
    }
    Ok(header(&call.node.state.chain, entry))
}

pub fn get_block(call: &mut Call<'_>) -> Answer {
    let entry = entry(call, 0)?;
    let verbosity = call.args.verbosity(1, 1)?;
    if verbosity <= 0 {
        return Ok(serialize_hex(&entry.block).into());
    }
    let mut json = header(&call.node.state.chain, entry);
    let size = entry.block.size();
    let stripped = stripped_size(entry);
    json.push("strippedsize", stripped);
    json.push("size", size);
    json.push("weight", 3 * stripped + size);
    let txdata = &entry.block.txdata;
    let txs: Json = match verbosity {
        1 => txdata.iter().map(|tx| Json::text(tx.txid())).collect(),
        _ => txdata.iter().map(decode::transaction_with_hex).collect(),
    };
    json.push("tx", txs);
    Ok(json)
}

fn stripped_size(entry: &BlockEntry) -> usize {
    let witness = match &entry.block.header.ext {
        BlockExtData::Dynafed { signblock_witness, .. } => serialize(signblock_witness).len(),
        BlockExtData::Proof { .. } => 0,
    };
    let in_transactions = entry
        .block
        .txdata
        .iter()
        .map(|tx| tx.size() - super::super::consensus::stripped_size(tx));
    entry.block.size() - witness - in_transactions.sum::<usize>()
}

fn header(chain: &Chain, entry: &BlockEntry) -> Json {
    let header = &entry.block.header;
    let active = chain.is_active(entry);
    let confirmations = if active {
        i64::from(chain.height() - entry.height()) + 1
    } else {
        -1
    };
    let mut json = obj! {
        "hash" => Json::text(entry.hash),
        "confirmations" => confirmations,
        "height" => entry.height(),
        "version" => header.version,
        "versionHex" => format!("{:08x}", header.version),
        "merkleroot" => Json::text(header.merkle_root),
        "time" => header.time,
        "mediantime" => entry.median_time,
    };
    match &header.ext {
        BlockExtData::Proof { challenge, solution } => {
            json.push("signblock_witness_asm", decode::asm(solution));
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
    json.push("nTx", entry.block.txdata.len());
    if entry.height() > 0 {
        json.push("previousblockhash", Json::text(header.prev_blockhash));
    }
    if let Some(next) = chain.at(entry.height() + 1).filter(|_| active) {
        json.push("nextblockhash", Json::text(next.hash));
    }
    json
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

pub fn get_blockchain_info(call: &mut Call<'_>) -> Answer {
    let chain = &call.node.state.chain;
    let tip = chain.tip();
    let time = tip.block.header.time;
    let catching_up = call.node.now().saturating_sub(u64::from(time)) > MAX_TIP_AGE;
    let current = params::dynafed_params(1);
    let full = current.full().expect("block 1 announces its parameters in full");
    let warnings = match call.release {
        Release::V23 => Json::from(""),
        Release::V28 => Json::Arr(Vec::new()),
    };
    Ok(obj! {
        "chain" => CHAIN_NAME,
        "blocks" => tip.height(),
        "headers" => tip.height(),
        "bestblockhash" => Json::text(tip.hash),
        "time" => time,
        "mediantime" => tip.median_time,
        "verificationprogress" => if catching_up { 0 } else { 1 },
        "initialblockdownload" => catching_up,
        "size_on_disk" => chain.size_on_disk(),
        "pruned" => false,
        "trim_headers" => false,
        "current_params_root" => hex::encode(current.calculate_root().to_byte_array().into_iter().rev().collect::<Vec<_>>()),
        "current_signblock_asm" => decode::asm(&full.signblockscript),
        "current_signblock_hex" => hex::encode(full.signblockscript.as_bytes()),
        "max_block_witness" => full.signblock_witness_limit,
        "current_fedpeg_program" => hex::encode(full.fedpeg_program.as_bytes()),
        "current_fedpeg_script" => hex::encode(&full.fedpegscript),
        "extension_space" => full.extension_space.iter().map(hex::encode).collect::<Vec<_>>(),
        "epoch_length" => EPOCH_LENGTH,
        "total_valid_epochs" => 2,
        "epoch_age" => tip.height() % EPOCH_LENGTH,
        "warnings" => warnings,
    })
}

pub fn get_chain_tips(call: &mut Call<'_>) -> Answer {
    let chain = &call.node.state.chain;
    let mut tips = chain.tips();
    if !tips.iter().any(|(tip, _)| tip.hash == chain.tip().hash) {
        tips.push((chain.tip().clone(), false));
    }
    tips.sort_by_key(|(tip, _)| std::cmp::Reverse(tip.height()));
    let json = tips.into_iter().map(|(tip, invalid)| {
        let mut fork = tip.clone();
        while !chain.is_active(&fork) {
            fork = chain
                .entry(&fork.block.header.prev_blockhash)
                .expect("a block arrives after its parent")
                .clone();
        }
        let status = match (chain.is_active(&tip), invalid) {
            (true, _) => "active",
            (false, true) => "invalid",
            (false, false) => "valid-fork",
        };
        obj! {
            "height" => tip.height(),
            "hash" => Json::text(tip.hash),
            "branchlen" => tip.height() - fork.height(),
            "status" => status,
        }
    });
    Ok(json.collect())
}

pub fn get_sidechain_info(_: &mut Call<'_>) -> Answer {
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

pub fn get_tx_out(call: &mut Call<'_>) -> Answer {
    let txid = call.args.txid(0, "txid")?;
    let Ok(vout) = u32::try_from(call.args.int(1, 0)?) else {
        return Ok(Json::Null);
    };
    let outpoint = OutPoint::new(txid, vout);
    let chain = &call.node.state.chain;
    let on_chain = chain.coin(&outpoint).cloned();
    let coin = if call.args.flag(2, true) {
        call.node.coin(&outpoint)
    } else {
        on_chain.clone()
    };
    let Some(coin) = coin else {
        return Ok(Json::Null);
    };
    let confirmations = on_chain.map_or(0, |coin| chain.height() - coin.height + 1);
    let mut json = obj! { "bestblock" => Json::text(chain.tip().hash), "confirmations" => confirmations };
    match coin.output.value.explicit() {
        Some(sat) => json.push("value", Json::btc(sat)),
        None => json.push("valuecommitment", hex::encode(serialize(&coin.output.value))),
    }
    match coin.output.asset.explicit() {
        Some(asset) => json.push("asset", Json::text(asset)),
        None => json.push("assetcommitment", hex::encode(serialize(&coin.output.asset))),
    }
    let nonce = if coin.output.nonce.is_null() {
        String::new()
    } else {
        hex::encode(serialize(&coin.output.nonce))
    };
    json.push("commitmentnonce", nonce);
    json.push("scriptPubKey", decode::script(&coin.output.script_pubkey));
    json.push("coinbase", coin.coinbase);
    Ok(json)
}

fn known_block(call: &Call<'_>) -> Result<BlockHash, RpcError> {
    Ok(entry(call, 0)?.hash)
}

pub fn invalidate_block(call: &mut Call<'_>) -> Answer {
    let hash = known_block(call)?;
    if call.node.invalidate(&hash) {
        Ok(Json::Null)
    } else {
        Err(RpcError::new(MISC_ERROR, "cannot invalidate genesis"))
    }
}

pub fn reconsider_block(call: &mut Call<'_>) -> Answer {
    let hash = known_block(call)?;
    call.node.reconsider(&hash);
    Ok(Json::Null)
}

/// Zero waits for ever.
fn timeout(call: &Call<'_>, position: usize) -> Result<Option<Duration>, RpcError> {
    let millis = u64::try_from(call.args.int(position, 0)?);
    let millis = millis.map_err(|_| RpcError::new(MISC_ERROR, "Negative timeout"))?;
    Ok((millis > 0).then(|| Duration::from_millis(millis)))
}

pub fn wait_for_block_height(call: &Call<'_>) -> Result<Wait, RpcError> {
    let height = u32::try_from(call.args.int(0, 0)?).unwrap_or(0);
    Ok(Wait {
        until: Until::Height(height),
        timeout: timeout(call, 1)?,
    })
}

pub fn wait_for_new_block(call: &Call<'_>) -> Result<Wait, RpcError> {
    Ok(Wait {
        until: Until::NotTip(call.node.tip().hash),
        timeout: timeout(call, 0)?,
    })
}

pub fn wait_for_block(call: &Call<'_>) -> Result<Wait, RpcError> {
    let hash = call.args.block_hash(0, "blockhash")?;
    Ok(Wait {
        until: Until::Tip(hash),
        timeout: timeout(call, 1)?,
    })
}

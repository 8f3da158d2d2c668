//! Methods about blocks and the outputs on them (rpc/blockchain.cpp).

use std::time::Duration;

use super::super::blocks::{BlockEntry, Chain};
use super::error::{INVALID_ADDRESS_OR_KEY, INVALID_PARAMETER, MISC_ERROR};
use super::json::{Json, obj};
use super::methods::{Until, Wait};
use super::{Answer, Call, RpcError, Shown, decode};

/// A tip older than this means that the node is catching up, seconds.
pub const MAX_TIP_AGE: u64 = 24 * 60 * 60;

pub fn get_block_count<L: Shown>(call: &mut Call<'_, L>) -> Answer {
    Ok(call.node.tip().height.into())
}

pub fn get_best_block_hash<L: Shown>(call: &mut Call<'_, L>) -> Answer {
    Ok(Json::text(call.node.tip().hash))
}

pub fn get_block_hash<L: Shown>(call: &mut Call<'_, L>) -> Answer {
    let height = u32::try_from(call.args.int(0, 0)?).ok();
    let entry = height.and_then(|height| call.node.state.chain.at(height));
    let entry = entry.ok_or_else(|| RpcError::new(INVALID_PARAMETER, "Block height out of range"))?;
    Ok(Json::text(entry.hash))
}

fn entry<'a, L: Shown>(call: &'a Call<'_, L>, position: usize) -> Result<&'a BlockEntry<L>, RpcError> {
    let hash = call.args.hash::<L::BlockHash>(position, "blockhash")?;
    let entry = call.node.state.chain.entry(&hash);
    entry
        .map(AsRef::as_ref)
        .ok_or_else(|| RpcError::new(INVALID_ADDRESS_OR_KEY, "Block not found"))
}

pub fn get_block_header<L: Shown>(call: &mut Call<'_, L>) -> Answer {
    let entry = entry(call, 0)?;
    if !call.args.flag(1, true) {
        return Ok(hex::encode(L::header_bytes(&entry.block)).into());
    }
    Ok(header::<L>(&call.node.state.chain, entry))
}

pub fn get_block<L: Shown>(call: &mut Call<'_, L>) -> Answer {
    let entry = entry(call, 0)?;
    let verbosity = call.args.verbosity(1, 1)?;
    if verbosity <= 0 {
        return Ok(hex::encode(L::block_bytes(&entry.block)).into());
    }
    let mut json = header::<L>(&call.node.state.chain, entry);
    let size = L::block_bytes(&entry.block).len();
    let stripped = stripped_size::<L>(entry);
    json.push("strippedsize", stripped);
    json.push("size", size);
    json.push("weight", 3 * stripped + size);
    let txdata = entry.transactions();
    let txs: Json = match verbosity {
        1 => txdata.iter().map(|tx| Json::text(L::txid(tx))).collect(),
        _ => txdata
            .iter()
            .zip(&entry.spent)
            .map(|(tx, spent)| L::mined(tx, spent))
            .collect(),
    };
    json.push("tx", txs);
    Ok(json)
}

fn stripped_size<L: Shown>(entry: &BlockEntry<L>) -> usize {
    let in_transactions = entry.transactions().iter().map(|tx| L::size(tx) - L::stripped_size(tx));
    L::block_bytes(&entry.block).len() - L::header_witness_size(&entry.block) - in_transactions.sum::<usize>()
}

fn header<L: Shown>(chain: &Chain<L>, entry: &BlockEntry<L>) -> Json {
    let active = chain.is_active(entry);
    let confirmations = if active {
        i64::from(chain.height() - entry.height) + 1
    } else {
        -1
    };
    let mut json = obj! {
        "hash" => Json::text(entry.hash),
        "confirmations" => confirmations,
        "height" => entry.height,
        "version" => L::block_version(&entry.block),
        "versionHex" => format!("{:08x}", L::block_version(&entry.block)),
        "merkleroot" => L::merkle_root(&entry.block),
        "time" => entry.time(),
        "mediantime" => entry.median_time,
    };
    L::describe_header(&mut json, entry);
    json.push("nTx", entry.transactions().len());
    if entry.height > 0 {
        json.push("previousblockhash", Json::text(entry.previous()));
    }
    if let Some(next) = chain.at(entry.height + 1).filter(|_| active) {
        json.push("nextblockhash", Json::text(next.hash));
    }
    json
}

/// Whether the tip is so old that the node must be catching up.
pub fn is_catching_up<L: Shown>(call: &Call<'_, L>) -> bool {
    let time = call.node.state.chain.tip().time();
    call.node.now().saturating_sub(u64::from(time)) > MAX_TIP_AGE
}

pub fn get_chain_tips<L: Shown>(call: &mut Call<'_, L>) -> Answer {
    let chain = &call.node.state.chain;
    let mut tips = chain.tips();
    if !tips.iter().any(|(tip, _)| tip.hash == chain.tip().hash) {
        tips.push((chain.tip().clone(), false));
    }
    tips.sort_by_key(|(tip, _)| std::cmp::Reverse(tip.height));
    let json = tips.into_iter().map(|(tip, invalid)| {
        let mut fork = tip.clone();
        while !chain.is_active(&fork) {
            fork = chain
                .entry(&fork.previous())
                .expect("a block arrives after its parent")
                .clone();
        }
        let status = match (chain.is_active(&tip), invalid) {
            (true, _) => "active",
            (false, true) => "invalid",
            (false, false) => "valid-fork",
        };
        obj! {
            "height" => tip.height,
            "hash" => Json::text(tip.hash),
            "branchlen" => tip.height - fork.height,
            "status" => status,
        }
    });
    Ok(json.collect())
}

pub fn get_tx_out<L: Shown>(call: &mut Call<'_, L>) -> Answer {
    let txid = call.args.hash(0, "txid")?;
    let Ok(vout) = u32::try_from(call.args.int(1, 0)?) else {
        return Ok(Json::Null);
    };
    let outpoint = L::outpoint(txid, vout);
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
    L::describe_coin(&mut json, &coin.output);
    json.push("scriptPubKey", decode::script::<L>(L::script(&coin.output)));
    json.push("coinbase", coin.coinbase);
    Ok(json)
}

fn known_block<L: Shown>(call: &Call<'_, L>) -> Result<L::BlockHash, RpcError> {
    Ok(entry(call, 0)?.hash)
}

pub fn invalidate_block<L: Shown>(call: &mut Call<'_, L>) -> Answer {
    let hash = known_block(call)?;
    if call.node.invalidate(&hash) {
        Ok(Json::Null)
    } else {
        Err(RpcError::new(MISC_ERROR, "cannot invalidate genesis"))
    }
}

pub fn reconsider_block<L: Shown>(call: &mut Call<'_, L>) -> Answer {
    let hash = known_block(call)?;
    call.node.reconsider(&hash);
    Ok(Json::Null)
}

/// Zero waits for ever.
fn timeout<L: Shown>(call: &Call<'_, L>, position: usize) -> Result<Option<Duration>, RpcError> {
    let millis = u64::try_from(call.args.int(position, 0)?);
    let millis = millis.map_err(|_| RpcError::new(MISC_ERROR, "Negative timeout"))?;
    Ok((millis > 0).then(|| Duration::from_millis(millis)))
}

pub fn wait_for_block_height<L: Shown>(call: &Call<'_, L>) -> Result<Wait<L>, RpcError> {
    let height = u32::try_from(call.args.int(0, 0)?).unwrap_or(0);
    Ok(Wait {
        until: Until::Height(height),
        timeout: timeout(call, 1)?,
    })
}

pub fn wait_for_new_block<L: Shown>(call: &Call<'_, L>) -> Result<Wait<L>, RpcError> {
    Ok(Wait {
        until: Until::NotTip(call.node.tip().hash),
        timeout: timeout(call, 0)?,
    })
}

pub fn wait_for_block<L: Shown>(call: &Call<'_, L>) -> Result<Wait<L>, RpcError> {
    let hash = call.args.hash(0, "blockhash")?;
    Ok(Wait {
        until: Until::Tip(hash),
        timeout: timeout(call, 1)?,
    })
}

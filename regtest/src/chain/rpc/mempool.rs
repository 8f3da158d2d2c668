//! Methods about waiting transactions (rpc/mempool.cpp, rpc/fees.cpp).

use super::super::mempool::{Mempool, MempoolEntry};
use super::super::policy::signals_replacement;
use super::args::parse_outpoint;
use super::error::{INVALID_ADDRESS_OR_KEY, INVALID_PARAMETER, RpcError};
use super::json::{Json, obj};
use super::{Answer, Call, Shown, decode};

/// Bytes that the pool may use; it never comes near.
const MAX_MEMPOOL: u64 = 300_000_000;
/// Longest horizon of fee estimates, blocks.
const MAX_CONF_TARGET: i64 = 1_008;

pub fn get_mempool_info<L: Shown>(call: &mut Call<'_, L>) -> Answer {
    let entries = call.node.state.mempool.in_order();
    let bytes: u64 = entries.iter().map(|entry| entry.vsize).sum();
    let fees: u64 = entries.iter().map(|entry| entry.fee_sat).sum();
    let usage: usize = entries.iter().map(|entry| L::size(&entry.tx)).sum();
    let mut json = obj! {
        "loaded" => true,
        "size" => entries.len(),
        "bytes" => bytes,
        "usage" => usage,
        "total_fee" => Json::btc(fees),
        "maxmempool" => MAX_MEMPOOL,
        "mempoolminfee" => Json::btc(call.node.market.admitted.unwrap_or(0).max(L::MIN_RELAY_FEE_RATE)),
        "minrelaytxfee" => Json::btc(L::MIN_RELAY_FEE_RATE),
        "unbroadcastcount" => entries.len(),
    };
    if L::is_modern(call.release) {
        json.push("incrementalrelayfee", Json::btc(L::INCREMENTAL_RELAY_FEE_RATE));
        json.push("fullrbf", !L::SIGNALLED_REPLACEMENT);
    }
    Ok(json)
}

pub fn get_raw_mempool<L: Shown>(call: &mut Call<'_, L>) -> Answer {
    let mempool = &call.node.state.mempool;
    let entries = mempool.in_order();
    if call.args.flag(0, false) {
        let described = entries
            .iter()
            .map(|entry| (entry.txid.to_string(), describe::<L>(mempool, entry)));
        return Ok(Json::Obj(described.collect()));
    }
    let txids: Json = entries.iter().map(|entry| Json::text(entry.txid)).collect();
    if call.args.flag(1, false) {
        return Ok(obj! { "txids" => txids, "mempool_sequence" => entries.len() });
    }
    Ok(txids)
}

pub fn get_mempool_entry<L: Shown>(call: &mut Call<'_, L>) -> Answer {
    let txid = call.args.hash(0, "txid")?;
    let mempool = &call.node.state.mempool;
    let entry = mempool.get(&txid);
    let entry = entry.ok_or_else(|| RpcError::new(INVALID_ADDRESS_OR_KEY, "Transaction not in mempool"))?;
    Ok(describe::<L>(mempool, entry))
}

fn describe<L: Shown>(mempool: &Mempool<L>, entry: &MempoolEntry<L>) -> Json {
    let mut with_self = mempool.ancestors(&entry.tx);
    with_self.insert(entry.txid);
    let ancestors = mempool.family(&with_self);
    let descendants = mempool.family(&mempool.descendants(&entry.txid));
    let texts = |txids: std::collections::BTreeSet<L::Txid>| -> Json { txids.into_iter().map(Json::text).collect() };
    let signals = |txid: &L::Txid| {
        mempool
            .get(txid)
            .is_some_and(|entry| signals_replacement::<L>(&entry.tx))
    };
    obj! {
        "vsize" => entry.vsize,
        "weight" => L::weight(&entry.tx),
        "time" => entry.time,
        "height" => entry.height,
        "descendantcount" => descendants.count,
        "descendantsize" => descendants.vsize,
        "ancestorcount" => ancestors.count,
        "ancestorsize" => ancestors.vsize,
        "wtxid" => Json::text(entry.wtxid),
        "fees" => obj! {
            "base" => Json::btc(entry.fee_sat),
            "modified" => Json::btc(entry.fee_sat),
            "ancestor" => Json::btc(ancestors.fee_sat),
            "descendant" => Json::btc(descendants.fee_sat),
        },
        "depends" => texts(mempool.parents(&entry.tx)),
        "spentby" => texts(mempool.children(&entry.txid)),
        "bip125-replaceable" => with_self.iter().any(signals),
        "unbroadcast" => true,
    }
}

pub fn get_tx_spending_prevout<L: Shown>(call: &mut Call<'_, L>) -> Answer {
    if call.args.array(0).is_empty() {
        return Err(RpcError::new(
            INVALID_PARAMETER,
            "Invalid parameter, outputs are missing",
        ));
    }
    let found = call.args.array(0).iter().map(|value| {
        let outpoint = parse_outpoint::<L>(value)?;
        let mut json = decode::outpoint::<L>(&outpoint);
        if let Some(spender) = call.node.state.mempool.spender(&outpoint) {
            json.push("spendingtxid", Json::text(spender));
        }
        Ok(json)
    });
    Ok(Json::Arr(found.collect::<Result<_, RpcError>>()?))
}

/// A chain with so few transactions has no estimate, as any idle regtest, unless a test says what miners take.
pub fn estimate_smart_fee<L: Shown>(call: &mut Call<'_, L>) -> Answer {
    let target = call.args.int(0, 0)?;
    if !(1..=MAX_CONF_TARGET).contains(&target) {
        let text = format!("Invalid conf_target, must be between 1 and {MAX_CONF_TARGET}");
        return Err(RpcError::new(INVALID_PARAMETER, text));
    }
    let mode = call.args.text(1).to_ascii_lowercase();
    if !["", "unset", "economical", "conservative"].contains(&mode.as_str()) {
        let text = "Invalid estimate_mode parameter, must be one of: \"unset\", \"economical\", \"conservative\"";
        return Err(RpcError::new(INVALID_PARAMETER, text));
    }
    if let Some(rate) = call.node.market.mined {
        return Ok(obj! { "feerate" => Json::btc(rate), "blocks" => target });
    }
    Ok(obj! { "errors" => vec!["Insufficient data or no feerate found"], "blocks" => 0 })
}

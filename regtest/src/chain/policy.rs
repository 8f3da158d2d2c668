//! What a node relays, beyond what blocks may hold: standard forms, dust, fees, replacement (policy/policy.cpp, policy/rbf.cpp).

use std::collections::BTreeSet;

use super::Ledger;
use super::blocks::is_unspendable;
use super::consensus::{Coin, Reject};
use super::mempool::Mempool;
use super::rpc::json::btc_text;

const MAX_STANDARD_WEIGHT: usize = 400_000;
const MIN_STANDARD_STRIPPED_SIZE: usize = 65;
const MAX_STANDARD_SCRIPT_SIG: usize = 1_650;
const MAX_STANDARD_VERSION: u32 = 3;
/// Transactions of this version may always be replaced (BIP 431).
const TRUC_VERSION: u32 = 3;
/// Largest OP_RETURN script, in bytes (`MAX_OP_RETURN_RELAY`).
const MAX_DATA_CARRIER: usize = 83;
const MAX_P2WSH_SCRIPT: usize = 3_600;
const MAX_P2WSH_ITEMS: usize = 100;
const MAX_P2WSH_ITEM: usize = 80;
const MAX_ANCESTORS: u64 = 25;
const MAX_FAMILY_VSIZE: u64 = 101_000;
const MAX_REPLACED: u64 = 100;

/// Fee for a size at a rate of sat per 1000 bytes, rounded up (`CFeeRate::GetFee`).
pub fn fee_for(rate: u64, size: u64) -> u64 {
    rate.saturating_mul(size).div_ceil(1_000)
}

/// Forms that nodes relay (`IsStandardTx`, and the size rule against CVE-2017-12842).
pub fn check_standard<L: Ledger>(tx: &L::Transaction) -> Result<(), Reject> {
    if !(1..=MAX_STANDARD_VERSION).contains(&L::version(tx)) {
        return Err(Reject::new("version"));
    }
    if L::weight(tx) > MAX_STANDARD_WEIGHT {
        return Err(Reject::new("tx-size"));
    }
    if L::inputs(tx)
        .iter()
        .any(|input| input.script_sig.len() > MAX_STANDARD_SCRIPT_SIG)
    {
        return Err(Reject::new("scriptsig-size"));
    }
    let outputs = L::outputs(tx);
    if !outputs.iter().all(is_standard_output::<L>) {
        return Err(Reject::new("scriptpubkey"));
    }
    if outputs.iter().filter(|output| is_dust::<L>(output)).count() > 1 {
        return Err(Reject::new("dust"));
    }
    let carries_data = |output: &&L::TxOut| L::script(output).is_op_return();
    if outputs.iter().filter(carries_data).count() > 1 {
        return Err(Reject::new("multi-op-return"));
    }
    if L::stripped_size(tx) < MIN_STANDARD_STRIPPED_SIZE {
        return Err(Reject::new("tx-size-small"));
    }
    Ok(())
}

fn is_standard_output<L: Ledger>(output: &L::TxOut) -> bool {
    let script = L::script(output);
    script.is_witness_program()
        || script.is_p2pkh()
        || script.is_p2sh()
        || script.is_p2pk()
        || (script.is_op_return() && script.len() <= MAX_DATA_CARRIER)
        || L::is_standard_too(script)
}

/// Whether an output is visibly worth less than spending it would cost. What is hidden is never dust.
fn is_dust<L: Ledger>(output: &L::TxOut) -> bool {
    let (script, Some(sat)) = (L::script(output), L::shown_sat(output)) else {
        return false;
    };
    !L::is_fee(output) && !is_unspendable(script) && sat < dust_threshold::<L>(output)
}

/// What an output must hold at least to be relayed, sat.
pub fn dust_threshold<L: Ledger>(output: &L::TxOut) -> u64 {
    // An input of 41 bytes and its signature, which counts a quarter in a witness.
    let spending = if L::script(output).is_witness_program() {
        41 + 107 / 4
    } else {
        41 + 107
    };
    fee_for(L::DUST_RELAY_FEE_RATE, (L::output_size(output) + spending) as u64)
}

/// Dust is let in only in a transaction without a fee (ephemeral dust), which the fee rule then refuses.
pub fn check_ephemeral_dust<L: Ledger>(tx: &L::Transaction, fee_sat: u64) -> Result<(), Reject> {
    if fee_sat > 0 && L::outputs(tx).iter().any(is_dust::<L>) {
        return Err(Reject::with("dust", "tx with dust output must be 0-fee"));
    }
    Ok(())
}

/// Witnesses that nodes relay (`IsWitnessStandard`).
pub fn check_standard_witnesses<L: Ledger>(tx: &L::Transaction, coins: &[Coin<L>]) -> Result<(), Reject> {
    let fits = L::inputs(tx).iter().zip(coins).all(|(input, coin)| {
        let Some((script, stack)) = input.witness.split_last() else {
            return true;
        };
        let program = L::script(&coin.output);
        if !program.is_witness_program() {
            return false;
        }
        !program.is_p2wsh()
            || (script.len() <= MAX_P2WSH_SCRIPT
                && stack.len() <= MAX_P2WSH_ITEMS
                && stack.iter().all(|item| item.len() <= MAX_P2WSH_ITEM))
    });
    if fits {
        Ok(())
    } else {
        Err(Reject::new("bad-witness-nonstandard"))
    }
}

/// The relay fee.
pub fn check_relay_fee<L: Ledger>(tx: &L::Transaction, fee_sat: u64) -> Result<(), Reject> {
    let needed = fee_for(L::MIN_RELAY_FEE_RATE, L::fee_vsize(tx));
    if fee_sat < needed {
        return Err(Reject::with("min relay fee not met", format!("{fee_sat} < {needed}")));
    }
    Ok(())
}

/// The fee that a full mempool asks for.
pub fn check_room<L: Ledger>(tx: &L::Transaction, fee_sat: u64, admitted: Option<u64>) -> Result<(), Reject> {
    let needed = fee_for(admitted.unwrap_or(0), L::fee_vsize(tx));
    if fee_sat < needed {
        return Err(Reject::with("mempool min fee not met", format!("{fee_sat} < {needed}")));
    }
    Ok(())
}

/// Limits on chains of waiting transactions.
pub fn check_family<L: Ledger>(
    tx: &L::Transaction,
    mempool: &Mempool<L>,
    replaced: &BTreeSet<L::Txid>,
) -> Result<(), Reject> {
    let ancestors = mempool.ancestors(tx);
    let too_long = |detail: String| Reject::with("too-long-mempool-chain", detail);
    let family = mempool.family(&ancestors);
    let vsize = L::vsize(tx);
    if family.vsize + vsize > MAX_FAMILY_VSIZE {
        return Err(too_long(format!(
            "exceeds ancestor size limit [limit: {MAX_FAMILY_VSIZE}]"
        )));
    }
    if family.count + 1 > MAX_ANCESTORS {
        return Err(too_long(format!(
            "too many unconfirmed ancestors [limit: {MAX_ANCESTORS}]"
        )));
    }
    for ancestor in &ancestors {
        let descendants = mempool.descendants(ancestor);
        let family = mempool.family(descendants.difference(replaced));
        if family.count + 1 > MAX_ANCESTORS {
            return Err(too_long(format!(
                "too many descendants for tx {ancestor} [limit: {MAX_ANCESTORS}]"
            )));
        }
        if family.vsize + vsize > MAX_FAMILY_VSIZE {
            return Err(too_long(format!(
                "exceeds descendant size limit for tx {ancestor} [limit: {MAX_FAMILY_VSIZE}]"
            )));
        }
    }
    Ok(())
}

/// The waiting transactions that this one would replace directly.
///
/// # Errors
/// `txn-mempool-conflict` if one of them did not signal that it may be replaced (BIP 125).
pub fn direct_conflicts<L: Ledger>(tx: &L::Transaction, mempool: &Mempool<L>) -> Result<BTreeSet<L::Txid>, Reject> {
    let conflicts: BTreeSet<_> = L::inputs(tx)
        .iter()
        .filter_map(|input| mempool.spender(&input.previous))
        .collect();
    for entry in conflicts.iter().filter_map(|txid| mempool.get(txid)) {
        if L::SIGNALLED_REPLACEMENT && !signals_replacement::<L>(&entry.tx) && L::version(&entry.tx) != TRUC_VERSION {
            return Err(Reject::new("txn-mempool-conflict"));
        }
    }
    Ok(conflicts)
}

/// Whether an input of a transaction says that it may be replaced (BIP 125).
pub fn signals_replacement<L: Ledger>(tx: &L::Transaction) -> bool {
    L::inputs(tx).iter().any(|input| input.sequence < u32::MAX - 1)
}

/// The rules of replacement (BIP 125 rules 2 to 6). Sizes are undiscounted here: on Liquid a hidden output pays for all its
/// bytes.
///
/// Returns everything that goes when this transaction comes.
pub fn check_replacement<L: Ledger>(
    tx: &L::Transaction,
    fee_sat: u64,
    direct: &BTreeSet<L::Txid>,
    mempool: &Mempool<L>,
) -> Result<BTreeSet<L::Txid>, Reject> {
    let txid = L::txid(tx);
    if let Some(ancestor) = mempool.ancestors(tx).intersection(direct).next() {
        let detail = format!("{txid} spends conflicting transaction {ancestor}");
        return Err(Reject::with("bad-txns-spends-conflicting-tx", detail));
    }
    let vsize = L::vsize(tx);
    let refuse = |detail: String| Reject::with("insufficient fee", format!("rejecting replacement {txid}{detail}"));
    for old in direct.iter().filter_map(|txid| mempool.get(txid)) {
        let (new_rate, old_rate) = (rate(fee_sat, vsize), rate(old.fee_sat, old.vsize));
        if new_rate <= old_rate {
            return Err(refuse(format!(
                "; new feerate {} <= old feerate {}",
                rate_text(new_rate),
                rate_text(old_rate)
            )));
        }
    }
    let all: BTreeSet<_> = direct.iter().flat_map(|txid| mempool.descendants(txid)).collect();
    let gone = mempool.family(&all);
    if gone.count > MAX_REPLACED {
        let detail = format!(
            "rejecting replacement {txid}; too many potential replacements ({} > {MAX_REPLACED})",
            gone.count
        );
        return Err(Reject::with("too many potential replacements", detail));
    }
    check_no_new_unconfirmed(tx, direct, mempool)?;
    let Some(more) = fee_sat.checked_sub(gone.fee_sat) else {
        let detail = format!(
            ", less fees than conflicting txs; {} < {}",
            money(fee_sat),
            money(gone.fee_sat)
        );
        return Err(refuse(detail));
    };
    let needed = fee_for(L::INCREMENTAL_RELAY_FEE_RATE, vsize);
    if more < needed {
        let detail = format!(
            ", not enough additional fees to relay; {} < {}",
            money(more),
            money(needed)
        );
        return Err(refuse(detail));
    }
    Ok(all)
}

fn check_no_new_unconfirmed<L: Ledger>(
    tx: &L::Transaction,
    direct: &BTreeSet<L::Txid>,
    mempool: &Mempool<L>,
) -> Result<(), Reject> {
    let old_parents: BTreeSet<L::Txid> = direct
        .iter()
        .filter_map(|txid| mempool.get(txid))
        .flat_map(|entry| {
            L::inputs(&entry.tx)
                .into_iter()
                .map(|input| L::outpoint_txid(&input.previous))
        })
        .collect();
    for (index, input) in L::inputs(tx).iter().enumerate() {
        let parent = L::outpoint_txid(&input.previous);
        if !old_parents.contains(&parent) && mempool.get(&parent).is_some() {
            let detail = format!("replacement {} adds unconfirmed input, idx {index}", L::txid(tx));
            return Err(Reject::with("replacement-adds-unconfirmed", detail));
        }
    }
    Ok(())
}

/// Sat per 1000 bytes, rounded down.
pub fn rate(fee_sat: u64, size: u64) -> u64 {
    fee_sat.saturating_mul(1_000) / size.max(1)
}

fn rate_text(rate: u64) -> String {
    format!("{} BTC/kvB", btc_text(i128::from(rate)))
}

/// `FormatMoney`: at least two decimals, no needless zeros after them.
pub fn money(sat: u64) -> String {
    let text = btc_text(i128::from(sat));
    let kept = text.trim_end_matches('0').len().max(text.len() - 6);
    text[..kept].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_keeps_two_decimals_and_no_needless_zeros() {
        assert_eq!(money(33), "0.00000033");
        assert_eq!(money(100_000_000), "1.00");
        assert_eq!(money(120_000), "0.0012");
    }

    #[test]
    fn fees_are_rounded_up() {
        assert_eq!(fee_for(100, 230), 23);
        assert_eq!(fee_for(100, 231), 24);
        assert_eq!(fee_for(100, 0), 0);
    }
}

//! Which coins pay for an output, at what fee, with what change. Pure.

use bitcoin::consensus::deserialize;
use bitcoin::transaction::{InputWeightPrediction, predict_weight};
use bitcoin::{Amount, ScriptBuf, Transaction};

use super::Coin;
use crate::swap::state::Opening;
use crate::units::{FeeRate, OutPoint};

/// Length of the change's script: a version 0 witness of a key's hash.
pub(super) const CHANGE_SCRIPT: usize = 22;
/// The least that such an output may hold to be relayed (Bitcoin Core src/policy/policy.cpp, `GetDustThreshold`).
pub(super) const DUST: Amount = Amount::from_sat(294);

/// What is to be paid.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// The output's value.
    pub(super) amount: Amount,
    /// The length of its script in bytes.
    pub(super) script: usize,
    /// The fee per size.
    pub(super) rate: FeeRate,
    /// What the wallet must have left, change included.
    pub(super) kept: Amount,
}

/// What pays for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Selection {
    pub(super) coins: Vec<Coin>,
    pub(super) fee: Amount,
    /// What comes back; None where it would be dust, which the fee has then.
    pub(super) change: Option<Amount>,
    /// Virtual bytes of the signed transaction at most.
    pub(super) vsize: u64,
}

/// Chooses the smallest single coin that suffices, so that large ones stay free for other swaps; else as few as possible.
/// None if all of them do not suffice.
pub(super) fn select(free: &[Coin], wanted: &Wanted) -> Option<Selection> {
    let all = sum(free.iter())?;
    let mut coins: Vec<&Coin> = free.iter().filter(|coin| pays_for_itself(coin, wanted.rate)).collect();
    coins.sort_by_key(|coin| coin.value());
    let paid_by = |with_change| {
        let single = coins.chunks(1).find_map(|set| pay(set, wanted, all, with_change));
        single.or_else(|| {
            let largest = (0..coins.len()).rev().map(|from| &coins[from..]);
            largest.into_iter().find_map(|set| pay(set, wanted, all, with_change))
        })
    };
    paid_by(true).or_else(|| paid_by(false))
}

/// These coins as payment, of `all` that there is; None if they do not suffice, or would leave too little.
fn pay(set: &[&Coin], wanted: &Wanted, all: Amount, with_change: bool) -> Option<Selection> {
    let rest = sum(set.iter().copied())?.checked_sub(wanted.amount)?;
    let scripts = [wanted.script, CHANGE_SCRIPT];
    let scripts = if with_change { &scripts[..] } else { &scripts[..1] };
    let vsize = vsize(set.iter().copied(), scripts)?;
    let least = wanted.rate.fee(vsize);
    let (fee, change) = if with_change {
        (least, Some(rest.checked_sub(least).filter(|change| *change >= DUST)?))
    } else {
        (Some(rest).filter(|rest| *rest >= least)?, None)
    };
    let left = all.checked_sub(wanted.amount)?.checked_sub(fee)?;
    (left >= wanted.kept).then(|| Selection {
        coins: set.iter().map(|coin| (*coin).clone()).collect(),
        fee,
        change,
        vsize,
    })
}

/// The change of an opening that this wallet has made: what stands beside the swap's output.
pub(super) fn change_of(opening: &Opening) -> Result<Option<Coin>, String> {
    let tx: Transaction = deserialize(&opening.tx.0).map_err(|error| format!("the opening is none: {error}"))?;
    let mut rest = (0..).zip(tx.output).filter(|(vout, _)| *vout != opening.outpoint.vout);
    Ok(rest.next().map(|(vout, output)| Coin {
        outpoint: OutPoint {
            txid: opening.outpoint.txid,
            vout,
        },
        output,
    }))
}

/// Whether a coin holds more than it costs to spend it alone.
fn pays_for_itself(coin: &Coin, rate: FeeRate) -> bool {
    vsize(std::iter::once(coin), &[]).is_some_and(|vsize| coin.value() > rate.fee(vsize))
}

pub(super) fn sum<'a>(mut coins: impl Iterator<Item = &'a Coin>) -> Option<Amount> {
    coins.try_fold(Amount::ZERO, |sum, coin| sum.checked_add(coin.value()))
}

/// Virtual size of a signed transaction with these inputs and output scripts of these lengths, at most; None if an input
/// is of another kind than [`is_usable`] allows.
pub(super) fn vsize<'a>(inputs: impl Iterator<Item = &'a Coin>, scripts: &[usize]) -> Option<u64> {
    let inputs: Option<Vec<_>> = inputs.map(|coin| prediction(&coin.output.script_pubkey)).collect();
    Some(predict_weight(inputs?, scripts.iter().copied()).to_vbytes_ceil())
}

/// Whether a coin may be spent by an opening: whose input has no scriptSig, so that nobody can change the id of the
/// transaction that the peer was told. (That of a nested one can be written in another way by a miner.)
pub(super) fn is_usable(script: &ScriptBuf) -> bool {
    prediction(script).is_some()
}

fn prediction(script: &ScriptBuf) -> Option<InputWeightPrediction> {
    if script.is_p2wpkh() {
        Some(InputWeightPrediction::P2WPKH_MAX)
    } else if script.is_p2tr() {
        Some(InputWeightPrediction::P2TR_KEY_DEFAULT_SIGHASH)
    } else {
        None
    }
}

//! Chooses coins, adds change and the fee output (`fundrawtransaction`, `sendtoaddress`).

use bitcoin::Sequence;
use rand::Rng;
use rand::rngs::OsRng;

use super::super::Ledger;
use super::super::policy::fee_for;
use super::WalletError;
use super::view::{Spendable, View};

/// Bytes of a signature with its hash type; ours have low R and S.
const SIGNATURE_LEN: usize = 71;
const PUBLIC_KEY_LEN: usize = 33;
/// Rate at which change that is not worth spending goes to the fee (`DEFAULT_DISCARD_FEE`), sat per 1000 vbytes.
const DISCARD_RATE: u64 = 10_000;
/// Highest fee of one transaction (`DEFAULT_TRANSACTION_MAXFEE`), sat: 0.1 BTC.
const MAX_FEE_SAT: u64 = 10_000_000;
/// Vbytes of an input that spends change.
const CHANGE_INPUT_VSIZE: u64 = 68;

/// How to fund.
#[derive(Clone, Debug)]
pub struct FundOptions<L: Ledger> {
    /// Sat per 1000 vbytes as fees count them.
    pub fee_rate: u64,
    /// Where the change goes among the outputs; at random if absent.
    pub change_position: Option<usize>,
    /// Where the change is paid; to a fresh address of ours if absent.
    pub change: Option<L::Recipient>,
    /// Whether to lock the chosen coins.
    pub lock: bool,
    /// Whether unconfirmed coins from others may be used.
    pub include_unsafe: bool,
    /// Whether coins may be added to those the transaction spends already.
    pub add_inputs: bool,
    /// Sequence number of the added inputs.
    pub sequence: Sequence,
    /// Outputs that pay the fee in equal parts instead of the change.
    pub subtract_fee_from: Vec<usize>,
}

impl<L: Ledger> FundOptions<L> {
    /// Defaults at this rate, in sat per 1000 vbytes as fees count them.
    pub fn at_rate(fee_rate: u64) -> Self {
        Self {
            fee_rate,
            change_position: None,
            change: None,
            lock: false,
            include_unsafe: false,
            add_inputs: true,
            sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
            subtract_fee_from: Vec::new(),
        }
    }
}

/// A funded transaction: nothing of it is hidden or signed yet.
#[derive(Clone, Debug)]
pub struct Funded<L: Ledger> {
    /// The transaction.
    pub tx: L::Transaction,
    /// Its fee, sat.
    pub fee_sat: u64,
    /// Index of the change output.
    pub change_position: Option<usize>,
}

/// A choice of coins with its outcome.
struct Choice {
    fee_sat: u64,
    change_sat: u64,
}

impl<L: Ledger> View<'_, L> {
    /// Chooses coins for a transaction's outputs.
    ///
    /// # Errors
    /// Insufficient funds, or outputs in an asset that the wallet does not fund.
    pub fn fund(
        &self,
        mut tx: L::Transaction,
        options: &FundOptions<L>,
        change: L::Recipient,
    ) -> Result<Funded<L>, WalletError> {
        L::outputs_mut(&mut tx).retain(|output| !L::is_fee(output));
        let target = target_sat::<L>(&tx)?;
        if options
            .change_position
            .is_some_and(|position| position > L::outputs(&tx).len())
        {
            return Err(WalletError::InvalidParameter("changePosition out of bounds".into()));
        }
        let mut sum = self.preset_sat(&tx)?;
        let mut choice = evaluate(&tx, sum, target, options, &change);
        if choice.is_none() && options.add_inputs {
            for coin in self.selection(&tx, sum, target, options) {
                sum += L::sat(&coin.coin.contents);
                L::add_input(&mut tx, coin.outpoint, options.sequence.0);
                choice = evaluate(&tx, sum, target, options, &change);
                if choice.is_some() {
                    break;
                }
            }
        }
        let choice = choice.ok_or(WalletError::InsufficientFunds)?;
        if choice.fee_sat > MAX_FEE_SAT {
            let text = "Fee exceeds maximum configured by user (e.g. -maxtxfee, maxfeerate)";
            return Err(WalletError::Other(text.into()));
        }
        finish(tx, choice, options, change)
    }

    fn preset_sat(&self, tx: &L::Transaction) -> Result<u64, WalletError> {
        L::inputs(tx).iter().try_fold(0_u64, |sum, input| {
            let at = &input.previous;
            let value = match self.wallet.coin(at) {
                Some(coin) => Some(L::sat(&coin.contents)),
                None => self.state.chain.coin(at).and_then(|coin| L::shown_sat(&coin.output)),
            };
            let value = value.ok_or(WalletError::InsufficientFunds)?;
            sum.checked_add(value).ok_or(WalletError::InsufficientFunds)
        })
    }

    /// Coins in the order to take them: one that suffices alone if there is one, the smallest such; else the largest first.
    /// Unconfirmed change is used only when the confirmed coins do not suffice.
    fn selection(&self, tx: &L::Transaction, sum: u64, target: u64, options: &FundOptions<L>) -> Vec<Spendable<L>> {
        let preset: Vec<_> = L::inputs(tx).iter().map(|input| input.previous).collect();
        let usable = |coin: &Spendable<L>| {
            L::asset(&coin.coin.contents) == L::policy_asset()
                && !coin.immature
                && (coin.trusted || options.include_unsafe)
                && !self.wallet.locked().contains_key(&coin.outpoint)
                && !preset.contains(&coin.outpoint)
        };
        let coins: Vec<_> = self.unspent().into_iter().filter(usable).collect();
        let confirmed: Vec<_> = coins.iter().filter(|coin| coin.confirmations > 0).cloned().collect();
        let needed = target.saturating_sub(sum);
        if confirmed.iter().map(|coin| L::sat(&coin.coin.contents)).sum::<u64>()
            > needed + fee_for(options.fee_rate, 10_000)
        {
            ordered(confirmed, needed, tx, options)
        } else {
            ordered(coins, needed, tx, options)
        }
    }
}

fn ordered<L: Ledger>(
    mut coins: Vec<Spendable<L>>,
    needed: u64,
    tx: &L::Transaction,
    options: &FundOptions<L>,
) -> Vec<Spendable<L>> {
    coins.sort_unstable_by_key(|coin| (L::sat(&coin.coin.contents), coin.outpoint));
    let with_one = size_with::<L>(tx, 1, true);
    let enough = needed.saturating_add(fee_for(options.fee_rate, with_one));
    if let Some(single) = coins.iter().position(|coin| L::sat(&coin.coin.contents) >= enough) {
        let single = coins.swap_remove(single);
        return vec![single];
    }
    coins.reverse();
    coins
}

fn target_sat<L: Ledger>(tx: &L::Transaction) -> Result<u64, WalletError> {
    L::outputs(tx).iter().try_fold(0_u64, |sum, output| {
        let Some(contents) = L::shown_contents(output) else {
            return Err(WalletError::InvalidParameter("All outputs must be explicit".into()));
        };
        if L::asset(&contents) != L::policy_asset() {
            return Err(WalletError::InsufficientFunds);
        }
        sum.checked_add(L::sat(&contents)).ok_or(WalletError::InsufficientFunds)
    })
}

/// What is left for fee and change with these inputs; `None` if they do not suffice.
fn evaluate<L: Ledger>(
    tx: &L::Transaction,
    sum: u64,
    target: u64,
    options: &FundOptions<L>,
    change: &L::Recipient,
) -> Option<Choice> {
    let fee_alone = fee_for(options.fee_rate, size_with::<L>(tx, 0, false));
    let mut with_change = tx.clone();
    L::outputs_mut(&mut with_change).push(L::pay(change, 1));
    let fee_changed = fee_for(options.fee_rate, size_with::<L>(&with_change, 0, false));
    if !options.subtract_fee_from.is_empty() {
        let change_sat = sum.checked_sub(target)?;
        return Some(if change_sat > least_change::<L>() {
            Choice {
                fee_sat: fee_changed,
                change_sat,
            }
        } else {
            Choice {
                fee_sat: fee_alone + change_sat,
                change_sat: 0,
            }
        });
    }
    let left = sum.checked_sub(target)?;
    match left.checked_sub(fee_changed) {
        Some(change_sat) if change_sat > least_change::<L>() => Some(Choice {
            fee_sat: fee_changed,
            change_sat,
        }),
        _ if left >= fee_alone => Some(Choice {
            fee_sat: left,
            change_sat: 0,
        }),
        _ => None,
    }
}

/// Change below what it costs to make and spend goes to the fee.
fn least_change<L: Ledger>() -> u64 {
    fee_for(DISCARD_RATE, L::CHANGE_OUTPUT_VSIZE + CHANGE_INPUT_VSIZE)
}

fn finish<L: Ledger>(
    mut tx: L::Transaction,
    choice: Choice,
    options: &FundOptions<L>,
    change: L::Recipient,
) -> Result<Funded<L>, WalletError> {
    subtract_fee::<L>(&mut tx, &choice, options)?;
    let mut change_position = None;
    if choice.change_sat > 0 {
        let position = options
            .change_position
            .unwrap_or_else(|| OsRng.gen_range(0..=L::outputs(&tx).len()));
        L::outputs_mut(&mut tx).insert(position, L::pay(&change, choice.change_sat));
        change_position = Some(position);
    }
    L::outputs_mut(&mut tx).extend(L::fee_output(choice.fee_sat));
    Ok(Funded {
        tx,
        fee_sat: choice.fee_sat,
        change_position,
    })
}

/// Takes the fee from the named outputs in equal parts, the first one paying what does not divide.
fn subtract_fee<L: Ledger>(
    tx: &mut L::Transaction,
    choice: &Choice,
    options: &FundOptions<L>,
) -> Result<(), WalletError> {
    let payers = options.subtract_fee_from.len() as u64;
    for (position, index) in options.subtract_fee_from.iter().enumerate() {
        let share = choice.fee_sat / payers + if position == 0 { choice.fee_sat % payers } else { 0 };
        let output = L::outputs_mut(tx)
            .get_mut(*index)
            .ok_or(WalletError::InsufficientFunds)?;
        let left = L::shown_sat(output)
            .and_then(|value| value.checked_sub(share))
            .filter(|left| *left > 0);
        let text = "The transaction amount is too small to pay the fee";
        L::set_sat(output, left.ok_or_else(|| WalletError::Other(text.into()))?);
    }
    Ok(())
}

/// Size of the finished transaction as its fee counts it: hidden outputs count as if they showed what they hold, so
/// nothing has to be hidden to know it. `more` inputs, a change output and the fee output are added.
fn size_with<L: Ledger>(tx: &L::Transaction, more: usize, change: bool) -> u64 {
    let mut dummy = tx.clone();
    let outputs = L::outputs_mut(&mut dummy);
    for output in outputs.iter_mut() {
        *output = L::unhidden(output);
    }
    outputs.extend(L::fee_output(1));
    for vout in 0..more {
        let somewhere = L::outpoint(L::txid(tx), vout as u32);
        L::add_input(&mut dummy, somewhere, u32::MAX);
    }
    for index in 0..L::inputs(&dummy).len() {
        L::set_witness(&mut dummy, index, vec![vec![0; SIGNATURE_LEN], vec![0; PUBLIC_KEY_LEN]]);
    }
    let change = if change { L::CHANGE_OUTPUT_VSIZE } else { 0 };
    L::fee_vsize(&dummy) + change
}

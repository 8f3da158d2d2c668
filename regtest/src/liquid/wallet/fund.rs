//! Chooses coins, adds change and the fee output (`fundrawtransaction`, `sendtoaddress`).

use elements::confidential::{Nonce, Value};
use elements::{OutPoint, Script, Sequence, Transaction, TxIn, TxOut};
use rand::Rng;
use rand::rngs::OsRng;

use super::super::params::{explicit_output, policy_asset};
use super::super::policy::fee_for;
use super::view::{Spendable, View};
use super::{Wallet, WalletError};

/// Bytes of a signature with its hash type; ours have low R and S.
const SIGNATURE_LEN: usize = 71;
const PUBLIC_KEY_LEN: usize = 33;
/// Rate at which change that is not worth spending goes to the fee (`DEFAULT_DISCARD_FEE`), sat per 1000 vbytes.
const DISCARD_RATE: u64 = 10_000;
/// Highest fee of one transaction (`DEFAULT_TRANSACTION_MAXFEE`), sat: 0.1 BTC.
const MAX_FEE_SAT: u64 = 10_000_000;
/// Vbytes of an input that spends change.
const CHANGE_INPUT_VSIZE: u64 = 68;
/// Vbytes of a P2WPKH change output as ELIP-200 counts it, with its own share of the output count.
const CHANGE_OUTPUT_VSIZE: u64 = 66;

/// How to fund.
#[derive(Clone, Debug)]
pub struct FundOptions {
    /// Sat per 1000 discounted vbytes.
    pub fee_rate: u64,
    /// Where the change goes among the outputs; at random if absent.
    pub change_position: Option<usize>,
    /// Where the change is paid; to a fresh address of ours if absent. The key hides it.
    pub change: Option<Recipient>,
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

impl FundOptions {
    /// Defaults at this rate, in sat per 1000 discounted vbytes.
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

/// A script to pay, and the key to hide the output with.
pub type Recipient = (Script, Nonce);

/// A funded transaction: its keys still in the nonces, nothing hidden or signed yet.
#[derive(Clone, Debug)]
pub struct Funded {
    /// The transaction.
    pub tx: Transaction,
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

impl View<'_> {
    /// Chooses coins for a transaction's outputs.
    ///
    /// # Errors
    /// Insufficient funds, or outputs in an asset that the wallet does not fund.
    pub fn fund(&self, mut tx: Transaction, options: &FundOptions, change: Recipient) -> Result<Funded, WalletError> {
        tx.output.retain(|output| !output.is_fee());
        let target = target_sat(&tx)?;
        if options
            .change_position
            .is_some_and(|position| position > tx.output.len())
        {
            return Err(WalletError::InvalidParameter("changePosition out of bounds".into()));
        }
        let mut sum = self.preset_sat(&tx)?;
        let mut choice = evaluate(&tx, sum, target, options, &change);
        if choice.is_none() && options.add_inputs {
            for coin in self.selection(&tx, sum, target, options) {
                sum += coin.coin.secrets.value;
                tx.input.push(input_of(coin.outpoint, options.sequence));
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

    fn preset_sat(&self, tx: &Transaction) -> Result<u64, WalletError> {
        tx.input.iter().try_fold(0_u64, |sum, input| {
            let at = &input.previous_output;
            let value = match self.wallet.coin(at) {
                Some(coin) => Some(coin.secrets.value),
                None => self.state.chain.coin(at).and_then(|coin| coin.output.value.explicit()),
            };
            let value = value.ok_or(WalletError::InsufficientFunds)?;
            sum.checked_add(value).ok_or(WalletError::InsufficientFunds)
        })
    }

    /// Coins in the order to take them: one that suffices alone if there is one, the smallest such; else the largest first.
    /// Unconfirmed change is used only when the confirmed coins do not suffice.
    fn selection(&self, tx: &Transaction, sum: u64, target: u64, options: &FundOptions) -> Vec<Spendable> {
        let preset: Vec<_> = tx.input.iter().map(|input| input.previous_output).collect();
        let usable = |coin: &Spendable| {
            coin.coin.secrets.asset == policy_asset()
                && !coin.immature
                && (coin.trusted || options.include_unsafe)
                && !self.wallet.locked().contains_key(&coin.outpoint)
                && !preset.contains(&coin.outpoint)
        };
        let coins: Vec<_> = self.unspent().into_iter().filter(usable).collect();
        let confirmed: Vec<_> = coins.iter().filter(|coin| coin.confirmations > 0).cloned().collect();
        let needed = target.saturating_sub(sum);
        if confirmed.iter().map(|coin| coin.coin.secrets.value).sum::<u64>()
            > needed + fee_for(options.fee_rate, 10_000)
        {
            ordered(confirmed, needed, tx, options)
        } else {
            ordered(coins, needed, tx, options)
        }
    }
}

fn ordered(mut coins: Vec<Spendable>, needed: u64, tx: &Transaction, options: &FundOptions) -> Vec<Spendable> {
    coins.sort_unstable_by_key(|coin| (coin.coin.secrets.value, coin.outpoint));
    let with_one = size_with(tx, 1, true);
    let enough = needed.saturating_add(fee_for(options.fee_rate, with_one));
    if let Some(single) = coins.iter().position(|coin| coin.coin.secrets.value >= enough) {
        let single = coins.swap_remove(single);
        return vec![single];
    }
    coins.reverse();
    coins
}

fn target_sat(tx: &Transaction) -> Result<u64, WalletError> {
    tx.output.iter().try_fold(0_u64, |sum, output| {
        let (Some(value), Some(asset)) = (output.value.explicit(), output.asset.explicit()) else {
            return Err(WalletError::InvalidParameter("All outputs must be explicit".into()));
        };
        if asset != policy_asset() {
            return Err(WalletError::InsufficientFunds);
        }
        sum.checked_add(value).ok_or(WalletError::InsufficientFunds)
    })
}

/// What is left for fee and change with these inputs; `None` if they do not suffice.
fn evaluate(tx: &Transaction, sum: u64, target: u64, options: &FundOptions, change: &Recipient) -> Option<Choice> {
    let fee_alone = fee_for(options.fee_rate, size_with(tx, 0, false));
    let mut with_change = tx.clone();
    with_change.output.push(change_output(change, 1));
    let fee_changed = fee_for(options.fee_rate, size_with(&with_change, 0, false));
    if !options.subtract_fee_from.is_empty() {
        let change_sat = sum.checked_sub(target)?;
        return Some(if change_sat > least_change() {
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
        Some(change_sat) if change_sat > least_change() => Some(Choice {
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
fn least_change() -> u64 {
    fee_for(DISCARD_RATE, CHANGE_OUTPUT_VSIZE + CHANGE_INPUT_VSIZE)
}

fn finish(
    mut tx: Transaction,
    choice: Choice,
    options: &FundOptions,
    change: Recipient,
) -> Result<Funded, WalletError> {
    subtract_fee(&mut tx, &choice, options)?;
    let mut change_position = None;
    if choice.change_sat > 0 {
        let position = options
            .change_position
            .unwrap_or_else(|| OsRng.gen_range(0..=tx.output.len()));
        tx.output.insert(position, change_output(&change, choice.change_sat));
        change_position = Some(position);
    }
    tx.output.push(TxOut::new_fee(choice.fee_sat, policy_asset()));
    Ok(Funded {
        tx,
        fee_sat: choice.fee_sat,
        change_position,
    })
}

/// Takes the fee from the named outputs in equal parts, the first one paying what does not divide.
fn subtract_fee(tx: &mut Transaction, choice: &Choice, options: &FundOptions) -> Result<(), WalletError> {
    let payers = options.subtract_fee_from.len() as u64;
    for (position, index) in options.subtract_fee_from.iter().enumerate() {
        let share = choice.fee_sat / payers + if position == 0 { choice.fee_sat % payers } else { 0 };
        let output = tx.output.get_mut(*index).ok_or(WalletError::InsufficientFunds)?;
        let left = output
            .value
            .explicit()
            .and_then(|value| value.checked_sub(share))
            .filter(|left| *left > 0);
        let text = "The transaction amount is too small to pay the fee";
        output.value = Value::Explicit(left.ok_or_else(|| WalletError::Other(text.into()))?);
    }
    Ok(())
}

fn change_output((script, nonce): &Recipient, sat: u64) -> TxOut {
    TxOut {
        nonce: *nonce,
        ..explicit_output(policy_asset(), sat, script.clone())
    }
}

/// An input that spends this output.
pub(super) fn input_of(outpoint: OutPoint, sequence: Sequence) -> TxIn {
    TxIn {
        previous_output: outpoint,
        sequence,
        ..TxIn::default()
    }
}

/// Discounted size of the finished transaction: hidden outputs count as if they showed what they hold, so nothing has
/// to be hidden to know it. `more` inputs, a change output and the fee output are added.
fn size_with(tx: &Transaction, more: usize, change: bool) -> u64 {
    let mut dummy = tx.clone();
    for output in &mut dummy.output {
        output.nonce = Nonce::Null;
    }
    if change {
        dummy
            .output
            .push(explicit_output(policy_asset(), 1, Script::from(vec![0; 22])));
    }
    dummy.output.push(TxOut::new_fee(1, policy_asset()));
    dummy
        .input
        .extend((0..more).map(|_| input_of(OutPoint::default(), Sequence::MAX)));
    for input in &mut dummy.input {
        input.witness.script_witness = vec![vec![0; SIGNATURE_LEN], vec![0; PUBLIC_KEY_LEN]].into();
    }
    dummy.discount_vsize() as u64
}

impl Wallet {
    /// Remembers what hidden outputs of our own making hold, so that later views can name amounts.
    pub fn remember_made(
        &mut self,
        tx: &Transaction,
        before: &Transaction,
        hidden: &[(usize, elements::TxOutSecrets)],
    ) {
        for (index, secrets) in hidden {
            let key = before.output.get(*index).and_then(|output| output.nonce.commitment());
            if let (Some(output), Some(key)) = (tx.output.get(*index), key) {
                self.made.insert(output.value, (*secrets, key));
            }
        }
    }
}

//! A daemon's wallet on one chain. Its coins' signatures are stood in for; sizes, fees, amounts and locks are real, and
//! so is everything of the opening's output.

use std::collections::BTreeSet;

use async_trait::async_trait;
use bitcoin::hashes::Hash;
use bitcoin::{Amount, ScriptBuf, WPubkeyHash};
use elements::secp256k1_zkp::SECP256K1;
use sluice::ports::{PortError, SendError, Wallet, WalletBalance};
use sluice::swap::state::{Claim, Opening, TxCost};
use sluice::swap::terms::Payout;
use sluice::tx::OpeningOutput;
use sluice::units::{Asset, FeeRate, OutPoint, RawTx, SwapSecret, TxId};

use crate::assemble::{Paying, assemble, public};
use crate::ledger::Ledger;
use crate::port::{Manner, Port};
use crate::prices::increment;
use crate::txs::{self, Output, Tx};
use crate::world::{Backend, State, Who};

/// What a change is worth at least.
const LEAST_CHANGE: Amount = Amount::from_sat(1_000);
/// The coins that a wallet begins with, and what each holds.
const COINS: u8 = 60;
const COIN: Amount = Amount::from_sat(3_000_000);

/// A script of a wallet.
#[derive(Debug, Clone)]
pub struct Owned {
    pub who: Who,
    /// What opens outputs to it: on Liquid, where outputs are confidential.
    pub blinding: Option<SwapSecret>,
}

impl Owned {
    /// The value of an output to this script.
    pub fn open(&self, output: &Output) -> Option<Amount> {
        let (key, liquid) = (self.blinding.as_ref()?, output.liquid.as_ref()?);
        let key = bitcoin::secp256k1::SecretKey::from_slice(key.expose()).unwrap();
        liquid
            .unblind(SECP256K1, key)
            .ok()
            .map(|secrets| Amount::from_sat(secrets.value))
    }
}

pub struct SimWallet {
    pub port: Port,
    pub asset: Asset,
}

/// The number of scripts that were made already is in the script, so that none comes twice.
fn new_payout(ledger: &mut Ledger, asset: Asset, who: Who) -> Payout {
    let mut program = [0; 20];
    let number = ledger.next_script();
    program[0] = who.index() as u8 + 1;
    program[1] = asset as u8;
    program[12..].copy_from_slice(&number.to_be_bytes());
    let script = ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array(program));
    let mut secret = [7; 32];
    secret[12..].copy_from_slice(&program);
    let blinding = ledger.confidential.then(|| SwapSecret::from_bytes(secret));
    let blinding_key = blinding.as_ref().map(public);
    ledger.own(script.clone(), Owned { who, blinding });
    Payout {
        address: format!("{asset} {who:?} {number}"),
        script,
        blinding_key,
    }
}

/// Gives each wallet its first coins, and tells how much that is in all.
pub fn endow(ledger: &mut Ledger, asset: Asset) {
    for who in Who::BOTH {
        let script = new_payout(ledger, asset, who).script;
        let output = |_| Output {
            script: script.clone(),
            value: Some(COIN),
            liquid: (asset == Asset::Lbtc).then(|| crate::assemble::explicit(&script, COIN)),
        };
        ledger.endow(Tx {
            raw: RawTx::from(vec![who.index() as u8]),
            id: TxId(bitcoin::Txid::from_byte_array([0xe0 + who.index() as u8; 32])),
            inputs: Vec::new(),
            outputs: (0..COINS).map(output).collect(),
            stated_fee: None,
            size: 0,
            vsize: 0,
        });
    }
}

/// What a wallet begins with.
pub fn endowment() -> Amount {
    COIN * u64::from(COINS)
}

fn too_little(available: Amount, wanted: Amount) -> PortError {
    PortError::Refused(format!(
        "the wallet has {available} to spend, {wanted} and a fee are wanted"
    ))
}

impl State {
    fn free_coins(&mut self, who: Who, asset: Asset) -> Vec<(OutPoint, Amount)> {
        let locked = self.locks.entry((who, asset)).or_default().clone();
        let coins = self.ledgers[&asset].coins(who);
        let free = coins.filter(|(point, _, confirmed)| *confirmed && !locked.contains(point));
        free.map(|(point, amount, _)| (point, amount)).collect()
    }

    fn balance(&mut self, who: Who, asset: Asset) -> WalletBalance {
        let locked = self.locks.entry((who, asset)).or_default();
        let mut balance = WalletBalance {
            spendable: Amount::ZERO,
            pending: Amount::ZERO,
            locked: Amount::ZERO,
        };
        for (point, amount, confirmed) in self.ledgers[&asset].coins(who) {
            match (locked.contains(&point), confirmed) {
                (true, _) => balance.locked += amount,
                (false, true) => balance.spendable += amount,
                (false, false) => balance.pending += amount,
            }
        }
        balance
    }

    /// Coins that could be spent but for their lock.
    pub fn locked_coins(&self) -> Vec<(Who, Asset, OutPoint)> {
        let of = |((who, asset), locked): (&(Who, Asset), &BTreeSet<OutPoint>)| {
            let coins = self.ledgers[asset].coins(*who).map(|(point, _, _)| point);
            let locked: Vec<OutPoint> = coins.filter(|point| locked.contains(point)).collect();
            let (who, asset) = (*who, *asset);
            locked.into_iter().map(move |point| (who, asset, point))
        };
        self.locks.iter().flat_map(of).collect()
    }

    fn fund(&mut self, who: Who, asset: Asset, output: &OpeningOutput, rate: FeeRate) -> Result<Opening, PortError> {
        let (mut inputs, mut sum) = (Vec::new(), Amount::ZERO);
        let change_to = new_payout(self.ledger(asset), asset, who);
        let blinding_key = output.blinding_key.filter(|_| self.ledgers[&asset].confidential);
        let free = self.free_coins(who, asset);
        for (point, amount) in &free {
            inputs.push(*point);
            sum += *amount;
            let paying = |fee: Amount| {
                let change = sum
                    .checked_sub(output.amount + fee)
                    .filter(|change| *change >= LEAST_CHANGE)?;
                let opening = Paying {
                    script: output.script.clone(),
                    amount: output.amount,
                    blinding_key,
                };
                Some(vec![opening, Paying::to(&change_to.script, change)])
            };
            let (Some(draft), true) = (paying(Amount::ZERO), sum > output.amount) else {
                continue;
            };
            let size = txs::decode(asset, &assemble(self, asset, &inputs, &draft, Amount::ZERO))
                .unwrap()
                .size;
            let fee = rate.fee(size);
            let Some(mut outputs) = paying(fee) else { continue };
            if rand::Rng::gen_bool(&mut self.rng, 0.5) {
                outputs.swap(0, 1);
            }
            let tx = txs::decode(asset, &assemble(self, asset, &inputs, &outputs, fee)).unwrap();
            self.locks.entry((who, asset)).or_default().extend(&inputs);
            return Ok(opening_of(&tx, output, inputs, fee));
        }
        Err(too_little(free.iter().map(|(_, amount)| *amount).sum(), output.amount))
    }

    fn void(
        &mut self,
        (who, asset): (Who, Asset),
        opening: &Opening,
        replaced: Option<&Claim>,
        rate: FeeRate,
    ) -> Result<Claim, PortError> {
        let refused = |reason: &str| PortError::Refused(reason.into());
        let input = *opening
            .inputs
            .first()
            .ok_or_else(|| refused("an opening without inputs"))?;
        let held = self.ledgers[&asset]
            .held(input.txid)
            .ok_or_else(|| refused("missing inputs"))?;
        let coin = held.tx.outputs[input.vout as usize]
            .value
            .ok_or_else(|| refused("not a coin of this wallet"))?;
        let to = new_payout(self.ledger(asset), asset, who);
        let paying = |fee: Amount| {
            let amount = coin
                .checked_sub(fee)
                .ok_or_else(|| refused("the coin is less than the fee"))?;
            Ok::<_, PortError>(vec![Paying {
                blinding_key: to.blinding_key,
                ..Paying::to(&to.script, amount)
            }])
        };
        let draft = assemble(self, asset, &[input], &paying(Amount::ZERO)?, Amount::ZERO);
        let draft = txs::decode(asset, &draft).unwrap();
        let before = replaced
            .map_or(Amount::ZERO, |void| void.cost.fee)
            .max(opening.cost.fee);
        let fee = rate.fee(draft.size).max(before + increment(asset).fee(draft.vsize + 2));
        let void = txs::decode(asset, &assemble(self, asset, &[input], &paying(fee)?, fee)).unwrap();
        Ok(claim_of(void, fee))
    }
}

impl State {
    /// A child that spends the opening's change, by which both pay the rate.
    fn push(
        &mut self,
        (who, asset): (Who, Asset),
        opening: &Opening,
        replaced: Option<&Claim>,
        rate: FeeRate,
    ) -> Result<Claim, PortError> {
        let refused = |reason: &str| PortError::Refused(reason.into());
        let ledger = &self.ledgers[&asset];
        let txid = opening.outpoint.txid;
        let held = ledger.held(txid).filter(|held| held.at.is_none());
        let held = held.ok_or_else(|| refused("the opening is not in the mempool"))?;
        let is_ours = |output: &Output| ledger.owner(&output.script).is_some_and(|owned| owned.who == who);
        let vout = held.tx.outputs.iter().position(is_ours);
        let vout = vout.ok_or_else(|| refused("the opening has no change of this wallet"))?;
        let point = OutPoint {
            txid,
            vout: vout as u32,
        };
        let other = ledger
            .spender(point)
            .filter(|spender| replaced.is_none_or(|child| child.txid != spender.tx.id));
        let is_locked = self
            .locks
            .get(&(who, asset))
            .is_some_and(|locks| locks.contains(&point));
        if other.is_some() || replaced.is_none() && is_locked {
            return Err(refused("the opening's change is spent by another transaction"));
        }
        let change = held.tx.outputs[vout]
            .value
            .ok_or_else(|| refused("not a coin of this wallet"))?;
        let parent = held.tx.size;
        let to = new_payout(self.ledger(asset), asset, who);
        let paying = |amount: Amount| {
            vec![Paying {
                blinding_key: to.blinding_key,
                ..Paying::to(&to.script, amount)
            }]
        };
        let draft = txs::decode(asset, &assemble(self, asset, &[point], &paying(change), Amount::ZERO)).unwrap();
        let together = rate
            .fee(parent + draft.size)
            .checked_sub(opening.cost.fee)
            .unwrap_or(Amount::ZERO);
        let least = replaced.map_or(Amount::ZERO, |child| {
            child.cost.fee + increment(asset).fee(draft.vsize + 2)
        });
        let fee = together.max(least).max(crate::prices::floor(asset).fee(draft.size));
        let rest = change.checked_sub(fee).filter(|rest| *rest >= LEAST_CHANGE);
        let rest = rest.ok_or_else(|| refused("the opening's change is too little"))?;
        let child = txs::decode(asset, &assemble(self, asset, &[point], &paying(rest), fee)).unwrap();
        self.locks.entry((who, asset)).or_default().insert(point);
        Ok(claim_of(child, fee))
    }
}

fn claim_of(tx: Tx, fee: Amount) -> Claim {
    Claim {
        txid: tx.id,
        cost: TxCost {
            fee,
            vsize: tx.vsize,
            discount_vsize: tx.size,
        },
        tx: tx.raw,
    }
}

fn opening_of(tx: &Tx, output: &OpeningOutput, inputs: Vec<OutPoint>, fee: Amount) -> Opening {
    let vout = tx
        .outputs
        .iter()
        .position(|other| other.script == output.script)
        .unwrap();
    Opening {
        tx: tx.raw.clone(),
        outpoint: OutPoint {
            txid: tx.id,
            vout: vout as u32,
        },
        inputs,
        cost: TxCost {
            fee,
            vsize: tx.vsize,
            discount_vsize: tx.size,
        },
    }
}

impl SimWallet {
    async fn act<T: Send + 'static>(
        &self,
        what: &'static str,
        act: impl FnOnce(&mut State, Who, Asset) -> Result<T, PortError> + Send + 'static,
    ) -> Result<T, PortError> {
        let (who, asset) = (self.port.who, self.asset);
        let act = move |state: &mut State, _| act(state, who, asset);
        self.port.call(Backend::Chain(asset), Manner::Acts, what, act).await
    }
}

#[async_trait]
impl Wallet for SimWallet {
    fn holder(&self) -> String {
        format!("{:?}", self.port.who)
    }

    async fn balance(&self) -> Result<WalletBalance, PortError> {
        let (who, asset) = (self.port.who, self.asset);
        let read = move |state: &mut State, _| Ok(state.balance(who, asset));
        self.port
            .call(Backend::Chain(asset), Manner::Reads, "balance", read)
            .await
    }

    async fn new_address(&self, _label: &str) -> Result<Payout, PortError> {
        self.act("new_address", |state, who, asset| {
            Ok(new_payout(state.ledger(asset), asset, who))
        })
        .await
    }

    async fn fund(&self, output: &OpeningOutput, rate: FeeRate) -> Result<Opening, PortError> {
        let output = output.clone();
        self.act("fund", move |state, who, asset| state.fund(who, asset, &output, rate))
            .await
    }

    async fn keep_only(&self, openings: &[Opening]) -> Result<(), PortError> {
        let kept: BTreeSet<OutPoint> = openings.iter().flat_map(|opening| opening.inputs.clone()).collect();
        self.act("keep_only", move |state, who, asset| {
            state.locks.insert((who, asset), kept);
            Ok(())
        })
        .await
    }

    async fn void(&self, opening: &Opening, replaced: Option<&Claim>, rate: FeeRate) -> Result<Claim, PortError> {
        let (opening, replaced) = (opening.clone(), replaced.cloned());
        self.act("void", move |state, who, asset| {
            state.void((who, asset), &opening, replaced.as_ref(), rate)
        })
        .await
    }

    async fn push(&self, opening: &Opening, replaced: Option<&Claim>, rate: FeeRate) -> Result<Claim, PortError> {
        let (opening, replaced) = (opening.clone(), replaced.cloned());
        self.act("push", move |state, who, asset| {
            state.push((who, asset), &opening, replaced.as_ref(), rate)
        })
        .await
    }

    async fn label(&self, _address: &str, _label: &str) -> Result<(), PortError> {
        self.act("label", |_, _, _| Ok(())).await
    }

    async fn send(&self, _address: &str, amount: Amount) -> Result<TxId, SendError> {
        Err(SendError::Port(PortError::Refused(format!(
            "no operator sends {amount} in a simulation"
        ))))
    }
}

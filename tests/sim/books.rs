//! After a run: every satoshi of both wallets and all channels is accounted for, and nobody has lost against the rules.
//!
//! The books are kept from what the chains and the Lightning network show. What the daemons say of their swaps is held
//! against that, and never used to explain it.

use std::collections::BTreeMap;

use bitcoin::{Amount, ScriptBuf, SignedAmount};
use sluice::store::{Filter, Store, StoreError};
use sluice::swap::event::PaymentStatus;
use sluice::swap::state::{Outcome, Party, State as At, Swap};
use sluice::swap::terms::{Role, amounts};
use sluice::tx;
use sluice::units::{Asset, Msat, OutPoint, PaymentHash, SwapId};

use crate::ledger::{Held, Ledger};
use crate::wallet;
use crate::world::{State, Who};

/// How the swaps of a run ended.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Endings {
    pub swapped: u32,
    pub refunded: u32,
    /// Those of them whose opening was left to its timelock.
    pub by_csv: u32,
    /// Nothing was opened.
    pub canceled: u32,
    /// Openings that were confidential, with real proofs.
    pub proven: u32,
}

/// What each side has stored of a swap.
#[derive(Default)]
struct Sides {
    maker: Option<(Who, Swap)>,
    taker: Option<(Who, Swap)>,
    premium: Option<SignedAmount>,
}

struct Books<'a> {
    state: &'a State,
    /// What each wallet should have.
    wallets: BTreeMap<(Asset, Who), i64>,
    /// What each side should have gained in its channels, in millisatoshi.
    channels: [i64; 2],
    /// Confirmed outputs to scripts that no wallet owns.
    openings: BTreeMap<(Asset, ScriptBuf), Vec<OutPoint>>,
    faults: Vec<String>,
    endings: Endings,
}

/// Closes the books of a run. The faults are empty if all is well.
pub fn close(state: &State, stores: [&Store; 2]) -> Result<(Endings, Vec<String>), StoreError> {
    let mut books = Books::open(state);
    for asset in Asset::ALL {
        books.enter_transactions(asset);
    }
    for (id, sides) in read(stores)? {
        books.judge(id, &sides);
    }
    books.compare();
    Ok((books.endings, books.faults))
}

fn read(stores: [&Store; 2]) -> Result<BTreeMap<SwapId, Sides>, StoreError> {
    let mut swaps: BTreeMap<SwapId, Sides> = BTreeMap::new();
    for (who, store) in Who::BOTH.into_iter().zip(stores) {
        for summary in store.list(&Filter::default(), usize::MAX)? {
            let Some(swap) = store.swap(summary.id)? else { continue };
            let sides = swaps.entry(summary.id).or_default();
            sides.premium = sides.premium.or(summary.premium);
            match swap.role {
                Role::Maker => sides.maker = Some((who, swap)),
                Role::Taker => sides.taker = Some((who, swap)),
            }
        }
    }
    Ok(swaps)
}

fn sat(amount: Amount) -> i64 {
    i64::try_from(amount.to_sat()).unwrap()
}

impl<'a> Books<'a> {
    fn open(state: &'a State) -> Books<'a> {
        let mut openings: BTreeMap<(Asset, ScriptBuf), Vec<OutPoint>> = BTreeMap::new();
        for asset in Asset::ALL {
            for held in state.ledgers[&asset].confirmed() {
                for (vout, output) in (0..).zip(&held.tx.outputs) {
                    let txid = held.tx.id;
                    if output.script.is_p2wsh() {
                        openings
                            .entry((asset, output.script.clone()))
                            .or_default()
                            .push(OutPoint { txid, vout });
                    }
                }
            }
        }
        let wallet = |asset| Who::BOTH.map(|who| ((asset, who), sat(wallet::endowment())));
        Books {
            state,
            wallets: Asset::ALL.into_iter().flat_map(wallet).collect(),
            channels: [0; 2],
            openings,
            faults: Vec::new(),
            endings: Endings::default(),
        }
    }

    fn fault(&mut self, what: String) {
        self.faults.push(what);
    }

    fn ledger(&self, asset: Asset) -> &'a Ledger {
        &self.state.ledgers[&asset]
    }

    /// Openings are entered with their swaps. What is neither an opening nor its spend takes an opening's input back, at
    /// the cost of its fee.
    fn enter_transactions(&mut self, asset: Asset) {
        let ledger = self.ledger(asset);
        if ledger.mempool_len() > 0 {
            self.fault(format!(
                "{} transactions are left in the mempool of {asset}",
                ledger.mempool_len()
            ));
        }
        for held in ledger.confirmed().filter(|held| !held.tx.inputs.is_empty()) {
            let opens = held.tx.outputs.iter().any(|output| output.script.is_p2wsh());
            let spends = held.tx.inputs.iter().any(|input| {
                let parent = ledger.held(input.point.txid);
                parent.is_some_and(|parent| parent.tx.outputs[input.point.vout as usize].script.is_p2wsh())
            });
            if opens || spends {
                continue;
            }
            match self.receiver(asset, held) {
                Some(who) => *self.wallets.get_mut(&(asset, who)).unwrap() -= sat(held.fee),
                None => self.fault(format!("transaction {} of {asset} pays nobody known", held.tx.id)),
            }
        }
    }

    /// Whose wallet a transaction pays, if it is one only.
    fn receiver(&self, asset: Asset, held: &Held) -> Option<Who> {
        let paid = held.tx.outputs.iter().filter(|output| !output.script.is_empty());
        let mut owners = paid.map(|output| self.ledger(asset).owner(&output.script).map(|owned| owned.who));
        let first = owners.next()??;
        owners.all(|other| other == Some(first)).then_some(first)
    }

    fn paid(&self, hash: Option<PaymentHash>) -> Option<Msat> {
        let payment = self.state.lightning.payment(hash?)?;
        matches!(payment.status, PaymentStatus::Paid(_)).then_some(payment.amount)
    }

    fn move_balance(&mut self, from: Who, amount: Msat) {
        self.channels[from.index()] -= amount.0 as i64;
        self.channels[from.other().index()] += amount.0 as i64;
    }

    fn judge(&mut self, id: SwapId, sides: &Sides) {
        for (who, swap) in sides.maker.iter().chain(&sides.taker) {
            match &swap.state {
                At::Closed(Outcome::Lost { reason }) => self.fault(format!("{who:?} lost {}: {reason}", id.short())),
                At::Closed(_) => {}
                other => self.fault(format!("{who:?}'s swap {} has not ended: {other:?}", id.short())),
            }
        }
        let (Some((maker, made)), Some((taker, taken))) = (&sides.maker, &sides.taker) else {
            self.endings.canceled += 1;
            return self.judge_half(id, sides);
        };
        if let Some(fee) = self.paid(made.keys.fee_hash) {
            self.move_balance(*taker, fee);
            if fee.floor() > taken.terms.fees.fee_invoice {
                self.fault(format!("the fee of {} is above the bound", id.short()));
            }
        }
        let paid = self.paid(made.keys.claim_hash);
        let opening = self.opening_of(id, made, taken, sides.premium);
        let spend = opening.and_then(|(point, _)| self.ledger(made.terms.asset).spender(point));
        let after_timelock = spend.is_some_and(|spend| spend.tx.inputs.iter().any(|input| input.age > 0));
        let spender = opening.and_then(|(point, value)| self.enter_opening(made.terms.asset, *maker, point, value));
        self.check_terms(id, sides, paid, opening.map(|(_, value)| value));
        self.check_key(id, *taker, made.keys.claim_hash);
        match (paid, opening, spender) {
            (Some(paid), Some(_), Some(spender)) if spender == *taker => {
                self.move_balance(*taker, paid);
                self.endings.swapped += 1;
                self.expect(id, made, |outcome| {
                    matches!(outcome, Outcome::ClaimPaid { coins: Party::Peer })
                });
                self.expect(id, taken, |outcome| *outcome == Outcome::ClaimedByInvoice);
            }
            (Some(_), _, _) => self.fault(format!("{taker:?} paid for {} and has not got the coins", id.short())),
            (None, Some(_), Some(spender)) if spender == *maker => {
                self.endings.refunded += 1;
                self.endings.by_csv += u32::from(after_timelock);
                let way = if after_timelock {
                    Outcome::ClaimedByCsv
                } else {
                    Outcome::ClaimedByCoop
                };
                self.expect(id, made, |outcome| *outcome == way);
                self.expect(id, taken, gave_up);
            }
            (None, Some(_), _) => self.fault(format!(
                "{maker:?} was not paid for {} and has not got its coins",
                id.short()
            )),
            (None, None, _) => {
                self.endings.canceled += 1;
                self.expect(id, made, |outcome| matches!(outcome, Outcome::Canceled { .. }));
                self.expect(id, taken, gave_up);
            }
        }
    }

    /// A swap that only its initiator knows: nothing may have come of it.
    fn judge_half(&mut self, id: SwapId, sides: &Sides) {
        for (who, swap) in sides.maker.iter().chain(&sides.taker) {
            let hashes = [swap.keys.claim_hash, swap.keys.fee_hash];
            if hashes.into_iter().any(|hash| self.paid(hash).is_some()) {
                self.fault(format!(
                    "{who:?} was paid for {}, which its peer does not know",
                    id.short()
                ));
            }
            self.expect(id, swap, |outcome| matches!(outcome, Outcome::Canceled { .. }));
        }
    }

    /// The confirmed opening of a swap, found by what both keys and the hash make.
    fn opening_of(
        &mut self,
        id: SwapId,
        made: &Swap,
        taken: &Swap,
        premium: Option<SignedAmount>,
    ) -> Option<(OutPoint, Amount)> {
        let csv = made.terms.timelocks()?.csv;
        let script = tx::opening_script(&made.keys.swap_key, &taken.keys.swap_key, made.keys.claim_hash?, csv);
        let found = self.openings.remove(&(made.terms.asset, script.to_p2wsh()))?;
        let [point] = found[..] else {
            self.fault(format!("{} has {} openings", id.short(), found.len()));
            return None;
        };
        let value = self.ledger(made.terms.asset).held(point.txid)?.tx.outputs[point.vout as usize].value;
        let agreed = || Some(amounts(made.kind, made.terms.amount, premium?)?.opening);
        self.endings.proven += u32::from(value.is_none());
        // What a confidential output holds was proven to the taker, and is proven again by what its spend pays.
        Some((point, value.or_else(agreed)?))
    }

    /// Enters an opening and its spend; tells who has the coins.
    fn enter_opening(&mut self, asset: Asset, maker: Who, point: OutPoint, value: Amount) -> Option<Who> {
        let ledger = self.ledger(asset);
        let fee = ledger.held(point.txid)?.fee;
        *self.wallets.get_mut(&(asset, maker)).unwrap() -= sat(value) + sat(fee);
        let spend = ledger.spender(point)?;
        let spender = self.receiver(asset, spend)?;
        *self.wallets.get_mut(&(asset, spender)).unwrap() += sat(value) - sat(spend.fee);
        Some(spender)
    }

    fn check_terms(&mut self, id: SwapId, sides: &Sides, paid: Option<Msat>, opened: Option<Amount>) {
        let Some(premium) = sides.premium else { return };
        let swaps = [&sides.maker, &sides.taker].map(|side| side.as_ref().map(|(_, swap)| swap));
        for swap in swaps.into_iter().flatten() {
            let agreed = amounts(swap.kind, swap.terms.amount, premium);
            let claim = agreed.and_then(|agreed| Msat::from_amount(agreed.claim));
            if paid.is_some() && paid != claim || opened.is_some() && opened != agreed.map(|agreed| agreed.opening) {
                self.fault(format!(
                    "{}: paid {paid:?}, opened {opened:?}, agreed {agreed:?}",
                    id.short()
                ));
            }
            if swap.is_initiator() && premium > swap.terms.premium_limit {
                self.fault(format!("the premium of {} is above its limit", id.short()));
            }
        }
    }

    /// No payment began after the taker's key had left, and none that was made before it came to anything.
    fn check_key(&mut self, id: SwapId, taker: Who, hash: Option<PaymentHash>) {
        let left = self.state.evidence.keys.get(&(taker, id));
        let payment = hash.and_then(|hash| self.state.lightning.payment(hash));
        let (Some(left), Some(payment)) = (left, payment) else {
            return;
        };
        if payment.payer != taker || payment.begun.iter().any(|begun| begun >= left) {
            self.fault(format!("a payment for {} began after the key had left", id.short()));
        }
        if matches!(payment.status, PaymentStatus::Paid(_) | PaymentStatus::InFlight) {
            self.fault(format!("{taker:?} gave its key of {} away, and paid", id.short()));
        }
    }

    fn expect(&mut self, id: SwapId, swap: &Swap, fits: impl Fn(&Outcome) -> bool) {
        if let At::Closed(outcome) = &swap.state
            && !fits(outcome)
        {
            let role = swap.role;
            self.fault(format!(
                "the {role:?} says of {} {outcome:?}, which is not what happened",
                id.short()
            ));
        }
    }

    /// What should be, and what is.
    fn compare(&mut self) {
        for (asset, script) in self.openings.keys().cloned().collect::<Vec<_>>() {
            self.fault(format!("an opening of {asset} belongs to no swap: {script:x}"));
        }
        for ((asset, who), expected) in self.wallets.clone() {
            let coins = self.ledger(asset).coins(who);
            let actual: i64 = coins.map(|(_, amount, _)| sat(amount)).sum();
            if actual != expected {
                self.fault(format!(
                    "{who:?}'s {asset} wallet has {actual} sat, should have {expected}"
                ));
            }
        }
        for (who, asset, locked) in self.state.locked_coins() {
            self.fault(format!("{who:?}'s {asset} wallet keeps {locked:?} locked for nothing"));
        }
        for who in Who::BOTH {
            let (actual, expected) = (self.state.lightning.gain(who), self.channels[who.index()]);
            if actual != expected {
                self.fault(format!(
                    "{who:?}'s channels gained {actual} msat, should have gained {expected}"
                ));
            }
        }
        for asset in Asset::ALL {
            let ledger = self.ledger(asset);
            let fees: Amount = ledger.confirmed().map(|held| held.fee).sum();
            let coins = Who::BOTH.into_iter().flat_map(|who| ledger.coins(who));
            let sum = coins.map(|(_, amount, _)| amount).sum::<Amount>() + fees;
            if sum != wallet::endowment() * 2 {
                self.fault(format!(
                    "wallets and fees of {asset} are {sum}, were {}",
                    wallet::endowment() * 2
                ));
            }
        }
    }
}

/// How a taker that has not paid ends.
fn gave_up(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::CoopClosed { .. } | Outcome::Canceled { .. })
}

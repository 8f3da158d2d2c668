//! Transactions: made and signed here, published only by a later state.

use bitcoin::Amount;

use super::{Task, until_answered};
use crate::engine::Side;
use crate::engine::aside::aside;
use crate::engine::sight;
use crate::keys::SwapSecrets;
use crate::ports::{Entropy, PortError};
use crate::swap::event::{EffectKind, Made, SpendPath};
use crate::swap::fees::{Ceiling, FeeRates, Wish};
use crate::swap::state::{Claim, Maker, TxCost};
use crate::swap::{Effect, Event, State, Swap, Taker};
use crate::tx::{self, ClaimPath, ClaimRequest, FeeBasis, OpeningOutput};
use crate::units::{FeeRate, Height, PaymentHash, RawTx};

pub(super) async fn opening(task: &Task, effect: &Effect, hash: PaymentHash) {
    let swap = task.swap();
    let State::Maker(deal, _) = &swap.state else { return };
    let output = sight::script(&swap, deal, hash)
        .zip(swap.terms.opening_amount(swap.kind, deal))
        .map(|(script, amount)| OpeningOutput {
            script: script.to_p2wsh(),
            blinding_key: swap.keys.blinding_key,
            amount,
        });
    let Some(output) = output else { return };
    let made = until_answered(task, "fund the opening", || async {
        if !task.is_wanted(effect) {
            return Err(PortError::Refused("the swap has ended".into()));
        }
        let side = task.side_now()?;
        let rate = side.chain.fee_rate().await?;
        let fund = || side.openings.fund(side.wallet.as_ref(), &output, rate);
        let attempt = async || match side.locks.after(fund().await) {
            Err(PortError::Refused(reason)) if may_be_funded_soon(task, &side).await? => {
                Err(PortError::Unreachable(reason))
            }
            funded => funded,
        };
        // Coins may have come free between the two answers, and another opening may have been faster to take them.
        match attempt().await {
            Err(PortError::Refused(_)) => attempt().await,
            funded => funded,
        }
    })
    .await;
    task.yield_event(match made {
        Ok(opening) => Event::Made(Made::Opening(opening)),
        Err(reason) => Event::Refused(EffectKind::MakeOpening, reason),
    })
    .await;
}

/// Whether the wallet has coins locked for other openings: their change is there once those are published. The machine
/// says when it is too late to wait for that.
async fn may_be_funded_soon(task: &Task, side: &Side) -> Result<bool, PortError> {
    let wanted = matches!(task.swap().state, State::Maker(_, Maker::Funding { .. }));
    Ok(wanted && side.wallet.balance().await?.locked > Amount::ZERO)
}

/// The answer is heard only while it is wanted: a claim by one way must not be taken for one by the other, nor its
/// refusal for the other's.
pub(super) async fn claim(task: &Task, effect: &Effect, path: &SpendPath, wish: Option<Wish>) {
    let Some(side) = task.side().await else { return };
    let swap = task.swap();
    let discounted = side.info().discount;
    let made = until_answered(task, "make a claim", || async {
        let rates = side.chain.fee_rates().await?;
        let bid = Bid::of(&swap, task.shared.tip(swap.terms.asset), rates, wish, discounted);
        let bid = bid.ok_or_else(|| PortError::Refused("nothing is there to be claimed".into()))?;
        let (swap, path, shared) = (swap.clone(), path.clone(), task.shared.clone());
        let built = aside(move || {
            let secrets = shared.seed.secrets(&swap.keys.path, swap.role);
            sign(&swap, &path, &secrets, &bid, shared.entropy.as_ref())
        });
        built
            .await
            .map_err(|error| PortError::Broken(error.to_string()))?
            .map_err(PortError::Refused)
    })
    .await;
    let answer = match made {
        Ok(claim) => Event::Made(Made::Claim(claim)),
        Err(reason) => {
            tracing::warn!(reason, "the claim is not made now");
            Event::Refused(EffectKind::MakeClaim, reason)
        }
    };
    task.yield_answer(effect, answer).await;
}

/// What a transaction pays that brings coins home.
pub(super) struct Bid {
    rate: FeeRate,
    ceiling: Ceiling,
    /// The least that the node takes.
    least: FeeRate,
    /// By the discounted size.
    discounted: bool,
}

impl Bid {
    pub(super) fn of(
        swap: &Swap,
        tip: Option<Height>,
        rates: FeeRates,
        wish: Option<Wish>,
        discounted: bool,
    ) -> Option<Bid> {
        let stake = swap.stake(tip)?;
        let before = swap.newest_version().map(|claim| claim.cost.rate(discounted));
        Some(Bid {
            rate: stake.rate(before, &rates, wish),
            ceiling: stake.ceiling(rates.ceiling, wish),
            least: rates.least,
            discounted,
        })
    }

    /// The rate, within the ceiling for what is as large as the version before it; for a first one, the operator's.
    pub(super) fn rate_like(&self, before: Option<&Claim>) -> FeeRate {
        let size = before.map(|before| before.cost.size(self.discounted));
        let most = size.map_or(self.ceiling.rate, |size| self.ceiling.rate_of(size));
        self.rate.min(most)
    }

    /// What pays so much that it takes another's place may pay more than the rate that was asked for.
    pub(super) fn check_ceiling(&self, cost: &TxCost) -> Result<(), String> {
        let most = self.ceiling.fee(cost.size(self.discounted));
        if cost.fee > most {
            return Err(format!("it must pay {}, at most {most} may be paid now", cost.fee));
        }
        Ok(())
    }

    /// What the node would not take is not made: it could not be replaced at a small step later.
    pub(super) fn check(&self, cost: &TxCost) -> Result<(), String> {
        let size = cost.size(self.discounted);
        if cost.fee < self.least.fee(size) {
            let (least, most) = (self.least, self.ceiling.rate_of(size));
            return Err(format!(
                "the chain's node takes nothing below {least}, and at most {most} may be paid now"
            ));
        }
        Ok(())
    }
}

fn sign(
    swap: &Swap,
    path: &SpendPath,
    secrets: &SwapSecrets,
    bid: &Bid,
    entropy: &dyn Entropy,
) -> Result<Claim, String> {
    let sought = sight::sought(swap).ok_or("no opening is known")?;
    let mut spec = sight::spec(swap, &sought)?;
    let blinding_key = swap.keys.blinding_key.map(|_| &secrets.blinding_key);
    spec.blinding_key = spec.blinding_key.or(blinding_key);
    let opening = opening_of(swap).ok_or("the opening is not known yet")?;
    let path = match path {
        SpendPath::Preimage => ClaimPath::Preimage {
            taker_key: &secrets.swap_key,
        },
        SpendPath::Coop => {
            let taker_key = taker_key_of(swap).ok_or("the taker has not given its key")?;
            ClaimPath::Coop {
                maker_key: &secrets.swap_key,
                taker_key,
            }
        }
        SpendPath::Csv => ClaimPath::Csv {
            maker_key: &secrets.swap_key,
        },
    };
    let payout = &swap.terms.payout;
    let request = ClaimRequest {
        opening,
        spec: &spec,
        path,
        payout,
        rate: bid.rate,
        basis: if bid.discounted {
            FeeBasis::Discounted
        } else {
            FeeBasis::Full
        },
        ceiling: Some(bid.ceiling),
        // What is stuck in the network is replaced, which costs more than it did.
        min_fee: swap
            .newest_claim()
            .map(|stuck| tx::replacement_fee(spec.coin, &stuck.cost)),
    };
    let claim = tx::build_claim(&request, &mut entropy.rng()).map_err(|error| error.to_string())?;
    bid.check(&claim.cost)?;
    Ok(claim)
}

fn opening_of(swap: &Swap) -> Option<&RawTx> {
    match &swap.state {
        State::Taker(_, Taker::PayingClaim { paying, .. } | Taker::AbandoningPayment { paying, .. }) => {
            Some(&paying.opening)
        }
        State::Taker(_, Taker::ClaimingInvoice { opening, .. }) => Some(opening),
        State::Maker(_, maker) => maker.opening().map(|opening| &opening.tx),
        State::Taker(..) | State::Requested { .. } | State::Canceling { .. } | State::Closed(_) => None,
    }
}

fn taker_key_of(swap: &Swap) -> Option<&crate::units::SwapSecret> {
    match &swap.state {
        State::Maker(_, Maker::ClaimingCoop { taker_key, .. }) => Some(taker_key),
        _ => None,
    }
}

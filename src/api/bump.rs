//! What it means to bump a swap's transaction now: which one, from which fee to which, or why not. Pure; the engine acts.

use bitcoin::Amount;

use super::error::ApiError;
use crate::engine::{replacement_fee, size_with_child};
use crate::swap::fees::{Bumped, FeeRates, Stake, Wish, push_rate, rate_of};
use crate::swap::state::{Claim, Maker, Opened, Race, State, Swap, Taker};
use crate::trail::Trail;
use crate::units::{FeeRate, Height, TxId};

/// What is known when it is asked.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// The swap.
    pub swap: &'a Swap,
    /// What its state has forgotten.
    pub trail: &'a Trail,
    /// The chain's tip.
    pub tip: Option<Height>,
    /// The chain's rates.
    pub rates: FeeRates,
    /// Fees are judged by the discounted size.
    pub discounted: bool,
}

/// What a bump does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Which transaction.
    pub transaction: Bumped,
    /// What is pushed or replaced.
    pub txid: TxId,
    /// What it pays now; an opening with its child.
    pub paid: (Amount, FeeRate),
    /// The least that will be paid.
    pub next: (Amount, FeeRate),
    /// The most that may be paid.
    pub ceiling: Amount,
}

/// What may be bumped, whatever the network asks for, and what it costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer<'a> {
    /// What depends on it.
    pub stake: Stake,
    /// What is pushed or replaced.
    pub txid: TxId,
    /// What it pays now; an opening with its child.
    pub paid: Amount,
    /// The least fee that the network takes instead.
    pub least: Amount,
    waiting: Waiting<'a>,
}

/// What waits for a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waiting<'a> {
    Opening(&'a Opened),
    Spend(&'a Claim),
}

impl Offer<'_> {
    /// The size that the fee is judged by, an opening's with its next child.
    fn size(&self, scene: &Scene<'_>) -> u64 {
        match self.waiting {
            Waiting::Opening(opened) => size_with_child(scene.swap, opened, scene.discounted),
            Waiting::Spend(claim) => claim.cost.size(scene.discounted),
        }
    }
}

/// What a bump would do now.
///
/// # Errors
/// [`ApiError::NotBumpable`] in words where nothing of ours waits for a block, or nothing more may be paid;
/// [`ApiError::InvalidParams`] for a rate that is too low or too high.
pub fn plan(scene: &Scene<'_>, wish: Wish) -> Result<Plan, ApiError> {
    let offer = offer(scene.swap, scene.trail, scene.tip).map_err(|reason| not_bumpable(scene.swap, reason))?;
    let (Offer { stake, least, .. }, size) = (offer, offer.size(scene));
    let ceiling = stake.ceiling(scene.rates.ceiling, Some(wish));
    let most = ceiling.fee(size);
    let paid = rate_of(offer.paid, size);
    if let Some(FeeRate(rate)) = wish.rate {
        check_rate(scene, (&offer, size), FeeRate(rate), most)?;
    }
    let rate = match stake.of {
        Bumped::Opening => push_rate(&stake, (paid, size), &scene.rates, Some(wish)),
        Bumped::Claim | Bumped::Refund | Bumped::Void => Ok(stake.rate(Some(paid), &scene.rates, Some(wish))),
    };
    let rate = rate.map_err(|reason| not_bumpable(scene.swap, reason))?;
    let fee = rate.fee(size).max(least);
    if least > most {
        return Err(not_bumpable(scene.swap, too_dear(least, most)));
    }
    let fee = fee.min(most);
    Ok(Plan {
        transaction: stake.of,
        txid: offer.txid,
        paid: (offer.paid, paid),
        next: (fee, rate_of(fee, size)),
        ceiling: most,
    })
}

fn not_bumpable(swap: &Swap, reason: impl Into<String>) -> ApiError {
    ApiError::NotBumpable {
        swap_id: swap.id,
        reason: reason.into(),
    }
}

fn too_dear(least: Amount, most: Amount) -> String {
    let (least, most) = (least.to_sat(), most.to_sat());
    format!("another version pays at least {least} sat, and at most {most} sat may be paid now")
}

fn check_rate(
    scene: &Scene<'_>,
    (offer, size): (&Offer<'_>, u64),
    rate: FeeRate,
    most: Amount,
) -> Result<(), ApiError> {
    let invalid = |rule: String| Err(ApiError::invalid("fee_rate_sat_per_kvb", rate.0, rule));
    let needed = FeeRate(least_rate(offer.least, size)).max(scene.rates.least);
    let highest = rate_of(most, size);
    if rate < needed {
        let paid = rate_of(offer.paid, size);
        return invalid(format!(
            "must be at least {}: {paid} is paid now, and the network wants more for another version",
            needed.0
        ));
    }
    if rate > highest {
        let amount = offer.stake.amount.to_sat();
        return invalid(format!(
            "must be at most {}: that is a fee of {} sat, the most for what is at stake, {amount} sat",
            highest.0,
            most.to_sat()
        ));
    }
    Ok(())
}

/// The rate at which a size pays that fee, rounded up.
fn least_rate(fee: Amount, size: u64) -> u64 {
    fee.to_sat().saturating_mul(1000).div_ceil(size.max(1))
}

/// What of a swap may be bumped. Rates are not asked: whether more is to be paid is not the state's matter.
///
/// # Errors
/// In words where nothing of ours waits for a block, or no other version could be paid for, whoever allows it.
pub fn offer<'a>(swap: &'a Swap, trail: &Trail, tip: Option<Height>) -> Result<Offer<'a>, String> {
    let opened = match &swap.state {
        State::Maker(_, Maker::Opened(opened)) if opened.confirmed_at.is_none() => Some(opened),
        _ => None,
    };
    let stake = swap.stake(tip).ok_or_else(|| nothing_waits(swap))?;
    check_race(swap)?;
    let offer = match (opened, swap.newest_version()) {
        (Some(opened), _) => offer_push(swap, stake, opened),
        (None, Some(claim)) => offer_claim(swap, trail, stake, claim),
        (None, None) => Err(nothing_waits(swap)),
    }?;
    let most = stake.most();
    if offer.least > most {
        return Err(too_dear(offer.least, most));
    }
    Ok(offer)
}

/// A void that has won or lost, or cannot confirm whatever it pays, is not replaced.
fn check_race(swap: &Swap) -> Result<(), String> {
    let State::Maker(_, Maker::Voiding(voiding)) = &swap.state else {
        return Ok(());
    };
    match voiding.race {
        Race::Open => Ok(()),
        Race::Void(at) => Err(format!("the opening's coins are spent in block {at} already")),
        Race::Opening(at) => Err(format!("the opening is in block {at} already")),
        Race::Gone(_) | Race::LongGone => Err("the coins that it spends have vanished from the chain".into()),
    }
}

fn offer_push<'a>(swap: &Swap, stake: Stake, opened: &'a Opened) -> Result<Offer<'a>, String> {
    let (paid, own) = (opened.pays().fee, opened.opening.cost.fee);
    let least = match opened.children.last() {
        Some(child) => own.checked_add(replacement_fee(swap, child)?),
        None => paid.checked_add(Amount::ONE_SAT),
    };
    Ok(Offer {
        stake,
        txid: opened.opening.outpoint.txid,
        paid,
        least: least.unwrap_or(Amount::MAX),
        waiting: Waiting::Opening(opened),
    })
}

fn offer_claim<'a>(swap: &Swap, trail: &Trail, stake: Stake, claim: &'a Claim) -> Result<Offer<'a>, String> {
    if let Some(spend) = &trail.spend {
        return Err(format!("the opening's spend is in block {} already", spend.at));
    }
    Ok(Offer {
        stake,
        txid: claim.txid,
        paid: claim.cost.fee,
        least: replacement_fee(swap, claim)?,
        waiting: Waiting::Spend(claim),
    })
}

fn nothing_waits(swap: &Swap) -> String {
    let words = match &swap.state {
        State::Requested { .. } => "nothing is agreed yet",
        State::Maker(_, maker) => match maker {
            Maker::AwaitingFee { .. } | Maker::Funding { .. } => "the opening is not made yet",
            Maker::Publishing { .. } => "the opening is not with the network yet",
            Maker::Voiding(_) => "the spend of the opening's coins back to ourselves is not made yet",
            Maker::Opened(Opened { confirmed_at, .. }) => {
                let block = confirmed_at.map_or(String::new(), |at| format!(" {at}"));
                return format!("the opening is in block{block} already");
            }
            Maker::ClaimingCoop { .. } | Maker::ClaimingCsv { .. } => "the refund is not made yet",
        },
        State::Taker(_, taker) => match taker {
            Taker::PayingFee { .. } | Taker::AwaitingOpening | Taker::AwaitingConfirmation { .. } => {
                "the opening is the peer's, and only its maker can push it"
            }
            Taker::PayingClaim { .. } | Taker::AbandoningPayment { .. } => {
                "the claim is not published before it is paid"
            }
            Taker::ClaimingInvoice { .. } => "the claim is not made yet",
            Taker::CoopClosing { .. } => "nothing of ours is on the chain",
        },
        State::Canceling { .. } => "the swap is canceled",
        State::Closed(_) => "the swap is closed",
    };
    words.into()
}

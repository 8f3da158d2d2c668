//! What a transaction of ours may cost. Pure: from what is at stake, the blocks left and the rates of the chain to a bid.
//!
//! ```text
//!        operator's ceiling              5 %        20 %     50 % of what is at stake
//! ├──────────────────────────────────┼──────────┼─────────┼────┤ deadline
//!                              a day before   a quarter   1/24
//! ```
//!
//! Far from its deadline a transaction never pays more than the operator allows; the nearer the deadline, the larger is
//! the share of the money at stake that may be paid to save the rest (docs/decisions/0016-fees-and-ceilings.md).

use bitcoin::Amount;
use serde::{Deserialize, Serialize};

use super::state::{Maker, State, Swap, Taker};
use super::timelocks::Timelocks;
use crate::units::{Blocks, FeeRate, Height};

/// The rates of a chain now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeeRates {
    /// What the network asks for: the node's estimate, at least the operator's floor and what the node takes.
    pub asked: FeeRate,
    /// Whether the node had an estimate. If not, the operator's floor stands for it, and says nothing of what others pay.
    pub estimated: bool,
    /// The least that the node takes now.
    pub least: FeeRate,
    /// The most that the operator allows.
    pub ceiling: FeeRate,
}

/// The node takes nothing that the operator allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the chain's node takes nothing below {least}, and the operator's fee ceiling is {ceiling}")]
pub struct TooDear {
    /// The least that the node takes.
    pub least: FeeRate,
    /// The most that the operator allows.
    pub ceiling: FeeRate,
}

impl FeeRates {
    /// The rate of what may as well be left: a new opening, a payment of the operator's.
    ///
    /// # Errors
    /// [`TooDear`] while nothing that the operator allows would be relayed.
    pub fn for_new(&self) -> Result<FeeRate, TooDear> {
        let (least, ceiling) = (self.least, self.ceiling);
        if least > ceiling {
            return Err(TooDear { least, ceiling });
        }
        Ok(self.asked.min(ceiling).max(least))
    }
}

/// The operator's wish for another version of a transaction, now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Wish {
    /// At that rate; None: at a rate that is reckoned.
    pub rate: Option<FeeRate>,
}

/// Which of our transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bumped {
    /// A maker's opening, pushed by a child.
    Opening,
    /// A taker's claim that it has paid for.
    Claim,
    /// A maker's way back.
    Refund,
    /// What takes a maker's opening back before it confirms.
    Void,
}

/// How much of what is at stake may be paid, in thousandths of it.
struct Shares {
    /// With at most the whole stretch left, a quarter of it, a twenty-fourth of it.
    near: [u64; 3],
    /// On the operator's word, at any time.
    wished: u64,
}

/// No transaction pays more than this share, whoever allows it: half of a coin saved is better than none, and above
/// that a mistake is likelier than a need.
const MOST: u64 = 500;

/// The most that a transaction pays that brings an amount home, whoever allows it.
#[must_use]
pub fn most_for(amount: Amount) -> Amount {
    thousandths(amount, MOST)
}

fn thousandths(amount: Amount, share: u64) -> Amount {
    let sat = u128::from(amount.to_sat()) * u128::from(share) / 1000;
    Amount::from_sat(u64::try_from(sat).unwrap_or(u64::MAX))
}

/// The table of shares. A claim that comes too late loses the whole coin. An opening that comes too late costs its
/// maker the swap, the fees and a wait for the timelock, not the coin; a void saves that wait. A refund has no deadline:
/// nobody else can take the coin without having paid for it.
const fn shares(of: Bumped) -> Shares {
    match of {
        Bumped::Claim => Shares {
            near: [50, 200, MOST],
            wished: MOST,
        },
        Bumped::Opening => Shares {
            near: [1, 2, 5],
            wished: 50,
        },
        Bumped::Refund => Shares {
            near: [0; 3],
            wished: MOST,
        },
        Bumped::Void => Shares {
            near: [0; 3],
            wished: 50,
        },
    }
}

/// What may be lost if a transaction is in no block in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stake {
    /// The transaction.
    pub of: Bumped,
    /// The money.
    pub amount: Amount,
    /// Blocks that are still in time for it; None: there is no deadline, or it is not known.
    pub left: Option<Blocks>,
    /// How long before the deadline more may be paid than the operator allows.
    pub stretch: Blocks,
}

/// The most that a transaction may pay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ceiling {
    /// Up to this rate, whatever is at stake.
    pub rate: FeeRate,
    /// Up to this fee, whatever the rate.
    pub share: Amount,
    /// Never more than this.
    pub most: Amount,
}

impl Ceiling {
    /// The most for a transaction of that size, in the virtual bytes that the node judges fees by.
    #[must_use]
    pub fn fee(&self, size: u64) -> Amount {
        self.rate.fee(size).max(self.share).min(self.most)
    }

    /// The highest rate at which a transaction of that size stays within.
    #[must_use]
    pub fn rate_of(&self, size: u64) -> FeeRate {
        rate_of(self.fee(size), size)
    }
}

/// The rate that a fee is for a size, rounded down.
#[must_use]
pub fn rate_of(fee: Amount, size: u64) -> FeeRate {
    let rate = u128::from(fee.to_sat()) * 1000 / u128::from(size.max(1));
    FeeRate(u64::try_from(rate).unwrap_or(u64::MAX))
}

impl Stake {
    /// Which part of the last stretch this is; None: it has not begun.
    fn near(&self) -> Option<usize> {
        let (left, stretch) = (self.left?.0, self.stretch.0);
        let within = |part: u32| left <= stretch / part;
        [1, 4, 24].iter().rposition(|part| within(*part))
    }

    /// The most that a transaction may pay, whoever allows it.
    #[must_use]
    pub fn most(&self) -> Amount {
        most_for(self.amount)
    }

    /// The most that a transaction may pay now. An operator who names the rate himself is held to no ceiling of his own,
    /// but to a share of what is at stake: a slip of the pen must not cost the coin.
    #[must_use]
    pub fn ceiling(&self, operator: FeeRate, wish: Option<Wish>) -> Ceiling {
        let shares = shares(self.of);
        let now = self.near().map_or(0, |part| shares.near[part]);
        let wished = wish.and_then(|wish| wish.rate).map_or(0, |_| shares.wished);
        Ceiling {
            rate: operator,
            share: thousandths(self.amount, now.max(wished)),
            most: self.most(),
        }
    }

    /// The rate of the next version of a transaction, before its ceiling: what the network asks for, and notably more
    /// than the version before it, which was not enough: a quarter more, and the double in the last
    /// stretch. So there are few versions, whatever the ceiling.
    #[must_use]
    pub fn rate(&self, before: Option<FeeRate>, rates: &FeeRates, wish: Option<Wish>) -> FeeRate {
        if let Some(wished) = wish.and_then(|wish| wish.rate) {
            return wished;
        }
        let Some(FeeRate(before)) = before else {
            return rates.asked;
        };
        let more = match self.near() {
            Some(_) => before.saturating_mul(2),
            None => before.saturating_add(before.div_ceil(4)),
        };
        rates.asked.max(FeeRate(more))
    }
}

/// The rate that an opening and its child are to pay together; `size` is that of both, `paid` what is paid for now.
///
/// # Errors
/// In words, if a push would change nothing: what the network asks for is paid already, or may not be.
pub fn push_rate(
    stake: &Stake,
    (paid, size): (FeeRate, u64),
    rates: &FeeRates,
    wish: Option<Wish>,
) -> Result<FeeRate, String> {
    let most = stake.ceiling(rates.ceiling, wish).rate_of(size);
    let wanted = match wish {
        Some(_) => stake.rate(Some(paid), rates, wish),
        None => rates.asked,
    };
    if wanted.min(most) <= paid {
        let FeeRates { asked, .. } = rates;
        return Err(format!(
            "it pays {paid}; the network asks for {asked}, and at most {most} may be paid now"
        ));
    }
    Ok(wanted.min(most))
}

/// What a child of an opening must pay: what is missing to `rate` for both, at least the rate for itself, and enough to
/// take the place of `replaced` (BIP 125, rules 3 and 4), for which nodes take the undiscounted size. None: more than
/// any money there is.
#[must_use]
pub fn fee_of_child(
    opening: &TxCost,
    child: &TxCost,
    discounted: bool,
    replaced: Option<&TxCost>,
    (rate, incremental): (FeeRate, FeeRate),
) -> Option<Amount> {
    let both = rate.fee(opening.and(child).size(discounted));
    let missing = both.checked_sub(opening.fee).unwrap_or(Amount::ZERO);
    let replacing = match replaced {
        Some(replaced) => replaced.fee.checked_add(incremental.fee(child.vsize))?,
        None => Amount::ZERO,
    };
    Some(missing.max(rate.fee(child.size(discounted))).max(replacing))
}

/// The least that a void of that virtual size pays: more than the opening in all, and than the void `replaced`, with its
/// own relay on top (BIP 125, rules 3 and 4), for which nodes take the undiscounted size. None: more than any money
/// there is.
#[must_use]
pub fn least_fee_of_void(
    opening: &TxCost,
    replaced: Option<&TxCost>,
    vsize: u64,
    incremental: FeeRate,
) -> Option<Amount> {
    let before = replaced.map_or(Amount::ZERO, |void| void.fee).max(opening.fee);
    before.checked_add(incremental.fee(vsize))
}

/// What a transaction costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TxCost {
    /// The fee paid.
    #[serde(with = "bitcoin::amount::serde::as_sat")]
    pub fee: Amount,
    /// Virtual size (BIP 141).
    pub vsize: u64,
    /// On Liquid the discounted virtual size (ELIP-200), by which its fee is judged; on Bitcoin the same as `vsize`.
    pub discount_vsize: u64,
}

impl TxCost {
    /// The size that the fee is judged by, `discounted` or not.
    #[must_use]
    pub fn size(&self, discounted: bool) -> u64 {
        if discounted { self.discount_vsize } else { self.vsize }
    }

    /// The rate that is paid, rounded down.
    #[must_use]
    pub fn rate(&self, discounted: bool) -> FeeRate {
        rate_of(self.fee, self.size(discounted))
    }

    /// What two transactions cost together.
    #[must_use]
    pub fn and(&self, other: &TxCost) -> TxCost {
        TxCost {
            fee: self.fee.checked_add(other.fee).unwrap_or(Amount::MAX),
            vsize: self.vsize.saturating_add(other.vsize),
            discount_vsize: self.discount_vsize.saturating_add(other.discount_vsize),
        }
    }
}

impl Swap {
    /// What is at stake while a transaction of ours is in no block; None where there is no such transaction.
    #[must_use]
    pub fn stake(&self, tip: Option<Height>) -> Option<Stake> {
        let limits = self.terms.timelocks()?;
        let amount = self.terms.opening_amount(self.kind, self.deal()?)?;
        let until = |deadline: Height| tip.map(|tip| Blocks(deadline.0.saturating_sub(tip.0)));
        let stake = |of, deadline: Option<Height>, stretch| Stake {
            of,
            amount,
            left: deadline.and_then(until),
            stretch,
        };
        match &self.state {
            State::Maker(_, maker) => match maker {
                Maker::Opened(opened) if opened.confirmed_at.is_none() => Some(stake(
                    Bumped::Opening,
                    Some(open_until(self.anchor, limits)),
                    Blocks(limits.window.0 / 2),
                )),
                Maker::ClaimingCoop { .. } | Maker::ClaimingCsv { .. } => Some(stake(Bumped::Refund, None, Blocks(0))),
                Maker::Voiding(_) => Some(stake(Bumped::Void, None, Blocks(0))),
                Maker::AwaitingFee { .. } | Maker::Funding { .. } | Maker::Publishing { .. } | Maker::Opened(_) => None,
            },
            State::Taker(_, taker) => match taker {
                Taker::PayingClaim { paying, .. } | Taker::AbandoningPayment { paying, .. } => Some(stake(
                    Bumped::Claim,
                    Some(claim_until(paying.confirmed_at, limits)),
                    limits.day,
                )),
                Taker::ClaimingInvoice { confirmed_at, .. } => {
                    let until = confirmed_at.map(|at| claim_until(at, limits));
                    Some(stake(Bumped::Claim, until, limits.day))
                }
                Taker::PayingFee { .. }
                | Taker::AwaitingOpening
                | Taker::AwaitingConfirmation { .. }
                | Taker::CoopClosing { .. } => None,
            },
            State::Requested { .. } | State::Canceling { .. } | State::Closed(_) => None,
        }
    }
}

/// The last block in which an opening is in time: it has its confirmations at the last tip of the payment window.
fn open_until(anchor: Height, limits: &Timelocks) -> Height {
    let Height(end) = anchor.plus(limits.window);
    Height(end.saturating_sub(limits.confirmations.0))
}

/// The last block in which a claim surely comes before a refund.
fn claim_until(confirmed_at: Height, limits: &Timelocks) -> Height {
    Height(confirmed_at.plus(limits.csv).0.saturating_sub(1))
}

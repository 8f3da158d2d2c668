//! Questions about a swap that its state answers.

use super::progress::Progress;
use super::state::{Claim, Maker, Offer, Opened, Opening, State, Swap, Taker, TxCost, Voiding};
use super::terms::{Deal, Kind, Role};
use crate::units::RawTx;

impl Swap {
    /// Whether this node made the request.
    #[must_use]
    pub fn is_initiator(&self) -> bool {
        matches!(
            (self.kind, self.role),
            (Kind::In, Role::Maker) | (Kind::Out, Role::Taker)
        )
    }

    /// What was agreed, while it matters.
    #[must_use]
    pub fn deal(&self) -> Option<&Deal> {
        match &self.state {
            State::Maker(deal, _) | State::Taker(deal, _) => Some(deal),
            State::Requested { .. } | State::Canceling { .. } | State::Closed(_) => None,
        }
    }

    /// The newest version of what waits for a block of ours: our spend of the opening, what pushes it, or what voids it.
    #[must_use]
    pub fn newest_version(&self) -> Option<&Claim> {
        match &self.state {
            State::Maker(_, Maker::Opened(opened)) => opened.children.last(),
            State::Maker(_, Maker::Voiding(voiding)) => voiding.voids.last(),
            State::Maker(..)
            | State::Taker(..)
            | State::Requested { .. }
            | State::Canceling { .. }
            | State::Closed(_) => self.newest_claim(),
        }
    }

    /// Whether the operator's wish for another version has been heard and not answered.
    #[must_use]
    pub fn is_bumping(&self) -> bool {
        let progress = match &self.state {
            State::Maker(_, Maker::Opened(opened)) => opened.progress,
            State::Maker(_, Maker::Voiding(voiding)) => voiding.progress,
            State::Maker(_, Maker::ClaimingCoop { refund, .. } | Maker::ClaimingCsv { refund, .. }) => refund.progress,
            State::Taker(_, Taker::ClaimingInvoice { progress, .. }) => *progress,
            State::Maker(..)
            | State::Taker(..)
            | State::Requested { .. }
            | State::Canceling { .. }
            | State::Closed(_) => Progress::Fresh,
        };
        matches!(progress, Progress::Wished(_))
    }

    /// The newest version of our spend of the opening that may be with the network.
    #[must_use]
    pub fn newest_claim(&self) -> Option<&Claim> {
        match &self.state {
            State::Maker(_, Maker::ClaimingCoop { refund, .. } | Maker::ClaimingCsv { refund, .. }) => {
                refund.claims.last()
            }
            State::Taker(_, Taker::ClaimingInvoice { claims, .. }) => claims.last(),
            State::Maker(..)
            | State::Taker(..)
            | State::Requested { .. }
            | State::Canceling { .. }
            | State::Closed(_) => None,
        }
    }
}

impl Maker {
    /// The signed opening, once there is one.
    #[must_use]
    pub fn opening(&self) -> Option<&Opening> {
        match self {
            Maker::AwaitingFee { .. } | Maker::Funding { .. } => None,
            Maker::Publishing { opening, .. } | Maker::Voiding(Voiding { opening, .. }) => Some(opening),
            Maker::Opened(_) | Maker::ClaimingCoop { .. } | Maker::ClaimingCsv { .. } => {
                self.opened().map(|opened| &opened.opening)
            }
        }
    }

    /// The opening as it was published, once it was.
    #[must_use]
    pub fn opened(&self) -> Option<&Opened> {
        match self {
            Maker::Opened(opened) | Maker::ClaimingCoop { opened, .. } | Maker::ClaimingCsv { opened, .. } => {
                Some(opened)
            }
            Maker::AwaitingFee { .. } | Maker::Funding { .. } | Maker::Publishing { .. } | Maker::Voiding { .. } => {
                None
            }
        }
    }
}

impl Taker {
    /// The opening, once it is verified.
    #[must_use]
    pub fn opening(&self) -> Option<&RawTx> {
        match self {
            Taker::PayingClaim { paying, .. } | Taker::AbandoningPayment { paying, .. } => Some(&paying.opening),
            Taker::ClaimingInvoice { opening, .. } => Some(opening),
            Taker::PayingFee { .. }
            | Taker::AwaitingOpening
            | Taker::AwaitingConfirmation { .. }
            | Taker::CoopClosing { .. } => None,
        }
    }

    /// What the maker announced, once it has.
    #[must_use]
    pub fn offer(&self) -> Option<&Offer> {
        match self {
            Taker::PayingFee { offer, .. } | Taker::CoopClosing { offer, .. } => offer.as_ref(),
            Taker::AwaitingOpening => None,
            Taker::AwaitingConfirmation { offer, .. } | Taker::ClaimingInvoice { offer, .. } => Some(offer),
            Taker::PayingClaim { paying, .. } | Taker::AbandoningPayment { paying, .. } => Some(&paying.offer),
        }
    }
}

impl Opening {
    /// What is paid to get it into a block: by itself, and by the newest of these children.
    fn pays_with(&self, children: &[Claim]) -> TxCost {
        children.last().map_or(self.cost, |child| self.cost.and(&child.cost))
    }
}

impl Opened {
    /// What is paid to get it into a block: by itself, and by the newest child.
    #[must_use]
    pub fn pays(&self) -> TxCost {
        self.opening.pays_with(&self.children)
    }
}

impl Voiding {
    /// What takes the opening's place pays for all of this: the opening, and the child that pushed it.
    #[must_use]
    pub fn replaces(&self) -> TxCost {
        self.opening.pays_with(&self.children)
    }
}

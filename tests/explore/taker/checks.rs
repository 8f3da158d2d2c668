//! What must never be, on the taker's side.

use sluice::swap::event::InvoiceKind;
use sluice::swap::state::{Outcome, Party, State, Taker};

use super::{World, Wrong};
use crate::chain::Place;
use crate::rules::{Invariant, Machine, Violation, keeps_giving_key};
use crate::seen::{By, Paid};

impl Wrong {
    fn breaks(self) -> (Invariant, &'static str) {
        match self {
            Wrong::SecondHtlc => (
                Invariant::OneHtlc,
                "an attempt begins before the last one's end is known",
            ),
            Wrong::PaidLate => (Invariant::PaidInTime, "a payment begins after the payment window"),
            Wrong::NotAgreed => (Invariant::NeverPoorer, "what is paid for is not what was agreed"),
            Wrong::Uncommitted => (Invariant::CommittedFirst, "something is done that is not committed"),
        }
    }
}

impl World {
    pub(super) fn judge(&self, machine: &Machine) -> Result<(), Violation> {
        let broken = |of, what: &str| Err(Violation::new(of, what));
        if let Some(wrong) = self.wrong {
            let (of, what) = wrong.breaks();
            return broken(of, what);
        }
        if self.pays == InvoiceKind::Fee {
            return self.judge_fee(machine);
        }
        let (may_be_paid, is_paid) = (self.may_be_paid(), self.payment == Paid::Yes);
        if self.key_out && (may_be_paid || is_paid) {
            return broken(
                Invariant::NoKeyWhilePaying,
                "the maker has our key and, it may be, the payment",
            );
        }
        let is_taken = matches!(self.chain.spend, Some((By::Coop | By::Csv, ..)));
        if is_paid && (is_taken || self.chain.opening == Place::Dead) {
            return broken(Invariant::NeverPoorer, "the maker has the payment and the coins");
        }
        match &machine.swap(self.committed).state {
            State::Closed(Outcome::ClaimedByInvoice) => match self.chain.spend {
                Some((By::Preimage, true, at)) if is_paid && self.chain.is_final(at) => Ok(()),
                _ => broken(
                    Invariant::NeverPoorer,
                    "claimed, but not paid or not final in the chain",
                ),
            },
            State::Closed(Outcome::Lost { reason }) => broken(Invariant::NeverPoorer, reason),
            State::Closed(_) if is_paid || may_be_paid => broken(
                Invariant::NeverPoorer,
                "over, and what is or may be paid for is not claimed",
            ),
            // A message has been heard only when its consequence is seen: the maker may have been away each time.
            State::Taker(_, Taker::CoopClosing { .. })
                if self.chain.is_spendable()
                    && !self.chain.is_mature()
                    && !keeps_giving_key(&machine.wants(self.committed)) =>
            {
                broken(
                    Invariant::NeverPoorer,
                    "the key is not offered any more: if it was not heard, the maker's coins are locked for the whole \
                     timelock",
                )
            }
            State::Closed(_)
            | State::Requested { .. }
            | State::Canceling { .. }
            | State::Maker(..)
            | State::Taker(..) => Ok(()),
        }
    }

    /// A fee that is or may be paid obliges the maker, as long as we hold it to that.
    fn judge_fee(&self, machine: &Machine) -> Result<(), Violation> {
        let poorer = |what: &str| Err(Violation::new(Invariant::NeverPoorer, what));
        match &machine.swap(self.committed).state {
            State::Requested { .. } | State::Taker(_, Taker::PayingFee { .. }) | State::Maker(..) => Ok(()),
            State::Taker(..) => poorer("the swap goes on, and its fee is not paid"),
            State::Canceling { .. } | State::Closed(_) if self.may_be_paid() => {
                poorer("cancelled, and the fee may still be paid")
            }
            // The maker has ended it: there is nobody to hold to anything.
            State::Closed(Outcome::Canceled { by: Party::Peer, .. }) => Ok(()),
            State::Canceling { .. } | State::Closed(_) if self.payment == Paid::Yes => {
                poorer("cancelled, and the fee is paid")
            }
            State::Canceling { .. } | State::Closed(_) => Ok(()),
        }
    }
}

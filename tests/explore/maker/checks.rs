//! What must never be, on the maker's side.

use sluice::swap::event::InvoiceStatus;
use sluice::swap::state::{Maker, Outcome, Party, State};

use super::World;
use crate::chain::Place;
use crate::rules::{Invariant, Machine, Violation};
use crate::seen::By;

impl World {
    pub(super) fn judge(&self, machine: &Machine) -> Result<(), Violation> {
        let broken = |of, what: &str| Err(Violation::new(of, what));
        if self.uncommitted {
            return broken(Invariant::CommittedFirst, "something is done that is not committed");
        }
        if self.refunded_early {
            return broken(
                Invariant::NoKeyWhilePaying,
                "a refund is out while the invoice can be paid",
            );
        }
        let is_out = matches!(self.chain.opening, Place::Mempool | Place::Block(_));
        match &machine.swap(self.committed).state {
            State::Closed(outcome) => self.judge_end(outcome, is_out),
            // The swap has all that is needed to get the coins back.
            State::Maker(_, maker) if maker.opening().is_some() => self.judge_key(maker),
            State::Maker(_, Maker::Funding { .. }) if self.fee.is_some() => {
                broken(Invariant::NeverPoorer, "the opening is funded, and its fee is not paid")
            }
            State::Maker(..) if is_out => broken(
                Invariant::CommittedFirst,
                "the opening is out, and the swap does not know it",
            ),
            State::Requested { .. } | State::Canceling { .. } | State::Taker(..) if is_out => broken(
                Invariant::NeverPoorer,
                "the opening is out, and the swap has given it up",
            ),
            State::Requested { .. } | State::Canceling { .. } | State::Maker(..) | State::Taker(..) => Ok(()),
        }
    }

    fn judge_key(&self, maker: &Maker) -> Result<(), Violation> {
        match maker {
            Maker::Opened(opened) if self.key_given && opened.status != InvoiceStatus::Paid => Err(Violation::new(
                Invariant::NeverPoorer,
                "the taker has given its key, and it is lost: the coins are locked for the whole timelock",
            )),
            Maker::ClaimingCoop { .. } if !self.key_given => {
                let what = "a key that opens nothing is taken for the taker's";
                Err(Violation::new(Invariant::NeverPoorer, what))
            }
            Maker::AwaitingFee { .. }
            | Maker::Funding { .. }
            | Maker::Publishing { .. }
            | Maker::Voiding { .. }
            | Maker::Opened(_)
            | Maker::ClaimingCoop { .. }
            | Maker::ClaimingCsv { .. } => Ok(()),
        }
    }

    fn judge_end(&self, outcome: &Outcome, is_out: bool) -> Result<(), Violation> {
        let poorer = |what: &str| Err(Violation::new(Invariant::NeverPoorer, what));
        let is_paid = self.invoice == Some(InvoiceStatus::Paid);
        let has_back =
            |by: By| matches!(self.chain.spend, Some((path, true, at)) if path == by && self.chain.is_final(at));
        match outcome {
            Outcome::Lost { reason } => poorer(reason),
            // The input may come back at any time, before the next look at the chain as well: the rescue file is kept.
            Outcome::GivenUp { .. } if self.invoice == Some(InvoiceStatus::Open) => {
                poorer("given up, and the taker may still pay")
            }
            Outcome::Canceled { .. } if is_out => poorer("cancelled, and the opening is out"),
            Outcome::Canceled { .. } => match self.chain.void {
                Place::Block(at) if !self.chain.is_final(at) => poorer("cancelled, and the opening may come back"),
                Place::Nowhere | Place::Mempool | Place::Block(_) | Place::Dead => Ok(()),
            },
            Outcome::ClaimPaid { .. } if !is_paid => poorer("the outcome names a payment that is none"),
            Outcome::ClaimPaid { coins: Party::Us } if !has_back(By::Coop) && !has_back(By::Csv) => {
                poorer("the outcome names coins that we have not")
            }
            Outcome::ClaimedByCoop if !has_back(By::Coop) => poorer("the coins are not back by both keys"),
            Outcome::ClaimedByCsv if !has_back(By::Csv) => poorer("the coins are not back by the timelock"),
            Outcome::ClaimPaid { .. }
            | Outcome::ClaimedByInvoice
            | Outcome::ClaimedByCoop
            | Outcome::ClaimedByCsv
            | Outcome::CoopClosed { .. }
            | Outcome::GivenUp { .. } => Ok(()),
        }
    }
}

//! The ends of a swap, in one word.

use sluice::swap::state::Outcome;

pub fn end(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::ClaimPaid { .. } => "claim_paid",
        Outcome::ClaimedByInvoice => "claimed_by_invoice",
        Outcome::ClaimedByCoop => "claimed_by_coop",
        Outcome::ClaimedByCsv => "claimed_by_csv",
        Outcome::CoopClosed { .. } => "coop_closed",
        Outcome::Canceled { .. } => "canceled",
        Outcome::GivenUp { .. } => "given_up",
        Outcome::Lost { .. } => "lost",
    }
}

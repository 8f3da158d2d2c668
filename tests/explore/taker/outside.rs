//! What happens around the taker whether or not its daemon is there.

use sluice::swap::event::InvoiceKind;

use super::daemon::FAILURES;
use super::{LAST, World};
use crate::chain::{Chain, Mined, Place};
use crate::graph::{Move, Who};
use crate::seen::{By, Paid};

impl World {
    /// `is_busy`: the daemon has something to do that it has not done yet.
    pub(super) fn outside(&self, is_busy: bool, moves: &mut Vec<Move<World>>) {
        let mut add = |who, by, to| moves.push(Move { who, by, to });
        if let Some(lost) = self.lost.checked_sub(1) {
            let mut to = World { lost, ..*self };
            add(Who::World, "the lost call vanishes", to);
            to.begin_payment();
            add(Who::World, "the node takes the lost call", to);
        }
        if self.payment == Paid::InFlight {
            let to = World {
                payment: Paid::Yes,
                claim_until: self.chain.tip + self.chain.limits().claim_margin.0,
                ..*self
            };
            // It is in the maker's hands when it settles, not whether it is resolved by its timeout.
            add(Who::Peer, "the maker settles", to);
            for (by, failure) in FAILURES {
                let payment = Paid::Failed(failure);
                add(Who::World, by, World { payment, ..*self });
            }
        }
        if self.chain.opening == Place::Nowhere {
            let mut to = *self;
            to.chain.opening = Place::Mempool;
            add(Who::Peer, "the maker publishes", to);
            to.chain.bad = true;
            add(Who::Peer, "the maker publishes what was not agreed", to);
        }
        if self.chain.opening == Place::Mempool {
            let mut to = *self;
            to.chain.opening = Place::Dead;
            add(Who::Peer, "the maker spends the opening's inputs elsewhere", to);
        }
        // Nothing stays in a socket for a minute, and the daemon is back before the last step.
        let may_pass = self.clock < LAST && !self.may_call_come();
        if may_pass && (self.up || self.clock + 1 < LAST) {
            let clock = self.clock + 1;
            add(Who::World, "time passes", World { clock, ..*self });
        }
        if self.faults > 0 {
            let faults = self.faults - 1;
            for chain in self.chain.reorgs() {
                let to = World {
                    chain,
                    faults,
                    // What a reorg takes out of the chain may be gone from every mempool.
                    claim_out: self.claim_out && chain.spend.is_some(),
                    ..*self
                };
                add(Who::Chance, "a reorg", to);
            }
        }
        self.blocks(is_busy, moves);
    }

    fn blocks(&self, is_busy: bool, moves: &mut Vec<Move<World>>) {
        let chain = self.chain;
        // From there on: the last block in which the opening is in time, the one after it, and the last for a payment.
        let (deep, end) = (chain.deep(), chain.window_end());
        let deadlines = [
            end - 2 - deep,
            end - 1 - deep,
            end - 1,
            self.call_until,
            self.htlc_until,
            self.claim_until,
        ];
        let mut add = |who, by, chain: Chain| {
            if self.may_come_to(&chain, is_busy) {
                // Days are longer than an invoice lives; the last step waits until the daemon is back.
                let least = if chain.is_long_after_window() { LAST - 1 } else { 0 };
                let clock = self.clock.max(least);
                let to = World { chain, clock, ..*self };
                moves.push(Move { who, by, to });
            }
        };
        if let Some(tip) = chain.next_height(&deadlines) {
            add(Who::World, "blocks", chain.up_to(tip));
        }
        if chain.opening == Place::Mempool {
            add(Who::World, "a block with the opening", chain.mine(Mined::Opening));
        }
        if chain.is_spendable() {
            if self.claim_out {
                let claim = Mined::Spend(By::Preimage, true);
                add(Who::World, "a block with the claim", chain.mine(claim));
            }
            if self.key_out {
                let spend = Mined::Spend(By::Coop, false);
                add(
                    Who::Peer,
                    "a block with the maker's cooperative spend",
                    chain.mine(spend),
                );
            }
            if chain.is_mature() {
                let spend = Mined::Spend(By::Csv, false);
                add(Who::Peer, "a block with the maker's refund", chain.mine(spend));
            }
        }
    }

    /// The assumptions that `may_pay` rests on: a call reaches the node, an HTLC is resolved and a claim mined within
    /// their numbers of blocks, and the daemon is there and has done its part by then.
    fn may_come_to(&self, chain: &Chain, is_busy: bool) -> bool {
        if self.may_call_come() && chain.tip > self.call_until {
            return false;
        }
        // No deadline in blocks depends on the fee.
        if self.pays == InvoiceKind::Fee {
            return true;
        }
        if self.payment == Paid::InFlight && chain.tip > self.htlc_until {
            return false;
        }
        let is_late = self.payment == Paid::Yes && chain.tip > self.claim_until;
        let is_claimed = matches!(chain.spend, Some((By::Preimage, ..)));
        let can_be = (is_busy || self.claim_out) && self.chain.is_spendable();
        !is_late || is_claimed || !can_be
    }
}

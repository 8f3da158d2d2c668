//! What happens around the maker whether or not its daemon is there.

use sluice::swap::event::InvoiceStatus;
use sluice::swap::state::{Maker, Race, State, Voiding};

use super::{LAST, World};
use crate::chain::{Chain, Mined, Place};
use crate::graph::{Move, Who};
use crate::rules::Machine;
use crate::seen::By;

impl World {
    pub(super) fn outside(&self, machine: &Machine, moves: &mut Vec<Move<World>>) {
        let mut add = |who, by, to| moves.push(Move { who, by, to });
        if self.invoice == Some(InvoiceStatus::Open) {
            let with = |status| World {
                invoice: Some(status),
                ..*self
            };
            if self.clock < LAST {
                add(Who::Peer, "the taker pays", with(InvoiceStatus::Paid));
            } else {
                add(Who::World, "the invoice expires", with(InvoiceStatus::Closed));
            }
        }
        if self.fee == Some(InvoiceStatus::Open) {
            let with = |status| World {
                fee: Some(status),
                ..*self
            };
            // It lives for ten minutes.
            if self.clock == 0 {
                add(Who::Peer, "the taker pays the fee", with(InvoiceStatus::Paid));
            } else {
                add(Who::World, "the fee invoice expires", with(InvoiceStatus::Closed));
            }
        }
        if self.clock < LAST {
            let clock = self.clock + 1;
            add(Who::World, "time passes", World { clock, ..*self });
        }
        if self.chain.gone.is_some() {
            let chain = Chain {
                gone: None,
                ..self.chain
            };
            add(Who::Chance, "the input is there again", World { chain, ..*self });
        }
        self.reorgs(moves);
        self.blocks(machine, moves);
    }

    fn reorgs(&self, moves: &mut Vec<Move<World>>) {
        let Some(faults) = self.faults.checked_sub(1) else {
            return;
        };
        let mut add = |by, to| {
            let who = Who::Chance;
            moves.push(Move { who, by, to });
        };
        if let Some(chain) = self.chain.without_input() {
            add("a reorg takes an input away", World { chain, faults, ..*self });
        }
        for chain in self.chain.reorgs() {
            add("a reorg", World { chain, faults, ..*self });
            // What a reorg takes out of the chain may be gone from every mempool.
            if self.refund_out.is_some() && chain.spend.is_none() {
                let refund_out = None;
                let to = World {
                    chain,
                    faults,
                    refund_out,
                    ..*self
                };
                add("a reorg, and the network forgets the refund", to);
            }
        }
    }

    fn blocks(&self, machine: &Machine, moves: &mut Vec<Move<World>>) {
        let chain = self.chain;
        let mut add = |who, by, chain: Chain| {
            let clock = if chain.is_long_after_window() { LAST } else { self.clock };
            let to = World { chain, clock, ..*self };
            moves.push(Move { who, by, to });
        };
        // From there on it is too late to open.
        let late = chain.window_end() - chain.deep() - 6;
        let deadlines: Vec<u32> = [late].into_iter().chain(self.long_gone_at(machine)).collect();
        if let Some(tip) = chain.next_height(&deadlines) {
            add(Who::World, "blocks", chain.up_to(tip));
        }
        if chain.opening == Place::Mempool {
            add(Who::World, "a block with the opening", chain.mine(Mined::Opening));
        }
        if chain.void == Place::Mempool {
            add(Who::World, "a block with the void", chain.mine(Mined::Void));
        }
        if chain.is_spendable() {
            if self.invoice == Some(InvoiceStatus::Paid) {
                let claim = Mined::Spend(By::Preimage, false);
                add(Who::Peer, "the taker's claim in a block", chain.mine(claim));
            }
            let fits = |by: &By| *by == By::Coop || chain.is_mature();
            if let Some(by) = self.refund_out.filter(fits) {
                let spend = Mined::Spend(by, true);
                add(Who::World, "a block with the refund", chain.mine(spend));
            }
        }
    }

    /// The height at which what has vanished has been gone for long, from when that was seen.
    fn long_gone_at(&self, machine: &Machine) -> Option<u32> {
        match &machine.swap(self.committed).state {
            State::Maker(
                _,
                Maker::Voiding(Voiding {
                    race: Race::Gone(since),
                    ..
                }),
            ) => Some(since.plus(self.chain.limits().csv).0),
            State::Maker(..)
            | State::Taker(..)
            | State::Requested { .. }
            | State::Canceling { .. }
            | State::Closed(_) => None,
        }
    }
}

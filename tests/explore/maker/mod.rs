//! The maker's world: its node's invoices, the chain, and a taker that does whatever it can.

mod checks;
mod daemon;
mod outside;

use sluice::swap::event::InvoiceStatus;
use sluice::swap::state::{Maker, Opened, State, Voiding};
use sluice::swap::terms::{Kind, Role};
use sluice::swap::{Effect, Now, holds_channel, may_be_given_up};
use sluice::units::{Asset, Height};

use crate::chain::Chain;
use crate::fixtures::*;
use crate::graph::{self, Bounds, Endless, Move, Who};
use crate::rules::{Id, Machine, Violation};
use crate::seen::{By, Seen};

/// Before and after nine minutes, and after an invoice's lifetime.
const CLOCK: usize = 3;
const LAST: u8 = CLOCK as u8 - 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct World {
    committed: Id,
    /// What the daemon goes by: the committed swap, unless it acts first.
    running: Id,
    up: bool,
    /// No view of the chain has come since the daemon's start.
    blind: bool,
    clock: u8,
    chain: Chain,
    /// The fee invoice at our node; None before it is made, and once it has been paid and the swap gone on.
    fee: Option<InvoiceStatus>,
    /// The claim invoice at our node; None before it is made.
    invoice: Option<InvoiceStatus>,
    /// How often the daemon may still die, or blocks be lost to a reorg.
    faults: u8,
    bumps: u8,
    /// Our spend of the opening by this path is with the network.
    refund_out: Option<By>,
    /// The taker has given its key for an opening that exists.
    key_given: bool,
    /// What was done first was not committed first.
    uncommitted: bool,
    /// A refund went out while the invoice could be paid, before its deadline.
    refunded_early: bool,
}

impl World {
    /// From the beginning: the request of a swap-in, the fee invoice of a swap-out.
    pub fn begin(machine: &mut Machine, kind: Kind, asset: Asset, bounds: Bounds) -> World {
        let committed = machine.id(Case::new(Role::Maker, kind, asset).swap);
        World {
            committed,
            running: committed,
            up: true,
            blind: false,
            clock: 0,
            chain: Chain::new(asset),
            fee: None,
            invoice: None,
            faults: bounds.faults,
            bumps: bounds.bumps,
            refund_out: None,
            key_given: false,
            uncommitted: false,
            refunded_early: false,
        }
    }

    fn now(&self) -> Now {
        let clock: [u64; CLOCK] = [0, 1200, self.chain.limits().invoice_expiry_secs + 400];
        Now {
            time: START.plus_secs(clock[usize::from(self.clock)]),
            tip: (!self.blind).then_some(Height(self.chain.tip)),
        }
    }

    fn taking(&self, machine: &mut Machine, seen: Seen) -> World {
        let mut next = *self;
        if let Seen::Chain(_) = seen {
            next.blind = false;
        }
        next.running = machine.step(self.running, next.now(), seen);
        if !machine.acts_first() {
            next.committed = next.running;
        }
        let is_past_fee = !matches!(
            machine.swap(next.running).state,
            State::Maker(_, Maker::AwaitingFee { .. })
        );
        if is_past_fee && next.fee == Some(InvoiceStatus::Paid) {
            next.fee = None;
        }
        next
    }

    /// The world after the daemon has done that: what is not yet committed must not be done.
    fn doing(self, machine: &Machine, effect: &Effect) -> World {
        let is_committed = machine.is_committed(self.running, self.committed, effect);
        let uncommitted = self.uncommitted || !is_committed;
        World { uncommitted, ..self }
    }
}

impl graph::World for World {
    fn moves(&self, machine: &mut Machine, moves: &mut Vec<Move<World>>) {
        // What is final stays so: a reorg does not reach as deep.
        if self.end(machine).is_some() {
            return;
        }
        if self.up {
            self.daemon(machine, moves);
        } else {
            let started = World {
                up: true,
                blind: true,
                running: self.committed,
                ..*self
            };
            let (who, by) = (Who::Us, "the daemon starts");
            let to = started.taking(machine, Seen::Started);
            moves.push(Move { who, by, to });
        }
        self.outside(machine, moves);
    }

    fn check(&self, machine: &Machine) -> Result<(), Violation> {
        machine.contradicts_itself(self.committed)?;
        machine.keeps_its_terms(self.committed)?;
        self.judge(machine)
    }

    fn end(&self, machine: &Machine) -> Option<&'static str> {
        match &machine.swap(self.committed).state {
            State::Closed(outcome) => Some(crate::words::end(outcome)),
            State::Requested { .. } | State::Canceling { .. } | State::Maker(..) | State::Taker(..) => None,
        }
    }

    /// Where a reorg has taken the inputs of the opening away for good, neither it nor its void can confirm, and no height
    /// and no deadline proves that they never come back (decision 0022).
    fn endless(&self, machine: &Machine) -> Option<Endless> {
        self.chain.gone?;
        match &machine.swap(self.committed).state {
            // As long as a timelock has passed, and nobody can pay for the opening any more.
            State::Maker(_, Maker::Voiding(voiding)) if may_be_given_up(voiding) => Some(Endless::LeftToOperator),
            // The taker has paid for an opening that was in no block, which no honest one does. Should it ever confirm, the
            // taker has the preimage, and needs nothing of us.
            state @ State::Maker(_, Maker::Voiding(Voiding { status, .. }) | Maker::Opened(Opened { status, .. }))
                if *status == InvoiceStatus::Paid && !holds_channel(state) =>
            {
                Some(Endless::Watched)
            }
            // Nobody pays for it, and should it ever confirm, the taker's key takes it back.
            state @ State::Maker(_, Maker::ClaimingCoop { refund, .. })
                if refund.invoice_closed && !holds_channel(state) =>
            {
                Some(Endless::Watched)
            }
            State::Maker(..)
            | State::Taker(..)
            | State::Requested { .. }
            | State::Canceling { .. }
            | State::Closed(_) => None,
        }
    }
}

//! The taker's world: its own node with its calls, the chain, and a maker that does whatever it can.

mod checks;
mod daemon;
mod outside;

use sluice::swap::event::InvoiceKind;
use sluice::swap::state::{Outcome, State, Taker};
use sluice::swap::terms::{Kind, Role};
use sluice::swap::{Effect, Now};
use sluice::units::{Asset, Height};

use crate::chain::Chain;
use crate::fixtures::*;
use crate::graph::{self, Bounds, Endless, Move, Who};
use crate::rules::{Id, Machine, Violation, gives_key};
use crate::seen::{Paid, Seen};

/// Begun, a minute later, after the invoice's expiry, and past every deadline. A minute apart at least: no lost call
/// outlives a step of the clock.
const CLOCK: usize = 4;
const LAST: u8 = CLOCK as u8 - 1;

/// A call to pay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Call {
    None,
    /// On its way to the node.
    Sent,
    /// The node has it.
    Taken,
}

/// What must hold and depends on the way, not on the state alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Wrong {
    SecondHtlc,
    PaidLate,
    NotAgreed,
    Uncommitted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct World {
    committed: Id,
    /// What the daemon goes by: the committed swap, unless it acts first.
    running: Id,
    up: bool,
    clock: u8,
    chain: Chain,
    /// What is paid now: the fee first, if there is one.
    pays: InvoiceKind,
    payment: Paid,
    call: Call,
    /// How many calls that nobody waits for any more sit in a socket.
    lost: u8,
    /// The number of the attempt that was called last.
    attempt: u32,
    /// The node has told that this attempt failed.
    told_failed: bool,
    /// The tip by which a call has reached the node or never will.
    call_until: u32,
    /// The longest life of the call's HTLC, in blocks, and the tip by which the HTLC is resolved.
    htlc_blocks: u32,
    htlc_until: u32,
    /// The tip by which the claim is in a block, outages included.
    claim_until: u32,
    /// How often the daemon may still die, a call's connection break, or blocks be lost to a reorg.
    faults: u8,
    bumps: u8,
    claim_out: bool,
    key_out: bool,
    wrong: Option<Wrong>,
}

impl World {
    /// From the beginning: the request of a swap-out, the agreement to a swap-in.
    pub fn begin(machine: &mut Machine, kind: Kind, asset: Asset, bounds: Bounds) -> World {
        let committed = machine.id(Case::new(Role::Taker, kind, asset).swap);
        let pays = match kind {
            Kind::In => InvoiceKind::Claim,
            Kind::Out => InvoiceKind::Fee,
        };
        World {
            committed,
            running: committed,
            up: true,
            clock: 0,
            chain: Chain::new(asset),
            pays,
            payment: Paid::No,
            call: Call::None,
            lost: 0,
            attempt: 0,
            told_failed: true,
            call_until: 0,
            htlc_blocks: 0,
            htlc_until: 0,
            claim_until: 0,
            faults: bounds.faults,
            bumps: bounds.bumps,
            claim_out: false,
            key_out: false,
            wrong: None,
        }
    }

    fn now(&self) -> Now {
        let expiry = self.chain.limits().invoice_expiry_secs;
        let clock: [u64; CLOCK] = [0, 61, expiry + 400, 2 * expiry + 800];
        Now {
            time: START.plus_secs(clock[usize::from(self.clock)]),
            tip: Some(Height(self.chain.tip)),
        }
    }

    /// The world after the daemon has taken an event.
    fn taking(&self, machine: &mut Machine, seen: Seen) -> World {
        let mut next = *self;
        next.running = machine.step(self.running, self.now(), seen);
        if !machine.acts_first() {
            next.committed = next.running;
        }
        if let Seen::Payment(_, Paid::Failed(_)) = seen {
            next.told_failed = true;
        }
        // A swap that closed unpaid answers a late opening with its key.
        let state = &machine.swap(next.running).state;
        let answers = matches!(
            state,
            State::Closed(Outcome::Canceled { .. } | Outcome::CoopClosed { .. })
        );
        next.key_out |= answers || gives_key(&machine.wants(next.running));
        let is_past_fee = matches!(state, State::Taker(_, taker) if !matches!(taker, Taker::PayingFee { .. }));
        if is_past_fee && next.pays == InvoiceKind::Fee && next.payment == Paid::Yes {
            next.turn_to_claim();
        }
        next
    }

    /// The fee is paid: a call for it that is still open finds that, and changes nothing.
    fn turn_to_claim(&mut self) {
        self.pays = InvoiceKind::Claim;
        self.payment = Paid::No;
        self.call = Call::None;
        (self.lost, self.attempt, self.told_failed) = (0, 0, true);
    }

    /// The world after the daemon has done that: what is not yet committed must not be done.
    fn doing(self, machine: &Machine, effect: &Effect) -> World {
        let is_committed = machine.is_committed(self.running, self.committed, effect);
        World {
            wrong: self.wrong.or((!is_committed).then_some(Wrong::Uncommitted)),
            ..self
        }
    }

    /// Deadlines of what is over are no difference.
    fn forget_the_past(&mut self) {
        if !self.may_call_come() {
            (self.call_until, self.htlc_blocks) = (0, 0);
        }
        if self.payment != Paid::InFlight {
            self.htlc_until = 0;
        }
        if self.payment != Paid::Yes {
            self.claim_until = 0;
        }
        if self.pays == InvoiceKind::Fee {
            (self.htlc_until, self.claim_until) = (0, 0);
            // What is paid is not paid again: a call that comes late finds it so.
            self.lost *= u8::from(self.payment != Paid::Yes);
        }
    }

    /// Whether a call is on its way to the node, waited for or not.
    fn may_call_come(&self) -> bool {
        self.lost > 0 || self.call == Call::Sent
    }

    /// Whether what is paid now is under way, or may still be.
    fn may_be_paid(&self) -> bool {
        self.may_call_come() || self.payment == Paid::InFlight
    }

    fn is_over(&self, machine: &Machine) -> bool {
        matches!(machine.swap(self.committed).state, State::Closed(_))
    }
}

impl graph::World for World {
    fn moves(&self, machine: &mut Machine, moves: &mut Vec<Move<World>>) {
        // After the end only a call that nobody waits for could still do harm.
        if self.is_over(machine) && self.lost == 0 && self.call == Call::None && self.payment != Paid::InFlight {
            return;
        }
        if self.up {
            self.daemon(machine, moves);
        } else {
            let started = World {
                up: true,
                running: self.committed,
                ..*self
            };
            let to = started.taking(machine, Seen::Started);
            moves.push(Move {
                who: Who::Us,
                by: "the daemon starts",
                to,
            });
        }
        let is_busy = moves.iter().any(|made| made.who == Who::Us && made.to != *self);
        self.outside(is_busy, moves);
        for made in moves {
            made.to.forget_the_past();
        }
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

    fn endless(&self, _: &Machine) -> Option<Endless> {
        None
    }
}

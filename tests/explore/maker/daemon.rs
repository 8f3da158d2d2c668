//! What the maker's daemon does, and what reaches it.

use sluice::swap::Effect;
use sluice::swap::event::{EffectKind, InvoiceKind, InvoiceStatus, TxKind};
use sluice::swap::state::{Maker, State};

use super::World;
use crate::chain::{Chain, Place};
use crate::graph::{Move, Who};
use crate::rules::Machine;
use crate::seen::{By, SAID, Seen, message_kind};

impl World {
    pub(super) fn daemon(&self, machine: &mut Machine, moves: &mut Vec<Move<World>>) {
        let mut add = |who, by, to| moves.push(Move { who, by, to });
        if machine.wants(self.running).contains(&Effect::WatchChain) {
            let chain = Seen::Chain(self.chain);
            add(Who::Us, "the daemon looks at the chain", self.taking(machine, chain));
        }
        for (by, seen) in SAID {
            let mut to = self.taking(machine, seen);
            let opened =
                matches!(&machine.swap(self.running).state, State::Maker(_, maker) if maker.opening().is_some());
            to.key_given |= seen == Seen::Key && opened;
            add(Who::Peer, by, to);
        }
        add(Who::Operator, "the operator aborts", self.taking(machine, Seen::Abort));
        if let Some(bumps) = self.bumps.checked_sub(1) {
            let to = World {
                bumps,
                ..self.taking(machine, Seen::Bump)
            };
            // What is not heard has not been said.
            if to.running != self.running {
                add(Who::Operator, "the operator bumps", to);
            }
        }
        if self.running != self.committed {
            let committed = self.running;
            add(Who::Us, "the daemon commits", World { committed, ..*self });
        }
        for effect in machine.wants(self.running).iter() {
            self.perform(machine, effect, moves);
        }
        if let Some(faults) = self.faults.checked_sub(1) {
            let to = World {
                up: false,
                running: self.committed,
                faults,
                ..*self
            };
            let (who, by) = (Who::Chance, "the daemon dies");
            moves.push(Move { who, by, to });
        }
    }

    fn perform(&self, machine: &mut Machine, effect: &Effect, moves: &mut Vec<Move<World>>) {
        let mut add = |who, by, to: World| moves.push(Move { who, by, to });
        match effect {
            Effect::MakeInvoice { .. }
            | Effect::MakeOpening(_)
            | Effect::MakeVoid(_)
            | Effect::MakeClaim(..)
            | Effect::MakePush(_) => self.make(machine, effect, moves),
            Effect::Broadcast { kind, .. } => self.publish(machine, effect, *kind, moves),
            Effect::WatchInvoice(kind, _) => {
                add(Who::Us, "the node tells of the invoice", self.told(machine, *kind));
            }
            Effect::CancelInvoice(_) => {
                let mut next = self.doing(machine, effect);
                next.invoice = Some(match self.invoice {
                    Some(InvoiceStatus::Paid) => InvoiceStatus::Paid,
                    Some(InvoiceStatus::Open | InvoiceStatus::Closed) | None => InvoiceStatus::Closed,
                });
                add(
                    Who::Us,
                    "the node is asked to cancel the invoice",
                    next.told(machine, InvoiceKind::Claim),
                );
            }
            Effect::WakeAt(time) if self.now().time >= *time => {
                add(Who::Us, "a deadline comes", self.taking(machine, Seen::Tick));
            }
            Effect::Send { message, .. } => {
                let sent = Seen::Sent(message_kind(message));
                let to = self.doing(machine, effect).taking(machine, sent);
                add(Who::Us, "a message is sent", to);
            }
            Effect::WakeAt(_) | Effect::Pay(_) | Effect::WatchPayment(..) | Effect::WatchChain => {}
        }
    }

    /// What is to be made is made, or refused.
    fn make(&self, machine: &mut Machine, effect: &Effect, moves: &mut Vec<Move<World>>) {
        let mut add = |who, by, to: World| moves.push(Move { who, by, to });
        let refused = |machine: &mut Machine, what| self.taking(machine, Seen::Refused(what));
        match effect {
            Effect::MakeInvoice { kind, .. } => {
                let mut made = self.doing(machine, effect);
                made.at_node(*kind).get_or_insert(InvoiceStatus::Open);
                add(Who::Us, "the invoice is made, the answer lost", made);
                let told = made.taking(machine, Seen::MadeInvoice(*kind));
                add(Who::Us, "the invoice is made", told);
                let not = refused(machine, EffectKind::MakeInvoice);
                add(Who::Chance, "the invoice is not made", not);
            }
            Effect::MakeOpening(_) => {
                add(Who::Us, "the opening is made", self.taking(machine, Seen::MadeOpening));
                let not = refused(machine, EffectKind::MakeOpening);
                add(Who::Chance, "the opening is not made", not);
            }
            Effect::MakeVoid(_) => {
                add(Who::Us, "the void is made", self.taking(machine, Seen::MadeVoid));
                // The same, should reorgs undo what is in a block, and the input be there again.
                let anew = Chain::new(self.chain.asset).up_to(self.chain.tip);
                if anew.next_height(&[]).is_some() {
                    let not = refused(machine, EffectKind::MakeVoid);
                    add(Who::Chance, "the void is not made", not);
                }
            }
            Effect::MakeClaim(..) => {
                add(Who::Us, "the refund is made", self.taking(machine, Seen::MadeClaim));
                // After the last height there is no later block to try again at, should a reorg undo the spend.
                let unspent = Chain {
                    spend: None,
                    ..self.chain
                };
                if unspent.next_height(&[]).is_some() {
                    let not = refused(machine, EffectKind::MakeClaim);
                    add(Who::Chance, "the refund is not made", not);
                }
            }
            Effect::MakePush(_) => {
                add(Who::Us, "the child is made", self.taking(machine, Seen::MadePush));
                add(
                    Who::Chance,
                    "the child is not made",
                    refused(machine, EffectKind::MakePush),
                );
            }
            Effect::Broadcast { .. }
            | Effect::WatchInvoice(..)
            | Effect::CancelInvoice(_)
            | Effect::WakeAt(_)
            | Effect::Send { .. }
            | Effect::Pay(_)
            | Effect::WatchPayment(..)
            | Effect::WatchChain => {}
        }
    }

    fn at_node(&mut self, kind: InvoiceKind) -> &mut Option<InvoiceStatus> {
        match kind {
            InvoiceKind::Fee => &mut self.fee,
            InvoiceKind::Claim => &mut self.invoice,
        }
    }

    fn told(mut self, machine: &mut Machine, kind: InvoiceKind) -> World {
        let status = self.at_node(kind).unwrap_or(InvoiceStatus::Closed);
        self.taking(machine, Seen::Invoice(kind, status))
    }

    fn publish(&self, machine: &mut Machine, effect: &Effect, kind: TxKind, moves: &mut Vec<Move<World>>) {
        let mut add = |who, by, to: World| moves.push(Move { who, by, to });
        let mut next = self.doing(machine, effect);
        let (opening, void) = (self.chain.opening, self.chain.void);
        let there = self.chain.gone.is_none();
        match kind {
            TxKind::Opening => {
                if there && opening == Place::Nowhere && !matches!(void, Place::Block(_)) {
                    next.chain.opening = Place::Mempool;
                    // It may be out without our having heard that it is.
                    add(Who::Us, "the opening is published, the answer lost", next);
                }
                if there && opening != Place::Dead {
                    let to = next.taking(machine, Seen::Accepted(kind));
                    add(Who::Us, "the opening is published", to);
                }
                // What it spends is not there, or it is chance.
                let who = if there && opening != Place::Dead {
                    Who::Chance
                } else {
                    Who::Us
                };
                let to = self.taking(machine, Seen::Refused(EffectKind::Broadcast(kind)));
                add(who, "the network refuses the opening", to);
            }
            TxKind::Void => {
                if there && void == Place::Nowhere && !matches!(opening, Place::Block(_)) {
                    next.chain.void = Place::Mempool;
                    add(Who::Us, "the void is published", next);
                }
            }
            // Where it is makes no difference to what is at stake: the opening is what confirms.
            TxKind::Push => {}
            TxKind::Claim => {
                let is_payable = self.invoice == Some(InvoiceStatus::Open);
                let (by, waits) = match &machine.swap(self.running).state {
                    State::Maker(_, Maker::ClaimingCoop { refund, .. }) => (By::Coop, self.now().time < refund.until),
                    State::Maker(_, Maker::ClaimingCsv { refund, .. }) => (By::Csv, self.now().time < refund.until),
                    State::Maker(..)
                    | State::Taker(..)
                    | State::Requested { .. }
                    | State::Canceling { .. }
                    | State::Closed(_) => (By::Csv, true),
                };
                next.refunded_early |= is_payable && waits;
                next.refund_out = Some(by);
                add(Who::Us, "the refund is published", next);
            }
        }
    }
}

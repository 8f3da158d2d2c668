//! What the taker's daemon does, and what reaches it.

use sluice::swap::event::{EffectKind, Failure, InvoiceKind, TxKind};
use sluice::swap::{Effect, Payee};

use super::{Call, LAST, World, Wrong};
use crate::chain::Place;
use crate::fixtures::{FEE_BOUND, due};
use crate::graph::{Move, Who};
use crate::rules::Machine;
use crate::seen::{Paid, SAID, Seen, message_kind};

impl World {
    pub(super) fn daemon(&self, machine: &mut Machine, moves: &mut Vec<Move<World>>) {
        let mut add = |who, by, to| moves.push(Move { who, by, to });
        if machine.wants(self.running).contains(&Effect::WatchChain) {
            let chain = Seen::Chain(self.chain);
            add(Who::Us, "the daemon looks at the chain", self.taking(machine, chain));
        }
        for (by, seen) in SAID {
            add(Who::Peer, by, self.taking(machine, seen));
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
        self.open_call(machine, moves);
        if self.may_fail() {
            let mut dead = World {
                up: false,
                running: self.committed,
                faults: self.faults - 1,
                ..*self
            };
            dead.lose_call();
            let (who, by) = (Who::Chance, "the daemon dies");
            moves.push(Move { who, by, to: dead });
        }
    }

    /// The clock's last step is for what the last fault made wait.
    fn may_fail(&self) -> bool {
        self.faults > 0 && self.clock < LAST
    }

    fn lose_call(&mut self) {
        self.lost += u8::from(self.call == Call::Sent);
        self.call = Call::None;
    }

    fn perform(&self, machine: &mut Machine, effect: &Effect, moves: &mut Vec<Move<World>>) {
        let mut add = |who, by, to: World| moves.push(Move { who, by, to });
        match effect {
            Effect::Pay(payee) if self.call == Call::None => {
                let (by, to) = self.pay(machine, effect, payee);
                add(Who::Us, by, to);
            }
            Effect::WatchPayment(..) if self.call == Call::None => {
                add(Who::Us, "the node tells of the payment", self.reported(machine));
            }
            Effect::MakeClaim(..) => {
                add(Who::Us, "the claim is made", self.taking(machine, Seen::MadeClaim));
                // The deadline of the claim has room for every outage, not for a wallet that never signs.
                if self.payment != Paid::Yes || self.chain.tip < self.claim_until {
                    let refused = self.taking(machine, Seen::Refused(EffectKind::MakeClaim));
                    add(Who::Chance, "the claim is not made", refused);
                }
            }
            Effect::Broadcast {
                kind: TxKind::Claim,
                preimage: Some(_),
                ..
            } => {
                let claim_out = true;
                let to = World { claim_out, ..*self }.doing(machine, effect);
                add(Who::Us, "the claim is published", to);
            }
            Effect::Broadcast {
                kind: TxKind::Opening, ..
            } if self.chain.opening == Place::Nowhere => {
                let mut to = self.doing(machine, effect);
                to.chain.opening = Place::Mempool;
                add(Who::Us, "the taker publishes the opening again", to);
            }
            Effect::Send { message, .. } => {
                let sent = Seen::Sent(message_kind(message));
                let sent = self.doing(machine, effect).taking(machine, sent);
                add(Who::Us, "a message is sent", sent);
            }
            Effect::WakeAt(time) if self.now().time >= *time => {
                add(Who::Us, "a deadline comes", self.taking(machine, Seen::Tick));
            }
            Effect::Broadcast { .. }
            | Effect::Pay(_)
            | Effect::WatchPayment(..)
            | Effect::WakeAt(_)
            | Effect::MakeInvoice { .. }
            | Effect::MakeOpening(_)
            | Effect::MakeVoid(_)
            | Effect::MakePush(_)
            | Effect::WatchInvoice(..)
            | Effect::WatchChain
            | Effect::CancelInvoice(_) => {}
        }
    }

    /// As the engine does: the tip and the clock are looked at once more, and a call begins only before both ends.
    fn pay(&self, machine: &mut Machine, effect: &Effect, payee: &Payee) -> (&'static str, World) {
        let limits = self.chain.limits();
        let late = self.chain.tip >= payee.before.0 || self.now().time >= payee.invoice.expires_at;
        if !late {
            let mut to = self.doing(machine, effect);
            let again = payee.attempt > self.attempt;
            if again && !self.told_failed {
                to.wrong = to.wrong.or(Some(Wrong::SecondHtlc));
            }
            if self.chain.tip >= self.chain.window_end() {
                to.wrong = to.wrong.or(Some(Wrong::PaidLate));
            }
            if !self.is_agreed(machine, payee) {
                to.wrong = to.wrong.or(Some(Wrong::NotAgreed));
            }
            let cltv = payee.max_cltv.map_or(u32::MAX / 64, |cltv| cltv.0);
            to.attempt = payee.attempt;
            to.told_failed &= !again;
            to.call = Call::Sent;
            (to.call_until, to.htlc_blocks) = match payee.kind {
                // Nothing is bounded by the fee's blocks: no height of its own is looked at.
                InvoiceKind::Fee => (self.chain.window_end(), 0),
                InvoiceKind::Claim => (self.chain.tip + limits.pay_call.0, cltv * limits.blocks_per_cltv),
            };
            return ("the daemon calls to pay", to);
        }
        match self.payment {
            Paid::InFlight | Paid::Yes => ("a late call finds the payment", self.reported(machine)),
            Paid::No | Paid::Failed(_) => {
                let refused = Seen::Refused(EffectKind::Pay(payee.kind));
                ("it is too late to call", self.taking(machine, refused))
            }
        }
    }

    /// Whether what is paid for is what was agreed.
    fn is_agreed(&self, machine: &Machine, payee: &Payee) -> bool {
        let asked = payee.invoice.amount;
        match payee.kind {
            InvoiceKind::Fee => asked.is_some_and(|asked| asked.0 <= FEE_BOUND.to_sat() * 1000),
            InvoiceKind::Claim => !self.chain.bad && asked == Some(due(machine.swap(self.running).kind)),
        }
    }

    fn open_call(&self, machine: &mut Machine, moves: &mut Vec<Move<World>>) {
        let mut add = |who, by, to: World| moves.push(Move { who, by, to });
        match self.call {
            Call::None => return,
            Call::Sent => {
                let mut to = World {
                    call: Call::Taken,
                    ..*self
                };
                to.begin_payment();
                add(Who::Us, "the node takes the call", to);
            }
            Call::Taken => {
                let mut to = self.reported(machine);
                if self.payment != Paid::InFlight {
                    to.call = Call::None;
                }
                add(Who::Us, "the call is answered", to);
            }
        }
        if self.may_fail() {
            let mut to = self.taking(machine, Seen::CallLost(self.pays));
            to.lose_call();
            to.faults -= 1;
            add(Who::Chance, "the call's connection breaks", to);
        }
    }

    /// The node takes a call, unless a payment of that hash is under way or settled.
    pub(super) fn begin_payment(&mut self) {
        if matches!(self.payment, Paid::No | Paid::Failed(_)) {
            self.payment = Paid::InFlight;
            self.htlc_until = self.chain.tip + self.htlc_blocks;
        }
    }

    fn reported(&self, machine: &mut Machine) -> World {
        self.taking(machine, Seen::Payment(self.pays, self.payment))
    }
}

/// The ways in which a payment fails.
pub(super) const FAILURES: [(&str, Failure); 2] = [
    ("the payment fails for now", Failure::Temporary),
    ("the channel has too little", Failure::NoBalance),
];

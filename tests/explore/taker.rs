//! The taker's world: its own node with its calls, the chain, and a maker that does whatever it can.

use sluice::swap::event::{EffectKind, Event, Failure, InvoiceKind, MessageKind, PaymentStatus, SpendPath, TxKind};
use sluice::swap::state::{Abandon, Maker, Outcome, State, Swap, Taker};
use sluice::swap::terms::{Kind, Role};
use sluice::swap::{Effect, Now, Payee, Step, step, wants};
use sluice::units::Asset;

use crate::chain::{Chain, Mined, Place};
use crate::fixtures::*;
use crate::graph::{self, Committed};

/// A minute apart at least: no lost call outlives a step of the clock. The last is past every deadline.
const CLOCK: [u64; 4] = [0, 61, 4000, 8000];

/// What the node knows of the claim payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Payment {
    None,
    InFlight,
    Paid,
    Failed(Failure),
}

/// A call to pay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Call {
    None,
    /// On its way to the node.
    Sent,
    /// The node has it.
    Taken,
}

#[derive(Debug, Clone, Hash)]
pub struct World {
    committed: Committed,
    up: bool,
    clock: usize,
    chain: Chain,
    payment: Payment,
    call: Call,
    /// A call that nobody waits for any more sits in a socket.
    lost: bool,
    /// How often the daemon may still die, a call's connection break, or a block be lost to a reorg.
    faults: u8,
    claim_out: bool,
    key_out: bool,
}

impl World {
    /// The claim's side of the swap: from the agreement of a swap-in, or the fee's payment of a swap-out.
    pub fn begin(kind: Kind, faults: u8) -> World {
        let start = Case::new(Role::Taker, kind, Asset::Lbtc);
        World {
            committed: Committed::new(start.awaiting_opening().swap),
            up: true,
            clock: 0,
            chain: Chain::new(),
            payment: Payment::None,
            call: Call::None,
            lost: false,
            faults,
            claim_out: false,
            key_out: false,
        }
    }

    fn swap(&self) -> &Swap {
        &self.committed.swap
    }

    fn now(&self) -> Now {
        Now {
            time: START.plus_secs(CLOCK[self.clock]),
            tip: Some(self.chain.tip()),
        }
    }

    /// The world after the daemon has taken an event.
    fn taking(&self, event: &Event) -> World {
        let mut next = self.clone();
        if let Step::To(swap) = step(self.swap(), self.now(), event) {
            let mut swap = *swap;
            forget_reasons(&mut swap.state);
            // A swap that closed unpaid answers a late opening with its key.
            let gives = matches!(
                &swap.state,
                State::Closed(Outcome::Canceled { .. } | Outcome::CoopClosed { .. })
            );
            next.key_out |= gives || is_key_given(&swap);
            next.committed = Committed::new(swap);
        }
        next
    }

    /// The node takes a call, unless a payment of that hash is under way or settled.
    fn begin_payment(&mut self) {
        if matches!(self.payment, Payment::None | Payment::Failed(_)) {
            self.payment = Payment::InFlight;
        }
    }

    fn status(&self) -> PaymentStatus {
        match self.payment {
            Payment::None => PaymentStatus::Absent,
            Payment::InFlight => PaymentStatus::InFlight,
            Payment::Paid => PaymentStatus::Paid(preimage(InvoiceKind::Claim)),
            Payment::Failed(failure) => PaymentStatus::Failed(failure),
        }
    }

    fn reported(&self) -> World {
        self.taking(&Event::Payment(InvoiceKind::Claim, self.status()))
    }

    /// What the daemon does for its swap, and what reaches it.
    fn daemon(&self, moves: &mut Vec<(&'static str, World)>) {
        moves.push((
            "the daemon looks at the chain",
            self.taking(&Event::Chain(self.chain.view())),
        ));
        moves.push((
            "the maker announces",
            self.taking(&announced(self.swap().kind, Asset::Lbtc)),
        ));
        moves.push(("the maker cancels", self.taking(&cancel())));
        moves.push(("the operator aborts", self.taking(&abort())));
        moves.push(("the operator bumps", self.taking(&bump(None))));
        for effect in wants(self.swap()) {
            self.perform(&effect, moves);
        }
        self.open_call(moves);
        if self.may_fail() {
            let mut dead = World {
                up: false,
                faults: self.faults - 1,
                ..self.clone()
            };
            dead.lose_call();
            moves.push(("the daemon dies", dead));
        }
    }

    /// The clock's last step is for what the last fault made wait.
    fn may_fail(&self) -> bool {
        self.faults > 0 && self.clock + 1 < CLOCK.len()
    }

    fn lose_call(&mut self) {
        self.lost |= self.call == Call::Sent;
        self.call = Call::None;
    }

    fn perform(&self, effect: &Effect, moves: &mut Vec<(&'static str, World)>) {
        match effect {
            Effect::Pay(payee) if self.call == Call::None => moves.push(self.pay(payee)),
            Effect::WatchPayment(..) if self.call == Call::None => {
                moves.push(("the node tells of the payment", self.reported()));
            }
            Effect::MakeClaim(..) => {
                moves.push(("the claim is made", self.taking(&made_claim(1))));
                // At the last height before the timelock there would be no later block to try again at.
                if !self.chain.is_before_timelock() {
                    let refused = Event::Refused(EffectKind::MakeClaim, String::new());
                    moves.push(("the claim is not made", self.taking(&refused)));
                }
            }
            Effect::Broadcast {
                kind: TxKind::Claim, ..
            } => {
                moves.push((
                    "the claim is published",
                    World {
                        claim_out: true,
                        ..self.clone()
                    },
                ));
            }
            Effect::Broadcast {
                kind: TxKind::Opening, ..
            } => {
                let mut next = self.clone();
                next.chain.opening = Place::Mempool;
                moves.push(("the taker publishes the opening again", next));
            }
            Effect::Send { .. } => {
                let sent = self.taking(&Event::Sent(MessageKind::CoopClose));
                moves.push(("a message is sent", sent));
            }
            Effect::WakeAt(time) if self.now().time >= *time => {
                moves.push(("a deadline comes", self.taking(&Event::Tick)));
            }
            Effect::Broadcast { .. }
            | Effect::Pay(_)
            | Effect::WatchPayment(..)
            | Effect::WakeAt(_)
            | Effect::MakeInvoice { .. }
            | Effect::MakeOpening(_)
            | Effect::MakeVoid
            | Effect::MakePush(_)
            | Effect::WatchInvoice(..)
            | Effect::WatchChain
            | Effect::CancelInvoice(_) => {}
        }
    }

    fn pay(&self, payee: &Payee) -> (&'static str, World) {
        let late = self.now().tip.unwrap() >= payee.before || self.now().time >= payee.invoice.expires_at;
        if !late {
            return (
                "the daemon calls to pay",
                World {
                    call: Call::Sent,
                    ..self.clone()
                },
            );
        }
        match self.payment {
            Payment::InFlight | Payment::Paid => ("a late call finds the payment", self.reported()),
            Payment::None | Payment::Failed(_) => {
                let refused = Event::Refused(EffectKind::Pay(InvoiceKind::Claim), String::new());
                ("it is too late to call", self.taking(&refused))
            }
        }
    }

    fn open_call(&self, moves: &mut Vec<(&'static str, World)>) {
        match self.call {
            Call::None => return,
            Call::Sent => {
                let mut next = World {
                    call: Call::Taken,
                    ..self.clone()
                };
                next.begin_payment();
                moves.push(("the node takes the call", next));
            }
            Call::Taken => {
                let mut next = self.reported();
                next.call = if self.payment == Payment::InFlight {
                    Call::Taken
                } else {
                    Call::None
                };
                moves.push(("the call is answered", next));
            }
        }
        if self.may_fail() {
            let mut next = self.taking(&Event::CallLost(InvoiceKind::Claim));
            next.lose_call();
            next.faults -= 1;
            moves.push(("the call's connection breaks", next));
        }
    }

    /// What happens whether or not the daemon is there.
    fn outside(&self, moves: &mut Vec<(&'static str, World)>) {
        if self.lost {
            let mut next = World {
                lost: false,
                ..self.clone()
            };
            moves.push(("the lost call vanishes", next.clone()));
            next.begin_payment();
            moves.push(("the node takes the lost call", next));
        }
        if self.payment == Payment::InFlight {
            for (what, payment) in [
                ("the maker settles", Payment::Paid),
                ("the payment fails for now", Payment::Failed(Failure::Temporary)),
                ("the maker refuses", Payment::Failed(Failure::WrongDetails)),
            ] {
                moves.push((
                    what,
                    World {
                        payment,
                        ..self.clone()
                    },
                ));
            }
        }
        if self.chain.opening == Place::Nowhere {
            let mut next = self.clone();
            next.chain.opening = Place::Mempool;
            moves.push(("the maker publishes", next));
        }
        // Nothing stays in a socket for a minute, and the daemon is back before the last step.
        let last = self.clock + 2 == CLOCK.len();
        if self.clock + 1 < CLOCK.len() && !self.lost && self.call != Call::Sent && (self.up || !last) {
            moves.push((
                "time passes",
                World {
                    clock: self.clock + 1,
                    ..self.clone()
                },
            ));
        }
        self.blocks(moves);
    }

    fn blocks(&self, moves: &mut Vec<(&'static str, World)>) {
        let with = |chain: Chain| World { chain, ..self.clone() };
        if self.faults > 0 {
            let faults = self.faults - 1;
            let chain = self.chain.reorg();
            moves.extend(chain.map(|chain| ("a reorg", World { faults, ..with(chain) })));
        }
        let mut mined = vec![("a block", Mined::Nothing)];
        if self.chain.opening == Place::Mempool {
            mined.push(("a block with the opening", Mined::Opening));
        }
        if self.chain.is_spendable() {
            if self.claim_out {
                mined.push(("a block with the claim", Mined::Spend(SpendPath::Preimage, true)));
            }
            if self.key_out {
                mined.push((
                    "a block with the maker's cooperative spend",
                    Mined::Spend(SpendPath::Coop, false),
                ));
            }
            if self.chain.is_mature() {
                mined.push(("a block with the maker's refund", Mined::Spend(SpendPath::Csv, false)));
            }
        }
        if self.chain.is_before_timelock() {
            if self.claim_out && self.chain.is_spendable() {
                let chain = self.chain.mine_here(SpendPath::Preimage, true);
                moves.push(("a block with the claim, long before the timelock", with(chain)));
            }
            if !self.may_wait_for_timelock() {
                return;
            }
        }
        for (what, mined) in mined {
            if let Some(chain) = self.chain.mine(mined) {
                let clock = if self.chain.is_before_timelock() {
                    self.clock.max(2)
                } else {
                    self.clock
                };
                moves.push((what, World { clock, ..with(chain) }));
            }
        }
    }

    /// A week is longer than an HTLC lives and than the operator leaves the daemon down: what was in flight is decided
    /// by then, and what was paid for is claimed.
    fn may_wait_for_timelock(&self) -> bool {
        let quiet = !self.lost && self.call != Call::Sent && self.payment != Payment::InFlight;
        let claimed = matches!(self.chain.spend, Some((SpendPath::Preimage, ..)));
        quiet && (self.payment != Payment::Paid || claimed)
    }
}

/// The same state without the words that tell why: they change nothing, and there are many.
pub fn forget_reasons(state: &mut State) {
    match state {
        State::Canceling { reason, .. }
        | State::Maker(_, Maker::Voiding { reason, .. })
        | State::Taker(_, Taker::AbandoningPayment { reason, .. } | Taker::CoopClosing { reason, .. })
        | State::Taker(
            _,
            Taker::PayingFee {
                cancel: Some(Abandon { reason, .. }),
                ..
            },
        )
        | State::Closed(Outcome::CoopClosed { reason } | Outcome::Canceled { reason, .. } | Outcome::Lost { reason }) =>
        {
            reason.clear();
        }
        State::Requested { .. } | State::Maker(..) | State::Taker(..) | State::Closed(_) => {}
    }
}

impl graph::World for World {
    const PEER: &'static str = "the maker";

    fn moves(&self) -> Vec<(&'static str, World)> {
        let mut moves = Vec::new();
        // After the end only a call that nobody waits for could still do harm.
        if self.end().is_some() && !self.lost && self.call == Call::None && self.payment != Payment::InFlight {
            return moves;
        }
        if self.up {
            self.daemon(&mut moves);
        } else {
            let started = World {
                up: true,
                ..self.clone()
            };
            moves.push(("the daemon starts", started.taking(&Event::Started)));
        }
        self.outside(&mut moves);
        moves
    }

    fn check(&self) -> Result<(), String> {
        if self.key_out && matches!(self.payment, Payment::InFlight | Payment::Paid) {
            return Err("the maker has our key and the payment".into());
        }
        let paid = self.payment == Payment::Paid;
        match &self.swap().state {
            State::Closed(Outcome::ClaimedByInvoice) if !paid => Err("claimed and not paid".into()),
            State::Closed(Outcome::Lost { reason }) => Err(format!("lost: {reason}")),
            State::Closed(Outcome::Canceled { .. } | Outcome::CoopClosed { .. }) if paid => {
                Err("paid, and nothing claimed".into())
            }
            State::Closed(_)
            | State::Requested { .. }
            | State::Canceling { .. }
            | State::Maker(..)
            | State::Taker(..) => Ok(()),
        }
    }

    fn end(&self) -> Option<String> {
        match &self.swap().state {
            State::Closed(outcome) => Some(first_word(outcome)),
            State::Requested { .. } | State::Canceling { .. } | State::Maker(..) | State::Taker(..) => None,
        }
    }

    fn must_end(&self) -> bool {
        !self.chain.is_after_timelock()
    }

    fn describe(&self) -> String {
        format!("{self:#?}")
    }
}

pub fn first_word(outcome: &Outcome) -> String {
    let words = outcome_name(outcome);
    words.split(',').next().unwrap_or(&words).to_owned()
}

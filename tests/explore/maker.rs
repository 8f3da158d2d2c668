//! The maker's world: its node's invoices, the chain, and a taker that does whatever it can.

use sluice::swap::event::{EffectKind, Event, InvoiceKind, InvoiceStatus, SpendPath, TxKind};
use sluice::swap::state::{Maker, Outcome, Party, State, Swap};
use sluice::swap::terms::{Kind, Role};
use sluice::swap::{Effect, Now, Step, step, wants};
use sluice::units::Asset;

use crate::chain::{Chain, Mined, Place};
use crate::fixtures::*;
use crate::graph::{self, Committed};
use crate::taker::{first_word, forget_reasons};

/// Before and after nine minutes, and after an invoice's hour.
const CLOCK: [u64; 3] = [0, 1200, 4000];

#[derive(Debug, Clone, Hash)]
pub struct World {
    committed: Committed,
    up: bool,
    /// No view of the chain has come since the daemon's start.
    blind: bool,
    clock: usize,
    chain: Chain,
    /// The claim invoice at our node; None before it is made.
    invoice: Option<InvoiceStatus>,
    /// How often the daemon may still die, or a block be lost to a reorg.
    faults: u8,
    /// Our spend of the opening by this path is with the network.
    refund_out: Option<SpendPath>,
    /// The taker has given its key for an opening that exists.
    key_given: bool,
}

impl World {
    /// From the funding on: before it, nothing is at stake.
    pub fn begin(kind: Kind, faults: u8) -> World {
        World {
            committed: Committed::new(Case::new(Role::Maker, kind, Asset::Lbtc).funding().swap),
            up: true,
            blind: false,
            clock: 0,
            chain: Chain::new(),
            invoice: None,
            faults,
            refund_out: None,
            key_given: false,
        }
    }

    fn swap(&self) -> &Swap {
        &self.committed.swap
    }

    fn now(&self) -> Now {
        let tip = (!self.blind).then(|| self.chain.tip());
        Now {
            time: START.plus_secs(CLOCK[self.clock]),
            tip,
        }
    }

    fn taking(&self, event: &Event) -> World {
        let mut next = self.clone();
        if let Event::Chain(_) = event {
            next.blind = false;
        }
        if let Step::To(mut swap) = step(self.swap(), next.now(), event) {
            forget_reasons(&mut swap.state);
            next.committed = Committed::new(*swap);
        }
        next
    }

    fn daemon(&self, moves: &mut Vec<(&'static str, World)>) {
        moves.push((
            "the daemon looks at the chain",
            self.taking(&Event::Chain(self.chain.view())),
        ));
        let mut given = self.taking(&coop_close());
        given.key_given |= matches!(&self.swap().state, State::Maker(_, maker) if maker.opening().is_some());
        moves.push(("the taker gives its key", given));
        moves.push((
            "the taker gives a wrong key",
            self.taking(&coop_close_with(other_key())),
        ));
        moves.push(("the taker cancels", self.taking(&cancel())));
        moves.push(("the operator aborts", self.taking(&abort())));
        moves.push(("the operator bumps", self.taking(&bump(None))));
        for effect in wants(self.swap()) {
            self.perform(&effect, moves);
        }
        if self.faults > 0 {
            moves.push((
                "the daemon dies",
                World {
                    up: false,
                    faults: self.faults - 1,
                    ..self.clone()
                },
            ));
        }
    }

    fn perform(&self, effect: &Effect, moves: &mut Vec<(&'static str, World)>) {
        let refused = |what: EffectKind| self.taking(&Event::Refused(what, String::new()));
        match effect {
            Effect::MakeInvoice { .. } => {
                let made = World {
                    invoice: Some(self.invoice.unwrap_or(InvoiceStatus::Open)),
                    ..self.clone()
                };
                moves.push(("the invoice is made", made.taking(&made_invoice(InvoiceKind::Claim))));
            }
            Effect::MakeOpening(_) => {
                moves.push(("the opening is made", self.taking(&made_opening())));
                moves.push(("the opening is not made", refused(EffectKind::MakeOpening)));
            }
            Effect::MakeVoid => moves.push(("the void is made", self.taking(&made_void()))),
            Effect::MakeClaim(..) => {
                moves.push(("the refund is made", self.taking(&made_claim(1))));
                moves.push(("the refund is not made", refused(EffectKind::MakeClaim)));
            }
            Effect::MakePush(_) => {
                moves.push(("the child is made", self.taking(&made_push(1))));
                moves.push(("the child is not made", refused(EffectKind::MakePush)));
            }
            Effect::Broadcast { kind, .. } => self.publish(*kind, moves),
            Effect::WatchInvoice(InvoiceKind::Claim, _) => moves.push(("the node tells of the invoice", self.told())),
            Effect::CancelInvoice(_) => {
                let cancelled = match self.invoice {
                    Some(InvoiceStatus::Paid) => InvoiceStatus::Paid,
                    Some(InvoiceStatus::Open | InvoiceStatus::Closed) | None => InvoiceStatus::Closed,
                };
                let next = World {
                    invoice: Some(cancelled),
                    ..self.clone()
                };
                moves.push(("the node is asked to cancel the invoice", next.told()));
            }
            Effect::WakeAt(time) if self.now().time >= *time => {
                moves.push(("a deadline comes", self.taking(&Event::Tick)));
            }
            Effect::Send { .. } => {
                let sent = self.taking(&Event::Sent(sluice::swap::event::MessageKind::Cancel));
                moves.push(("a message is sent", sent));
            }
            Effect::WakeAt(_)
            | Effect::Pay(_)
            | Effect::WatchPayment(..)
            | Effect::WatchInvoice(..)
            | Effect::WatchChain => {}
        }
    }

    fn told(&self) -> World {
        self.taking(&Event::Invoice(
            InvoiceKind::Claim,
            self.invoice.unwrap_or(InvoiceStatus::Closed),
        ))
    }

    fn publish(&self, kind: TxKind, moves: &mut Vec<(&'static str, World)>) {
        let mut next = self.clone();
        match kind {
            TxKind::Opening => {
                if self.chain.opening == Place::Nowhere && !matches!(self.chain.void, Place::Block(_)) {
                    next.chain.opening = Place::Mempool;
                    // It may be out without our having heard that it is.
                    moves.push(("the opening is published, the answer lost", next.clone()));
                }
                moves.push(("the opening is published", next.taking(&Event::Accepted(kind))));
                let refused = self.taking(&Event::Refused(EffectKind::Broadcast(kind), String::new()));
                moves.push(("the network refuses the opening", refused));
            }
            TxKind::Void => {
                if self.chain.void == Place::Nowhere && !matches!(self.chain.opening, Place::Block(_)) {
                    next.chain.void = Place::Mempool;
                    moves.push(("the void is published", next));
                }
            }
            // Where it is makes no difference to what is at stake: the opening is what confirms.
            TxKind::Push => {}
            TxKind::Claim => {
                next.refund_out = match &self.swap().state {
                    State::Maker(_, Maker::ClaimingCoop { .. }) => Some(SpendPath::Coop),
                    _ => Some(SpendPath::Csv),
                };
                moves.push(("the refund is published", next));
            }
        }
    }

    fn outside(&self, moves: &mut Vec<(&'static str, World)>) {
        if self.invoice == Some(InvoiceStatus::Open) {
            let with = |status| World {
                invoice: Some(status),
                ..self.clone()
            };
            if self.clock < 2 {
                moves.push(("the taker pays", with(InvoiceStatus::Paid)));
            }
            if self.clock >= 2 {
                moves.push(("the invoice expires", with(InvoiceStatus::Closed)));
            }
        }
        if self.clock + 1 < CLOCK.len() {
            moves.push((
                "time passes",
                World {
                    clock: self.clock + 1,
                    ..self.clone()
                },
            ));
        }
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
        if self.chain.void == Place::Mempool {
            mined.push(("a block with the void", Mined::Void));
        }
        if self.chain.is_spendable() {
            if self.invoice == Some(InvoiceStatus::Paid) {
                mined.push(("the taker's claim in a block", Mined::Spend(SpendPath::Preimage, false)));
            }
            let fits = |path: &SpendPath| *path == SpendPath::Coop || self.chain.is_mature();
            if let Some(path) = self.refund_out.clone().filter(fits) {
                mined.push(("a block with the refund", Mined::Spend(path, true)));
            }
        }
        for (what, mined) in mined {
            if let Some(chain) = self.chain.mine(mined) {
                let clock = if self.chain.is_before_timelock() {
                    CLOCK.len() - 1
                } else {
                    self.clock
                };
                moves.push((what, World { clock, ..with(chain) }));
            }
        }
    }
}

impl graph::World for World {
    const PEER: &'static str = "the taker";

    fn moves(&self) -> Vec<(&'static str, World)> {
        let mut moves = Vec::new();
        // What is final stays so: a reorg reaches one block deep.
        if self.end().is_some() {
            return moves;
        }
        if self.up {
            self.daemon(&mut moves);
        } else {
            let started = World {
                up: true,
                blind: true,
                ..self.clone()
            };
            moves.push(("the daemon starts", started.taking(&Event::Started)));
        }
        self.outside(&mut moves);
        moves
    }

    fn check(&self) -> Result<(), String> {
        let paid = self.invoice == Some(InvoiceStatus::Paid);
        if self.chain.opening != Place::Nowhere {
            // The swap has all that is needed to get the coins back, or they are back, or paid for.
            match &self.swap().state {
                State::Maker(_, maker) if maker.opening().is_some() => {}
                State::Closed(_) => {}
                other => return Err(format!("published, and {other:?} does not know of it")),
            }
        }
        if let State::Maker(_, Maker::Opened(opened)) = &self.swap().state
            && self.key_given
            && opened.status != InvoiceStatus::Paid
        {
            return Err("the taker has given its key, and it is lost".into());
        }
        let spend = self.chain.spend.as_ref().map(|(path, ours, _)| (path, *ours));
        match &self.swap().state {
            State::Closed(Outcome::Lost { reason }) => Err(format!("lost: {reason}")),
            State::Closed(Outcome::Canceled { .. }) => match self.chain.opening {
                Place::Nowhere => Ok(()),
                Place::Mempool | Place::Block(_) => Err("cancelled, and the opening is out".into()),
            },
            State::Closed(Outcome::ClaimPaid { .. }) if !paid => Err("the outcome names a payment that is none".into()),
            State::Closed(Outcome::ClaimPaid { coins: Party::Us }) if spend.is_none_or(|(_, ours)| !ours) => {
                Err("the outcome names coins that we have not".into())
            }
            State::Closed(Outcome::ClaimedByCoop) if spend != Some((&SpendPath::Coop, true)) => {
                Err("claimed by coop, but not on the chain".into())
            }
            State::Closed(Outcome::ClaimedByCsv) if spend != Some((&SpendPath::Csv, true)) => {
                Err("claimed by csv, but not on the chain".into())
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
        self.chain.is_young()
    }

    fn describe(&self) -> String {
        format!("{self:#?}")
    }
}

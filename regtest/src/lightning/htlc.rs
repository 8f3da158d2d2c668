//! The life of an HTLC: on its way, perhaps held, decided by the payee, its result on the way back.
//!
//! ```text
//! send ─½ latency─▶ arrive ──────────▶ decide ─½ latency─▶ return ─▶ payment ends
//!                     └─▶ Held ─release─▶┘
//! ```
//! Both ways wait while the link between the two nodes is down, as commitments do.

use sluice::units::{Msat, NodeId, PaymentHash, Preimage, Scid};

use super::channel::{Channel, Side};
use super::hold::{HoldAt, Release};
use super::proto::lnrpc;
use super::proto::lnrpc::failure::FailureCode;
use super::state::{State, Timer};

/// One HTLC, in the whole network and for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct HtlcId(pub(super) u64);

/// An HTLC in a channel.
#[derive(Debug)]
pub(super) struct Htlc {
    pub(super) id: HtlcId,
    /// The side that pays.
    pub(super) from: Side,
    /// Its number among those this side offered in the channel.
    pub(super) index: u64,
    pub(super) hash: PaymentHash,
    pub(super) amount: Msat,
    /// Absolute height.
    pub(super) expiry: u32,
    /// The invoice's, from the onion.
    pub(super) payment_secret: [u8; 32],
    pub(super) phase: Phase,
}

/// How far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    /// In the channel, not yet seen by the payee.
    Travelling,
    /// At the payee, kept by a rule of the harness.
    Held(HoldAt),
    /// Decided; the payer does not know yet.
    Resolved(HtlcResult),
}

/// What the payee decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum HtlcResult {
    /// Taken, against the preimage.
    Settled(Preimage),
    /// Given back.
    Failed(FailureCode),
}

impl Htlc {
    /// As `ListChannels` shows it at `side`.
    pub(super) fn to_rpc(&self, side: Side) -> lnrpc::Htlc {
        lnrpc::Htlc {
            incoming: self.from != side,
            amount: super::channel::sat(self.amount.floor()),
            hash_lock: self.hash.0.to_vec(),
            expiration_height: self.expiry,
            htlc_index: self.index,
            locked_in: true,
        }
    }
}

/// Where an HTLC is and whom it concerns.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    channel: usize,
    slot: usize,
    pub(super) payer: NodeId,
    pub(super) payee: NodeId,
    pub(super) scid: Scid,
}

impl State {
    /// Looks an HTLC up; none once it left its channel.
    pub(super) fn place_of(&self, id: HtlcId) -> Option<Place> {
        self.channels.iter().enumerate().find_map(|(index, channel)| {
            let slot = channel.htlcs.iter().position(|htlc| htlc.id == id)?;
            let from = channel.htlcs[slot].from;
            Some(Place {
                channel: index,
                slot,
                payer: channel.end(from).node,
                payee: channel.end(from.other()).node,
                scid: channel.scid,
            })
        })
    }

    pub(super) fn htlc(&self, place: Place) -> &Htlc {
        &self.channels[place.channel].htlcs[place.slot]
    }

    fn htlc_mut(&mut self, place: Place) -> &mut Htlc {
        &mut self.channels[place.channel].htlcs[place.slot]
    }

    /// Puts an HTLC into a channel that has room for it.
    pub(super) fn offer_htlc(&mut self, channel: usize, from: Side, terms: Offer) -> HtlcId {
        let id = HtlcId(self.next_htlc);
        self.next_htlc += 1;
        *self.htlcs_sent.entry(terms.hash).or_default() += 1;
        let channel: &mut Channel = &mut self.channels[channel];
        channel.take(from, terms.amount);
        let index = channel.end(from).next_htlc;
        channel.end_mut(from).next_htlc += 1;
        channel.htlcs.push(Htlc {
            id,
            from,
            index,
            hash: terms.hash,
            amount: terms.amount,
            expiry: terms.expiry,
            payment_secret: terms.payment_secret,
            phase: Phase::Travelling,
        });
        self.timers.push((self.latency / 2, Timer::Arrive(id)));
        id
    }

    /// The payee's node has it now, unless the link is down; then `links` tries again.
    pub(super) fn htlc_arrives(&mut self, id: HtlcId) {
        let Some(place) = self.place_of(id) else { return };
        if self.htlc(place).phase != Phase::Travelling || !self.connected(&place.payer, &place.payee) {
            return;
        }
        match self.matching_hold(place) {
            Some(HoldAt::Wire) => self.htlc_mut(place).phase = Phase::Held(HoldAt::Wire),
            Some(HoldAt::Invoice) => match self.judge(place) {
                Ok(_) => {
                    self.htlc_mut(place).phase = Phase::Held(HoldAt::Invoice);
                    self.accept_invoice(place);
                }
                Err(code) => self.resolve(place, HtlcResult::Failed(code)),
            },
            None => self.decide(place),
        }
    }

    /// The payee's verdict: settles what pays its invoice, gives everything else back.
    fn decide(&mut self, place: Place) {
        match self.judge(place) {
            Ok(preimage) => {
                self.settle_invoice(place);
                self.resolve(place, HtlcResult::Settled(preimage));
            }
            Err(code) => self.resolve(place, HtlcResult::Failed(code)),
        }
    }

    fn resolve(&mut self, place: Place, result: HtlcResult) {
        let htlc = self.htlc_mut(place);
        htlc.phase = Phase::Resolved(result);
        let id = htlc.id;
        self.timers.push((self.latency / 2, Timer::Return(id)));
    }

    /// Ends a hold. Settling is still the payee's decision: a canceled invoice is not paid.
    pub(super) fn release_htlc(&mut self, place: Place, release: Release) {
        match release {
            Release::Settle => self.decide(place),
            Release::Fail(code) => {
                self.drop_from_invoice(place);
                self.resolve(place, HtlcResult::Failed(code));
            }
        }
    }

    /// Gives back every HTLC that an invoice of `payee` holds.
    pub(super) fn fail_accepted(&mut self, payee: &NodeId, hash: PaymentHash) {
        let accepted: Vec<Place> = self
            .htlcs_of(hash)
            .into_iter()
            .filter(|place| place.payee == *payee && self.htlc(*place).phase == Phase::Held(HoldAt::Invoice))
            .collect();
        for place in accepted {
            self.resolve(place, HtlcResult::Failed(FailureCode::IncorrectOrUnknownPaymentDetails));
        }
    }

    /// Every HTLC of a hash that is in some channel.
    pub(super) fn htlcs_of(&self, hash: PaymentHash) -> Vec<Place> {
        let ids: Vec<HtlcId> = self
            .channels
            .iter()
            .flat_map(|channel| &channel.htlcs)
            .filter(|htlc| htlc.hash == hash)
            .map(|htlc| htlc.id)
            .collect();
        ids.into_iter().filter_map(|id| self.place_of(id)).collect()
    }

    /// The result reaches the payer and the HTLC leaves the channel, unless the link is down.
    pub(super) fn htlc_returns(&mut self, id: HtlcId) {
        let Some(place) = self.place_of(id) else { return };
        if !self.connected(&place.payer, &place.payee) {
            return;
        }
        let Phase::Resolved(result) = self.htlc(place).phase.clone() else {
            return;
        };
        let channel = &mut self.channels[place.channel];
        let htlc = channel.htlcs.remove(place.slot);
        let winner = match result {
            HtlcResult::Settled(_) => htlc.from.other(),
            HtlcResult::Failed(_) => htlc.from,
        };
        channel.give(winner, htlc.amount);
        self.end_attempt(&place.payer, htlc.hash, id, result);
    }
}

/// What a new HTLC carries.
#[derive(Debug, Clone, Copy)]
pub(super) struct Offer {
    pub(super) hash: PaymentHash,
    pub(super) amount: Msat,
    /// Absolute height.
    pub(super) expiry: u32,
    pub(super) payment_secret: [u8; 32],
}

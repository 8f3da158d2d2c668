//! Holding HTLCs: the harness decides when, and how, an HTLC goes on.

use sluice::units::{Msat, NodeId, PaymentHash, Scid};

use super::htlc::{HtlcId, Phase, Place};
use super::network::Network;
use super::proto::lnrpc::failure::FailureCode;
use super::state::State;

/// Where an HTLC is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldAt {
    /// Before the payee's node has looked at it: its invoice stays open. A slow or stuck peer.
    Wire,
    /// By the payee's invoice, which becomes ACCEPTED, as a hold invoice's does; canceling the invoice gives it back.
    Invoice,
}

/// A rule for HTLCs that arrive from now on: every condition that is set must fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Only those that pay this node.
    pub payee: Option<NodeId>,
    /// Only those in this channel.
    pub channel: Option<Scid>,
    /// Only those of this hash.
    pub hash: Option<PaymentHash>,
    /// Where they are kept.
    pub at: HoldAt,
}

impl Hold {
    /// Every HTLC.
    #[must_use]
    pub fn all(at: HoldAt) -> Hold {
        Hold {
            payee: None,
            channel: None,
            hash: None,
            at,
        }
    }

    /// Those that pay a node.
    #[must_use]
    pub fn payee(node: NodeId, at: HoldAt) -> Hold {
        Hold {
            payee: Some(node),
            ..Hold::all(at)
        }
    }

    /// Those in a channel.
    #[must_use]
    pub fn channel(scid: Scid, at: HoldAt) -> Hold {
        Hold {
            channel: Some(scid),
            ..Hold::all(at)
        }
    }

    /// Those of a payment.
    #[must_use]
    pub fn hash(hash: PaymentHash, at: HoldAt) -> Hold {
        Hold {
            hash: Some(hash),
            ..Hold::all(at)
        }
    }
}

/// A rule in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HoldId(pub(super) u64);

/// How a held HTLC goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// To the payee's decision, which settles it if its invoice can still be paid.
    Settle,
    /// Back to the payer, with this reason. INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS ends the payment with
    /// INCORRECT_PAYMENT_DETAILS, anything else with ERROR (LND, routing/result_interpretation.go).
    Fail(FailureCode),
}

/// An HTLC that is being held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldHtlc {
    /// Its hash.
    pub hash: PaymentHash,
    /// Its channel.
    pub channel: Scid,
    /// Who pays.
    pub payer: NodeId,
    /// Who is paid.
    pub payee: NodeId,
    /// How much.
    pub amount: Msat,
    /// The height at which it expires.
    pub expiry: u32,
    /// Where it is kept.
    pub at: HoldAt,
}

/// There is no HTLC of this hash to release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no htlc of payment {0} is held")]
pub struct NotHeld(pub PaymentHash);

impl State {
    /// What the rules say about an HTLC that arrives; the rule made last wins.
    pub(super) fn matching_hold(&self, place: Place) -> Option<HoldAt> {
        let hash = self.htlc(place).hash;
        let fits = |hold: &Hold| {
            hold.payee.is_none_or(|payee| payee == place.payee)
                && hold.channel.is_none_or(|scid| scid == place.scid)
                && hold.hash.is_none_or(|wanted| wanted == hash)
        };
        self.holds
            .iter()
            .rev()
            .find(|(_, hold)| fits(hold))
            .map(|(_, hold)| hold.at)
    }

    fn held(&self) -> Vec<(HtlcId, HeldHtlc)> {
        let htlcs = self.channels.iter().flat_map(|channel| &channel.htlcs);
        htlcs
            .filter_map(|htlc| {
                let Phase::Held(at) = htlc.phase else { return None };
                let place = self.place_of(htlc.id)?;
                let held = HeldHtlc {
                    hash: htlc.hash,
                    channel: place.scid,
                    payer: place.payer,
                    payee: place.payee,
                    amount: htlc.amount,
                    expiry: htlc.expiry,
                    at,
                };
                Some((htlc.id, held))
            })
            .collect()
    }
}

impl Network {
    /// From now on HTLCs that fit are held when they arrive.
    pub fn hold(&self, hold: Hold) -> HoldId {
        self.with(|state| {
            let id = HoldId(state.next_hold);
            state.next_hold += 1;
            state.holds.push((id, hold));
            id
        })
    }

    /// Ends a rule. What it holds already stays held until released.
    pub fn lift(&self, id: HoldId) {
        self.with(|state| state.holds.retain(|(other, _)| *other != id));
    }

    /// Every HTLC that is held now.
    #[must_use]
    pub fn held(&self) -> Vec<HeldHtlc> {
        self.read(|state| state.held().into_iter().map(|(_, held)| held).collect())
    }

    /// Waits until an HTLC of this hash is held.
    pub async fn wait_held(&self, hash: PaymentHash) -> HeldHtlc {
        self.wait_for(|network| network.held().into_iter().find(|held| held.hash == hash))
            .await
    }

    /// Lets the held HTLCs of a hash go on.
    ///
    /// # Errors
    /// [`NotHeld`] when there is none.
    pub fn release(&self, hash: PaymentHash, release: Release) -> Result<(), NotHeld> {
        self.with(|state| {
            let ids: Vec<HtlcId> = state
                .held()
                .into_iter()
                .filter(|(_, held)| held.hash == hash)
                .map(|(id, _)| id)
                .collect();
            for id in &ids {
                let place = state.place_of(*id).expect("a held htlc is in its channel");
                state.release_htlc(place, release);
            }
            if ids.is_empty() { Err(NotHeld(hash)) } else { Ok(()) }
        })
    }
}

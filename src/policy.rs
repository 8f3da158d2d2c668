//! What the operator allows, and what it costs: decided by facts, without I/O.
//!
//! ```text
//! Policy::admit(peer, amount)            Ok, or the Denial that the peer may hear
//! Premiums::rate(peer, asset, kind)      the peer's own rate → the operator's default → the built-in one
//! limits                                 what one peer may ask of us, and what leads to a quarantine
//! ```

pub mod bucket;
pub mod limits;
mod pauses;
mod quarantine;

use std::collections::{BTreeMap, BTreeSet};

use bitcoin::{Amount, SignedAmount};
use serde::{Deserialize, Serialize};

use crate::protocol::{MAX_RATE, Rates};
use crate::swap::Kind;
use crate::units::{Asset, NodeId, Ppm};

pub use pauses::{MAX_NOTE, Pause, PausedBy, Pauses};
pub use quarantine::{Cause, Quarantine, Quarantines};

/// Whom to swap with, and how much.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Whether new swaps are made at all, by peers' request or the operator's.
    pub accept_new_swaps: bool,
    /// Whether any peer may request swaps; else only those on the allowlist.
    pub accept_all_peers: bool,
    /// Peers that may request swaps.
    pub allowlist: BTreeSet<NodeId>,
    /// Peers that are not swapped with, whoever asks, whatever else holds.
    pub blocked: BTreeSet<NodeId>,
    /// The least amount of a swap.
    #[serde(with = "bitcoin::amount::serde::as_sat")]
    pub min_amount_sat: Amount,
    /// The greatest amount of a swap; None: what the channel carries.
    #[serde(with = "bitcoin::amount::serde::as_sat::opt")]
    pub max_amount_sat: Option<Amount>,
}

impl Default for Policy {
    /// Nobody may request swaps until the operator names somebody; 100,000 sat at least (policy/policy.go:20 of
    /// ElementsProject/peerswap at 816a5bb).
    fn default() -> Policy {
        Policy {
            accept_new_swaps: true,
            accept_all_peers: false,
            allowlist: BTreeSet::new(),
            blocked: BTreeSet::new(),
            min_amount_sat: Amount::from_sat(100_000),
            max_amount_sat: None,
        }
    }
}

/// Why a swap is not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// Not on the allowlist, or blocked: the peer is not told which.
    #[error("peer {0} not allowed to request swaps")]
    Peer(NodeId),
    /// Blocked by the operator, who is told so.
    #[error("peer {0} is blocked")]
    Blocked(NodeId),
    /// No new swaps at all.
    #[error("swaps are disabled")]
    Disabled,
    /// Too little.
    #[error("amount {amount} is below the minimum of {minimum}", amount = sat(.amount), minimum = sat(.minimum))]
    TooSmall {
        /// What was asked for.
        amount: Amount,
        /// The least.
        minimum: Amount,
    },
    /// Too much.
    #[error("amount {amount} is above the maximum of {maximum}", amount = sat(.amount), maximum = sat(.maximum))]
    TooLarge {
        /// What was asked for.
        amount: Amount,
        /// The most.
        maximum: Amount,
    },
}

fn sat(amount: &Amount) -> String {
    format!("{} sat", amount.to_sat())
}

impl Policy {
    /// Whether `peer` may request swaps at all: what polls tell it.
    #[must_use]
    pub fn allows(&self, peer: &NodeId) -> bool {
        !self.blocked.contains(peer) && (self.accept_all_peers || self.allowlist.contains(peer))
    }

    /// Judges a peer's request. Who asks is judged first, so that a stranger learns nothing of the rest.
    ///
    /// # Errors
    /// The first rule that the request breaks.
    pub fn admit(&self, peer: &NodeId, amount: Amount) -> Result<(), Denial> {
        if !self.allows(peer) {
            return Err(Denial::Peer(*peer));
        }
        self.admit_amount(amount)
    }

    /// Judges a swap that the operator wants to start with `peer`.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn admit_own(&self, peer: &NodeId, amount: Amount) -> Result<(), Denial> {
        self.admit_peer(peer)?;
        self.admit_amount(amount)
    }

    /// Judges whether the operator may start any swap with `peer`.
    ///
    /// # Errors
    /// The peer is blocked, or no new swaps are made.
    pub fn admit_peer(&self, peer: &NodeId) -> Result<(), Denial> {
        if self.blocked.contains(peer) {
            return Err(Denial::Blocked(*peer));
        }
        if !self.accept_new_swaps {
            return Err(Denial::Disabled);
        }
        Ok(())
    }

    fn admit_amount(&self, amount: Amount) -> Result<(), Denial> {
        if !self.accept_new_swaps {
            return Err(Denial::Disabled);
        }
        let minimum = self.min_amount_sat;
        if amount < minimum {
            return Err(Denial::TooSmall { amount, minimum });
        }
        match self.max_amount_sat {
            Some(maximum) if amount > maximum => Err(Denial::TooLarge { amount, maximum }),
            _ => Ok(()),
        }
    }
}

/// A rate that no peer would take for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("premium rate {0}: must be -1000000 to 1000000 ppm")]
pub struct RateOutOfRange(pub Ppm);

/// Whether a rate, or a limit to one, is what the protocol's polls may carry.
///
/// # Errors
/// It is outside of that.
pub fn check_rate(rate: Ppm) -> Result<(), RateOutOfRange> {
    if rate.0.unsigned_abs() > MAX_RATE.0.unsigned_abs() {
        return Err(RateOutOfRange(rate));
    }
    Ok(())
}

/// Rates that were set; what is None falls through to the next table.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateTable {
    /// BTC, swap-in.
    pub btc_in: Option<Ppm>,
    /// BTC, swap-out.
    pub btc_out: Option<Ppm>,
    /// L-BTC, swap-in.
    pub lbtc_in: Option<Ppm>,
    /// L-BTC, swap-out.
    pub lbtc_out: Option<Ppm>,
}

impl RateTable {
    /// What the Go implementation charges unless told otherwise (premium/premium.go:11-33 at 816a5bb).
    pub const BUILT_IN: RateTable = RateTable {
        btc_in: Some(Ppm(0)),
        btc_out: Some(Ppm(2000)),
        lbtc_in: Some(Ppm(0)),
        lbtc_out: Some(Ppm(1000)),
    };

    /// The rate that was set for a direction of an asset.
    #[must_use]
    pub fn get(&self, asset: Asset, kind: Kind) -> Option<Ppm> {
        match (asset, kind) {
            (Asset::Btc, Kind::In) => self.btc_in,
            (Asset::Btc, Kind::Out) => self.btc_out,
            (Asset::Lbtc, Kind::In) => self.lbtc_in,
            (Asset::Lbtc, Kind::Out) => self.lbtc_out,
        }
    }

    /// Sets a rate, or with None lets it fall through again.
    ///
    /// # Errors
    /// The rate is outside of what the protocol's polls may carry.
    pub fn set(&mut self, asset: Asset, kind: Kind, rate: Option<Ppm>) -> Result<(), RateOutOfRange> {
        rate.map_or(Ok(()), check_rate)?;
        let entry = match (asset, kind) {
            (Asset::Btc, Kind::In) => &mut self.btc_in,
            (Asset::Btc, Kind::Out) => &mut self.btc_out,
            (Asset::Lbtc, Kind::In) => &mut self.lbtc_in,
            (Asset::Lbtc, Kind::Out) => &mut self.lbtc_out,
        };
        *entry = rate;
        Ok(())
    }
}

/// What this node charges as a responder.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Premiums {
    /// For peers without a rate of their own.
    pub default: RateTable,
    /// For single peers.
    pub peers: BTreeMap<NodeId, RateTable>,
}

impl Premiums {
    /// The rate for a peer: its own, or the default, or the built-in one.
    #[must_use]
    pub fn rate(&self, peer: &NodeId, asset: Asset, kind: Kind) -> Ppm {
        let own = self.peers.get(peer).and_then(|table| table.get(asset, kind));
        own.or_else(|| self.default.get(asset, kind))
            .or_else(|| RateTable::BUILT_IN.get(asset, kind))
            .expect("the built-in table has every rate")
    }

    /// Every rate for a peer: what polls tell it.
    #[must_use]
    pub fn rates(&self, peer: &NodeId) -> Rates {
        Rates {
            btc_in: self.rate(peer, Asset::Btc, Kind::In),
            btc_out: self.rate(peer, Asset::Btc, Kind::Out),
            lbtc_in: self.rate(peer, Asset::Lbtc, Kind::In),
            lbtc_out: self.rate(peer, Asset::Lbtc, Kind::Out),
        }
    }

    /// The premium of a swap with a peer; positive: the initiator pays us. None if it leaves 64 bits.
    #[must_use]
    pub fn premium(&self, peer: &NodeId, asset: Asset, kind: Kind, amount: Amount) -> Option<SignedAmount> {
        self.rate(peer, asset, kind).of(amount)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::examples::peer;

    fn admit(policy: &Policy, number: u16, sat: u64) -> Result<(), String> {
        let judged = policy.admit(&peer(number), Amount::from_sat(sat));
        judged.map_err(|denial| denial.to_string())
    }

    #[test]
    fn premiums_are_those_of_the_go_implementation() {
        // V11 of the protocol's test vectors; the first four are asserted by premium/premium_test.go at 816a5bb
        for (sat, ppm, premium) in [
            (1_000_000, 1000, 1000),
            (1_000_000, 2000, 2000),
            (1_000_000, 1500, 1500),
            (1_000_000, 2500, 2500),
            (100_000, 10_000, 1000),
            (499_999, 1, 0),
            (1_999_999, 1, 1),
            (150, -10_000, -1),
            (199_999, -10, -1),
            (123_456, -1234, -152),
            (500_000_000, -10_000, -5_000_000),
        ] {
            let mut premiums = Premiums::default();
            let own = premiums.peers.entry(peer(1)).or_default();
            own.set(Asset::Lbtc, Kind::Out, Some(Ppm(ppm))).expect("within range");
            let (amount, expected) = (Amount::from_sat(sat), Some(SignedAmount::from_sat(premium)));
            assert_eq!(premiums.premium(&peer(1), Asset::Lbtc, Kind::Out, amount), expected);
        }
    }

    #[test]
    fn a_premium_beyond_64_bits_is_none_rather_than_wrong() {
        assert_eq!(MAX_RATE.of(Amount::from_sat(u64::MAX)), None);
        assert_eq!(
            Ppm(1).of(Amount::from_sat(u64::MAX)),
            Some(SignedAmount::from_sat(18_446_744_073_709))
        );
    }

    #[test]
    fn the_peers_rate_comes_before_the_default_and_the_default_before_the_built_in_one() {
        let mut premiums = Premiums::default();
        let built_in = Rates {
            btc_in: Ppm(0),
            btc_out: Ppm(2000),
            lbtc_in: Ppm(0),
            lbtc_out: Ppm(1000),
        };
        assert_eq!(premiums.rates(&peer(1)), built_in);
        premiums
            .default
            .set(Asset::Lbtc, Kind::Out, Some(Ppm(500)))
            .expect("within range");
        let own = premiums.peers.entry(peer(1)).or_default();
        own.set(Asset::Lbtc, Kind::Out, Some(Ppm(-7))).expect("within range");
        assert_eq!(premiums.rate(&peer(1), Asset::Lbtc, Kind::Out), Ppm(-7));
        assert_eq!(premiums.rate(&peer(2), Asset::Lbtc, Kind::Out), Ppm(500));
        assert_eq!(premiums.rate(&peer(1), Asset::Btc, Kind::Out), Ppm(2000));
        let own = premiums.peers.entry(peer(1)).or_default();
        own.set(Asset::Lbtc, Kind::Out, None).expect("within range");
        assert_eq!(premiums.rate(&peer(1), Asset::Lbtc, Kind::Out), Ppm(500));
    }

    #[test]
    fn a_rate_that_peers_would_refuse_cannot_be_set() {
        let mut table = RateTable::default();
        assert_eq!(table.set(Asset::Btc, Kind::In, Some(Ppm(-1_000_000))), Ok(()));
        for ppm in [Ppm(1_000_001), Ppm(i64::MIN)] {
            assert_eq!(table.set(Asset::Btc, Kind::In, Some(ppm)), Err(RateOutOfRange(ppm)));
        }
        assert_eq!(table.btc_in, Some(Ppm(-1_000_000)));
    }

    #[test]
    fn nobody_may_request_a_swap_until_the_operator_names_somebody() {
        let mut policy = Policy::default();
        assert!(admit(&policy, 1, 1_000_000).is_err_and(|text| text.ends_with("not allowed to request swaps")));
        policy.allowlist.insert(peer(1));
        assert_eq!(admit(&policy, 1, 1_000_000), Ok(()));
        assert!(!policy.allows(&peer(2)));
        policy.accept_all_peers = true;
        assert!(policy.allows(&peer(2)));
    }

    #[test]
    fn a_blocked_peer_is_refused_whoever_asks_and_learns_no_more_than_a_stranger() {
        let mut policy = Policy {
            accept_all_peers: true,
            ..Policy::default()
        };
        policy.allowlist.insert(peer(1));
        policy.blocked.insert(peer(1));
        let amount = Amount::from_sat(1_000_000);
        assert_eq!(policy.admit(&peer(1), amount), Err(Denial::Peer(peer(1))));
        assert_eq!(policy.admit_own(&peer(1), amount), Err(Denial::Blocked(peer(1))));
        assert_eq!(policy.admit_peer(&peer(1)), Err(Denial::Blocked(peer(1))));
        assert_eq!(policy.admit_own(&peer(2), amount), Ok(()));
    }

    #[test]
    fn amounts_have_bounds_that_belong_to_them() {
        let policy = Policy {
            allowlist: [peer(1)].into(),
            max_amount_sat: Some(Amount::from_sat(200_000)),
            ..Policy::default()
        };
        assert_eq!(admit(&policy, 1, 100_000), Ok(()));
        assert_eq!(admit(&policy, 1, 200_000), Ok(()));
        let small = "amount 99999 sat is below the minimum of 100000 sat";
        assert_eq!(admit(&policy, 1, 99_999), Err(small.into()));
        let large = "amount 200001 sat is above the maximum of 200000 sat";
        assert_eq!(admit(&policy, 1, 200_001), Err(large.into()));
    }

    #[test]
    fn a_stranger_learns_nothing_of_what_is_switched_off() {
        let mut policy = Policy::default();
        policy.allowlist.insert(peer(1));
        policy.accept_new_swaps = false;
        let amount = Amount::from_sat(1);
        assert_eq!(policy.admit(&peer(2), amount), Err(Denial::Peer(peer(2))));
        assert_eq!(policy.admit(&peer(1), amount), Err(Denial::Disabled));
        assert_eq!(policy.admit_own(&peer(1), amount), Err(Denial::Disabled));
        assert_eq!(policy.admit_peer(&peer(1)), Err(Denial::Disabled));
    }
}

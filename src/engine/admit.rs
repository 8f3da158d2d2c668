//! Whether a swap is made: decisions over facts, for our own requests and for those of peers.

use bitcoin::{Amount, SignedAmount};

use crate::policy::{self, Cause};
use crate::ports::Channel;
use crate::protocol;
use crate::swap::fees::FeeRates;
use crate::swap::timelocks::Timelocks;
use crate::units::{Asset, FeeRate, NodeId, Ppm, PubKey, Scid, SwapId};

/// Why a swap is not made. `Display` is what a peer or an operator is told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// Against the operator's policy.
    #[error("{0}")]
    Policy(#[from] policy::Denial),
    /// A protocol version that the asset is not swapped in.
    #[error("protocol version {theirs} is not supported for {asset}, only {}", versions_of(*.asset))]
    Version {
        /// What the peer speaks.
        theirs: u8,
        /// What it asks for.
        asset: Asset,
    },
    /// An asset that this daemon does not swap.
    #[error("{0} swaps are not configured here")]
    NotConfigured(Asset),
    /// A request for another chain than ours.
    #[error("{0}")]
    Chain(String),
    /// The chain takes no new swaps just now.
    #[error("no new {asset} swaps for now: {reason}")]
    Unfit {
        /// Which.
        asset: Asset,
        /// Why.
        reason: String,
    },
    /// No such channel with this peer.
    #[error("there is no channel {0} with this peer")]
    NoChannel(Scid),
    /// The channel takes no HTLCs.
    #[error("channel {scid} is not active")]
    Inactive {
        /// The channel.
        scid: Scid,
        /// Its other end.
        peer: NodeId,
    },
    /// A premium that is paid back leaves nothing to swap.
    #[error("{} sat with a premium of {} sat leave nothing to swap", .amount.to_sat(), .premium.to_sat())]
    NothingLeft {
        /// Asked for.
        amount: Amount,
        /// What the initiator pays.
        premium: SignedAmount,
    },
    /// An amount that overflows with its premium rate.
    #[error("{} sat with a premium of {premium_ppm} is no amount to swap", .amount.to_sat())]
    Amount {
        /// Asked for.
        amount: Amount,
        /// The rate.
        premium_ppm: Ppm,
    },
    /// An order of more than there is.
    #[error("{} sat is more than there can be: at most {} sat", .0.to_sat(), Amount::MAX_MONEY.to_sat())]
    MoreThanExists(Amount),
    /// An order's limit that is no premium rate.
    #[error("{0}")]
    Rate(#[from] policy::RateOutOfRange),
    /// The initiator would not pay this much.
    #[error("premium of {} sat is above the limit of {} sat", .premium.to_sat(), .limit.to_sat())]
    TooDear {
        /// What the responder asks.
        premium: SignedAmount,
        /// The most the initiator pays.
        limit: SignedAmount,
    },
    /// The channel cannot carry it.
    #[error("the channel can {} {} sat now, the swap needs {} sat", if *.sending {"send"} else {"receive"}, .available.to_sat(), .needed.to_sat())]
    Balance {
        /// We would send (else: receive).
        sending: bool,
        /// What the channel can carry.
        available: Amount,
        /// What the swap needs.
        needed: Amount,
    },
    /// The wallet cannot fund it.
    #[error("the {asset} wallet can spend {} sat, the opening needs {} sat with its fee", .available.to_sat(), .needed.to_sat())]
    Wallet {
        /// Which wallet.
        asset: Asset,
        /// What the wallet has.
        available: Amount,
        /// What is needed.
        needed: Amount,
    },
    /// The peer is in quarantine.
    #[error("it is in quarantine for {minutes} more minutes, or until `peer_release`: {reason}")]
    Quarantined {
        /// The peer.
        peer: NodeId,
        /// Who or what put it there.
        cause: Cause,
        /// Why.
        reason: String,
        /// How long it lasts, rounded up.
        minutes: u64,
    },
    /// The peer has as many swaps as it may have.
    #[error("{count} swaps that peer {peer} asked for {}, at most {most} may at a time",
        if *.pending {"wait for its fee or opening"} else {"run"})]
    TooMany {
        /// The peer.
        peer: NodeId,
        /// How many it has.
        count: usize,
        /// How many it may have.
        most: usize,
        /// It has put nothing into them (else: they run).
        pending: bool,
    },
    /// Another swap holds the channel.
    #[error("another swap is active on channel {scid}: {holder}")]
    Busy {
        /// The channel.
        scid: Scid,
        /// The swap that holds it.
        holder: SwapId,
    },
}

/// The protocol versions that an asset is swapped in, for people.
fn versions_of(asset: Asset) -> String {
    let known = (0..=protocol::VERSION).filter(|version| Timelocks::of(asset, *version).is_some());
    let known: Vec<String> = known.map(|version| version.to_string()).collect();
    known.join(", ")
}

impl Denial {
    /// What a peer is told: no figure of our wallet or of our node's health.
    pub(super) fn for_peer(&self) -> String {
        match self {
            Denial::Wallet { .. } => "the wallet cannot fund the swap".into(),
            Denial::Balance { sending, .. } => {
                format!(
                    "the channel cannot {} that much now",
                    if *sending { "send" } else { "receive" }
                )
            }
            Denial::Unfit { asset, .. } => format!("no new {asset} swaps for now"),
            // the operator's note is the operator's
            Denial::Quarantined {
                cause: Cause::Operator,
                minutes,
                ..
            } => format!("no new swaps for {minutes} more minutes"),
            Denial::Quarantined { reason, minutes, .. } => {
                format!("no new swaps for {minutes} more minutes, after {reason}")
            }
            Denial::TooMany { .. }
            | Denial::Policy(_)
            | Denial::Version { .. }
            | Denial::NotConfigured(_)
            | Denial::Chain(_)
            | Denial::NoChannel(_)
            | Denial::Inactive { .. }
            | Denial::Amount { .. }
            | Denial::MoreThanExists(_)
            | Denial::Rate(_)
            | Denial::NothingLeft { .. }
            | Denial::TooDear { .. }
            | Denial::Busy { .. } => self.to_string(),
        }
    }

    /// Whether a request was against a rule, so that the same one will be refused again whenever it comes. What passes
    /// (coins short, a channel busy, a chain away) or is a matter of price is nobody's offence.
    pub(super) fn is_against_the_rules(&self) -> bool {
        match self {
            Denial::Policy(policy::Denial::Disabled)
            | Denial::Unfit { .. }
            | Denial::Inactive { .. }
            | Denial::TooDear { .. }
            | Denial::Balance { .. }
            | Denial::Wallet { .. }
            | Denial::Busy { .. }
            | Denial::TooMany { .. }
            | Denial::Quarantined { .. } => false,
            Denial::Policy(_)
            | Denial::Version { .. }
            | Denial::NotConfigured(_)
            | Denial::Chain(_)
            | Denial::NoChannel(_)
            | Denial::NothingLeft { .. }
            | Denial::Amount { .. }
            | Denial::MoreThanExists(_)
            | Denial::Rate(_) => true,
        }
    }
}

/// Finds the channel of a swap among ours: it must be with that peer, if one is given, and usable.
pub(super) fn channel<'a>(channels: &'a [Channel], scid: Scid, peer: Option<&PubKey>) -> Result<&'a Channel, Denial> {
    let with_peer = |channel: &&Channel| peer.is_none_or(|peer| channel.peer == *peer);
    let named = |channel: &&Channel| channel.scid == scid || channel.aliases.contains(&scid);
    let channel = channels
        .iter()
        .filter(with_peer)
        .find(named)
        .ok_or(Denial::NoChannel(scid))?;
    if !channel.active {
        return Err(Denial::Inactive {
            scid,
            peer: channel.peer,
        });
    }
    Ok(channel)
}

/// Whether the channel can carry the claim payment, `sending` it or receiving it.
pub(super) fn balance(channel: &Channel, sending: bool, needed: Amount) -> Result<(), Denial> {
    let available = if sending { channel.spendable } else { channel.receivable };
    if available < needed {
        return Err(Denial::Balance {
            sending,
            available,
            needed,
        });
    }
    Ok(())
}

/// The rate of a new swap's opening. While the node takes nothing that the operator allows, no swap begins.
pub(super) fn rate(asset: Asset, rates: &FeeRates) -> Result<FeeRate, Denial> {
    rates.for_new().map_err(|dear| Denial::Unfit {
        asset,
        reason: dear.to_string(),
    })
}

/// What the wallet must hold for an opening: its amount, the fee estimate, and a little for rounding.
pub(super) fn wallet(asset: Asset, available: Amount, opening: Amount, fee: Amount) -> Result<(), Denial> {
    let needed = opening.checked_add(fee).unwrap_or(Amount::MAX_MONEY);
    if available < needed {
        return Err(Denial::Wallet {
            asset,
            available,
            needed,
        });
    }
    Ok(())
}

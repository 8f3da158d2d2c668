//! What two peers swap: fixed before anything is said, and the deal that the agreement adds.

use std::fmt;

use bitcoin::{Amount, ScriptBuf, SignedAmount};
use serde::{Deserialize, Serialize};

use super::timelocks::Timelocks;
use crate::units::{Asset, Msat, NodeId, PaymentHash, PubKey, Scid};

/// The direction of a swap, as its initiator sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The initiator gives chain coins and receives Lightning balance: the initiator is the maker.
    In,
    /// The initiator gives Lightning balance and receives chain coins: the initiator is the taker.
    Out,
}

/// As the API writes it: `in` or `out`.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::In => "in",
            Kind::Out => "out",
        })
    }
}

/// Which side of the opening transaction this node is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Funds the opening and is paid by the claim invoice.
    Maker,
    /// Pays the claim invoice and takes the opening's coins.
    Taker,
}

/// What holds for the whole life of a swap. Committed before the first message.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Terms {
    /// Protocol version spoken in this swap.
    pub version: u8,
    /// What is swapped, and on which chain.
    pub asset: Asset,
    /// Hash of that chain's genesis block.
    pub genesis: bitcoin::BlockHash,
    /// On Liquid the id of the asset that L-BTC is on this chain; None on Bitcoin.
    pub policy_asset: Option<elements::AssetId>,
    /// The Lightning node this daemon speaks for.
    pub node: NodeId,
    /// The channel whose balance moves.
    pub scid: Scid,
    /// The amount swapped, without premium.
    #[serde(with = "bitcoin::amount::serde::as_sat")]
    pub amount: Amount,
    /// The most that the initiator pays the responder; negative: the least that it wants to be paid.
    #[serde(with = "bitcoin::amount::serde::as_sat")]
    pub premium_limit: SignedAmount,
    /// Where this side's own spend of the opening pays to: an address of the operator's wallet.
    pub payout: Payout,
    /// What this side may spend on fees.
    pub fees: FeePolicy,
}

/// An address of the operator's wallet, with what is needed to pay to it without asking the wallet again.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Payout {
    /// The address as the wallet gave it.
    pub address: String,
    /// Its output script.
    pub script: ScriptBuf,
    /// On Liquid the key that blinds outputs to it; None on Bitcoin.
    pub blinding_key: Option<PubKey>,
}

/// Bounds on fees, in force when the swap was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FeePolicy {
    /// Swap-out only. The maker: what it asks for by the fee invoice. The taker: the most it pays for one.
    #[serde(with = "bitcoin::amount::serde::as_sat")]
    pub fee_invoice: Amount,
}

/// What the agreement adds to the terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Deal {
    /// Positive: the initiator pays the responder. On swap-in it is in the opening, on swap-out in the claim invoice.
    #[serde(with = "bitcoin::amount::serde::as_sat")]
    pub premium: SignedAmount,
    /// The peer's swap key, which the opening script names.
    pub peer_key: PubKey,
}

/// Where a swap's secrets are derived from the seed: random hardened indices, drawn per swap.
/// Never a counter: a restored database would use a key again that coop_close has revealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct KeyPath(pub [u32; 5]);

/// A swap's keys: where they come from, and their public halves.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SwapKeys {
    /// The path of every secret of this swap.
    pub path: KeyPath,
    /// This side's key in the opening script.
    pub swap_key: PubKey,
    /// Maker on Liquid: the public key that blinds the opening output.
    pub blinding_key: Option<PubKey>,
    /// Maker: the hash of the claim invoice.
    pub claim_hash: Option<PaymentHash>,
    /// Maker of a swap-out: the hash of the fee invoice.
    pub fee_hash: Option<PaymentHash>,
}

/// What goes over the channel and what goes over the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amounts {
    /// What the claim invoice asks for.
    pub claim: Amount,
    /// What the opening output holds.
    pub opening: Amount,
}

/// The amounts of a swap; None if amount and premium leave nothing.
#[must_use]
pub fn amounts(kind: Kind, amount: Amount, premium: SignedAmount) -> Option<Amounts> {
    let sum = i64::try_from(amount.to_sat()).ok()?.checked_add(premium.to_sat())?;
    let sum = u64::try_from(sum).ok().filter(|sat| *sat > 0).map(Amount::from_sat)?;
    Some(match kind {
        Kind::In => Amounts {
            claim: amount,
            opening: sum,
        },
        Kind::Out => Amounts {
            claim: sum,
            opening: amount,
        },
    })
}

impl Terms {
    /// The limits of this swap's asset and version. None for a record that no release of Sluice would make.
    #[must_use]
    pub fn timelocks(&self) -> Option<&'static Timelocks> {
        Timelocks::of(self.asset, self.version)
    }

    /// What the opening output holds; None if amount and premium leave nothing.
    #[must_use]
    pub fn opening_amount(&self, kind: Kind, deal: &Deal) -> Option<Amount> {
        amounts(kind, self.amount, deal.premium).map(|amounts| amounts.opening)
    }

    /// What the claim invoice asks for, a whole number of satoshi; None if amount and premium leave nothing.
    #[must_use]
    pub fn claim_amount(&self, kind: Kind, deal: &Deal) -> Option<Msat> {
        amounts(kind, self.amount, deal.premium).and_then(|amounts| Msat::from_amount(amounts.claim))
    }
}

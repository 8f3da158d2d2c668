//! Which spend of the opening is ours, and from when.

use super::{NoWay, Record};
use crate::swap::Role;
use crate::swap::event::SpendPath;
use crate::units::{Blocks, Height, Preimage};

/// Where an opening that is not spent stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In no block and not in the mempool.
    Nowhere,
    /// In the mempool.
    Mempool,
    /// In that block.
    Block(Height),
}

/// What a node of the chain tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// The tip.
    pub tip: Height,
    /// The opening, which is not spent.
    pub opening: Place,
}

/// How the coins are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// Taker: by the preimage.
    Preimage(Preimage),
    /// Maker: by the key that the taker has given away.
    Coop,
    /// Maker: after the timelock.
    Csv,
}

impl Way {
    /// The path of the script.
    #[must_use]
    pub fn path(&self) -> SpendPath {
        match self {
            Way::Preimage(_) => SpendPath::Preimage,
            Way::Coop => SpendPath::Coop,
            Way::Csv => SpendPath::Csv,
        }
    }
}

impl Record {
    /// The first block that the maker's refund fits into (BIP 68), as far as the file or `at` tells when the opening
    /// got into a block.
    #[must_use]
    pub fn refund_from(&self, at: Option<Height>) -> Option<Height> {
        at.or(self.opening.confirmed_at).map(|at| at.plus(self.csv))
    }
}

/// How the maker takes its coins back, whenever that is possible.
#[must_use]
pub fn coop_or_refund(record: &Record) -> Way {
    match record.revealed_key {
        Some(_) => Way::Coop,
        None => Way::Csv,
    }
}

/// How the taker claims: by the file's preimage or, where it has none, by the given one.
///
/// # Errors
/// There is none, or it belongs to another payment.
pub fn preimage_claim(record: &Record, given: Option<&Preimage>) -> Result<Way, NoWay> {
    let want = record.payment_hash;
    let preimage = record.preimage.as_ref().or(given);
    let preimage = preimage.ok_or(NoWay::NoPreimage { hash: want })?;
    match preimage.hash() {
        got if got == want => Ok(Way::Preimage(preimage.clone())),
        got => Err(NoWay::WrongPreimage { want, got }),
    }
}

/// How our side takes the coins. Without `facts` it is not asked whether it may do so now.
///
/// # Errors
/// Why it cannot, or not yet.
pub fn way(record: &Record, given: Option<&Preimage>, facts: Option<Facts>) -> Result<Way, NoWay> {
    let way = match record.role {
        Role::Maker if record.paid => {
            return Err(NoWay::Paid {
                hash: record.payment_hash,
            });
        }
        Role::Maker => coop_or_refund(record),
        Role::Taker => preimage_claim(record, given)?,
    };
    let Some(facts) = facts else { return Ok(way) };
    let opening = record.opening.txid;
    match (&way, facts.opening) {
        // a taker can put the opening back, which it has in full
        (Way::Preimage(_), Place::Nowhere | Place::Mempool | Place::Block(_))
        | (Way::Coop, Place::Mempool | Place::Block(_)) => Ok(way),
        (Way::Coop | Way::Csv, Place::Nowhere) => Err(NoWay::NeverOpened { opening }),
        (Way::Csv, Place::Mempool) => Err(NoWay::Unconfirmed {
            opening,
            csv: record.csv,
        }),
        (Way::Csv, Place::Block(at)) => {
            let from = at.plus(record.csv);
            let left = Blocks(from.0.saturating_sub(facts.tip.0.saturating_add(1)));
            let tip = facts.tip;
            if left == Blocks(0) {
                Ok(way)
            } else {
                Err(NoWay::Immature { from, tip, left })
            }
        }
    }
}

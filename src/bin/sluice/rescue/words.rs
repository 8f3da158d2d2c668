//! What a rescue file means, in plain words.

use sluice::api::view::text::{grouped, lasting, rfc3339, sats};
use sluice::rescue::{Facts, Place, Record, Way};
use sluice::swap::Role;
use sluice::swap::event::SpendPath;
use sluice::swap::state::Claim;
use sluice::units::{Asset, Blocks, Height};

use super::node::{Spent, Standing};

fn coins(asset: Asset) -> &'static str {
    match asset {
        Asset::Lbtc => "L-BTC",
        Asset::Btc => "BTC",
    }
}

/// How long so many blocks take.
fn time(asset: Asset, blocks: Blocks) -> String {
    lasting(asset.time_of(blocks))
}

/// What the swap was, and whose coins they are.
pub fn story(record: &Record) -> String {
    let amount = sats(record.opening.amount.to_sat());
    let part = match record.role {
        Role::Maker => format!(
            "you gave the coins: {amount} of your wallet are locked in the opening, for the peer to take against payment \
             over Lightning"
        ),
        Role::Taker => format!(
            "you were to get the coins: {amount} of the peer are locked in the opening, yours once you have paid over \
             Lightning"
        ),
    };
    format!(
        "swap {}: swap-{} of {} of {} with {}, made {}\n{part}\nopening {}, payment hash {}",
        record.swap_id.short(),
        record.kind,
        sats(record.amount.to_sat()),
        coins(record.asset),
        record.peer,
        rfc3339(record.created_at),
        record.opening.txid,
        record.payment_hash
    )
}

/// Who can take the coins from when, without a node: as the file last knew.
pub fn unseen(record: &Record) -> String {
    let known = record.opening.confirmed_at;
    let known = known.map_or(
        "when the file was written the opening was in no known block".to_owned(),
        |at| format!("when the file was written the opening was in block {}", grouped(at.0)),
    );
    format!("{known}\n{}", claims(record, record.opening.confirmed_at, None))
}

/// Where the coins are, and who can take them from when.
pub fn standing(record: &Record, standing: &Standing) -> String {
    let Standing::Open {
        facts: Facts { tip, opening },
        being_spent,
    } = standing
    else {
        return String::new();
    };
    let (place, at) = match opening {
        Place::Nowhere => ("in no block and not in the node's mempool".to_owned(), None),
        Place::Mempool => ("in the node's mempool, in no block yet".to_owned(), None),
        Place::Block(at) => (
            format!("in block {}, and its coins are there", grouped(at.0)),
            Some(*at),
        ),
    };
    let spent = if *being_spent {
        "\na transaction in the node's mempool takes them already; the one with the higher fee gets into a block"
    } else {
        ""
    };
    let facts = claims(record, at, Some(*tip));
    format!(
        "the chain is at block {}; the opening is {place}{spent}\n{facts}",
        grouped(tip.0)
    )
}

fn claims(record: &Record, at: Option<Height>, tip: Option<Height>) -> String {
    let maker_waits = match (record.refund_from(at).filter(|_| at.is_some()), tip) {
        (None, _) => format!(
            "{} blocks (about {}) after the opening's block",
            grouped(record.csv.0),
            time(record.asset, record.csv)
        ),
        (Some(from), Some(tip)) if tip.0.saturating_add(1) >= from.0 => {
            format!("now, since block {}", grouped(from.0))
        }
        (Some(from), Some(tip)) => {
            let left = Blocks(from.0.saturating_sub(tip.0.saturating_add(1)));
            format!(
                "from block {} on, in {} blocks (about {})",
                grouped(from.0),
                grouped(left.0),
                time(record.asset, left)
            )
        }
        (Some(from), None) => format!("from block {} on", grouped(from.0)),
    };
    match record.role {
        Role::Maker if record.revealed_key.is_some() => {
            "you can take them back now: the peer has given its key away, it will not pay".into()
        }
        Role::Maker if record.paid => "the peer has paid the claim invoice: the coins are the peer's".into(),
        Role::Maker => format!(
            "the peer can take them as soon as it has paid the claim invoice\nyou can take them back: {maker_waits}, if that \
             payment did not arrive: look for its hash in your Lightning node, for who is paid leaves the coins to the peer"
        ),
        Role::Taker => format!(
            "you can take them at any time with the preimage, which the payment of the claim invoice gives: {}\nthe peer \
             can take them back: {maker_waits}; be earlier",
            if record.preimage.is_some() {
                "it is in the file"
            } else {
                "it is not in the file"
            }
        ),
    }
}

/// What took the coins.
pub fn taken(record: &Record, spent: &Spent) -> String {
    let how = match (record.role, &spent.path, spent.ours) {
        (_, _, true) => "they are at the address in the file: nothing is left to do",
        (Role::Maker, SpendPath::Preimage, false) => {
            "by the peer, with the preimage: it has paid the claim invoice, look for it in your Lightning node"
        }
        (Role::Taker, SpendPath::Csv, false) => "by the peer, whose timelock was over",
        (Role::Taker, SpendPath::Coop, false) => "by the peer, with the key that you gave away unpaid",
        (Role::Maker, SpendPath::Csv | SpendPath::Coop, false) | (Role::Taker, SpendPath::Preimage, false) => {
            "with your key, to another address than the one in the file"
        }
    };
    format!(
        "the coins were taken in block {} by {}: {how}",
        grouped(spent.at.0),
        spent.txid
    )
}

/// What the transaction does.
pub fn transaction(record: &Record, way: &Way, claim: &Claim, address: &str) -> String {
    let by = match way {
        Way::Preimage(_) => "by the preimage and your key",
        Way::Coop => "by your key and the peer's",
        Way::Csv => "by your key, after the timelock",
    };
    let paid = record.opening.amount.checked_sub(claim.cost.fee).unwrap_or_default();
    format!(
        "transaction {}: pays {} to {address} {by}, and {} as its fee",
        claim.txid,
        sats(paid.to_sat()),
        sats(claim.cost.fee.to_sat())
    )
}

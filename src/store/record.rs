//! The rows: JSON with the number of their schema, made to be read by every later release.
//!
//! A change of what a row holds raises [`SCHEMA`], so that an older build refuses the database in one sentence rather than
//! take what it does not know for damage, and the older form goes on being read. `tests/data/` keeps rows of every schema;
//! a row that is written otherwise than there fails a test.

use bitcoin::{Amount, SignedAmount};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::protocol::Capability;
use crate::swap::{Event, Kind, Maker, Now, Outcome, Role, State, Swap, Taker};
use crate::units::{Asset, Height, NodeId, Scid, SwapId, Timestamp};

/// The schema of the rows that this release writes, and the newest that it reads. All forms before 2 were called 1.
pub const SCHEMA: u32 = 2;

#[derive(Serialize)]
struct RowOut<'a, T> {
    schema: u32,
    record: &'a T,
}

#[derive(Deserialize)]
struct RowHead {
    schema: u32,
}

#[derive(Deserialize)]
struct RowIn<T> {
    schema: u32,
    record: T,
}

/// The bytes of a row.
pub(super) fn encode<T: Serialize>(record: &T) -> Vec<u8> {
    let row = RowOut { schema: SCHEMA, record };
    serde_json::to_vec(&row).expect("records have text keys and no failing serializer")
}

/// Reads a row; `table` and `key` are for the error.
pub(super) fn decode<T: DeserializeOwned>(
    table: &'static str,
    key: impl FnOnce() -> String,
    bytes: &[u8],
) -> Result<T, StoreError> {
    let read = || {
        let row: Result<RowIn<T>, _> = serde_json::from_slice(bytes);
        let schema = match &row {
            Ok(row) => row.schema,
            // a record of another schema may be anything: what is said of it is its number
            Err(_) => {
                let head: RowHead = serde_json::from_slice(bytes).map_err(|error| describe(&error))?;
                head.schema
            }
        };
        if !(1..=SCHEMA).contains(&schema) {
            return Err(format!("schema {schema}, this release reads 1 to {SCHEMA}"));
        }
        row.map(|row| row.record).map_err(|error| describe(&error))
    };
    read().map_err(|reason| StoreError::Row {
        table,
        key: key(),
        reason,
    })
}

/// Where a row is broken. serde's own text may quote what stands there, which may be a key.
fn describe(error: &serde_json::Error) -> String {
    format!(
        "{:?} error at line {} column {}",
        error.classify(),
        error.line(),
        error.column()
    )
    .to_lowercase()
}

/// Position in the journal; grows by one with every step of any swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Seq(pub u64);

/// One step of a swap, as the journal keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalRow {
    /// Its place among the steps of all swaps.
    pub seq: Seq,
    /// The swap.
    pub swap_id: SwapId,
    /// The clock when it was made.
    pub at: Timestamp,
    /// The tip of the swap's chain as it was known then.
    pub tip: Option<Height>,
    /// What was observed; None for the swap's making. Keys, preimages and transactions are not in it.
    pub event: Option<String>,
    /// The state before; None for the swap's making.
    pub before: Option<String>,
    /// The state after.
    pub after: String,
}

impl JournalRow {
    pub(super) fn step(seq: Seq, now: Now, prev: &Swap, event: &Event, next: &Swap) -> JournalRow {
        JournalRow {
            seq,
            swap_id: next.id,
            at: now.time,
            tip: now.tip,
            // The types of secrets and transactions do not print themselves: whatever a later release puts into an
            // event, no list of fields to hide has to be kept here.
            event: Some(format!("{event:?}")),
            before: Some(state_name(&prev.state).into()),
            after: state_name(&next.state).into(),
        }
    }

    pub(super) fn creation(seq: Seq, swap: &Swap) -> JournalRow {
        JournalRow {
            seq,
            swap_id: swap.id,
            at: swap.created_at,
            tip: Some(swap.anchor),
            event: None,
            before: None,
            after: state_name(&swap.state).into(),
        }
    }
}

/// What a list of swaps shows of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The swap.
    pub id: SwapId,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its last step was made.
    pub updated_at: Timestamp,
    /// The other side.
    pub peer: NodeId,
    /// Its direction.
    pub kind: Kind,
    /// Our side.
    pub role: Role,
    /// What is swapped.
    pub asset: Asset,
    /// Over which channel.
    pub scid: Scid,
    /// Without premium.
    #[serde(with = "bitcoin::amount::serde::as_sat")]
    pub amount: Amount,
    /// Once agreed; positive: the initiator pays the responder.
    #[serde(with = "bitcoin::amount::serde::as_sat::opt")]
    pub premium: Option<SignedAmount>,
    /// The state, as [`state_name`] has it.
    pub state: String,
    /// How it ended.
    pub outcome: Option<Outcome>,
}

impl Summary {
    /// Summarizes a swap. The premium is kept from the `earlier` summary, since the last states no longer have it.
    pub(super) fn of(swap: &Swap, updated_at: Timestamp, earlier: Option<&Summary>) -> Summary {
        let (premium, outcome) = match &swap.state {
            State::Maker(deal, _) | State::Taker(deal, _) => (Some(deal.premium), None),
            State::Requested { .. } | State::Canceling { .. } => (None, None),
            State::Closed(outcome) => (None, Some(outcome.clone())),
        };
        Summary {
            id: swap.id,
            created_at: swap.created_at,
            updated_at,
            peer: swap.peer,
            kind: swap.kind,
            role: swap.role,
            asset: swap.terms.asset,
            scid: swap.terms.scid,
            amount: swap.terms.amount,
            premium: premium.or_else(|| earlier.and_then(|summary| summary.premium)),
            state: state_name(&swap.state).into(),
            outcome,
        }
    }
}

/// The state's name in journals and lists; stable, for scripts.
#[must_use]
pub fn state_name(state: &State) -> &'static str {
    match state {
        State::Requested { .. } => "requested",
        State::Maker(_, maker) => match maker {
            Maker::AwaitingFee { .. } => "awaiting_fee",
            Maker::Funding { .. } => "funding",
            Maker::Publishing { .. } => "publishing",
            Maker::Voiding { .. } => "voiding",
            Maker::Opened(_) => "opened",
            Maker::ClaimingCoop { .. } => "claiming_coop",
            Maker::ClaimingCsv { .. } => "claiming_csv",
        },
        State::Taker(_, taker) => match taker {
            Taker::PayingFee { .. } => "paying_fee",
            Taker::AwaitingOpening => "awaiting_opening",
            Taker::AwaitingConfirmation { .. } => "awaiting_confirmation",
            Taker::PayingClaim { .. } => "paying_claim",
            Taker::AbandoningPayment { .. } => "abandoning_payment",
            Taker::ClaimingInvoice { .. } => "claiming_invoice",
            Taker::CoopClosing { .. } => "coop_closing",
        },
        State::Canceling { .. } => "canceling",
        State::Closed(_) => "closed",
    }
}

/// What a peer last said of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Who.
    pub peer: NodeId,
    /// What it offers to us.
    pub capability: Capability,
    /// When it said so.
    pub at: Timestamp,
}

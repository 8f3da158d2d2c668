//! Swaps: making, stepping, reading.

use redb::{ReadableTable, WriteTransaction};

use super::error::database;
use super::record::{self, JournalRow, Seq, Summary};
use super::{CHANNELS, IDEMPOTENCY, Id, OPEN, SUMMARIES, SWAPS, Store, StoreError, journal, trails};
use crate::swap::{Event, Now, State, Swap, holds_channel};
use crate::trail::Millis;
use crate::units::{Asset, NodeId, Scid, SwapId, Timestamp};

/// What became of a wish to make a swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// It is stored.
    New(Seq),
    /// Nothing is stored: the idempotency key was used for this swap before.
    Earlier(SwapId),
}

/// Which swaps to list.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Only those that are open, or only those that are not.
    pub open: Option<bool>,
    /// Only those with this peer.
    pub peer: Option<NodeId>,
    /// Only those of this asset.
    pub asset: Option<Asset>,
    /// Only those that come after this one in the list: older, or as old with a smaller id. For the next page.
    pub after: Option<(Timestamp, SwapId)>,
}

impl Filter {
    fn takes(&self, summary: &Summary) -> bool {
        self.open.is_none_or(|open| open == summary.outcome.is_none())
            && self.peer.is_none_or(|peer| peer == summary.peer)
            && self.asset.is_none_or(|asset| asset == summary.asset)
    }
}

impl Store {
    /// Stores a new swap and takes its channel.
    ///
    /// # Errors
    /// [`StoreError::Exists`] and [`StoreError::ChannelHeld`], which names the swap that holds the channel.
    pub fn create(&self, swap: &Swap, idempotency_key: Option<&str>) -> Result<Created, StoreError> {
        self.write(|transaction| {
            if let Some(key) = idempotency_key {
                let mut keys = transaction.open_table(IDEMPOTENCY).map_err(database)?;
                if let Some(earlier) = keys.get(key).map_err(database)? {
                    return Ok(Created::Earlier(SwapId(earlier.value())));
                }
                keys.insert(key, swap.id.0).map_err(database)?;
            }
            if read_swap(&transaction.open_table(SWAPS).map_err(database)?, swap.id)?.is_some() {
                return Err(StoreError::Exists(swap.id));
            }
            take_channel(transaction, swap)?;
            let seq = journal::append(transaction, swap.id, |seq| JournalRow::creation(seq, swap))?;
            put_swap(transaction, swap, swap.created_at)?;
            trails::begin(transaction, swap)?;
            Ok(Created::New(seq))
        })
    }

    /// Stores a step: the swap as it is now, what brought it there, and, once the state no longer holds it, the
    /// channel's release.
    ///
    /// # Errors
    /// [`StoreError::Stale`] if `prev` is not what is stored: somebody else made a step.
    pub fn commit(&self, prev: &Swap, event: &Event, now: Now, next: &Swap) -> Result<Seq, StoreError> {
        let same = (prev.id, prev.peer, prev.created_at, prev.terms.scid);
        if same != (next.id, next.peer, next.created_at, next.terms.scid) {
            return Err(StoreError::Rewritten(prev.id));
        }
        self.write(|transaction| {
            let stored = read_swap(&transaction.open_table(SWAPS).map_err(database)?, prev.id)?;
            match stored {
                None => return Err(StoreError::Unknown(prev.id)),
                Some(stored) if stored != *prev => return Err(StoreError::Stale(prev.id)),
                Some(_) => {}
            }
            if !holds(next) {
                free_channel(transaction, next)?;
            }
            put_swap(transaction, next, now.time)?;
            trails::note(transaction, next.id, |trail| trail.note(event, next, Millis::now()))?;
            journal::append(transaction, next.id, |seq| {
                JournalRow::step(seq, now, prev, event, next)
            })
        })
    }

    /// The swap of that id.
    ///
    /// # Errors
    /// The row cannot be read.
    pub fn swap(&self, id: SwapId) -> Result<Option<Swap>, StoreError> {
        read_swap(&self.read()?.open_table(SWAPS).map_err(database)?, id)
    }

    /// Every swap that is not closed, by id: what a start has to go on with.
    ///
    /// # Errors
    /// A row cannot be read.
    pub fn open_swaps(&self) -> Result<Vec<Swap>, StoreError> {
        let transaction = self.read()?;
        let (open, swaps) = (transaction.open_table(OPEN), transaction.open_table(SWAPS));
        let swaps = swaps.map_err(database)?;
        let mut found = Vec::new();
        for entry in open.map_err(database)?.iter().map_err(database)? {
            let id = SwapId(entry.map_err(database)?.0.value());
            found.push(read_swap(&swaps, id)?.ok_or(StoreError::Unknown(id))?);
        }
        Ok(found)
    }

    /// At most `limit` swaps, the newest first. Reads summaries only: its cost does not depend on transactions.
    ///
    /// # Errors
    /// A row cannot be read.
    pub fn list(&self, filter: &Filter, limit: usize) -> Result<Vec<Summary>, StoreError> {
        let transaction = self.read()?;
        let table = transaction.open_table(SUMMARIES).map_err(database)?;
        let end = filter.after.map_or((u64::MAX, [u8::MAX; 32]), |(at, id)| (at.0, id.0));
        let mut listed = Vec::new();
        for entry in table.range(..=end).map_err(database)?.rev() {
            if listed.len() >= limit {
                break;
            }
            let (key, row) = entry.map_err(database)?;
            let (at, id) = key.value();
            if filter.after == Some((Timestamp(at), SwapId(id))) {
                continue;
            }
            let summary = record::decode("summaries", || SwapId(id).to_string(), row.value())?;
            if filter.takes(&summary) {
                listed.push(summary);
            }
        }
        Ok(listed)
    }

    /// The swap that holds a channel.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn channel_holder(&self, scid: Scid) -> Result<Option<SwapId>, StoreError> {
        let table = self.read()?.open_table(CHANNELS).map_err(database)?;
        let holder = table.get(scid.0).map_err(database)?;
        Ok(holder.map(|id| SwapId(id.value())))
    }

    /// The swap that was made with an idempotency key.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn swap_of_key(&self, idempotency_key: &str) -> Result<Option<SwapId>, StoreError> {
        let table = self.read()?.open_table(IDEMPOTENCY).map_err(database)?;
        let id = table.get(idempotency_key).map_err(database)?;
        Ok(id.map(|id| SwapId(id.value())))
    }
}

/// Stores a swap as it was read from a damaged database, and takes its channel. What lists show of it is kept if it is
/// there.
pub(super) fn put_again(transaction: &WriteTransaction, swap: &Swap) -> Result<(), StoreError> {
    let summaries = transaction.open_table(SUMMARIES).map_err(database)?;
    let summary = summaries.get((swap.created_at.0, swap.id.0)).map_err(database)?;
    let summary: Option<Summary> = summary
        .map(|row| record::decode("summaries", || swap.id.to_string(), row.value()))
        .transpose()?;
    drop(summaries);
    put_swap(
        transaction,
        swap,
        summary.map_or(swap.created_at, |summary| summary.updated_at),
    )?;
    take_channel(transaction, swap)
}

fn is_open(swap: &Swap) -> bool {
    !matches!(swap.state, State::Closed(_))
}

fn holds(swap: &Swap) -> bool {
    is_open(swap) && holds_channel(&swap.state)
}

fn read_swap(table: &impl ReadableTable<Id, &'static [u8]>, id: SwapId) -> Result<Option<Swap>, StoreError> {
    let row = table.get(id.0).map_err(database)?;
    row.map(|row| record::decode("swaps", || id.to_string(), row.value()))
        .transpose()
}

fn take_channel(transaction: &WriteTransaction, swap: &Swap) -> Result<(), StoreError> {
    if !holds(swap) {
        return Ok(());
    }
    let scid = swap.terms.scid;
    let mut channels = transaction.open_table(CHANNELS).map_err(database)?;
    let holder = channels.get(scid.0).map_err(database)?.map(|id| SwapId(id.value()));
    if let Some(holder) = holder {
        return Err(StoreError::ChannelHeld { scid, holder });
    }
    channels.insert(scid.0, swap.id.0).map_err(database)?;
    Ok(())
}

/// Frees the channel if it is this swap that holds it; a later swap may hold it already.
fn free_channel(transaction: &WriteTransaction, swap: &Swap) -> Result<(), StoreError> {
    let mut channels = transaction.open_table(CHANNELS).map_err(database)?;
    let holder = channels.get(swap.terms.scid.0).map_err(database)?.map(|id| id.value());
    if holder == Some(swap.id.0) {
        channels.remove(swap.terms.scid.0).map_err(database)?;
    }
    Ok(())
}

pub(super) fn put_swap(transaction: &WriteTransaction, swap: &Swap, updated_at: Timestamp) -> Result<(), StoreError> {
    let mut swaps = transaction.open_table(SWAPS).map_err(database)?;
    swaps
        .insert(swap.id.0, record::encode(swap).as_slice())
        .map_err(database)?;
    let mut open = transaction.open_table(OPEN).map_err(database)?;
    if is_open(swap) {
        open.insert(swap.id.0, ()).map_err(database)?;
    } else {
        open.remove(swap.id.0).map_err(database)?;
    }
    let mut summaries = transaction.open_table(SUMMARIES).map_err(database)?;
    let key = (swap.created_at.0, swap.id.0);
    let earlier: Option<Summary> = match summaries.get(key).map_err(database)? {
        Some(row) => Some(record::decode("summaries", || swap.id.to_string(), row.value())?),
        None => None,
    };
    let summary = Summary::of(swap, updated_at, earlier.as_ref());
    summaries
        .insert(key, record::encode(&summary).as_slice())
        .map_err(database)?;
    Ok(())
}

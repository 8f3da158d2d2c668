//! The journal: every step of every swap, in one order.

use redb::{ReadableTable, WriteTransaction};

use super::error::database;
use super::record::{self, JournalRow, Seq};
use super::{JOURNAL, JOURNAL_BY_SWAP, Store, StoreError};
use crate::units::SwapId;

/// Adds a row under the next number, within the transaction of its step.
pub(super) fn append(
    transaction: &WriteTransaction,
    swap: SwapId,
    row: impl FnOnce(Seq) -> JournalRow,
) -> Result<Seq, StoreError> {
    let mut journal = transaction.open_table(JOURNAL).map_err(database)?;
    let last = journal.last().map_err(database)?.map_or(0, |(seq, _)| seq.value());
    let seq = Seq(last.saturating_add(1));
    journal
        .insert(seq.0, record::encode(&row(seq)).as_slice())
        .map_err(database)?;
    let mut by_swap = transaction.open_table(JOURNAL_BY_SWAP).map_err(database)?;
    by_swap.insert((swap.0, seq.0), ()).map_err(database)?;
    Ok(seq)
}

impl Store {
    /// Every step of a swap, the first first; empty if there is no such swap.
    ///
    /// # Errors
    /// A row cannot be read.
    pub fn history(&self, swap: SwapId) -> Result<Vec<JournalRow>, StoreError> {
        let transaction = self.read()?;
        let journal = transaction.open_table(JOURNAL).map_err(database)?;
        let by_swap = transaction.open_table(JOURNAL_BY_SWAP).map_err(database)?;
        let mut rows = Vec::new();
        for entry in by_swap.range((swap.0, 0)..=(swap.0, u64::MAX)).map_err(database)? {
            let (_, seq) = entry.map_err(database)?.0.value();
            if let Some(row) = journal.get(seq).map_err(database)? {
                rows.push(record::decode("journal", || seq.to_string(), row.value())?);
            }
        }
        Ok(rows)
    }

    /// At most `limit` steps of all swaps that came after `seq`, the first first. `Seq(0)` comes before all.
    ///
    /// # Errors
    /// A row cannot be read.
    pub fn events_since(&self, seq: Seq, limit: usize) -> Result<Vec<JournalRow>, StoreError> {
        let transaction = self.read()?;
        let journal = transaction.open_table(JOURNAL).map_err(database)?;
        let later = journal.range(seq.0.saturating_add(1)..).map_err(database)?;
        later
            .take(limit)
            .map(|entry| {
                let (seq, row) = entry.map_err(database)?;
                record::decode("journal", || seq.value().to_string(), row.value())
            })
            .collect()
    }

    /// The number of the newest step; `Seq(0)` while there is none.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn last_seq(&self) -> Result<Seq, StoreError> {
        let journal = self.read()?.open_table(JOURNAL).map_err(database)?;
        let last = journal.last().map_err(database)?;
        Ok(Seq(last.map_or(0, |(seq, _)| seq.value())))
    }
}

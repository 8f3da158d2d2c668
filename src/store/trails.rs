//! The trail of a swap: folded from its steps, in the transaction that stores each step.

use redb::{ReadableTable, WriteTransaction};

use super::error::database;
use super::record;
use super::{Store, StoreError, TRAILS};
use crate::swap::Swap;
use crate::trail::{Millis, Trail};
use crate::units::SwapId;

impl Store {
    /// What a swap has left behind; an empty one for a swap that is not known.
    ///
    /// # Errors
    /// The row cannot be read.
    pub fn trail(&self, id: SwapId) -> Result<Trail, StoreError> {
        read(&self.read()?.open_table(TRAILS).map_err(database)?, id)
    }

    /// Adds to a swap's trail that its claim is with the network, which is no step of the machine.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn note_published(&self, id: SwapId) -> Result<(), StoreError> {
        self.write(|transaction| note(transaction, id, |trail| trail.note_published(Millis::now())))
    }

    /// Adds to a swap's trail why its asset was chosen.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn note_choice(&self, id: SwapId, why: &str) -> Result<(), StoreError> {
        self.write(|transaction| note(transaction, id, |trail| trail.choice = Some(why.into())))
    }
}

pub(super) fn begin(transaction: &WriteTransaction, swap: &Swap) -> Result<(), StoreError> {
    put(transaction, swap.id, &Trail::begin(swap, Millis::now()))
}

pub(super) fn note(
    transaction: &WriteTransaction,
    id: SwapId,
    change: impl FnOnce(&mut Trail),
) -> Result<(), StoreError> {
    let mut trail = read(&transaction.open_table(TRAILS).map_err(database)?, id)?;
    change(&mut trail);
    put(transaction, id, &trail)
}

fn read(table: &impl ReadableTable<[u8; 32], &'static [u8]>, id: SwapId) -> Result<Trail, StoreError> {
    let row = table.get(id.0).map_err(database)?;
    let trail = row
        .map(|row| record::decode("trails", || id.to_string(), row.value()))
        .transpose()?;
    Ok(trail.unwrap_or_default())
}

fn put(transaction: &WriteTransaction, id: SwapId, trail: &Trail) -> Result<(), StoreError> {
    let mut table = transaction.open_table(TRAILS).map_err(database)?;
    table.insert(id.0, record::encode(trail).as_slice()).map_err(database)?;
    Ok(())
}

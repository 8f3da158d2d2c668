//! The database: what must survive a crash, in one file.
//!
//! ```text
//! create(swap) ─┐                     ┌─ swaps      id → swap               ┐
//!               ├─ one transaction ──►│  summaries  (created, id) → summary │
//! commit(prev,  │  synced to disk     │  journal    seq → step              │  all or nothing
//!   event, next)┘  on return          └─ channels   scid → id, while held   ┘
//! ```
//!
//! Synchronous on purpose: a step is acted on only once it is on disk, and there is nothing to do meanwhile.
//! Knows rows and transactions. Must not know what a step means, except whether a state holds its channel.

mod error;
mod journal;
mod load;
mod look;
pub mod offline;
mod older;
mod open;
mod record;
mod salvage;
mod settings;
mod swaps;
#[cfg(test)]
mod tests;
mod trails;

use std::path::PathBuf;

use redb::{Database, ReadTransaction, ReadableDatabase, TableDefinition, WriteTransaction};

pub use error::StoreError;
pub use load::Loaded;
pub use open::StoreIdentity;
pub use record::{JournalRow, SCHEMA, Seen, Seq, Summary, state_name};
pub use salvage::Saved;
pub use swaps::{Created, Filter};

use error::database;

/// The name of the database in the data folder.
pub const FILE_NAME: &str = "sluice.redb";

type Id = [u8; 32];

const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");
const SWAPS: TableDefinition<Id, &[u8]> = TableDefinition::new("swaps");
/// Swaps that are not closed, so that a start reads no others.
const OPEN: TableDefinition<Id, ()> = TableDefinition::new("open");
/// By time of creation, so that a list reads no raw transactions.
const SUMMARIES: TableDefinition<(u64, Id), &[u8]> = TableDefinition::new("summaries");
const JOURNAL: TableDefinition<u64, &[u8]> = TableDefinition::new("journal");
const JOURNAL_BY_SWAP: TableDefinition<(Id, u64), ()> = TableDefinition::new("journal_by_swap");
/// One swap per channel; short channel ids are the same on both ends, so the peer need not be in the key.
const CHANNELS: TableDefinition<u64, Id> = TableDefinition::new("channels");
const IDEMPOTENCY: TableDefinition<&str, Id> = TableDefinition::new("idempotency");
/// What people want to know of a swap beside its state.
const TRAILS: TableDefinition<Id, &[u8]> = TableDefinition::new("trails");
const SETTINGS: TableDefinition<&str, &[u8]> = TableDefinition::new("settings");
const CAPABILITIES: TableDefinition<[u8; 33], &[u8]> = TableDefinition::new("capabilities");

/// An open database. One process has it at a time; its threads may share it.
pub struct Store {
    db: Database,
    path: PathBuf,
}

impl Store {
    fn read(&self) -> Result<ReadTransaction, StoreError> {
        self.db.begin_read().map_err(database)
    }

    /// Does all of `change` or nothing; on Ok it is on the disk.
    fn write<T, E: From<StoreError>>(&self, change: impl FnOnce(&WriteTransaction) -> Result<T, E>) -> Result<T, E> {
        let mut transaction = self.db.begin_write().map_err(database)?;
        // a start after a crash takes the same time whatever the length of the history; costs a second sync
        transaction.set_quick_repair(true);
        let done = change(&transaction)?;
        transaction.commit().map_err(database)?;
        Ok(done)
    }
}

//! What the operator set, and what peers said of themselves.

use redb::ReadableTable;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::database;
use super::record::{self, Seen};
use super::{CAPABILITIES, SETTINGS, Store, StoreError};
use crate::policy::{Pauses, Policy, Premiums, Quarantines};
use crate::units::NodeId;

pub(super) const POLICY: &str = "policy";
const PREMIUMS: &str = "premiums";
pub(super) const PAUSES: &str = "pauses";
const QUARANTINES: &str = "quarantines";

impl Store {
    /// The policy; the default one until another is set.
    ///
    /// # Errors
    /// The row cannot be read.
    pub fn policy(&self) -> Result<Policy, StoreError> {
        self.setting(POLICY)
    }

    /// Changes the policy, unless `change` fails, and returns it. Two changes at a time do not undo each other.
    ///
    /// # Errors
    /// Those of `change`, or the database cannot be written.
    pub fn update_policy<E: From<StoreError>>(
        &self,
        change: impl FnOnce(&mut Policy) -> Result<(), E>,
    ) -> Result<Policy, E> {
        self.update(POLICY, change)
    }

    /// The chains that are paused.
    ///
    /// # Errors
    /// The row cannot be read.
    pub fn pauses(&self) -> Result<Pauses, StoreError> {
        self.setting(PAUSES)
    }

    /// Changes what is paused, and returns it.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn update_pauses(&self, change: impl FnOnce(&mut Pauses)) -> Result<Pauses, StoreError> {
        self.update(PAUSES, |pauses| {
            change(pauses);
            Ok(())
        })
    }

    /// The peers in quarantine.
    ///
    /// # Errors
    /// The row cannot be read.
    pub fn quarantines(&self) -> Result<Quarantines, StoreError> {
        self.setting(QUARANTINES)
    }

    /// Changes who is in quarantine, and returns it.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn update_quarantines(&self, change: impl FnOnce(&mut Quarantines)) -> Result<Quarantines, StoreError> {
        self.update(QUARANTINES, |quarantines| {
            change(quarantines);
            Ok(())
        })
    }

    /// The premium rates that were set.
    ///
    /// # Errors
    /// The row cannot be read.
    pub fn premiums(&self) -> Result<Premiums, StoreError> {
        self.setting(PREMIUMS)
    }

    /// Changes the premium rates, unless `change` fails, and returns them.
    ///
    /// # Errors
    /// Those of `change`, or the database cannot be written.
    pub fn update_premiums<E: From<StoreError>>(
        &self,
        change: impl FnOnce(&mut Premiums) -> Result<(), E>,
    ) -> Result<Premiums, E> {
        self.update(PREMIUMS, change)
    }

    /// What each peer last said of itself.
    ///
    /// # Errors
    /// A row cannot be read.
    pub fn capabilities(&self) -> Result<Vec<Seen>, StoreError> {
        let table = self.read()?.open_table(CAPABILITIES).map_err(database)?;
        let entries = table.iter().map_err(database)?;
        entries
            .map(|entry| {
                let (peer, row) = entry.map_err(database)?;
                record::decode("capabilities", || hex::encode(peer.value()), row.value())
            })
            .collect()
    }

    /// Keeps what a peer said of itself, instead of what it said before.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn put_capability(&self, seen: &Seen) -> Result<(), StoreError> {
        self.write(|transaction| {
            let mut table = transaction.open_table(CAPABILITIES).map_err(database)?;
            let row = record::encode(seen);
            table.insert(seen.peer.serialize(), row.as_slice()).map_err(database)?;
            Ok(())
        })
    }

    /// Forgets what a peer said of itself.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn forget_capability(&self, peer: NodeId) -> Result<(), StoreError> {
        self.write(|transaction| {
            let mut table = transaction.open_table(CAPABILITIES).map_err(database)?;
            table.remove(peer.serialize()).map_err(database)?;
            Ok(())
        })
    }

    fn setting<T: DeserializeOwned + Default>(&self, key: &'static str) -> Result<T, StoreError> {
        read(&self.read()?.open_table(SETTINGS).map_err(database)?, key)
    }

    fn update<T: Serialize + DeserializeOwned + Default, E: From<StoreError>>(
        &self,
        key: &'static str,
        change: impl FnOnce(&mut T) -> Result<(), E>,
    ) -> Result<T, E> {
        self.write(|transaction| {
            let mut table = transaction.open_table(SETTINGS).map_err(database)?;
            let mut value = read(&table, key)?;
            change(&mut value)?;
            table.insert(key, record::encode(&value).as_slice()).map_err(database)?;
            Ok(value)
        })
    }
}

pub(super) fn read<T: DeserializeOwned + Default>(
    table: &impl ReadableTable<&'static str, &'static [u8]>,
    key: &'static str,
) -> Result<T, StoreError> {
    match table.get(key).map_err(database)? {
        Some(row) => record::decode("settings", || key.into(), row.value()),
        None => Ok(T::default()),
    }
}

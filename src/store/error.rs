//! What can go wrong with the store. Nothing is changed by a call that fails.

use std::path::PathBuf;

use crate::units::{Scid, SwapId};

/// Why the store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file or folder cannot be used.
    #[error("{path}: {source}", path = .path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Others could put another file in the database's place.
    #[error("folder {path} can be changed by others (mode {mode:04o}): run `chmod 700 {path}`", path = .path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Another process has the database open.
    #[error("{path} is in use: another sluiced runs on this folder", path = .path.display())]
    InUse {
        /// The database.
        path: PathBuf,
    },
    /// The database belongs to another node or other chains.
    #[error("{path} belongs to {what} {stored}, this is {found}: start with the data folder of this node", path = .path.display())]
    Identity {
        /// The database.
        path: PathBuf,
        /// What differs.
        what: String,
        /// What the database was made for.
        stored: String,
        /// What it was opened for.
        found: String,
    },
    /// The database belongs to another seed.
    #[error("seed {seed} is not the one that {path} was made with, whose swaps it could not finish: put that seed back, \
        or start with another data folder", seed = .seed.display(), path = .path.display())]
    Seed {
        /// The database.
        path: PathBuf,
        /// The seed's file.
        seed: PathBuf,
    },
    /// The file is no database, or a broken one.
    #[error("database {path} cannot be opened: {reason}", path = .path.display())]
    Unreadable {
        /// The database.
        path: PathBuf,
        /// What redb says.
        reason: String,
    },
    /// The database was written by a later release.
    #[error("{path} has schema {stored}, this release reads up to {supported}: run the release that wrote it", path = .path.display())]
    Schema {
        /// The database.
        path: PathBuf,
        /// What it has.
        stored: u32,
        /// What is known here.
        supported: u32,
    },
    /// A row does not say what it should.
    #[error("{table} {key}: {reason}")]
    Row {
        /// In which table.
        table: &'static str,
        /// Its key.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// There is a swap of that id.
    #[error("swap {0} exists")]
    Exists(SwapId),
    /// There is no swap of that id.
    #[error("no swap {0}")]
    Unknown(SwapId),
    /// Another swap may still pay over that channel.
    #[error("already has an active swap on channel {scid}: {holder}")]
    ChannelHeld {
        /// The channel.
        scid: Scid,
        /// The swap that holds it.
        holder: SwapId,
    },
    /// The swap is not as the caller believes: another step was committed in between.
    #[error("swap {0} was changed by another step")]
    Stale(SwapId),
    /// A step must not change what a swap is.
    #[error("swap {0}: a step must not change id, peer, channel or time of creation")]
    Rewritten(SwapId),
    /// The database failed; from an I/O error on nothing more is written until it is opened again.
    #[error("database: {0}")]
    Database(Box<redb::Error>),
}

impl StoreError {
    /// Whether nothing more is written until the database is opened again: the disk failed under it.
    #[must_use]
    pub fn is_final(&self) -> bool {
        match self {
            StoreError::Database(error) => matches!(**error, redb::Error::Io(_) | redb::Error::PreviousIo),
            _ => false,
        }
    }

    /// Whether what is stored is not what was written: no later try undoes that.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            StoreError::Unreadable { .. } | StoreError::Row { .. } | StoreError::Unknown(_) => true,
            StoreError::Database(error) => matches!(**error, redb::Error::Corrupted(_)),
            StoreError::Io { .. }
            | StoreError::Folder { .. }
            | StoreError::InUse { .. }
            | StoreError::Identity { .. }
            | StoreError::Seed { .. }
            | StoreError::Schema { .. }
            | StoreError::Exists(_)
            | StoreError::ChannelHeld { .. }
            | StoreError::Stale(_)
            | StoreError::Rewritten(_) => false,
        }
    }
}

/// Wraps an error of the database; small enough to travel in every result.
pub(super) fn database(error: impl Into<redb::Error>) -> StoreError {
    StoreError::Database(Box::new(error.into()))
}

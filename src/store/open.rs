//! Opening: the folder, the file, and whether the database is the right one.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use bitcoin::BlockHash;
use redb::backends::FileBackend;
use redb::{
    Database, DatabaseError, ReadTransaction, ReadableTable, ReadableTableMetadata, StorageBackend, StorageError,
    WriteTransaction,
};
use serde::{Deserialize, Serialize};

use super::error::database;
use super::look::{every, unpanicked};
use super::record::{self, SCHEMA};
use super::{
    CAPABILITIES, CHANNELS, FILE_NAME, IDEMPOTENCY, JOURNAL, JOURNAL_BY_SWAP, META, OPEN, SETTINGS, SUMMARIES, SWAPS,
    Store, StoreError, TRAILS, older,
};
use crate::units::{Asset, NodeId, SeedFingerprint};

/// The database's memory for pages. redb's default is 1 GiB; a step touches a few pages.
const CACHE_BYTES: usize = 2 * 1024 * 1024;

const SCHEMA_KEY: &str = "schema";
const IDENTITY_KEY: &str = "identity";
const SEED_KEY: &str = "seed_fingerprint";

/// What a database belongs to. Keys, channels and heights in it mean nothing anywhere else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreIdentity {
    /// The Lightning node.
    pub node: NodeId,
    /// Its network, by its own name.
    pub network: String,
    /// The hash of block 0 of each chain in use.
    pub genesis: BTreeMap<Asset, BlockHash>,
}

impl Store {
    /// Opens the database in `dir`, or makes it there. A chain that the database has not seen yet is added to what
    /// it is bound to.
    ///
    /// # Errors
    /// The folder can be changed by others, another process has the database open, or it belongs to another node,
    /// another network, other chains, or a later release.
    pub fn open(dir: &Path, identity: &StoreIdentity) -> Result<Store, StoreError> {
        Store::open_through(dir, identity, |file| file)
    }

    /// The same, with a storage of the caller's between the database and its file.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_through<S: StorageBackend>(
        dir: &Path,
        identity: &StoreIdentity,
        storage: impl FnOnce(FileBackend) -> S,
    ) -> Result<Store, StoreError> {
        prepare_folder(dir)?;
        Store::at(&dir.join(FILE_NAME), identity, storage)
    }

    /// Binds the database to a chain too, whose node had not answered when it was opened.
    ///
    /// # Errors
    /// It belongs to another chain of that asset, or cannot be written.
    pub fn bind_chain(&self, asset: Asset, genesis: BlockHash) -> Result<(), StoreError> {
        self.write(|transaction| {
            let mut meta = transaction.open_table(META).map_err(database)?;
            let stored = meta
                .get(IDENTITY_KEY)
                .map_err(database)?
                .map(|row| row.value().to_vec());
            let stored = stored.unwrap_or_default();
            let stored: StoreIdentity = record::decode("meta", || IDENTITY_KEY.into(), &stored)?;
            let given = StoreIdentity {
                genesis: BTreeMap::from([(asset, genesis)]),
                ..stored.clone()
            };
            let merged = merge(&self.path, stored, &given)?;
            meta.insert(IDENTITY_KEY, record::encode(&merged).as_slice())
                .map_err(database)?;
            Ok(())
        })
    }

    /// Opens the database in a file, or makes it there.
    pub(super) fn at<S: StorageBackend>(
        path: &Path,
        identity: &StoreIdentity,
        storage: impl FnOnce(FileBackend) -> S,
    ) -> Result<Store, StoreError> {
        let broken = |source| StoreError::Io {
            path: path.into(),
            source,
        };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(broken)?;
        file.set_permissions(Permissions::from_mode(0o600)).map_err(broken)?;
        let open = || FileBackend::new(file).and_then(|file| create(storage(file)));
        Store::of(open, path, identity)
    }

    /// Opens the database on a storage of the caller's, or makes it there: simulations have disks that lose power.
    /// `name` is what errors call it.
    ///
    /// # Errors
    /// As [`Store::open`], but for the folder.
    pub fn open_on(storage: impl StorageBackend, name: &Path, identity: &StoreIdentity) -> Result<Store, StoreError> {
        Store::of(|| create(storage), name, identity)
    }

    fn of(
        open: impl FnOnce() -> Result<Database, DatabaseError>,
        path: &Path,
        identity: &StoreIdentity,
    ) -> Result<Store, StoreError> {
        let opened = unpanicked(|| {
            let db = open().map_err(|error| unopened(path, error))?;
            let store = Store { db, path: path.into() };
            store.write(|transaction| {
                bind(transaction, path, identity)?;
                make_tables(transaction)?;
                older::bring_up_to_date(transaction)
            })?;
            Ok(store)
        });
        opened.unwrap_or_else(|reason| {
            Err(StoreError::Unreadable {
                path: path.into(),
                reason,
            })
        })
    }

    /// Whether it was never used: it knows neither a seed nor a swap. Such a one is left by a first start that ended
    /// before the seed was drawn.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn is_unused(&self) -> Result<bool, StoreError> {
        let transaction = self.read()?;
        let meta = transaction.open_table(META).map_err(database)?;
        let swaps = transaction.open_table(SWAPS).map_err(database)?;
        let seedless = meta.get(SEED_KEY).map_err(database)?.is_none();
        Ok(seedless && swaps.is_empty().map_err(database)?)
    }

    /// Compares the seed with the one that this database was made with; a database that knows none takes this one.
    /// `file` is for the error.
    ///
    /// # Errors
    /// It is another seed: every key of a swap in this database comes from the first one.
    pub fn bind_seed(&self, seed: SeedFingerprint, file: &Path) -> Result<(), StoreError> {
        self.write(|transaction| {
            let mut meta = transaction.open_table(META).map_err(database)?;
            let stored = meta.get(SEED_KEY).map_err(database)?.map(|row| row.value().to_vec());
            match stored {
                Some(stored) if stored != seed.0 => Err(StoreError::Seed {
                    path: self.path.clone(),
                    seed: file.into(),
                }),
                Some(_) => Ok(()),
                None => {
                    meta.insert(SEED_KEY, seed.0.as_slice()).map_err(database)?;
                    Ok(())
                }
            }
        })
    }
}

fn create(storage: impl StorageBackend) -> Result<Database, DatabaseError> {
    Database::builder()
        .set_cache_size(CACHE_BYTES)
        .create_with_backend(storage)
}

fn unopened(path: &Path, error: DatabaseError) -> StoreError {
    let path = PathBuf::from(path);
    match error {
        DatabaseError::DatabaseAlreadyOpen => StoreError::InUse { path },
        DatabaseError::Storage(StorageError::Io(source)) if !is_damage(&source) => StoreError::Io { path, source },
        other => StoreError::Unreadable {
            path,
            reason: other.to_string(),
        },
    }
}

/// Whether a file's content is wrong, and not the way to it.
fn is_damage(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
}

/// Makes the folder for us alone; an existing one must not let others change what is in it.
fn prepare_folder(dir: &Path) -> Result<(), StoreError> {
    let broken = |source: io::Error| StoreError::Io {
        path: dir.into(),
        source,
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(broken)?;
    let mode = fs::metadata(dir).map_err(broken)?.permissions().mode() & 0o7777;
    if mode & 0o022 != 0 {
        return Err(StoreError::Folder { path: dir.into(), mode });
    }
    Ok(())
}

/// Compares the database's identity with ours, or takes ours for a new one.
fn bind(transaction: &WriteTransaction, path: &Path, identity: &StoreIdentity) -> Result<(), StoreError> {
    let mut meta = transaction.open_table(META).map_err(database)?;
    check_schema(
        meta.get(SCHEMA_KEY).map_err(database)?.as_ref().map(|row| row.value()),
        path,
    )?;
    let stored = match meta.get(IDENTITY_KEY).map_err(database)? {
        Some(row) => record::decode("meta", || IDENTITY_KEY.into(), row.value())?,
        None => identity.clone(),
    };
    let merged = merge(path, stored, identity)?;
    meta.insert(IDENTITY_KEY, record::encode(&merged).as_slice())
        .map_err(database)?;
    meta.insert(SCHEMA_KEY, SCHEMA.to_string().as_bytes())
        .map_err(database)?;
    Ok(())
}

/// What a damaged database is bound to, as far as it still says so, compared with ours.
pub(super) fn binding(
    read: &ReadTransaction,
    path: &Path,
    identity: &StoreIdentity,
) -> Result<(StoreIdentity, Option<SeedFingerprint>), StoreError> {
    let mut rows = BTreeMap::new();
    // what cannot be read is as if it were not there
    every(read, META, |key, row| {
        rows.insert(key.to_owned(), row.to_vec());
        Ok(())
    })?;
    check_schema(rows.get(SCHEMA_KEY).map(Vec::as_slice), path)?;
    let stored = rows.get(IDENTITY_KEY);
    let stored = stored.and_then(|row| record::decode("meta", String::new, row).ok());
    let identity = match stored {
        Some(stored) => merge(path, stored, identity)?,
        None => identity.clone(),
    };
    let seed = rows.remove(SEED_KEY).and_then(|row| row.try_into().ok());
    Ok((identity, seed.map(SeedFingerprint)))
}

fn check_schema(row: Option<&[u8]>, path: &Path) -> Result<(), StoreError> {
    let Some(row) = row else {
        return Ok(());
    };
    let text = std::str::from_utf8(row).ok();
    let stored: Option<u32> = text.and_then(|text| text.parse().ok());
    match stored {
        Some(stored) if stored <= SCHEMA => Ok(()),
        Some(stored) => Err(StoreError::Schema {
            path: path.into(),
            stored,
            supported: SCHEMA,
        }),
        None => Err(StoreError::Row {
            table: "meta",
            key: SCHEMA_KEY.into(),
            reason: "not a number".into(),
        }),
    }
}

fn merge(path: &Path, mut stored: StoreIdentity, given: &StoreIdentity) -> Result<StoreIdentity, StoreError> {
    let differs = |what: &str, stored: String, found: String| StoreError::Identity {
        path: path.into(),
        what: what.into(),
        stored,
        found,
    };
    if stored.node != given.node {
        return Err(differs("node", stored.node.to_string(), given.node.to_string()));
    }
    if stored.network != given.network {
        return Err(differs("network", stored.network, given.network.clone()));
    }
    for (asset, genesis) in &given.genesis {
        let known = *stored.genesis.entry(*asset).or_insert(*genesis);
        if known != *genesis {
            let what = format!("the {asset} chain with genesis block");
            return Err(differs(&what, known.to_string(), genesis.to_string()));
        }
    }
    Ok(stored)
}

/// Makes what is missing, so that reading finds every table.
fn make_tables(transaction: &WriteTransaction) -> Result<(), StoreError> {
    transaction.open_table(SWAPS).map_err(database)?;
    transaction.open_table(OPEN).map_err(database)?;
    transaction.open_table(SUMMARIES).map_err(database)?;
    transaction.open_table(JOURNAL).map_err(database)?;
    transaction.open_table(JOURNAL_BY_SWAP).map_err(database)?;
    transaction.open_table(CHANNELS).map_err(database)?;
    transaction.open_table(IDEMPOTENCY).map_err(database)?;
    transaction.open_table(SETTINGS).map_err(database)?;
    transaction.open_table(CAPABILITIES).map_err(database)?;
    transaction.open_table(TRAILS).map_err(database)?;
    Ok(())
}

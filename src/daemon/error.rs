//! Why the daemon does not start, or cannot go on: one sentence for its operator.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::api::token::TokenError;
use crate::keys::SeedError;
use crate::store::StoreError;
use crate::units::ParseUnitError;

/// Why the daemon ended. Its text names everything that an operator must know; causes are part of it.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The system does not tell of signals.
    #[error("signals: {0}")]
    Signals(io::Error),
    /// The data folder cannot be made.
    #[error("data_dir {path}: {source}", path = .path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The API's address cannot be used.
    #[error("api.listen {address}: cannot listen there: {source}")]
    Listen {
        /// The configured address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The API's token cannot be used.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// A backend answered, and not as one that can be worked with.
    #[error("{what}: {reason}")]
    Backend {
        /// Which, and where it is.
        what: String,
        /// What it said.
        reason: String,
    },
    /// A range of releases in the configuration is none.
    #[error(transparent)]
    Releases(#[from] ParseUnitError),
    /// Real coins against test coins, or the reverse, would be a gift.
    #[error("the Lightning node is on {node} but {daemon} on {chain}: {rule}")]
    Networks {
        /// The Lightning node's network.
        node: String,
        /// The chain's daemon.
        daemon: &'static str,
        /// Its chain.
        chain: String,
        /// How they must agree.
        rule: &'static str,
    },
    /// The configuration wants a wallet where there is none.
    #[error(
        "{what} has no wallets (disablewallet=1, or built without), and `bitcoin.funds` wants one there: set it to \
         `lightning` for the Lightning node's own wallet"
    )]
    Walletless {
        /// The daemon, and where it is.
        what: String,
    },
    /// A new database was asked for where there is one.
    #[error("--new-database, but {path} is there: start without the flag, or move that file away", path = .path.display())]
    DatabaseThere {
        /// The database.
        path: PathBuf,
    },
    /// The database is damaged, and nothing of it can be read.
    #[error(
        "{path} is damaged beyond reading ({reason}): get the coins of swaps that were under way by `sluice rescue` of \
         the files in {rescue}; then move the database away and start once with --new-database",
        path = .path.display(),
        rescue = .rescue.display()
    )]
    DatabaseLost {
        /// The database.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
        /// Where the rescue files are.
        rescue: PathBuf,
    },
    /// There is a seed, and no database that knows its swaps.
    #[error(
        "{database} is missing or empty, but {seed} is there: put the database of this seed back. If it is lost for \
         good, or never held a swap, start once with --new-database; swaps that it knew are forgotten then",
        database = .database.display(),
        seed = .seed.display()
    )]
    DatabaseMissing {
        /// Where it should be.
        database: PathBuf,
        /// The seed.
        seed: PathBuf,
    },
    /// There is a database in use, and no seed that could spend what its swaps hold.
    #[error(
        "{seed} is missing, but {database} is there: put the seed of this database back",
        seed = .seed.display(),
        database = .database.display()
    )]
    SeedMissing {
        /// Where it should be.
        seed: PathBuf,
        /// The database.
        database: PathBuf,
    },
    /// The seed cannot be used.
    #[error(transparent)]
    Seed(#[from] SeedError),
    /// The database cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The engine could not go on.
    #[error("{0}")]
    Failed(String),
}

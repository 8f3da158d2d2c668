//! What the data folder holds: the database and the seed of its swaps, which belong together.

use std::path::{Path, PathBuf};

use tracing::error;

use super::DaemonError;
use super::seams::Seams;
use crate::engine::RescueFolders;
use crate::keys::Seed;
use crate::store::{self, Loaded, Store, StoreError, StoreIdentity};
use crate::units::Timestamp;

/// How many damaged rows are told of; `sluice db check` tells of all.
const COMPLAINTS: usize = 20;

/// Both, and what was read of the database.
pub(super) struct Held {
    pub(super) store: Store,
    pub(super) loaded: Loaded,
    pub(super) seed: Seed,
}

fn seed_of(dir: &Path) -> PathBuf {
    dir.join("seed")
}

/// Whether there is a database. An empty file is none: it is what a first start leaves that is cut short, or a full
/// disk.
fn has_database(path: &Path) -> bool {
    path.metadata().is_ok_and(|file| file.len() > 0)
}

/// A seed without its database is a loss and not a first start: an empty database would forget running swaps, and
/// which orders were made already.
///
/// # Errors
/// The database is missing and `new_database` is not given, or the reverse.
pub(super) fn check(dir: &Path, new_database: bool) -> Result<(), DaemonError> {
    let (seed, database) = (seed_of(dir), dir.join(store::FILE_NAME));
    match (has_database(&database), new_database) {
        (true, true) => Err(DaemonError::DatabaseThere { path: database }),
        (false, false) if seed.exists() => Err(DaemonError::DatabaseMissing { database, seed }),
        (true, false) | (false, _) => Ok(()),
    }
}

/// Opens both, or makes them at the first start, and holds them together from then on.
///
/// # Errors
/// One of them cannot be used, or the seed is missing or another one than the database's: no other could spend what
/// its swaps hold.
pub(super) fn open(dir: &Path, identity: &StoreIdentity, seams: &impl Seams) -> Result<Held, DaemonError> {
    let path = seed_of(dir);
    // the database first: a start that ends in between leaves an unused one, for which a seed may be drawn
    let (store, loaded) = match open_whole(dir, identity, seams) {
        Err(damage) if damage.is_damage() => open_saved(dir, identity, seams, damage)?,
        opened => opened?,
    };
    if !path.exists() && !store.is_unused()? {
        return Err(DaemonError::SeedMissing {
            seed: path,
            database: dir.join(store::FILE_NAME),
        });
    }
    let seed = Seed::open_or_create(&path)?;
    store.bind_seed(seed.fingerprint(), &path)?;
    Ok(Held { store, loaded, seed })
}

type Opened = (Store, Loaded);

fn open_whole(dir: &Path, identity: &StoreIdentity, seams: &impl Seams) -> Result<Opened, StoreError> {
    let store = Store::open_through(dir, identity, |file| seams.storage(file))?;
    let loaded = store.load()?;
    Ok((store, loaded))
}

/// A damaged database: the swaps that can be read must not wait for its operator, their timelocks do not either.
fn open_saved(
    dir: &Path,
    identity: &StoreIdentity,
    seams: &impl Seams,
    damage: StoreError,
) -> Result<Opened, DaemonError> {
    let saved = Store::salvage(dir, identity, Timestamp::now()).map_err(|error| match error {
        StoreError::Unreadable { path, reason } => DaemonError::DatabaseLost {
            path,
            reason,
            rescue: dir.join("rescue"),
        },
        other => other.into(),
    })?;
    error!(
        %damage,
        kept = %saved.kept.display(),
        "the database is damaged: what can be read of it is in a new one, swaps in it go on, and no new ones begin until \
         `sluice chain resume`"
    );
    error!("saved: {}", saved.report.holds());
    for complaint in saved.report.complaints().take(COMPLAINTS) {
        error!("{complaint}");
    }
    let folders = RescueFolders {
        own: dir.join("rescue"),
        copy: None,
    };
    for swap in &saved.lost {
        let file = folders.file(*swap);
        if file.exists() {
            error!(%swap, file = %file.display(), "it was under way and cannot be read: `sluice rescue` of its file gets its coins");
        } else {
            error!(%swap, "it was under way and cannot be read; it has no rescue file: none of its coins were at stake");
        }
    }
    Ok(open_whole(dir, identity, seams)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;

    use tempfile::TempDir;

    use super::*;
    use crate::daemon::seams::Direct;

    fn identity() -> StoreIdentity {
        let node = "024d4b6cd1361032ca9bd2aeb9d900aa4d45d9ead80ac9423374c451a7254d0766";
        StoreIdentity {
            node: node.parse().unwrap(),
            network: "regtest".into(),
            genesis: Default::default(),
        }
    }

    /// A start as the daemon does it; its error's text if it is refused.
    fn start(dir: &Path, new_database: bool) -> Result<(), String> {
        let opened = check(dir, new_database).and_then(|()| open(dir, &identity(), &Direct));
        opened.map(drop).map_err(|error| error.to_string())
    }

    fn folder() -> (TempDir, PathBuf, PathBuf) {
        let dir = TempDir::new().unwrap();
        start(dir.path(), false).unwrap();
        let (seed, database) = (dir.path().join("seed"), dir.path().join(store::FILE_NAME));
        assert!(seed.exists() && database.exists());
        (dir, seed, database)
    }

    #[test]
    fn the_first_start_makes_both_and_later_ones_take_them() {
        let (dir, seed, _) = folder();
        let drawn = fs::read(&seed).unwrap();
        start(dir.path(), false).unwrap();
        assert_eq!(fs::read(&seed).unwrap(), drawn);
    }

    #[test]
    fn another_seed_is_refused_with_both_files_until_the_first_is_back() {
        let (dir, seed, database) = folder();
        let kept = fs::read(&seed).unwrap();
        fs::remove_file(&seed).unwrap();
        Seed::open_or_create(&seed).unwrap();
        let text = start(dir.path(), false).unwrap_err();
        let names = [&seed, &database].map(|path| path.display().to_string());
        assert!(names.iter().all(|name| text.contains(name)), "{text}");
        fs::write(&seed, kept).unwrap();
        start(dir.path(), false).unwrap();
    }

    #[test]
    fn a_missing_seed_is_refused() {
        let (dir, seed, _) = folder();
        fs::remove_file(&seed).unwrap();
        let text = start(dir.path(), false).unwrap_err();
        assert!(text.contains("put the seed of this database back"), "{text}");
        assert!(!seed.exists());
    }

    #[test]
    fn a_missing_or_empty_database_is_refused_unless_a_new_one_is_asked_for() {
        let (dir, seed, database) = folder();
        let drawn = fs::read(&seed).unwrap();
        for empty in [false, true] {
            fs::remove_file(&database).unwrap();
            if empty {
                fs::write(&database, b"").unwrap();
            }
            let text = start(dir.path(), false).unwrap_err();
            assert!(text.contains("start once with --new-database"), "{text}");
            assert_eq!(database.exists(), empty, "nothing is made");
            start(dir.path(), true).unwrap();
        }
        let text = start(dir.path(), true).unwrap_err();
        assert!(text.contains("start without the flag"), "{text}");
        start(dir.path(), false).unwrap();
        assert_eq!(fs::read(&seed).unwrap(), drawn);
    }

    #[test]
    fn a_database_beyond_reading_is_refused_with_the_way_to_the_coins_and_stays() {
        let (dir, _, database) = folder();
        fs::write(&database, [7; 20_000]).unwrap();
        let text = start(dir.path(), false).unwrap_err();
        assert!(
            text.contains("beyond reading") && text.contains("sluice rescue"),
            "{text}"
        );
        assert_eq!(fs::read(&database).unwrap(), [7; 20_000]);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "nothing is left behind");
    }

    #[test]
    fn a_first_start_that_was_cut_short_is_taken_up() {
        let dir = TempDir::new().unwrap();
        drop(Store::open(dir.path(), &identity()).unwrap());
        start(dir.path(), false).unwrap();
    }
}

//! Where a world that is up is found: a folder of its name, with the socket `control.sock` and the file `env.sh`.
//!
//! The folder is locked while the world is up: the lock ends with the process, however that ends, so that what a killed
//! world left behind never passes for a living one.

use std::fs::{DirBuilder, File, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tokio::net::UnixListener;

/// The name of the first world; others get `-2` and so on.
const DEFAULT: &str = "default";
/// So many worlds may be up without a name of their own.
const UNNAMED: u32 = 99;

/// A world's folder, held by this process.
pub(super) struct Place {
    name: String,
    folder: PathBuf,
    _lock: File,
}

impl Place {
    /// Takes the folder of this name, or of the first free default name.
    ///
    /// # Errors
    /// A world of that name is up, or the folder cannot be made.
    pub(super) fn claim(name: Option<&str>) -> Result<Place> {
        let root = root()?;
        if let Some(name) = name {
            return match Place::try_claim(&root, name)? {
                Some(place) => Ok(place),
                None => bail!("a world named {name} is up already"),
            };
        }
        for number in 1..=UNNAMED {
            let name = match number {
                1 => DEFAULT.to_owned(),
                number => format!("{DEFAULT}-{number}"),
            };
            if let Some(place) = Place::try_claim(&root, &name)? {
                return Ok(place);
            }
        }
        bail!("{UNNAMED} worlds are up already")
    }

    fn try_claim(root: &Path, name: &str) -> Result<Option<Place>> {
        let folder = root.join(name);
        let context = || format!("folder {}", folder.display());
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .with_context(context)?;
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(folder.join("lock"))
            .with_context(context)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error).with_context(context),
        }
        let place = Place {
            name: name.to_owned(),
            folder,
            _lock: lock,
        };
        place.clear();
        Ok(Some(place))
    }

    /// The world's name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Where the file for shells is.
    pub(super) fn env_file(&self) -> PathBuf {
        self.folder.join("env.sh")
    }

    /// Listens for commands.
    ///
    /// # Errors
    /// The socket cannot be made: its path may be too long.
    pub(super) fn listen(&self) -> Result<UnixListener> {
        let path = socket(&self.folder);
        let context = || format!("socket {}", path.display());
        let listener = UnixListener::bind(&path).with_context(context)?;
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).with_context(context)?;
        Ok(listener)
    }

    /// Removes what a world leaves; files that are not there are fine.
    fn clear(&self) {
        drop(std::fs::remove_file(socket(&self.folder)));
        drop(std::fs::remove_file(self.env_file()));
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.clear();
    }
}

/// The socket of the world of this name, or of the only one that is up.
///
/// # Errors
/// There is none, or there are several and no name is given.
pub(super) fn find(name: Option<&str>) -> Result<PathBuf> {
    let root = root()?;
    let mut up = names(&root);
    up.retain(|name| UnixStream::connect(socket(&root.join(name))).is_ok());
    match (name, up.as_slice()) {
        (_, []) => bail!("no world is up: `cargo regtest up` or `cargo regtest liquid` starts one"),
        (Some(name), up) if up.iter().any(|known| known == name) => Ok(socket(&root.join(name))),
        (Some(name), up) => bail!("no world named {name} is up, but {}", up.join(", ")),
        (None, [only]) => Ok(socket(&root.join(only))),
        (None, up) => bail!("{} worlds are up: say which with --world: {}", up.len(), up.join(", ")),
    }
}

fn names(root: &Path) -> Vec<String> {
    // No folder: no world was ever up.
    let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

fn socket(folder: &Path) -> PathBuf {
    folder.join("control.sock")
}

/// Private to the user: the runtime folder of the login, or the cache.
fn root() -> Result<PathBuf> {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let runtime = set("XDG_RUNTIME_DIR").filter(|folder| folder.is_dir());
    let folder = runtime
        .or_else(|| set("XDG_CACHE_HOME"))
        .or_else(|| set("HOME").map(|home| home.join(".cache")));
    let folder = folder.context("no folder for worlds: none of XDG_RUNTIME_DIR, XDG_CACHE_HOME and HOME is set")?;
    Ok(folder.join("sluice-regtest"))
}

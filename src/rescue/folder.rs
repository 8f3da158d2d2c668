//! A folder of rescue files: each appears whole and on disk, or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rand::RngCore;
use rand::rngs::OsRng;

use crate::units::SwapId;

const ENDING: &str = ".rescue";
const DRAFT: &str = ".draft";

/// Where rescue files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    path: PathBuf,
    make: bool,
}

impl Folder {
    /// A folder of our own, which is made where it is missing.
    #[must_use]
    pub fn own(path: PathBuf) -> Folder {
        Folder { path, make: true }
    }

    /// Somebody else's, which is never made: what is missing is a disk that is not mounted, and a folder in its place
    /// would be no second copy.
    #[must_use]
    pub fn given(path: PathBuf) -> Folder {
        Folder { path, make: false }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file of a swap.
    #[must_use]
    pub fn file(&self, swap: SwapId) -> PathBuf {
        self.path.join(format!("{swap}{ENDING}"))
    }

    /// Puts a swap's file there, in place of an older one. On Ok it is on the disk.
    ///
    /// # Errors
    /// What the system says; the older file stays.
    pub fn write(&self, swap: SwapId, text: &str) -> io::Result<()> {
        let draft = self.draft(text)?;
        if let Err(error) = fs::rename(&draft, self.file(swap)) {
            let _ = fs::remove_file(&draft);
            return Err(error);
        }
        self.sync()
    }

    /// Tries whether a file could be put there.
    ///
    /// # Errors
    /// What the system says.
    pub fn probe(&self) -> io::Result<()> {
        fs::remove_file(self.draft("")?)
    }

    /// The text of a swap's file; None if there is none.
    ///
    /// # Errors
    /// What the system says.
    pub fn read(&self, swap: SwapId) -> io::Result<Option<String>> {
        match fs::read_to_string(self.file(swap)) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Takes a swap's file away; there may be none.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove(&self, swap: SwapId) -> io::Result<()> {
        match fs::remove_file(self.file(swap)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// The swaps that have a file. Drafts of a crash are taken away on the way, so nobody may write meanwhile.
    ///
    /// # Errors
    /// What the system says.
    pub fn swaps(&self) -> io::Result<Vec<SwapId>> {
        let entries = match fs::read_dir(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let name = entry?.file_name();
            let name = name.to_string_lossy();
            if name.starts_with('.') && name.ends_with(DRAFT) {
                let _ = fs::remove_file(self.path.join(&*name));
            }
            found.extend(name.strip_suffix(ENDING).and_then(|id| id.parse::<SwapId>().ok()));
        }
        Ok(found)
    }

    /// A new file with that text, on the disk under a name that nothing looks for.
    fn draft(&self, text: &str) -> io::Result<PathBuf> {
        if self.make {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.path)?;
        }
        let path = self.path.join(format!(".{:016x}{DRAFT}", OsRng.next_u64()));
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
        if let Err(error) = written {
            // a full disk must not be filled further
            let _ = fs::remove_file(&path);
            return Err(error);
        }
        Ok(path)
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

//! What passes between the harness and a daemon under the knife: two files in a folder beside the daemon's data.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::boundary::{Act, Boundary};

/// When a daemon dies, by SIGKILL from its own hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Death {
    /// At a boundary.
    At(Boundary),
    /// At the how-manieth boundary that it passes, whatever that is, from 1.
    Nth(u32),
}

/// What a disk refuses with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// No space is left (ENOSPC).
    Full,
    /// It has become read-only (EROFS).
    ReadOnly,
}

impl Refusal {
    /// The system's error.
    #[must_use]
    pub fn error(self) -> io::Error {
        io::Error::from(match self {
            Refusal::Full => io::ErrorKind::StorageFull,
            Refusal::ReadOnly => io::ErrorKind::ReadOnlyFilesystem,
        })
    }
}

/// How the disk under the database behaves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disk {
    /// What was written outlives the process, as with any crash of a process.
    #[default]
    Sound,
    /// What was not synced is lost with the process, as with a power cut.
    Volatile,
    /// Everything that changes it fails from a boundary on, which is the start of a write or of a sync.
    Refuses {
        /// From where on.
        from: Boundary,
        /// With what.
        with: Refusal,
    },
}

/// What a daemon is to do. It looks at each boundary whether there are new orders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orders {
    /// With another number, boundaries are counted anew.
    pub epoch: u64,
    /// What boundaries are called from now on.
    pub act: Act,
    /// When to die; None: not at all.
    pub death: Option<Death>,
    /// How the disk behaves.
    pub disk: Disk,
    /// How far the daemon's clock is ahead of the system's, in seconds.
    pub ahead_secs: u64,
}

impl Orders {
    /// To live on.
    #[must_use]
    pub fn live(epoch: u64, act: Act) -> Orders {
        Orders {
            epoch,
            act,
            death: None,
            disk: Disk::Sound,
            ahead_secs: 0,
        }
    }

    pub(super) fn read(desk: &Desk) -> Result<Orders> {
        let text = fs::read(desk.orders()).with_context(|| desk.orders().display().to_string())?;
        serde_json::from_slice(&text).with_context(|| desk.orders().display().to_string())
    }
}

/// What became of a boundary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The count that it belongs to.
    pub epoch: u64,
    /// Which.
    pub boundary: Boundary,
    /// Whether the daemon died, or the disk failed, there.
    pub struck: bool,
}

/// The folder that both sides know.
#[derive(Debug, Clone)]
pub struct Desk {
    folder: PathBuf,
}

impl Desk {
    /// Beside a daemon's data folder.
    #[must_use]
    pub fn beside(data_dir: &Path) -> Desk {
        Desk {
            folder: data_dir.with_file_name("knife"),
        }
    }

    fn orders(&self) -> PathBuf {
        self.folder.join("orders.json")
    }

    pub(super) fn record(&self) -> PathBuf {
        self.folder.join("passed.jsonl")
    }

    /// Gives new orders: whoever reads sees the old ones or these.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn give(&self, orders: &Orders) -> Result<()> {
        fs::create_dir_all(&self.folder)?;
        let draft = self.folder.join("orders.draft");
        fs::write(&draft, serde_json::to_vec(orders)?)?;
        fs::rename(&draft, self.orders()).with_context(|| self.orders().display().to_string())
    }

    /// Every boundary that was passed in a count, in order.
    ///
    /// # Errors
    /// If the record is not what the daemon writes.
    pub fn passed(&self, epoch: u64) -> Result<Vec<Entry>> {
        let entries = self.entries()?.into_iter();
        Ok(entries.filter(|entry| entry.epoch == epoch).collect())
    }

    /// How often the daemon died, or its disk failed, since the record was emptied.
    ///
    /// # Errors
    /// As [`Desk::passed`].
    pub fn strokes(&self) -> Result<usize> {
        Ok(self.entries()?.iter().filter(|entry| entry.struck).count())
    }

    fn entries(&self) -> Result<Vec<Entry>> {
        let text = match fs::read_to_string(self.record()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            text => text?,
        };
        // a daemon that is killed from outside may leave half a line
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let entries = whole.lines().map(serde_json::from_str::<Entry>);
        Ok(entries.collect::<Result<_, _>>()?)
    }

    /// Forgets what was passed.
    ///
    /// # Errors
    /// If the record cannot be emptied.
    pub fn clear(&self) -> Result<()> {
        match fs::File::create(self.record()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            Ok(_) | Err(_) => Ok(()),
        }
    }
}

//! The disk under the database: it may lose what was not synced, and it may refuse.

use std::io;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

use super::{DiskOrders, Knife, SYNC, WRITE};

/// The database's file behind the knife.
#[derive(Debug)]
pub(super) struct Disk {
    file: FileBackend,
    knife: Arc<Knife>,
    /// What is written and not synced, while power cuts are played; None: everything is in the file.
    held: Mutex<Option<Held>>,
}

#[derive(Debug)]
struct Held {
    /// The file as the database sees it.
    image: Vec<u8>,
    /// What the file has not, in order.
    changes: Vec<Change>,
}

#[derive(Debug)]
enum Change {
    Bytes { at: u64, bytes: Vec<u8> },
    Len(u64),
}

impl Disk {
    pub(super) fn new(file: FileBackend, knife: Arc<Knife>) -> Disk {
        Disk {
            file,
            knife,
            held: Mutex::new(None),
        }
    }

    fn held(&self) -> MutexGuard<'_, Option<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: Change) -> io::Result<()> {
        // a boundary for a disk that fails; a daemon that dies between two writes dies before the next sync
        drop(self.knife.always(WRITE));
        self.knife.disk_works()?;
        let mut held = self.held();
        if self.knife.disk() != DiskOrders::Volatile {
            self.put(&mut held)?;
            return self.apply(&change);
        }
        let held = match &mut *held {
            Some(held) => held,
            none => none.insert(Held {
                image: self.image()?,
                changes: Vec::new(),
            }),
        };
        held.take(change)
    }

    fn image(&self) -> io::Result<Vec<u8>> {
        let mut image = vec![0; index(self.file.len()?)?];
        self.file.read(0, &mut image)?;
        Ok(image)
    }

    fn apply(&self, change: &Change) -> io::Result<()> {
        match change {
            Change::Bytes { at, bytes } => self.file.write(*at, bytes),
            Change::Len(len) => self.file.set_len(*len),
        }
    }

    /// Puts into the file what was held back.
    fn put(&self, held: &mut Option<Held>) -> io::Result<()> {
        let changes = held.take().map(|held| held.changes);
        changes.iter().flatten().try_for_each(|change| self.apply(change))
    }
}

fn index(offset: u64) -> io::Result<usize> {
    offset.try_into().map_err(io::Error::other)
}

impl Held {
    fn take(&mut self, change: Change) -> io::Result<()> {
        match &change {
            Change::Bytes { at, bytes } => {
                let at = index(*at)?;
                self.image[at..at + bytes.len()].copy_from_slice(bytes);
            }
            Change::Len(len) => self.image.resize(index(*len)?, 0),
        }
        self.changes.push(change);
        Ok(())
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        match &*self.held() {
            Some(held) => Ok(held.image.len() as u64),
            None => self.file.len(),
        }
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        match &*self.held() {
            Some(held) => {
                let at = index(offset)?;
                let bytes = held.image.get(at..at + out.len());
                out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
                Ok(())
            }
            None => self.file.read(offset, out),
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(Change::Len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        let passage = self.knife.always(SYNC);
        self.knife.disk_works()?;
        self.put(&mut self.held())?;
        self.file.sync_data()?;
        passage.done();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.change(Change::Bytes {
            at: offset,
            bytes: data.to_vec(),
        })
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}

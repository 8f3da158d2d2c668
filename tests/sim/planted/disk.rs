//! Mistakes of a disk, or of the driver under the database.

use std::io;

use redb::StorageBackend;

use super::{Mistake, Mistaken};
use crate::disk::Mounted;

/// The syncs that are lost: a commit has two.
const LOST: usize = 6;

/// The disk as a new life of the daemon finds it.
pub fn begun(disk: Mistaken<Mounted>) -> Mistaken<Mounted> {
    let before = disk.planted.images.lock().unwrap().front().cloned();
    if let Some(before) = before {
        // A disk that is full or without power stays as it is.
        drop(disk.restore(&before));
    }
    disk
}

impl Mistaken<Mounted> {
    fn restore(&self, image: &[u8]) -> io::Result<()> {
        self.port.set_len(image.len() as u64)?;
        self.port.write(0, image)?;
        self.port.sync_data()
    }

    fn image(&self) -> io::Result<Vec<u8>> {
        let mut image = vec![0; usize::try_from(self.port.len()?).unwrap()];
        self.port.read(0, &mut image)?;
        Ok(image)
    }
}

impl std::fmt::Debug for Mistaken<Mounted> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} on {:?}", self.planted.mistake, self.port)
    }
}

impl StorageBackend for Mistaken<Mounted> {
    fn len(&self) -> io::Result<u64> {
        self.port.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.port.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.port.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.has(Mistake::SyncsNothing) {
            return Ok(());
        }
        self.port.sync_data()?;
        if self.has(Mistake::LosesLastCommits) {
            let image = self.image()?;
            let mut images = self.planted.images.lock().unwrap();
            images.push_back(image);
            if images.len() > LOST + 1 {
                images.pop_front();
            }
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.port.write(offset, data)
    }
}

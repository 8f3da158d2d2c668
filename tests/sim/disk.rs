//! The disk under a daemon's database: what was not synced may be gone after a power cut, and it may be full.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use redb::StorageBackend;

use crate::port::Life;

/// What the disk writes as a whole.
const SECTOR: usize = 512;

pub struct Disk {
    inner: Mutex<Inner>,
}

struct Inner {
    rng: StdRng,
    /// What a power cut leaves.
    durable: Vec<u8>,
    /// What the operating system shows.
    current: Vec<u8>,
    /// What was written since the last sync, in order.
    unsynced: Vec<Write>,
    /// Whoever mounted it before the last one has nothing to say any more.
    mount: u64,
    /// After so many operations the power goes.
    power_for: Option<u32>,
    full: bool,
}

enum Write {
    Bytes { at: usize, bytes: Vec<u8> },
    Len(usize),
}

fn apply(image: &mut Vec<u8>, write: &Write) {
    match write {
        Write::Bytes { at, bytes } => image[*at..at + bytes.len()].copy_from_slice(bytes),
        Write::Len(len) => image.resize(*len, 0),
    }
}

impl Disk {
    pub fn new(seed: u64) -> Arc<Disk> {
        let inner = Inner {
            rng: StdRng::seed_from_u64(seed),
            durable: Vec::new(),
            current: Vec::new(),
            unsynced: Vec::new(),
            mount: 0,
            power_for: None,
            full: false,
        };
        Arc::new(Disk {
            inner: Mutex::new(inner),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    /// For one life of the daemon. A process that dies leaves to the next one what it wrote, synced or not.
    pub fn mount(self: &Arc<Disk>, life: Arc<Life>) -> Mounted {
        let mut inner = self.lock();
        inner.mount += 1;
        inner.power_for = None;
        Mounted {
            disk: self.clone(),
            life,
            mount: inner.mount,
        }
    }

    /// The power goes at one of the next operations.
    pub fn cut_soon(&self) {
        let mut inner = self.lock();
        let operations = inner.rng.gen_range(0..60);
        inner.power_for = Some(operations);
    }

    pub fn fill(&self, full: bool) {
        self.lock().full = full;
    }

    /// Whether all that was written would survive a power cut. The file's length may lag: redb cuts off what is free
    /// after a commit.
    pub fn is_durable(&self) -> bool {
        let inner = self.lock();
        inner.unsynced.iter().all(|write| matches!(write, Write::Len(_)))
    }
}

impl Inner {
    /// A part of what was not synced has reached the disk, the last of it not whole.
    fn lose_power(&mut self) {
        let survive = self.rng.gen_range(0..=self.unsynced.len());
        let mut unsynced = std::mem::take(&mut self.unsynced);
        let torn = unsynced.get_mut(survive).and_then(|write| match write {
            Write::Bytes { bytes, .. } => Some(bytes),
            Write::Len(_) => None,
        });
        let mut whole = survive;
        if let Some(bytes) = torn {
            let sectors = self.rng.gen_range(0..=bytes.len() / SECTOR);
            bytes.truncate(sectors * SECTOR);
            whole += 1;
        }
        for write in &unsynced[..whole] {
            apply(&mut self.durable, write);
        }
        self.current = self.durable.clone();
        self.mount += 1;
    }
}

/// A disk as one life of the daemon has it.
pub struct Mounted {
    disk: Arc<Disk>,
    life: Arc<Life>,
    mount: u64,
}

impl std::fmt::Debug for Mounted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mounted({})", self.mount)
    }
}

impl Mounted {
    fn inner(&self) -> io::Result<MutexGuard<'_, Inner>> {
        let inner = self.disk.lock();
        if inner.mount == self.mount {
            Ok(inner)
        } else {
            Err(io::Error::other("the disk is gone"))
        }
    }

    /// An operation that changes the disk, unless the power goes just now.
    fn powered(&self) -> io::Result<MutexGuard<'_, Inner>> {
        let mut inner = self.inner()?;
        match inner.power_for {
            Some(0) => {
                inner.lose_power();
                self.life.end();
                Err(io::Error::other("the power is gone"))
            }
            Some(more) => {
                inner.power_for = Some(more - 1);
                Ok(inner)
            }
            None => Ok(inner),
        }
    }

    fn change(&self, write: Write) -> io::Result<()> {
        let mut inner = self.powered()?;
        if inner.full {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        apply(&mut inner.current, &write);
        inner.unsynced.push(write);
        Ok(())
    }
}

impl StorageBackend for Mounted {
    fn len(&self) -> io::Result<u64> {
        Ok(self.inner()?.current.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let inner = self.inner()?;
        let at = offset as usize;
        let bytes = inner.current.get(at..at + out.len());
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(Write::Len(len as usize))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut inner = self.powered()?;
        let Inner { durable, unsynced, .. } = &mut *inner;
        for write in unsynced.drain(..) {
            apply(durable, &write);
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.change(Write::Bytes {
            at: offset as usize,
            bytes: data.to_vec(),
        })
    }
}

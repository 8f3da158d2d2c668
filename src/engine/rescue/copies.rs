//! The second folder, which may be away, slow, or never answer: one thread keeps it, and nothing waits for that thread.
//!
//! ```text
//!  a file is written ──► its newest version ─┐
//!  a swap is over ─────► no file any more ───┴─► Desk ──► thread ──► second folder
//!                              problem() ◄────────┘
//! ```
//!
//! A thread of its own and not one of the runtime's, because a call into a mount that hangs may not return for days:
//! what signs claims and calls bitcoind has few threads, and loses none here.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tracing::{info, warn};

use super::{TRY, TRY_AGAIN};
use crate::ports::Clock;
use crate::rescue::Folder;
use crate::units::{SwapId, Timestamp};

/// A folder that takes longer for one call does not answer: a file has a few kilobytes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A folder as the thread sees it. Each call may take for ever.
pub(super) trait SecondFolder: Send + 'static {
    fn path(&self) -> &Path;
    fn write(&self, swap: SwapId, text: &str) -> io::Result<()>;
    fn remove(&self, swap: SwapId) -> io::Result<()>;
    fn probe(&self) -> io::Result<()>;
    fn swaps(&self) -> io::Result<Vec<SwapId>>;
}

impl SecondFolder for Folder {
    fn path(&self) -> &Path {
        Folder::path(self)
    }

    fn write(&self, swap: SwapId, text: &str) -> io::Result<()> {
        Folder::write(self, swap, text)
    }

    fn remove(&self, swap: SwapId) -> io::Result<()> {
        Folder::remove(self, swap)
    }

    fn probe(&self) -> io::Result<()> {
        Folder::probe(self)
    }

    fn swaps(&self) -> io::Result<Vec<SwapId>> {
        Folder::swaps(self)
    }
}

/// What the folder is to hold of a swap.
#[derive(Debug, Clone)]
enum Wanted {
    File(Arc<str>),
    Nothing,
}

/// What the engine leaves for the thread, and the thread for the engine. Holds something of the swaps that run, and of
/// those that ran when the folder last worked: however long it does not, it grows no further.
#[derive(Default)]
struct Desk {
    /// What is still to be done, in its newest version.
    waiting: BTreeMap<SwapId, Wanted>,
    /// Swaps of which the folder may hold a file.
    there: BTreeSet<SwapId>,
    /// When the call began that is under way.
    calling: Option<Timestamp>,
    /// What went wrong in the latest round.
    failure: Option<String>,
}

fn locked(desk: &Mutex<Desk>) -> MutexGuard<'_, Desk> {
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The engine's side of the desk. Once it is dropped the thread ends, as soon as the folder lets it.
pub(super) struct Copies {
    path: String,
    desk: Arc<Mutex<Desk>>,
    bell: SyncSender<()>,
    clock: Arc<dyn Clock>,
}

impl Copies {
    /// Begins to keep a folder. Files of swaps that `is_over` tells of are taken away first: they ended while that was
    /// not possible.
    pub(super) fn begin(
        folder: impl SecondFolder,
        clock: Arc<dyn Clock>,
        is_over: impl Fn(SwapId) -> bool + Send + 'static,
    ) -> Copies {
        let path = folder.path().display().to_string();
        let desk = Arc::<Mutex<Desk>>::default();
        let (bell, rung) = sync_channel(1);
        let copier = Copier {
            folder,
            is_over,
            path: path.clone(),
            desk: desk.clone(),
            clock: clock.clone(),
        };
        let thread = thread::Builder::new().name("rescue-copies".into());
        let begun = thread.spawn(move || copier.work(&rung));
        begun.expect("the system gives the daemon its threads");
        Copies {
            path,
            desk,
            bell,
            clock,
        }
    }

    /// Has a swap's file copied, in place of what waits of that swap.
    pub(super) fn keep(&self, swap: SwapId, text: Arc<str>) {
        locked(&self.desk).waiting.insert(swap, Wanted::File(text));
        self.ring();
    }

    /// Has a swap's copy taken away, if there may be one.
    pub(super) fn remove(&self, swap: SwapId) {
        {
            let mut desk = locked(&self.desk);
            desk.waiting.remove(&swap);
            if !desk.there.contains(&swap) {
                return;
            }
            desk.waiting.insert(swap, Wanted::Nothing);
        }
        self.ring();
    }

    /// Why files are not copied now.
    pub(super) fn problem(&self) -> Option<String> {
        let (now, path) = (self.clock.now(), &self.path);
        let desk = locked(&self.desk);
        match desk.calling.filter(|began| now.since(*began) >= PATIENCE) {
            Some(began) => Some(format!("{path}: it has not answered since {began}")),
            None => desk.failure.clone(),
        }
    }

    /// Tells the log when a problem comes and when it goes.
    pub(super) async fn tell(&self) {
        let mut told = None;
        loop {
            let problem = self.problem();
            match &problem {
                Some(reason) if problem != told => warn!(
                    reason,
                    "rescue files cannot be copied to the second folder; the daemon's own are written"
                ),
                None if told.is_some() => info!("rescue files are copied again"),
                Some(_) | None => {}
            }
            told = problem;
            tokio::time::sleep(TRY_AGAIN).await;
        }
    }

    fn ring(&self) {
        // Full: it has been rung, and the thread will look.
        let _ = self.bell.try_send(());
    }
}

/// The thread's side.
struct Copier<F, O> {
    folder: F,
    is_over: O,
    path: String,
    desk: Arc<Mutex<Desk>>,
    clock: Arc<dyn Clock>,
}

impl<F: SecondFolder, O: Fn(SwapId) -> bool> Copier<F, O> {
    fn work(self, rung: &Receiver<()>) {
        let (mut trial, mut swept) = (true, false);
        loop {
            let done = self.round(trial, &mut swept);
            trial = done.is_err();
            locked(&self.desk).failure = done.err().map(|error| format!("{}: {error}", self.path));
            match rung.recv_timeout(if trial { TRY_AGAIN } else { TRY }) {
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout) => trial = true,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Does what waits. A folder that may not work is tried first, with nothing that the desk would have to remember.
    fn round(&self, trial: bool, swept: &mut bool) -> io::Result<()> {
        if trial {
            self.call(F::probe)?;
        }
        if !*swept {
            self.sweep()?;
            *swept = true;
        }
        let waiting: Vec<SwapId> = locked(&self.desk).waiting.keys().copied().collect();
        // One file that cannot be written keeps no other from it.
        let mut done = Ok(());
        for swap in waiting {
            done = done.and(self.serve(swap));
        }
        done
    }

    /// Brings one swap's copy up to date.
    fn serve(&self, swap: SwapId) -> io::Result<()> {
        let wanted = {
            let mut desk = locked(&self.desk);
            let Some(wanted) = desk.waiting.remove(&swap) else {
                return Ok(());
            };
            desk.there.insert(swap);
            wanted
        };
        let done = match &wanted {
            Wanted::File(text) => self.call(|folder| folder.write(swap, text)),
            Wanted::Nothing => self.call(|folder| folder.remove(swap)),
        };
        let mut desk = locked(&self.desk);
        match (&done, &wanted) {
            (Ok(()), Wanted::File(_)) => {}
            (Ok(()), Wanted::Nothing) => {
                desk.there.remove(&swap);
            }
            (Err(_), Wanted::File(_) | Wanted::Nothing) => {
                desk.waiting.entry(swap).or_insert(wanted);
            }
        }
        done
    }

    fn sweep(&self) -> io::Result<()> {
        for swap in self.call(F::swaps)? {
            if (self.is_over)(swap) {
                self.call(|folder| folder.remove(swap))?;
            }
        }
        Ok(())
    }

    fn call<T>(&self, work: impl FnOnce(&F) -> io::Result<T>) -> io::Result<T> {
        locked(&self.desk).calling = Some(self.clock.now());
        let done = work(&self.folder);
        locked(&self.desk).calling = None;
        done
    }
}

#[cfg(test)]
mod tests;

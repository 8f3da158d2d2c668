//! The daemon of `sluiced`, with a knife at every boundary between it and the world.
//!
//! ```text
//! engine ─► Watched<dyn Chain | Wallet | LightningNode | PeerMessenger> ─► the adapter
//! store  ─► Disk ─────────────────────────────────────────────────────────► the file
//!              └── before and after: Knife::pass, which may not return
//! ```
//!
//! What is repeated at leisure, such as the same message every ten seconds, is a boundary once in each life: the second
//! time the disk and the world are as they were at the first.

mod boundary;
mod clock;
mod disk;
mod orders;
mod ports;

use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use redb::backends::FileBackend;
use rustix::process::{Signal, getpid, kill_process};
use sluice::daemon::{self, Seams};
use sluice::engine::Pace;
use sluice::ports::{Chain, Clock, LightningNode, PeerMessenger, Wallet};

pub use boundary::{Act, Boundary, NoBoundary, Phase};
pub use orders::{Death, Desk, Disk as DiskOrders, Entry, Orders, Refusal};

/// The effect of changing the database's file.
pub const WRITE: &str = "write";
/// The effect of making sure that what was written survives a power cut.
pub const SYNC: &str = "sync";

/// Runs the daemon under the knife: as `sluiced`, with orders beside its data folder.
#[must_use]
pub fn run(args: daemon::Args) -> ExitCode {
    let data_dir = args.data_dir.as_deref().unwrap_or_default();
    match Knife::take(&Desk::beside(Path::new(data_dir))) {
        Ok(knife) => daemon::main(args, &Sharp(Arc::new(knife))),
        Err(error) => {
            eprintln!("sluiced under the knife: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Counts boundaries, writes them down, and kills at the one that was ordered.
#[derive(Debug)]
pub(crate) struct Knife {
    desk: Desk,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    record: File,
    orders: Orders,
    counts: HashMap<String, u32>,
    /// What would be the same boundary again.
    seen: HashSet<(String, u64)>,
    passed: u32,
    /// The disk refuses from now on.
    refusing: bool,
}

/// An effect between its two boundaries.
pub(crate) struct Passage<'a> {
    knife: &'a Knife,
    /// None: it was a boundary before.
    place: Option<Place>,
}

struct Place {
    epoch: u64,
    effect: String,
    ordinal: u32,
}

impl Knife {
    fn take(desk: &Desk) -> Result<Knife> {
        let orders = Orders::read(desk)?;
        let record = OpenOptions::new().create(true).append(true).open(desk.record());
        Ok(Knife {
            desk: desk.clone(),
            state: Mutex::new(State {
                record: record.context("the record of boundaries")?,
                orders,
                counts: HashMap::new(),
                seen: HashSet::new(),
                passed: 0,
                refusing: false,
            }),
        })
    }

    /// The state under the orders that hold now.
    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let orders = Orders::read(&self.desk).expect("the harness keeps whole orders there");
        if orders.epoch != state.orders.epoch {
            state.counts.clear();
            state.seen.clear();
            state.passed = 0;
            state.refusing = false;
        }
        state.orders = orders;
        state
    }

    /// How far the clock is ahead, in seconds.
    fn ahead_secs(&self) -> u64 {
        self.state().orders.ahead_secs
    }

    fn disk(&self) -> DiskOrders {
        self.state().orders.disk.clone()
    }

    /// An effect that begins now. `what`: another effect of the same kind is the same if this is.
    fn begin(&self, effect: &str, what: impl Hash) -> Passage<'_> {
        let mut hasher = DefaultHasher::new();
        what.hash(&mut hasher);
        let key = (effect.to_owned(), hasher.finish());
        let is_new = self.state().seen.insert(key);
        if is_new { self.always(effect) } else { self.unnoticed() }
    }

    /// An effect that is another one each time.
    fn always(&self, effect: &str) -> Passage<'_> {
        let place = {
            let mut state = self.state();
            let count = state.counts.entry(effect.to_owned()).or_default();
            *count += 1;
            let ordinal = *count;
            Place {
                epoch: state.orders.epoch,
                effect: effect.to_owned(),
                ordinal,
            }
        };
        self.pass(&place, Phase::Before);
        let place = Some(place);
        Passage { knife: self, place }
    }

    fn unnoticed(&self) -> Passage<'_> {
        Passage {
            knife: self,
            place: None,
        }
    }

    /// Writes the boundary down, and does not return if it is the daemon's last.
    fn pass(&self, place: &Place, phase: Phase) {
        let mut state = self.state();
        if place.epoch != state.orders.epoch {
            return;
        }
        state.passed += u32::from(place.effect != WRITE);
        let boundary = Boundary {
            act: state.orders.act,
            effect: place.effect.clone(),
            ordinal: place.ordinal,
            phase,
        };
        let dies = match &state.orders.death {
            Some(Death::At(last)) => *last == boundary,
            Some(Death::Nth(nth)) => *nth == state.passed && place.effect != WRITE,
            None => false,
        };
        let refuses = matches!(&state.orders.disk, DiskOrders::Refuses { from, .. } if *from == boundary);
        state.refusing |= refuses;
        let entry = Entry {
            epoch: place.epoch,
            boundary,
            struck: dies || refuses,
        };
        let mut line = serde_json::to_vec(&entry).expect("a boundary is plain text");
        line.push(b'\n');
        state
            .record
            .write_all(&line)
            .expect("the record of boundaries is writable");
        if dies {
            die();
        }
    }

    /// Fails once the disk refuses.
    fn disk_works(&self) -> io::Result<()> {
        let state = self.state();
        match &state.orders.disk {
            DiskOrders::Refuses { with, .. } if state.refusing => Err(with.error()),
            _ => Ok(()),
        }
    }
}

impl Passage<'_> {
    /// The effect is done.
    fn done(self) {
        if let Some(place) = &self.place {
            self.knife.pass(place, Phase::After);
        }
    }
}

/// Ends this process as `kill -9` does, here: the kernel delivers the signal before the call returns to this thread,
/// and the lock that is held keeps every other thread from passing a boundary. `abort` would write a core, and let the
/// parent see another signal.
fn die() -> ! {
    let _ = kill_process(getpid(), Signal::KILL);
    unreachable!("SIGKILL cannot be refused")
}

/// The seams, with a knife in each.
struct Sharp(Arc<Knife>);

impl Seams for Sharp {
    type Storage = disk::Disk;

    fn storage(&self, file: FileBackend) -> disk::Disk {
        disk::Disk::new(file, self.0.clone())
    }

    fn chain(&self, chain: Arc<dyn Chain>) -> Arc<dyn Chain> {
        Arc::new(ports::Watched::new(chain, self.0.clone()))
    }

    fn wallet(&self, wallet: Arc<dyn Wallet>) -> Arc<dyn Wallet> {
        Arc::new(ports::Watched::new(wallet, self.0.clone()))
    }

    fn node(&self, node: Arc<dyn LightningNode>) -> Arc<dyn LightningNode> {
        Arc::new(ports::Watched::new(node, self.0.clone()))
    }

    fn messenger(&self, messenger: Arc<dyn PeerMessenger>) -> Arc<dyn PeerMessenger> {
        Arc::new(ports::Watched::new(messenger, self.0.clone()))
    }

    fn clock(&self, clock: Arc<dyn Clock>) -> Arc<dyn Clock> {
        Arc::new(clock::Ahead::new(clock, self.0.clone()))
    }

    /// The nodes of this world never stand still.
    fn node_reads_within(&self, _: Duration) -> Duration {
        Duration::from_millis(300)
    }

    /// What a crash swallowed is said again soon: thousands of swaps wait for it.
    fn pace(&self, pace: Pace) -> Pace {
        Pace {
            retry_cap: Duration::from_millis(500),
            resend: Duration::from_millis(300),
            ask_again: Duration::from_millis(300),
            ..pace
        }
    }
}

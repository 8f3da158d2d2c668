//! The rescue file of each swap, kept beside its driver. Decision 0017 says what waits for it and what never does.
//!
//! ```text
//!  commit ──► swap ──► keep: Record ──► folder, copy ──► kept = true ──► publish the opening, pay the claim
//!                         └─ what needs time, such as a refund signed ahead, follows in a later version
//! ```

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tracing::{Instrument, debug, error, info, warn};

use super::aside::aside;
use super::{Engine, Shared};
use crate::keys::Seed;
use crate::rescue::{Folder, Key, Record, Signed, sign_refund};
use crate::swap::event::{SpendPath, TxKind};
use crate::swap::{Effect, Maker, Outcome, Role, State, Swap};
use crate::tx::FeeBasis;
use crate::units::{FeeRate, SwapId};

/// How often a folder that cannot be written to is tried again while no swap does.
const TRY_AGAIN: Duration = Duration::from_secs(15);
/// How often folders are tried that were all right.
const TRY: Duration = Duration::from_secs(300);
/// A refund that is signed ahead pays so many times the present rate: it may be needed a week later.
const RATE_AHEAD: u64 = 2;

/// Where rescue files are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RescueFolders {
    /// The daemon's own folder.
    pub own: PathBuf,
    /// A second one, which is not made if it is missing.
    pub copy: Option<PathBuf>,
}

/// What is wrong with the folders now; None: nothing.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct RescueHealth {
    /// Why files cannot be written to the daemon's own folder: no coins are put at stake meanwhile.
    pub own: Option<String>,
    /// Why they cannot be copied: nothing waits for that.
    pub copy: Option<String>,
}

/// What all swaps' files have in common.
pub(super) struct Rescue {
    key: Arc<Key>,
    folders: RescueFolders,
    health: Mutex<RescueHealth>,
}

/// One of the two folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Own,
    Copy,
}

impl Rescue {
    pub(super) fn new(folders: RescueFolders, seed: &Seed) -> Rescue {
        Rescue {
            key: Arc::new(Key::of(seed)),
            folders,
            health: Mutex::default(),
        }
    }

    pub(super) fn folders(&self) -> &RescueFolders {
        &self.folders
    }

    pub(super) fn health(&self) -> RescueHealth {
        self.locked().clone()
    }

    /// Why no new swap may begin: its coins could not be put at stake.
    pub(super) fn hindrance(&self) -> Option<String> {
        let problem = self.locked().own.clone()?;
        Some(format!("rescue files cannot be written: {problem}"))
    }

    fn locked(&self) -> MutexGuard<'_, RescueHealth> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn folder(&self, which: Which) -> Option<Folder> {
        match which {
            Which::Own => Some(Folder::own(self.folders.own.clone())),
            Which::Copy => self.folders.copy.clone().map(Folder::given),
        }
    }

    /// Works on a folder, off the threads that others wait for. None: there is no such folder.
    async fn on<T: Send + 'static>(
        &self,
        which: Which,
        work: impl FnOnce(&Folder) -> std::io::Result<T> + Send + 'static,
    ) -> Option<Result<T, String>> {
        let folder = self.folder(which)?;
        let path = folder.path().display().to_string();
        let done = aside(move || work(&folder)).await;
        let done = done.map_err(|error| error.to_string());
        Some(done.and_then(|done| done.map_err(|error| format!("{path}: {error}"))))
    }
}

impl Shared {
    /// Works on a folder and notes how that went, for the log, the operator and the peers.
    async fn on_rescue<T: Send + 'static>(
        &self,
        which: Which,
        work: impl FnOnce(&Folder) -> std::io::Result<T> + Send + 'static,
    ) -> Result<(), ()> {
        let Some(done) = self.rescue.on(which, work).await else {
            return Ok(());
        };
        let problem = done.err();
        let failed = problem.is_some();
        let before = {
            let mut health = self.rescue.locked();
            let place = match which {
                Which::Own => &mut health.own,
                Which::Copy => &mut health.copy,
            };
            std::mem::replace(place, problem.clone())
        };
        match (which, &before, &problem) {
            (Which::Own, _, Some(reason)) if before != problem => error!(
                reason,
                "ALARM: rescue files cannot be written; no new coins are put at stake until they can"
            ),
            (Which::Copy, _, Some(reason)) if before != problem => warn!(
                reason,
                "rescue files cannot be copied to the second folder; the daemon's own are written"
            ),
            (_, Some(_), None) => info!(folder = ?which, "rescue files can be written again"),
            (_, None, None) | (_, _, Some(_)) => {}
        }
        if which == Which::Own && before.is_some() != failed {
            // Peers must know at once whether they can swap with us.
            self.peers.poll_now();
        }
        if failed { Err(()) } else { Ok(()) }
    }
}

impl Engine {
    /// Where rescue files are kept, and what keeps them from being written.
    #[must_use]
    pub fn rescue(&self) -> (&RescueFolders, RescueHealth) {
        (self.shared.rescue.folders(), self.shared.rescue.health())
    }
}

/// Whether an effect is the first to publish an opening. With the call that pays a claim (`perform/lightning.rs`) it is
/// all that puts coins at stake; what brings them back never waits.
pub(super) fn is_first_publication(swap: &Swap, effect: &Effect) -> bool {
    let opening = matches!(
        effect,
        Effect::Broadcast {
            kind: TxKind::Opening,
            ..
        }
    );
    opening && matches!(swap.state, State::Maker(_, Maker::Publishing { .. }))
}

/// Begins to keep a swap's file. True, once a file that brings its coins back is on the disk.
pub(super) fn begin(shared: Arc<Shared>, swap: watch::Receiver<Arc<Swap>>) -> watch::Receiver<bool> {
    let (kept, told) = watch::channel(false);
    let keeper = Keeper {
        shared,
        swap,
        kept,
        own: None,
        copied: None,
        ahead: None,
    };
    tokio::spawn(keeper.keep().in_current_span());
    told
}

/// Keeps the file of one swap.
struct Keeper {
    shared: Arc<Shared>,
    swap: watch::Receiver<Arc<Swap>>,
    kept: watch::Sender<bool>,
    /// What the daemon's own folder holds.
    own: Option<Record>,
    /// What the second folder holds.
    copied: Option<Record>,
    /// The maker's refund, signed ahead.
    ahead: Option<Signed>,
}

impl Keeper {
    async fn keep(mut self) {
        self.recall().await;
        let mut pause = self.shared.pace.retry_first;
        loop {
            let swap = self.swap.borrow_and_update().clone();
            if let State::Closed(outcome) = &swap.state {
                return self.end(swap.id, outcome).await;
            }
            let written = self.write(&swap).await;
            let retry = match written {
                Ok(()) => TRY_AGAIN,
                Err(()) => pause,
            };
            pause = match written {
                Ok(()) => self.shared.pace.retry_first,
                Err(()) => pause.saturating_mul(2).min(self.shared.pace.retry_cap),
            };
            let behind = written.is_err() || self.copied != self.own;
            tokio::select! {
                changed = self.swap.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(retry), if behind => {}
            }
        }
    }

    /// Looks for what an earlier run of the daemon has left: a disk that is full by now must not stop a payment that may
    /// be under way.
    async fn recall(&mut self) {
        let (id, key) = (self.swap.borrow().id, self.shared.rescue.key.clone());
        let read = move |folder: &Folder| Ok(folder.read(id)?.and_then(|text| key.open(&text).ok()));
        if let Some(Ok(Some(record))) = self.shared.rescue.on(Which::Own, read).await {
            self.ahead = record
                .signed
                .iter()
                .find(|signed| signed.path == SpendPath::Csv)
                .cloned();
            self.own = Some(record);
        }
    }

    /// Brings both folders up to date with the committed swap.
    async fn write(&mut self, swap: &Swap) -> Result<(), ()> {
        let side = self.shared.side(swap.terms.asset).map(|side| side.info().chain);
        let chain = side.or_else(|| self.own.as_ref().map(|own| own.chain.clone()));
        let Some(mut record) = Record::of(swap, &chain.unwrap_or_default()) else {
            return Ok(());
        };
        if self.own.as_ref().is_some_and(|own| own.rescues(&record)) {
            self.kept.send_replace(true);
        }
        let may_refund = record.role == Role::Maker && !record.paid;
        if may_refund && record.signed.is_empty() {
            record.signed.extend(self.ahead.clone());
        }
        self.put(&record).await?;
        self.kept.send_replace(true);
        if may_refund && record.signed.is_empty() {
            self.ahead = self.refund(&record).await;
            record.signed.extend(self.ahead.clone());
            self.put(&record).await?;
        }
        Ok(())
    }

    async fn put(&mut self, record: &Record) -> Result<(), ()> {
        if self.own.as_ref() == Some(record) && self.copied.as_ref() == Some(record) {
            return Ok(());
        }
        let text: Arc<str> = self
            .shared
            .rescue
            .key
            .seal(record, &mut self.shared.entropy.rng())
            .into();
        let (id, copy) = (record.swap_id, text.clone());
        if self.own.as_ref() != Some(record) {
            self.shared
                .on_rescue(Which::Own, move |folder| folder.write(id, &text))
                .await?;
            self.own = Some(record.clone());
            debug!("the rescue file is written");
        }
        let copied = self
            .shared
            .on_rescue(Which::Copy, move |folder| folder.write(id, &copy));
        if copied.await.is_ok() {
            self.copied = Some(record.clone());
        }
        Ok(())
    }

    /// The refund, if it can be signed now; it is tried again at the next change.
    async fn refund(&self, record: &Record) -> Option<Signed> {
        let side = self.shared.side(record.asset)?;
        let rate = side.chain.fee_rate().await.ok()?;
        let basis = if side.info().discount {
            FeeBasis::Discounted
        } else {
            FeeBasis::Full
        };
        let (record, shared) = (record.clone(), self.shared.clone());
        let rate = FeeRate(rate.0.saturating_mul(RATE_AHEAD));
        let sign = move || sign_refund(&record, &shared.seed, (rate, basis), &mut shared.entropy.rng());
        let signed = aside(sign).await;
        match signed.ok()? {
            Ok(signed) => Some(signed),
            Err(reason) => {
                warn!(%reason, "the refund could not be signed ahead; the rescue file holds what it is made of");
                None
            }
        }
    }

    /// Nothing is at stake any more. What went wrong is kept for those who look into it.
    async fn end(self, id: SwapId, outcome: &Outcome) {
        if is_settled(outcome) {
            remove(&self.shared, id).await;
        }
    }
}

fn is_settled(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::ClaimPaid { .. }
        | Outcome::ClaimedByInvoice
        | Outcome::ClaimedByCoop
        | Outcome::ClaimedByCsv
        | Outcome::CoopClosed { .. }
        | Outcome::Canceled { .. } => true,
        Outcome::Lost { .. } => false,
    }
}

async fn remove(shared: &Shared, id: SwapId) {
    for which in [Which::Own, Which::Copy] {
        if let Some(Err(reason)) = shared.rescue.on(which, move |folder| folder.remove(id)).await {
            // The next start tries it again.
            warn!(
                reason,
                swap = id.short(),
                "the rescue file of a swap that is over stays for now"
            );
        }
    }
}

/// Takes away files of swaps that ended while that was not possible, and tries the folders for as long as the daemon
/// runs.
pub(super) async fn look_after(shared: Arc<Shared>) {
    for which in [Which::Own, Which::Copy] {
        let listed = shared.rescue.on(which, Folder::swaps).await;
        for id in listed.and_then(Result::ok).unwrap_or_default() {
            let ended = match shared.store.swap(id) {
                Ok(Some(swap)) => matches!(&swap.state, State::Closed(outcome) if is_settled(outcome)),
                // Another database's: its operator decides.
                Ok(None) | Err(_) => false,
            };
            if ended {
                remove(&shared, id).await;
            }
        }
    }
    loop {
        for which in [Which::Own, Which::Copy] {
            // What it finds is noted; there is nobody else to tell.
            let _ = shared.on_rescue(which, Folder::probe).await;
        }
        let well = shared.rescue.health() == RescueHealth::default();
        tokio::time::sleep(if well { TRY } else { TRY_AGAIN }).await;
    }
}

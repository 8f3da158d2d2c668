//! The rescue file of each swap, kept beside its driver. Decision 0017 says what waits for it and what never does.
//!
//! ```text
//!  commit ──► swap ──► keep: Record ──► own folder ──► kept = true ──► publish the opening, pay the claim
//!                         │                 └─► copies: the same text, for which nothing waits
//!                         └─ what needs time, such as a refund signed ahead, follows in a later version
//! ```

mod copies;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tracing::{Instrument, debug, error, info, warn};

use super::aside::aside;
use super::{Engine, Shared};
use crate::keys::Seed;
use crate::ports::Clock;
use crate::rescue::{Folder, Key, Record, Signed, sign_refund};
use crate::store::Store;
use crate::swap::event::{SpendPath, TxKind};
use crate::swap::{Effect, Maker, Outcome, Role, State, Swap};
use crate::tx::FeeBasis;
use crate::units::{FeeRate, SwapId};
use copies::Copies;

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

impl RescueFolders {
    /// Where a swap's file is, if it has one, in the daemon's own folder.
    #[must_use]
    pub fn file(&self, swap: SwapId) -> PathBuf {
        Folder::own(self.own.clone()).file(swap)
    }
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
    /// The swaps that had a file when the engine began.
    found: Vec<SwapId>,
    /// Why files cannot be written to the daemon's own folder.
    problem: Mutex<Option<String>>,
    copies: Option<Copies>,
}

impl Rescue {
    /// Begins to keep the second folder, if there is one. Its thread holds the store only while it looks something up: it
    /// may outlive the engine by as long as the folder does not answer.
    pub(super) fn new(folders: RescueFolders, seed: &Seed, clock: Arc<dyn Clock>, store: &Arc<Store>) -> Rescue {
        let copies = folders.copy.clone().map(|path| {
            let store = Arc::downgrade(store);
            let is_over = move |id| store.upgrade().is_some_and(|store| is_over(&store, id));
            Copies::begin(Folder::given(path), clock, is_over)
        });
        // This takes away drafts that a crash has left: later they would be those of swaps that run.
        let found = Folder::own(folders.own.clone()).swaps().unwrap_or_default();
        Rescue {
            key: Arc::new(Key::of(seed)),
            folders,
            found,
            problem: Mutex::default(),
            copies,
        }
    }

    pub(super) fn folders(&self) -> &RescueFolders {
        &self.folders
    }

    pub(super) fn health(&self) -> RescueHealth {
        RescueHealth {
            own: self.locked().clone(),
            copy: self.copies.as_ref().and_then(Copies::problem),
        }
    }

    /// Why no new swap may begin: its coins could not be put at stake.
    pub(super) fn hindrance(&self) -> Option<String> {
        let problem = self.locked().clone()?;
        Some(format!("rescue files cannot be written: {problem}"))
    }

    fn locked(&self) -> MutexGuard<'_, Option<String>> {
        self.problem.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works on the daemon's own folder, off the threads that others wait for.
    async fn on<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Folder) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, String> {
        let folder = Folder::own(self.folders.own.clone());
        let path = folder.path().display().to_string();
        let done = aside(move || work(&folder)).await;
        let done = done.map_err(|error| error.to_string());
        done.and_then(|done| done.map_err(|error| format!("{path}: {error}")))
    }

    /// Has what the daemon's own folder holds copied to the second one.
    fn copy(&self, id: SwapId, text: Arc<str>) {
        if let Some(copies) = &self.copies {
            copies.keep(id, text);
        }
    }
}

impl Shared {
    /// Works on the daemon's own folder and notes how that went, for the log, the operator and the peers.
    async fn on_rescue(&self, work: impl FnOnce(&Folder) -> std::io::Result<()> + Send + 'static) -> Result<(), ()> {
        let problem = self.rescue.on(work).await.err();
        let before = std::mem::replace(&mut *self.rescue.locked(), problem.clone());
        match (&before, &problem) {
            (_, Some(reason)) if before != problem => error!(
                reason,
                "ALARM: rescue files cannot be written; no new coins are put at stake until they can"
            ),
            (Some(_), None) => info!("rescue files can be written again"),
            (None, None) | (_, Some(_)) => {}
        }
        if before.is_some() != problem.is_some() {
            // Peers must know at once whether they can swap with us.
            self.peers.poll_now();
        }
        match problem {
            Some(_) => Err(()),
            None => Ok(()),
        }
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
        shared: shared.clone(),
        swap,
        kept,
        own: None,
        ahead: None,
    };
    // without it nothing is published or paid: a daemon whose keeper has died must not go on
    shared.run(keeper.keep().in_current_span());
    told
}

/// Keeps the file of one swap.
struct Keeper {
    shared: Arc<Shared>,
    swap: watch::Receiver<Arc<Swap>>,
    kept: watch::Sender<bool>,
    /// What the daemon's own folder holds.
    own: Option<Record>,
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
            let behind = self.write(&swap).await.is_err();
            let retry = pause;
            pause = if behind {
                pause.saturating_mul(2).min(self.shared.pace.retry_cap)
            } else {
                self.shared.pace.retry_first
            };
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
        let read = move |folder: &Folder| {
            let text = folder.read(id)?;
            Ok(text.and_then(|text| Some((key.open(&text).ok()?, text))))
        };
        if let Ok(Some((record, text))) = self.shared.rescue.on(read).await {
            self.shared.rescue.copy(id, text.into());
            self.ahead = record
                .signed
                .iter()
                .find(|signed| signed.path == SpendPath::Csv)
                .cloned();
            self.own = Some(record);
        }
    }

    /// Brings the file up to date with the committed swap. An error: it is to be tried again.
    async fn write(&mut self, swap: &Swap) -> Result<(), ()> {
        let side = self.shared.side(swap.terms.asset).map(|side| side.info().chain);
        let Some(chain) = side.or_else(|| self.own.as_ref().map(|own| own.chain.clone())) else {
            // its node has not answered since the start: which chain it is can be written down when it has
            return Err(());
        };
        let Some(mut record) = Record::of(swap, &chain) else {
            return Ok(());
        };
        if self.own.as_ref().is_some_and(|own| own.rescues(&record)) {
            self.kept.send_replace(true);
        } else {
            // the file of another opening, as after a return to an older database: its refund spends that one
            self.ahead = None;
        }
        let may_refund = record.role == Role::Maker && !record.paid;
        if may_refund && record.signed.is_empty() {
            record.signed.extend(self.ahead.clone());
        }
        self.put(&record).await?;
        self.kept.send_replace(true);
        if may_refund && record.signed.is_empty() {
            self.ahead = self.refund(&record).await?;
            record.signed.extend(self.ahead.clone());
            self.put(&record).await?;
        }
        Ok(())
    }

    async fn put(&mut self, record: &Record) -> Result<(), ()> {
        if self.own.as_ref() == Some(record) {
            return Ok(());
        }
        let (id, rescue) = (record.swap_id, &self.shared.rescue);
        let text: Arc<str> = rescue.key.seal(record, &mut self.shared.entropy.rng()).into();
        let copy = text.clone();
        self.shared.on_rescue(move |folder| folder.write(id, &text)).await?;
        rescue.copy(id, copy);
        self.own = Some(record.clone());
        debug!("the rescue file is written");
        Ok(())
    }

    /// The refund, if it can be signed. An error: not now, since the chain's node does not tell what it would cost.
    async fn refund(&self, record: &Record) -> Result<Option<Signed>, ()> {
        let side = self.shared.side(record.asset).ok_or(())?;
        let rate = side.chain.fee_rate().await.map_err(drop)?;
        let basis = if side.info().discount {
            FeeBasis::Discounted
        } else {
            FeeBasis::Full
        };
        let (record, shared) = (record.clone(), self.shared.clone());
        let rate = FeeRate(rate.0.saturating_mul(RATE_AHEAD));
        let sign = move || sign_refund(&record, &shared.seed, (rate, basis), &mut shared.entropy.rng());
        match aside(sign).await {
            Ok(Ok(signed)) => Ok(Some(signed)),
            Ok(Err(reason)) => {
                warn!(%reason, "the refund could not be signed ahead; the rescue file holds what it is made of");
                Ok(None)
            }
            Err(_) => Ok(None),
        }
    }

    /// Nothing is at stake any more. What went wrong is kept for those who look into it.
    async fn end(self, id: SwapId, outcome: &Outcome) {
        if is_settled(outcome) {
            if let Some(copies) = &self.shared.rescue.copies {
                copies.remove(id);
            }
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
        // nothing is at stake as far as the chain shows; should that ever change, nobody watches any more
        Outcome::GivenUp { .. } | Outcome::Lost { .. } => false,
    }
}

/// Whether a swap of the database ended with nothing left to be looked into. Another database's: its operator decides.
fn is_over(store: &Store, id: SwapId) -> bool {
    match store.swap(id) {
        Ok(Some(swap)) => matches!(&swap.state, State::Closed(outcome) if is_settled(outcome)),
        Ok(None) | Err(_) => false,
    }
}

async fn remove(shared: &Shared, id: SwapId) {
    if let Err(reason) = shared.rescue.on(move |folder| folder.remove(id)).await {
        // The next start tries it again.
        warn!(
            reason,
            swap = id.short(),
            "the rescue file of a swap that is over stays for now"
        );
    }
}

/// Looks after both folders for as long as the daemon runs.
pub(super) async fn look_after(shared: Arc<Shared>) {
    let copies = async {
        if let Some(copies) = &shared.rescue.copies {
            copies.tell().await;
        }
    };
    tokio::join!(look_after_own(&shared), copies);
}

/// Takes away files of swaps that ended while that was not possible, and tries the folder again and again.
async fn look_after_own(shared: &Shared) {
    for id in &shared.rescue.found {
        if is_over(&shared.store, *id) {
            remove(shared, *id).await;
        }
    }
    loop {
        // What it finds is noted; there is nobody else to tell.
        let tried = shared.on_rescue(Folder::probe).await;
        tokio::time::sleep(if tried.is_ok() { TRY } else { TRY_AGAIN }).await;
    }
}

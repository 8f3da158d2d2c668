//! Mistakes that are put between a daemon and its world on purpose: whether the simulation would notice.
//!
//! The shipped code stays as it is. A mistake sits in what alice's engine is given in place of a port, her randomness or
//! her disk, where an adapter, a wallet or a machine that has it would sit; bob is sound.

mod chain;
mod disk;
mod hunt;
mod lightning;
mod rescue;
mod wallet;

pub use rescue::folder;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

use sluice::keys::Seed;
use sluice::ports::{Chain, Found, LightningNode, PaymentSpec, Wallet};
use sluice::units::{SwapId, TxId};

use crate::chain::SimChain;
use crate::disk::Mounted;
use crate::payments::SimNode;
use crate::wallet::SimWallet;

/// What alice's side does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// What was synced is not on the disk yet.
    SyncsNothing,
    /// A new start finds the database as it was some commits ago.
    LosesLastCommits,
    /// Each life of the daemon draws the same random numbers.
    RepeatsItsRandomness,
    /// An opening is published by what makes it, before anything is committed.
    PublishesWhatItFunds,
    /// An opening has one satoshi less than agreed.
    OpensOneSatoshiShort,
    /// Coins that were locked for what is of no use any more stay locked.
    FreesNoCoins,
    /// Coins of openings that wait to be published are free.
    LocksNoCoins,
    /// Payouts go to a script that is nobody's.
    PaysOutToStrangers,
    /// A transaction is published once, and never again.
    PublishesOnce,
    /// Everything is said to be one block deeper than it is.
    CountsOneBlockMore,
    /// What was once seen in a block is said to be there for ever, whatever a reorg does.
    ForgetsNoBlock,
    /// A payment in flight is said to have failed.
    TakesInFlightForFailed,
    /// An invoice that can be paid is said to be paid.
    TakesOpenForPaid,
    /// All payments ever wanted are begun again when the daemon starts.
    PaysAgainAfterStart,
    /// A payment costs its payer one satoshi more than the invoice asks for.
    LosesOneSatoshi,
    /// The key is given away when the payment begins.
    GivesItsKeyBeforePaying,
    /// Rescue files are written where nobody looks for them.
    KeepsRescueFilesElsewhere,
    /// A rescue file stays as it was written first.
    KeepsFirstRescueFiles,
    /// Rescue files come back after they were removed.
    RemovesNoRescueFiles,
}

/// A mistake, and what it remembers from one life of the daemon to the next.
pub struct Planted {
    pub mistake: Mistake,
    seed: Arc<Seed>,
    payments: Mutex<Vec<PaymentSpec>>,
    published: Mutex<BTreeSet<TxId>>,
    spends: Mutex<BTreeMap<SwapId, Found>>,
    /// The first rescue file of each swap.
    files: Mutex<BTreeMap<SwapId, String>>,
    /// The disk as of the last syncs.
    images: Mutex<VecDeque<Vec<u8>>>,
}

impl Planted {
    pub fn new(mistake: Mistake, seed: Arc<Seed>) -> Arc<Planted> {
        Arc::new(Planted {
            mistake,
            seed,
            payments: Mutex::default(),
            published: Mutex::default(),
            spends: Mutex::default(),
            files: Mutex::default(),
            images: Mutex::default(),
        })
    }
}

/// A port with a mistake in it.
pub struct Mistaken<P> {
    port: P,
    planted: Arc<Planted>,
}

impl<P> Mistaken<P> {
    fn has(&self, mistake: Mistake) -> bool {
        self.planted.mistake == mistake
    }
}

pub fn chain(port: SimChain, planted: Option<&Arc<Planted>>) -> Arc<dyn Chain> {
    match planted.cloned() {
        Some(planted) => Arc::new(Mistaken { port, planted }),
        None => Arc::new(port),
    }
}

pub fn wallet(port: SimWallet, planted: Option<&Arc<Planted>>) -> Arc<dyn Wallet> {
    match planted.cloned() {
        Some(planted) => Arc::new(Mistaken { port, planted }),
        None => Arc::new(port),
    }
}

/// A node is given to each life of the daemon anew.
pub fn node(port: SimNode, planted: Option<&Arc<Planted>>) -> Arc<dyn LightningNode> {
    match planted.cloned() {
        Some(planted) => lightning::begun(Mistaken { port, planted }),
        None => Arc::new(port),
    }
}

/// A disk is mounted by each life of the daemon anew.
pub fn disk(mounted: Mounted, planted: Arc<Planted>) -> Mistaken<Mounted> {
    disk::begun(Mistaken { port: mounted, planted })
}

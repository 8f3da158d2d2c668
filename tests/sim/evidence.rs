//! What is seen while a run lasts: its journal, and what must never happen.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sluice::engine::StartError;
use sluice::swap::Swap;
use sluice::swap::state::{Maker, State as At, Taker};
use sluice::units::{Asset, PaymentHash, SwapId, TxId};

use crate::world::{State, Who};

#[derive(Default)]
pub struct Evidence {
    journal: Vec<String>,
    pub accusations: Vec<String>,
    /// What must not be, and does not end the run.
    complaints: BTreeSet<String>,
    pub ordered: BTreeSet<SwapId>,
    /// When a taker's key left for its peer first.
    pub keys: BTreeMap<(Who, SwapId), Duration>,
    pub refusals: BTreeMap<String, u32>,
}

impl Evidence {
    pub fn note(&mut self, at: Duration, line: String) {
        self.journal.push(format!("{:>10.3} {line}", at.as_secs_f64()));
    }

    pub fn accuse(&mut self, at: Duration, what: String) {
        self.note(at, format!("VIOLATION: {what}"));
        self.accusations.push(what);
    }

    pub fn complain(&mut self, at: Duration, what: String) {
        self.note(at, format!("VIOLATION: {what}"));
        self.complaints.insert(what);
    }

    /// All that must not be and was seen.
    pub fn faults(&self) -> Vec<String> {
        self.accusations.iter().chain(&self.complaints).cloned().collect()
    }

    pub fn journal(&self) -> &[String] {
        &self.journal
    }

    pub fn refused(&mut self, reason: &StartError) {
        let text: String = reason.to_string().chars().filter(|c| !c.is_ascii_hexdigit()).collect();
        *self.refusals.entry(text).or_default() += 1;
    }
}

/// Every transaction that a state lets its daemon publish.
fn publishable(swap: &Swap) -> Vec<TxId> {
    let mut found = Vec::new();
    match &swap.state {
        At::Maker(_, maker) => {
            found.extend(maker.opening().map(|opening| opening.outpoint.txid));
            let children = maker.opened().into_iter().flat_map(|opened| &opened.children);
            found.extend(children.map(|child| child.txid));
            match maker {
                Maker::Voiding(voiding) => found.extend(voiding.voids.iter().map(|void| void.txid)),
                Maker::ClaimingCoop { refund, .. } | Maker::ClaimingCsv { refund, .. } => {
                    found.extend(refund.claims.iter().map(|claim| claim.txid));
                }
                Maker::AwaitingFee { .. } | Maker::Funding { .. } | Maker::Publishing { .. } | Maker::Opened(_) => {}
            }
        }
        At::Taker(_, Taker::ClaimingInvoice { offer, claims, .. }) => {
            found.push(offer.txid);
            found.extend(claims.iter().map(|claim| claim.txid));
        }
        At::Taker(..) | At::Requested { .. } | At::Canceling { .. } | At::Closed(_) => {}
    }
    found
}

/// Whether a state lets its daemon pay this invoice. A call under way is joined after its swap was abandoned.
fn may_pay(swap: &Swap, hash: PaymentHash) -> bool {
    match &swap.state {
        At::Taker(_, Taker::PayingFee { fee, .. }) => fee.hash == hash,
        At::Taker(_, Taker::PayingClaim { paying, .. } | Taker::AbandoningPayment { paying, .. }) => {
            paying.offer.invoice.hash == hash
        }
        _ => false,
    }
}

/// Whether a state lets its daemon give its key away.
fn may_give_key(swap: &Swap) -> bool {
    matches!(swap.state, At::Taker(_, Taker::CoopClosing { .. }) | At::Closed(_))
}

impl State {
    /// Whether the disk holds, durably, a swap that allows something: read from the database itself.
    fn is_committed(&self, who: Who, found: &Swap, allows: impl Fn(&Swap) -> bool) -> bool {
        let Some(running) = &self.running[who.index()] else {
            return false;
        };
        let stored = running.engine.store().swap(found.id);
        running.disk.is_durable() && matches!(stored, Ok(Some(stored)) if allows(&stored))
    }

    pub fn committed_tx(&mut self, at: Duration, who: Who, id: TxId) -> Result<(), String> {
        let found = self.committed(at, who, |swap| publishable(swap).contains(&id));
        found.ok_or_else(|| format!("{who:?} publishes {id}, which is not committed"))
    }

    pub fn committed_payment(&mut self, at: Duration, who: Who, hash: PaymentHash) -> Result<(), String> {
        let found = self.committed(at, who, |swap| may_pay(swap, hash));
        found.ok_or_else(|| format!("{who:?} pays {}, which no committed swap wants", hash.short()))
    }

    /// The rescue file of a swap that may act is looked at before it does.
    fn committed(&mut self, at: Duration, who: Who, allows: impl Fn(&Swap) -> bool) -> Option<()> {
        let found = self.open_swaps(who).into_iter().find(|swap| allows(swap))?;
        let is_committed = self.is_committed(who, &found, allows);
        is_committed.then(|| self.judge_file(at, who, &found))
    }

    /// A taker gives its key away.
    pub fn key_leaves(&mut self, at: Duration, who: Who, id: SwapId) -> Result<(), String> {
        if self.evidence.keys.contains_key(&(who, id)) {
            return Ok(());
        }
        self.evidence.keys.insert((who, id), at);
        let engine = self.engine(who);
        let stored = engine.and_then(|engine| engine.store().swap(id).ok().flatten());
        if stored.is_some_and(|swap| may_give_key(&swap)) {
            return Ok(());
        }
        Err(format!("{who:?} gives its key of {} away, uncommitted", id.short()))
    }

    pub fn published(&mut self, at: Duration, who: Who, asset: Asset, id: TxId) {
        self.evidence.note(at, format!("{who:?} publishes {asset} {id}"));
    }
}

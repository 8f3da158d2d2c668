//! What of a block concerns which swap. Pure, and in no order: an opening and its spend may be found either way round.

use std::collections::HashMap;

use super::source::ChainTx;
use crate::ports::{Tip, Watch};
use crate::units::{OutPoint, RawTx, SwapId, TxId};

/// Why a transaction concerns a swap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Role {
    /// It is the opening; these of its outputs have the watched script.
    Opening(Vec<u32>),
    /// It spends these outputs of the opening.
    Spend(Vec<u32>),
    /// It spends one of the opening's inputs and is not the opening.
    Conflict,
}

/// A transaction in a block that concerns a swap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) swap: SwapId,
    pub(super) block: Tip,
    pub(super) txid: TxId,
    pub(super) tx: RawTx,
    pub(super) role: Role,
}

/// Whether a swap's output is spent, as far as these hits tell. A spend of the opening's change is none of it: the
/// maker's wallet may use that for its next transaction.
pub(super) fn is_spent(hits: &[Hit], swap: SwapId) -> bool {
    let own = || hits.iter().filter(|hit| hit.swap == swap);
    let is_watched = |spent: &u32| {
        own().any(|hit| match &hit.role {
            Role::Opening(vouts) => vouts.contains(spent),
            Role::Spend(_) | Role::Conflict => false,
        })
    };
    own().any(|hit| match &hit.role {
        Role::Spend(spent) => spent.iter().any(is_watched),
        Role::Opening(_) | Role::Conflict => false,
    })
}

/// Watches by what they look for, so that a block costs the same whatever their number.
#[derive(Debug, Default)]
pub(super) struct Index<'a> {
    openings: HashMap<TxId, Vec<&'a Watch>>,
    inputs: HashMap<OutPoint, Vec<&'a Watch>>,
}

impl<'a> Index<'a> {
    pub(super) fn of(watches: impl IntoIterator<Item = &'a Watch>) -> Self {
        let mut index = Self::default();
        for watch in watches {
            let Some(opening) = watch.opening else { continue };
            index.openings.entry(opening).or_default().push(watch);
            for input in &watch.inputs {
                index.inputs.entry(*input).or_default().push(watch);
            }
        }
        index
    }

    pub(super) fn is_empty(&self) -> bool {
        self.openings.is_empty()
    }

    /// Everything in a block that concerns a watch.
    pub(super) fn hits<T: ChainTx>(&self, block: Tip, txs: &[T]) -> Vec<Hit> {
        let mut hits = Vec::new();
        if !self.is_empty() {
            for tx in txs {
                self.collect(block, tx, &mut hits);
            }
        }
        hits
    }

    fn collect<T: ChainTx>(&self, block: Tip, tx: &T, hits: &mut Vec<Hit>) {
        let txid = tx.txid();
        let mut note = |swap: SwapId, role: Role| {
            if !hits
                .iter()
                .any(|hit| hit.swap == swap && hit.txid == txid && hit.role == role)
            {
                hits.push(Hit {
                    swap,
                    block,
                    txid,
                    tx: tx.raw(),
                    role,
                });
            }
        };
        for watch in self.openings.get(&txid).into_iter().flatten() {
            note(watch.swap, Role::Opening(tx.outputs_to(&watch.script)));
        }
        let spends = tx.spends();
        for spent in &spends {
            for watch in self.openings.get(&spent.txid).into_iter().flatten() {
                let vouts = spends.iter().filter(|s| s.txid == spent.txid).map(|s| s.vout).collect();
                note(watch.swap, Role::Spend(vouts));
            }
            for watch in self.inputs.get(spent).into_iter().flatten() {
                if watch.opening != Some(txid) {
                    note(watch.swap, Role::Conflict);
                }
            }
        }
    }
}

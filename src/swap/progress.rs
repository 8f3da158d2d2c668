//! The way of a transaction into a block: a claim is made again when it could not be made, and replaced at a higher fee
//! when it is stuck; an opening, whose id is the contract, is pushed by a child, which is replaced in turn, as is a void.

use serde::{Deserialize, Serialize};

use super::effect::Effect;
use super::event::{ChainView, OpeningView, SpendPath, TxKind};
use super::fees::Wish;
use super::maker::broadcast;
use super::state::{Claim, Opened};
use super::step::Scene;
use super::timelocks::Timelocks;
use crate::units::{Height, Preimage};

/// How the newest version of a transaction fares.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// Nothing is known against it.
    #[default]
    Fresh,
    /// At this tip it was in no block although it could have been, or it could not be made.
    Waiting(Height),
    /// It has waited too long: another with a higher fee is to take its place.
    Stuck,
    /// The operator wants another in its place now.
    Wished(Wish),
}

impl Progress {
    /// Takes a new version. The ones before it are of no use any more: it pays more, and whichever is mined is known by
    /// what it pays to.
    pub(super) fn made(&mut self, versions: &mut Vec<Claim>, newest: &Claim) {
        *versions = vec![newest.clone()];
        *self = Progress::Fresh;
    }

    /// The operator wants another version; without a first one there is nothing to replace.
    pub(super) fn wished(&mut self, is_published: bool, wish: Wish) {
        if is_published {
            *self = Progress::Wished(wish);
        }
    }

    /// What a view of the chain says of the newest version, if there is one yet: `waits` for its block, or is beyond
    /// waiting.
    fn seen(self, waits: bool, is_published: bool, view: &ChainView, limits: &Timelocks) -> Progress {
        if !waits {
            return Progress::Fresh;
        }
        match self {
            // What could not be made may be made at another block: fees fall.
            Progress::Waiting(since) if !is_published && view.tip > since => Progress::Fresh,
            Progress::Fresh if is_published => Progress::Waiting(view.tip),
            Progress::Waiting(since) if is_published && view.tip >= since.plus(limits.replace_after) => Progress::Stuck,
            Progress::Fresh | Progress::Waiting(_) | Progress::Stuck | Progress::Wished(_) => self,
        }
    }

    /// What a view of the chain says of the newest claim.
    pub(super) fn of_claim(self, claims: &[Claim], view: &ChainView, limits: &Timelocks) -> Progress {
        let waits = matches!(view.opening, OpeningView::Confirmed { .. }) && view.spend.is_none();
        self.seen(waits, !claims.is_empty(), view, limits)
    }

    /// What a view of the chain says of an opening that is still in time.
    pub(super) fn of_opening(self, in_time: bool, view: &ChainView, limits: &Timelocks) -> Progress {
        let waits = !matches!(view.opening, OpeningView::Confirmed { .. }) && view.conflict.is_none();
        self.seen(waits && in_time, true, view, limits)
    }

    /// What a view of the chain says of the newest void, while the coins that it spends are `there`.
    pub(super) fn of_void(self, there: bool, voids: &[Claim], view: &ChainView, limits: &Timelocks) -> Progress {
        self.seen(there, !voids.is_empty(), view, limits)
    }

    /// Whether a version is to be made, the first or one in the newest one's place, and how the operator wishes it.
    pub(super) fn making(self, versions: &[Claim]) -> Option<Option<Wish>> {
        let first = (self == Progress::Fresh && versions.is_empty()).then_some(None);
        first.or(self.replacing())
    }

    /// Whether another version is to be made of what is published, and how the operator wishes it.
    fn replacing(self) -> Option<Option<Wish>> {
        match self {
            Progress::Fresh | Progress::Waiting(_) => None,
            Progress::Stuck => Some(None),
            Progress::Wished(wish) => Some(Some(wish)),
        }
    }
}

impl Scene<'_> {
    /// A version could not be made now: it is tried again at a later block.
    pub(super) fn refused(&self) -> Progress {
        Progress::Waiting(self.now.tip.unwrap_or(self.swap.anchor))
    }
}

/// What is done for a claim: the newest is published, and one is made where there is none or the newest is stuck.
pub(super) fn wanted(
    path: SpendPath,
    claims: &[Claim],
    progress: Progress,
    preimage: Option<&Preimage>,
) -> Vec<Effect> {
    let publish = claims.last().map(|claim| Effect::Broadcast {
        kind: TxKind::Claim,
        tx: claim.tx.clone(),
        preimage: preimage.cloned(),
    });
    publish
        .into_iter()
        .chain(progress.making(claims).map(|wish| Effect::MakeClaim(path, wish)))
        .collect()
}

/// What is done for an opening in no block: it is published, and the newest child with it.
pub(super) fn wanted_for(opened: &Opened) -> Vec<Effect> {
    if opened.confirmed_at.is_some() {
        return Vec::new();
    }
    let child = opened.children.last();
    [broadcast(TxKind::Opening, &opened.opening.tx)]
        .into_iter()
        .chain(child.map(|child| broadcast(TxKind::Push, &child.tx)))
        .chain(opened.progress.replacing().map(Effect::MakePush))
        .collect()
}

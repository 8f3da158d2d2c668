//! A claim's way into a block: made again when it could not be made, replaced at a higher fee when it is stuck.

use serde::{Deserialize, Serialize};

use super::effect::Effect;
use super::event::{ChainView, OpeningView, SpendPath, TxKind};
use super::state::Claim;
use super::step::Scene;
use super::timelocks::Timelocks;
use crate::units::{Height, Preimage};

/// How many versions of a claim are made at most; the newest is published for ever.
const MAX_VERSIONS: usize = 20;

/// How the newest claim of the opening fares.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// Nothing is known against it.
    #[default]
    Fresh,
    /// At this tip it was in no block although the opening was, or it could not be made.
    Waiting(Height),
    /// It has waited too long: another with a higher fee is to take its place.
    Stuck,
}

impl Progress {
    /// Takes a new version of the claim.
    pub(super) fn made(&mut self, claims: &mut Vec<Claim>, claim: &Claim) {
        claims.push(claim.clone());
        *self = Progress::Fresh;
    }

    /// What a view of the chain says of the newest claim.
    pub(super) fn seen(self, claims: &[Claim], view: &ChainView, limits: &Timelocks) -> Progress {
        let confirmed = matches!(view.opening, OpeningView::Confirmed { .. });
        if view.spend.is_some() || !confirmed {
            return Progress::Fresh;
        }
        match self {
            // What could not be made may be made at another block: fees fall.
            Progress::Waiting(since) if claims.is_empty() && view.tip > since => Progress::Fresh,
            Progress::Fresh if !claims.is_empty() && claims.len() < MAX_VERSIONS => Progress::Waiting(view.tip),
            Progress::Waiting(since) if !claims.is_empty() && view.tip >= since.plus(limits.replace_after) => {
                Progress::Stuck
            }
            Progress::Fresh | Progress::Waiting(_) | Progress::Stuck => self,
        }
    }
}

impl Scene<'_> {
    /// A claim could not be made now: it is tried again at a later block.
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
    let make = match progress {
        Progress::Fresh => claims.is_empty(),
        Progress::Waiting(_) => false,
        Progress::Stuck => true,
    };
    publish
        .into_iter()
        .chain(make.then_some(Effect::MakeClaim(path)))
        .collect()
}

//! Peers that go too far begin no new swaps for a time. What runs goes on: its messages are read, its coins recovered.

use std::sync::{Arc, PoisonError};

use tracing::{info, warn};

use super::admit::Denial;
use super::guard::{Line, Sort};
use super::{Engine, Shared, peers};
use crate::policy::limits::{self, Offence};
use crate::policy::{Cause, Quarantine, Quarantines};
use crate::protocol::MessageType;
use crate::store::{Filter, StoreError};
use crate::swap::state::{Maker, Outcome, Taker};
use crate::swap::{State, Swap};
use crate::units::{NodeId, Timestamp};

/// How a peer behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conduct {
    /// Its quarantine, while it lasts.
    pub quarantine: Option<Quarantine>,
    /// Swaps it asked for that run now; at most `limits::MOST_RUNNING`.
    pub running: usize,
    /// Those of them that it has put nothing into; at most `limits::MOST_PENDING`.
    pub pending: usize,
    /// Messages that were dropped because they were too many, since the daemon's start.
    pub dropped: u64,
    /// What is counted against it, each with how often.
    pub offences: Vec<(Offence, u32)>,
}

/// Whether a swap that its peer asked for has cost the peer nothing yet: to announce an opening is free, to have one in
/// the chain is not.
fn is_pending(swap: &Swap) -> bool {
    let idle = matches!(
        swap.state,
        State::Maker(_, Maker::AwaitingFee { .. })
            | State::Taker(_, Taker::AwaitingOpening | Taker::AwaitingConfirmation { .. })
    );
    idle && !swap.is_initiator()
}

/// Whether a swap ends without its peer ever having put anything into it, if it had not before.
fn is_dropped(state: &State) -> bool {
    match state {
        State::Canceling { .. } | State::Closed(Outcome::Canceled { .. } | Outcome::CoopClosed { .. }) => true,
        State::Taker(_, Taker::CoopClosing { .. }) => true,
        State::Requested { .. } | State::Maker(..) | State::Taker(..) | State::Closed(_) => false,
    }
}

impl Shared {
    /// Whether a message is read at all: before it is, since reading is what a flood costs. Polls are dropped but never
    /// held against a peer: a script that sets a thousand premiums has its node send as many.
    pub(super) fn hears(self: &Arc<Self>, from: NodeId, kind: MessageType) -> bool {
        let now = self.clock.now();
        let sort = Sort::of(kind);
        if !self.guard.takes(&from, sort, now) {
            if sort != Sort::Poll {
                self.offend(from, Offence::Flood);
            }
            return false;
        }
        sort != Sort::Request || self.quarantine_of(&from).is_none() || self.guard.notice(&from, now)
    }

    /// Whether a line about the peer may go into the log.
    pub(super) fn line_about(&self, peer: &NodeId) -> Option<Line> {
        self.guard.line(peer, self.clock.now())
    }

    pub(super) fn quarantine_of(&self, peer: &NodeId) -> Option<Quarantine> {
        let now = self.clock.now();
        let quarantines = self.quarantines.read().unwrap_or_else(PoisonError::into_inner);
        quarantines.of(peer, now).cloned()
    }

    /// Holds an offence against a peer; one too many begins a quarantine.
    pub(super) fn offend(self: &Arc<Self>, peer: NodeId, offence: Offence) {
        let now = self.clock.now();
        if self.quarantine_of(&peer).is_none() && self.guard.count(&peer, offence, now) {
            self.convict(peer, offence, now);
        }
    }

    fn convict(self: &Arc<Self>, peer: NodeId, offence: Offence, now: Timestamp) {
        let quarantine = Quarantine::of(offence, now);
        warn!(%peer, reason = quarantine.reason, until = quarantine.until.0, "a peer is quarantined: no new swaps with it");
        if let Err(failure) = self.quarantine(peer, quarantine) {
            warn!(%peer, %failure, "its quarantine could not be stored");
        }
    }

    fn quarantine(self: &Arc<Self>, peer: NodeId, quarantine: Quarantine) -> Result<(), StoreError> {
        self.change_quarantines(peer, |all| all.begin(peer, quarantine))
    }

    /// Stores the change, forgets what led to the peer's quarantine, and tells the peer what is offered to it now.
    fn change_quarantines(
        self: &Arc<Self>,
        peer: NodeId,
        change: impl FnOnce(&mut Quarantines),
    ) -> Result<(), StoreError> {
        let stored = self.store.update_quarantines(change)?;
        *self.quarantines.write().unwrap_or_else(PoisonError::into_inner) = stored;
        self.guard.forgive(&peer, self.clock.now());
        peers::tell(self, peer, false);
        Ok(())
    }

    /// Whether a peer may have one more swap beside those that it has.
    pub(super) fn room_for(&self, peer: &NodeId) -> Result<(), Denial> {
        let (running, pending) = self.swaps_asked_for_by(peer);
        let too_many = |count, most, pending| Denial::TooMany {
            peer: *peer,
            count,
            most,
            pending,
        };
        if running >= limits::MOST_RUNNING {
            return Err(too_many(running, limits::MOST_RUNNING, false));
        }
        if pending >= limits::MOST_PENDING {
            return Err(too_many(pending, limits::MOST_PENDING, true));
        }
        Ok(())
    }

    /// Whether new swaps are made with a peer at all, whoever asks.
    pub(super) fn admit_conduct(&self, peer: &NodeId) -> Result<(), Denial> {
        let Some(quarantine) = self.quarantine_of(peer) else {
            return Ok(());
        };
        let left = quarantine.until.since(self.clock.now()).as_secs();
        Err(Denial::Quarantined {
            peer: *peer,
            cause: quarantine.cause,
            reason: quarantine.why(),
            minutes: left.div_ceil(60),
        })
    }

    fn swaps_asked_for_by(&self, peer: &NodeId) -> (usize, usize) {
        let running = self.running();
        let swaps = running.values().map(|running| running.swap.borrow());
        let asked = swaps.filter(|swap| swap.peer == *peer && !swap.is_initiator());
        asked.fold((0, 0), |(running, pending), swap| {
            (running + 1, pending + usize::from(is_pending(&swap)))
        })
    }

    /// A swap begins, or is taken up.
    pub(super) fn watch_over(&self, swap: &Swap) {
        if is_pending(swap) {
            self.guard.begun(swap.id);
        }
    }

    /// Holds against a peer how a swap with it goes.
    pub(super) fn judge(self: &Arc<Self>, swap: &Swap) {
        let now = self.clock.now();
        if self.guard.is_unproven(swap.id) && !is_pending(swap) {
            let dropped = is_dropped(&swap.state);
            self.guard.proven(swap.id, &swap.peer, !dropped, now);
            if dropped {
                self.offend(swap.peer, Offence::Abandoned);
            }
        }
        if matches!(swap.state, State::Closed(Outcome::ClaimedByCsv)) && self.quarantine_of(&swap.peer).is_none() {
            match self.stranded_by(swap.peer, now) {
                Ok(count) if count >= u64::from(Offence::Stranded.threshold().count) => {
                    self.convict(swap.peer, Offence::Stranded, now);
                }
                Ok(_) => {}
                Err(failure) => warn!(%failure, "the store cannot be read"),
            }
        }
    }

    /// How many openings a peer has left to their timelock, within the time that counts.
    fn stranded_by(&self, peer: NodeId, now: Timestamp) -> Result<u64, StoreError> {
        let of_peer = Filter {
            open: Some(false),
            peer: Some(peer),
            ..Filter::default()
        };
        let since = now.0.saturating_sub(Offence::Stranded.threshold().within_secs);
        let closed = self.store.list(&of_peer, usize::MAX)?;
        let stranded = closed
            .iter()
            .filter(|swap| swap.outcome == Some(Outcome::ClaimedByCsv) && swap.updated_at.0 >= since);
        Ok(u64::try_from(stranded.count()).unwrap_or(u64::MAX))
    }
}

impl Engine {
    /// How a peer behaves, and what follows from it.
    #[must_use]
    pub fn conduct(&self, peer: &NodeId) -> Conduct {
        let shared = &self.shared;
        let (dropped, offences) = shared.guard.conduct(peer, shared.clock.now());
        let (running, pending) = shared.swaps_asked_for_by(peer);
        Conduct {
            quarantine: shared.quarantine_of(peer),
            running,
            pending,
            dropped,
            offences,
        }
    }

    /// The peers in quarantine now.
    #[must_use]
    pub fn quarantined(&self) -> Vec<NodeId> {
        let now = self.shared.clock.now();
        let quarantines = self.shared.quarantines.read().unwrap_or_else(PoisonError::into_inner);
        quarantines.now(now).map(|(peer, _)| *peer).collect()
    }

    /// Makes no new swaps with a peer for so many seconds, or until [`Engine::release`], and tells it. Swaps under way
    /// go on.
    ///
    /// # Errors
    /// If it cannot be stored; nothing is changed then.
    pub fn quarantine(&self, peer: NodeId, secs: u64, note: &str) -> Result<(), StoreError> {
        let since = self.shared.clock.now();
        info!(%peer, secs, note, "the operator quarantines a peer");
        let quarantine = Quarantine {
            cause: Cause::Operator,
            reason: note.into(),
            since,
            until: since.plus_secs(secs),
        };
        self.shared.quarantine(peer, quarantine)
    }

    /// Ends a peer's quarantine, forgets what led to it, and tells the peer.
    ///
    /// # Errors
    /// If it cannot be stored; the quarantine stays.
    pub fn release(&self, peer: NodeId) -> Result<(), StoreError> {
        info!(%peer, "the operator releases a peer");
        self.shared.change_quarantines(peer, |all| all.release(&peer))
    }
}

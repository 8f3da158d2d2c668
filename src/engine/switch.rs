//! The switch of each chain: no new swaps on it while the operator, or the chain's own health, says so. It never stops
//! the recovery of running swaps.

use std::sync::PoisonError;

use super::{Absence, Engine, Shared};
use crate::policy::{Pause, PausedBy, Pauses};
use crate::store::StoreError;
use crate::units::Asset;

impl Shared {
    fn pauses(&self) -> Pauses {
        self.pauses.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change_pauses(&self, change: impl FnOnce(&mut Pauses)) -> Result<(), StoreError> {
        let pauses = self.store.update_pauses(change)?;
        *self.pauses.write().unwrap_or_else(PoisonError::into_inner) = pauses;
        self.peers.poll_now();
        Ok(())
    }

    pub(super) fn pause(&self, asset: Asset, by: PausedBy, note: &str) -> Result<(), StoreError> {
        let now = self.clock.now();
        self.change_pauses(|pauses| pauses.pause(asset, by, note, now))
    }

    /// Why no new swap of an asset may begin now; None when all is well.
    pub(super) fn hindrance(&self, asset: Asset) -> Option<String> {
        let paused = || self.pauses().of(asset).map(Pause::reason);
        let configured = self.sides.has(asset);
        configured.then(paused).flatten().or_else(|| self.problem(asset))
    }

    /// The same, whatever is paused.
    fn problem(&self, asset: Asset) -> Option<String> {
        match self.sides.get(asset) {
            Ok(side) => side.problem().or_else(|| self.rescue.hindrance()),
            Err(Absence::NotConfigured) => Some(format!("{asset} swaps are not configured here")),
            Err(away @ Absence::Awaited(_)) => Some(away.to_string()),
        }
    }
}

impl Engine {
    /// Why no new swap of an asset may begin now; None when all is well.
    #[must_use]
    pub fn hindrance(&self, asset: Asset) -> Option<String> {
        self.shared.hindrance(asset)
    }

    /// What is wrong with an asset's chain, or with what new swaps on it need; None when all is well. A pause is none.
    #[must_use]
    pub fn problem(&self, asset: Asset) -> Option<String> {
        self.shared.problem(asset)
    }

    /// The pauses in force.
    #[must_use]
    pub fn pauses(&self) -> Pauses {
        self.shared.pauses()
    }

    /// Makes no new swaps of an asset until [`Engine::resume`], and tells the peers. Swaps under way go on.
    ///
    /// # Errors
    /// If it cannot be stored; nothing is paused then.
    pub fn pause(&self, asset: Asset, note: &str) -> Result<(), StoreError> {
        self.shared.pause(asset, PausedBy::Operator, note)
    }

    /// Makes new swaps of an asset again, and tells the peers.
    ///
    /// # Errors
    /// If it cannot be stored; the pause stays.
    pub fn resume(&self, asset: Asset) -> Result<(), StoreError> {
        self.shared.change_pauses(|pauses| pauses.resume(asset))
    }
}

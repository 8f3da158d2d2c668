//! Mistakes of the folder that rescue files are in.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sluice::rescue::Folder;
use sluice::units::SwapId;

use super::{Mistake, Mistaken, Planted};
use crate::chain::SimChain;

/// Where the daemon writes its rescue files.
pub fn folder(sound: &Path, planted: Option<&Arc<Planted>>) -> PathBuf {
    match planted {
        Some(planted) if planted.mistake == Mistake::KeepsRescueFilesElsewhere => sound.join("elsewhere"),
        Some(_) | None => sound.into(),
    }
}

impl Mistaken<SimChain> {
    /// Puts the first version of a swap's file back: the chain is looked at after every block.
    pub(super) fn meddle_with_file(&self, swap: SwapId) {
        if !self.has(Mistake::KeepsFirstRescueFiles) && !self.has(Mistake::RemovesNoRescueFiles) {
            return;
        }
        let folder = Folder::own(self.port.port.world.lock().vaults[&self.port.port.who].path().into());
        let now = folder.read(swap).unwrap();
        let mut files = self.planted.files.lock().unwrap();
        match (now, files.get(&swap)) {
            (Some(text), None) => drop(files.insert(swap, text)),
            (Some(_), Some(first)) if self.has(Mistake::KeepsFirstRescueFiles) => folder.write(swap, first).unwrap(),
            (Some(_) | None, _) => {}
        }
        if self.has(Mistake::RemovesNoRescueFiles) {
            for (other, text) in files.iter().filter(|(other, _)| **other != swap) {
                if folder.read(*other).unwrap().is_none() {
                    folder.write(*other, text).unwrap();
                }
            }
        }
    }
}

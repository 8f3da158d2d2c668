//! What a start reads.

use super::look::unpanicked;
use super::record::Seen;
use super::{Store, StoreError};
use crate::policy::{Pauses, Policy, Premiums, Quarantines};
use crate::swap::Swap;

/// All that a start goes on with.
#[derive(Debug)]
pub struct Loaded {
    /// The policy.
    pub policy: Policy,
    /// The premium rates that were set.
    pub premiums: Premiums,
    /// The chains that are paused.
    pub pauses: Pauses,
    /// The peers in quarantine.
    pub quarantines: Quarantines,
    /// What each peer last said of itself.
    pub capabilities: Vec<Seen>,
    /// The swaps that are not closed.
    pub open: Vec<Swap>,
}

impl Store {
    /// Reads all that a start goes on with, at once: what it cannot read is told while nothing has begun.
    ///
    /// # Errors
    /// The first row that cannot be read.
    pub fn load(&self) -> Result<Loaded, StoreError> {
        let loaded = unpanicked(|| {
            Ok(Loaded {
                policy: self.policy()?,
                premiums: self.premiums()?,
                pauses: self.pauses()?,
                quarantines: self.quarantines()?,
                capabilities: self.capabilities()?,
                open: self.open_swaps()?,
            })
        });
        loaded.unwrap_or_else(|reason| {
            Err(StoreError::Unreadable {
                path: self.path.clone(),
                reason,
            })
        })
    }
}

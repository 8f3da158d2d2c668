//! What the operator sets while the daemon runs: on disk first, then in force, then told to the peers.

use std::sync::PoisonError;

use super::Engine;
use crate::policy::{Policy, Premiums};
use crate::store::StoreError;
use crate::units::NodeId;

impl Engine {
    /// The policy in force.
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.shared.policy()
    }

    /// Changes the policy, on disk first, and tells the peers.
    ///
    /// # Errors
    /// Those of `change`, or if it cannot be stored; the old policy stays.
    pub fn update_policy<E: From<StoreError>>(
        &self,
        change: impl FnOnce(&mut Policy) -> Result<(), E>,
    ) -> Result<Policy, E> {
        let policy = self.shared.store.update_policy(change)?;
        *self.shared.policy.write().unwrap_or_else(PoisonError::into_inner) = policy.clone();
        self.shared.peers.poll_now();
        Ok(policy)
    }

    /// The premium rates in force.
    #[must_use]
    pub fn premiums(&self) -> Premiums {
        self.shared.premiums()
    }

    /// Changes the premium rates, on disk first, and tells the peers.
    ///
    /// # Errors
    /// Those of `change`, or if they cannot be stored; the old rates stay.
    pub fn update_premiums<E: From<StoreError>>(
        &self,
        change: impl FnOnce(&mut Premiums) -> Result<(), E>,
    ) -> Result<Premiums, E> {
        let premiums = self.shared.store.update_premiums(change)?;
        *self.shared.premiums.write().unwrap_or_else(PoisonError::into_inner) = premiums.clone();
        self.shared.peers.poll_now();
        Ok(premiums)
    }

    /// Whether this peer may request swaps of us.
    #[must_use]
    pub fn allows(&self, peer: &NodeId) -> bool {
        self.shared.policy().allows(peer)
    }
}

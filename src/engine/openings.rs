//! Openings between the wallet and the store: made, their coins locked, not committed yet.

use std::sync::{Arc, Mutex};

use tokio::sync::{OwnedRwLockReadGuard, RwLock};

use crate::ports::{PortError, Wallet};
use crate::swap::state::Opening;
use crate::tx::OpeningOutput;
use crate::units::FeeRate;

/// Keeps the clean-up of a wallet's forgotten locks from freeing the coins of an opening that is being made just now. One
/// for each wallet: a node that does not answer must not hold up what another chain's wallet makes.
#[derive(Default)]
pub(super) struct Openings {
    making: Arc<RwLock<()>>,
    uncommitted: Mutex<Vec<Opening>>,
}

impl Openings {
    /// Has the wallet make an opening, and remembers it until [`Openings::settled`].
    pub(super) async fn fund(
        &self,
        wallet: &dyn Wallet,
        output: &OpeningOutput,
        rate: FeeRate,
    ) -> Result<Opening, PortError> {
        let _making = self.making.read().await;
        let opening = wallet.fund(output, rate).await?;
        self.list().push(opening.clone());
        Ok(opening)
    }

    /// Until this is dropped no lock is tidied up: what pushes or voids an opening is being made, or is being committed.
    pub(super) async fn making(&self) -> OwnedRwLockReadGuard<()> {
        self.making.clone().read_owned().await
    }

    /// The opening is committed, or refused by the machine.
    pub(super) fn settled(&self, opening: &Opening) {
        self.list().retain(|other| other != opening);
    }

    /// Those that were made and are not committed.
    pub(super) fn uncommitted(&self) -> Vec<Opening> {
        self.list().clone()
    }

    /// Has the wallet lock the coins of the committed openings and of those being made, and free all others that it
    /// locked. `committed` is asked last: an opening leaves our list only after it is committed.
    pub(super) async fn keep_only(
        &self,
        wallet: &dyn Wallet,
        committed: impl FnOnce() -> Vec<Opening>,
    ) -> Result<(), PortError> {
        let _quiet = self.making.write().await;
        let mut kept = self.uncommitted();
        kept.extend(committed());
        wallet.keep_only(&kept).await
    }

    fn list(&self) -> std::sync::MutexGuard<'_, Vec<Opening>> {
        self.uncommitted
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

//! What was made for a caller that may have gone meanwhile.

use std::sync::Arc;

use tokio::runtime::Handle;

use super::Purse;
use super::wallet::Funder;
use crate::swap::state::Opening;

/// An opening on its way to the caller. If the caller has gone, its coins are freed.
pub(super) struct Untaken<P: Purse> {
    opening: Option<Opening>,
    funder: Arc<Funder<P>>,
    runtime: Handle,
}

impl<P: Purse> Untaken<P> {
    pub(super) fn new(opening: Opening, funder: Arc<Funder<P>>) -> Self {
        Self {
            opening: Some(opening),
            funder,
            runtime: Handle::current(),
        }
    }

    pub(super) fn take(mut self) -> Opening {
        self.opening.take().expect("it is taken once")
    }
}

impl<P: Purse> Drop for Untaken<P> {
    fn drop(&mut self) {
        if let Some(opening) = self.opening.take() {
            let funder = Arc::clone(&self.funder);
            self.runtime.spawn(async move { funder.free(&opening.inputs).await });
        }
    }
}

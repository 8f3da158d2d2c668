//! What a push of an opening may spend, and must not undo.

use super::NodeWallet;
use crate::node::funds::{Coin, Purse};
use crate::ports::PortError;
use crate::swap::state::Claim;

impl<P: Purse> NodeWallet<P> {
    /// Refuses to take the place of a push whose output is spent: the node may spend what is in no block yet.
    pub(super) async fn check_undone(&self, replaced: &Claim) -> Result<(), PortError> {
        match self.chain.standing_on(replaced.txid).await? {
            None | Some(0) => Ok(()),
            Some(_) => Err(PortError::Refused(
                "another transaction of the wallet spends what the last push left: it may not be undone".into(),
            )),
        }
    }

    /// Keeps the change for the first push. One that replaces another finds it spent by that, for the node.
    pub(super) async fn lock_change(&self, change: &Coin) -> Result<(), PortError> {
        let locked = self.funder.purse.lock(&[change.outpoint]).await;
        locked.map_err(|error| match error {
            PortError::Refused(reason) => PortError::Refused(format!(
                "{} does not let go of the opening's change, of which it may not know before a block holds it: {reason}",
                P::DAEMON
            )),
            other => other,
        })
    }
}

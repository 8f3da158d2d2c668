//! What was made for a caller that may have gone meanwhile.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::runtime::Handle;
use tracing::warn;

use super::PortError;
use crate::swap::state::Opening;
use crate::units::OutPoint;

/// What takes the locks off coins.
#[async_trait]
pub(crate) trait Frees: Send + Sync + 'static {
    /// Frees coins, as far as they are locked. An error: the node does not answer, and they may be locked.
    async fn free(&self, coins: &[OutPoint]) -> Result<(), PortError>;
}

/// An opening on its way to the caller. If the caller has gone, its coins are freed: also when it goes after the opening
/// was sent to it, which the sender cannot see.
pub(crate) struct Untaken<F: Frees> {
    opening: Option<Opening>,
    funder: Arc<F>,
    runtime: Handle,
}

impl<F: Frees> Untaken<F> {
    /// Must be called on a runtime, where coins are freed later.
    pub(crate) fn new(opening: Opening, funder: Arc<F>) -> Self {
        Self {
            opening: Some(opening),
            funder,
            runtime: Handle::current(),
        }
    }

    /// The opening, for a caller that is there.
    pub(crate) fn take(mut self) -> Opening {
        self.opening.take().expect("it is taken once")
    }
}

impl<F: Frees> Drop for Untaken<F> {
    fn drop(&mut self) {
        if let Some(opening) = self.opening.take() {
            let funder = Arc::clone(&self.funder);
            self.runtime.spawn(async move {
                if let Err(error) = funder.free(&opening.inputs).await {
                    warn!(%error, "coins stay locked until the next start");
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use bitcoin::hashes::Hash;
    use tokio::sync::{mpsc, oneshot};

    use super::*;
    use crate::swap::fees::TxCost;
    use crate::units::{RawTx, TxId};

    struct Purse(mpsc::UnboundedSender<Vec<OutPoint>>);

    #[async_trait]
    impl Frees for Purse {
        async fn free(&self, coins: &[OutPoint]) -> Result<(), PortError> {
            self.0.send(coins.to_vec()).unwrap();
            Ok(())
        }
    }

    fn opening() -> Opening {
        let outpoint = OutPoint {
            txid: TxId(bitcoin::Txid::all_zeros()),
            vout: 0,
        };
        Opening {
            tx: RawTx::from(vec![1]),
            outpoint,
            inputs: vec![outpoint],
            cost: TxCost {
                fee: bitcoin::Amount::ZERO,
                vsize: 1,
                discount_vsize: 1,
            },
        }
    }

    #[tokio::test]
    async fn coins_are_freed_when_the_caller_goes_after_the_opening_was_sent() {
        let (freed, mut told) = mpsc::unbounded_channel();
        let (done, made) = oneshot::channel();
        assert!(done.send(Untaken::new(opening(), Arc::new(Purse(freed)))).is_ok());
        drop(made);
        assert_eq!(told.recv().await, Some(opening().inputs));
    }

    #[tokio::test]
    async fn the_coins_of_an_opening_that_was_taken_stay_locked() {
        let (freed, mut told) = mpsc::unbounded_channel();
        let untaken = Untaken::new(opening(), Arc::new(Purse(freed)));
        assert_eq!(untaken.take(), opening());
        assert_eq!(told.recv().await, None, "nobody is left that could free them");
    }
}

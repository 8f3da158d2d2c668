//! The chain: watching it, and handing transactions to it.

use tokio::sync::watch::Receiver;

use super::{Task, void};
use crate::engine::sight::{self, Judge};
use crate::ports::{Chain, PortError, Tip, Watch};
use crate::store::state_name;
use crate::swap::event::{ChainView, EffectKind, OpeningView, TxKind};
use crate::swap::{Event, Swap};
use crate::tx;
use crate::units::{Preimage, RawTx};

/// Every so many blocks the mempool is asked whether it still holds what was given to the network. All swaps look at
/// the same block: it costs one call for all.
const LOOK_EVERY: u32 = 10;

pub(super) async fn watch(task: &Task) {
    let Some(side) = task.side().await else { return };
    let (mut tips, mut swaps) = (side.chain.tips(), task.swap.clone());
    let (mut judge, mut backoff) = (Judge::default(), task.backoff());
    loop {
        let Some(tip) = newest(&mut tips).await else { return };
        let swap = swaps.borrow_and_update().clone();
        let sought = sight::watch(&swap);
        let view = match &sought {
            None => Ok(ChainView {
                tip: tip.height,
                opening: OpeningView::Unseen,
                spend: None,
                conflict: None,
                gone: false,
            }),
            Some(sought) => look(side.chain.as_ref(), &swap, sought, &mut judge).await,
        };
        match view {
            Ok(view) => {
                backoff = task.backoff();
                task.yield_event(Event::Chain(view)).await;
            }
            Err(failure) => {
                backoff.after_any("look at the chain", failure).await;
                continue;
            }
        }
        // Again at the next tip, as soon as there is something else to look for, or once the swap is in another state:
        // what is there already may be all that this one waits for. Not after each change: one that notes what is to wait
        // for the next block would be told of this block again, and forget it, for ever.
        let changed = async {
            while swaps.changed().await.is_ok() {
                let now = swaps.borrow_and_update();
                if state_name(&now.state) != state_name(&swap.state) || sight::watch(&now) != sought {
                    return true;
                }
            }
            false
        };
        tokio::select! {
            outcome = tips.changed() => if outcome.is_err() { return },
            going_on = changed => if !going_on { return },
        }
    }
}

async fn look(chain: &dyn Chain, swap: &Swap, sought: &Watch, judge: &mut Judge) -> Result<ChainView, PortError> {
    let view = judge.view(swap, &chain.view(sought).await?);
    let gone = void::are_inputs_gone(chain, swap, &view).await?;
    Ok(ChainView { gone, ..view })
}

/// The present tip, waiting for one while the chain does not answer. None: the chain's adapter is gone.
async fn newest(tips: &mut Receiver<Option<Tip>>) -> Option<Tip> {
    loop {
        if let Some(tip) = *tips.borrow_and_update() {
            return Some(tip);
        }
        tips.changed().await.ok()?;
    }
}

pub(super) async fn broadcast(task: &Task, kind: TxKind, transaction: &RawTx, preimage: Option<&Preimage>) {
    let completed = complete(task, transaction, preimage);
    let transaction = match completed {
        Ok(completed) => completed,
        Err(reason) => {
            return task
                .yield_event(Event::Refused(EffectKind::Broadcast(kind), reason))
                .await;
        }
    };
    let Some(side) = task.side().await else { return };
    let mut tips = side.chain.tips();
    let (mut backoff, mut told) = (task.backoff(), None);
    loop {
        let given_at = *tips.borrow_and_update();
        let given = match kind {
            TxKind::Void => void::publish(task, &side, &transaction).await,
            TxKind::Opening | TxKind::Claim | TxKind::Push => side.chain.broadcast(&transaction).await,
        };
        let answer = match given {
            Ok(()) => Event::Accepted(kind),
            Err(PortError::Refused(reason)) => Event::Refused(EffectKind::Broadcast(kind), reason),
            Err(failure) => {
                backoff.after("broadcast a transaction", failure).await;
                continue;
            }
        };
        if told.as_ref() != Some(&answer) {
            if let Event::Refused(EffectKind::Broadcast(TxKind::Void), reason) = &answer {
                tracing::warn!(
                    reason,
                    "the void is not published now; it is tried again at the next block"
                );
            }
            task.yield_event(answer.clone()).await;
            told = Some(answer);
        }
        let refused = !matches!(told, Some(Event::Accepted(_)));
        let again = async {
            while tips.changed().await.is_ok() {
                let tip = *tips.borrow_and_update();
                if refused || is_lost(side.chain.as_ref(), &transaction, given_at, tip).await {
                    return true;
                }
            }
            false
        };
        if !again.await {
            return;
        }
    }
}

/// Whether a transaction that the node took must be given to it again: the node was away, the chain went back, or
/// the mempool, looked at every few blocks, has dropped it.
async fn is_lost(chain: &dyn Chain, transaction: &RawTx, given_at: Option<Tip>, tip: Option<Tip>) -> bool {
    let (Some(before), Some(tip)) = (given_at, tip) else {
        return true;
    };
    if tip.height <= before.height {
        return true;
    }
    tip.height.0.is_multiple_of(LOOK_EVERY) && matches!(chain.has_in_mempool(transaction).await, Ok(false))
}

/// The transaction as it is published: a taker's claim gets its preimage.
fn complete(task: &Task, transaction: &RawTx, preimage: Option<&Preimage>) -> Result<RawTx, String> {
    let Some(preimage) = preimage else {
        return Ok(transaction.clone());
    };
    let coin = sight::coin(&task.swap())?;
    tx::with_preimage(coin, transaction, preimage).map_err(|error| error.to_string())
}

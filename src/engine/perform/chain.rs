//! The chain: watching it, and handing transactions to it.

use tokio::sync::watch::Receiver;

use super::Task;
use crate::engine::sight::{self, Judge};
use crate::ports::{PortError, Tip};
use crate::swap::Event;
use crate::swap::event::{ChainView, EffectKind, OpeningView, TxKind};
use crate::tx;
use crate::units::{Preimage, RawTx};

pub(super) async fn watch(task: &Task) {
    let Some(side) = task.side() else { return };
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
            }),
            Some(sought) => side
                .chain
                .view(sought)
                .await
                .map(|sighting| judge.view(&swap, &sighting)),
        };
        match view {
            Ok(view) => task.yield_event(Event::Chain(view)).await,
            Err(failure) => {
                backoff.after("look at the chain", failure).await;
                continue;
            }
        }
        // Again at the next tip, or as soon as there is something else to look for.
        let changed = async {
            while swaps.changed().await.is_ok() {
                if sight::watch(&swaps.borrow_and_update()) != sought {
                    break;
                }
            }
        };
        tokio::select! {
            outcome = tips.changed() => if outcome.is_err() { return },
            () = changed => {}
        }
    }
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
    let Some(side) = task.side() else { return };
    let mut tips = side.chain.tips();
    let (mut backoff, mut told) = (task.backoff(), None);
    loop {
        tips.mark_unchanged();
        let answer = match side.chain.broadcast(&transaction).await {
            Ok(()) => Event::Accepted(kind),
            Err(PortError::Refused(reason)) => Event::Refused(EffectKind::Broadcast(kind), reason),
            Err(failure) => {
                backoff.after("broadcast a transaction", failure).await;
                continue;
            }
        };
        if told.as_ref() != Some(&answer) {
            task.yield_event(answer.clone()).await;
            told = Some(answer);
        }
        // Once more at every block: a node may have dropped it from its mempool, or a reorg brought it back.
        if tips.changed().await.is_err() {
            return;
        }
    }
}

/// The transaction as it is published: a taker's claim gets its preimage.
fn complete(task: &Task, transaction: &RawTx, preimage: Option<&Preimage>) -> Result<RawTx, String> {
    let Some(preimage) = preimage else {
        return Ok(transaction.clone());
    };
    let coin = sight::coin(&task.swap())?;
    tx::with_preimage(coin, transaction, preimage).map_err(|error| error.to_string())
}

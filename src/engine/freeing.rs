//! Frees coins in the wallet that were locked for what is of no use any more.

use std::sync::Arc;

use tracing::warn;

use super::{Shared, Side, side};
use crate::swap::event::Made;
use crate::swap::state::{Claim, Maker, Opening};
use crate::swap::{Event, State, Swap};

/// An opening, or what pushes or voids one, that was made when it was no longer wanted keeps coins locked for nothing.
pub(super) fn unused(shared: &Arc<Shared>, next: &Swap, event: &Event) {
    let unused = match event {
        Event::Made(Made::Push(child)) => newest_child(next) != Some(child),
        Event::Made(Made::Void(void)) => newest_void(next) != Some(void),
        _ => false,
    };
    if let Some(side) = shared.side(next.terms.asset).filter(|_| unused) {
        // an earlier version may need the same coins
        side.tidy_locks();
    }
    let Event::Made(Made::Opening(made)) = event else {
        return;
    };
    let used = match &next.state {
        State::Maker(_, Maker::Publishing { opening, .. }) => opening == made,
        _ => false,
    };
    let (Some(side), made) = (shared.side(next.terms.asset), made.clone()) else {
        return;
    };
    let freed = async move {
        side.openings.settled(&made);
        if !used {
            release(&side, &made).await;
        }
    };
    tokio::spawn(tracing::Instrument::in_current_span(freed));
}

/// A child that is not needed any more, since a block holds the opening, may never have got out.
pub(super) fn change(shared: &Shared, before: &Swap, next: &Swap) {
    if let (Some(child), None) = (newest_child(before), newest_child(next)) {
        inputs_of(shared, before, child);
    }
}

fn inputs_of(shared: &Shared, swap: &Swap, child: &Claim) {
    let opening = match &swap.state {
        State::Maker(_, maker) => maker.opening(),
        State::Requested { .. } | State::Taker(..) | State::Canceling { .. } | State::Closed(_) => None,
    };
    let (Some(opening), Some(side)) = (opening, shared.side(swap.terms.asset)) else {
        return;
    };
    let spent = Opening {
        inputs: side::inputs_of(swap, child),
        ..opening.clone()
    };
    let freed = async move { release(&side, &spent).await };
    tokio::spawn(tracing::Instrument::in_current_span(freed));
}

async fn release(side: &Side, opening: &Opening) {
    if let Err(failure) = side.wallet.release(opening).await {
        warn!(%failure, "coins stay locked until the node's locks have been put in order");
        side.tidy_locks();
    }
}

/// The newest child of an opening that is in no block.
fn newest_child(swap: &Swap) -> Option<&Claim> {
    match &swap.state {
        State::Maker(_, maker) => maker
            .opened()
            .filter(|opened| opened.confirmed_at.is_none())
            .and_then(|opened| opened.children.last()),
        State::Requested { .. } | State::Taker(..) | State::Canceling { .. } | State::Closed(_) => None,
    }
}

fn newest_void(swap: &Swap) -> Option<&Claim> {
    match &swap.state {
        State::Maker(_, Maker::Voiding(voiding)) => voiding.voids.last(),
        State::Maker(..) | State::Requested { .. } | State::Taker(..) | State::Canceling { .. } | State::Closed(_) => {
            None
        }
    }
}

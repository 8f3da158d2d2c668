//! Keeps the coins locked of what is committed and in no block yet, and no others.
//!
//! A wallet locks coins when it makes something, and frees them if it fails. All others are freed only here, while it makes
//! nothing.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use super::Shared;
use super::side::{self, Side};
use crate::ports::PortError;
use crate::swap::event::Made;
use crate::swap::state::{Claim, Opening};
use crate::swap::{Event, Maker, State, Swap};
use crate::tx::{self, Coin};
use crate::units::{OutPoint, TxId};

/// How long a node may be at work on a call that was given up. It may lock coins after we have looked: so long the locks
/// are put in order at every block.
const LATE: Duration = Duration::from_secs(10 * 60);

/// Between two times that the locks are put in order: what fails again and again must not keep the node busy.
const PAUSE: Duration = Duration::from_secs(1);

/// After a failure.
const AGAIN: Duration = Duration::from_secs(15);

/// What is thought of the locks in a wallet.
#[derive(Default)]
pub(super) struct Locks {
    wanted: Notify,
    /// Since when a call may be late.
    doubted: Mutex<Option<Instant>>,
}

impl Locks {
    /// Of what was locked not all is needed any more.
    pub(super) fn tidy(&self) {
        self.wanted.notify_one();
    }

    /// Coins may be locked, or free, that nobody knows of.
    fn doubt(&self) {
        self.set_doubt(Some(Instant::now()));
        self.tidy();
    }

    fn set_doubt(&self, since: Option<Instant>) {
        *self.doubted.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    fn doubted(&self) -> Option<Instant> {
        *self.doubted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes on the answer to a call that locks coins. Where it was lost, some may be locked, or will be.
    pub(super) fn after<T>(&self, answer: Result<T, PortError>) -> Result<T, PortError> {
        if let Err(PortError::Unreachable(_) | PortError::Broken(_)) = &answer {
            self.doubt();
        }
        answer
    }
}

/// Puts the locks of a wallet in order for as long as the daemon runs: at its start, when something has come to nothing,
/// and when the node was away, which may keep locks in memory only. Ends when nobody follows the chain any more.
pub(super) async fn keep(shared: &Shared, side: &Side) {
    // A call of a daemon that ran before this one may be late.
    side.locks.doubt();
    tokio::select! {
        biased;
        () = notice_absences(side) => {}
        () = put_in_order(shared, side) => {}
    }
}

/// Who is busy with the node would not notice an absence that is over by then.
async fn notice_absences(side: &Side) {
    let mut tips = side.chain.tips();
    while tips.changed().await.is_ok() {
        if tips.borrow_and_update().is_none() {
            side.locks.doubt();
        }
    }
}

async fn put_in_order(shared: &Shared, side: &Side) {
    let mut tips = side.chain.tips();
    let (mut in_order, mut newest) = (false, None);
    loop {
        let tip = *tips.borrow_and_update();
        let block = tip.is_some() && newest.is_some() && tip != newest;
        newest = tip.or(newest);
        in_order &= tip.is_some() && !(block && side.locks.doubted().is_some());
        if tip.is_some() && !in_order {
            let put = side
                .openings
                .keep_only(side.wallet.as_ref(), || committed(shared, side));
            in_order = side::told(put.await, "the wallet's locks could not be put in order");
            if !in_order {
                side.locks.set_doubt(Some(Instant::now()));
            } else if block && side.locks.doubted().is_some_and(|since| since.elapsed() >= LATE) {
                side.locks.set_doubt(None);
            }
            sleep(PAUSE).await;
        }
        tokio::select! {
            biased;
            changed = timeout(AGAIN, tips.changed()) => if let Ok(Err(_gone)) = changed { return },
            () = side.locks.wanted.notified() => in_order = false,
        }
    }
}

fn committed(shared: &Shared, side: &Side) -> Vec<Opening> {
    let running = shared.running();
    let swaps = running.values().map(|running| running.swap.borrow());
    swaps
        .filter(|swap| swap.terms.asset == side.chain.asset())
        .filter_map(|swap| unsettled(&swap))
        .collect()
}

/// Whether an opening that is made, and not known to be with the network yet, spends an output of that transaction: no
/// mempool tells of it.
pub(super) fn is_built_on(shared: &Shared, side: &Side, txid: TxId) -> bool {
    let builds = |opening: &Opening| opening.inputs.iter().any(|input| input.txid == txid);
    // first these: one is forgotten only after it is committed
    side.openings.uncommitted().iter().any(builds)
        || shared
            .running()
            .values()
            .any(|running| match &running.swap.borrow().state {
                State::Maker(_, Maker::Publishing { opening, .. }) => builds(opening),
                State::Maker(..)
                | State::Taker(..)
                | State::Requested { .. }
                | State::Canceling { .. }
                | State::Closed(_) => false,
            })
}

/// The opening whose coins must stay locked, with those of the child that pushes it, or of what voids it: committed, not
/// known to be in a block.
fn unsettled(swap: &Swap) -> Option<Opening> {
    let State::Maker(_, maker) = &swap.state else {
        return None;
    };
    let opened = maker.opened();
    let confirmed = opened.is_some_and(|opened| opened.confirmed_at.is_some());
    let mut opening = maker.opening().filter(|_| !confirmed).cloned()?;
    let beside = match maker {
        Maker::Voiding(voiding) => voiding.voids.last(),
        Maker::AwaitingFee { .. }
        | Maker::Funding { .. }
        | Maker::Publishing { .. }
        | Maker::Opened(_)
        | Maker::ClaimingCoop { .. }
        | Maker::ClaimingCsv { .. } => opened.and_then(|opened| opened.children.last()),
    };
    if let Some(beside) = beside {
        opening.inputs.extend(inputs_of(swap, beside));
    }
    Some(opening)
}

/// What a transaction spends that pushes or voids the swap's opening.
fn inputs_of(swap: &Swap, child: &Claim) -> Vec<OutPoint> {
    let coin = Coin::of(swap.terms.asset, swap.terms.policy_asset);
    let inputs = coin.and_then(|coin| tx::inputs_of(coin, &child.tx));
    inputs.expect("a transaction of ours, in the encoding of its chain")
}

/// After a step that is committed, or an event that changes nothing: has the locks put in order where they are not what
/// they are to be, since what was made has come to nothing or what was in a block is there no more.
pub(super) fn stepped(shared: &Arc<Shared>, before: &Swap, next: &Swap, event: &Event) {
    let Some(side) = shared.side(next.terms.asset) else {
        return;
    };
    // first: those are kept that are not settled
    if let Event::Made(Made::Opening(made)) = event {
        side.openings.settled(made);
    }
    if differ(before, next, event) {
        side.locks.tidy();
    }
}

/// Whether coins are locked after that event that are not to be, or the other way round.
fn differ(before: &Swap, next: &Swap, event: &Event) -> bool {
    let kept = |swap| -> HashSet<OutPoint> { unsettled(swap).into_iter().flat_map(|opening| opening.inputs).collect() };
    let made = match event {
        Event::Made(Made::Opening(opening)) => opening.inputs.clone(),
        Event::Made(Made::Push(version) | Made::Void(version)) => inputs_of(next, version),
        _ => Vec::new(),
    };
    let mut locked = kept(before);
    locked.extend(made);
    let mut wanted = kept(next);
    if let State::Maker(_, maker) = &next.state
        && let Some(opened) = maker.opened().filter(|opened| opened.confirmed_at.is_some())
    {
        // they are spent: no lock of theirs matters
        wanted.extend(opened.opening.inputs.iter().filter(|input| locked.contains(input)));
    }
    locked != wanted
}

#[cfg(test)]
mod tests;

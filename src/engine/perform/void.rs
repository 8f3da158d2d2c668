//! Taking an opening back before it confirms: a spend of one of its inputs is signed here, and published only once it is
//! committed. It takes the place of the opening in the mempool, and of all that stands on it: of what is not the swap's,
//! nothing may (docs/decisions/0022-taking-an-opening-back.md).

use bitcoin::Amount;

use super::make::Bid;
use super::{Task, UNWANTED, until_answered};
use crate::engine::{Side, locks};
use crate::ports::{Chain, PortError};
use crate::swap::event::{ChainView, EffectKind, Made, OpeningView};
use crate::swap::fees::Wish;
use crate::swap::state::{Claim, Maker, Opening, TxCost, Voiding};
use crate::swap::{Effect, Event, State, Swap};
use crate::units::{RawTx, TxId};

pub(super) async fn make(task: &Task, effect: &Effect, wish: Option<Wish>) {
    let made = until_answered(task, "void the opening", || async {
        let swap = task.swap();
        let voiding = voiding_of(&swap).filter(|_| task.is_wanted(effect));
        let voiding = voiding.ok_or_else(|| PortError::Refused(UNWANTED.into()))?;
        let side = task.side_now()?;
        let chain = side.chain.as_ref();
        let (rates, discounted) = (chain.fee_rates().await?, side.info().discount);
        let making = side.openings.making().await;
        if !task.is_wanted(effect) {
            return Err(PortError::Refused(UNWANTED.into()));
        }
        // now: that may have taken minutes, and the void pays for what is in the mempool
        let is_out = may_replace(task, &side, voiding).await?;
        // One that takes the place of the opening, and not of the last void, pays for all of that, however small it is
        // itself: for that it may pay the share of the amount that an operator may allow, else an opening of many inputs
        // could never be taken back.
        let first = (is_out || voiding.voids.is_empty()).then_some(Wish {
            rate: Some(rates.asked),
        });
        // also for an operator who wants another one and names no rate
        let wish = wish.filter(|wish| wish.rate.is_some()).or(first).or(wish);
        let bid = Bid::of(&swap, task.shared.tip(swap.terms.asset), rates, wish, discounted);
        let bid = bid.ok_or_else(|| PortError::Refused("nothing is there to be voided".into()))?;
        let void = sign(&side, voiding, is_out, &bid).await?;
        Ok((void, making))
    })
    .await;
    match made {
        Ok((void, making)) => {
            let made = Event::Made(Made::Void(void));
            task.yield_locked(effect, made, making).await;
        }
        Err(reason) if reason == UNWANTED => {}
        Err(reason) => {
            tracing::warn!(
                reason,
                "the opening cannot be voided now; it is tried again at the next block"
            );
            let refused = Event::Refused(EffectKind::MakeVoid, reason);
            task.yield_answer(effect, refused).await;
        }
    }
}

fn voiding_of(swap: &Swap) -> Option<&Voiding> {
    match &swap.state {
        State::Maker(_, Maker::Voiding(voiding)) => Some(voiding),
        State::Maker(..) | State::Taker(..) | State::Requested { .. } | State::Canceling { .. } | State::Closed(_) => {
            None
        }
    }
}

/// `is_out`: the opening is in the mempool.
async fn sign(side: &Side, voiding: &Voiding, is_out: bool, bid: &Bid) -> Result<Claim, PortError> {
    let chain = side.chain.as_ref();
    let mut inputs = Vec::new();
    for input in &voiding.opening.inputs {
        if !chain.is_gone(*input).await? {
            inputs.push(*input);
        }
    }
    let nothing = TxCost {
        fee: Amount::ZERO,
        ..voiding.opening.cost
    };
    let opening = Opening {
        // any of them will do
        inputs,
        // BIP 125, rule 3: what takes the place of the opening pays for what stands on it as well
        cost: if is_out { voiding.replaces() } else { nothing },
        ..voiding.opening.clone()
    };
    let before = voiding.voids.last();
    // as for a first one: what it takes the place of is the opening
    let like = before.filter(|_| !is_out);
    let signed = side.wallet.void(&opening, before, bid.rate_like(like)).await;
    let void = side.locks.after(signed)?;
    if let Err(reason) = bid.check(&void.cost).and_then(|()| bid.check_ceiling(&void.cost)) {
        // coins that it would have spent beside the opening's are locked for nothing
        side.locks.tidy();
        return Err(PortError::Refused(reason));
    }
    Ok(void)
}

/// Refuses, in words, what would undo more than the opening, its push and the void before. Tells whether the opening is in
/// the mempool.
async fn may_replace(task: &Task, side: &Side, voiding: &Voiding) -> Result<bool, PortError> {
    let is_out = may_be_published(task, side, voiding).await?;
    let Some(before) = voiding.voids.last() else {
        return Ok(is_out);
    };
    match standing_on(task, side, before.txid).await? {
        None | Some(0) => Ok(is_out),
        Some(_) => Err(PortError::Refused(
            "another transaction of the wallet spends what the last void left: it may not be undone".into(),
        )),
    }
}

/// Refuses, in words, to take the place of an opening whose change another transaction of the wallet spends. Tells whether
/// the opening is in the mempool.
async fn may_be_published(task: &Task, side: &Side, voiding: &Voiding) -> Result<bool, PortError> {
    let pushed = match voiding.children.last() {
        Some(child) => standing_on(task, side, child.txid).await?.map_or(0, |_| 1),
        None => 0,
    };
    let Some(standing) = standing_on(task, side, voiding.opening.outpoint.txid).await? else {
        return Ok(false);
    };
    if standing > pushed {
        return Err(PortError::Refused(
            "another transaction of the wallet spends the opening's change, and taking the opening back would undo it: \
             that waits until the transaction has left the mempool; should a block take both, the coins come back with \
             the peer's key or after the timelock"
                .into(),
        ));
    }
    Ok(true)
}

/// How many transactions in the mempool stand on one; None: it is not there. Refuses, in words, while another swap's opening
/// spends it that no mempool has yet.
async fn standing_on(task: &Task, side: &Side, txid: TxId) -> Result<Option<u32>, PortError> {
    // first this: once it is published the mempool tells of it
    if locks::is_built_on(&task.shared, side, txid) {
        return Err(PortError::Refused(
            "the opening of another swap spends what would be undone, and is not published yet: that waits until it is, \
             or is given up"
                .into(),
        ));
    }
    side.chain.standing_on(txid).await
}

/// Hands a void to the network, unless that would undo another transaction: one may have come since it was made.
pub(super) async fn publish(task: &Task, side: &Side, void: &RawTx) -> Result<(), PortError> {
    if let Some(voiding) = voiding_of(&task.swap()) {
        may_be_published(task, side, voiding).await?;
    }
    side.chain.broadcast(void).await
}

/// Whether all inputs of an opening that is being voided have vanished from the chain: while one is there, spending it
/// decides.
pub(super) async fn are_inputs_gone(chain: &dyn Chain, swap: &Swap, view: &ChainView) -> Result<bool, PortError> {
    let is_settled = view.opening != OpeningView::Unseen || view.conflict.is_some();
    let Some(voiding) = voiding_of(swap).filter(|_| !is_settled) else {
        return Ok(false);
    };
    for input in &voiding.opening.inputs {
        if !chain.is_gone(*input).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

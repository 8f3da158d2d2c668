//! Getting an opening into a block sooner: a child is signed here, and published only once it is committed.

use super::{Task, UNWANTED, until_answered};
use crate::engine::locks;
use crate::engine::versions::size_with_child;
use crate::ports::PortError;
use crate::swap::event::{EffectKind, Made};
use crate::swap::fees::{self, Wish};
use crate::swap::state::{Claim, Maker, Opened};
use crate::swap::{Effect, Event, State};

pub(super) async fn push(task: &Task, effect: &Effect, wish: Option<Wish>) {
    let refused = PortError::Refused;
    let made = until_answered(task, "push the opening", || async {
        let swap = task.swap();
        let State::Maker(_, Maker::Opened(opened)) = &swap.state else {
            return Err(refused(UNWANTED.into()));
        };
        if !task.is_wanted(effect) {
            return Err(refused(UNWANTED.into()));
        }
        let side = task.side_now()?;
        let discounted = side.info().discount;
        let rates = side.chain.fee_rates().await?;
        let stake = swap.stake(task.shared.tip(swap.terms.asset));
        let stake = stake.ok_or_else(|| refused("nothing waits for a block".into()))?;
        let together = (
            opened.pays().rate(discounted),
            size_with_child(&swap, opened, discounted),
        );
        let rate = fees::push_rate(&stake, together, &rates, wish).map_err(refused)?;
        let making = side.openings.making().await;
        if !task.is_wanted(effect) {
            return Err(refused(UNWANTED.into()));
        }
        let undone = opened.children.last().map(|child| child.txid);
        if undone.is_some_and(|txid| locks::is_built_on(&task.shared, &side, txid)) {
            return Err(refused(
                "the opening of another swap spends what the last push left, and is not published yet".into(),
            ));
        }
        let signed = side.wallet.push(&opened.opening, opened.children.last(), rate).await;
        let checked = side.locks.after(signed).and_then(|child| {
            let checked = check(opened, &child, stake.ceiling(rates.ceiling, wish), discounted);
            checked.map(|()| child).map_err(refused)
        });
        if checked.is_err() {
            // the change may be locked for nothing
            side.locks.tidy();
        }
        checked.map(|child| (child, making))
    })
    .await;
    match made {
        Ok((child, making)) => {
            let made = Event::Made(Made::Push(child));
            task.yield_locked(effect, made, making).await;
        }
        Err(reason) if reason == UNWANTED => {}
        Err(reason) => {
            tracing::info!(reason, "the opening waits for a block and is not pushed now");
            let refused = Event::Refused(EffectKind::MakePush, reason);
            task.yield_answer(effect, refused).await;
        }
    }
}

/// What a replacement must pay may be more than the rate that was asked for.
fn check(opened: &Opened, child: &Claim, ceiling: fees::Ceiling, discounted: bool) -> Result<(), String> {
    let both = opened.opening.cost.and(&child.cost);
    let most = ceiling.fee(both.size(discounted));
    if both.fee > most {
        return Err(format!(
            "a child must pay so much that both pay {}, at most {most} may be paid now",
            both.fee
        ));
    }
    Ok(())
}

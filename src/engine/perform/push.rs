//! Getting an opening into a block sooner: a child is signed here, and published only once it is committed.

use super::{Task, until_answered};
use crate::engine::versions::size_with_child;
use crate::ports::PortError;
use crate::swap::event::{EffectKind, Made};
use crate::swap::fees::{self, Wish};
use crate::swap::state::{Claim, Maker, Opened};
use crate::swap::{Event, State};

pub(super) async fn push(task: &Task, wish: Option<Wish>) {
    let Some(side) = task.side().await else { return };
    let swap = task.swap();
    let State::Maker(_, Maker::Opened(opened)) = &swap.state else {
        return;
    };
    let discounted = side.info().discount;
    let made = until_answered(task, "push the opening", || async {
        let rates = side.chain.fee_rates().await?;
        let refused = PortError::Refused;
        let stake = swap.stake(task.shared.tip(swap.terms.asset));
        let stake = stake.ok_or_else(|| refused("nothing waits for a block".into()))?;
        let together = (
            opened.pays().rate(discounted),
            size_with_child(&swap, opened, discounted),
        );
        let rate = fees::push_rate(&stake, together, &rates, wish).map_err(refused)?;
        let _making = task.shared.openings.making().await;
        let child = side.wallet.push(&opened.opening, opened.children.last(), rate).await?;
        check(opened, &child, stake.ceiling(rates.ceiling, wish), discounted).map_err(refused)?;
        Ok(child)
    })
    .await;
    task.yield_event(match made {
        Ok(child) => Event::Made(Made::Push(child)),
        Err(reason) => {
            tracing::info!(reason, "the opening waits for a block and is not pushed now");
            Event::Refused(EffectKind::MakePush, reason)
        }
    })
    .await;
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

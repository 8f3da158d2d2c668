//! One daemon is away until both chains' timelocks are over: what was opened for it comes back by its refund.
//!
//! Blocks come many at a time meanwhile, the clock goes on by minutes. An HTLC ends long before a timelock does, which is
//! what timelocks are made for: blocks wait for payments, and for coins that were paid for, as they would in a week.

use std::sync::Arc;
use std::time::Duration;

use rand::Rng;
use sluice::swap::event::InvoiceStatus;
use sluice::swap::state::{Maker, State as At, Swap, Taker};
use sluice::swap::timelocks::Timelocks;
use sluice::units::{Asset, Blocks, Height};
use tokio::time::sleep;

use crate::world::{State, Who, World};

/// Between two leaps of the chains: longer than a call may be on its way.
const LEAP: Duration = Duration::from_secs(60);

/// How soon it is tried again while there is no opening that somebody could leave behind.
const SOON: Duration = Duration::from_secs(15);

fn csv(asset: Asset) -> Blocks {
    Timelocks::of(asset, 7).unwrap().csv
}

/// Lets it happen now and then, until the world heals.
pub async fn happen(world: Arc<World>, every: Duration) {
    let mut pause = world.lock().between(Duration::from_secs(1), every * 2);
    loop {
        sleep(pause).await;
        pause = SOON;
        if !world.is_rough() {
            return;
        }
        let left = world.lock().leave();
        let Some((who, until)) = left else { continue };
        world.note(|| format!("{who:?} is away for longer than the timelocks"));
        while world.is_rough() && !world.lock().have_reached(&until) {
            sleep(LEAP).await;
            world.lock().leap(who, world.plan.passed_over);
        }
        world.lock().absent = None;
        pause = world.lock().between(Duration::from_secs(1), every * 2);
    }
}

/// Whether blocks may fly although this swap is open on the side that is there. It has what it paid for, and knows when it
/// was paid: one that does not would take the coins as well.
fn is_patient(state: &State, swap: &Swap) -> bool {
    let paid = swap.keys.claim_hash.is_some_and(|hash| state.lightning.is_paid(hash));
    match &swap.state {
        At::Maker(_, Maker::Voiding(voiding)) => !paid || voiding.status == InvoiceStatus::Paid,
        At::Maker(_, maker) => {
            !paid
                || maker
                    .opened()
                    .is_some_and(|opened| opened.status == InvoiceStatus::Paid)
        }
        At::Taker(_, Taker::PayingClaim { .. } | Taker::AbandoningPayment { .. } | Taker::ClaimingInvoice { .. }) => {
            false
        }
        At::Taker(..) | At::Requested { .. } | At::Canceling { .. } | At::Closed(_) => true,
    }
}

impl State {
    /// A taker goes that has not paid for its opening; tells who, and the heights at which it may come back.
    fn leave(&mut self) -> Option<(Who, Vec<(Asset, Height)>)> {
        let is_unpaid = |swap: &Arc<Swap>| match &swap.state {
            At::Maker(_, Maker::Opened(opened)) => opened.status == InvoiceStatus::Open,
            _ => false,
        };
        let first = if self.rng.r#gen() { Who::Alice } else { Who::Bob };
        let makers = [first, first.other()];
        let maker = makers
            .into_iter()
            .find(|who| self.open_swaps(*who).iter().any(is_unpaid))?;
        let who = maker.other();
        self.absent = Some(who);
        self.kill(who);
        // An opening that is in the mempool now is among them.
        let over = |asset| self.ledgers[&asset].tip().height.plus(csv(asset)).plus(Blocks(20));
        Some((who, Asset::ALL.into_iter().map(|asset| (asset, over(asset))).collect()))
    }

    fn have_reached(&self, heights: &[(Asset, Height)]) -> bool {
        heights
            .iter()
            .all(|(asset, height)| self.ledgers[asset].tip().height >= *height)
    }

    /// Many blocks at once, on both chains.
    fn leap(&mut self, away: Who, passed_over: u32) {
        let here = away.other();
        let is_idle = self.running[here.index()].is_some() && !self.lightning.is_paying();
        if !is_idle || !self.open_swaps(here).iter().all(|swap| is_patient(self, swap)) {
            return;
        }
        for asset in Asset::ALL {
            let most = csv(asset).0 / 30;
            let blocks = self.rng.gen_range(most / 2..=most);
            let (rng, ledger) = (&mut self.rng, self.ledgers.get_mut(&asset).unwrap());
            for _ in 0..blocks {
                ledger.mine(rng, passed_over);
            }
            self.push_tip(asset);
        }
    }
}

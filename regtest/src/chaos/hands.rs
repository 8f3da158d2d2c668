//! What the harness does in a play: blocks, time, the taker's other business.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use bitcoin::Amount;
use sluice::api::types::Stage;
use sluice::protocol;
use sluice::swap::Role;
use sluice::swap::timelocks::Timelocks;

use super::patient::Sight;
use super::play::{AMOUNT, Play, operator_mut};
use super::script::Ending;
use crate::world::lightning::Lightning;
use crate::world::side::Side;

/// Blocks mined at a time, so that everything else in this process goes on meanwhile.
const BATCH: u32 = 250;
/// Blocks that are mined because nothing else happens.
const IDLE_BLOCKS: u32 = 6;
/// What passes, in seconds, when blocks do not help either: a request's time, a call's, half an hour, an invoice's.
const SKIPS: [u64; 5] = [125, 125, 700, 1_900, 3_700];

impl Play<'_> {
    pub(super) async fn mine(&mut self, blocks: u32) -> Result<()> {
        let mut left = blocks;
        while left > 0 {
            let batch = left.min(BATCH);
            self.world.mine(self.script.asset, batch).await?;
            tokio::task::yield_now().await;
            left -= batch;
        }
        self.shown.clear();
        Ok(())
    }

    /// Blocks that nobody waits for by name, then hours.
    pub(super) async fn pass_time(&mut self, sights: &[Sight; 2], calm: Duration) -> Result<()> {
        let initiator = &sights[Side::Alice.index()];
        let requested = initiator.view().is_some_and(|view| view.stage == Stage::Requested);
        let unheard = requested && matches!(sights[Side::Bob.index()], Sight::Unknown);
        let was_cut = self.patients.iter().any(|patient| patient.cut);
        if unheard && was_cut && calm >= self.tempo.calm * 3 {
            self.expired = true;
            return self.skip();
        }
        // the next block would take an opening that none is to take
        let is_kept_out = self.script.ending == Ending::Void && self.spend.is_none();
        // a taker that has been away for a day of blocks looks at what it missed, and then at the next one
        let few = self.idle_blocks < IDLE_BLOCKS || self.ran_out;
        if self.opening.is_some() && !is_kept_out && few && calm >= self.tempo.calm {
            self.idle_blocks += 1;
            return self.mine(1).await;
        }
        if !unheard && calm >= self.tempo.calm * 8 {
            return self.skip();
        }
        Ok(())
    }

    fn skip(&mut self) -> Result<()> {
        let Some(secs) = SKIPS.get(self.skips) else {
            return Ok(());
        };
        self.skips += 1;
        self.shown.clear();
        self.patients
            .iter_mut()
            .try_for_each(|patient| patient.set_ahead(*secs))
    }

    /// The taker's node spends so much of the channel on something else that it cannot pay for the swap.
    pub(super) async fn drain(&mut self) -> Result<()> {
        let taker = self.script.side(Role::Taker).index();
        let local = self.world.lightning.local(taker, self.channel).await?;
        let sat = (local.0 / 1000).saturating_sub(AMOUNT.to_sat() / 2);
        let paid = self.world.lightning.pay_out(taker, self.channel, Amount::from_sat(sat));
        paid.await.context("the taker's other payment")?;
        self.drained_sat = sat;
        Ok(())
    }

    fn limits(&self) -> Result<&'static Timelocks> {
        Timelocks::of(self.script.asset, protocol::VERSION).context("an asset without timelocks")
    }

    /// The taker is gone when the opening is in no block yet, and stays away until the coins are taken back.
    pub(super) async fn leave(&mut self) -> Result<()> {
        let taker = self.script.side(Role::Taker);
        operator_mut(self.world, taker).daemon.kill();
        self.patients[taker.index()].away = true;
        self.left = true;
        if self.script.ending == Ending::Void {
            return self.expire_invoices();
        }
        // the opening is in the first of them, and the refund fits into the block after the last
        self.mine(self.limits()?.csv.0).await
    }

    /// Nobody can pay the maker any more.
    fn expire_invoices(&mut self) -> Result<()> {
        let Lightning::Embedded { nodes, .. } = &self.world.lightning else {
            bail!("the time of a real node's invoices passes by the clock");
        };
        let maker = &nodes[self.script.side(Role::Maker).index()];
        for invoice in maker.invoices() {
            maker.expire_invoice(invoice.hash);
        }
        Ok(())
    }

    pub(super) fn is_refunding(&self, sights: &[Sight; 2]) -> bool {
        self.view(sights, Role::Maker)
            .is_some_and(|view| view.stage == Stage::Refunding)
    }

    /// Blocks come without the opening, until it is too late for it.
    pub(super) async fn run_out(&mut self) -> Result<()> {
        for _ in 0..self.limits()?.window.0 {
            self.world.chains().mine_empty(self.script.asset).await?;
        }
        self.ran_out = true;
        self.shown.clear();
        Ok(())
    }

    pub(super) fn is_refunded(&self, sights: &[Sight; 2]) -> bool {
        let maker = self.view(sights, Role::Maker);
        let away = self.patients[self.script.side(Role::Taker).index()].away;
        away && maker.is_some_and(|view| view.outcome.is_some())
    }

    pub(super) async fn come_back(&mut self) -> Result<()> {
        if self.script.ending == Ending::Void {
            // so long it waits for an opening of which it was told
            self.mine(self.limits()?.day.0).await?;
        }
        let taker = self.script.side(Role::Taker);
        let cut = self.cut.filter(|cut| cut.role == Role::Taker);
        self.patients[taker.index()].come_back(operator_mut(self.world, taker), cut)
    }
}

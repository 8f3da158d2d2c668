//! Puts into words what happens, as it happens.

use std::time::{Duration, Instant};

use anyhow::Result;
use sluice::api::types::{Stage as Phase, SwapView};
use sluice::api::view::text::{grouped, sats};
use sluice::swap::{Kind, Role};

use super::stage::Side;
use super::terms::Terms;
use crate::play::page::{Page, Tone};
use crate::world::seen::Seen;

/// Tells the story of one swap; time counts from its order.
#[derive(Debug)]
pub struct Narrator {
    page: Page,
    terms: Terms,
    began: Instant,
    last: Instant,
    agreed: bool,
}

impl Narrator {
    /// Begins the story now.
    #[must_use]
    pub fn new(page: Page, terms: Terms) -> Narrator {
        let began = Instant::now();
        Narrator {
            page,
            terms,
            began,
            last: began,
            agreed: false,
        }
    }

    /// What is swapped.
    #[must_use]
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// How long ago the order was.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Alice's order, from which on time counts.
    ///
    /// # Errors
    /// If nobody reads any more.
    pub fn ordered(&mut self) -> Result<()> {
        self.began = Instant::now();
        self.last = self.began;
        let (amount, coin) = (sats(self.terms.amount_sat), self.terms.coin());
        let wish = match self.terms.kind {
            Kind::Out => format!("asks bob for {amount} of {coin} for Lightning balance (swap-out)"),
            Kind::In => format!("offers bob {amount} of {coin} for Lightning balance (swap-in)"),
        };
        let limit = sats(self.terms.premium_sat(self.terms.limit)?);
        self.says(Side::Alice, &format!("{wish}; premium at most {limit}"), &[])
    }

    /// Something that a side does now.
    ///
    /// # Errors
    /// If nobody reads any more.
    pub fn says(&mut self, side: Side, text: &str, details: &[String]) -> Result<()> {
        self.tell(Instant::now(), side, text, details)
    }

    /// A block that was mined.
    ///
    /// # Errors
    /// If nobody reads any more.
    pub fn block(&mut self, height: u32, text: &str) -> Result<()> {
        let text = format!("{}: {text}", grouped(height));
        self.write(Instant::now(), ("block", Tone::Chain), &text, &[])
    }

    /// A transaction that is in the mempool.
    ///
    /// # Errors
    /// If nobody reads any more.
    pub fn published(&mut self, at: Instant, side: Side, text: &str, tx: &Seen) -> Result<()> {
        let (fee, vsize) = (sats(tx.fee_sat), grouped(tx.vsize));
        let size = match tx.discount_vsize {
            Some(discounted) => format!("fee {fee} for {} discounted vB ({vsize} vB)", grouped(discounted)),
            None => format!("fee {fee} for {vsize} vB"),
        };
        self.tell(at, side, text, &[tx.id.to_string(), size])
    }

    /// What a side's daemon says anew.
    ///
    /// # Errors
    /// If nobody reads any more.
    pub fn changed(&mut self, at: Instant, side: Side, before: Option<&SwapView>, now: &SwapView) -> Result<()> {
        // whoever of them is heard first
        if let Some(premium) = now.premium_sat.filter(|_| !self.agreed) {
            self.agreed = true;
            let rate = grouped(self.terms.rate.0);
            let text = format!("agrees; his premium is {} ({rate} ppm)", sats(premium));
            self.tell(at, Side::Bob, &text, &[])?;
        }
        if now.role == Role::Taker {
            self.taker_changed(at, side, before, now)?;
        }
        let leaves = matches!(now.stage, Phase::Closing | Phase::Refunding) || now.outcome.is_some();
        if leaves && before.is_none_or(|view| view.stage != now.stage) {
            self.tell(at, side, &now.state, &[])?;
        }
        Ok(())
    }

    fn taker_changed(&mut self, at: Instant, side: Side, before: Option<&SwapView>, now: &SwapView) -> Result<()> {
        let is_new = |known: fn(&SwapView) -> bool| known(now) && !before.is_some_and(known);
        let maker = side.other().name();
        if let Some(fee) = now
            .fee_invoice_sat
            .filter(|_| is_new(|view| view.fee_invoice_sat.is_some()))
        {
            let text = format!("pays {} over Lightning for the fee of {maker}'s opening", sats(fee));
            self.tell(at, side, &text, &[])?;
        }
        if is_new(|view| view.timings_ms.payment_started.is_some()) {
            let amount = sats(now.lightning_amount_sat.unwrap_or_default());
            let text = format!("finds the agreed coins in the opening, pays {amount} over Lightning");
            self.tell(at, side, &text, &[])?;
        }
        if let (Some(started), Some(paid)) = (now.timings_ms.payment_started, now.timings_ms.paid)
            && is_new(|view| view.timings_ms.paid.is_some())
        {
            let took = paid.saturating_sub(started);
            let text = format!(
                "payment settled after {took} ms: {maker} has the money, {} the key",
                side.name()
            );
            self.tell(at, side, &text, &[])?;
        }
        Ok(())
    }

    fn tell(&mut self, at: Instant, side: Side, text: &str, details: &[String]) -> Result<()> {
        let tone = match side {
            Side::Alice => Tone::Alice,
            Side::Bob => Tone::Bob,
        };
        self.write(at, (side.name(), tone), text, details)
    }

    fn write(&mut self, at: Instant, who: (&str, Tone), text: &str, details: &[String]) -> Result<()> {
        // what two daemons say may be heard in another order than it is told in, a millisecond apart
        self.last = self.last.max(at);
        let since = self.last.saturating_duration_since(self.began);
        self.page.event(since, who, text, details)
    }
}

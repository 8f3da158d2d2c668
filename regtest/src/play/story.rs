//! What a play tells about itself while it goes on.

use std::time::Instant;

use anyhow::Result;
use sluice::api::view::text::{grouped, sats};

use super::page::{Page, Tone};
use crate::world::seen::Seen;
use crate::world::side::Side;

/// The story of one swap, told to whoever listens.
#[derive(Debug)]
pub struct Story {
    page: Option<Page>,
    began: Instant,
}

impl Story {
    /// A story on a page, whose time counts from now.
    #[must_use]
    pub fn on(page: Page) -> Story {
        Story {
            page: Some(page),
            began: Instant::now(),
        }
    }

    /// A story that nobody hears.
    #[must_use]
    pub fn untold() -> Story {
        Story {
            page: None,
            began: Instant::now(),
        }
    }

    /// Something that a side does now.
    ///
    /// # Errors
    /// If nobody reads any more.
    pub fn says(&self, side: Side, text: &str) -> Result<()> {
        self.write(named(side), text, &[])
    }

    /// A transaction that a side has published.
    ///
    /// # Errors
    /// If nobody reads any more.
    pub fn published(&self, side: Side, text: &str, tx: &Seen) -> Result<()> {
        let (fee, vsize) = (sats(tx.fee_sat), grouped(tx.vsize));
        let size = match tx.discount_vsize {
            Some(discounted) => format!("fee {fee} for {} discounted vB ({vsize} vB)", grouped(discounted)),
            None => format!("fee {fee} for {vsize} vB"),
        };
        self.write(named(side), text, &[tx.id.to_string(), size])
    }

    /// A block that was mined.
    ///
    /// # Errors
    /// If nobody reads any more.
    pub fn block(&self, height: u32, text: &str) -> Result<()> {
        self.write(("block", Tone::Chain), &format!("{}: {text}", grouped(height)), &[])
    }

    fn write(&self, who: (&str, Tone), text: &str, details: &[String]) -> Result<()> {
        match &self.page {
            Some(page) => page.event(self.began.elapsed(), who, text, details),
            None => Ok(()),
        }
    }
}

fn named(side: Side) -> (&'static str, Tone) {
    match side {
        Side::Alice => (side.name(), Tone::Alice),
        Side::Bob => (side.name(), Tone::Bob),
    }
}

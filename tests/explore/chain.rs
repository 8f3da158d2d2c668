//! A chain as far as it matters to one swap: where its transactions are, and the heights at which something changes.

use sluice::swap::event::{ChainView, OpeningView, Spend, Verdict};
use sluice::swap::timelocks::Timelocks;
use sluice::units::{Asset, Height};

use crate::fixtures::{ANCHOR, limits, opening_tx};
use crate::seen::By;

/// Where a transaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    Nowhere,
    Mempool,
    Block(u32),
    /// Another transaction has taken its inputs for good.
    Dead,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Chain {
    pub asset: Asset,
    pub tip: u32,
    pub opening: Place,
    /// The opening is not what was agreed.
    pub bad: bool,
    pub void: Place,
    /// A reorg has taken an input of the opening away, at this tip: nothing that spends it is anywhere.
    pub gone: Option<u32>,
    /// By which path, whether to our payout, in which block.
    pub spend: Option<(By, bool, u32)>,
}

/// What a block may hold of this swap.
#[derive(Debug, Clone, Copy)]
pub enum Mined {
    Opening,
    Void,
    Spend(By, bool),
}

impl Chain {
    pub fn new(asset: Asset) -> Chain {
        Chain {
            asset,
            tip: ANCHOR.0,
            opening: Place::Nowhere,
            bad: false,
            void: Place::Nowhere,
            gone: None,
            spend: None,
        }
    }

    pub fn limits(&self) -> &'static Timelocks {
        limits(self.asset)
    }

    pub fn window_end(&self) -> u32 {
        ANCHOR.0 + self.limits().window.0
    }

    /// Blocks upon a block that make it final.
    pub fn deep(&self) -> u32 {
        self.limits().confirmations.0 - 1
    }

    /// Days have passed since the window's end.
    pub fn is_long_after_window(&self) -> bool {
        self.tip >= self.window_end() + self.limits().day.0
    }

    /// Whether the opening's coins are there to be spent.
    pub fn is_spendable(&self) -> bool {
        matches!(self.opening, Place::Block(_)) && self.spend.is_none()
    }

    /// Whether a refund fits into the next block.
    pub fn is_mature(&self) -> bool {
        matches!(self.opening, Place::Block(at) if self.tip + 1 >= at + self.limits().csv.0)
    }

    pub fn is_final(&self, at: u32) -> bool {
        self.tip + 1 >= at + self.limits().confirmations.0
    }

    /// The next height at which something may change, by itself or by one of `deadlines`: an empty block there stands for
    /// all empty ones before it. None: waiting changes nothing any more.
    pub fn next_height(&self, deadlines: &[u32]) -> Option<u32> {
        let limits = self.limits();
        let (deep, end, day) = (self.deep(), self.window_end(), limits.day.0);
        let mut heights = vec![end, end + day];
        if let Place::Block(at) = self.opening {
            let claimable = at + limits.claimable_blocks().0;
            heights.extend([at + deep, at + limits.csv.0 - 1, at + limits.csv.0]);
            // Otherwise the window is the bound of every payment.
            if claimable < end {
                heights.extend([claimable - 1, claimable]);
            }
        } else {
            heights.push(end + day + limits.csv.0);
        }
        if let Place::Block(at) = self.void {
            heights.push(at + deep);
        }
        heights.extend(self.spend.map(|(_, _, at)| at + deep));
        heights.extend(deadlines);
        heights.into_iter().filter(|height| *height > self.tip).min()
    }

    /// The chain with empty blocks up to that height.
    pub fn up_to(self, tip: u32) -> Chain {
        Chain { tip, ..self }
    }

    /// The chain with one more block.
    pub fn mine(self, mined: Mined) -> Chain {
        let mut next = self.up_to(self.tip + 1);
        match mined {
            Mined::Opening => (next.opening, next.void) = (Place::Block(next.tip), Place::Nowhere),
            Mined::Void => (next.void, next.opening) = (Place::Block(next.tip), Place::Dead),
            Mined::Spend(by, ours) => next.spend = Some((by, ours, next.tip)),
        }
        next
    }

    /// The same height after a reorg that reaches less deep than what counts as final: without the spend, or without
    /// the opening or the void.
    pub fn reorgs(self) -> Vec<Chain> {
        let mut all = Vec::new();
        if let Some((_, _, at)) = self.spend
            && !self.is_final(at)
        {
            all.push(Chain { spend: None, ..self });
        }
        if let Place::Block(at) = self.opening
            && !self.is_final(at)
        {
            all.push(Chain {
                opening: Place::Mempool,
                spend: None,
                ..self
            });
        }
        if let Place::Block(at) = self.void
            && !self.is_final(at)
        {
            all.push(Chain {
                opening: Place::Mempool,
                void: Place::Mempool,
                ..self
            });
        }
        all
    }

    /// The same height after a reorg that takes an input of the opening away; None if a block holds what spends it.
    pub fn without_input(self) -> Option<Chain> {
        let in_block = |place| matches!(place, Place::Block(_) | Place::Dead);
        let may_vanish = self.gone.is_none() && !in_block(self.opening) && !in_block(self.void);
        may_vanish.then_some(Chain {
            opening: Place::Nowhere,
            void: Place::Nowhere,
            gone: Some(self.tip),
            ..self
        })
    }

    pub fn view(&self) -> ChainView {
        ChainView {
            tip: Height(self.tip),
            opening: match self.opening {
                Place::Nowhere | Place::Dead => OpeningView::Unseen,
                Place::Mempool => OpeningView::Mempool,
                Place::Block(at) => OpeningView::Confirmed {
                    at: Height(at),
                    verdict: if self.bad {
                        Verdict::Bad(String::new())
                    } else {
                        Verdict::Good(opening_tx())
                    },
                },
            },
            spend: self.spend.map(|(by, ours, at)| Spend {
                at: Height(at),
                path: by.path(),
                ours,
            }),
            conflict: match self.void {
                Place::Block(at) => Some(Height(at)),
                Place::Nowhere | Place::Mempool | Place::Dead => None,
            },
            gone: self.gone.is_some(),
        }
    }
}

//! A chain that has only the heights that matter to a swap of L-BTC that begins at height 100.

use sluice::swap::event::{ChainView, OpeningView, Spend, SpendPath, Verdict};
use sluice::units::Height;

use crate::fixtures::{ANCHOR, limits, opening_tx};

/// The first blocks, the end of the window, the end of the timelock of an opening in the first two blocks.
const HEIGHTS: [u32; 9] = [100, 101, 102, 159, 160, 10_180, 10_181, 10_182, 10_183];
/// The last height before the long wait for the timelock.
const BEFORE_TIMELOCK: usize = 4;

/// Where a transaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    Nowhere,
    Mempool,
    Block(usize),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Chain {
    tip: usize,
    pub opening: Place,
    pub void: Place,
    pub spend: Option<(SpendPath, bool, usize)>,
}

/// What a block may hold of this swap.
pub enum Mined {
    Nothing,
    Opening,
    Void,
    Spend(SpendPath, bool),
}

impl Chain {
    pub fn new() -> Chain {
        Chain {
            tip: 0,
            opening: Place::Nowhere,
            void: Place::Nowhere,
            spend: None,
        }
    }

    pub fn tip(&self) -> Height {
        Height(HEIGHTS[self.tip])
    }

    /// Whether the next block comes after the long wait for the timelock.
    pub fn is_before_timelock(&self) -> bool {
        self.tip == BEFORE_TIMELOCK
    }

    /// Whether the opening is, or can still be, in one of the blocks whose timelock ends within the heights.
    pub fn is_young(&self) -> bool {
        match self.opening {
            Place::Nowhere | Place::Mempool => self.tip <= 1,
            Place::Block(at) => at <= 2 && self.tip <= BEFORE_TIMELOCK,
        }
    }

    /// Whether too few heights are left for every end.
    pub fn is_after_timelock(&self) -> bool {
        self.tip > BEFORE_TIMELOCK
    }

    /// Whether the opening's coins are there to be spent.
    pub fn is_spendable(&self) -> bool {
        matches!(self.opening, Place::Block(_)) && self.spend.is_none()
    }

    /// Whether a refund fits into the next block.
    pub fn is_mature(&self) -> bool {
        let next = HEIGHTS.get(self.tip + 1).copied();
        let limits = limits(sluice::units::Asset::Lbtc);
        match (self.opening, next) {
            (Place::Block(at), Some(next)) => Height(next) >= Height(HEIGHTS[at]).plus(limits.csv),
            (Place::Block(_) | Place::Mempool | Place::Nowhere, _) => false,
        }
    }

    /// The chain with one more block; None at the end of the heights.
    pub fn mine(&self, mined: Mined) -> Option<Chain> {
        let mut next = self.clone();
        next.tip += 1;
        if next.tip == HEIGHTS.len() {
            return None;
        }
        match mined {
            Mined::Nothing => {}
            Mined::Opening => {
                next.opening = Place::Block(next.tip);
                next.void = Place::Nowhere;
            }
            Mined::Void => {
                next.void = Place::Block(next.tip);
                next.opening = Place::Nowhere;
            }
            Mined::Spend(path, ours) => next.spend = Some((path, ours, next.tip)),
        }
        Some(next)
    }

    /// The chain with a spend at the present height: there are blocks before the long wait that have no height here.
    pub fn mine_here(&self, path: SpendPath, ours: bool) -> Chain {
        let spend = Some((path, ours, self.tip));
        Chain { spend, ..self.clone() }
    }

    /// The same height without what its block held of this swap.
    pub fn reorg(&self) -> Option<Chain> {
        let mut next = self.clone();
        if next.spend.as_ref().is_some_and(|(_, _, at)| *at == next.tip) {
            next.spend = None;
        }
        for place in [&mut next.opening, &mut next.void] {
            if *place == Place::Block(next.tip) {
                *place = Place::Mempool;
            }
        }
        (next.opening != self.opening || next.void != self.void || next.spend != self.spend).then_some(next)
    }

    pub fn view(&self) -> ChainView {
        ChainView {
            tip: self.tip(),
            opening: match self.opening {
                Place::Nowhere => OpeningView::Unseen,
                Place::Mempool => OpeningView::Mempool,
                Place::Block(at) => OpeningView::Confirmed {
                    at: Height(HEIGHTS[at]),
                    verdict: Verdict::Good(opening_tx()),
                },
            },
            spend: self.spend.clone().map(|(path, ours, at)| Spend {
                at: Height(HEIGHTS[at]),
                path,
                ours,
            }),
            conflict: match self.void {
                Place::Block(at) => Some(Height(HEIGHTS[at])),
                Place::Nowhere | Place::Mempool => None,
            },
        }
    }
}

/// The chain begins where every swap of the fixtures does.
const _: () = assert!(HEIGHTS[0] == ANCHOR.0);

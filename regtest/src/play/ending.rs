//! What can be chosen of a swap: its direction and its end.

use clap::ValueEnum;
use sluice::swap::Kind;

/// The direction of the swap, as alice sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Direction {
    /// She gives L-BTC and gets Lightning balance.
    In,
    /// She gives Lightning balance and gets L-BTC.
    Out,
}

impl From<Direction> for Kind {
    fn from(direction: Direction) -> Kind {
        match direction {
            Direction::In => Kind::In,
            Direction::Out => Kind::Out,
        }
    }
}

/// How a swap can end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Ending {
    /// The taker pays and claims the coins
    Paid,
    /// The taker's node cannot pay: its key goes to the maker, who takes the coins back at once
    Coop,
    /// The taker is gone for good: the maker takes its coins back after 10,080 blocks
    Csv,
    /// The responder wants more premium than the initiator allows: nothing is opened
    Cancel,
}

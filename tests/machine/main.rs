//! The machine, state by state: what a swap wants, what it leaves on, and what means nothing to it.
#![allow(clippy::unwrap_used)]

mod costs;
mod facts;
mod fees;
mod fixtures;
mod maker_opened;
mod maker_opening;
mod maker_pushing;
mod maker_voiding;
mod requested;
mod taker_claiming;
mod taker_fee;
mod taker_opening;
mod taker_paying;
mod timelocks;

//! The swap machine: pure functions over observations.
//!
//! ```text
//!            Event ──► step(swap, now, event) ──► To(next) ──► commit ──► wants(next) ──► Effect
//! ```
//!
//! Knows the protocol's rules, heights and amounts. Must not know: time (it arrives as [`Now`]), randomness, curves,
//! files, networks. Effects are a function of the committed state, so a restart needs no recovery code.

mod claiming;
mod closing;
pub mod effect;
pub mod event;
mod facts;
mod fee;
pub mod fees;
mod maker;
mod payment;
pub mod progress;
pub mod state;
mod taker;
pub mod terms;
pub mod timelocks;

mod paying;
mod refund;
mod step;
mod voiding;

pub use effect::{Effect, Outgoing, Payee};
pub use event::{ChainView, Event, InvoiceKind, Now, PeerMessage};
pub use state::{Maker, Outcome, State, Swap, Taker};
pub use step::{Step, holds_channel, step, wants};
pub use terms::{Kind, Role, Terms};
pub use voiding::may_be_given_up;

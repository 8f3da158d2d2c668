//! One swap between two operators, whatever they run: which there are, how they are played, what they must come to.
//!
//! ```text
//! row ──► script ──does──► world::pair
//!           ├──► story ─► page
//!           └──► ledger: every satoshi that moved, and why
//! ```

mod ending;
pub mod ledger;
pub mod page;
pub mod row;
pub mod script;
pub mod story;

pub use ending::{Direction, Ending};

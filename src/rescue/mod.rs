//! Rescue files: how the coins of one swap come back with nothing but the seed's words and a node of that chain.
//!
//! ```text
//!  Swap ── Record::of ──► Record ── seal ──► text ──► Folder (0600, whole or not at all)
//!                                                        │
//!  words ──► Seed ────────────────────────► open ◄───────┘
//!                                            │
//!            chain's node ── Facts ──► way ──┴──► build ──► transaction
//! ```
//!
//! Knows what a record holds, how it is encrypted and which spends it allows. Must not know nodes, the store, or time.
//! The format is in [`seal`]; `docs/decisions/0017-rescue-files.md` says when a file is written and what waits for it.

mod build;
mod error;
mod folder;
mod record;
pub mod seal;
mod way;

pub use build::{Payment, build, sign_refund, signed_ahead};
pub use error::{NoWay, RescueError};
pub use folder::Folder;
pub use record::{Opening, Record, Signed};
pub use seal::{Header, Key};
pub use way::{Facts, Place, Way, coop_or_refund, preimage_claim, way};

//! `cargo regtest up`, `liquid` and the commands on a world that is up, with the real program.

#![allow(clippy::unwrap_used)]

mod alone;
mod program;
mod whole;

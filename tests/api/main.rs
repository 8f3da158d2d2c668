//! The API as its users meet it: the real server and the real `sluice`, before a daemon made of memory.

#![allow(clippy::unwrap_used, reason = "in a test it is the assertion")]

mod bump;
mod cancel;
mod choices;
mod cli;
mod database;
mod docs;
mod fake;
mod fixtures;
mod limits;
mod offline;
mod peers;
mod reach;
mod samples;
mod served;
mod server;
mod slow;
mod strangers;
mod views;
mod voids;

//! Sluice moves Lightning channel balance between two directly connected nodes by atomic swaps with on-chain coins.
//!
//! `docs/architecture.md` shows the whole on one page. Imports point one way:
//! `bin → daemon → api → engine → ports → swap → tx, protocol → units`; adapters (`chain`, `node`, `store`) know `ports` and
//! what lies below it.

pub mod api;
pub mod chain;
pub mod config;
pub mod daemon;
pub mod engine;
pub mod keys;
pub mod node;
pub mod policy;
pub mod ports;
pub mod protocol;
pub mod rescue;
pub mod store;
pub mod swap;
pub mod trail;
pub mod tx;
pub mod units;

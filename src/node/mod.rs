//! Adapters to Lightning nodes: each implements the ports `LightningNode` and `PeerMessenger`.
//!
//! Knows one node's API each. Must not know swaps, the engine, or another adapter.

pub mod lnd;

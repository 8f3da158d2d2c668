//! The regtest world of Sluice, as a library: an embedded Liquid chain that speaks Elements' JSON-RPC.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod liquid;

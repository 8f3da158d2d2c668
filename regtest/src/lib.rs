//! The regtest world of Sluice, as a library: an embedded Liquid chain that speaks Elements' JSON-RPC, and real daemons.

pub mod daemons;

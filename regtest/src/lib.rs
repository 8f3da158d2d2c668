//! The regtest world of Sluice, as a library: an embedded Liquid chain that speaks Elements' JSON-RPC, and real daemons.

pub mod daemons;
//! The regtest world of Sluice: embedded chain and Lightning nodes, real daemons, scenarios.

pub mod liquid;

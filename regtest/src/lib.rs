//! The regtest world of Sluice: embedded chain and Lightning nodes, real daemons, scenarios.

pub mod bench;
pub mod bitcoin;
pub mod chain;
pub mod chaos;
pub mod daemons;
pub mod demo;
pub mod lightning;
pub mod liquid;
pub mod matrix;
pub mod play;
pub mod soak;
pub mod up;
pub mod world;

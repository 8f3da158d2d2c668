//! Adapters to Lightning nodes: each implements the ports `LightningNode` and `PeerMessenger`, and its wallet `Wallet`.
//!
//! ```text
//!   lnd ─┬─► direct_payment   what is asked to be paid, against the invoice and the channel
//!   cln ─┤   doubts           calls to pay that the node may not have read yet
//!        ├─► custom_message   which messages are PeerSwap's, and how large one may be
//!        ├─► funds            openings made of the node's coins
//!        └─► grpc             one connection, remade when it broke; TLS; what a failed call means; subscriptions
//! ```
//!
//! Knows one node's API each. Must not know swaps, the engine, or another adapter.

pub mod cln;
pub mod funds;
pub mod lnd;

mod custom_message;
mod direct_payment;
mod doubts;
mod grpc;

pub use doubts::READ_WITHIN;

//! Embedded Lightning: nodes in this process that speak LND's gRPC over TLS with macaroons, joined by channels.
//!
//! ```text
//!  sluiced ──gRPC──▶ rpc ─┐                      ┌─ node::Node      control: away, drain, disconnect, …
//!  sluiced ──gRPC──▶ rpc ─┴─▶ network::Network ◀─┴─ hold            hold, release
//!                                │ one lock
//!                                ▼
//!                  state::State: channel, htlc, invoice, payment
//! ```
//!
//! What a caller sees is what LND v0.20 does (source: lightningnetwork/lnd at b9ea707): texts and codes of errors, the
//! order of updates, what a payment needs to find a route. What is left out: routes of more than one hop, hop hints,
//! splitting, closing channels and everything on chain; an HTLC that outlives its expiry stays where it is.

mod bolt11;
mod certificate;
mod channel;
mod hold;
mod htlc;
mod invoice;
mod invoice_terms;
mod links;
mod macaroon;
mod network;
mod node;
mod payment;
mod route;
mod rpc;
mod server;
mod state;
mod subscribers;

pub use channel::ChannelView;
pub use hold::{HeldHtlc, Hold, HoldAt, HoldId, NotHeld, Release};
pub use invoice::InvoiceView;
pub use network::{ChannelSpec, Network, NetworkError, Options};
pub use node::Node;
pub use payment::PaymentView;

/// The messages, servers and clients generated from `proto/`.
#[allow(missing_docs, clippy::all, clippy::pedantic)]
pub mod proto {
    include!(concat!(env!("OUT_DIR"), "/lnd.rs"));
}

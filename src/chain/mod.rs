//! Adapters to chains: what the ports [`Chain`](crate::ports::Chain) and [`Wallet`](crate::ports::Wallet) mean to a
//! real node.
//!
//! ```text
//!  engine ── Chain, Wallet ──▶ elementsd ──▶ elements_rpc ── HTTP ──▶ the node
//!                                  │              ▲
//!                                  └──▶ watch ────┘  one task: waits for blocks, reads each once, matches all swaps
//! ```
//!
//! Knows blocks, transactions and RPC. Must not know swaps' states, peers or Lightning.

pub mod elements_rpc;
pub mod elementsd;
pub mod watch;

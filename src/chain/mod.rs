//! Adapters to chains: what the ports [`Chain`](crate::ports::Chain) and [`Wallet`](crate::ports::Wallet) mean to a
//! real node.
//!
//! ```text
//!  engine ── Chain, Wallet ──▶ backend ──▶ elements_rpc, bitcoin_rpc ──▶ rpc ── HTTP ──▶ the node
//!                              │     ▲                                    ▲
//!                elementsd, bitcoind │                                    │
//!                (what each chain    └──▶ watch ──────────────────────────┘
//!                does otherwise)          one task per chain: waits for blocks, reads each once, matches all swaps
//! ```
//!
//! Knows blocks, transactions and RPC. Must not know swaps' states, peers or Lightning.

pub mod backend;
pub mod bitcoin_rpc;
pub mod bitcoind;
pub mod elements_rpc;
pub mod elementsd;
pub mod rpc;
pub mod watch;

//! An embedded Liquid chain: a regtest that starts in milliseconds and speaks Elements' JSON-RPC.
//!
//! Real blocks, real confidential transactions, real proofs and scripts, on the chain `liquidregtest` with the genesis block
//! of the real daemon. What a real node refuses is refused with its words. There is no network and no disk: one process,
//! one chain, one writer.
//!
//! ```text
//!        programs ──HTTP──▶ rpc ─┐                       ┌─▶ consensus (scripts, proofs, locks)
//!                                ├─▶ node (one lock) ────┼─▶ policy (fees, replacement, standard forms)
//!   tests, harness ─▶ LiquidChain┘    │ spend  │ faucet  ├─▶ mempool ─▶ chain (blocks, coins)
//!                                     └─▶ wallet ────────┘
//! ```
//!
//! Left out, and refused or missing rather than faked: peers, pegs, dynafed votes, taproot, legacy scripts, packages.

pub mod chain;
pub mod consensus;
mod faucet;
pub mod mempool;
mod mining;
pub mod node;
pub mod params;
pub mod persist;
pub mod policy;
pub mod rpc;
mod running;
mod spend;
mod template;
pub mod wallet;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use node::State;
use persist::StateFileError;
pub use rpc::Gate;
pub use running::LiquidChain;
use wallet::WalletError;

/// The release whose answers are imitated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Release {
    /// 23.3.3, the line that Liquid runs: JSON-RPC 1.0 alone, warnings as one string.
    V23,
    /// 28.99, the newest line: JSON-RPC 2.0 for who asks for it, warnings as a list.
    #[default]
    V28,
}

impl Release {
    /// Version as a number and as text.
    pub fn version(self) -> (u32, &'static str) {
        match self {
            Self::V23 => (230_303, "23.3.3"),
            Self::V28 => (289_900, "28.99.0"),
        }
    }
}

/// How callers prove who they are.
#[derive(Clone, Debug)]
pub enum Auth {
    /// A random password in this file, 0600, as the real daemon's `.cookie`.
    Cookie(PathBuf),
    /// A fixed name and password.
    User {
        /// Name.
        user: String,
        /// Password.
        password: String,
    },
}

/// How to start a chain.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen; port 0 picks a free one.
    pub bind: SocketAddr,
    /// How callers prove who they are.
    pub auth: Auth,
    /// The release that is imitated.
    pub release: Release,
    /// Seed of all wallets, so that a world can be made again; random if absent.
    pub seed: Option<[u8; 32]>,
    /// A file to start from if it exists, and to save to with [`LiquidChain::save`].
    pub state_file: Option<PathBuf>,
    /// Mines a block by itself this often.
    pub block_time: Option<Duration>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            auth: Auth::User {
                user: "regtest".into(),
                password: "regtest".into(),
            },
            release: Release::default(),
            seed: None,
            state_file: None,
            block_time: None,
        }
    }
}

/// Why a chain did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port or the cookie file.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The state file.
    #[error(transparent)]
    State(#[from] StateFileError),
    /// The faucet could not take the genesis coins.
    #[error("faucet of the liquid chain")]
    Faucet(#[from] WalletError),
}

/// What happens to the transactions of blocks that a reorganisation removes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Orphans {
    /// They wait in the mempool again; the first new block holds them.
    Mined,
    /// They wait in the mempool again; the new blocks are empty.
    Waiting,
    /// They are forgotten, with all that waited.
    Dropped,
}

/// Everything that a chain held at one moment.
#[derive(Clone)]
pub struct Snapshot(State);

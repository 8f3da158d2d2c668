//! An embedded chain: a regtest that starts in milliseconds and speaks its daemon's JSON-RPC.
//!
//! Real blocks, real transactions, real scripts and signatures. What a real node refuses is refused with its words. There
//! is no network and no disk: one process, one chain, one writer. Which kind of chain it is says a [`Ledger`]; what stands
//! here holds for Bitcoin and for Liquid.
//!
//! ```text
//!        programs ──HTTP──▶ rpc ─┐                         ┌─▶ consensus (scripts, locks) ──┐
//!                                ├─▶ node (one lock) ──────┼─▶ policy (fees, replacement) ──┼─▶ Ledger: bitcoin | liquid
//!   tests, harness ─▶ EmbeddedChain┘    │ spend │ faucet   ├─▶ mempool ─▶ blocks (coins) ───┘
//!                                       └─▶ wallet ────────┘
//! ```
//!
//! Left out, and refused or missing rather than faked: peers, taproot, legacy scripts, packages.

pub mod blocks;
pub mod consensus;
mod faucet;
pub mod ledger;
pub mod mempool;
mod mining;
pub mod node;
pub mod persist;
pub mod policy;
pub mod rpc;
mod running;
mod spend;
pub mod wallet;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

pub use ledger::Ledger;
pub use node::FeeMarket;
use node::State;
use persist::StateFileError;
pub use rpc::Gate;
pub use running::EmbeddedChain;
use wallet::WalletError;

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

impl Auth {
    /// A password that no other chain has.
    #[must_use]
    pub fn random() -> Auth {
        Auth::User {
            user: "regtest".into(),
            password: hex::encode(rand::random::<[u8; 16]>()),
        }
    }
}

/// How to start a chain.
#[derive(Clone, Debug)]
pub struct Options<L: Ledger> {
    /// Where to listen; port 0 picks a free one.
    pub bind: SocketAddr,
    /// How callers prove who they are.
    pub auth: Auth,
    /// The daemon that is imitated.
    pub release: L::Release,
    /// Seed of all wallets, so that a world can be made again; random if absent.
    pub seed: Option<[u8; 32]>,
    /// A file to start from if it exists, and to save to with [`EmbeddedChain::save`].
    pub state_file: Option<PathBuf>,
    /// Mines a block by itself this often.
    pub block_time: Option<Duration>,
}

impl<L: Ledger> Default for Options<L> {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            auth: Auth::User {
                user: "regtest".into(),
                password: "regtest".into(),
            },
            release: L::Release::default(),
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
    /// The faucet could not take its first coins.
    #[error("faucet of the embedded chain")]
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
pub struct Snapshot<L: Ledger>(State<L>);

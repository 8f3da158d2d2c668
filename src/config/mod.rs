//! The daemon's configuration: defaults, then the file, then the environment, then flags; the later wins.
//!
//! ```text
//! sluice.toml        [liquid]                              ┐
//!                    rpc_url = "http://127.0.0.1:7041"     │
//! environment        SLUICE_LIQUID__RPC_URL=…              ├─► Config, or the one thing that is wrong:
//! flags              --set liquid.rpc_url=…                ┘   key, value, what is allowed, where it came from
//! ```
//!
//! `config/sluice.example.toml` says what each key means. What changes while the daemon runs (policy, premiums) is no
//! configuration: it is in the store.

mod chains;
mod error;
mod read;
mod sources;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use zeroize::Zeroizing;

pub use chains::{BITCOIN_FEE_CEILING, LIQUID_FEE_CEILING};
pub use error::ConfigError;
pub use sources::{DEFAULT_DATA_DIR, Sources, expand_home, keys_of};

use crate::units::FeeRate;

/// The name of the configuration file in the data folder.
pub const FILE_NAME: &str = "sluice.toml";

/// Everything that is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where the database, the seed and the token are.
    pub data_dir: PathBuf,
    /// The daemon's own API.
    pub api: Api,
    /// What it says.
    pub log: Log,
    /// The Lightning node.
    pub lightning: Lightning,
    /// The Elements node and its wallet, if L-BTC is to be swapped. One of the two chains there is.
    pub liquid: Option<Liquid>,
    /// The bitcoind, and the wallet that pays, if BTC is to be swapped.
    pub bitcoin: Option<Bitcoin>,
    /// What peers may cost us.
    pub limits: Limits,
    /// Where rescue files go besides the data folder.
    pub rescue: Rescue,
}

/// Rescue files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rescue {
    /// A second folder for them; it must be there.
    pub copy_dir: Option<PathBuf>,
}

/// The JSON-RPC API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The file with the token that every call must carry.
    pub token_file: PathBuf,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people on a terminal, else JSON.
    Auto,
    /// For people.
    Human,
    /// One JSON object per line.
    Json,
}

/// The log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// How lines look.
    pub format: LogFormat,
    /// Which are written: a level, or directives as `tracing` has them, such as `info,sluice::chain=trace`.
    pub level: String,
}

/// The Lightning node; its variant is the key `lightning.backend`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lightning {
    /// An lnd.
    Lnd(Lnd),
    /// A Core Lightning.
    Cln(Cln),
}

/// How lnd is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lnd {
    /// Host and port of its gRPC.
    pub address: String,
    /// Its certificate.
    pub tls_cert: PathBuf,
    /// Its macaroon.
    pub macaroon: PathBuf,
}

/// How Core Lightning is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cln {
    /// Host and port of its gRPC.
    pub address: String,
    /// The authority that signed its certificate.
    pub ca_cert: PathBuf,
    /// The certificate that we show it.
    pub client_cert: PathBuf,
    /// That certificate's key.
    pub client_key: PathBuf,
}

/// How we prove to a chain's node that we may call.
#[derive(Clone, PartialEq, Eq)]
pub enum RpcAuth {
    /// By the cookie that it writes at every start.
    Cookie(PathBuf),
    /// By name and password.
    Password {
        /// The name.
        user: String,
        /// The password, from the configuration or the file that it names.
        password: Zeroizing<String>,
    },
}

impl fmt::Debug for RpcAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RpcAuth::Cookie(path) => write!(f, "Cookie({})", path.display()),
            RpcAuth::Password { user, .. } => write!(f, "Password({user}, …)"),
        }
    }
}

/// A chain's node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainNode {
    /// How it is reached.
    pub access: RpcAccess,
    /// A second node of the same chain, which must show the same blocks.
    pub witness: Option<RpcAccess>,
    /// The wallet's name.
    pub wallet: String,
    /// No transaction pays less.
    pub fee_floor: FeeRate,
    /// No transaction pays more.
    pub fee_ceiling: FeeRate,
    /// How long the chain may be without a block before no new swaps are made; None: what fits the chain.
    pub stalled_after: Option<Duration>,
}

/// How a chain's node is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RpcAccess {
    /// Its JSON-RPC, without a wallet's path.
    pub url: String,
    /// Who we are to it.
    pub auth: RpcAuth,
}

/// The Elements node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Liquid {
    /// How it is reached, and the bounds on what transactions pay.
    pub node: ChainNode,
    /// Ranges of releases, besides the known ones, that new swaps may rely on.
    pub safe_releases: Vec<String>,
}

/// The bitcoind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bitcoin {
    /// How it is reached, and the bounds on what transactions pay.
    pub node: ChainNode,
    /// Whose coins openings are made of.
    pub funds: Funds,
}

/// Whose coins BTC openings are made of, and who is paid in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Funds {
    /// Bitcoind's wallet, or the Lightning node's where bitcoind has no wallets.
    Auto,
    /// A wallet in bitcoind.
    Bitcoind,
    /// The Lightning node's own wallet; none is made in bitcoind.
    Lightning,
}

/// Bounds on what a peer may ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// A taker pays at most so many times what the opening would cost at its own fee rate.
    pub fee_invoice_factor: u64,
}

impl Config {
    /// Reads every source and judges every value.
    ///
    /// # Errors
    /// The first thing that is wrong: a file that cannot be read, a key that is not known, a value that is not
    /// allowed.
    pub fn load(sources: &Sources) -> Result<Config, ConfigError> {
        read::config(sources.collect()?)
    }
}

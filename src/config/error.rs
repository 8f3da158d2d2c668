//! What is wrong with a configuration.

use std::path::PathBuf;

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("{path}: {source}", path = .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{path}: {reason}", path = .path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where, and what was expected there.
        reason: String,
    },
    /// There is no such key.
    #[error("unknown key `{key}` from {origin}; {allowed}")]
    Unknown {
        /// Its full path.
        key: String,
        /// Where it stands.
        origin: String,
        /// The keys that the section has.
        allowed: String,
    },
    /// A value that the key cannot have.
    #[error("`{key}` is {value} from {origin}, must be {allowed}")]
    Value {
        /// The key's full path.
        key: &'static str,
        /// The value; a secret is not shown.
        value: String,
        /// Where it stands.
        origin: String,
        /// What is allowed.
        allowed: String,
    },
    /// Neither of the chains is configured.
    #[error(
        "no chain is configured: give the section `[liquid]` (elementsd), `[bitcoin]` (bitcoind) or both, \
         or any of their keys, such as liquid.rpc_url"
    )]
    NoChain,
    /// A flag that sets nothing.
    #[error("flag `{0}`: must be key=value, such as api.listen=127.0.0.1:9738")]
    Flag(String),
    /// A path that needs the home folder, and there is none.
    #[error("`{key}` is {path}, and there is no home folder: set HOME or `{key}`")]
    NoHome {
        /// The key.
        key: &'static str,
        /// The path.
        path: String,
    },
}

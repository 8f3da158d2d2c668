//! Who we are to the node: its cookie file, or a user and a password.

use std::fmt;
use std::path::PathBuf;

use zeroize::Zeroizing;

/// How a client proves to the node that it may call.
#[derive(Clone, PartialEq, Eq)]
pub enum Auth {
    /// The node's cookie file. The node writes a new one at every start.
    Cookie(PathBuf),
    /// `rpcuser` and `rpcpassword`, or a pair that `rpcauth` knows.
    Password {
        /// The user.
        user: String,
        /// Its password.
        password: Zeroizing<String>,
    },
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Auth::Cookie(path) => write!(f, "Cookie({})", path.display()),
            Auth::Password { user, .. } => write!(f, "Password({user}, …)"),
        }
    }
}

impl Auth {
    /// User and password with a colon between them. The error names the file.
    pub(in crate::chain) fn pair(&self) -> Result<Zeroizing<String>, String> {
        let pair = match self {
            Auth::Cookie(path) => std::fs::read_to_string(path)
                .map(Zeroizing::new)
                .map_err(|e| format!("cookie file {}: {e}", path.display()))?,
            Auth::Password { user, password } => Zeroizing::new(format!("{user}:{}", password.as_str())),
        };
        Ok(Zeroizing::new(pair.trim_end_matches(['\r', '\n']).to_owned()))
    }
}

//! Who we are to the node: its cookie file, or a user and a password.

use std::fmt;
use std::path::PathBuf;
use std::sync::RwLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
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
    fn read(&self) -> Result<HeaderValue, String> {
        let pair = match self {
            Auth::Cookie(path) => std::fs::read_to_string(path)
                .map(Zeroizing::new)
                .map_err(|e| format!("cookie file {}: {e}", path.display()))?,
            Auth::Password { user, password } => Zeroizing::new(format!("{user}:{}", password.as_str())),
        };
        let encoded = Zeroizing::new(STANDARD.encode(pair.trim_end_matches(['\r', '\n'])));
        let mut header = HeaderValue::try_from(format!("Basic {}", encoded.as_str()))
            .map_err(|_| "credentials do not fit a header".to_owned())?;
        header.set_sensitive(true);
        Ok(header)
    }
}

/// The header that a client sends, read again when the node refuses it.
#[derive(Debug)]
pub(super) struct Credentials {
    auth: Auth,
    header: RwLock<Option<HeaderValue>>,
}

impl Credentials {
    pub(super) fn new(auth: Auth) -> Self {
        Self {
            auth,
            header: RwLock::new(None),
        }
    }

    /// The header, read on first use: the node may start after us. The error names the file.
    pub(super) fn header(&self) -> Result<HeaderValue, String> {
        if let Some(header) = self.header.read().expect("no holder panics").as_ref() {
            return Ok(header.clone());
        }
        self.reload().map(|(header, _)| header)
    }

    /// Reads the header again; true if it is another one than before.
    pub(super) fn reload(&self) -> Result<(HeaderValue, bool), String> {
        let fresh = self.auth.read()?;
        let mut header = self.header.write().expect("no holder panics");
        let changed = header.as_ref() != Some(&fresh);
        *header = Some(fresh.clone());
        Ok((fresh, changed))
    }
}

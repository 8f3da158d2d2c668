//! The header that says who we are, read again when the node refuses it.

use std::sync::RwLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use zeroize::Zeroizing;

use crate::chain::rpc::Auth;

/// The header that a client sends.
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
        let fresh = self.read()?;
        let mut header = self.header.write().expect("no holder panics");
        let changed = header.as_ref() != Some(&fresh);
        *header = Some(fresh.clone());
        Ok((fresh, changed))
    }

    fn read(&self) -> Result<HeaderValue, String> {
        let encoded = Zeroizing::new(STANDARD.encode(self.auth.pair()?.as_str()));
        let mut header = HeaderValue::try_from(format!("Basic {}", encoded.as_str()))
            .map_err(|_| "credentials do not fit a header".to_owned())?;
        header.set_sensitive(true);
        Ok(header)
    }
}

//! The fake, behind the real server.

use std::path::PathBuf;

use sluice::api::server::{ApiHandle, Patience, serve_patiently};
use sluice::api::token::Token;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::fake::Fake;

/// A fake behind the real server.
pub struct Served {
    pub fake: Fake,
    pub handle: ApiHandle,
    pub token: Token,
    pub folder: TempDir,
}

impl Served {
    pub async fn begin() -> Served {
        Served::with(Patience::default()).await
    }

    pub async fn with(patience: Patience) -> Served {
        let folder = TempDir::new().unwrap();
        let token = Token::load_or_create(&folder.path().join("api.token")).unwrap();
        let fake = Fake::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let handle = serve_patiently(listener, token.clone(), fake.clone(), patience).unwrap();
        Served {
            fake,
            handle,
            token,
            folder,
        }
    }

    /// What the header `Authorization` must be.
    pub fn bearer(&self) -> String {
        self.token.header().to_str().unwrap().to_owned()
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.handle.address())
    }

    pub fn token_file(&self) -> PathBuf {
        self.folder.path().join("api.token")
    }
}

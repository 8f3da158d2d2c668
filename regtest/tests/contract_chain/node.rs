//! An embedded chain of either kind, as a node that is started, stopped and started again.

use std::path::PathBuf;

use sluice_regtest::chain::rpc::Shown;
use sluice_regtest::chain::{Auth, EmbeddedChain, Options};
use tempfile::TempDir;

/// A chain with what it needs to be started again.
pub struct Node<L: Shown> {
    chain: Option<EmbeddedChain<L>>,
    options: Options<L>,
    dir: TempDir,
}

impl<L: Shown> Node<L> {
    pub async fn start(release: L::Release) -> Self {
        let dir = TempDir::with_prefix("embedded-").unwrap();
        let options = Options {
            auth: Auth::Cookie(dir.path().join("cookie")),
            state_file: Some(dir.path().join("state")),
            release,
            ..Options::default()
        };
        let mut node = Self {
            chain: None,
            options,
            dir,
        };
        node.launch().await;
        node.options.bind = node.chain().address();
        node
    }

    pub fn chain(&self) -> &EmbeddedChain<L> {
        self.chain.as_ref().expect("it runs")
    }

    pub fn cookie(&self) -> PathBuf {
        self.dir.path().join("cookie")
    }

    pub fn stop(&mut self) {
        let chain = self.chain.take().expect("it runs");
        chain.forget_memory();
        chain.save().unwrap();
    }

    pub async fn launch(&mut self) {
        self.chain = Some(EmbeddedChain::start(self.options.clone()).await.unwrap());
    }
}

//! The nodes that the contract is held against.

use std::path::PathBuf;

use sluice_regtest::daemons::elementsd as daemon;
use sluice_regtest::liquid::{Auth, LiquidChain, Options, Release};
use tempfile::TempDir;

/// Which node a test runs against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// The embedded chain in the dialect of a release.
    Embedded(Release),
    /// A real one.
    Elementsd,
}

pub enum Node {
    Embedded(Box<Embedded>),
    Elementsd(daemon::Elementsd),
}

impl Node {
    /// None, loudly, where there is no such node.
    pub async fn start(backend: Backend) -> Option<Node> {
        match backend {
            Backend::Embedded(release) => Some(Node::Embedded(Box::new(Embedded::start(release).await))),
            Backend::Elementsd => Self::real(&["-acceptdiscountct=1", "-creatediscountct=1"]).await,
        }
    }

    /// A real node with these options. None, loudly, where there is none.
    pub async fn real(options: &[&str]) -> Option<Node> {
        let Some(exe) = daemon::find() else {
            eprintln!(
                "SKIPPED: elementsd not found: set {} or put it into the PATH",
                daemon::EXE
            );
            return None;
        };
        Some(Node::Elementsd(daemon::Elementsd::start(&exe, options).await.unwrap()))
    }

    pub fn url(&self) -> String {
        match self {
            Node::Embedded(node) => node.chain().rpc_url(),
            Node::Elementsd(node) => node.url(),
        }
    }

    pub fn cookie(&self) -> PathBuf {
        match self {
            Node::Embedded(node) => node.dir.path().join("cookie"),
            Node::Elementsd(node) => node.cookie(),
        }
    }

    pub async fn stop(&mut self) {
        match self {
            Node::Embedded(node) => node.stop(),
            Node::Elementsd(node) => node.stop().await.unwrap(),
        }
    }

    pub async fn launch(&mut self) {
        match self {
            Node::Embedded(node) => node.launch().await,
            Node::Elementsd(node) => node.launch().await.unwrap(),
        }
    }
}

/// The embedded chain, with what it needs to be started again.
pub struct Embedded {
    chain: Option<LiquidChain>,
    options: Options,
    dir: TempDir,
}

impl Embedded {
    async fn start(release: Release) -> Self {
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

    pub fn chain(&self) -> &LiquidChain {
        self.chain.as_ref().expect("it runs")
    }

    fn stop(&mut self) {
        let chain = self.chain.take().expect("it runs");
        chain.forget_memory();
        chain.save().unwrap();
    }

    async fn launch(&mut self) {
        self.chain = Some(LiquidChain::start(self.options.clone()).await.unwrap());
    }
}

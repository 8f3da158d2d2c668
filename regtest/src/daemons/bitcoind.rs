//! bitcoind on regtest.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use jsonrpsee::core::client::ClientT;
use jsonrpsee::core::params::ArrayParams;
use jsonrpsee::http_client::{HttpClient, HttpClientBuilder};
use serde::de::DeserializeOwned;
use tempfile::TempDir;

use super::{Process, free_port, wait_for};

/// The P2WSH example of BIP 173, on regtest: an address of nobody.
const NOBODY: &str = "bcrt1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qzf4jry";
const START_LIMIT: Duration = Duration::from_secs(30);
/// After so many blocks a block's reward can be spent.
const MATURITY: u32 = 100;

/// A node of a Bitcoin chain of its own.
#[derive(Debug)]
pub struct Bitcoind {
    process: Process,
    client: HttpClient,
    folder: TempDir,
    port: u16,
    password: String,
    cli: PathBuf,
}

/// Name of the RPC's user.
const USER: &str = "sluice";

impl Bitcoind {
    /// Starts it and waits until it answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn start(program: &Path) -> Result<Bitcoind> {
        let folder = tempfile::Builder::new().prefix("sluice-bitcoind-").tempdir()?;
        let (port, password) = (free_port()?, hex::encode(rand::random::<[u8; 16]>()));
        let arguments = [
            "-regtest".into(),
            format!("-datadir={}", folder.path().display()),
            "-server=1".into(),
            "-listen=0".into(),
            "-txindex=1".into(),
            "-fallbackfee=0.00001".into(),
            "-rpcbind=127.0.0.1".into(),
            "-rpcallowip=127.0.0.1".into(),
            format!("-rpcport={port}"),
            format!("-rpcuser={USER}"),
            format!("-rpcpassword={password}"),
            "-printtoconsole=1".into(),
        ];
        let process = Process::start("bitcoind", program, &arguments, &folder.path().join("output"))?;
        let client = HttpClientBuilder::new().build(format!("http://{USER}:{password}@127.0.0.1:{port}"))?;
        let mut bitcoind = Bitcoind {
            process,
            client,
            folder,
            port,
            password,
            cli: program.with_file_name("bitcoin-cli"),
        };
        bitcoind.wait_ready().await?;
        Ok(bitcoind)
    }

    async fn wait_ready(&mut self) -> Result<()> {
        let client = self.client.clone();
        let ready = wait_for("bitcoind's RPC", START_LIMIT, || {
            let ended = self.process.check();
            let client = client.clone();
            async move {
                ended?;
                Ok(Some(
                    client.request::<u32, _>("getblockcount", ArrayParams::new()).await?,
                ))
            }
        });
        ready.await?;
        Ok(())
    }

    /// Makes one RPC call.
    ///
    /// # Errors
    /// With bitcoind's own.
    pub async fn call<T: DeserializeOwned + Send>(&self, method: &str, params: ArrayParams) -> Result<T> {
        self.client
            .request(method, params)
            .await
            .with_context(|| format!("bitcoind {method}"))
    }

    /// Mines blocks to nobody.
    ///
    /// # Errors
    /// With bitcoind's own.
    pub async fn mine(&self, blocks: u32) -> Result<()> {
        self.mine_to(NOBODY, blocks).await
    }

    async fn mine_to(&self, address: &str, blocks: u32) -> Result<()> {
        let _hashes: Vec<String> = self
            .call("generatetoaddress", jsonrpsee::rpc_params![blocks, address])
            .await?;
        Ok(())
    }

    /// Mines a block's reward to an address and makes it spendable.
    ///
    /// # Errors
    /// With bitcoind's own.
    pub async fn fund(&self, address: &str) -> Result<()> {
        self.mine_to(address, 1).await?;
        self.mine(MATURITY).await
    }

    /// The height of its best block.
    ///
    /// # Errors
    /// With bitcoind's own.
    pub async fn height(&self) -> Result<u32> {
        self.call("getblockcount", ArrayParams::new()).await
    }

    /// Where its RPC listens.
    #[must_use]
    pub fn rpc_address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// User and password of its RPC.
    #[must_use]
    pub fn credentials(&self) -> (&'static str, &str) {
        (USER, &self.password)
    }

    /// The `bitcoin-cli` beside it.
    #[must_use]
    pub fn cli(&self) -> &Path {
        &self.cli
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.folder.path().into()
    }
}

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
use jsonrpsee::core::traits::ToRpcParams;

/// The P2WSH example of BIP 173, on regtest: an address of nobody.
pub const NOBODY: &str = "bcrt1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qzf4jry";
/// Connections stay for ten minutes without a call. One that the server ends after its usual half a minute, just as the
/// next call goes out on it, fails that call.
pub(super) const KEEP_CALLERS: &str = "-rpcservertimeout=600";
const START_LIMIT: Duration = Duration::from_secs(30);
/// After so many blocks a block's reward can be spent.
pub const MATURITY: u32 = 100;
/// So many more: wallets lock a transaction to one of the last hundred heights (anti fee sniping), and Bitcoin Knots relays
/// none that is locked to 21 (its policy `parasite-cat21`).
const PAST_LOCKTIMES: u32 = 30;

/// A node of a Bitcoin chain of its own.
#[derive(Debug)]
pub struct Bitcoind {
    program: PathBuf,
    process: Option<Process>,
    client: HttpClient,
    folder: TempDir,
    port: u16,
    password: String,
    options: Vec<String>,
}

/// Name of the RPC's user.
const USER: &str = "sluice";

impl Bitcoind {
    /// Starts it and waits until it answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn start(program: &Path) -> Result<Bitcoind> {
        Bitcoind::start_with(program, &[]).await
    }

    /// The same with these options besides the usual ones, such as `-disablewallet=1`.
    ///
    /// # Errors
    /// When it does not.
    pub async fn start_with(program: &Path, options: &[&str]) -> Result<Bitcoind> {
        let folder = tempfile::Builder::new().prefix("sluice-bitcoind-").tempdir()?;
        let (port, password) = (free_port()?, hex::encode(rand::random::<[u8; 16]>()));
        let client = HttpClientBuilder::new().build(format!("http://{USER}:{password}@127.0.0.1:{port}"))?;
        let mut bitcoind = Bitcoind {
            program: program.to_owned(),
            process: None,
            client,
            folder,
            port,
            password,
            options: options.iter().map(|&option| option.to_owned()).collect(),
        };
        bitcoind.launch().await?;
        Ok(bitcoind)
    }

    /// Starts it again on the same folder and port after [`Bitcoind::kill`], and waits until it answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn launch(&mut self) -> Result<()> {
        let usual = [
            "-regtest".into(),
            format!("-datadir={}", self.folder.path().display()),
            "-server=1".into(),
            "-listen=0".into(),
            "-txindex=1".into(),
            // As other chains have it: on regtest it checks its whole index at every block.
            "-checkblockindex=0".into(),
            // Twice what is relayed at least: a transaction that pays the least by an estimate is sometimes refused.
            "-fallbackfee=0.00002".into(),
            "-rpcbind=127.0.0.1".into(),
            "-rpcallowip=127.0.0.1".into(),
            format!("-rpcport={}", self.port),
            KEEP_CALLERS.into(),
            format!("-rpcuser={USER}"),
            format!("-rpcpassword={}", self.password),
            "-printtoconsole=1".into(),
        ];
        let arguments: Vec<String> = usual.into_iter().chain(self.options.iter().cloned()).collect();
        let output = self.folder.path().join("output");
        self.process = Some(Process::start("bitcoind", &self.program, &arguments, &output)?);
        self.wait_ready().await
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Sends a signal, by its name without `SIG`.
    ///
    /// # Errors
    /// When it does not run.
    pub fn signal(&self, name: &str) -> Result<()> {
        let process = self.process.as_ref().context("bitcoind does not run")?;
        super::signal(process.pid(), name)
    }

    async fn wait_ready(&mut self) -> Result<()> {
        let client = self.client.clone();
        let ready = wait_for("bitcoind's RPC", START_LIMIT, || {
            let ended = self.process.as_mut().map_or(Ok(()), Process::check);
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

    /// Makes one RPC call on a wallet.
    ///
    /// # Errors
    /// With bitcoind's own.
    pub async fn call_wallet<T: DeserializeOwned + Send>(
        &self,
        wallet: &str,
        method: &str,
        params: impl ToRpcParams + Send,
    ) -> Result<T> {
        let (password, port) = (&self.password, self.port);
        let url = format!("http://{USER}:{password}@127.0.0.1:{port}/wallet/{wallet}");
        let client = HttpClientBuilder::new().build(url)?;
        let answer = client.request(method, params).await;
        answer.with_context(|| format!("bitcoind {method}"))
    }

    /// Mines blocks to nobody.
    ///
    /// # Errors
    /// With bitcoind's own.
    pub async fn mine(&self, blocks: u32) -> Result<()> {
        self.mine_to(NOBODY, blocks).await
    }

    /// Mines blocks to an address.
    ///
    /// # Errors
    /// With bitcoind's own.
    pub async fn mine_to(&self, address: &str, blocks: u32) -> Result<()> {
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
        self.mine(MATURITY + PAST_LOCKTIMES).await
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
    pub fn cli(&self) -> PathBuf {
        self.program.with_file_name("bitcoin-cli")
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.folder.path().into()
    }
}

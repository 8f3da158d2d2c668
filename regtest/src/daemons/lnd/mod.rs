//! lnd on regtest.

mod channels;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use sluice::node::lnd::LndConfig;
use tempfile::TempDir;

use super::bitcoind::Bitcoind;
use super::{Process, free_port, wait_for};

const START_LIMIT: Duration = Duration::from_secs(60);
const CHANNEL_LIMIT: Duration = Duration::from_secs(20);
/// How long a request for a connection may take before it is made again.
const ASK_AGAIN: Duration = Duration::from_secs(3);
/// A thousand blocks take 5 s, and several times that where others want the processors too.
const SYNC_LIMIT: Duration = Duration::from_secs(150);

/// A Lightning node.
#[derive(Debug)]
pub struct Lnd {
    name: String,
    program: PathBuf,
    arguments: Vec<String>,
    folder: TempDir,
    rpc_port: u16,
    peer_port: u16,
    process: Option<Process>,
}

impl Lnd {
    /// Starts a node with a wallet of its own and waits until it follows the chain.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(program: &Path, name: &str, bitcoind: &Bitcoind) -> Result<Lnd> {
        let mut lnd = Lnd::prepare(program, name, bitcoind)?;
        lnd.arguments.push("--noseedbackup".into());
        lnd.launch()?;
        lnd.wait_active().await?;
        Ok(lnd)
    }

    /// Starts a node that has no wallet yet: it answers, but does nothing.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start_without_wallet(program: &Path, name: &str, bitcoind: &Bitcoind) -> Result<Lnd> {
        let mut lnd = Lnd::prepare(program, name, bitcoind)?;
        lnd.launch()?;
        lnd.wait_state("NON_EXISTING").await?;
        Ok(lnd)
    }

    fn prepare(program: &Path, name: &str, bitcoind: &Bitcoind) -> Result<Lnd> {
        let folder = tempfile::Builder::new().prefix("sluice-lnd-").tempdir()?;
        let (rpc_port, peer_port) = (free_port()?, free_port()?);
        let (user, password) = bitcoind.credentials();
        let arguments = vec![
            format!("--lnddir={}", folder.path().display()),
            format!("--alias={name}"),
            format!("--rpclisten=127.0.0.1:{rpc_port}"),
            format!("--listen=127.0.0.1:{peer_port}"),
            "--norest".into(),
            "--nobootstrap".into(),
            "--tlsdisableautofill".into(),
            "--logging.file.disable".into(),
            // Else announcements take 90 s.
            "--trickledelay=1800".into(),
            "--minbackoff=200ms".into(),
            "--maxbackoff=1s".into(),
            "--protocol.option-scid-alias".into(),
            "--protocol.zero-conf".into(),
            "--bitcoin.regtest".into(),
            "--bitcoin.defaultchanconfs=1".into(),
            // Else a peer takes one channel at a time.
            "--maxpendingchannels=1000".into(),
            "--bitcoin.node=bitcoind".into(),
            "--bitcoind.rpcpolling".into(),
            "--bitcoind.blockpollinginterval=100ms".into(),
            "--bitcoind.txpollinginterval=100ms".into(),
            format!("--bitcoind.rpchost={}", bitcoind.rpc_address()),
            format!("--bitcoind.rpcuser={user}"),
            format!("--bitcoind.rpcpass={password}"),
        ];
        Ok(Lnd {
            name: name.into(),
            program: program.into(),
            arguments,
            folder,
            rpc_port,
            peer_port,
            process: None,
        })
    }

    fn launch(&mut self) -> Result<()> {
        let output = self.folder.path().join("output");
        self.process = Some(Process::start(&self.name, &self.program, &self.arguments, &output)?);
        Ok(())
    }

    /// Kills it, as `kill -9` does.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Starts it again, with the same folder and ports, and waits until it serves.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn restart(&mut self) -> Result<()> {
        self.kill();
        self.launch()?;
        self.wait_active().await
    }

    async fn wait_active(&mut self) -> Result<()> {
        self.wait_state("SERVER_ACTIVE").await
    }

    async fn wait_state(&mut self, wanted: &str) -> Result<()> {
        let process = self.process.as_mut().context("lnd is not running")?;
        let until = tokio::time::Instant::now() + START_LIMIT;
        loop {
            process.check()?;
            let state = lncli(&self.program, self.folder.path(), self.rpc_port, &["state"]).await;
            match state {
                Ok(answer) if answer["state"] == wanted => return Ok(()),
                answer if tokio::time::Instant::now() >= until => {
                    bail!(
                        "{} is not {wanted} after {START_LIMIT:?}: {answer:?}\n{}",
                        self.name,
                        process.tail()
                    )
                }
                Ok(_) | Err(_) => tokio::time::sleep(super::LOOK_EVERY).await,
            }
        }
    }

    /// How its gRPC is reached.
    #[must_use]
    pub fn config(&self) -> LndConfig {
        LndConfig {
            address: format!("127.0.0.1:{}", self.rpc_port),
            tls_cert: self.folder.path().join("tls.cert"),
            macaroon: self.folder.path().join("data/chain/bitcoin/regtest/admin.macaroon"),
        }
    }

    /// Bakes a macaroon of these permissions, such as `offchain:read`, and tells its file.
    ///
    /// # Errors
    /// With lncli's own.
    pub async fn bake(&self, name: &str, permissions: &[&str]) -> Result<PathBuf> {
        let path = self.folder.path().join(name);
        let save = format!("--save_to={}", path.display());
        let mut arguments = vec!["bakemacaroon", &save];
        arguments.extend(permissions);
        self.cli(&arguments).await?;
        Ok(path)
    }

    /// Its process id, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }

    /// The last lines that it printed.
    #[must_use]
    pub fn tail(&self) -> String {
        self.process.as_ref().map(Process::tail).unwrap_or_default()
    }

    /// Runs `lncli` and reads its answer.
    ///
    /// # Errors
    /// With what lncli printed.
    pub async fn cli(&self, arguments: &[&str]) -> Result<Value> {
        lncli(&self.program, self.folder.path(), self.rpc_port, arguments).await
    }

    /// Its identity, hex.
    ///
    /// # Errors
    /// With lncli's own.
    pub async fn id(&self) -> Result<String> {
        let info = self.cli(&["getinfo"]).await?;
        info["identity_pubkey"]
            .as_str()
            .map(str::to_string)
            .context("getinfo without identity_pubkey")
    }

    /// Connects to another node, once and for all: lnd keeps the connection up.
    ///
    /// # Errors
    /// With lncli's own.
    pub async fn connect(&self, other: &Lnd) -> Result<()> {
        self.connect_to(&other.id().await?, other.peer_port).await
    }

    /// Where other nodes reach it on 127.0.0.1.
    #[must_use]
    pub fn peer_port(&self) -> u16 {
        self.peer_port
    }

    /// Connects to a node of any kind on 127.0.0.1, once and for all, and waits until they are.
    ///
    /// # Errors
    /// With lncli's own, or when they do not come to be connected.
    pub async fn connect_to(&self, id: &str, port: u16) -> Result<()> {
        let address = format!("{id}@127.0.0.1:{port}");
        // `--perm` answers before it has dialled, and a channel is opened only with a peer that is there. A request that
        // meets the end of an earlier connection is thrown away with it (`peerTerminationWatcher` in lnd's server.go), so
        // that it is made again until one has lasted.
        wait_for("lnd to be connected", CHANNEL_LIMIT, || async {
            match self.cli(&["connect", "--perm", &address]).await {
                Err(e) if !format!("{e:#}").contains("already connected") => return Err(e),
                Ok(_) | Err(_) => {}
            }
            let there = wait_for("its peer", ASK_AGAIN, || async {
                Ok(self.has_peer(id).await?.then_some(()))
            });
            Ok(there.await.ok())
        })
        .await
    }

    /// Ends its connection to this node, and waits until it is gone.
    ///
    /// # Errors
    /// With lncli's own, or when they stay connected.
    pub async fn disconnect(&self, id: &str) -> Result<()> {
        self.cli(&["disconnect", id]).await?;
        wait_for("lnd to be disconnected", CHANNEL_LIMIT, || async {
            Ok((!self.has_peer(id).await?).then_some(()))
        })
        .await
    }

    async fn has_peer(&self, id: &str) -> Result<bool> {
        let answer = self.cli(&["listpeers"]).await?;
        let mut peers = answer["peers"].as_array().into_iter().flatten();
        Ok(peers.any(|peer| peer["pub_key"] == id))
    }

    /// Funds its wallet by mining.
    ///
    /// # Errors
    /// With lncli's or bitcoind's own, or when the money does not show up.
    pub async fn fund(&self, bitcoind: &Bitcoind) -> Result<()> {
        let address = self.cli(&["newaddress", "p2tr"]).await?;
        bitcoind
            .fund(address["address"].as_str().context("newaddress without address")?)
            .await?;
        let funded = wait_for("lnd's wallet to see its money", CHANNEL_LIMIT, || async {
            let balance = self.cli(&["walletbalance"]).await?;
            Ok((balance["confirmed_balance"] != "0").then_some(()))
        });
        funded.await?;
        self.wait_synced().await
    }

    /// Waits until it calls itself synced; it does so only while the tip is recent.
    ///
    /// # Errors
    /// When it does not.
    pub async fn wait_synced(&self) -> Result<()> {
        let synced = wait_for("lnd to be synced", SYNC_LIMIT, || async {
            Ok((self.cli(&["getinfo"]).await?["synced_to_chain"] == true).then_some(()))
        });
        synced.await
    }
}

async fn lncli(lnd: &Path, folder: &Path, port: u16, arguments: &[&str]) -> Result<Value> {
    let output = tokio::process::Command::new(lnd.with_file_name("lncli"))
        .arg(format!("--lnddir={}", folder.display()))
        .arg(format!("--rpcserver=127.0.0.1:{port}"))
        .arg("--network=regtest")
        .args(arguments)
        .output()
        .await
        .context("cannot run lncli beside lnd")?;
    if !output.status.success() {
        bail!(
            "lncli {}: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let text = String::from_utf8_lossy(&output.stdout);
    // Some commands print a line for people, or nothing.
    Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
}

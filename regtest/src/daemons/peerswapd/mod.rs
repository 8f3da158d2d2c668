//! Go PeerSwap (`peerswapd`, the form that goes with LND) on regtest, spoken to by its own `pscli`.
//!
//! It is in no package registry: built from <https://github.com/ElementsProject/peerswap>, `pscli` beside it.

mod swap;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sluice::node::lnd::LndConfig;
use sluice::swap::Kind;
use sluice::units::{Asset, NodeId, Ppm, Scid, SwapId};

use super::{Process, free_port, require, wait_for};
use swap::{Listed, Shown, number};

pub use swap::Swap;

/// It waits 10 s for its node, and as long again for an elementsd that it calls syncing.
const START_LIMIT: Duration = Duration::from_secs(60);
/// The least it swaps: 1,000 sat, so that small swaps can be shown too.
const POLICY: &str = "accept_all_peers=true\nmin_swap_amount_msat=1000000\n";

/// Where it finds its node and its chains.
#[derive(Debug, Clone)]
pub struct Backends {
    /// Its Lightning node, through which it swaps BTC as well.
    pub lnd: LndConfig,
    /// Its elementsd.
    pub elements: Elements,
    /// Whether it swaps BTC.
    pub bitcoin: bool,
}

/// An elementsd as Go PeerSwap wants it: `-acceptdiscountct=1 -deprecatedrpc=warnings`, with at least one block.
#[derive(Debug, Clone)]
pub struct Elements {
    /// The port of 127.0.0.1 that its RPC listens at.
    pub port: u16,
    /// The RPC's user.
    pub user: String,
    /// The RPC's password.
    pub password: String,
    /// The wallet; made if it is not there.
    pub wallet: String,
}

/// What it is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    /// Which way its Lightning balance moves.
    pub kind: Kind,
    /// What for.
    pub asset: Asset,
    /// Over which channel.
    pub channel: Scid,
    /// How much, without premium.
    pub amount_sat: u64,
    /// The most premium that it pays; its command line takes no negative one.
    pub limit: Ppm,
}

/// A `peerswapd`, running or not. Dropped, it is killed.
#[derive(Debug)]
pub struct Peerswapd {
    name: String,
    program: PathBuf,
    pscli: PathBuf,
    folder: PathBuf,
    port: u16,
    process: Option<Process>,
}

/// Where `peerswapd` and `pscli` are.
///
/// # Errors
/// When one of them is nowhere; the text says what to set.
pub fn programs() -> Result<(PathBuf, PathBuf)> {
    let program = require("peerswapd")?;
    let pscli = program.with_file_name("pscli");
    ensure!(pscli.is_file(), "{} has no pscli beside it", program.display());
    Ok((program, pscli))
}

/// The version of the PeerSwap protocol that a `peerswapd` speaks. It has no option that tells: it is started without
/// a node, and says so before it misses one.
///
/// # Errors
/// If it cannot be run, or does not say.
pub async fn protocol_version(program: &Path) -> Result<u8> {
    let folder = tempfile::Builder::new().prefix("sluice-peerswapd-").tempdir()?;
    let nothing = folder.path().join("nothing");
    let option = |name: &str| format!("--{name}={}", nothing.display());
    let output = tokio::process::Command::new(program)
        .env("HOME", folder.path())
        .arg(format!("--datadir={}", folder.path().display()))
        .args([option("configfile"), option("policyfile"), option("lnd.tlscertpath")])
        .args([option("lnd.macaroonpath"), "--lnd.host=127.0.0.1:1".into()])
        .arg("--bitcoinswaps")
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(START_LIMIT, output).await??;
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    let said = said.join("\n");
    let version = said.split("Protocol version: ").nth(1);
    let digits = version.map(|rest| rest.chars().take_while(char::is_ascii_digit).collect::<String>());
    let version = digits.and_then(|digits| digits.parse().ok());
    version.with_context(|| format!("{} does not tell its protocol version: {said}", program.display()))
}

impl Peerswapd {
    /// Starts it in a folder of its own and waits until it answers, which takes it more than 10 s. Its policy lets
    /// everybody swap.
    ///
    /// # Errors
    /// When a program is missing, or it does not start.
    pub async fn start(name: &str, folder: PathBuf, backends: &Backends) -> Result<Peerswapd> {
        let (program, pscli) = programs()?;
        std::fs::create_dir_all(&folder)?;
        let (port, rest) = (free_port()?, free_port()?);
        std::fs::write(folder.join("peerswap.conf"), configuration(backends, port, rest))?;
        std::fs::write(folder.join("policy.conf"), POLICY)?;
        let mut daemon = Peerswapd {
            name: format!("{name}'s peerswapd"),
            program,
            pscli,
            folder,
            port,
            process: None,
        };
        daemon.begin().await?;
        Ok(daemon)
    }

    /// Starts it again, with the same folder and port, and waits until it answers.
    ///
    /// # Errors
    /// With its last lines, if it ends or does not answer in time.
    pub async fn begin(&mut self) -> Result<()> {
        let file = |option: &str, name: &str| format!("--{option}={}", self.folder.join(name).display());
        let mut command = Command::new(&self.program);
        // It looks for its files in the home folder before it reads where they are.
        command.env("HOME", &self.folder).args([
            format!("--datadir={}", self.folder.display()),
            file("configfile", "peerswap.conf"),
            file("policyfile", "policy.conf"),
        ]);
        let process = Process::spawn(&self.name, command, &self.log_path())?;
        self.process = Some(process);
        let process = std::cell::RefCell::new(&mut self.process);
        let (pscli, port) = (&self.pscli, self.port);
        wait_for(&self.name, START_LIMIT, || async {
            if let Some(process) = process.borrow_mut().as_mut()
                && let Err(ended) = process.check()
            {
                return Ok(Some(Err(ended)));
            }
            call(pscli, port, &["listactiveswaps"]).await?;
            Ok(Some(Ok(())))
        })
        .await?
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Asks it to end and waits until it has.
    ///
    /// # Errors
    /// If it has not ended in time.
    pub async fn stop(&mut self) -> Result<()> {
        self.cli::<serde_json::Value>(&["stop"]).await?;
        let Some(mut process) = self.process.take() else {
            return Ok(());
        };
        wait_for("the daemon's end", START_LIMIT, || {
            let ended = process.check().is_err().then_some(());
            async move { Ok(ended) }
        })
        .await
    }

    /// Its process id, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }

    /// Everything that it printed.
    #[must_use]
    pub fn log_path(&self) -> PathBuf {
        self.folder.join("output")
    }

    /// The last lines that it printed.
    #[must_use]
    pub fn tail(&self) -> String {
        super::tail(&self.log_path())
    }

    /// Where its gRPC listens, without TLS.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Orders a swap, and waits, as `pscli` does, until the opening is published or the swap is cancelled: at most 30 s.
    ///
    /// # Errors
    /// With its own: also why the swap was cancelled.
    pub async fn order(&self, order: &Order) -> Result<Swap> {
        let command = match order.kind {
            Kind::In => "swapin",
            Kind::Out => "swapout",
        };
        let (channel, amount) = (order.channel.0.to_string(), order.amount_sat.to_string());
        // it takes the asset in lower case here, and in either case elsewhere
        let (asset, limit) = (order.asset.to_string(), order.limit.0.to_string());
        let options = ["--channel_id", &channel, "--sat_amt", &amount, "--asset", &asset];
        let arguments = [&[command][..], &options, &["--premium_limit_rate_ppm", &limit]].concat();
        let Shown { swap } = self.cli(&arguments).await?;
        Ok(swap)
    }

    /// A swap; None if it has stored none with that id.
    ///
    /// # Errors
    /// With its own.
    pub async fn swap(&self, id: SwapId) -> Result<Option<Swap>> {
        match self.cli::<Shown>(&["getswap", "--id", &id.to_string()]).await {
            Ok(Shown { swap }) => Ok(Some(swap)),
            Err(error) if format!("{error:#}").contains("data not in store") => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All swaps that it has stored.
    ///
    /// # Errors
    /// With its own.
    pub async fn swaps(&self) -> Result<Vec<Swap>> {
        let Listed { swaps } = self.cli(&["listswaps", "--page_size", "0"]).await?;
        Ok(swaps)
    }

    /// The peers that it can swap with: those that have told it the same protocol version.
    ///
    /// # Errors
    /// With its own.
    pub async fn peers(&self) -> Result<Vec<NodeId>> {
        #[derive(Deserialize)]
        struct Peer {
            node_id: NodeId,
        }
        #[derive(Deserialize)]
        struct Peers {
            peers: Vec<Peer>,
        }
        let Peers { peers } = self.cli(&["listpeers"]).await?;
        Ok(peers.into_iter().map(|peer| peer.node_id).collect())
    }

    /// Sets the premium that it asks of everybody, and tells its peers.
    ///
    /// # Errors
    /// With its own.
    pub async fn set_premium(&self, asset: Asset, kind: Kind, rate: Ppm) -> Result<()> {
        let operation = match kind {
            Kind::In => "SWAP_IN",
            Kind::Out => "SWAP_OUT",
        };
        let (asset, rate) = (asset.to_string().to_uppercase(), rate.0.to_string());
        let options = ["--asset", &asset, "--operation", operation, "--rate", &rate];
        let arguments = [&["updateglobalpremiumrate"][..], &options].concat();
        self.cli::<serde_json::Value>(&arguments).await.map(drop)
    }

    /// Forgives a peer: after a refund by the timelock it refuses every swap with who did not pay.
    ///
    /// # Errors
    /// With its own, also if it does not suspect the peer.
    pub async fn trust_again(&self, peer: NodeId) -> Result<()> {
        let peer = peer.to_string();
        self.cli::<serde_json::Value>(&["removesuspeer", "--peer_pubkey", &peer])
            .await
            .map(drop)
    }

    /// Replaces its policy file and has it read. Tells what it made of it.
    ///
    /// # Errors
    /// With its own: a file that it cannot read leaves the old policy in force.
    pub async fn reload_policy(&self, policy: &str) -> Result<serde_json::Value> {
        std::fs::write(self.folder.join("policy.conf"), policy)?;
        self.cli(&["reloadpolicy"]).await
    }

    /// A new address of its Liquid wallet.
    ///
    /// # Errors
    /// With its own.
    pub async fn lbtc_address(&self) -> Result<String> {
        #[derive(Deserialize)]
        struct Answer {
            address: String,
        }
        let Answer { address } = self.cli(&["lbtc-getaddress"]).await?;
        Ok(address)
    }

    /// What its Liquid wallet can spend, in satoshi.
    ///
    /// # Errors
    /// With its own.
    pub async fn lbtc_balance(&self) -> Result<i64> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(deserialize_with = "number")]
            sat_amount: i64,
        }
        let Answer { sat_amount } = self.cli(&["lbtc-getbalance"]).await?;
        Ok(sat_amount)
    }

    async fn cli<T: DeserializeOwned>(&self, arguments: &[&str]) -> Result<T> {
        let printed = call(&self.pscli, self.port, arguments).await;
        let printed = printed.with_context(|| self.name.clone())?;
        serde_json::from_str(&printed).with_context(|| format!("{} {}: {printed}", self.name, arguments.join(" ")))
    }
}

fn configuration(backends: &Backends, port: u16, rest: u16) -> String {
    let Backends { lnd, elements, bitcoin } = backends;
    [
        format!("host=127.0.0.1:{port}"),
        format!("resthost=127.0.0.1:{rest}"),
        format!("lnd.host={}", lnd.address),
        format!("lnd.tlscertpath={}", lnd.tls_cert.display()),
        format!("lnd.macaroonpath={}", lnd.macaroon.display()),
        format!("bitcoinswaps={bitcoin}"),
        format!("elementsd.rpcuser={}", elements.user),
        format!("elementsd.rpcpass={}", elements.password),
        "elementsd.rpchost=http://127.0.0.1".into(),
        format!("elementsd.rpcport={}", elements.port),
        format!("elementsd.rpcwallet={}", elements.wallet),
        "elementsd.liquidswaps=true\n".into(),
    ]
    .join("\n")
}

async fn call(pscli: &Path, port: u16, arguments: &[&str]) -> Result<String> {
    let output = tokio::process::Command::new(pscli)
        .arg(format!("--rpchost=127.0.0.1:{port}"))
        .args(arguments)
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| format!("cannot run {}", pscli.display()))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        bail!("pscli {}: {}", arguments.join(" "), words.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

//! lightningd (Core Lightning) on regtest.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use sluice::node::cln::ClnConfig;
use sluice::units::Scid;
use tempfile::TempDir;

use super::bitcoind::Bitcoind;
use super::{Process, free_port, wait_for};

const START_LIMIT: Duration = Duration::from_secs(60);
const CHANNEL_LIMIT: Duration = Duration::from_secs(30);
/// It starts a program for every block: a thousand take half a minute where others want the processors too.
const SYNC_LIMIT: Duration = Duration::from_secs(150);

/// What no test needs: each plugin is a process.
const UNUSED_PLUGINS: [&str; 10] = [
    "autoclean",
    "bookkeeper",
    "chanbackup",
    "cln-renepay",
    "commando",
    "exposesecret",
    "funder",
    "keysend",
    "recover",
    "sql",
];

/// A Lightning node.
#[derive(Debug)]
pub struct Lightningd {
    name: String,
    program: PathBuf,
    arguments: Vec<String>,
    folder: TempDir,
    grpc_port: u16,
    peer_port: u16,
    process: Option<Process>,
}

impl Lightningd {
    /// Starts a node and waits until it follows the chain.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(program: &Path, name: &str, bitcoind: &Bitcoind) -> Result<Lightningd> {
        let folder = tempfile::Builder::new().prefix("sluice-cln-").tempdir()?;
        let (grpc_port, peer_port) = (free_port()?, free_port()?);
        let mut node = Lightningd {
            name: name.into(),
            program: program.into(),
            arguments: arguments(name, folder.path(), (grpc_port, peer_port), bitcoind),
            folder,
            grpc_port,
            peer_port,
            process: None,
        };
        node.restart().await?;
        node.wait_synced(bitcoind).await?;
        Ok(node)
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
        // Its plugins outlive it for a moment. One that finds its port taken takes the whole node down.
        let port = self.grpc_port;
        wait_for("the last run's plugins to end", START_LIMIT, || async move {
            Ok(Some(TcpListener::bind((Ipv4Addr::LOCALHOST, port))?))
        })
        .await?;
        let output = self.folder.path().join("output");
        self.process = Some(Process::start(&self.name, &self.program, &self.arguments, &output)?);
        self.wait_serving().await
    }

    async fn wait_serving(&mut self) -> Result<()> {
        let process = self.process.as_mut().context("lightningd is not running")?;
        let until = tokio::time::Instant::now() + START_LIMIT;
        loop {
            process.check()?;
            let answered = lightning_cli(&self.program, self.folder.path(), &["getinfo"]).await;
            let listens = TcpStream::connect((Ipv4Addr::LOCALHOST, self.grpc_port)).is_ok();
            if answered.is_ok() && listens {
                return Ok(());
            }
            if tokio::time::Instant::now() >= until {
                let tail = process.tail();
                bail!(
                    "{} does not serve after {START_LIMIT:?}: {answered:?}\n{tail}",
                    self.name
                );
            }
            tokio::time::sleep(super::LOOK_EVERY).await;
        }
    }

    /// Waits until it has seen the chain's tip.
    ///
    /// # Errors
    /// When it does not.
    pub async fn wait_synced(&self, bitcoind: &Bitcoind) -> Result<()> {
        let synced = wait_for("lightningd to be synced", SYNC_LIMIT, || async {
            let (info, height) = tokio::try_join!(self.cli(&["getinfo"]), bitcoind.height())?;
            let behind = info.get("warning_lightningd_sync").is_some() || info.get("warning_bitcoind_sync").is_some();
            Ok((!behind && info["blockheight"] == height).then_some(()))
        });
        synced.await
    }

    /// How its gRPC is reached.
    #[must_use]
    pub fn config(&self) -> ClnConfig {
        let folder = self.folder.path().join("regtest");
        ClnConfig {
            address: format!("127.0.0.1:{}", self.grpc_port),
            ca_cert: folder.join("ca.pem"),
            client_cert: folder.join("client.pem"),
            client_key: folder.join("client-key.pem"),
        }
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

    /// Runs `lightning-cli` and reads its answer.
    ///
    /// # Errors
    /// With what lightning-cli printed.
    pub async fn cli(&self, arguments: &[&str]) -> Result<Value> {
        lightning_cli(&self.program, self.folder.path(), arguments).await
    }

    /// Its identity, hex.
    ///
    /// # Errors
    /// With lightning-cli's own.
    pub async fn id(&self) -> Result<String> {
        let info = self.cli(&["getinfo"]).await?;
        info["id"].as_str().map(str::to_string).context("getinfo without id")
    }

    /// Where other nodes reach it on 127.0.0.1.
    #[must_use]
    pub fn peer_port(&self) -> u16 {
        self.peer_port
    }

    /// Connects to a node of any kind on 127.0.0.1. Nothing connects them again once the connection is cut.
    ///
    /// # Errors
    /// With lightning-cli's own.
    pub async fn connect_to(&self, id: &str, port: u16) -> Result<()> {
        self.cli(&["connect", id, "127.0.0.1", &port.to_string()])
            .await
            .map(drop)
    }

    /// Cuts the connection to a peer.
    ///
    /// # Errors
    /// With lightning-cli's own.
    pub async fn disconnect(&self, id: &str) -> Result<()> {
        self.cli(&["disconnect", id, "true"]).await.map(drop)
    }

    /// Funds its wallet by mining.
    ///
    /// # Errors
    /// With lightning-cli's or bitcoind's own, or when the money does not show up.
    pub async fn fund(&self, bitcoind: &Bitcoind) -> Result<()> {
        let address = self.cli(&["newaddr", "bech32"]).await?;
        bitcoind
            .fund(address["bech32"].as_str().context("newaddr without address")?)
            .await?;
        let funded = wait_for("lightningd's wallet to see its money", CHANNEL_LIMIT, || async {
            let funds = self.cli(&["listfunds"]).await?;
            let mut outputs = funds["outputs"].as_array().into_iter().flatten();
            Ok(outputs.any(|output| output["status"] == "confirmed").then_some(()))
        });
        funded.await?;
        self.wait_synced(bitcoind).await
    }

    /// Sends the transactions that open so many equal channels with a connected node of any kind.
    ///
    /// # Errors
    /// With lightning-cli's own.
    pub async fn request_channels(&self, to: &str, count: usize, (sat, push_sat): (u64, u64)) -> Result<()> {
        let (amount, push) = (format!("amount={sat}"), format!("push_msat={}", push_sat * 1000));
        for _ in 0..count {
            // The change of one pays for the next.
            let open = ["-k", "fundchannel", &format!("id={to}"), &amount, &push, "minconf=0"];
            self.cli(&open).await?;
        }
        Ok(())
    }

    /// Opens a channel that is used before a block holds it (`option_zeroconf`) with a connected node that accepts that,
    /// and waits until it is in use; tells our alias of it.
    ///
    /// # Errors
    /// With lightning-cli's own, or when the channel does not become active.
    pub async fn open_unconfirmed_channel(&self, to: &str, (sat, push_sat): (u64, u64)) -> Result<Scid> {
        let (amount, push) = (format!("amount={sat}"), format!("push_msat={}", push_sat * 1000));
        let (id, how) = (format!("id={to}"), ["minconf=0", "announce=false", "mindepth=0"]);
        let open = ["-k", "fundchannel", &id, &amount, &push];
        let opened = self.cli(&[&open[..], &how].concat()).await?;
        wait_for("the channel to be in use", CHANNEL_LIMIT, || async {
            let channels = self.channels().await?;
            let ours = channels
                .iter()
                .find(|channel| channel["channel_id"] == opened["channel_id"]);
            let alias = ours
                .filter(|ours| is_active(ours))
                .and_then(|ours| ours["alias"]["local"].as_str());
            Ok(alias.map(str::parse).transpose()?)
        })
        .await
    }

    /// Waits until it has so many channels with a confirmed id, all of them in use.
    ///
    /// # Errors
    /// With lightning-cli's own, or when it does not come to that.
    pub async fn wait_all_active(&self, count: usize) -> Result<Vec<Scid>> {
        wait_for("active channels", CHANNEL_LIMIT, || async {
            let channels = self.channels().await?;
            let mut scids: Vec<Scid> = channels.iter().filter(|c| is_active(c)).filter_map(scid_of).collect();
            scids.sort_unstable();
            Ok((scids.len() == count).then_some(scids))
        })
        .await
    }

    /// Its channels, as `listpeerchannels` shows them.
    ///
    /// # Errors
    /// With lightning-cli's own.
    pub async fn channels(&self) -> Result<Vec<Value>> {
        let answer = self.cli(&["listpeerchannels"]).await?;
        Ok(answer["channels"].as_array().cloned().unwrap_or_default())
    }

    /// What it has on its side of a channel without pending HTLCs, in satoshi.
    ///
    /// # Errors
    /// With lightning-cli's own, or if there is no such channel.
    pub async fn local_sat(&self, scid: Scid) -> Result<u64> {
        let channels = self.channels().await?;
        let ours = channels.iter().find(|channel| scid_of(channel) == Some(scid));
        let ours = ours.with_context(|| format!("{} has no channel {scid}", self.name))?;
        let msat = ours["to_us_msat"].as_u64().context("a channel without to_us_msat")?;
        Ok(msat / 1000)
    }

    /// Makes an invoice.
    ///
    /// # Errors
    /// With lightning-cli's own.
    pub async fn invoice(&self, sat: u64) -> Result<String> {
        let label = hex::encode(rand::random::<[u8; 16]>());
        let made = self
            .cli(&["invoice", &format!("{sat}sat"), &label, "a payment of a test"])
            .await?;
        let bolt11 = made["bolt11"].as_str();
        bolt11.map(str::to_owned).context("invoice without bolt11")
    }

    /// Pays an invoice of the node at the other end of a channel, over it.
    ///
    /// # Errors
    /// With lightning-cli's own: also what the payment failed for.
    pub async fn pay_over(&self, invoice: &str, scid: Scid) -> Result<()> {
        let decoded = self.cli(&["decode", invoice]).await?;
        let field = |name: &'static str| decoded[name].as_str().with_context(|| format!("decode without {name}"));
        let (hash, secret) = (field("payment_hash")?, field("payment_secret")?);
        let delay = decoded["min_final_cltv_expiry"]
            .as_u64()
            .context("an invoice without delta")?;
        let route = serde_json::json!([{
            "id": field("payee")?, "channel": scid.to_string(), "amount_msat": decoded["amount_msat"], "delay": delay + 2,
        }]);
        let (route, hash) = (format!("route={route}"), format!("payment_hash={hash}"));
        let secret = format!("payment_secret={secret}");
        self.cli(&["-k", "sendpay", &route, &hash, &secret]).await?;
        self.cli(&["-k", "waitsendpay", &hash]).await.map(drop)
    }
}

fn arguments(name: &str, folder: &Path, (grpc, peer): (u16, u16), bitcoind: &Bitcoind) -> Vec<String> {
    let (user, password) = bitcoind.credentials();
    let (rpc_host, rpc_port) = bitcoind
        .rpc_address()
        .split_once(':')
        .map(|(host, port)| (host.to_owned(), port.to_owned()))
        .unwrap_or_default();
    let mut arguments = vec![
        format!("--lightning-dir={}", folder.display()),
        "--conf=/dev/null".into(),
        "--network=regtest".into(),
        // Must stand before the first option for developers. Without them it looks for blocks twice a minute.
        "--developer".into(),
        "--dev-fast-gossip".into(),
        "--dev-bitcoind-poll=1".into(),
        // A test decides who is connected.
        "--dev-no-reconnect".into(),
        format!("--alias={name}"),
        "--log-level=debug".into(),
        format!("--addr=127.0.0.1:{peer}"),
        "--grpc-host=127.0.0.1".into(),
        format!("--grpc-port={grpc}"),
        format!("--bitcoin-cli={}", bitcoind.cli().display()),
        format!("--bitcoin-datadir={}", bitcoind.folder().display()),
        format!("--bitcoin-rpcconnect={rpc_host}"),
        format!("--bitcoin-rpcport={rpc_port}"),
        format!("--bitcoin-rpcuser={user}"),
        format!("--bitcoin-rpcpassword={password}"),
        "--funding-confirms=1".into(),
        // regtest has no fee rates to agree on.
        "--ignore-fee-limits=true".into(),
        "--allow-deprecated-apis=false".into(),
    ];
    arguments.extend(UNUSED_PLUGINS.map(|plugin| format!("--disable-plugin={plugin}")));
    arguments
}

fn is_active(channel: &Value) -> bool {
    channel["state"] == "CHANNELD_NORMAL" && channel["peer_connected"] == true && channel["reestablished"] != false
}

fn scid_of(channel: &Value) -> Option<Scid> {
    channel["short_channel_id"].as_str()?.parse().ok()
}

async fn lightning_cli(lightningd: &Path, folder: &Path, arguments: &[&str]) -> Result<Value> {
    let output = tokio::process::Command::new(lightningd.with_file_name("lightning-cli"))
        .arg(format!("--lightning-dir={}", folder.display()))
        .arg("--network=regtest")
        .args(arguments)
        .output()
        .await
        .context("cannot run lightning-cli beside lightningd")?;
    // Errors come as JSON on the standard output.
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("lightning-cli {}: {} {}", arguments.join(" "), text.trim(), said.trim());
    }
    serde_json::from_str(&text).with_context(|| format!("lightning-cli {}", arguments.join(" ")))
}

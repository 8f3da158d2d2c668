//! lnd on regtest.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use sluice::node::lnd::LndConfig;
use sluice::units::Scid;
use tempfile::TempDir;

use super::bitcoind::Bitcoind;
use super::{Process, free_port, wait_for};

const START_LIMIT: Duration = Duration::from_secs(60);
const CHANNEL_LIMIT: Duration = Duration::from_secs(20);

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

    /// Connects to a node of any kind on 127.0.0.1, once and for all.
    ///
    /// # Errors
    /// With lncli's own.
    pub async fn connect_to(&self, id: &str, port: u16) -> Result<()> {
        let address = format!("{id}@127.0.0.1:{port}");
        match self.cli(&["connect", "--perm", &address]).await {
            Err(e) if !format!("{e:#}").contains("already connected") => Err(e),
            Ok(_) | Err(_) => Ok(()),
        }
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
        let synced = wait_for("lnd to be synced", CHANNEL_LIMIT, || async {
            Ok((self.cli(&["getinfo"]).await?["synced_to_chain"] == true).then_some(()))
        });
        synced.await
    }

    /// Opens a channel, confirms it and waits until both ends use it. `push_sat` becomes the other end's.
    ///
    /// # Errors
    /// With lncli's or bitcoind's own, or when the channel does not become active.
    pub async fn open_channel(&self, bitcoind: &Bitcoind, to: &Lnd, sat: u64, push_sat: u64) -> Result<Scid> {
        self.open(bitcoind, to, sat, push_sat, &[]).await
    }

    /// Opens a private channel that goes by aliases (`option_scid_alias`), otherwise as [`Lnd::open_channel`].
    ///
    /// # Errors
    /// As there.
    pub async fn open_alias_channel(&self, bitcoind: &Bitcoind, to: &Lnd, sat: u64, push_sat: u64) -> Result<Scid> {
        self.open(
            bitcoind,
            to,
            sat,
            push_sat,
            &["--private", "--channel_type=anchors", "--scid_alias"],
        )
        .await
    }

    /// Opens so many equal channels by one transaction, otherwise as [`Lnd::open_channel`].
    ///
    /// # Errors
    /// As there.
    pub async fn open_channels(
        &self,
        bitcoind: &Bitcoind,
        to: &Lnd,
        count: usize,
        (sat, push_sat): (u64, u64),
    ) -> Result<Vec<Scid>> {
        self.connect(to).await?;
        self.request_channels(&to.id().await?, count, (sat, push_sat)).await?;
        // The sixth confirmation lets them announce it.
        bitcoind.mine(6).await?;
        let (scids, _) = tokio::try_join!(self.wait_all_active(count), to.wait_all_active(count))?;
        tokio::try_join!(self.wait_synced(), to.wait_synced())?;
        Ok(scids)
    }

    /// Sends one transaction that opens so many equal channels with a connected node of any kind.
    ///
    /// # Errors
    /// With lncli's own.
    pub async fn request_channels(&self, to: &str, count: usize, (sat, push_sat): (u64, u64)) -> Result<()> {
        if count == 0 {
            return Ok(());
        }
        let channel = serde_json::json!({
            "node_pubkey": to, "local_funding_amount": sat, "push_sat": push_sat,
        });
        let channels = Value::from(vec![channel; count]).to_string();
        // The change of one call pays for the next.
        self.cli(&["batchopenchannel", "--sat_per_vbyte=2", "--min_confs=0", &channels])
            .await
            .map(drop)
    }

    /// Waits until it has so many channels, all of them in use, and knows its own policies of them.
    ///
    /// # Errors
    /// With lncli's own, or when it does not come to that.
    pub async fn wait_all_active(&self, count: usize) -> Result<Vec<Scid>> {
        let scids = wait_for("active channels", START_LIMIT, || async {
            let channels = self.cli(&["listchannels", "--active_only"]).await?;
            let numbers = channels["channels"].as_array().into_iter().flatten();
            let mut scids = numbers.filter_map(scid_of).collect::<Vec<Scid>>();
            scids.sort_unstable();
            Ok((scids.len() == count).then_some(scids))
        });
        let scids = scids.await?;
        for scid in &scids {
            self.wait_own_policy(*scid).await?;
        }
        Ok(scids)
    }

    /// What it has on its side of a channel, in satoshi as lnd counts them.
    ///
    /// # Errors
    /// With lncli's own, or if there is no such channel.
    pub async fn local_sat(&self, scid: Scid) -> Result<u64> {
        let channels = self.cli(&["listchannels"]).await?;
        let mut channels = channels["channels"].as_array().into_iter().flatten();
        let ours = channels.find(|channel| scid_of(channel) == Some(scid));
        let ours = ours.with_context(|| format!("{} has no channel {scid}", self.name))?;
        let balance = ours["local_balance"]
            .as_str()
            .context("listchannels without local_balance")?;
        Ok(balance.parse()?)
    }

    /// Makes an invoice.
    ///
    /// # Errors
    /// With lncli's own.
    pub async fn invoice(&self, sat: u64) -> Result<String> {
        let invoice = self.cli(&["addinvoice", &format!("--amt={sat}")]).await?;
        let invoice = invoice["payment_request"].as_str();
        invoice.map(str::to_owned).context("addinvoice without invoice")
    }

    /// Pays an invoice of the node at the other end of a channel, over it.
    ///
    /// # Errors
    /// With lncli's own: also what the payment failed for.
    pub async fn pay_over(&self, invoice: &str, scid: Scid) -> Result<()> {
        let channel = format!("--outgoing_chan_id={}", scid.0);
        self.cli(&["payinvoice", "--force", "--json", &channel, invoice])
            .await
            .map(drop)
    }

    async fn open(&self, bitcoind: &Bitcoind, to: &Lnd, sat: u64, push_sat: u64, more: &[&str]) -> Result<Scid> {
        self.connect(to).await?;
        let peer = to.id().await?;
        let (amount, push) = (format!("--local_amt={sat}"), format!("--push_amt={push_sat}"));
        let node = format!("--node_key={peer}");
        let mut arguments = vec!["openchannel", &node, &amount, &push, "--sat_per_vbyte=2"];
        arguments.extend(more);
        let opened = self.cli(&arguments).await?;
        let txid = opened["funding_txid"]
            .as_str()
            .context("openchannel without funding_txid")?
            .to_string();
        let known = wait_for("the funding transaction", CHANNEL_LIMIT, || async {
            Ok(bitcoind
                .call::<Value>("getmempoolentry", jsonrpsee::rpc_params![&txid])
                .await
                .ok())
        });
        known.await?;
        bitcoind.mine(1).await?;
        let (scid, _) = tokio::try_join!(self.wait_active_channel(&txid), to.wait_active_channel(&txid))?;
        // The sixth confirmation lets them announce it.
        bitcoind.mine(5).await?;
        tokio::try_join!(self.wait_own_policy(scid), to.wait_own_policy(scid))?;
        tokio::try_join!(self.wait_synced(), to.wait_synced())?;
        Ok(scid)
    }

    async fn wait_active_channel(&self, funding_txid: &str) -> Result<Scid> {
        wait_for("an active channel", CHANNEL_LIMIT, || async {
            let channels = self.cli(&["listchannels"]).await?;
            let mut channels = channels["channels"].as_array().into_iter().flatten();
            let ours = channels.find(|channel| {
                let point = channel["channel_point"].as_str().unwrap_or_default();
                point.starts_with(funding_txid) && channel["active"] == true
            });
            Ok(ours.and_then(scid_of))
        })
        .await
    }

    /// Waits until the graph has a channel with our own policy, the first to come: without it no way is found, and a
    /// node killed before that knows the channel again only once it is announced.
    async fn wait_own_policy(&self, scid: Scid) -> Result<()> {
        wait_for("a channel's policy", CHANNEL_LIMIT, || async {
            let edge = self.cli(&["getchaninfo", &scid.0.to_string()]).await?;
            let known = edge["node1_policy"].is_object() || edge["node2_policy"].is_object();
            Ok(known.then_some(()))
        })
        .await
    }
}

/// lncli names the number `scid` and prints `chan_id` as the id of BOLT 2.
fn scid_of(channel: &Value) -> Option<Scid> {
    channel["scid"].as_str()?.parse().ok().map(Scid)
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

//! `sluiced` with a bitcoind and no elementsd, beside an embedded Lightning node on regtest.

use std::process::Output;
use std::time::Duration;

use sluice_regtest::daemons::{Process, free_port, wait_for};
use sluice_regtest::world::{Options, World as Site, build};
use tempfile::TempDir;

use crate::bench::Bench;
use crate::bitcoin::RealBitcoind;
use crate::world::{COIN, COINS, World};

/// How long the daemon may take to start, or to give up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A daemon of its own, with what it printed, and where its API is.
struct Daemon {
    process: Process,
    folder: TempDir,
    url: String,
}

impl Daemon {
    async fn start(site: &Site, bitcoind: &RealBitcoind) -> Self {
        let folder = TempDir::with_prefix("sluiced-").unwrap();
        let (access, port) = (site.lightning.access(0), free_port().unwrap());
        let mut arguments = vec![
            format!("--data-dir={}", folder.path().join("data").display()),
            "--log-format=human".into(),
            format!("--set=api.listen=127.0.0.1:{port}"),
            format!("--set=bitcoin.rpc_url={}", bitcoind.url()),
            format!("--set=bitcoin.cookie_file={}", bitcoind.cookie().display()),
        ];
        arguments.extend(access.arguments());
        let program = build::sluiced().await.unwrap();
        let process = Process::start("sluiced", &program, &arguments, &folder.path().join("output")).unwrap();
        let url = format!("http://127.0.0.1:{port}");
        Self { process, folder, url }
    }

    /// Runs `sluice` against it.
    async fn asked(&self, arguments: &[&str]) -> Output {
        let program = build::sluiced().await.unwrap().with_file_name("sluice");
        let mut command = tokio::process::Command::new(program);
        command
            .args(["--json", "--rpc-url", &self.url, "--data-dir"])
            .arg(self.folder.path().join("data"))
            .args(arguments);
        command.output().await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_runs_on_bitcoind_alone() {
    let Some(world) = World::<RealBitcoind>::start().await else {
        return;
    };
    let site = Site::start(Options::default()).await.unwrap();
    let daemon = Daemon::start(&site, &world.node).await;
    let balance = wait_for("the daemon's wallet", PATIENCE, || async {
        let output = daemon.asked(&["wallet", "balance", "--asset", "btc"]).await;
        anyhow::ensure!(output.status.success(), "{output:?}\n{}", daemon.process.tail());
        let text = String::from_utf8(output.stdout)?;
        Ok(Some(serde_json::from_str::<serde_json::Value>(&text)?))
    });
    let all = COIN * COINS;
    assert_eq!(balance.await.unwrap()["spendable_sat"], all.to_sat());
    let lbtc = daemon.asked(&["wallet", "balance", "--asset", "lbtc"]).await;
    assert_eq!(lbtc.status.code(), Some(1), "{lbtc:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bitcoind_of_another_network_is_refused_with_both_names() {
    let Some(bitcoind) = RealBitcoind::on_chain("signet", &["-connect=0"]).await else {
        return;
    };
    let site = Site::start(Options::default()).await.unwrap();
    let mut daemon = Daemon::start(&site, &bitcoind).await;
    let told = wait_for("the daemon's end", PATIENCE, || {
        let ended = daemon.process.check().err().map(|error| error.to_string());
        async move { Ok(ended) }
    });
    let told = told.await.unwrap();
    let sentence = "the Lightning node is on regtest but bitcoind on signet: both must be on the same network";
    assert!(told.contains(sentence), "{told}");
}

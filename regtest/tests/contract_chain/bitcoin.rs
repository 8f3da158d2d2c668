//! Bitcoin: the embedded chain and bitcoind.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use jsonrpsee::rpc_params;
use sluice::chain::backend::BackendConfig;
use sluice::chain::bitcoin_rpc::BitcoinRpc;
use sluice::chain::bitcoind::{BITCOIN_FEE_FLOOR, Bitcoin, Bitcoind};
use sluice::chain::rpc::{Btc, Endpoint, RpcError};
use sluice::ports::PortError;
use sluice::swap::terms::Payout;
use sluice::units::{FeeRate, PubKey};
use sluice_regtest::bitcoin::Daemon;
use sluice_regtest::daemons::{Process, find, free_port, signal, wait_for};
use tempfile::TempDir;

use crate::bench::Bench;
use crate::node::Node;
use crate::world::{COIN, World};

/// How long the node may take to start or to stop.
const PATIENCE: Duration = Duration::from_secs(60);
/// After so many blocks more a block's reward can be spent.
const MATURITY: u32 = 100;

/// What every bench of this chain says alike.
macro_rules! bitcoin_bench {
    () => {
        type Ledger = Bitcoin;
        const DAEMON: &'static str = "bitcoind";
        const CHAIN: &'static str = "regtest";
        const RELEASE: &'static str = "Satoshi";
        const ADDRESS: &'static str = "bcrt1q";
        const RATE: FeeRate = BITCOIN_FEE_FLOOR;

        fn client(endpoint: &Endpoint) -> BitcoinRpc {
            BitcoinRpc::new(endpoint)
        }

        async fn ensure_wallet(client: &BitcoinRpc) -> Result<(), RpcError> {
            client.ensure_wallet().await.map(drop)
        }

        async fn connect(config: BackendConfig) -> Result<Bitcoind, PortError> {
            Bitcoind::connect(config).await
        }

        fn blinding_key() -> Option<PubKey> {
            None
        }
    };
}

/// The embedded chain.
pub struct Embedded(Node<sluice_regtest::bitcoin::Bitcoin>);

impl Embedded {
    /// A chain of a daemon that was started so.
    pub async fn of(daemon: Daemon) -> Self {
        Self(Node::start(daemon).await)
    }
}

impl Bench for Embedded {
    bitcoin_bench!();

    async fn start() -> Option<Self> {
        Some(Self::of(Daemon::WithWallet).await)
    }

    fn url(&self) -> String {
        self.0.chain().rpc_url()
    }

    fn cookie(&self) -> PathBuf {
        self.0.cookie()
    }

    async fn stop(&mut self) {
        self.0.stop();
    }

    async fn launch(&mut self) {
        self.0.launch().await;
    }

    async fn endow(world: &World<Self>, coins: &[Payout]) {
        for coin in coins {
            let address: bitcoin::Address<_> = coin.address.parse().unwrap();
            world.node.0.chain().fund(&address.assume_checked(), COIN).unwrap();
        }
    }
}

/// A real node.
pub struct RealBitcoind {
    exe: PathBuf,
    chain: &'static str,
    options: Vec<String>,
    port: u16,
    process: Option<Process>,
    folder: TempDir,
}

impl RealBitcoind {
    /// A node with these options besides the usual ones. None, loudly, where there is none.
    pub async fn with(options: &[&str]) -> Option<Self> {
        Self::on_chain(Self::CHAIN, options).await
    }

    /// The same on another chain.
    pub async fn on_chain(chain: &'static str, options: &[&str]) -> Option<Self> {
        let Some(exe) = find("bitcoind") else {
            eprintln!(
                "SKIPPED: bitcoind not found: set BITCOIND_EXE, put it into the PATH, or run regtest/daemons/install"
            );
            return None;
        };
        let mut node = Self {
            exe,
            chain,
            options: options.iter().map(|&option| option.to_owned()).collect(),
            port: free_port().unwrap(),
            process: None,
            folder: TempDir::with_prefix("bitcoind-").unwrap(),
        };
        node.launch().await;
        Some(node)
    }
}

impl Bench for RealBitcoind {
    bitcoin_bench!();

    async fn start() -> Option<Self> {
        Self::with(&[]).await
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn cookie(&self) -> PathBuf {
        self.folder.path().join(self.chain).join(".cookie")
    }

    async fn stop(&mut self) {
        let mut process = self.process.take().expect("it runs");
        signal(process.pid(), "TERM").unwrap();
        let ended = wait_for("bitcoind's end", PATIENCE, || {
            let ended = process.check().is_err().then_some(());
            async move { Ok(ended) }
        });
        ended.await.unwrap();
    }

    async fn launch(&mut self) {
        let usual = [
            format!("-chain={}", self.chain),
            format!("-datadir={}", self.folder.path().display()),
            format!("-rpcport={}", self.port),
            "-server=1".into(),
            "-listen=0".into(),
            "-dnsseed=0".into(),
            "-fixedseeds=0".into(),
            "-rpcbind=127.0.0.1".into(),
            "-rpcallowip=127.0.0.1".into(),
            "-printtoconsole=1".into(),
            // for the wallet of the miner, which asks for no rate
            "-fallbackfee=0.00001".into(),
        ];
        let arguments: Vec<String> = usual.into_iter().chain(self.options.iter().cloned()).collect();
        let output = self.folder.path().join("output");
        let cookie = self.cookie();
        let process = Process::start("bitcoind", &self.exe, &arguments, &output).unwrap();
        let process = self.process.insert(process);
        let written = wait_for("bitcoind's cookie", PATIENCE, || {
            let looked = process.check().map(|()| cookie.is_file().then_some(()));
            async move { looked }
        });
        written.await.unwrap();
    }

    async fn endow(world: &World<Self>, coins: &[Payout]) {
        world.mine(MATURITY + 1).await;
        let paid: BTreeMap<&str, Btc> = coins.iter().map(|coin| (coin.address.as_str(), Btc(COIN))).collect();
        let params = rpc_params!["", paid];
        let txid: bitcoin::Txid = world.miner.call_wallet("sendmany", params).await.unwrap();
        let kept: serde_json::Value = world
            .miner
            .call_wallet("gettransaction", rpc_params![txid])
            .await
            .unwrap();
        // again: a wallet keeps to itself that its node, under load, has not taken a payment
        let params = rpc_params![kept["hex"].clone()];
        world
            .miner
            .call::<bitcoin::Txid>("sendrawtransaction", params)
            .await
            .unwrap();
    }
}

//! Lightning nodes with wallets, and what a test asks of them behind the adapter's back.

use std::collections::HashSet;

use serde_json::Value;
use sluice::node::cln::ClnWallet;
use sluice::node::funds::Purse;
use sluice::node::lnd::LndWallet;
use sluice::units::{OutPoint, TxId};
use sluice_regtest::daemons::bitcoind::Bitcoind as Daemon;
use sluice_regtest::daemons::lightningd::Lightningd;
use sluice_regtest::daemons::lnd::Lnd;

use crate::world::eventually;

/// A Lightning node with a wallet.
pub trait Holder: Sized + Send + Sync {
    /// The program.
    const PROGRAM: &'static str;
    type Purse: Purse;

    async fn launch(program: &std::path::Path, bitcoind: &Daemon) -> anyhow::Result<Self>;
    fn purse(&self) -> Self::Purse;
    async fn restart(&mut self, bitcoind: &Daemon);
    fn kill(&mut self);
    async fn follow(&self, bitcoind: &Daemon);
    /// Waits until it knows its change in a transaction that is in no block.
    async fn notice(&self, tx: TxId);
    /// All outputs that it counts as locked, by whomever.
    async fn locked(&self) -> HashSet<OutPoint>;
    /// Locks a coin on behalf of another program.
    async fn lock_for_another(&self, coin: OutPoint);
    /// A fresh taproot address.
    async fn taproot_address(&self) -> String;
}

impl Holder for Lnd {
    const PROGRAM: &'static str = "lnd";
    type Purse = LndWallet;

    async fn launch(program: &std::path::Path, bitcoind: &Daemon) -> anyhow::Result<Self> {
        Lnd::start(program, "purse", bitcoind).await
    }

    fn purse(&self) -> LndWallet {
        LndWallet::new(self.config())
    }

    async fn restart(&mut self, _: &Daemon) {
        Lnd::restart(self).await.unwrap();
    }

    fn kill(&mut self) {
        Lnd::kill(self);
    }

    async fn follow(&self, bitcoind: &Daemon) {
        let height = bitcoind.height().await.unwrap();
        // it calls itself synced once its wallet is
        let synced = async || {
            let info = self.cli(&["getinfo"]).await.unwrap();
            (info["block_height"] == height && info["synced_to_chain"] == true).then_some(())
        };
        eventually(synced).await;
    }

    async fn notice(&self, tx: TxId) {
        let began = std::time::Instant::now();
        let known = async || {
            let unspent = self
                .cli(&["listunspent", "--min_confs=0", "--max_confs=0"])
                .await
                .unwrap();
            let mut coins = unspent["utxos"].as_array().unwrap().iter();
            let ours = |coin: &Value| parse(coin["outpoint"].as_str().unwrap()).txid == tx;
            coins.any(ours).then_some(())
        };
        eventually(known).await;
        eprintln!("  lnd knows the change after {} ms", began.elapsed().as_millis());
    }

    async fn locked(&self) -> HashSet<OutPoint> {
        let leases = self.cli(&["wallet", "listleases"]).await.unwrap();
        let leases = leases.as_array().unwrap();
        leases
            .iter()
            .map(|lease| parse(lease["outpoint"].as_str().unwrap()))
            .collect()
    }

    async fn lock_for_another(&self, coin: OutPoint) {
        let (place, id) = (format!("--outpoint={}:{}", coin.txid, coin.vout), "ab".repeat(32));
        let lease = [
            "wallet",
            "leaseoutput",
            &place,
            &format!("--lockid={id}"),
            "--expiry=3600",
        ];
        self.cli(&lease).await.unwrap();
    }

    async fn taproot_address(&self) -> String {
        let made = self.cli(&["newaddress", "p2tr"]).await.unwrap();
        made["address"].as_str().unwrap().to_owned()
    }
}

impl Holder for Lightningd {
    const PROGRAM: &'static str = "lightningd";
    type Purse = ClnWallet;

    async fn launch(program: &std::path::Path, bitcoind: &Daemon) -> anyhow::Result<Self> {
        Lightningd::start(program, "purse", bitcoind).await
    }

    fn purse(&self) -> ClnWallet {
        ClnWallet::new(self.config())
    }

    async fn restart(&mut self, bitcoind: &Daemon) {
        Lightningd::restart(self).await.unwrap();
        self.wait_synced(bitcoind).await.unwrap();
    }

    fn kill(&mut self) {
        Lightningd::kill(self);
    }

    async fn follow(&self, bitcoind: &Daemon) {
        self.wait_synced(bitcoind).await.unwrap();
    }

    async fn notice(&self, _: TxId) {
        panic!("lightningd looks for its change in blocks alone");
    }

    async fn locked(&self) -> HashSet<OutPoint> {
        let funds = self.cli(&["listfunds"]).await.unwrap();
        let outputs = funds["outputs"].as_array().unwrap();
        let reserved = outputs.iter().filter(|output| output["reserved"] == true);
        reserved
            .map(|output| parse(&format!("{}:{}", output["txid"].as_str().unwrap(), output["output"])))
            .collect()
    }

    async fn lock_for_another(&self, coin: OutPoint) {
        let utxos = format!("utxos=[\"{}:{}\"]", coin.txid, coin.vout);
        self.cli(&[
            "-k",
            "utxopsbt",
            "satoshi=1000sat",
            "feerate=253perkw",
            "startweight=0",
            &utxos,
        ])
        .await
        .unwrap();
    }

    async fn taproot_address(&self) -> String {
        let made = self.cli(&["newaddr", "p2tr"]).await.unwrap();
        made["p2tr"].as_str().unwrap().to_owned()
    }
}

fn parse(place: &str) -> OutPoint {
    let (txid, vout) = place.split_once(':').unwrap();
    OutPoint {
        txid: TxId(txid.parse().unwrap()),
        vout: vout.parse().unwrap(),
    }
}

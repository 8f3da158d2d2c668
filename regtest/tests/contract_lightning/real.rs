//! Two real lnd nodes on a real bitcoind.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use async_trait::async_trait;
use serde_json::Value;
use sluice::node::lnd::LndConfig;
use sluice::units::{Msat, PaymentHash, Preimage, Scid};
use sluice_regtest::daemons::bitcoind::Bitcoind;
use sluice_regtest::daemons::lnd::Lnd;
use sluice_regtest::daemons::wait_for;

use crate::bench::{Bench, FINAL_CLTV};

const LIMIT: Duration = Duration::from_secs(30);
const CAPACITY_SAT: u64 = 2_000_000;

pub struct Real {
    program: PathBuf,
    bitcoind: Bitcoind,
    payer: Lnd,
    payee: Lnd,
    scid: Scid,
    locked: Option<Lnd>,
}

impl Real {
    pub async fn start(lnd: &Path, bitcoind: &Path) -> Result<Real> {
        let bitcoind = Bitcoind::start(bitcoind).await?;
        // lnd calls itself synced only when the tip is recent.
        bitcoind.mine(1).await?;
        let (payer, payee) =
            tokio::try_join!(Lnd::start(lnd, "payer", &bitcoind), Lnd::start(lnd, "payee", &bitcoind))?;
        payer.fund(&bitcoind).await?;
        let scid = payer
            .open_channel(&bitcoind, &payee, CAPACITY_SAT, CAPACITY_SAT / 2)
            .await?;
        Ok(Real {
            program: lnd.into(),
            bitcoind,
            payer,
            payee,
            scid,
            locked: None,
        })
    }

    /// The last lines of both nodes, for a failed case.
    pub fn tails(&self) -> String {
        format!("payer:\n{}\npayee:\n{}", self.payer.tail(), self.payee.tail())
    }

    async fn invoice_state(&self, hash: PaymentHash) -> Result<String> {
        let invoice = self.payee.cli(&["lookupinvoice", &hash.to_string()]).await?;
        Ok(invoice["state"].as_str().unwrap_or_default().to_string())
    }
}

#[async_trait]
impl Bench for Real {
    fn payer_config(&self) -> LndConfig {
        self.payer.config()
    }

    fn payee_config(&self) -> LndConfig {
        self.payee.config()
    }

    fn scid(&self) -> Scid {
        self.scid
    }

    async fn aliased(&mut self) -> (Scid, Scid) {
        let scid = self
            .payer
            .open_alias_channel(&self.bitcoind, &self.payee, 500_000, 100_000)
            .await
            .unwrap();
        let number = scid.0.to_string();
        let channels = self.payer.cli(&["listchannels"]).await.unwrap();
        let channels = channels["channels"].as_array().unwrap();
        let ours = channels
            .iter()
            .find(|channel| channel["scid"].as_str() == Some(number.as_str()))
            .unwrap();
        let alias = ours["alias_scids"][0].as_str().unwrap().parse().unwrap();
        (scid, Scid(alias))
    }

    async fn locked_config(&mut self) -> Option<LndConfig> {
        let locked = Lnd::start_without_wallet(&self.program, "locked", &self.bitcoind)
            .await
            .unwrap();
        // Without a wallet it has no macaroon either; any will do.
        let config = LndConfig {
            macaroon: self.payer.config().macaroon,
            ..locked.config()
        };
        self.locked = Some(locked);
        Some(config)
    }

    async fn held_invoice(&mut self, preimage: &Preimage, amount: Msat) -> String {
        let (hash, amount) = (preimage.hash().to_string(), format!("--amt_msat={}", amount.0));
        let cltv = format!("--cltv_expiry_delta={}", FINAL_CLTV.0);
        let made = self
            .payee
            .cli(&["addholdinvoice", &amount, &cltv, &hash])
            .await
            .unwrap();
        made["payment_request"].as_str().unwrap().to_string()
    }

    async fn wait_held(&mut self, hash: PaymentHash) {
        let held = wait_for("a held HTLC", LIMIT, || async {
            Ok((self.invoice_state(hash).await? == "ACCEPTED").then_some(()))
        });
        held.await.unwrap();
    }

    async fn settle(&mut self, preimage: &Preimage) {
        self.payee
            .cli(&["settleinvoice", &hex::encode(preimage.expose())])
            .await
            .unwrap();
    }

    async fn fail(&mut self, hash: PaymentHash) {
        self.payee.cli(&["cancelinvoice", &hash.to_string()]).await.unwrap();
    }

    async fn htlcs_sent(&mut self, hash: PaymentHash) -> usize {
        let payments = self.payer.cli(&["listpayments", "--include_incomplete"]).await.unwrap();
        let mut payments = payments["payments"].as_array().into_iter().flatten();
        let ours = payments.find(|payment| payment["payment_hash"] == hash.to_string());
        ours.and_then(|payment| payment["htlcs"].as_array().map(Vec::len))
            .unwrap_or(0)
    }

    async fn payer_away(&mut self) {
        self.payer.kill();
    }

    async fn payer_back(&mut self) {
        self.payer.restart().await.unwrap();
        // After a restart only a recent tip counts as synced.
        self.bitcoind.mine(1).await.unwrap();
        self.payer.wait_synced().await.unwrap();
        self.payer.connect(&self.payee).await.unwrap();
    }

    async fn disconnect(&mut self) {
        let id = self.payee.id().await.unwrap();
        let _: Value = self.payer.cli(&["disconnect", &id]).await.unwrap();
    }

    async fn reconnect(&mut self) {
        self.payer.connect(&self.payee).await.unwrap();
    }
}

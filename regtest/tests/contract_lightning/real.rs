//! Two real lnd nodes on a real bitcoind.

use std::path::{Path, PathBuf};

use anyhow::Result;
use async_trait::async_trait;
use sluice::node::lnd::LndConfig;
use sluice::units::{Msat, PaymentHash, Preimage, Scid};
use sluice_regtest::daemons::bitcoind::Bitcoind;
use sluice_regtest::daemons::lnd::Lnd;
use sluice_regtest::daemons::signal;
use sluice_regtest::world::access::NodeAccess;

use crate::bench::Bench;
use crate::holding;
use crate::zero_conf::Unconfirmed;

const CAPACITY_SAT: u64 = 2_000_000;

/// What operators are asked to allow, as it stands in docs/nodes.md: the permissions, then the tighter choice of calls.
fn documented() -> [Vec<&'static str>; 2] {
    let page = include_str!("../../../docs/nodes.md");
    let commands = page.split("lncli bakemacaroon").skip(1);
    let asked = commands.map(|text| {
        let command = text.split("```").next().unwrap();
        let words = command.split_whitespace().filter(|word| word.contains(':'));
        words.collect()
    });
    asked.collect::<Vec<_>>().try_into().expect("two commands")
}

pub struct Real {
    program: PathBuf,
    /// The payer's by permissions, the payee's by calls.
    macaroons: [PathBuf; 2],
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
        let [permissions, calls] = documented();
        let macaroons = [
            payer.bake("sluice.macaroon", &permissions).await?,
            payee.bake("sluice.macaroon", &calls).await?,
        ];
        Ok(Real {
            macaroons,
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
}

#[async_trait]
impl Unconfirmed for Real {
    fn payee_config(&self) -> LndConfig {
        self.payee.config()
    }

    async fn open_unconfirmed(&self) -> Scid {
        let opened = self.payer.open_unconfirmed_channel(&self.payee, 500_000, 100_000);
        opened.await.unwrap()
    }

    async fn mine(&self, blocks: u32) {
        self.bitcoind.mine(blocks).await.unwrap();
    }
}

#[async_trait]
impl Bench for Real {
    fn payer(&self) -> NodeAccess {
        NodeAccess::Lnd(LndConfig {
            macaroon: self.macaroons[0].clone(),
            ..self.payer.config()
        })
    }

    fn payee(&self) -> NodeAccess {
        NodeAccess::Lnd(LndConfig {
            macaroon: self.macaroons[1].clone(),
            ..self.payee.config()
        })
    }

    async fn stranger(&mut self) -> NodeAccess {
        self.payee()
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

    async fn locked(&mut self) -> Option<NodeAccess> {
        let locked = Lnd::start_without_wallet(&self.program, "locked", &self.bitcoind)
            .await
            .unwrap();
        // Without a wallet it has no macaroon either; any will do.
        let config = LndConfig {
            macaroon: self.payer.config().macaroon,
            ..locked.config()
        };
        self.locked = Some(locked);
        Some(NodeAccess::Lnd(config))
    }

    async fn weak(&mut self) -> Option<(NodeAccess, &'static str)> {
        let weak = self.payer.bake("weak.macaroon", &documented()[0][..4]).await.unwrap();
        let access = NodeAccess::Lnd(LndConfig {
            macaroon: weak,
            ..self.payer.config()
        });
        Some((access, "lacks the permissions peers:read, offchain:write"))
    }

    async fn held_invoice(&mut self, preimage: &Preimage, amount: Msat) -> Option<String> {
        Some(holding::invoice(&self.payee, preimage, amount).await)
    }

    async fn wait_held(&mut self, hash: PaymentHash) -> u32 {
        holding::wait_held(&self.payee, hash).await
    }

    async fn settle(&mut self, preimage: &Preimage) {
        holding::settle(&self.payee, preimage).await;
    }

    async fn fail(&mut self, hash: PaymentHash) {
        holding::fail(&self.payee, hash).await;
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

    async fn payee_halts(&mut self) {
        signal(self.payee.pid().unwrap(), "STOP").unwrap();
    }

    async fn payee_goes_on(&mut self) {
        signal(self.payee.pid().unwrap(), "CONT").unwrap();
    }

    async fn payee_away(&mut self) {
        self.payee.kill();
    }

    async fn payee_back(&mut self) {
        self.payee.restart().await.unwrap();
        // After a restart only a recent tip counts as synced.
        self.bitcoind.mine(1).await.unwrap();
        self.payee.wait_synced().await.unwrap();
        self.reconnect().await;
    }

    async fn disconnect(&mut self) {
        let id = self.payee.id().await.unwrap();
        self.payer.disconnect(&id).await.unwrap();
    }

    async fn reconnect(&mut self) {
        self.payer.connect(&self.payee).await.unwrap();
    }
}

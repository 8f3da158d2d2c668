//! A real lightningd that pays, and a real lnd or another lightningd that is paid.
//!
//! Core Lightning holds no HTLC without a plugin: with a lightningd as the payee the cases about invoices that hold are
//! left out, and those of a payee that stands still take their place. With lnd as the payee they all run, and it is the
//! payer's adapter that they examine.

use std::path::{Path, PathBuf};

use anyhow::Result;
use async_trait::async_trait;
use sluice::node::lnd::LndConfig;
use sluice::units::{Msat, PaymentHash, Preimage, Scid};
use sluice_regtest::daemons::bitcoind::Bitcoind;
use sluice_regtest::daemons::lightningd::Lightningd;
use sluice_regtest::daemons::lnd::Lnd;
use sluice_regtest::daemons::signal;
use sluice_regtest::world::access::NodeAccess;

use crate::bench::Bench;
use crate::holding;
use crate::zero_conf::Unconfirmed;

const CAPACITY_SAT: u64 = 2_000_000;

pub enum Payee {
    Lnd(Box<Lnd>),
    Cln(Box<Lightningd>),
}

impl Payee {
    async fn id(&self) -> Result<String> {
        match self {
            Payee::Lnd(lnd) => lnd.id().await,
            Payee::Cln(cln) => cln.id().await,
        }
    }

    fn port(&self) -> u16 {
        match self {
            Payee::Lnd(lnd) => lnd.peer_port(),
            Payee::Cln(cln) => cln.peer_port(),
        }
    }

    fn pid(&self) -> u32 {
        match self {
            Payee::Lnd(lnd) => lnd.pid(),
            Payee::Cln(cln) => cln.pid(),
        }
        .expect("the payee runs")
    }

    async fn wait_all_active(&self, count: usize) -> Result<()> {
        match self {
            Payee::Lnd(lnd) => {
                lnd.wait_all_active(count).await?;
                lnd.wait_synced().await
            }
            Payee::Cln(cln) => cln.wait_all_active(count).await.map(drop),
        }
    }

    fn lnd(&self) -> &Lnd {
        match self {
            Payee::Lnd(lnd) => lnd,
            Payee::Cln(_) => panic!("a lightningd holds nothing"),
        }
    }

    fn tail(&self) -> String {
        match self {
            Payee::Lnd(lnd) => lnd.tail(),
            Payee::Cln(cln) => cln.tail(),
        }
    }
}

pub struct ClnPays {
    program: PathBuf,
    bitcoind: Bitcoind,
    payer: Lightningd,
    payee: Payee,
    scids: Vec<Scid>,
    stranger: Option<Lightningd>,
}

impl ClnPays {
    /// `lnd`: the payee's program; None: the payee is a lightningd as well.
    pub async fn start(lightningd: &Path, lnd: Option<&Path>, bitcoind: &Path) -> Result<ClnPays> {
        let bitcoind = Bitcoind::start(bitcoind).await?;
        // lnd calls itself synced only when the tip is recent.
        bitcoind.mine(1).await?;
        let payer = Lightningd::start(lightningd, "payer", &bitcoind).await?;
        let payee = match lnd {
            Some(lnd) => Payee::Lnd(Box::new(Lnd::start(lnd, "payee", &bitcoind).await?)),
            None => Payee::Cln(Box::new(Lightningd::start(lightningd, "payee", &bitcoind).await?)),
        };
        payer.fund(&bitcoind).await?;
        if let Payee::Cln(cln) = &payee {
            cln.wait_synced(&bitcoind).await?;
        }
        payer.connect_to(&payee.id().await?, payee.port()).await?;
        let mut bench = ClnPays {
            program: lightningd.into(),
            bitcoind,
            payer,
            payee,
            scids: Vec::new(),
            stranger: None,
        };
        bench.open_channel((CAPACITY_SAT, CAPACITY_SAT / 2)).await?;
        Ok(bench)
    }

    async fn open_channel(&mut self, amounts: (u64, u64)) -> Result<Scid> {
        let id = self.payee.id().await?;
        self.payer.request_channels(&id, 1, amounts).await?;
        self.bitcoind.mine(6).await?;
        let count = self.scids.len() + 1;
        let (scids, ()) = tokio::try_join!(self.payer.wait_all_active(count), self.payee.wait_all_active(count))?;
        self.payer.wait_synced(&self.bitcoind).await?;
        let new = scids.into_iter().find(|scid| !self.scids.contains(scid)).unwrap();
        self.scids.push(new);
        Ok(new)
    }

    /// The last lines of both nodes, for a failed case.
    pub fn tails(&self) -> String {
        format!("payer:\n{}\npayee:\n{}", self.payer.tail(), self.payee.tail())
    }
}

#[async_trait]
impl Unconfirmed for ClnPays {
    fn payee_config(&self) -> LndConfig {
        self.payee.lnd().config()
    }

    async fn open_unconfirmed(&self) -> Scid {
        let id = self.payee.id().await.unwrap();
        let alias = self
            .payer
            .open_unconfirmed_channel(&id, (500_000, 100_000))
            .await
            .unwrap();
        self.payee.wait_all_active(self.scids.len() + 1).await.unwrap();
        alias
    }

    async fn mine(&self, blocks: u32) {
        self.bitcoind.mine(blocks).await.unwrap();
        self.payer.wait_synced(&self.bitcoind).await.unwrap();
    }
}

#[async_trait]
impl Bench for ClnPays {
    fn payer(&self) -> NodeAccess {
        NodeAccess::Cln(self.payer.config())
    }

    fn payee(&self) -> NodeAccess {
        match &self.payee {
            Payee::Lnd(lnd) => NodeAccess::Lnd(lnd.config()),
            Payee::Cln(cln) => NodeAccess::Cln(cln.config()),
        }
    }

    async fn stranger(&mut self) -> NodeAccess {
        let stranger = Lightningd::start(&self.program, "stranger", &self.bitcoind)
            .await
            .unwrap();
        let access = NodeAccess::Cln(stranger.config());
        self.stranger = Some(stranger);
        access
    }

    fn scid(&self) -> Scid {
        self.scids[0]
    }

    async fn aliased(&mut self) -> (Scid, Scid) {
        // Every channel of lightningd has an alias.
        let scid = self.open_channel((500_000, 100_000)).await.unwrap();
        let channels = self.payer.channels().await.unwrap();
        let ours = channels
            .iter()
            .find(|channel| channel["short_channel_id"] == scid.to_string())
            .unwrap();
        (scid, ours["alias"]["local"].as_str().unwrap().parse().unwrap())
    }

    async fn locked(&mut self) -> Option<NodeAccess> {
        // lightningd has no wallet that could be locked: it asks for the password of its secret before it starts.
        None
    }

    async fn held_invoice(&mut self, preimage: &Preimage, amount: Msat) -> Option<String> {
        match &self.payee {
            Payee::Lnd(lnd) => Some(holding::invoice(lnd, preimage, amount).await),
            Payee::Cln(_) => None,
        }
    }

    async fn wait_held(&mut self, hash: PaymentHash) -> u32 {
        holding::wait_held(self.payee.lnd(), hash).await
    }

    async fn settle(&mut self, preimage: &Preimage) {
        holding::settle(self.payee.lnd(), preimage).await;
    }

    async fn fail(&mut self, hash: PaymentHash) {
        holding::fail(self.payee.lnd(), hash).await;
    }

    async fn htlcs_sent(&mut self, hash: PaymentHash) -> usize {
        let htlcs = self.payer.cli(&["listhtlcs"]).await.unwrap();
        let htlcs = htlcs["htlcs"].as_array().unwrap().iter();
        let sent = htlcs.filter(|htlc| htlc["direction"] == "out" && htlc["payment_hash"] == hash.to_string());
        sent.count()
    }

    async fn payer_away(&mut self) {
        self.payer.kill();
    }

    async fn payer_back(&mut self) {
        self.payer.restart().await.unwrap();
        self.payer.wait_synced(&self.bitcoind).await.unwrap();
        self.reconnect().await;
    }

    async fn payee_halts(&mut self) {
        signal(self.payee.pid(), "STOP").unwrap();
    }

    async fn payee_goes_on(&mut self) {
        signal(self.payee.pid(), "CONT").unwrap();
    }

    async fn payee_away(&mut self) {
        match &mut self.payee {
            Payee::Lnd(lnd) => lnd.kill(),
            Payee::Cln(cln) => cln.kill(),
        }
    }

    async fn payee_back(&mut self) {
        match &mut self.payee {
            Payee::Lnd(lnd) => {
                lnd.restart().await.unwrap();
                // After a restart only a recent tip counts as synced.
                self.bitcoind.mine(1).await.unwrap();
                lnd.wait_synced().await.unwrap();
            }
            Payee::Cln(cln) => {
                cln.restart().await.unwrap();
                cln.wait_synced(&self.bitcoind).await.unwrap();
            }
        }
        self.reconnect().await;
    }

    async fn disconnect(&mut self) {
        let id = self.payee.id().await.unwrap();
        self.payer.disconnect(&id).await.unwrap();
    }

    async fn reconnect(&mut self) {
        let id = self.payee.id().await.unwrap();
        self.payer.connect_to(&id, self.payee.port()).await.unwrap();
    }
}

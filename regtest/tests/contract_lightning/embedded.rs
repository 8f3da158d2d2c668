//! Two embedded nodes.

use async_trait::async_trait;
use bitcoin::Amount;
use sluice::node::lnd::LndConfig;
use sluice::units::{Msat, PaymentHash, Preimage, Scid};
use sluice_regtest::lightning::proto::lnrpc::WalletState;
use sluice_regtest::lightning::proto::lnrpc::failure::FailureCode;
use sluice_regtest::lightning::{ChannelSpec, Hold, HoldAt, HoldId, Network, Node, Options, Release};
use sluice_regtest::world::access::NodeAccess;
use tempfile::TempDir;

use crate::bench::{Bench, invoice_spec};

const ALIASES: (Scid, Scid) = (Scid(16_000_000 << 40), Scid(16_000_001 << 40));

pub struct Embedded {
    network: Network,
    payer: Node,
    payee: Node,
    scid: Scid,
    locked: Option<Node>,
    halted: Option<HoldId>,
    _folder: TempDir,
}

impl Embedded {
    pub async fn start() -> Embedded {
        let folder = tempfile::tempdir().unwrap();
        let network = Network::new(Options::new(folder.path()));
        let payer = network.add_node("payer").await.unwrap();
        let payee = network.add_node("payee").await.unwrap();
        let channel = ChannelSpec::new(Amount::from_sat(2_000_000), Amount::from_sat(1_000_000));
        let scid = network.open_channel(&payer, &payee, &channel).unwrap();
        Embedded {
            network,
            payer,
            payee,
            scid,
            locked: None,
            halted: None,
            _folder: folder,
        }
    }
}

fn access(node: &Node) -> NodeAccess {
    NodeAccess::Lnd(LndConfig {
        address: node.address().to_string(),
        tls_cert: node.tls_cert_path(),
        macaroon: node.macaroon_path(),
    })
}

#[async_trait]
impl Bench for Embedded {
    fn payer(&self) -> NodeAccess {
        access(&self.payer)
    }

    fn payee(&self) -> NodeAccess {
        access(&self.payee)
    }

    async fn stranger(&mut self) -> NodeAccess {
        self.payee()
    }

    fn scid(&self) -> Scid {
        self.scid
    }

    async fn aliased(&mut self) -> (Scid, Scid) {
        let spec = ChannelSpec {
            private: true,
            aliases: Some(ALIASES),
            ..ChannelSpec::new(Amount::from_sat(500_000), Amount::from_sat(100_000))
        };
        (
            self.network.open_channel(&self.payer, &self.payee, &spec).unwrap(),
            ALIASES.0,
        )
    }

    async fn locked(&mut self) -> Option<NodeAccess> {
        let locked = self.network.add_node("locked").await.unwrap();
        locked.set_wallet_state(WalletState::Locked);
        let access = access(&locked);
        self.locked = Some(locked);
        Some(access)
    }

    async fn held_invoice(&mut self, preimage: &Preimage, amount: Msat) -> Option<String> {
        self.network.hold(Hold::hash(preimage.hash(), HoldAt::Invoice));
        let made = self
            .payee()
            .adapter()
            .ensure_invoice(&invoice_spec(preimage, amount))
            .await;
        Some(made.unwrap())
    }

    async fn wait_held(&mut self, hash: PaymentHash) -> u32 {
        self.network.wait_held(hash).await.expiry
    }

    async fn settle(&mut self, preimage: &Preimage) {
        self.network.release(preimage.hash(), Release::Settle).unwrap();
    }

    async fn fail(&mut self, hash: PaymentHash) {
        self.network
            .release(hash, Release::Fail(FailureCode::IncorrectOrUnknownPaymentDetails))
            .unwrap();
    }

    async fn htlcs_sent(&mut self, hash: PaymentHash) -> usize {
        usize::try_from(self.network.htlcs_sent(hash)).unwrap()
    }

    async fn payer_away(&mut self) {
        self.payer.go_away();
    }

    async fn payer_back(&mut self) {
        self.payer.come_back().unwrap();
    }

    async fn payee_halts(&mut self) {
        let everything = Hold::payee(self.payee.id(), HoldAt::Wire);
        self.halted = Some(self.network.hold(everything));
    }

    async fn payee_goes_on(&mut self) {
        if let Some(halted) = self.halted.take() {
            self.network.lift(halted);
        }
        for held in self.network.held() {
            self.network.release(held.hash, Release::Settle).unwrap();
        }
    }

    async fn payee_away(&mut self) {
        self.payee.go_away();
    }

    async fn payee_back(&mut self) {
        self.payee.come_back().unwrap();
        self.payee_goes_on().await;
    }

    async fn disconnect(&mut self) {
        self.payer.disconnect(&self.payee);
    }

    async fn reconnect(&mut self) {
        self.payer.reconnect(&self.payee);
    }
}

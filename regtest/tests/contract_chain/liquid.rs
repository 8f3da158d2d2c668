//! Liquid: the embedded chain in two dialects, and elementsd.

use std::path::PathBuf;

use bitcoin::ScriptBuf;
use bitcoin::secp256k1::{PublicKey, Secp256k1, SecretKey};
use elements::confidential::{Asset, Nonce, Value};
use elements::{LockTime, Script, Sequence, Transaction, TxIn, TxOut, TxOutWitness};
use sluice::chain::backend::BackendConfig;
use sluice::chain::elements_rpc::ElementsRpc;
use sluice::chain::elementsd::{Elementsd, ElementsdConfig, KNOWN_SAFE, LIQUID_FEE_FLOOR, Liquid};
use sluice::chain::rpc::{Endpoint, RpcError};
use sluice::ports::PortError;
use sluice::swap::terms::Payout;
use sluice::units::{FeeRate, Height, PubKey, RawTx};
use sluice_regtest::daemons::elementsd as daemon;
use sluice_regtest::liquid::{Elements, Release};

use crate::bench::Bench;
use crate::node::Node;
use crate::world::{COIN, COINS, World};

/// The secret that openings of the suite are blinded to.
pub const BLINDING_SECRET: [u8; 32] = [0x11; 32];

/// What every bench of this chain says alike.
macro_rules! liquid_bench {
    () => {
        type Ledger = Liquid;
        const DAEMON: &'static str = "elementsd";
        const CHAIN: &'static str = "liquidregtest";
        const RELEASE: &'static str = "Elements";
        const ADDRESS: &'static str = "el1";
        const RATE: FeeRate = LIQUID_FEE_FLOOR;

        fn client(endpoint: &Endpoint) -> ElementsRpc {
            ElementsRpc::new(endpoint).unwrap()
        }

        async fn ensure_wallet(client: &ElementsRpc) -> Result<(), RpcError> {
            client.ensure_wallet().await
        }

        async fn connect(config: BackendConfig) -> Result<Elementsd, PortError> {
            connect(config).await
        }

        fn blinding_key() -> Option<PubKey> {
            let secret = SecretKey::from_slice(&BLINDING_SECRET).unwrap();
            Some(PublicKey::from_secret_key(&Secp256k1::new(), &secret))
        }
    };
}

async fn connect(config: BackendConfig) -> Result<Elementsd, PortError> {
    Elementsd::connect(ElementsdConfig {
        node: config,
        safe_releases: KNOWN_SAFE.to_vec(),
    })
    .await
}

/// The embedded chain. `V23`: in the older dialect of errors.
pub struct Embedded<const V23: bool>(Node<Elements>);

impl<const V23: bool> Bench for Embedded<V23> {
    liquid_bench!();

    async fn start() -> Option<Self> {
        let release = if V23 { Release::V23 } else { Release::V28 };
        Some(Self(Node::start(release).await))
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
            let address: elements::Address = coin.address.parse().unwrap();
            let chain = world.node.0.chain();
            chain.fund(&address.to_unconfidential(), COIN).unwrap();
        }
    }
}

/// A real node.
pub struct RealElementsd(daemon::Elementsd);

impl RealElementsd {
    /// A node with these options. None, loudly, where there is none.
    pub async fn with(options: &[&str]) -> Option<Self> {
        let Some(exe) = daemon::find() else {
            eprintln!(
                "SKIPPED: elementsd not found: set {} or put it into the PATH",
                daemon::EXE
            );
            return None;
        };
        Some(Self(daemon::Elementsd::start(&exe, options).await.unwrap()))
    }
}

impl Bench for RealElementsd {
    liquid_bench!();

    async fn start() -> Option<Self> {
        Self::with(&["-acceptdiscountct=1", "-creatediscountct=1"]).await
    }

    fn url(&self) -> String {
        self.0.url()
    }

    fn cookie(&self) -> PathBuf {
        self.0.cookie()
    }

    async fn stop(&mut self) {
        self.0.stop().await.unwrap();
    }

    async fn launch(&mut self) {
        self.0.launch().await.unwrap();
    }

    /// The genesis block's coins can be spent by anyone.
    async fn endow(world: &World<Self>, coins: &[Payout]) {
        let miner = &world.miner;
        let genesis = miner.block(miner.block_hash(Height(0)).await.unwrap()).await.unwrap();
        let free = |output: &TxOut| output.script_pubkey.as_bytes() == [0x51];
        let (source, vout) = genesis
            .txdata
            .iter()
            .find_map(|tx| Some((tx, tx.output.iter().position(free)?)))
            .expect("the chain begins with free coins");
        let (fee, asset) = (1_000, world.adapter.policy_asset());
        let rest = source.output[vout].value.explicit().unwrap() - COIN.to_sat() * COINS - fee;
        // not to anyone again: a wallet of a new node takes such coins for its own
        let own = miner.address_info(&miner.new_address("").await.unwrap()).await.unwrap();
        let paid = coins
            .iter()
            .map(|coin| (COIN.to_sat(), &coin.script))
            .chain([(rest, &own.script)]);
        let explicit = |(sat, script): (u64, &ScriptBuf)| TxOut {
            asset: Asset::Explicit(asset),
            value: Value::Explicit(sat),
            nonce: Nonce::Null,
            script_pubkey: Script::from(script.to_bytes()),
            witness: TxOutWitness::default(),
        };
        let outpoint = elements::OutPoint {
            txid: source.txid(),
            vout: u32::try_from(vout).unwrap(),
        };
        let tx = Transaction {
            version: 2,
            lock_time: LockTime::ZERO,
            input: vec![TxIn {
                previous_output: outpoint,
                sequence: Sequence::MAX,
                ..TxIn::default()
            }],
            output: paid.map(explicit).chain([TxOut::new_fee(fee, asset)]).collect(),
        };
        let raw = RawTx::from(elements::encode::serialize(&tx));
        miner.send_raw_transaction(&raw).await.unwrap();
    }
}

//! A node with money, the adapter under test, and what a test does to the chain behind the adapter's back.

use std::time::Duration;

use bitcoin::hashes::Hash;
use bitcoin::secp256k1::{PublicKey, Secp256k1, SecretKey};
use bitcoin::{Amount, BlockHash, ScriptBuf};
use elements::confidential::{Asset, Nonce, Value};
use elements::{LockTime, Script, Sequence, Transaction, TxIn, TxOut, TxOutWitness};
use jsonrpsee::rpc_params;
use serde_json::Value as Json;
use sluice::chain::elements_rpc::{Auth, ElementsRpc, Endpoint};
use sluice::chain::elementsd::{Elementsd, ElementsdConfig, KNOWN_SAFE, LIQUID_FEE_FLOOR};
use sluice::ports::{Chain, PortError, Sighting, Tip, Wallet, Watch};
use sluice::swap::state::Opening;
use sluice::swap::terms::Payout;
use sluice::tx::OpeningOutput;
use sluice::units::{FeeRate, Height, OutPoint, RawTx, SwapId, TxId};

use crate::node::{Backend, Node};

/// How long a condition may take to come true.
const PATIENCE: Duration = Duration::from_secs(30);
/// What each coin of the wallet holds at first.
pub const COIN: Amount = Amount::from_sat(1_000_000);
/// How many coins it has at first.
pub const COINS: u64 = 12;
/// The rate that openings are made at.
pub const RATE: FeeRate = FeeRate(100);

pub struct World {
    pub node: Node,
    /// The wallet that mines, and calls behind the adapter's back.
    pub miner: ElementsRpc,
    pub adapter: Elementsd,
    pub config: ElementsdConfig,
}

impl World {
    pub async fn start(backend: Backend) -> Option<World> {
        Self::on(Node::start(backend).await?).await
    }

    pub async fn on(node: Node) -> Option<World> {
        let endpoint = |wallet: &str| Endpoint {
            url: node.url(),
            auth: Auth::Cookie(node.cookie()),
            wallet: wallet.into(),
            timeout: Duration::from_secs(20),
            poll: Duration::from_secs(10),
        };
        let miner = ElementsRpc::new(&endpoint("miner")).unwrap();
        eventually(async || miner.ensure_wallet().await.ok()).await;
        let config = ElementsdConfig {
            endpoint: endpoint("sluice"),
            fee_floor: LIQUID_FEE_FLOOR,
            fee_ceiling: FeeRate(10_000),
            safe_releases: KNOWN_SAFE.to_vec(),
        };
        let adapter = Elementsd::connect(config.clone()).await.unwrap();
        let world = World {
            node,
            miner,
            adapter,
            config,
        };
        world.endow().await;
        Some(world)
    }

    /// Gives the wallet its coins.
    async fn endow(&self) {
        let mut coins = Vec::new();
        for _ in 0..COINS {
            coins.push(self.adapter.new_address("").await.unwrap());
        }
        match &self.node {
            Node::Embedded(node) => {
                for coin in &coins {
                    let address: elements::Address = coin.address.parse().unwrap();
                    node.chain().fund(&address.to_unconfidential(), COIN).unwrap();
                }
            }
            Node::Elementsd(_) => self.spend_genesis(&coins).await,
        }
        self.mine(1).await;
    }

    /// The genesis block's coins can be spent by anyone.
    async fn spend_genesis(&self, coins: &[Payout]) {
        let genesis = self
            .miner
            .block(self.miner.block_hash(Height(0)).await.unwrap())
            .await
            .unwrap();
        let free = |output: &TxOut| output.script_pubkey.as_bytes() == [0x51];
        let (source, vout) = genesis
            .txdata
            .iter()
            .find_map(|tx| Some((tx, tx.output.iter().position(free)?)))
            .expect("the chain begins with free coins");
        let (fee, asset) = (1_000, self.adapter.policy_asset());
        let rest = source.output[vout].value.explicit().unwrap() - COIN.to_sat() * COINS - fee;
        // not to anyone again: a wallet of a new node takes such coins for its own
        let miner = self
            .miner
            .address_info(&self.miner.new_address("").await.unwrap())
            .await
            .unwrap();
        let paid = coins
            .iter()
            .map(|coin| (COIN.to_sat(), &coin.script))
            .chain([(rest, &miner.script)]);
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
        self.miner
            .send_raw_transaction(&RawTx::from(elements::encode::serialize(&tx)))
            .await
            .unwrap();
    }

    /// Mines, and waits until the adapter has matched it.
    pub async fn mine(&self, blocks: u32) -> Vec<BlockHash> {
        let hashes = self.mine_unseen(blocks).await;
        self.await_tip(*hashes.last().unwrap()).await;
        hashes
    }

    pub async fn mine_unseen(&self, blocks: u32) -> Vec<BlockHash> {
        let address = self.miner.new_address("").await.unwrap();
        self.miner
            .call("generatetoaddress", rpc_params![blocks, address])
            .await
            .unwrap()
    }

    /// A block without what waits in the mempool.
    pub async fn mine_empty(&self) -> BlockHash {
        #[derive(serde::Deserialize)]
        struct Mined {
            hash: BlockHash,
        }
        let address = self.miner.new_address("").await.unwrap();
        let nothing: [&str; 0] = [];
        let mined: Mined = self
            .miner
            .call("generateblock", rpc_params![address, nothing])
            .await
            .unwrap();
        mined.hash
    }

    pub async fn invalidate(&self, block: BlockHash) {
        self.miner
            .call::<Json>("invalidateblock", rpc_params![block])
            .await
            .unwrap();
    }

    pub async fn await_tip(&self, hash: BlockHash) -> Tip {
        await_tip(&self.adapter, hash).await
    }

    pub async fn await_mempool(&self, tx: &RawTx) {
        let txid = txid_of(tx);
        eventually(async || self.miner.mempool().await.unwrap().contains(&txid).then_some(())).await;
    }

    /// An opening that pays to the wallet itself, so that the wallet can spend it.
    pub async fn opening(&self, amount: Amount) -> (Opening, ScriptBuf) {
        let own = self.adapter.new_address("").await.unwrap();
        let output = OpeningOutput {
            script: own.script.clone(),
            blinding_key: own.blinding_key,
            amount,
        };
        (self.adapter.fund(&output, RATE).await.unwrap(), own.script)
    }

    /// A spend of an opening's output, by the wallet that it pays to.
    pub async fn spend(&self, opening: &Opening) -> RawTx {
        let spent = Opening {
            inputs: vec![opening.outpoint],
            ..opening.clone()
        };
        self.adapter.void(&spent, RATE).await.unwrap()
    }

    pub async fn view(&self, watch: &Watch) -> Sighting {
        self.adapter.view(watch).await.unwrap()
    }

    pub async fn height(&self) -> Height {
        self.adapter.tip().await.unwrap().height
    }
}

pub async fn await_tip(adapter: &Elementsd, hash: BlockHash) -> Tip {
    let mut tips = adapter.tips();
    let wanted = tips.wait_for(|tip| tip.is_some_and(|tip| tip.hash == hash));
    let found = tokio::time::timeout(PATIENCE, wanted)
        .await
        .expect("tip in time")
        .unwrap();
    found.expect("that is what was waited for")
}

/// Asks until there is an answer.
pub async fn eventually<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "did not come true within {PATIENCE:?}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub fn watch(number: u8, script: &ScriptBuf, opening: &Opening, since: Height) -> Watch {
    Watch {
        swap: SwapId([number; 32]),
        script: script.clone(),
        opening: Some(opening.outpoint.txid),
        inputs: opening.inputs.clone(),
        since,
    }
}

pub fn decode(tx: &RawTx) -> Transaction {
    elements::encode::deserialize(&tx.0).unwrap()
}

pub fn txid_of(tx: &RawTx) -> TxId {
    TxId(bitcoin::Txid::from_byte_array(decode(tx).txid().to_byte_array()))
}

/// The output of a swap that the wallet has no key of, and the key that unblinds it.
pub fn foreign_output(amount: Amount) -> (OpeningOutput, elements::secp256k1_zkp::SecretKey) {
    let secret = [0x11; 32];
    let key = PublicKey::from_secret_key(&Secp256k1::new(), &SecretKey::from_slice(&secret).unwrap());
    let script = ScriptBuf::new_p2wsh(&ScriptBuf::from(vec![0x51]).wscript_hash());
    let output = OpeningOutput {
        script,
        blinding_key: Some(key),
        amount,
    };
    (output, elements::secp256k1_zkp::SecretKey::from_slice(&secret).unwrap())
}

pub fn vout_of(tx: &Transaction, outpoint: OutPoint) -> &TxOut {
    &tx.output[usize::try_from(outpoint.vout).unwrap()]
}

/// The text of a refusal; anything else fails the test.
pub fn refusal<T: std::fmt::Debug>(answer: Result<T, PortError>) -> String {
    match answer {
        Err(PortError::Refused(reason)) => reason,
        other => panic!("wanted a refusal, got {other:?}"),
    }
}

//! A node with money, the adapter under test, and what a test does to the chain behind the adapter's back.

use std::sync::Arc;
use std::time::Duration;

use bitcoin::{Amount, BlockHash, ScriptBuf};
use jsonrpsee::rpc_params;
use serde_json::Value as Json;
use sluice::chain::backend::{BackendConfig, Ledger};
use sluice::chain::rpc::{Auth, Endpoint};
use sluice::chain::watch::ChainTx;
use sluice::ports::{Chain, PortError, Sighting, Tip, Wallet, Watch};
use sluice::swap::state::Opening;
use sluice::tx::OpeningOutput;
use sluice::units::{FeeRate, Height, RawTx, SwapId, TxId};

use crate::bench::{Adapter, Bench, Rpc};

/// How long a condition may take to come true.
const PATIENCE: Duration = Duration::from_secs(30);
/// Blocks asked for in one call, so that none takes longer than a call may.
const BATCH: u32 = 50;
/// What each coin of the wallet holds at first.
pub const COIN: Amount = Amount::from_sat(1_000_000);
/// How many coins it has at first.
pub const COINS: u64 = 12;
/// A client's view of a node.
pub fn endpoint<B: Bench>(node: &B, wallet: &str) -> Endpoint {
    Endpoint {
        url: node.url(),
        auth: Auth::Cookie(node.cookie()),
        wallet: wallet.into(),
        timeout: Duration::from_secs(20),
        poll: Duration::from_secs(10),
    }
}

pub struct World<B: Bench> {
    pub node: B,
    /// The wallet that mines, and calls behind the adapter's back.
    pub miner: Rpc<B>,
    pub adapter: Arc<Adapter<B>>,
    /// The wallet under test, and of the tests: the adapter itself, or that of another node.
    pub wallet: Arc<dyn Wallet>,
    pub config: BackendConfig,
}

impl<B: Bench> World<B> {
    pub async fn start() -> Option<Self> {
        Self::on(B::start().await?).await
    }

    pub async fn on(node: B) -> Option<Self> {
        let endpoint = |wallet: &str| endpoint(&node, wallet);
        let miner = B::client(&endpoint("miner"));
        eventually(async || B::ensure_wallet(&miner).await.ok()).await;
        let config = BackendConfig {
            endpoint: endpoint("sluice"),
            witness: None,
            fee_floor: B::RATE,
            fee_ceiling: FeeRate(100 * B::RATE.0),
        };
        let adapter = Arc::new(B::connect(config.clone()).await.unwrap());
        let wallet = node.wallet(&adapter);
        let world = World {
            node,
            miner,
            adapter,
            wallet,
            config,
        };
        world.endow().await;
        Some(world)
    }

    /// Gives the wallet its coins.
    async fn endow(&self) {
        let mut coins = Vec::new();
        for _ in 0..COINS {
            coins.push(self.wallet.new_address("").await.unwrap());
        }
        B::endow(self, &coins).await;
        self.mine(1).await;
    }

    /// Mines, and waits until the adapter has matched it.
    pub async fn mine(&self, blocks: u32) -> Vec<BlockHash> {
        let hashes = self.mine_unseen(blocks).await;
        self.await_tip(*hashes.last().unwrap()).await;
        self.node.follow().await;
        hashes
    }

    pub async fn mine_unseen(&self, blocks: u32) -> Vec<BlockHash> {
        let address = B::mined_to(&self.miner).await;
        let mut mined = Vec::new();
        let mut left = blocks;
        while left > 0 {
            let batch = left.min(BATCH);
            let params = rpc_params![batch, &address];
            let hashes: Vec<BlockHash> = self.miner.call("generatetoaddress", params).await.unwrap();
            mined.extend(hashes);
            left -= batch;
        }
        mined
    }

    /// A block without what waits in the mempool.
    pub async fn mine_empty(&self) -> BlockHash {
        #[derive(serde::Deserialize)]
        struct Mined {
            hash: BlockHash,
        }
        let address = B::mined_to(&self.miner).await;
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
        await_tip::<B>(&self.adapter, hash).await
    }

    pub async fn await_mempool(&self, tx: &RawTx) {
        let txid = txid_of::<B>(tx);
        eventually(async || self.miner.mempool().await.unwrap().contains(&txid).then_some(())).await;
    }

    /// An opening that pays to the wallet itself, so that the wallet can spend it.
    pub async fn opening(&self, amount: Amount) -> (Opening, ScriptBuf) {
        let own = self.wallet.new_address("").await.unwrap();
        let output = OpeningOutput {
            script: own.script.clone(),
            blinding_key: own.blinding_key,
            amount,
        };
        (self.wallet.fund(&output, B::RATE).await.unwrap(), own.script)
    }

    /// A spend of an opening's output, by the wallet that it pays to.
    pub async fn spend(&self, opening: &Opening) -> RawTx {
        let spent = Opening {
            inputs: vec![opening.outpoint],
            ..opening.clone()
        };
        self.wallet.void(&spent, None, B::RATE).await.unwrap().tx
    }

    pub async fn view(&self, watch: &Watch) -> Sighting {
        self.adapter.view(watch).await.unwrap()
    }

    pub async fn height(&self) -> Height {
        self.adapter.tip().await.unwrap().height
    }
}

pub async fn await_tip<B: Bench>(adapter: &Adapter<B>, hash: BlockHash) -> Tip {
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
        tx: None,
        inputs: opening.inputs.clone(),
        since,
    }
}

pub fn decode<B: Bench>(tx: &RawTx) -> <B::Ledger as Ledger>::Tx {
    B::Ledger::decode(&tx.0).unwrap()
}

pub fn txid_of<B: Bench>(tx: &RawTx) -> TxId {
    decode::<B>(tx).txid()
}

/// The output of a swap that the wallet has no key of.
pub fn foreign_output<B: Bench>(amount: Amount) -> OpeningOutput {
    OpeningOutput {
        script: ScriptBuf::new_p2wsh(&ScriptBuf::from(vec![0x51]).wscript_hash()),
        blinding_key: B::blinding_key(),
        amount,
    }
}

/// The text of a refusal; anything else fails the test.
pub fn refusal<T: std::fmt::Debug>(answer: Result<T, PortError>) -> String {
    match answer {
        Err(PortError::Refused(reason)) => reason,
        other => panic!("wanted a refusal, got {other:?}"),
    }
}

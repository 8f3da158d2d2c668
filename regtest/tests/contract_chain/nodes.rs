//! Lightning nodes' own wallets, on a bitcoind that has none.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use bitcoin::consensus::serialize;
use bitcoin::hashes::Hash;
use bitcoin::secp256k1::{Message, Secp256k1, SecretKey};
use bitcoin::sighash::{EcdsaSighashType, SighashCache};
use bitcoin::transaction::Version;
use bitcoin::{
    Address, Amount, CompressedPublicKey, KnownHrp, Network, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid,
    Witness, absolute, ecdsa,
};
use jsonrpsee::rpc_params;
use serde_json::Value;
use sluice::chain::backend::BackendConfig;
use sluice::chain::bitcoin_rpc::BitcoinRpc;
use sluice::chain::bitcoind::{BITCOIN_FEE_FLOOR, Bitcoin, Bitcoind};
use sluice::chain::rpc::{Endpoint, RpcError};
use sluice::node::funds::NodeWallet;
use sluice::ports::{Chain, PortError, Wallet};
use sluice::swap::terms::Payout;
use sluice::units::{FeeRate, OutPoint, PubKey, TxId};
use sluice_regtest::daemons::bitcoind::{Bitcoind as Daemon, MATURITY, NOBODY};
use sluice_regtest::daemons::find;
use sluice_regtest::daemons::lightningd::Lightningd;
use sluice_regtest::daemons::lnd::Lnd;
use tempfile::TempDir;

use crate::bench::{Adapter, Bench, Rpc};
use crate::holder::Holder;
use crate::world::{COIN, COINS, World, decode, eventually, foreign_output};

/// A bitcoind without wallets and a node that has one.
pub struct Beside<H> {
    holder: H,
    bitcoind: Daemon,
    cookie: PathBuf,
    _folder: TempDir,
}

/// lnd.
pub type LndWallets = Beside<Lnd>;
/// Core Lightning.
pub type ClnWallets = Beside<Lightningd>;

impl<H: Holder> Bench for Beside<H> {
    type Ledger = Bitcoin;
    const DAEMON: &'static str = "bitcoind";
    const CHAIN: &'static str = "regtest";
    const RELEASE: &'static str = "Satoshi";
    const ADDRESS: &'static str = "bcrt1q";
    const RATE: FeeRate = BITCOIN_FEE_FLOOR;

    async fn start() -> Option<Self> {
        let (Some(node), Some(bitcoind)) = (find(H::PROGRAM), find("bitcoind")) else {
            eprintln!(
                "SKIPPED: bitcoind or {} not found: set BITCOIND_EXE and their like",
                H::PROGRAM
            );
            return None;
        };
        let bitcoind = Daemon::start_with(&bitcoind, &["-disablewallet=1"]).await.unwrap();
        // nodes call themselves synced only when the tip is recent
        bitcoind.mine(1).await.unwrap();
        let folder = TempDir::with_prefix("nodes-").unwrap();
        let cookie = folder.path().join("cookie");
        let (user, password) = bitcoind.credentials();
        std::fs::write(&cookie, format!("{user}:{password}")).unwrap();
        Some(Self {
            holder: H::launch(&node, &bitcoind).await.unwrap(),
            bitcoind,
            cookie,
            _folder: folder,
        })
    }

    fn url(&self) -> String {
        format!("http://{}", self.bitcoind.rpc_address())
    }

    fn cookie(&self) -> PathBuf {
        self.cookie.clone()
    }

    async fn stop(&mut self) {
        self.holder.kill();
    }

    async fn launch(&mut self) {
        self.holder.restart(&self.bitcoind).await;
    }

    fn client(endpoint: &Endpoint) -> BitcoinRpc {
        BitcoinRpc::new(endpoint)
    }

    async fn ensure_wallet(_: &BitcoinRpc) -> Result<(), RpcError> {
        Ok(())
    }

    async fn connect(config: BackendConfig) -> Result<Bitcoind, PortError> {
        Bitcoind::connect_without_wallet(config).await
    }

    fn wallet(&self, adapter: &Arc<Adapter<Self>>) -> Arc<dyn Wallet> {
        let chain: Arc<dyn Chain> = adapter.clone();
        Arc::new(NodeWallet::new(self.holder.purse(), chain, Network::Regtest))
    }

    async fn locked(world: &World<Self>) -> HashSet<OutPoint> {
        world.node.holder.locked().await
    }

    /// Its locks are seen while the caller is still there.
    async fn abandon<F: Future + Send>(world: &World<Self>, funding: F) {
        eventually(async || (!Self::locked(world).await.is_empty()).then_some(())).await;
        drop(funding);
    }

    async fn follow(&self) {
        self.holder.follow(&self.bitcoind).await;
    }

    async fn notice(&self, tx: TxId) {
        self.holder.notice(tx).await;
    }

    async fn mined_to(_: &Rpc<Self>) -> String {
        NOBODY.into()
    }

    async fn endow(world: &World<Self>, coins: &[Payout]) {
        let scripts: Vec<ScriptBuf> = coins.iter().map(|coin| coin.script.clone()).collect();
        world.node.pay(&scripts).await;
    }

    fn blinding_key() -> Option<PubKey> {
        None
    }
}

impl<H: Holder> Beside<H> {
    /// Pays a coin to each of these scripts out of a block's reward, which goes to a key of the test's.
    async fn pay(&self, scripts: &[ScriptBuf]) {
        let curve = Secp256k1::new();
        let secret = SecretKey::from_slice(&[0x33; 32]).unwrap();
        let key = CompressedPublicKey(secret.public_key(&curve));
        let address = Address::p2wpkh(&key, KnownHrp::Regtest);
        self.bitcoind.mine_to(&address.to_string(), 1).await.unwrap();
        self.bitcoind.mine(MATURITY).await.unwrap();
        let height = self.bitcoind.height().await.unwrap() - MATURITY;
        let hash: String = self.bitcoind.call("getblockhash", rpc_params![height]).await.unwrap();
        let block: Value = self.bitcoind.call("getblock", rpc_params![hash, 2]).await.unwrap();
        let txid: Txid = block["tx"][0]["txid"].as_str().unwrap().parse().unwrap();
        let reward = Amount::from_btc(block["tx"][0]["vout"][0]["value"].as_f64().unwrap()).unwrap();

        let output = |script_pubkey: &ScriptBuf| TxOut {
            value: COIN,
            script_pubkey: script_pubkey.clone(),
        };
        let mut tx = Transaction {
            version: Version::TWO,
            lock_time: absolute::LockTime::ZERO,
            input: vec![TxIn {
                previous_output: bitcoin::OutPoint::new(txid, 0),
                sequence: Sequence::MAX,
                ..TxIn::default()
            }],
            output: scripts.iter().map(output).collect(),
        };
        let paid: Amount = tx.output.iter().map(|output| output.value).sum();
        let nobody: Address<_> = NOBODY.parse().unwrap();
        tx.output.push(TxOut {
            value: reward - paid - Amount::from_sat(10_000),
            script_pubkey: nobody.assume_checked().script_pubkey(),
        });
        let mut cache = SighashCache::new(&tx);
        let digest = cache.p2wpkh_signature_hash(0, &address.script_pubkey(), reward, EcdsaSighashType::All);
        let message = Message::from_digest(digest.unwrap().to_byte_array());
        let signature = ecdsa::Signature::sighash_all(curve.sign_ecdsa(&message, &secret));
        tx.input[0].witness = Witness::p2wpkh(&signature, &key.0);
        let raw = hex::encode(serialize(&tx));
        let _: Txid = self
            .bitcoind
            .call("sendrawtransaction", rpc_params![raw])
            .await
            .unwrap();
    }
}

pub async fn a_large_opening_takes_several_coins_of_both_kinds<H: Holder>(world: World<Beside<H>>) {
    let mut taproot = Vec::new();
    for _ in 0..3 {
        let address: Address<_> = world.node.holder.taproot_address().await.parse().unwrap();
        taproot.push(address.assume_checked().script_pubkey());
    }
    world.node.pay(&taproot).await;
    world.mine(1).await;
    let coins = COINS + 3;
    let amount = COIN * coins - Amount::from_sat(50_000);
    let rate = FeeRate(2_500);
    let opening = world
        .wallet
        .fund(&foreign_output::<Beside<H>>(amount), rate)
        .await
        .unwrap();
    assert_eq!(opening.inputs.len() as u64, coins);
    let tx = decode::<Beside<H>>(&opening.tx);
    assert!(
        tx.input
            .iter()
            .all(|input| input.script_sig.is_empty() && input.sequence.is_rbf())
    );
    let (fee, vsize) = (opening.cost.fee, opening.cost.vsize);
    assert_eq!(vsize, tx.vsize() as u64);
    assert!(
        fee >= rate.fee(vsize) && fee <= rate.fee(vsize + coins),
        "{:?}",
        opening.cost
    );
    world
        .adapter
        .broadcast(&opening.tx)
        .await
        .expect("the node takes it at that fee");
}

pub async fn locks_of_others_are_left_alone<H: Holder>(world: World<Beside<H>>) {
    let (opening, _) = world.opening(Amount::from_sat(200_000)).await;
    world.wallet.keep_only(&[]).await.unwrap();
    let coin = opening.inputs[0];
    world.node.holder.lock_for_another(coin).await;
    for _ in 0..COINS - 1 {
        let made = world.opening(COIN / 2).await.0;
        assert!(!made.inputs.contains(&coin));
    }
    let refused = world
        .wallet
        .fund(&foreign_output::<Beside<H>>(COIN / 2), BITCOIN_FEE_FLOOR)
        .await;
    assert!(matches!(refused, Err(PortError::Refused(_))), "{refused:?}");
    world.wallet.keep_only(&[]).await.unwrap();
    assert_eq!(world.node.holder.locked().await, HashSet::from([coin]));
    world.wallet.keep_only(&[opening]).await.unwrap();
    assert_eq!(world.node.holder.locked().await, HashSet::from([coin]));
}

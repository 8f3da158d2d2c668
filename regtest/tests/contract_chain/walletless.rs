//! A bitcoind without wallets: many node boxes run one.

use jsonrpsee::rpc_params;
use sluice::chain::backend::BackendConfig;
use sluice::chain::bitcoin_rpc::BitcoinRpc;
use sluice::chain::bitcoind::{BITCOIN_FEE_FLOOR, Bitcoin, Bitcoind};
use sluice::ports::{Chain, Wallet};
use sluice::units::FeeRate;
use sluice_regtest::bitcoin::Daemon;
use sluice_regtest::daemons::bitcoind::NOBODY;

use crate::bench::Bench;
use crate::bitcoin::{Embedded, RealBitcoind};
use crate::world::{await_tip, endpoint, refusal};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_chain_works_and_the_missing_wallet_is_told() {
    if let Some(node) = RealBitcoind::with(&["-disablewallet=1"]).await {
        is_told(node).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_chain_tells_the_same() {
    is_told(Embedded::of(Daemon::WithoutWallet).await).await;
}

async fn is_told<B: Bench<Ledger = Bitcoin>>(node: B) {
    let config = BackendConfig {
        witness: None,
        endpoint: endpoint(&node, "sluice"),
        fee_floor: BITCOIN_FEE_FLOOR,
        fee_ceiling: FeeRate(100_000),
    };
    let adapter = loop {
        match Bitcoind::connect(config.clone()).await {
            Err(sluice::ports::PortError::Unreachable(_)) => tokio::task::yield_now().await,
            connected => break connected.unwrap(),
        }
    };
    assert!(!adapter.has_wallet());
    let miner = BitcoinRpc::new(&config.endpoint);
    let params = rpc_params![2, NOBODY];
    let blocks: Vec<bitcoin::BlockHash> = miner.call("generatetoaddress", params).await.unwrap();
    let tip = await_tip::<B>(&adapter, blocks[1]).await;
    assert_eq!(adapter.tip().await.unwrap(), tip);
    assert_eq!(adapter.fee_rate().await.unwrap(), BITCOIN_FEE_FLOOR);
    let reason = refusal(adapter.balance().await);
    assert!(
        reason.starts_with("bitcoind getbalances: ") && reason.ends_with("(-32601)"),
        "{reason}"
    );
}

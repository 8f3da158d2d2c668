//! A world's Bitcoin: the harness drives the embedded chain and a real bitcoind alike.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use bitcoin::Amount;
use sluice_regtest::bitcoin::Daemon;
use sluice_regtest::daemons;
use sluice_regtest::daemons::bitcoind::NOBODY;
use sluice_regtest::world::bitcoin::{Bitcoin, Kind};

async fn is_driven(mut chain: Bitcoin) {
    let height = chain.height().await.unwrap();
    let txid = chain.fund(NOBODY, Amount::from_sat(70_000)).await.unwrap();
    assert_eq!(chain.mempool().await.unwrap(), [txid]);
    chain.mine_empty().await.unwrap();
    assert_eq!(chain.mempool().await.unwrap(), [txid]);
    chain.mine(1).await.unwrap();
    assert!(chain.mempool().await.unwrap().is_empty());
    chain.reorg(1).await.unwrap();
    assert_eq!(chain.height().await.unwrap(), height + 3);
    let paid = chain.transaction(&txid).await.unwrap().unwrap();
    assert!(paid.output.iter().any(|output| output.value.to_sat() == 70_000));
    let unknown = "11".repeat(32).parse().unwrap();
    assert_eq!(chain.transaction(&unknown).await.unwrap(), None);
    assert!(chain.fund("nowhere", Amount::ONE_SAT).await.is_err());
    assert!(chain.reorg(100_000).await.is_err());

    let before = chain.access();
    chain.kill().await.unwrap();
    chain.restart().await.unwrap();
    assert_eq!(chain.access().rpc_url, before.rpc_url);
    assert_eq!(chain.height().await.unwrap(), height + 3);
    chain.fund(NOBODY, Amount::from_sat(70_000)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_chain_is_driven() {
    is_driven(Bitcoin::start(Kind::Embedded, Daemon::WithWallet, None).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_bitcoind_is_driven() {
    if daemons::find("bitcoind").is_none() {
        eprintln!("SKIPPED: no bitcoind; set BITCOIND_EXE or run regtest/daemons/install");
        return;
    }
    is_driven(Bitcoin::start(Kind::Bitcoind, Daemon::WithWallet, None).await.unwrap()).await;
}

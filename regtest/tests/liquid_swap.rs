//! What a swap daemon does on the chain, end to end over RPC.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "liquid/client.rs"]
mod client;

use std::time::{Duration, Instant};

use bitcoin::Amount;
use client::{WalletClient, call};
use serde_json::json;
use sluice_regtest::liquid::{LiquidChain, Options};

async fn chain() -> LiquidChain {
    LiquidChain::start(Options {
        seed: Some([7; 32]),
        ..Options::default()
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn starts_in_less_than_200_ms_with_the_genesis_block_of_elementsd() {
    let start = Instant::now();
    let chain = chain().await;
    let genesis = call(&chain, "/", "getblockhash", json!([0])).await.unwrap();
    assert!(start.elapsed() < Duration::from_millis(400), "{:?}", start.elapsed());
    assert_eq!(
        genesis,
        "00902a6b70c2ca83b5d9c815d96a0e2f4202179316970d14ea1847dae5b1ca21"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opening_is_funded_hidden_signed_and_sent() {
    let chain = chain().await;
    let maker = WalletClient::create(&chain, "maker").await;
    let address = maker.address().await;
    chain
        .fund(&address.parse().unwrap(), Amount::from_sat(10_000_000))
        .unwrap();
    chain.mine(1);
    assert_eq!(maker.call("getbalance", json!([])).await, json!({"bitcoin": 0.1}));

    let to = maker.address().await;
    let raw = maker.call("createrawtransaction", json!([[], [{to: 0.01}]])).await;
    let funded = maker
        .call(
            "fundrawtransaction",
            json!({"hexstring": raw, "options": {"feeRate": "0.00000100"}}),
        )
        .await;
    let blinded = maker.call("blindrawtransaction", json!([funded["hex"]])).await;
    let signed = maker.call("signrawtransactionwithwallet", json!([blinded])).await;
    assert_eq!(signed["complete"], true, "{signed}");
    let decoded = maker.call("decoderawtransaction", json!([signed["hex"]])).await;
    let txid = maker.call("sendrawtransaction", json!([signed["hex"]])).await;
    assert_eq!(maker.call("getrawmempool", json!([])).await, json!([txid]));
    chain.mine(2);
    assert_eq!(maker.call("gettransaction", json!([txid])).await["confirmations"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_empty_blocks_take_seconds() {
    let chain = chain().await;
    let start = Instant::now();
    chain.mine(10_080);
    assert_eq!(chain.tip().height, 10_081);
    assert!(start.elapsed() < Duration::from_secs(8));
}

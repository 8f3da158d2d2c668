//! What a swap daemon does on the chain, end to end over RPC.

#[path = "liquid/client.rs"]
mod client;

use std::time::{Duration, Instant};

use client::{Client, World};
use serde_json::json;
use sluice_regtest::liquid::{LiquidChain, Options};

#[tokio::test(flavor = "multi_thread")]
async fn starts_at_once_with_the_genesis_block_of_elementsd() {
    let start = Instant::now();
    let chain = LiquidChain::start(Options::default()).await.unwrap();
    let genesis = Client::of(&chain).text("getblockhash", json!([0])).await;
    assert!(start.elapsed() < Duration::from_millis(500), "{:?}", start.elapsed());
    assert_eq!(
        genesis,
        "00902a6b70c2ca83b5d9c815d96a0e2f4202179316970d14ea1847dae5b1ca21"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opening_is_funded_hidden_signed_and_sent() {
    let world = World::start().await;
    let wallet = &world.wallet;
    let to = wallet.address().await;
    let raw = wallet.call("createrawtransaction", json!([[], [{to: "0.01"}]])).await;
    let options = json!({"feeRate": "0.00000100"});
    let funded = wallet
        .call("fundrawtransaction", json!({"hexstring": raw, "options": options}))
        .await;
    let blinded = wallet.call("blindrawtransaction", json!([funded["hex"]])).await;
    let signed = wallet.call("signrawtransactionwithwallet", json!([blinded])).await;
    assert_eq!(signed["complete"], true, "{signed}");
    let decoded = wallet.call("decoderawtransaction", json!([signed["hex"]])).await;
    let size = decoded["discountvsize"].as_u64().unwrap();
    assert_eq!(
        funded["fee"].to_string(),
        format!("{:e}", size.div_ceil(10) as f64 / 1e8)
    );
    let txid = wallet.text("sendrawtransaction", json!([signed["hex"]])).await;
    let waiting = wallet.call("getrawmempool", json!([])).await;
    assert!(waiting.as_array().unwrap().contains(&json!(txid)));
    wallet.mine(2).await;
    assert_eq!(wallet.call("gettransaction", json!([txid])).await["confirmations"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_empty_blocks_take_seconds() {
    let chain = LiquidChain::start(Options::default()).await.unwrap();
    let start = Instant::now();
    chain.mine(10_080);
    assert_eq!(chain.tip().height, 10_081);
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
}

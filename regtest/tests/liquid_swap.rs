//! What a swap daemon does on the chain, end to end over RPC.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

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

#[tokio::test(flavor = "multi_thread")]
async fn locked_coins_are_not_chosen_and_locks_are_checked() {
    let world = World::start().await;
    let wallet = &world.wallet;
    let raw = wallet
        .call("createrawtransaction", json!([[], [{wallet.address().await: 150}]]))
        .await;
    let funded = wallet
        .call("fundrawtransaction", json!([raw, {"lockUnspents": true}]))
        .await;
    let locked = wallet.call("listlockunspent", json!([])).await;
    assert_eq!(locked.as_array().unwrap().len(), 2);
    let error = wallet.try_call("fundrawtransaction", json!([raw])).await.unwrap_err();
    assert_eq!(error, (-4, "Insufficient funds".into()));
    let error = wallet
        .try_call("lockunspent", json!([false, [locked[0]]]))
        .await
        .unwrap_err();
    assert_eq!(error, (-8, "Invalid parameter, output already locked".into()));
    wallet.call("lockunspent", json!([true, [locked[0]]])).await;
    let error = wallet
        .try_call("lockunspent", json!([true, [locked[0]]]))
        .await
        .unwrap_err();
    assert_eq!(error, (-8, "Invalid parameter, expected locked output".into()));
    wallet.call("lockunspent", json!([true])).await;
    assert_eq!(wallet.call("listlockunspent", json!([])).await, json!([]));
    assert!(funded["hex"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_wallet_was_sent_is_pending_until_a_block_and_its_own_change_is_not() {
    let world = World::start().await;
    let chain = world.chain.as_ref().unwrap();
    let other = Client::of(chain).create_wallet("other").await;
    world
        .wallet
        .call("sendtoaddress", json!([other.address().await, 5]))
        .await;
    let theirs = other.call("getbalances", json!([])).await;
    assert_eq!(
        (
            &theirs["mine"]["trusted"]["bitcoin"],
            &theirs["mine"]["untrusted_pending"]["bitcoin"]
        ),
        (&json!(0.0), &json!(5.0))
    );
    let error = other
        .try_call("sendtoaddress", json!([world.wallet.address().await, 1]))
        .await
        .unwrap_err();
    assert_eq!(error, (-6, "Insufficient funds".into()));
    assert!(
        world.wallet.call("getbalance", json!([])).await["bitcoin"]
            .as_f64()
            .unwrap()
            > 294.0
    );
    chain.mine(1);
    assert_eq!(other.call("getbalance", json!([])).await, json!({"bitcoin": 5.0}));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exact_amount_without_change_from_visible_coins_stays_visible() {
    let world = World::start().await;
    let chain = world.chain.as_ref().unwrap();
    let other = Client::of(chain).create_wallet("other").await;
    let plain = other.call("getaddressinfo", json!([other.address().await])).await["unconfidential"].clone();
    world.wallet.call("sendtoaddress", json!([plain, "0.01"])).await;
    chain.mine(1);
    let raw = other
        .call("createrawtransaction", json!([[], [{other.address().await: "0.01"}]]))
        .await;
    let funded = other
        .call("fundrawtransaction", json!([raw, {"subtractFeeFromOutputs": [0]}]))
        .await;
    assert_eq!(funded["changepos"], -1);
    let blinded = other.call("blindrawtransaction", json!([funded["hex"]])).await;
    let error = other
        .try_call("blindrawtransaction", json!([funded["hex"], false]))
        .await
        .unwrap_err();
    assert_eq!(error.0, -8);
    let signed = other.call("signrawtransactionwithwallet", json!([blinded])).await;
    let decoded = other.call("decoderawtransaction", json!([signed["hex"]])).await;
    assert_eq!(
        (
            decoded["vout"][0]["commitmentnonce"].as_str(),
            decoded["vout"][0]["value"].is_number()
        ),
        (Some(""), true)
    );
    other.call("sendrawtransaction", json!([signed["hex"]])).await;
}

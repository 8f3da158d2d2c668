//! The shape of answers: every field that the embedded chain shows is one of a real bitcoind's, of the same kind; and what
//! goes over the wire beside them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "chain/client.rs"]
mod client;
#[path = "bitcoin/world.rs"]
mod world;

use std::collections::BTreeMap;

use client::Client;
use serde_json::{Value, json};
use sluice_regtest::bitcoin::{Auth, BitcoinChain, Daemon, Options};
use world::{Backend, World, on_both};

on_both! {
    errors_have_the_codes_and_words_that_programs_match_on,
    the_2_0_dialect_is_always_http_200,
    wallets_are_made_named_and_told_apart,
}

async fn errors_have_the_codes_and_words_that_programs_match_on(world: World) {
    let nowhere = "00".repeat(32);
    for (method, params, code, text) in [
        ("getblock", json!([nowhere]), -5, "Block not found"),
        ("getblockheader", json!([nowhere]), -5, "Block not found"),
        ("getmempoolentry", json!([nowhere]), -5, "Transaction not in mempool"),
        ("getblockhash", json!({"hight": 0}), -8, "Unknown named parameter hight"),
        (
            "getblock",
            json!(["00"]),
            -8,
            "blockhash must be of length 64 (not 2, for '00')",
        ),
        (
            "sendrawtransaction",
            json!(["00"]),
            -22,
            "TX decode failed. Make sure the tx has at least one input.",
        ),
        ("decoderawtransaction", json!(["00"]), -22, "TX decode failed"),
        (
            "estimatesmartfee",
            json!([0]),
            -8,
            "Invalid conf_target, must be between 1 and 1008",
        ),
        ("nothing", json!([]), -32_601, "Method not found"),
    ] {
        let error = world.wallet.try_call(method, params).await.unwrap_err();
        assert_eq!(error, (code, text.to_owned()), "{method}");
    }
    let wrong = world.wallet.try_call("getblockhash", json!(["a"])).await.unwrap_err();
    assert_eq!(wrong.0, -3);
    assert!(world.wallet.call("gettxout", json!([nowhere, 0])).await.is_null());
    let estimate = world.wallet.call("estimatesmartfee", json!([6])).await;
    assert_eq!(estimate["errors"], json!(["Insufficient data or no feerate found"]));
}

async fn the_2_0_dialect_is_always_http_200(world: World) {
    let bad = world
        .wallet
        .post(r#"{"jsonrpc":"2.0","id":2,"method":"getblockhash","params":[999999]}"#)
        .await
        .unwrap();
    let text = "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-8,\"message\":\"Block height out of range\"},\"id\":2}\n";
    assert_eq!((bad.status, bad.text.as_str()), (200, text));
    let legacy = world
        .wallet
        .post(r#"{"id":2,"method":"getblockhash","params":[999999]}"#)
        .await
        .unwrap();
    assert_eq!(legacy.status, 500);
    let stranger = Client {
        credentials: "regtest:guess".into(),
        ..world.wallet.clone()
    };
    assert_eq!(
        stranger
            .post(r#"{"id":1,"method":"getblockcount"}"#)
            .await
            .unwrap()
            .status,
        401
    );
}

async fn wallets_are_made_named_and_told_apart(world: World) {
    let client = Client {
        path: "/".into(),
        ..world.wallet.clone()
    };
    let second = client.create_wallet("second").await;
    assert_eq!(client.try_call("getnewaddress", json!([])).await.unwrap_err().0, -19);
    assert_eq!(
        client.try_call("createwallet", json!(["second"])).await.unwrap_err().0,
        -4
    );
    assert_eq!(
        client.try_call("loadwallet", json!(["second"])).await.unwrap_err().0,
        -35
    );
    second.call("unloadwallet", json!([])).await;
    assert_eq!(client.call("listwallets", json!([])).await, json!(["w"]));
    let error = second.try_call("getbalance", json!([])).await.unwrap_err();
    assert_eq!(error, (-18, "Requested wallet does not exist or is not loaded".into()));
    client
        .call("loadwallet", json!({"filename": "second", "load_on_startup": true}))
        .await;
    assert_eq!(
        client.try_call("loadwallet", json!(["third"])).await.unwrap_err().0,
        -18
    );
    assert_eq!(second.call("getwalletinfo", json!([])).await["walletname"], "second");
}

/// What a daemon answers to every method that has something to show, in one and the same situation.
async fn answers(world: &World) -> BTreeMap<&'static str, Value> {
    let wallet = &world.wallet;
    let address = wallet.address().await;
    let txid = wallet.text("sendtoaddress", json!([address, 1])).await;
    let mut answers = BTreeMap::new();
    let tip = wallet.call("getbestblockhash", json!([])).await;
    for (name, method, params) in [
        ("chain", "getblockchaininfo", json!([])),
        ("network", "getnetworkinfo", json!([])),
        ("pool", "getmempoolinfo", json!([])),
        ("entry", "getmempoolentry", json!([txid])),
        ("verbose pool", "getrawmempool", json!([false, true])),
        ("output", "gettxout", json!([txid, 0])),
        ("waiting", "gettransaction", json!([txid, true, true])),
        ("raw", "getrawtransaction", json!([txid, 1])),
        ("header", "getblockheader", json!([tip])),
        ("block", "getblock", json!([tip, 2])),
        ("tips", "getchaintips", json!([])),
        ("address", "getaddressinfo", json!([address])),
        ("valid", "validateaddress", json!([address])),
        ("invalid", "validateaddress", json!(["nowhere"])),
        ("balances", "getbalances", json!([])),
        ("wallet", "getwalletinfo", json!([])),
        ("coins", "listunspent", json!([0, 9_999_999, [address]])),
        ("listed", "listtransactions", json!(["*", 2])),
        (
            "test",
            "testmempoolaccept",
            json!([[wallet.call("getrawtransaction", json!([txid])).await]]),
        ),
        ("fee", "estimatesmartfee", json!([6])),
    ] {
        answers.insert(name, wallet.call(method, params).await);
    }
    let hash = world.mine(1).await.remove(0);
    answers.insert("confirmed", wallet.call("gettransaction", json!([txid])).await);
    answers.insert(
        "mined",
        wallet.call("getblock", json!([hash, 2])).await["tx"][1].clone(),
    );
    answers.insert("found", wallet.call("getrawtransaction", json!([txid, 1, hash])).await);
    answers
}

/// Fields of `ours` that `theirs` does not have, or has as another kind.
fn strange(path: &str, ours: &Value, theirs: &Value, found: &mut Vec<String>) {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            for (key, value) in ours {
                match theirs.get(key) {
                    Some(other) => strange(&format!("{path}.{key}"), value, other, found),
                    None => found.push(format!("{path}.{key} is not there")),
                }
            }
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            if let (Some(ours), Some(theirs)) = (ours.first(), theirs.first()) {
                strange(&format!("{path}[0]"), ours, theirs, found);
            }
        }
        _ if std::mem::discriminant(ours) != std::mem::discriminant(theirs) => {
            found.push(format!("{path} is {theirs}, not {ours}"));
        }
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_that_is_shown_is_one_of_bitcoinds() {
    let Some(real) = World::start(Backend::Bitcoind).await else {
        return;
    };
    let embedded = World::start(Backend::Embedded).await.unwrap();
    let (ours, theirs) = (answers(&embedded).await, answers(&real).await);
    let mut found = Vec::new();
    for (name, answer) in &ours {
        strange(name, answer, &theirs[name], &mut found);
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_wallet_no_method_of_wallets_is_found() {
    let chain = BitcoinChain::start(Options {
        release: Daemon::WithoutWallet,
        ..Options::default()
    })
    .await
    .unwrap();
    let client = Client::of(&chain);
    for method in [
        "createwallet",
        "listwallets",
        "fundrawtransaction",
        "walletprocesspsbt",
        "getnewaddress",
    ] {
        let error = client.try_call(method, json!([])).await.unwrap_err();
        assert_eq!(error, (-32_601, "Method not found".into()), "{method}");
    }
    let reply = client.post(r#"{"id":1,"method":"listwallets"}"#).await.unwrap();
    assert_eq!(reply.status, 404);
    assert!(client.call("getblockcount", json!([])).await.is_u64());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cookie_file_lets_in_and_goes_with_the_chain() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".cookie");
    let chain = BitcoinChain::start(Options {
        auth: Auth::Cookie(path.clone()),
        ..Options::default()
    })
    .await
    .unwrap();
    let client = Client {
        credentials: std::fs::read_to_string(&path).unwrap(),
        ..Client::of(&chain)
    };
    assert!(client.call("getblockcount", json!([])).await.is_u64());
    drop(chain);
    assert!(!path.exists());
}

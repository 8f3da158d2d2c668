//! What goes over the wire, to the letter: both dialects, batches, named parameters, authentication.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "liquid/client.rs"]
mod client;

use client::Client;
use serde_json::json;
use sluice_regtest::liquid::{Auth, LiquidChain, Options, Release};

async fn chain(release: Release) -> (LiquidChain, Client) {
    let chain = LiquidChain::start(Options {
        release,
        ..Options::default()
    })
    .await
    .unwrap();
    let client = Client::of(&chain);
    (chain, client)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_legacy_dialect_has_result_and_error_always_and_errors_are_http_errors() {
    let (_chain, client) = chain(Release::V28).await;
    let good = client.post(r#"{"id":1,"method":"getblockcount"}"#).await.unwrap();
    assert_eq!(
        (good.status, good.text.as_str()),
        (200, "{\"result\":1,\"error\":null,\"id\":1}\n")
    );
    let bad = client
        .post(r#"{"jsonrpc":"1.0","id":"a","method":"getblockhash","params":[9]}"#)
        .await
        .unwrap();
    let text = "{\"result\":null,\"error\":{\"code\":-8,\"message\":\"Block height out of range\"},\"id\":\"a\"}\n";
    assert_eq!((bad.status, bad.text.as_str()), (500, text));
    let unknown = client.post(r#"{"id":1,"method":"nothing"}"#).await.unwrap();
    assert_eq!(
        (unknown.status, &unknown.json()["error"]["code"]),
        (404, &json!(-32601))
    );
    let invalid = client.post(r#"{"id":1}"#).await.unwrap();
    assert_eq!(
        (invalid.status, &invalid.json()["error"]["message"]),
        (400, &json!("Missing method"))
    );
    let garbage = client.post("{").await.unwrap();
    let text = "{\"result\":null,\"error\":{\"code\":-32700,\"message\":\"Parse error\"},\"id\":null}\n";
    assert_eq!((garbage.status, garbage.text.as_str()), (500, text));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_2_0_dialect_has_one_of_both_and_is_always_http_200() {
    let (_chain, client) = chain(Release::V28).await;
    let good = client
        .post(r#"{"jsonrpc":"2.0","id":1,"method":"getblockcount"}"#)
        .await
        .unwrap();
    assert_eq!(
        (good.status, good.text.as_str()),
        (200, "{\"jsonrpc\":\"2.0\",\"result\":1,\"id\":1}\n")
    );
    let bad = client
        .post(r#"{"jsonrpc":"2.0","id":2,"method":"getblockhash","params":[9]}"#)
        .await
        .unwrap();
    let text = "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-8,\"message\":\"Block height out of range\"},\"id\":2}\n";
    assert_eq!((bad.status, bad.text.as_str()), (200, text));
    let unknown = client
        .post(r#"{"jsonrpc":"2.0","id":3,"method":"nothing"}"#)
        .await
        .unwrap();
    assert_eq!(
        (unknown.status, &unknown.json()["error"]["code"]),
        (200, &json!(-32601))
    );
    let told = client
        .post(r#"{"jsonrpc":"2.0","method":"getblockcount"}"#)
        .await
        .unwrap();
    assert_eq!((told.status, told.text.as_str()), (204, ""));
    let odd = client
        .post(r#"{"jsonrpc":"3.0","id":3,"method":"getblockcount"}"#)
        .await
        .unwrap();
    assert_eq!(
        (odd.status, &odd.json()["error"]["message"]),
        (400, &json!("JSON-RPC version not supported"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_without_2_0_answers_in_the_legacy_dialect_whatever_the_request_says() {
    let (_chain, client) = chain(Release::V23).await;
    let bad = client
        .post(r#"{"jsonrpc":"2.0","id":2,"method":"getblockhash","params":[9]}"#)
        .await
        .unwrap();
    assert_eq!((bad.status, bad.json()["result"].is_null()), (500, true));
    let good = client
        .post(r#"{"jsonrpc":"2.0","id":2,"method":"getblockcount"}"#)
        .await
        .unwrap();
    assert_eq!(good.text, "{\"result\":1,\"error\":null,\"id\":2}\n");
    assert_eq!(client.call("getblockchaininfo", json!([])).await["warnings"], "");
    assert_eq!(client.call("getnetworkinfo", json!([])).await["version"], 230_303);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_answered_in_order_and_its_errors_are_not_http_errors() {
    let (_chain, client) = chain(Release::V28).await;
    let body = r#"[{"id":1,"method":"getblockcount"},{"jsonrpc":"2.0","id":2,"method":"getblockhash","params":[9]},
                   {"jsonrpc":"2.0","method":"getblockcount"},7]"#;
    let reply = client.post(body).await.unwrap();
    let answers = reply.json();
    assert_eq!((reply.status, answers.as_array().unwrap().len()), (200, 3));
    assert_eq!(answers[0], json!({"result": 1, "error": null, "id": 1}));
    assert_eq!(answers[1]["error"]["code"], -8);
    assert_eq!(answers[2]["error"]["message"], "Invalid Request object");
    let silent = client
        .post(r#"[{"jsonrpc":"2.0","method":"getblockcount"}]"#)
        .await
        .unwrap();
    assert_eq!(silent.status, 204);
    assert_eq!(client.post("[]").await.unwrap().text, "[]\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_come_by_position_or_by_name() {
    let (_chain, client) = chain(Release::V28).await;
    let genesis = client.call("getblockhash", json!([0])).await;
    assert_eq!(client.call("getblockhash", json!({"height": 0})).await, genesis);
    let block = client
        .call("getblock", json!({"blockhash": genesis, "verbose": 2}))
        .await;
    assert_eq!(block["tx"][1]["vout"][0]["value"].to_string(), "21000000.0");
    let header = client
        .call("getblockheader", json!({"args": [genesis], "verbose": false}))
        .await;
    assert!(header.is_string());
    let error = client.try_call("getblockhash", json!({"hight": 0})).await.unwrap_err();
    assert_eq!(error, (-8, "Unknown named parameter hight".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn amounts_are_written_with_eight_decimals() {
    let (_chain, client) = chain(Release::V28).await;
    let body = r#"{"id":1,"method":"getmempoolinfo"}"#;
    let text = client.post(body).await.unwrap().text;
    assert!(text.contains("\"minrelaytxfee\":0.00000100,"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_401_and_an_unknown_path_404() {
    let (_chain, client) = chain(Release::V28).await;
    let body = r#"{"id":1,"method":"getblockcount"}"#;
    let stranger = Client {
        credentials: "regtest:guess".into(),
        ..client.clone()
    };
    let reply = stranger.post(body).await.unwrap();
    assert_eq!((reply.status, reply.text.as_str()), (401, ""));
    let lost = Client {
        path: "/somewhere".into(),
        ..client.clone()
    };
    assert_eq!(lost.post(body).await.unwrap().status, 404);
    let error = client
        .wallet("none")
        .try_call("getbalance", json!([]))
        .await
        .unwrap_err();
    assert_eq!(error, (-18, "Requested wallet does not exist or is not loaded".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cookie_file_lets_in_is_private_and_goes_with_the_chain() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".cookie");
    let chain = LiquidChain::start(Options {
        auth: Auth::Cookie(path.clone()),
        ..Options::default()
    })
    .await
    .unwrap();
    let credentials = std::fs::read_to_string(&path).unwrap();
    assert!(credentials.starts_with("__cookie__:"));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let client = Client {
        credentials,
        ..Client::of(&chain)
    };
    assert_eq!(client.call("getblockcount", json!([])).await, 1);
    drop(chain);
    assert!(!path.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn wallets_are_made_named_and_told_apart() {
    let (_chain, client) = chain(Release::V28).await;
    let error = client.try_call("getnewaddress", json!([])).await.unwrap_err();
    assert_eq!(error.0, -18);
    assert!(error.1.starts_with("No wallet is loaded."));
    let first = client.create_wallet("first").await;
    assert!(client.address().await.starts_with("el1"));
    client.create_wallet("second").await;
    assert_eq!(client.try_call("getnewaddress", json!([])).await.unwrap_err().0, -19);
    assert_eq!(client.call("listwallets", json!([])).await, json!(["first", "second"]));
    assert_eq!(
        client.try_call("createwallet", json!(["first"])).await.unwrap_err().0,
        -36
    );
    assert_eq!(
        client.try_call("loadwallet", json!(["first"])).await.unwrap_err().0,
        -35
    );
    first.call("unloadwallet", json!([])).await;
    assert_eq!(client.call("listwallets", json!([])).await, json!(["second"]));
    client
        .call("loadwallet", json!({"filename": "first", "load_on_startup": true}))
        .await;
    assert_eq!(
        client.try_call("loadwallet", json!(["third"])).await.unwrap_err().0,
        -18
    );
    assert_eq!(first.call("getwalletinfo", json!([])).await["walletname"], "first");
}

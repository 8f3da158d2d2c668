//! The chain alone.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::program::Runtime;

#[test]
fn liquid_answers_soon_and_ends_at_once() {
    let runtime = Runtime::new();
    let up = runtime.start(&["liquid", "--port", "0"]);
    assert!(up.took < Duration::from_secs(2), "ready after {:?}", up.took);
    assert!(up.site["bitcoin"].is_null());
    assert_eq!(up.site["nodes"], json!([]));
    let info = up.liquid("", "getblockchaininfo", json!([]));
    assert_eq!(info["chain"], up.site["liquid"]["chain"]);
    let genesis = up.liquid("", "getblockhash", json!([0]));
    assert_eq!(genesis, up.site["liquid"]["genesis"]);
    let took = up.end();
    assert!(took < Duration::from_secs(1), "ended after {took:?}");
    assert!(runtime.refusal(&["mine"]).contains("no world is up"));
}

#[test]
fn commands_change_the_chain_that_is_up() {
    let runtime = Runtime::new();
    let up = runtime.start(&["liquid", "--port", "0"]);
    let height = || up.liquid("", "getblockcount", json!([])).as_u64().unwrap();
    let start = height();
    assert_eq!(runtime.ask(&["mine", "3"])["height"], start + 3);
    assert_eq!(height(), start + 3);

    up.liquid("", "createwallet", json!(["w"]));
    let address = up.liquid("wallet/w", "getnewaddress", json!([]));
    let balance = || up.liquid("wallet/w", "getbalance", json!([]))["bitcoin"].to_string();
    let funded = runtime.ask(&["fund", address.as_str().unwrap(), "1_234_567"]);
    let waiting = up.liquid("", "getrawmempool", json!([]));
    assert_eq!(waiting, json!([funded["txid"]]));
    runtime.ask(&["snapshot", "paid"]);
    runtime.ask(&["mine"]);
    assert_eq!(balance(), "0.01234567");

    let tip = up.liquid("", "getbestblockhash", json!([]));
    assert_eq!(runtime.ask(&["reorg", "1"])["height"], start + 5);
    let header = up.liquid("", "getblockheader", json!([tip]));
    assert_eq!(header["confirmations"], -1);
    assert_eq!(balance(), "0.01234567");

    assert_eq!(runtime.ask(&["revert", "paid"])["height"], start + 3);
    assert_eq!(height(), start + 3);
    assert_eq!(up.liquid("", "getrawmempool", json!([])), waiting);
}

#[test]
fn wrong_input_gets_one_sentence() {
    let runtime = Runtime::new();
    let up = runtime.start(&["liquid", "--port", "0"]);
    let address = up.liquid("wallet/faucet", "getnewaddress", json!([]));
    let address = address.as_str().unwrap();
    let port = up.site["liquid"]["rpc_url"]
        .as_str()
        .unwrap()
        .rsplit_once(':')
        .unwrap()
        .1;
    let liquidv1 = "ex1q7gkeyjut0mrxc3j0kjlt7rmcnvsh0gt45d3fud";
    let cases: &[(&[&str], &str)] = &[
        (&["mine", "0"], "0 is not in 1..=100000"),
        (&["mine", "100001"], "100001 is not in 1..=100000"),
        (&["mine", "many"], "invalid digit"),
        (&["mine", "--asset", "btc"], "this world swaps on Liquid alone"),
        (&["mine", "--asset", "doge"], "must be `lbtc` or `btc`"),
        (&["reorg", "500"], "500 blocks to replace, the chain has 1"),
        (&["fund", "nonsense", "1000"], "nonsense is no address of liquidregtest"),
        (&["fund", liquidv1, "1000"], "of another network"),
        (&["fund", address, "0"], "between 1 and 2100000000000000 sat"),
        (&["fund", address, "0.5"], "whole satoshi"),
        (&["fund", address, "2100000000000000"], "nsufficient funds"),
        (&["revert"], "no snapshot was taken"),
        (&["mine", "--world", "other"], "no world named other is up, but default"),
        (&["liquid", "--world", "default"], "a world named default is up already"),
        (&["liquid", "--port", port], "in use"),
        (&["liquid", "--port", "0", "--block-time", "0s"], "between 10ms and 60m"),
        (&["liquid", "--port", "0", "--state", "/dev/null/x"], "Not a directory"),
    ];
    for (arguments, expected) in cases {
        let sentence = runtime.refusal(arguments);
        assert!(sentence.contains(expected), "{arguments:?}: {sentence}");
    }
    runtime.ask(&["mine"]);
}

#[test]
fn two_worlds_are_told_apart_by_name() {
    let runtime = Runtime::new();
    let first = runtime.start(&["liquid", "--port", "0"]);
    let second = runtime.start(&["liquid", "--port", "0"]);
    assert_eq!(first.site["world"], "default");
    assert_eq!(second.site["world"], "default-2");
    assert!(runtime.refusal(&["mine"]).contains("2 worlds are up"));
    assert_eq!(runtime.ask(&["mine", "5", "--world", "default-2"])["height"], 6);
    assert_eq!(first.liquid("", "getblockcount", json!([])), 1);
    first.end();
    assert_eq!(runtime.ask(&["mine"])["height"], 7);
}

#[test]
fn a_state_file_keeps_chain_and_wallets() {
    let runtime = Runtime::new();
    let state = runtime.path("state.json");
    let arguments = ["liquid", "--port", "0", "--state", &state];
    let up = runtime.start(&arguments);
    up.liquid("", "createwallet", json!(["w"]));
    let address = up.liquid("wallet/w", "getnewaddress", json!([]));
    runtime.ask(&["fund", address.as_str().unwrap(), "500"]);
    runtime.ask(&["mine", "2"]);
    let tip = up.liquid("", "getbestblockhash", json!([]));
    up.end();

    let up = runtime.start(&arguments);
    assert_eq!(up.liquid("", "getbestblockhash", json!([])), tip);
    let balance = up.liquid("wallet/w", "getbalance", json!([]));
    assert_eq!(balance["bitcoin"].to_string(), "5e-6");
    up.end();

    std::fs::write(&state, "junk").unwrap();
    let sentence = runtime.refusal(&arguments);
    assert!(sentence.contains("state file"), "{sentence}");
}

#[test]
fn a_state_file_holds_the_blocks_of_a_killed_chain() {
    let runtime = Runtime::new();
    let state = runtime.path("state.json");
    let arguments = ["liquid", "--port", "0", "--state", &state];
    let mut up = runtime.start(&arguments);
    let before = std::fs::read(&state).unwrap();
    runtime.ask(&["mine", "9"]);
    let tip = up.liquid("", "getbestblockhash", json!([]));
    let until = Instant::now() + Duration::from_secs(10);
    while std::fs::read(&state).unwrap() == before {
        assert!(Instant::now() < until, "not saved");
        std::thread::yield_now();
    }
    up.kill();
    let up = runtime.start(&arguments);
    assert_eq!(up.liquid("", "getbestblockhash", json!([])), tip);
}

#[test]
fn blocks_come_by_themselves() {
    let runtime = Runtime::new();
    let up = runtime.start(&["liquid", "--port", "0", "--block-time", "50ms"]);
    let reached = up.liquid("", "waitforblockheight", json!([4, 10_000]));
    assert!(reached["height"].as_u64().unwrap() >= 4, "{reached}");
}

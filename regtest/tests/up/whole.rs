//! The whole world.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::program::{Runtime, post};

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// A node's channel with its peer, its lnd's files, and its sluiced are as they are told.
fn node_answers(node: &Value, peer: &Value) {
    let channel = &node["channels"][0];
    assert_eq!(channel["peer_id"], peer["node_id"]);
    assert_eq!(channel["capacity_sat"], 10_000_000);
    assert!(channel["local_sat"].as_u64().unwrap() > 4_900_000);
    for file in ["tls_cert", "macaroon"] {
        assert!(Path::new(&text(&node["lnd"][file])).is_file());
    }
    let sluiced = &node["sluiced"];
    assert!(Path::new(&text(&sluiced["data_dir"])).is_dir());
    let token = std::fs::read_to_string(text(&sluiced["token_file"])).unwrap();
    let url = text(&sluiced["rpc_url"]);
    let info = post(&url, "", &format!("Bearer {}", token.trim()), "info", json!({}));
    assert!(info.to_string().contains(&text(&node["node_id"])), "{info}");
}

#[test]
fn everything_that_up_names_answers() {
    let runtime = Runtime::new();
    let up = runtime.start(&["up", "--bitcoin", "embedded"]);
    assert!(up.site["bitcoin"].is_null());
    let info = up.liquid("", "getblockchaininfo", json!([]));
    assert_eq!(info["blocks"], up.site["liquid"]["height"]);

    let nodes = up.site["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 2);
    node_answers(&nodes[0], &nodes[1]);
    node_answers(&nodes[1], &nodes[0]);

    // What env.sh defines works in a plain shell.
    let env = text(&up.site["env"]);
    let script = format!(
        ". {env}; sl1 --json info; rt mine 2 --json; rt mine 3 --asset btc --json; bcrpc getblockcount; \
         rt fund bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080 1_000 --json; rt reorg 1 --asset btc --json; echo $SCID"
    );
    let mut shell = Command::new("sh");
    shell
        .args(["-eu", "-c", &script])
        .env("XDG_RUNTIME_DIR", runtime.path(""));
    let output = shell.output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{printed}{errors}");
    let lines: Vec<&str> = printed.lines().collect();
    let [info, mined, btc, count, funded, replaced, scid] = lines[..] else {
        panic!("{printed}")
    };
    assert!(info.contains(&text(&nodes[0]["node_id"])), "{info}");
    assert_eq!(mined, r#"{"height":5}"#);
    let parsed = |line: &str| serde_json::from_str::<Value>(line).unwrap();
    let height = parsed(btc)["height"].as_u64().unwrap();
    assert_eq!(parsed(count)["result"], height);
    assert_eq!(parsed(funded)["txid"].as_str().map(str::len), Some(64));
    assert_eq!(parsed(replaced)["height"], height + 1);
    assert_eq!(scid, nodes[0]["channels"][0]["scid"]);

    let pids: Vec<u64> = nodes.iter().map(|n| n["sluiced"]["pid"].as_u64().unwrap()).collect();
    let folder = text(&nodes[0]["sluiced"]["data_dir"]);
    let took = up.end();
    assert!(took < Duration::from_secs(1), "ended after {took:?}");
    for pid in pids {
        assert!(
            !Path::new(&format!("/proc/{pid}")).exists(),
            "sluiced {pid} is still there"
        );
    }
    assert!(!Path::new(&folder).exists());
    assert!(!Path::new(&env).exists());
}

//! `sluice` itself: exit codes, JSON, what people read.

use std::process::{Output, Stdio};

use serde_json::Value;
use sluice::swap::event::InvoiceStatus;
use sluice::swap::state::Party;
use sluice::swap::{Kind, Maker, Outcome, Role, State, Taker};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::fixtures::{MADE, claim, claiming, deal, offer, opened, point, swap};
use crate::served::Served;

const ORDER: [&str; 6] = ["swap", "out", "--channel", "812345x17x1", "--amount", "1_000_000"];

pub fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
    for name in ["SLUICE_RPC_URL", "SLUICE_TOKEN_FILE", "SLUICE_DATA_DIR", "NO_COLOR"] {
        command.env_remove(name);
    }
    command.args(args).stdin(Stdio::null()).kill_on_drop(true);
    command
}

fn asked(served: &Served, args: &[&str]) -> Command {
    let mut command = command(args);
    command
        .env("SLUICE_RPC_URL", served.url())
        .env("SLUICE_TOKEN_FILE", served.token_file());
    command
}

pub async fn sluice(served: &Served, args: &[&str]) -> Output {
    asked(served, args).output().await.unwrap()
}

pub fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

pub fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

pub fn json(output: &Output) -> Value {
    serde_json::from_str(&out(output)).unwrap_or_else(|e| panic!("{e}: {} {}", out(output), err(output)))
}

fn requested() -> State {
    State::Requested {
        sent: true,
        deadline: MADE.plus_secs(120),
    }
}

#[tokio::test]
async fn a_swap_that_is_ordered_answers_at_once() {
    let served = Served::begin().await;
    let output = sluice(&served, &ORDER).await;
    assert_eq!(code(&output), 0, "{}", err(&output));
    let text = out(&output);
    assert!(text.contains("requested, waiting for the peer's answer"), "{text}");
    assert!(text.contains("sluice swap wait a1a1a1a1"), "{text}");

    let answer = json(&sluice(&served, &[&ORDER[..], &["--json"]].concat()).await);
    assert_eq!(answer["repeated"], false);
    assert_eq!(answer["swap"]["amount_sat"], 1_000_000);
    assert_eq!(answer["swap"]["max_premium_sat"], 2_000);
    assert_eq!(answer["swap_id"], answer["swap"]["swap_id"]);
}

#[tokio::test]
async fn the_same_key_swaps_once() {
    let served = Served::begin().await;
    let order = [&ORDER[..], &["--idempotency-key", "monday", "--json"]].concat();
    let (first, second) = (
        json(&sluice(&served, &order).await),
        json(&sluice(&served, &order).await),
    );
    assert_eq!(first["swap_id"], second["swap_id"]);
    assert_eq!((&first["repeated"], &second["repeated"]), (&false.into(), &true.into()));
    let mut other = order.clone();
    other[5] = "2_000_000";
    let refused = sluice(&served, &other).await;
    assert_eq!(code(&refused), 1);
    assert_eq!(json(&refused)["error"]["data"]["error"], "key_reused");
}

#[tokio::test]
async fn a_swap_says_why_it_has_its_asset() {
    let served = Served::begin().await;
    served.fake.put(swap(0xa1, Kind::Out, Role::Taker, requested()));
    served.fake.note_choice("it is possible, and final first");
    let text = out(&sluice(&served, &["swap", "get", "a1"]).await);
    let row = "\nasset               lbtc: it is possible, and final first\n";
    assert!(text.contains(row), "{text}");
}

/// What the end of a swap means to a script.
async fn exit_of(outcome: Outcome) -> i32 {
    let served = Served::begin().await;
    served
        .fake
        .put(swap(0xa1, Kind::Out, Role::Taker, State::Closed(outcome)));
    code(&sluice(&served, &["swap", "wait", "a1"]).await)
}

#[tokio::test]
async fn exit_codes_tell_the_end() {
    let reason = || "why".to_owned();
    let by = Party::Peer;
    assert_eq!(exit_of(Outcome::ClaimedByInvoice).await, 0);
    assert_eq!(exit_of(Outcome::ClaimPaid { coins: Party::Peer }).await, 0);
    assert_eq!(exit_of(Outcome::Canceled { by, reason: reason() }).await, 3);
    assert_eq!(exit_of(Outcome::CoopClosed { reason: reason() }).await, 4);
    assert_eq!(exit_of(Outcome::ClaimedByCoop).await, 4);
    assert_eq!(exit_of(Outcome::ClaimedByCsv).await, 4);
    assert_eq!(exit_of(Outcome::Lost { reason: reason() }).await, 7);
}

#[tokio::test]
async fn a_wait_that_lasts_too_long_has_its_own_code() {
    let served = Served::begin().await;
    served.fake.put(swap(0xa1, Kind::Out, Role::Taker, requested()));
    let output = sluice(&served, &["swap", "wait", "a1", "--timeout", "0", "--json"]).await;
    assert_eq!(code(&output), 6, "{}", err(&output));
    assert_eq!(json(&output)["reached"], false);
}

/// Each state comes once `sluice` has printed the one before.
#[tokio::test]
async fn waiting_shows_each_change_in_a_line_of_its_own() {
    let served = Served::begin().await;
    let mut child = asked(&served, &[&ORDER[..], &["--wait"]].concat())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let taker = |taker| State::Taker(deal(), taker);
    let confirming = Taker::AwaitingConfirmation {
        offer: offer(),
        confirmed_at: Some(sluice::units::Height(502)),
    };
    let way = [
        (" s  requested, waiting for the peer's answer", taker(confirming)),
        (
            " s  opening confirming (1 of 2 blocks)",
            taker(claiming(vec![claim()], false)),
        ),
        (
            " s  paid, our claim is published",
            State::Closed(Outcome::ClaimedByInvoice),
        ),
    ];
    for (shown, then) in way {
        loop {
            let line = lines.next_line().await.unwrap().expect("the next line");
            assert!(!line.contains('\x1b'), "no colour and no drawing in a pipe");
            if line.contains(shown) {
                break;
            }
        }
        served.fake.put(swap(0xa1, Kind::Out, Role::Taker, then));
    }
    let mut last = String::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        last.push_str(&line);
    }
    assert!(last.contains("done: paid, and the coins are ours"), "{last}");
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
}

#[tokio::test]
async fn waiting_for_a_settled_swap_does_not_wait_for_the_last_block() {
    let served = Served::begin().await;
    let paid = Maker::Opened(opened(InvoiceStatus::Paid, Some(501)));
    served
        .fake
        .put(swap(0xa1, Kind::In, Role::Maker, State::Maker(deal(), paid)));
    let output = sluice(&served, &["swap", "wait", "a1a1", "--until", "settled", "--json"]).await;
    assert_eq!(code(&output), 0, "{}", err(&output));
    let answer = json(&output);
    assert_eq!(
        (&answer["reached"], &answer["swap"]["stage"]),
        (&true.into(), &"paid".into())
    );
}

#[tokio::test]
async fn a_swap_is_found_by_the_beginning_of_its_id_if_that_is_enough() {
    let served = Served::begin().await;
    served.fake.put(swap(0xa1, Kind::Out, Role::Taker, requested()));
    served.fake.put(swap(0xa2, Kind::Out, Role::Taker, requested()));
    let found = json(&sluice(&served, &["swap", "get", "A2", "--json"]).await);
    assert_eq!(found["swap_id"], "a2".repeat(32));
    let two = sluice(&served, &["swap", "get", "a"]).await;
    assert_eq!(
        (code(&two), err(&two).contains("give more digits")),
        (1, true),
        "{}",
        err(&two)
    );
    let none = sluice(&served, &["swap", "get", "b"]).await;
    assert_eq!(
        (code(&none), err(&none).contains("no swap whose id begins with b")),
        (1, true)
    );
    let error = &json(&sluice(&served, &["swap", "get", "b", "--json"]).await)["error"];
    assert_eq!(error["code"], -32020);
    assert_eq!(
        error["data"],
        serde_json::json!({"error": "unknown_swap", "swap_id": "b"})
    );
}

#[tokio::test]
async fn running_swaps_are_listed_with_what_comes_next_and_by_when() {
    let served = Served::begin().await;
    served.fake.put(swap(0xa1, Kind::Out, Role::Taker, requested()));
    let shown = &json(&sluice(&served, &["swap", "get", "a1", "--json"]).await)["next"];
    let list = out(&sluice(&served, &["swap", "list", "--active"]).await);
    let lines: Vec<&str> = list.lines().collect();
    for (column, value) in [
        ("  NEXT", shown["brief"].as_str().unwrap()),
        ("  BY", shown["deadline"]["text"].as_str().unwrap()),
        ("  STATE", "requested"),
    ] {
        let (head, row) = (lines[0].find(column).unwrap(), lines[1].find(value).unwrap());
        assert_eq!(head + 2, row, "{list}");
    }
}

#[tokio::test]
async fn tables_are_aligned_and_group_thousands() {
    let served = Served::begin().await;
    served.fake.put(swap(0xa1, Kind::Out, Role::Taker, requested()));
    let list = out(&sluice(&served, &["swap", "list"]).await);
    let lines: Vec<&str> = list.lines().collect();
    assert!(lines[0].starts_with("SWAP"), "{list}");
    assert!(lines[1].starts_with("a1a1a1a1"), "{list}");
    let (head, row) = (lines[0].find("STATE").unwrap(), lines[1].find("requested").unwrap());
    assert_eq!(head, row, "{list}");
    assert!(lines[1].contains("1,000,000"), "{list}");
    assert!(!lines[0].contains("NEXT"), "{list}");

    let peers = out(&sluice(&served, &["peer", "list"]).await);
    assert!(peers.contains("speaks PeerSwap 6, this node 7"), "{peers}");
    assert!(peers.contains("-1,500 ppm"), "{peers}");
    assert!(peers.contains("12,345 messages dropped"), "{peers}");
    assert!(
        peers.contains("requests against the rules: 7 of 100 in 60 min"),
        "{peers}"
    );
    let info = out(&sluice(&served, &["info"]).await);
    assert!(info.contains("still syncing") && info.contains("block 1,234"), "{info}");
}

#[tokio::test]
async fn colour_is_used_where_it_is_wanted_and_nowhere_else() {
    let served = Served::begin().await;
    let plain = out(&sluice(&served, &["info"]).await);
    let forced = out(&sluice(&served, &["info", "--color", "always"]).await);
    assert!(!plain.contains('\x1b'));
    assert!(forced.contains("\x1b[31mstill syncing\x1b[0m"), "{forced}");
    let json = out(&sluice(&served, &["info", "--color", "always", "--json"]).await);
    assert!(!json.contains('\x1b'));
    let mut unwanted = command(&["info"]);
    unwanted.env("NO_COLOR", "1").args(["--rpc-url", &served.url()]);
    unwanted.arg("--data-dir").arg(served.folder.path());
    let output = unwanted.output().await.unwrap();
    assert_eq!(code(&output), 0, "{}", err(&output));
    assert_eq!(out(&output), plain);
}

#[tokio::test]
async fn a_wrong_command_line_is_the_callers_fault() {
    let served = Served::begin().await;
    for wrong in [
        vec!["swap", "out", "--channel", "x", "--amount", "1"],
        vec!["swap", "out", "--channel", "1x1x1", "--amount", "1.5"],
        vec!["swap", "get", "not-hex"],
        vec!["policy", "set"],
        vec!["bake"],
    ] {
        let output = sluice(&served, &wrong).await;
        assert_eq!(code(&output), 2, "{wrong:?}: {}", err(&output));
        assert_eq!(out(&output), "", "{wrong:?}");
        let told = sluice(&served, &[&wrong[..], &["--json"]].concat()).await;
        assert_eq!(code(&told), 2, "{wrong:?}");
        let error = &json(&told)["error"];
        assert_eq!(error["data"]["error"], "usage", "{wrong:?}");
        let message = error["message"].as_str().unwrap();
        assert!(!message.contains('\n') && !message.starts_with("error"), "{message}");
        assert!(err(&told).contains("error: "), "{}", err(&told));
    }
    let help = sluice(&served, &["swap", "--help", "--json"]).await;
    assert_eq!((code(&help), out(&help).contains("Usage:")), (0, true));
}

#[tokio::test]
async fn a_refusal_is_one_sentence() {
    let served = Served::begin().await;
    let order = ["swap", "out", "--channel", "812345x17x1", "--amount", "9_000_000"];
    let output = sluice(&served, &order).await;
    assert_eq!(code(&output), 1);
    assert_eq!(out(&output), "");
    assert_eq!(
        err(&output),
        "error: channel 812345x17x1 can send 5000000 sat now, a swap-out of that amount needs 9000000 sat\n"
    );
}

#[tokio::test]
async fn canceling_says_what_it_means() {
    let served = Served::begin().await;
    served.fake.put(swap(0xa1, Kind::Out, Role::Taker, requested()));
    let output = sluice(&served, &["swap", "cancel", "a1"]).await;
    assert_eq!(code(&output), 0, "{}", err(&output));
    assert!(out(&output).contains("nothing is at stake"), "{}", out(&output));
    let paid = State::Taker(deal(), claiming(vec![claim()], false));
    served.fake.put(swap(0xa1, Kind::Out, Role::Taker, paid));
    let refused = sluice(&served, &["swap", "cancel", "a1"]).await;
    assert_eq!(
        (code(&refused), err(&refused).contains("the coins are being claimed")),
        (1, true)
    );
}

#[tokio::test]
async fn policy_and_premiums_are_set_by_name() {
    let served = Served::begin().await;
    let peer = point(2).to_string();
    let policy = json(&sluice(&served, &["policy", "allow", &peer, "--json"]).await);
    assert_eq!(policy["allowlist"][0], peer);
    let set = [
        "policy",
        "set",
        "--min-amount",
        "50_000",
        "--max-amount",
        "none",
        "--json",
    ];
    let policy = json(&sluice(&served, &set).await);
    assert_eq!(
        (&policy["min_amount_sat"], &policy["max_amount_sat"]),
        (&50_000.into(), &Value::Null)
    );
    let set = ["premium", "set", "--direction", "in", "--ppm", "-250", "--peer", &peer];
    let text = out(&sluice(&served, &set).await);
    assert!(text.contains("-250") && text.contains(&peer), "{text}");
    let delete = ["premium", "delete", "--direction", "in", "--peer", &peer];
    assert_eq!(out(&sluice(&served, &delete).await).trim(), "no rates are set");
}

#[tokio::test]
async fn the_wallet_and_stop_do_what_they_say() {
    let served = Served::begin().await;
    assert_eq!(out(&sluice(&served, &["wallet", "address"]).await), "el1qexample\n");
    assert!(out(&sluice(&served, &["wallet", "balance"]).await).contains("2,345,678 sat"));
    let send = ["wallet", "send", "--address", "el1qexample", "--amount", "1000"];
    assert_eq!(out(&sluice(&served, &send).await).trim().len(), 64);
    let wrong = ["wallet", "send", "--address", "nonsense", "--amount", "1000"];
    let refused = sluice(&served, &wrong).await;
    assert!(
        err(&refused).starts_with("error: parameter address: must be an address"),
        "{}",
        err(&refused)
    );
    assert_eq!(code(&sluice(&served, &["stop"]).await), 0);
    assert!(served.fake.was_stopped());
}

#[tokio::test]
async fn completions_need_no_daemon() {
    for shell in ["bash", "zsh", "fish"] {
        let output = command(&["completions", shell]).output().await.unwrap();
        assert_eq!(code(&output), 0);
        assert!(out(&output).contains("max-premium-ppm"), "{shell}");
    }
}

//! Everything that can be asked: each method of the API, what it refuses, and the command line.

use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use jsonrpsee::core::client::{Subscription, SubscriptionClientT};
use jsonrpsee::core::params::ObjectParams;
use serde_json::{Value, json};
use sluice::keys::Seed;
use sluice::units::SwapId;
use sluice_regtest::daemons::wait_for;
use sluice_regtest::world::operator::Operator;
use sluice_regtest::world::{PATIENCE, World, build};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;

use super::written::Written;

/// The methods as they are declared.
const API: &str = include_str!("../../../../src/api/mod.rs");

/// What a daemon tells its subscribers of every swap.
pub struct Told {
    name: String,
    lines: Arc<Mutex<String>>,
}

impl Told {
    /// Listens until the daemon ends.
    pub async fn by(operator: &Operator) -> Result<Told> {
        let socket = operator.daemon.socket().await?;
        let mut views: Subscription<Value> = socket
            .subscribe("swap_subscribe", ObjectParams::new(), "swap_unsubscribe")
            .await?;
        let lines = Arc::new(Mutex::new(String::new()));
        let heard = lines.clone();
        tokio::spawn(async move {
            while let Some(Ok(view)) = views.next().await {
                let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
                heard.push_str(&format!("{view}\n"));
            }
            drop(socket);
        });
        let name = operator.name.clone();
        Ok(Told { name, lines })
    }

    pub fn into(self, written: &mut Written) -> Result<()> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone();
        ensure!(
            lines.lines().count() > 4,
            "{} was told of its swaps: {lines}",
            self.name
        );
        written.note(format!("answers of {}: swap_subscribe", self.name), lines);
        Ok(())
    }
}

/// A request as it goes over the wire, and the whole answer, its head too.
async fn post(operator: &Operator, authorization: Option<&str>, body: &str) -> Result<String> {
    let url = operator.daemon.url();
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).await?;
    let authorization = authorization.map_or(String::new(), |value| format!("Authorization: {value}\r\n"));
    let length = body.len();
    let request = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
         Connection: close\r\n{authorization}\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// A call of each method there is, and orders and calls that are refused.
fn calls(world: &World, operator: &Operator, swap: SwapId) -> Vec<(&'static str, Value)> {
    let peer = world.other(operator).id;
    let channel = world.channels[0];
    let order = json!({"channel": channel, "amount_sat": 9_000_000, "asset": "lbtc", "max_premium_ppm": 2000});
    vec![
        ("info", json!({})),
        ("swap_get", json!({"swap_id": swap})),
        ("swap_list", json!({})),
        ("swap_wait", json!({"swap_id": swap, "timeout_secs": 1})),
        ("peer_list", json!({})),
        ("peer_get", json!({"peer": peer})),
        ("chain_list", json!({})),
        ("policy_get", json!({})),
        ("premium_get", json!({})),
        ("wallet_address", json!({"asset": "lbtc"})),
        ("wallet_address", json!({"asset": "btc"})),
        ("wallet_balance", json!({"asset": "lbtc"})),
        ("wallet_balance", json!({"asset": "btc"})),
        ("policy_set", json!({"min_amount_sat": 100_000})),
        ("premium_set", json!({"asset": "lbtc", "direction": "out", "ppm": 100})),
        ("peer_quarantine", json!({"peer": peer, "note": "for a test"})),
        ("peer_release", json!({"peer": peer})),
        ("chain_pause", json!({"asset": "btc", "note": "for a test"})),
        ("chain_resume", json!({"asset": "btc"})),
        // refused
        ("swap_out", order.clone()),
        ("swap_in", order),
        ("swap_out", json!({"channel": "7x7x7", "amount_sat": 500_000})),
        ("swap_out", json!({"channel": channel, "amount_sat": "much"})),
        ("swap_cancel", json!({"swap_id": swap})),
        ("swap_bump", json!({"swap_id": swap})),
        ("swap_get", json!({"swap_id": "ab".repeat(32)})),
        ("swap_get", json!({"swap_id": swap, "preimage": true})),
        (
            "wallet_send",
            json!({"asset": "btc", "address": "nowhere", "amount_sat": 1_000}),
        ),
        (
            "wallet_send",
            json!({"asset": "lbtc", "address": "nowhere", "amount_sat": 1_000}),
        ),
        ("seed_words", json!({})),
    ]
}

/// The names of all methods but those of the subscription, which is heard from the beginning, and `stop`.
fn declared() -> Vec<&'static str> {
    let names = API.split("#[method(name = \"").skip(1);
    let names = names.filter_map(|rest| rest.split('"').next());
    names.filter(|name| *name != "stop").collect()
}

/// Asks a running daemon everything, also by ways that are refused.
pub async fn everything(world: &World, operator: &Operator, swaps: &[SwapId]) -> Result<Written> {
    let mut written = Written::default();
    let token = std::fs::read_to_string(operator.daemon.token_path())?.trim().to_owned();
    let bearer = format!("Bearer {token}");
    let request = |method: &str, params: &Value| json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let mut answered = Vec::new();
    for swap in swaps {
        for (method, params) in calls(world, operator, *swap) {
            let answer = post(operator, Some(&bearer), &request(method, &params).to_string()).await?;
            if answer.starts_with("HTTP/1.1 200") {
                answered.push(method);
            }
            written.note(format!("answers of {}: {method}", operator.name), answer);
        }
    }
    let declared = declared();
    ensure!(declared.len() > 20, "the methods are declared otherwise");
    for method in declared {
        ensure!(answered.contains(&method), "{method} was not asked, or did not answer");
    }
    let info = request("info", &json!({})).to_string();
    let mut nearly = bearer.clone();
    let last = nearly.pop().context("a token")?;
    nearly.push(if last == '0' { '1' } else { '0' });
    let strangers = [None, Some(nearly), Some(bearer.replace("Bearer", "Basic"))];
    for authorization in strangers {
        let answer = post(operator, authorization.as_deref(), &info).await?;
        ensure!(answer.starts_with("HTTP/1.1 401"), "{answer}");
        written.note(format!("refusals of {}", operator.name), answer);
    }
    for broken in ["{", "[]", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":7}"] {
        let answer = post(operator, Some(&bearer), broken).await?;
        written.note(format!("refusals of {}", operator.name), answer);
    }
    Ok(written)
}

/// `sluice` with these arguments and this on its standard input.
async fn sluice(arguments: &[&str], input: &str) -> Result<Output> {
    let program = build::sluiced().await?.with_file_name("sluice");
    let mut command = Command::new(program);
    command.args(arguments).kill_on_drop(true);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut running = command.spawn()?;
    let mut stdin = running.stdin.take().context("standard input")?;
    // one that reads nothing may have ended
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    Ok(running.wait_with_output().await?)
}

/// Runs commands and keeps what they print; `good` is whether each of them must succeed.
async fn run(operator: &Operator, commands: &[&[&str]], input: &str, good: bool, written: &mut Written) -> Result<()> {
    let (folder, url) = (operator.daemon.data_dir().display().to_string(), operator.daemon.url());
    for command in commands {
        let arguments = [&["--data-dir", &folder, "--rpc-url", &url], *command].concat();
        let printed = sluice(&arguments, input).await?;
        ensure!(printed.status.success() == good, "{command:?}: {printed:?}");
        let what = format!(
            "sluice of {}: {}",
            operator.name,
            command[..2.min(command.len())].join(" ")
        );
        written.note(what, [printed.stdout, printed.stderr].concat());
    }
    Ok(())
}

/// What the command line says while the daemon runs.
pub async fn commands(operator: &Operator, swap: SwapId, rescue: &str, written: &mut Written) -> Result<()> {
    let (id, seed) = (
        swap.to_string(),
        operator.daemon.data_dir().join("seed").display().to_string(),
    );
    let good: [&[&str]; 6] = [
        &["info"],
        &["--json", "swap", "list"],
        &["swap", "get", &id],
        &["peer", "list"],
        &["chain"],
        &["rescue", rescue, "--seed-file", &seed],
    ];
    run(operator, &good, "", true, written).await?;
    let refused: [&[&str]; 6] = [
        &["db", "check"],
        &["db", "export"],
        &["seed", "backup"],
        &["seed", "restore"],
        &["--token-file", &seed, "info"],
        &["swap", "get", "abababab"],
    ];
    run(operator, &refused, "", false, written).await
}

/// What it says to words that are not those of the file's seed, and to words with a slip.
pub async fn wrong_words(operator: &Operator, other: &Operator, rescue: &str, written: &mut Written) -> Result<()> {
    let words = Seed::words(&other.daemon.data_dir().join("seed"))?.list();
    run(operator, &[&["rescue", rescue]], &words.join(" "), false, written).await?;
    let mut swapped = Seed::words(&operator.daemon.data_dir().join("seed"))?.list();
    swapped.rotate_left(1);
    let short = swapped[..11].join(" ");
    run(operator, &[&["rescue", rescue]], &short, false, written).await
}

/// What the command line says of the database of a daemon that has ended.
pub async fn database(operator: &Operator, written: &mut Written) -> Result<()> {
    let commands: [&[&str]; 3] = [&["db", "check"], &["--json", "db", "check"], &["db", "export"]];
    run(operator, &commands, "", true, written).await
}

/// Starts of an ended daemon that fail at their secrets, each with a word of what it must say. What they say is in its log.
pub async fn failing_starts(operator: &mut Operator, others_macaroon: &str) -> Result<()> {
    let folder = operator.daemon.data_dir();
    for (file, what) in [("seed", "its check does not fit"), ("api.token", "64 hex digits")] {
        let path = folder.join(file);
        let text = std::fs::read_to_string(&path)?;
        // one digit in the middle of it
        let middle = text.len() / 2;
        let wrong = if &text[middle..=middle] == "a" { "b" } else { "a" };
        let changed = match file {
            "seed" => [&text[..middle], wrong, &text[middle + 1..]].concat(),
            _ => format!("{}{wrong}", text.trim()),
        };
        std::fs::write(&path, changed)?;
        fails(operator, &[], what).await?;
        std::fs::write(&path, text)?;
    }
    let macaroon = format!("--set=lightning.lnd.macaroon={others_macaroon}");
    fails(operator, &[macaroon], "verification failed").await?;
    fails(operator, &["--set=liquid.user=".into()], "liquid.password").await?;
    fails(operator, &["--set=bitcoin.user=somebody".into()], "401").await
}

async fn fails(operator: &mut Operator, more: &[String], what: &str) -> Result<()> {
    let log = operator.daemon.log_path();
    let before = std::fs::read_to_string(&log)?.len();
    operator.daemon.launch_with(more)?;
    wait_for(&format!("{more:?} to fail with `{what}`"), PATIENCE, || async {
        let log = std::fs::read_to_string(&log)?;
        Ok(log[before..].contains(what).then_some(()))
    })
    .await
    .with_context(|| operator.tail())?;
    operator.daemon.kill();
    Ok(())
}

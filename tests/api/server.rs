//! The server: who gets in, what is taken, what comes back.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use http::header::AUTHORIZATION;
use jsonrpsee::core::ClientError;
use jsonrpsee::core::client::ClientT;
use jsonrpsee::http_client::{HttpClient, HttpClientBuilder};
use jsonrpsee::rpc_params;
use jsonrpsee::ws_client::{WsClient, WsClientBuilder};
use serde_json::{Value, json};
use sluice::api::SluiceApiClient;
use sluice::api::error::Code;
use sluice::api::token::{Token, TokenError};
use sluice::api::types::{Stage, SwapRef, SwapTopic, SwapWait, Until};
use sluice::swap::{Kind, Outcome, Role, State};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::fixtures::{MADE, swap};
use crate::served::Served;

/// Status and body of a POST.
pub async fn post(served: &Served, authorization: Option<&str>, body: &str) -> (u16, Value) {
    let mut stream = TcpStream::connect(served.handle.address()).await.unwrap();
    let authorization = authorization.map_or(String::new(), |value| format!("Authorization: {value}\r\n"));
    let request = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n{authorization}\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

async fn call(served: &Served, method: &str, params: Value) -> Value {
    let bearer = served.token.header().to_str().unwrap().to_owned();
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let (status, answer) = post(served, Some(&bearer), &body.to_string()).await;
    assert_eq!(status, 200);
    answer
}

pub fn client(served: &Served) -> HttpClient {
    let headers = http::HeaderMap::from_iter([(AUTHORIZATION, served.token.header())]);
    HttpClientBuilder::new()
        .set_headers(headers)
        .build(served.url())
        .unwrap()
}

pub async fn socket(served: &Served) -> WsClient {
    let headers = http::HeaderMap::from_iter([(AUTHORIZATION, served.token.header())]);
    let url = served.url().replace("http", "ws");
    WsClientBuilder::new().set_headers(headers).build(url).await.unwrap()
}

#[tokio::test]
async fn without_the_token_nothing_is_answered() {
    let served = Served::begin().await;
    let info = r#"{"jsonrpc":"2.0","id":1,"method":"info"}"#;
    let right = served.token.header().to_str().unwrap().to_owned();
    let other = format!("Bearer {}", "0".repeat(64));
    let short = right[..right.len() - 1].to_owned();
    let long = format!("{right}0");
    let bare = right.replace("Bearer ", "");
    for wrong in [
        None,
        Some(&*other),
        Some(&*short),
        Some(&*long),
        Some(&*bare),
        Some(""),
        Some("Bearer "),
    ] {
        let (status, body) = post(&served, wrong, info).await;
        assert_eq!(status, 401, "{wrong:?}");
        let message = body["error"]["message"].as_str().unwrap();
        assert!(message.contains("Authorization: Bearer TOKEN"), "{message}");
        assert_eq!(body["error"]["data"]["error"], "unauthorized");
    }
    let (status, body) = post(&served, Some(&right), info).await;
    assert_eq!((status, &body["result"]["node"]["alias"]), (200, &json!("alice")));
}

#[tokio::test]
async fn a_websocket_needs_the_token_too() {
    let served = Served::begin().await;
    let url = served.url().replace("http", "ws");
    let refused = WsClientBuilder::new().build(url).await.unwrap_err();
    let ClientError::Transport(cause) = refused else {
        panic!("{refused:?}");
    };
    assert!(cause.to_string().contains("401"), "{cause}");
}

#[tokio::test]
async fn parameters_go_by_name_and_errors_name_them() {
    let served = Served::begin().await;
    let order = json!({"channel": "812345:17:1", "amount_sat": 1_000_000, "asset": "lbtc"});
    let answer = call(&served, "swap_out", order.clone()).await;
    assert_eq!(answer["result"]["swap"]["channel"], "812345x17x1");
    assert_eq!(answer["result"]["swap"]["stage"], "requested");

    let mut misspelt = order.clone();
    misspelt["max_premium"] = json!(5);
    let mut text = order.clone();
    text["amount_sat"] = json!("1_000_000");
    let mut gone = order.clone();
    gone.as_object_mut().unwrap().remove("channel");
    for (params, field) in [(misspelt, "max_premium"), (text, "amount_sat"), (gone, "channel")] {
        let error = &call(&served, "swap_out", params).await["error"];
        assert_eq!(error["code"], Code::InvalidParams.number());
        assert_eq!(error["data"]["error"], "invalid_params");
        assert_eq!(error["data"]["field"], field);
        assert!(error["message"].as_str().unwrap().contains(field));
    }
    for params in [json!([1, 2]), json!(["812345x17x1"]), json!("x"), json!(5)] {
        let error = &call(&served, "swap_out", params).await["error"];
        assert_eq!(error["code"], Code::InvalidParams.number(), "{error}");
    }
    let error = &call(&served, "info", json!({"verbose": true})).await["error"];
    assert_eq!(error["data"]["field"], "verbose");
    assert_eq!(served.fake.swap_ids().len(), 1, "what is refused makes no swap");
}

#[tokio::test]
async fn refusals_have_their_code_and_both_numbers() {
    let served = Served::begin().await;
    let order = json!({"channel": "812345x17x1", "amount_sat": 9_000_000, "asset": "lbtc"});
    let error = &call(&served, "swap_out", order).await["error"];
    assert_eq!(error["code"], Code::ChannelBalance.number());
    assert_eq!(error["data"]["needed_sat"], 9_000_000);
    assert_eq!(error["data"]["available_sat"], 5_000_000);
    assert_eq!(
        error["message"],
        "channel 812345x17x1 can send 5000000 sat now, a swap-out of that amount needs 9000000 sat"
    );
    let unknown = json!({"swap_id": "00".repeat(32)});
    let error = &call(&served, "swap_get", unknown).await["error"];
    assert_eq!(error["code"], Code::UnknownSwap.number());
}

#[tokio::test]
async fn calls_in_a_batch_are_checked_each() {
    let served = Served::begin().await;
    let bearer = served.token.header().to_str().unwrap().to_owned();
    let body = json!([
        {"jsonrpc": "2.0", "id": 1, "method": "wallet_balance"},
        {"jsonrpc": "2.0", "id": 2, "method": "wallet_balance", "params": {"coin": "lbtc"}},
        {"jsonrpc": "2.0", "id": 3, "method": "wallet_balance", "params": {"asset": "btc"}},
        {"jsonrpc": "2.0", "id": 4, "method": "no_such_method", "params": {"asset": "btc"}},
    ]);
    let (_, answers) = post(&served, Some(&bearer), &body.to_string()).await;
    assert_eq!(answers[0]["result"]["asset"], "lbtc");
    assert_eq!(answers[1]["error"]["data"]["field"], "coin");
    assert_eq!(answers[2]["result"]["asset"], "btc");
    assert_eq!(answers[3]["error"]["code"], -32601);
}

#[tokio::test]
async fn the_generated_client_is_understood() {
    let served = Served::begin().await;
    let client = client(&served);
    served.fake.put(swap(0xa1, Kind::Out, Role::Taker, requested()));
    let id = served.fake.swap_ids()[0];
    assert_eq!(client.swap_get(SwapRef { swap_id: id }).await.unwrap().swap_id, id);
    assert_eq!(client.info().await.unwrap().protocol_version, 7);
    let wrong: Result<Value, _> = client.request("info", rpc_params![1, 2]).await;
    assert!(wrong.is_err());
}

fn requested() -> State {
    State::Requested {
        sent: true,
        deadline: MADE.plus_secs(120),
    }
}

#[tokio::test]
async fn a_subscription_yields_every_change_until_the_swap_is_closed() {
    let served = Served::begin().await;
    served.fake.put(swap(0xa1, Kind::Out, Role::Taker, requested()));
    let swap_id = served.fake.swap_ids()[0];
    let socket = socket(&served).await;
    let topic = SwapTopic { swap_id: Some(swap_id) };
    let mut changes = socket.swap_subscribe(topic).await.unwrap();
    assert_eq!(changes.next().await.unwrap().unwrap().stage, Stage::Requested);
    let closed = State::Closed(Outcome::ClaimedByInvoice);
    served.fake.put(swap(0xa1, Kind::Out, Role::Taker, closed));
    assert_eq!(changes.next().await.unwrap().unwrap().stage, Stage::Closed);
    let unknown = SwapTopic {
        swap_id: Some("11".repeat(32).parse().unwrap()),
    };
    let Err(ClientError::Call(error)) = socket.swap_subscribe(unknown).await else {
        panic!("an unknown swap was subscribed to");
    };
    assert_eq!(error.code(), Code::UnknownSwap.number());
}

#[tokio::test]
async fn a_wait_ends_with_the_swap_or_with_its_time() {
    let served = Served::begin().await;
    served.fake.put(swap(0xa1, Kind::Out, Role::Taker, requested()));
    let request = SwapWait {
        swap_id: served.fake.swap_ids()[0],
        timeout_secs: 0,
        until: Until::Closed,
    };
    assert!(!client(&served).swap_wait(request.clone()).await.unwrap().reached);
    let client = client(&served);
    let waiting = client.swap_wait(SwapWait {
        timeout_secs: 60,
        ..request
    });
    let closing = async {
        let closed = State::Closed(Outcome::ClaimedByInvoice);
        served.fake.put(swap(0xa1, Kind::Out, Role::Taker, closed));
    };
    let (waited, ()) = tokio::join!(waiting, closing);
    assert!(waited.unwrap().reached);
}

#[tokio::test]
async fn a_request_that_is_too_large_is_refused() {
    let served = Served::begin().await;
    let bearer = served.token.header().to_str().unwrap().to_owned();
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"info","params":{{"x":"{}"}}}}"#,
        "x".repeat(300_000)
    );
    let (status, _) = post(&served, Some(&bearer), &body).await;
    assert_eq!(status, 413);
}

#[tokio::test]
async fn stopping_does_not_wait_for_those_who_wait() {
    let served = Served::begin().await;
    served.fake.put(swap(0xa1, Kind::Out, Role::Taker, requested()));
    let request = SwapWait {
        swap_id: served.fake.swap_ids()[0],
        timeout_secs: 600,
        until: Until::Closed,
    };
    let waiting = tokio::spawn({
        let client = client(&served);
        async move { client.swap_wait(request).await }
    });
    tokio::task::yield_now().await;
    let began = std::time::Instant::now();
    served.handle.stop(Duration::from_millis(100)).await;
    assert!(began.elapsed() < Duration::from_secs(5));
    waiting.abort();
}

#[test]
fn the_token_file_is_for_its_owner_alone() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("api.token");
    let token = Token::load_or_create(&path).unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    assert_eq!(std::fs::read_to_string(&path).unwrap().len(), 64);
    assert_eq!(
        Token::load_or_create(&path).unwrap().header(),
        token.header(),
        "it stays"
    );
    assert!(!format!("{token:?}{:?}", token.header()).contains(&std::fs::read_to_string(&path).unwrap()));

    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(
        Token::load_or_create(&path),
        Err(TokenError::Open { mode: 0o640, .. })
    ));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(&path, "").unwrap();
    assert!(matches!(
        Token::load_or_create(&path),
        Err(TokenError::Malformed { .. })
    ));
}

//! How much at a time: of connections, calls, subscriptions, bytes. Each refusal names its limit.

use std::time::Duration;

use futures::future::join_all;
use jsonrpsee::core::ClientError;
use jsonrpsee::core::client::{ClientT, SubscriptionClientT};
use jsonrpsee::rpc_params;
use serde_json::{Value, json};
use sluice::api::SluiceApiClient;
use sluice::api::error::Code;
use sluice::api::server::{MAX_CALLS, MAX_CONNECTIONS, TOO_MANY_CONNECTIONS};
use sluice::api::types::{SwapRef, SwapTopic, SwapWait, Until};
use sluice::swap::{Kind, Role, State};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::fixtures::{MADE, swap};
use crate::served::Served;
use crate::server::{client, post, socket};

/// More than any of this takes.
const PATIENCE: Duration = Duration::from_secs(60);

fn requested() -> State {
    State::Requested {
        sent: true,
        deadline: MADE.plus_secs(120),
    }
}

/// A connection that has shown its token, and stays.
async fn known(served: &Served) -> TcpStream {
    let mut stream = TcpStream::connect(served.handle.address()).await.unwrap();
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"policy_get"}"#;
    let request = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Authorization: {}\r\n\r\n{body}",
        body.len(),
        served.bearer()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut first = [0; 12];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    stream
}

#[tokio::test]
async fn sockets_that_say_nothing_do_not_lock_the_operator_out() {
    let served = Served::begin().await;
    let address = served.handle.address();
    let mut silent = join_all((0..MAX_CONNECTIONS + 20).map(|_| TcpStream::connect(address))).await;
    // The operator comes in, and goes on, on a connection of its own.
    let client = client(&served);
    for _ in 0..3 {
        client.info().await.unwrap();
    }
    let mut first = silent.remove(0).unwrap();
    let gone = tokio::time::timeout(PATIENCE, first.read(&mut [0; 1])).await.unwrap();
    assert_eq!(gone.unwrap_or(0), 0, "who came first has made room");
}

#[tokio::test]
async fn connections_with_the_token_are_counted_and_the_next_is_told_the_limit() {
    let served = Served::begin().await;
    let mut all = Vec::new();
    for _ in 0..MAX_CONNECTIONS {
        all.push(known(&served).await);
    }
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"info"}"#;
    let (status, answer) = post(&served, Some(&served.bearer()), body).await;
    assert_eq!((status, &answer["error"]["code"]), (503, &json!(TOO_MANY_CONNECTIONS)));
    assert_eq!(answer["error"]["data"]["most"], MAX_CONNECTIONS);
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.contains("128 connections"), "{message}");
    all.pop();
    let again = async {
        while post(&served, Some(&served.bearer()), body).await.0 != 200 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, again).await.unwrap();
}

#[tokio::test]
async fn calls_under_way_on_a_connection_are_counted_and_the_next_is_told_the_limit() {
    let served = Served::begin().await;
    served.fake.put(swap(0xa1, Kind::Out, Role::Taker, requested()));
    let socket = socket(&served).await;
    let wait = SwapWait {
        swap_id: served.fake.swap_ids()[0],
        timeout_secs: 600,
        until: Until::Closed,
    };
    let waiting = join_all((0..MAX_CALLS).map(|_| socket.swap_wait(wait.clone())));
    let refused = async {
        loop {
            if let Err(refused) = socket.info().await {
                break refused;
            }
        }
    };
    let refused = tokio::select! {
        _ = waiting => panic!("no wait ends"),
        refused = tokio::time::timeout(PATIENCE, refused) => refused.unwrap(),
    };
    let ClientError::Call(error) = refused else {
        panic!("the call was not answered: {refused:?}");
    };
    assert_eq!(error.code(), Code::TooManyCalls.number());
    assert!(error.message().contains("64 calls"), "{}", error.message());
    // another connection has places of its own
    client(&served).info().await.unwrap();
}

#[tokio::test]
async fn batches_subscriptions_and_bytes_beyond_the_limit_are_refused_with_the_limit() {
    let served = Served::begin().await;
    let bearer = served.bearer();
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "info"});
    let (_, answer) = post(&served, Some(&bearer), &json!(vec![call; 65]).to_string()).await;
    assert_eq!(answer["error"]["code"], -32010);
    assert!(answer["error"].to_string().contains("64"), "{answer}");

    let large = json!({"jsonrpc": "2.0", "id": 1, "method": "info", "params": {"x": "x".repeat(300_000)}}).to_string();
    let (status, answer) = post(&served, Some(&bearer), &large).await;
    assert_eq!((status, &answer["error"]["code"]), (413, &json!(-32007)));
    assert!(answer["error"].to_string().contains("262144"), "{answer}");

    served.fake.put(swap(0xa1, Kind::Out, Role::Taker, requested()));
    let swap_id = served.fake.swap_ids()[0];
    let socket = socket(&served).await;
    let mut subscriptions = Vec::new();
    for _ in 0..64 {
        let topic = SwapTopic { swap_id: Some(swap_id) };
        subscriptions.push(socket.swap_subscribe(topic).await.unwrap());
    }
    let params = rpc_params![SwapRef { swap_id }];
    let one_more = socket.subscribe::<Value, _>("swap_subscribe", params, "swap_unsubscribe");
    let Err(ClientError::Call(error)) = one_more.await else {
        panic!("a 65th subscription");
    };
    assert_eq!(error.code(), -32006);
    assert!(error.data().unwrap().get().contains("64"), "{error:?}");
    let large: Result<Value, _> = socket.request("info", rpc_params!["x".repeat(300_000)]).await;
    assert!(large.is_err());
}

#[tokio::test]
async fn a_body_of_unknown_length_is_read_up_to_the_limit_and_no_further() {
    let served = Served::begin().await;
    let mut stream = TcpStream::connect(served.handle.address()).await.unwrap();
    let head = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\
         Authorization: {}\r\n\r\n",
        served.bearer()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = format!("8000\r\n{}\r\n", " ".repeat(0x8000));
    // nine of 32 KiB: the eighth fills the limit; that it is then cut off in the middle is no failure
    for _ in 0..9 {
        if stream.write_all(chunk.as_bytes()).await.is_err() {
            break;
        }
    }
    let mut first = [0; 12];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 413");
}

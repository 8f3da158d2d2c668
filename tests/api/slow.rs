//! Clients that are slow, silent, or do not read: each holds up only itself, and not for long.

use std::time::Duration;

use serde_json::json;
use sluice::api::SluiceApiClient;
use sluice::api::server::{Patience, TOO_SLOW};
use sluice::swap::{Kind, Role, State};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::fixtures::{MADE, swap};
use crate::served::Served;
use crate::server::client;
use crate::strangers::frame;

/// Far more than a client is given here.
const LONG: Duration = Duration::from_secs(60);

async fn impatient() -> Served {
    let short = Duration::from_millis(200);
    Served::with(Patience {
        head: short,
        body: short,
        answer: short,
    })
    .await
}

/// Reads until the server has closed the connection, and tells how much that was.
async fn until_closed(stream: &mut TcpStream) -> Vec<u8> {
    let mut read = Vec::new();
    // a reset is an end too
    let _ = tokio::time::timeout(LONG, stream.read_to_end(&mut read)).await.unwrap();
    read
}

#[tokio::test]
async fn who_sends_nothing_or_a_head_byte_by_byte_is_let_go() {
    let served = impatient().await;
    let mut silent = TcpStream::connect(served.handle.address()).await.unwrap();
    assert!(until_closed(&mut silent).await.is_empty());

    let mut stream = TcpStream::connect(served.handle.address()).await.unwrap();
    let head = format!(
        "POST / HTTP/1.1\r\nAuthorization: {}\r\nX: {}",
        served.bearer(),
        "x".repeat(10_000)
    );
    let dripping = async {
        for byte in head.bytes() {
            if stream.write_all(&[byte]).await.is_err() {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        false
    };
    assert!(
        tokio::time::timeout(LONG, dripping).await.unwrap(),
        "it was let go before its end"
    );
    client(&served).info().await.unwrap();
}

#[tokio::test]
async fn who_has_been_answered_and_asks_nothing_more_is_let_go() {
    let served = impatient().await;
    let mut stream = TcpStream::connect(served.handle.address()).await.unwrap();
    let stranger = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n";
    stream.write_all(stranger.as_bytes()).await.unwrap();
    let answer = until_closed(&mut stream).await;
    assert!(answer.starts_with(b"HTTP/1.1 401"));
}

#[tokio::test]
async fn who_sends_half_a_body_is_told_the_limit_and_let_go() {
    let served = impatient().await;
    let mut stream = TcpStream::connect(served.handle.address()).await.unwrap();
    let request = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\
         Authorization: {}\r\n\r\n{{\"jsonrpc\"",
        served.bearer()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let answer = String::from_utf8(until_closed(&mut stream).await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    let body: serde_json::Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(body["error"]["code"], TOO_SLOW);
    assert_eq!(body["error"]["data"], json!({"error": "too_slow", "limit_ms": 200}));
    assert!(body["error"]["message"].as_str().unwrap().contains("200ms"));
}

/// Half a megabyte for each answer, and no socket holds sixty of them: what is not read has to be held by the server,
/// or not at all.
#[tokio::test]
async fn who_subscribes_and_asks_and_never_reads_is_let_go_with_what_was_meant_for_it() {
    let served = impatient().await;
    for number in 0..200 {
        let deadline = MADE.plus_secs(120);
        served.fake.put(swap(
            number,
            Kind::Out,
            Role::Taker,
            State::Requested { sent: true, deadline },
        ));
    }
    let one = served.fake.swap_ids()[0];
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stream = socket.connect(served.handle.address()).await.unwrap();
    let head = format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: {}\r\n\r\n",
        served.bearer()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut first = [0; 12];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 101");
    let subscribe = json!({"jsonrpc": "2.0", "id": 0, "method": "swap_subscribe", "params": {"swap_id": one}});
    stream.write_all(&frame(&subscribe.to_string())).await.unwrap();
    let mut wanted = 0;
    for id in 1..=60 {
        let call = json!({"jsonrpc": "2.0", "id": id, "method": "swap_list", "params": {"limit": 1000}});
        stream.write_all(&frame(&call.to_string())).await.unwrap();
        wanted += 200 * 1_000;
    }
    // Others are served meanwhile, and see the connection's end: what it asks for after that is nobody's to answer.
    let ended = async {
        let call = frame(&json!({"jsonrpc": "2.0", "id": 99, "method": "info"}).to_string());
        while stream.write_all(&call).await.is_ok() {
            client(&served).policy_get().await.unwrap();
        }
    };
    tokio::time::timeout(LONG, ended).await.unwrap();
    let read = until_closed(&mut stream).await.len();
    assert!(read < wanted, "{read} bytes came");
}

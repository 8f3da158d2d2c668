//! Whoever has no token gets nothing: of no method, by no way.

use jsonrpsee::core::client::ClientT;
use jsonrpsee::rpc_params;
use serde_json::json;
use sluice::api::SluiceApiServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::fake::Fake;
use crate::served::Served;
use crate::server::{post, socket};

/// Every method that there is, the library's own among them.
fn methods() -> Vec<&'static str> {
    let methods: Vec<_> = Fake::new().into_rpc().method_names().collect();
    assert!(methods.len() > 20 && methods.contains(&"stop") && methods.contains(&"swap_unsubscribe"));
    methods
}

/// Tokens that are none: absent, another one, or nearly the right one.
fn wrong(served: &Served) -> Vec<Option<String>> {
    let right = served.bearer();
    let mut last = right.clone();
    let digit = if last.pop() == Some('0') { '1' } else { '0' };
    vec![
        None,
        Some(format!("Bearer {}", "0".repeat(64))),
        Some(format!("{last}{digit}")),
        Some(last),
        Some(right.replace("Bearer", "Basic")),
    ]
}

/// A WebSocket's handshake and a call right behind it, as one who does not wait for the answer would send them.
async fn shake_hands_and_call(served: &Served, authorization: Option<&str>, call: &str) -> String {
    let mut stream = TcpStream::connect(served.handle.address()).await.unwrap();
    let authorization = authorization.map_or(String::new(), |value| format!("Authorization: {value}\r\n"));
    let head = format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{authorization}\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&frame(call)).await.unwrap();
    // a frame is no request: the connection ends with it
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// A text frame as a client masks it, with the mask 0 (RFC 6455, 5.2).
pub fn frame(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81];
    match text.len() {
        short @ 0..=125 => frame.push(0x80 | u8::try_from(short).unwrap()),
        middle @ 126..=65_535 => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(middle).unwrap().to_be_bytes());
        }
        long => {
            frame.push(0x80 | 127);
            frame.extend(u64::try_from(long).unwrap().to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(text.as_bytes());
    frame
}

#[tokio::test]
async fn no_method_is_called_without_the_token_by_http_or_by_websocket() {
    let served = Served::begin().await;
    for method in methods() {
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": {}}).to_string();
        for authorization in wrong(&served) {
            let (status, body) = post(&served, authorization.as_deref(), &call).await;
            assert_eq!(
                (status, &body["error"]["data"]["error"], &body["result"]),
                (401, &json!("unauthorized"), &json!(null)),
                "{method} by HTTP with {authorization:?}"
            );
            let answer = shake_hands_and_call(&served, authorization.as_deref(), &call).await;
            assert!(
                answer.starts_with("HTTP/1.1 401") && !answer.contains("result"),
                "{method} by WebSocket with {authorization:?}: {answer}"
            );
        }
    }
    assert!(!served.fake.was_stopped() && served.fake.swap_ids().is_empty());
    // the same calls with the token reach their methods: nothing else kept them out
    let socket = socket(&served).await;
    for method in ["info", "peer_list", "stop"] {
        let answer: serde_json::Value = socket.request(method, rpc_params![]).await.unwrap();
        assert!(answer.is_object(), "{method}");
    }
    assert!(served.fake.was_stopped());
}

#[tokio::test]
async fn nothing_of_a_request_is_read_before_its_token() {
    let served = Served::begin().await;
    let mut stream = TcpStream::connect(served.handle.address()).await.unwrap();
    let head =
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 4000000000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    // the body never comes: the answer does not wait for it, and the connection ends
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
}

//! A client that shows the dialect as it is on the wire: status, body, nothing interpreted.

#![allow(dead_code, reason = "each test file uses its part")]

use serde_json::{Value, json};
use sluice_regtest::liquid::LiquidChain;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An HTTP answer.
pub struct Reply {
    pub status: u16,
    pub text: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }
}

/// Posts a body to a path.
pub async fn post(chain: &LiquidChain, path: &str, credentials: &str, body: &str) -> std::io::Result<Reply> {
    let mut stream = TcpStream::connect(chain.address()).await?;
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Basic {}\r\nContent-Length: {}\r\n\r\n",
        base64(credentials),
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, text) = answer.split_once("\r\n\r\n").ok_or(std::io::ErrorKind::UnexpectedEof)?;
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Ok(Reply {
        status,
        text: text.to_owned(),
    })
}

fn base64(text: &str) -> String {
    use elements::bitcoin::hashes::hex::DisplayHex;
    let hex = text.as_bytes().to_lower_hex_string();
    let bits: String = hex
        .chars()
        .map(|c| format!("{:04b}", c.to_digit(16).unwrap()))
        .collect();
    let digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out: String = bits
        .as_bytes()
        .chunks(6)
        .map(|chunk| {
            let word = format!("{:0<6}", String::from_utf8_lossy(chunk));
            digits.chars().nth(usize::from_str_radix(&word, 2).unwrap()).unwrap()
        })
        .collect();
    while !out.len().is_multiple_of(4) {
        out.push('=');
    }
    out
}

/// Calls a method; the error is its code and text.
pub async fn call(chain: &LiquidChain, path: &str, method: &str, params: Value) -> Result<Value, (i64, String)> {
    let body = json!({"jsonrpc": "1.0", "id": 1, "method": method, "params": params}).to_string();
    let credentials = format!("{}:{}", chain.user(), chain.password());
    let reply = post(chain, path, &credentials, &body).await.unwrap().json();
    match &reply["error"] {
        Value::Null => Ok(reply["result"].clone()),
        error => Err((
            error["code"].as_i64().unwrap(),
            error["message"].as_str().unwrap().to_owned(),
        )),
    }
}

/// A wallet behind its path.
pub struct WalletClient<'a> {
    pub chain: &'a LiquidChain,
    pub path: String,
}

impl<'a> WalletClient<'a> {
    pub async fn create(chain: &'a LiquidChain, name: &str) -> Self {
        call(
            chain,
            "/",
            "createwallet",
            json!({"wallet_name": name, "descriptors": true}),
        )
        .await
        .unwrap();
        Self {
            chain,
            path: format!("/wallet/{name}"),
        }
    }

    pub async fn try_call(&self, method: &str, params: Value) -> Result<Value, (i64, String)> {
        call(self.chain, &self.path, method, params).await
    }

    pub async fn call(&self, method: &str, params: Value) -> Value {
        self.try_call(method, params)
            .await
            .unwrap_or_else(|error| panic!("{method}: {error:?}"))
    }

    pub async fn address(&self) -> String {
        self.call("getnewaddress", json!([])).await.as_str().unwrap().to_owned()
    }
}

//! A client that shows a daemon's dialect as it is on the wire.

#![allow(dead_code, reason = "each test file uses its part")]

use bitcoin::hex::DisplayHex;
use serde_json::{Value, json};
use sluice_regtest::chain::EmbeddedChain;
use sluice_regtest::chain::rpc::Shown;
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

/// Where a daemon is and how to be let in.
#[derive(Clone)]
pub struct Client {
    pub address: String,
    pub credentials: String,
    pub path: String,
}

impl Client {
    pub fn of<L: Shown>(chain: &EmbeddedChain<L>) -> Self {
        Self {
            address: chain.address().to_string(),
            credentials: format!("{}:{}", chain.user(), chain.password()),
            path: "/".into(),
        }
    }

    pub fn wallet(&self, name: &str) -> Self {
        Self {
            path: format!("/wallet/{name}"),
            ..self.clone()
        }
    }

    /// Makes a wallet and speaks for it.
    pub async fn create_wallet(&self, name: &str) -> Self {
        self.call("createwallet", json!({"wallet_name": name, "descriptors": true}))
            .await;
        self.wallet(name)
    }

    /// Posts a body.
    pub async fn post(&self, body: &str) -> std::io::Result<Reply> {
        let mut stream = TcpStream::connect(&self.address).await?;
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Basic {}\r\nContent-Length: {}\r\n\r\n",
            self.path,
            base64(&self.credentials),
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

    /// Calls a method; the error is its code and text.
    pub async fn try_call(&self, method: &str, params: Value) -> Result<Value, (i64, String)> {
        let body = json!({"jsonrpc": "1.0", "id": 1, "method": method, "params": params}).to_string();
        let reply = self.post(&body).await.unwrap().json();
        match &reply["error"] {
            Value::Null => Ok(reply["result"].clone()),
            error => Err((
                error["code"].as_i64().unwrap(),
                error["message"].as_str().unwrap().to_owned(),
            )),
        }
    }

    /// Calls a method that must succeed.
    pub async fn call(&self, method: &str, params: Value) -> Value {
        self.try_call(method, params)
            .await
            .unwrap_or_else(|error| panic!("{method}: {error:?}"))
    }

    /// Calls a method that answers with a string.
    pub async fn text(&self, method: &str, params: Value) -> String {
        self.call(method, params).await.as_str().unwrap().to_owned()
    }

    /// A fresh address, P2WPKH whatever the daemon would choose.
    pub async fn address(&self) -> String {
        self.text("getnewaddress", json!(["", "bech32"])).await
    }

    /// Mines blocks to the wallet.
    pub async fn mine(&self, blocks: u32) -> Vec<Value> {
        let address = self.address().await;
        self.call("generatetoaddress", json!([blocks, address]))
            .await
            .as_array()
            .unwrap()
            .clone()
    }
}

fn base64(text: &str) -> String {
    let hex = text.as_bytes().to_lower_hex_string();
    let bits: String = hex
        .chars()
        .map(|c| format!("{:04b}", c.to_digit(16).unwrap()))
        .collect();
    let digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |chunk: &[u8]| {
        let word = format!("{:0<6}", String::from_utf8_lossy(chunk));
        digits.chars().nth(usize::from_str_radix(&word, 2).unwrap()).unwrap()
    };
    let mut out: String = bits.as_bytes().chunks(6).map(digit).collect();
    while !out.len().is_multiple_of(4) {
        out.push('=');
    }
    out
}

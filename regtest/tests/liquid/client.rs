//! A world for tests of the embedded chain or, to check the tests themselves, of a real daemon:
//! `ELEMENTS_RPC=user:password@127.0.0.1:7041`, with a funded wallet `w`.

#![allow(dead_code, reason = "each test file uses its part")]

#[path = "../chain/client.rs"]
mod rpc;

pub use rpc::Client;
use sluice_regtest::liquid::{LiquidChain, Options};

/// A chain with a wallet `w` of 300 L-BTC in three confirmed coins.
pub struct World {
    pub chain: Option<LiquidChain>,
    pub wallet: Client,
}

impl World {
    pub async fn start() -> Self {
        if let Ok(real) = std::env::var("ELEMENTS_RPC") {
            let (credentials, address) = real.split_once('@').unwrap();
            let path = "/wallet/w".to_owned();
            return Self {
                chain: None,
                wallet: Client {
                    address: address.into(),
                    credentials: credentials.into(),
                    path,
                },
            };
        }
        let chain = LiquidChain::start(Options {
            seed: Some([7; 32]),
            ..Options::default()
        })
        .await
        .unwrap();
        let wallet = Client::of(&chain).create_wallet("w").await;
        for _ in 0..3 {
            let address = wallet.address().await.parse().unwrap();
            chain.fund(&address, bitcoin::Amount::from_int_btc(100)).unwrap();
        }
        chain.mine(1);
        Self {
            chain: Some(chain),
            wallet,
        }
    }
}

//! A chain with a wallet `w` of 150 BTC in three confirmed coins, embedded or of a real bitcoind: the same tests run on
//! both.

#![allow(dead_code, reason = "each test file uses its part")]

use serde_json::json;
use sluice_regtest::bitcoin::{BitcoinChain, Options};
use sluice_regtest::daemons;
use sluice_regtest::daemons::bitcoind::Bitcoind;

use crate::client::Client;

/// Whose answers are tested.
#[derive(Clone, Copy)]
pub enum Backend {
    Embedded,
    Bitcoind,
}

pub struct World {
    pub chain: Option<BitcoinChain>,
    pub node: Option<Bitcoind>,
    pub wallet: Client,
}

/// Runs each case once per backend.
macro_rules! on_both {
    ($($case:ident),* $(,)?) => {
        on_both! { @on embedded Backend::Embedded; $($case)* }
        on_both! { @on bitcoind Backend::Bitcoind; $($case)* }
    };
    (@on $name:ident $backend:expr; $($case:ident)*) => {
        mod $name {
            use crate::world::{Backend, World};
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    if let Some(world) = World::start($backend).await {
                        super::$case(world).await;
                    }
                }
            )*
        }
    };
}
#[allow(unused_imports, reason = "each test file uses its part")]
pub(crate) use on_both;

impl World {
    /// `None`, loudly, where there is no bitcoind.
    pub async fn start(backend: Backend) -> Option<Self> {
        let (chain, node, client) = match backend {
            Backend::Embedded => {
                let options = Options {
                    seed: Some([7; 32]),
                    ..Options::default()
                };
                let chain = BitcoinChain::start(options).await.unwrap();
                let client = Client::of(&chain);
                (Some(chain), None, client)
            }
            Backend::Bitcoind => {
                let Some(program) = daemons::find("bitcoind") else {
                    eprintln!("SKIPPED: no bitcoind; set BITCOIND_EXE or run regtest/daemons/install");
                    return None;
                };
                let node = Bitcoind::start(&program).await.unwrap();
                let (user, password) = node.credentials();
                let client = Client {
                    address: node.rpc_address(),
                    credentials: format!("{user}:{password}"),
                    path: "/".into(),
                };
                (None, Some(node), client)
            }
        };
        let wallet = client.create_wallet("w").await;
        wallet.mine(3).await;
        // The P2WSH example of BIP 173, on regtest.
        let nobody = "bcrt1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qzf4jry";
        client.call("generatetoaddress", json!([100, nobody])).await;
        Some(Self { chain, node, wallet })
    }

    /// The chain in this process.
    pub async fn embedded() -> (BitcoinChain, Client) {
        let world = Self::start(Backend::Embedded).await.unwrap();
        (world.chain.unwrap(), world.wallet)
    }

    /// Mines blocks that pay nobody here.
    pub async fn mine(&self, blocks: u32) -> Vec<serde_json::Value> {
        self.wallet.mine(blocks).await
    }
}

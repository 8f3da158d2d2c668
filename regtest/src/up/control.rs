//! Both ends of a world's socket: one request and one answer per connection, each a line of JSON.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ::bitcoin::address::NetworkUnchecked;
use ::bitcoin::{Amount, Network};
use anyhow::{Context, Result, anyhow, bail, ensure};
use elements::Address;
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use sluice::units::{Asset, TxId};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio_stream::wrappers::UnixListenerStream;

use crate::bitcoin::{self, BitcoinChain};
use crate::liquid::params::{ADDRESS_PARAMS, CHAIN_NAME};
use crate::liquid::{self, LiquidChain};
use crate::world::chains::Chains;

/// So many blocks may be asked for at a time: ten times what a refund on Liquid has to wait for.
pub(super) const MOST_BLOCKS: u32 = 100_000;
/// So many are mined before others get their turn.
const AT_A_TIME: u32 = 100;
/// How long a caller may take to say what it wants, and how much it may say.
const PATIENCE: Duration = Duration::from_secs(5);
const LONGEST_REQUEST: u64 = 64 * 1024;

/// What can be asked of a world.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case")]
pub(super) enum Request {
    /// Mines blocks.
    Mine { asset: Asset, blocks: u32 },
    /// Replaces the newest blocks by one more.
    Reorg { asset: Asset, depth: u32 },
    /// Pays from the faucet of the chain that the address is of.
    Fund { address: String, amount_sat: u64 },
    /// Remembers the chain.
    Snapshot { name: String },
    /// Puts it back.
    Revert { name: String },
}

/// What was done.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Done {
    /// The height of the tip after it.
    pub height: u32,
    /// The payment of [`Request::Fund`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub txid: Option<TxId>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reply {
    Done(Done),
    Error(String),
}

/// Asks the world at a socket for something.
///
/// # Errors
/// What the world said, or that it ended meanwhile.
pub(super) async fn ask(socket: &Path, request: &Request) -> Result<Done> {
    let talk = async {
        let mut stream = UnixStream::connect(socket).await?;
        stream.write_all(&line(request)?).await?;
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).await?;
        anyhow::Ok(answer)
    };
    let answer = talk.await.context("the world that is up does not answer")?;
    ensure!(!answer.is_empty(), "the world ended before it answered");
    match serde_json::from_str(&answer)? {
        Reply::Done(done) => Ok(done),
        Reply::Error(reason) => Err(anyhow!(reason)),
    }
}

fn line(value: &impl Serialize) -> Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(value)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Both chains as they were.
struct Remembered {
    liquid: liquid::Snapshot,
    bitcoin: Option<bitcoin::Snapshot>,
}

/// A world's chains, as the socket's callers see them.
pub(super) struct Control<'a> {
    chains: Chains<'a>,
    snapshots: Mutex<BTreeMap<String, Remembered>>,
}

impl<'a> Control<'a> {
    pub(super) fn new(chains: Chains<'a>) -> Control<'a> {
        Control {
            chains,
            snapshots: Mutex::default(),
        }
    }

    /// Answers callers, for ever.
    pub(super) async fn serve(&self, listener: UnixListener) {
        let callers = UnixListenerStream::new(listener);
        callers
            .for_each_concurrent(None, |stream| async move {
                if let Ok(stream) = stream {
                    // Fails for a caller that has gone.
                    drop(self.answer(stream).await);
                }
            })
            .await;
    }

    async fn answer(&self, mut stream: UnixStream) -> Result<()> {
        let mut text = String::new();
        let (from, mut to) = stream.split();
        let mut from = BufReader::new(from.take(LONGEST_REQUEST));
        tokio::time::timeout(PATIENCE, from.read_line(&mut text)).await??;
        if text.is_empty() {
            return Ok(()); // only looked whether anyone is here
        }
        let done = match serde_json::from_str(&text) {
            Ok(request) => self.act(request).await,
            Err(error) => Err(anyhow!("request: {error}")),
        };
        let reply = match done {
            Ok(done) => Reply::Done(done),
            Err(error) => Reply::Error(format!("{error:#}")),
        };
        Ok(to.write_all(&line(&reply)?).await?)
    }

    async fn act(&self, request: Request) -> Result<Done> {
        let (mut asset, mut txid) = (Asset::Lbtc, None);
        match request {
            Request::Mine { asset: of, blocks } => {
                asset = of;
                self.mine(asset, blocks).await?;
            }
            Request::Reorg { asset: of, depth } => {
                asset = of;
                self.reorg(asset, depth).await?;
            }
            Request::Fund { address, amount_sat } => {
                asset = asset_of(&address)?;
                let paid = self.chains.pay(asset, &address, Amount::from_sat(amount_sat)).await;
                txid = Some(paid.with_context(|| format!("{amount_sat} sat to {address}"))?);
            }
            Request::Snapshot { name } => self.snapshot(name)?,
            Request::Revert { name } => self.revert(&name)?,
        }
        let height = self.chains.height(asset).await?;
        Ok(Done { height, txid })
    }

    async fn mine(&self, asset: Asset, blocks: u32) -> Result<()> {
        ensure!(
            (1..=MOST_BLOCKS).contains(&blocks),
            "{blocks} blocks to mine: 1 to {MOST_BLOCKS} at a time"
        );
        let mut left = blocks;
        while left > 0 {
            let now = left.min(AT_A_TIME);
            self.chains.mine(asset, now).await?;
            left -= now;
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    async fn reorg(&self, asset: Asset, depth: u32) -> Result<()> {
        let height = self.chains.height(asset).await?;
        ensure!(depth > 0, "a reorganisation of 0 blocks changes nothing");
        ensure!(depth <= height, "{depth} blocks to replace, the chain has {height}");
        self.chains.reorg(asset, depth).await
    }

    fn snapshot(&self, name: String) -> Result<()> {
        let (liquid, bitcoin) = self.embedded()?;
        let remembered = Remembered {
            liquid: liquid.snapshot(),
            bitcoin: bitcoin.map(BitcoinChain::snapshot),
        };
        self.snapshots
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name, remembered);
        Ok(())
    }

    fn revert(&self, name: &str) -> Result<()> {
        let (liquid, bitcoin) = self.embedded()?;
        let snapshots = self.snapshots.lock().unwrap_or_else(PoisonError::into_inner);
        match snapshots.get(name) {
            Some(remembered) => {
                liquid.revert(&remembered.liquid);
                if let (Some(chain), Some(snapshot)) = (bitcoin, &remembered.bitcoin) {
                    chain.revert(snapshot);
                }
            }
            None if snapshots.is_empty() => bail!("no snapshot was taken"),
            None => {
                let known: Vec<&str> = snapshots.keys().map(String::as_str).collect();
                bail!("no snapshot named {name}, but {}", known.join(", "))
            }
        }
        Ok(())
    }

    fn embedded(&self) -> Result<(&LiquidChain, Option<&BitcoinChain>)> {
        let liquid = self.chains.liquid.embedded();
        let liquid = liquid.context("a real elementsd takes no snapshots: `reorg` works on it")?;
        let bitcoin = self.chains.bitcoin.map(|bitcoin| {
            let embedded = bitcoin.embedded();
            embedded.context("a real bitcoind takes no snapshots: `reorg` works on it")
        });
        Ok((liquid, bitcoin.transpose()?))
    }
}

/// Which chain an address is of.
fn asset_of(text: &str) -> Result<Asset> {
    let bitcoin = text.parse::<::bitcoin::Address<NetworkUnchecked>>();
    if bitcoin.is_ok_and(|address| address.is_valid_for_network(Network::Regtest)) {
        return Ok(Asset::Btc);
    }
    if let Err(error) = Address::parse_with_params(text, ADDRESS_PARAMS) {
        // One of another network can be read, but not with this chain's parameters.
        match text.parse::<Address>() {
            Ok(_) => bail!("address {text} is of another network: those of {CHAIN_NAME} begin with el1 or ert1"),
            Err(_) => bail!("{text} is no address of {CHAIN_NAME}: {error}"),
        }
    }
    Ok(Asset::Lbtc)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_tells_its_chain() {
        let regtest = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";
        assert_eq!(asset_of(regtest).unwrap(), Asset::Btc);
        assert!(
            asset_of("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4").is_err(),
            "of the main network"
        );
        assert!(asset_of("ert1qw508d6qejxtdg4y5r3zarvary0c5xw7kxtwpqg").is_err());
        let other = "ex1q7gkeyjut0mrxc3j0kjlt7rmcnvsh0gt45d3fud";
        let error = asset_of(other).unwrap_err().to_string();
        assert!(error.contains("another network"), "{error}");
        let error = asset_of("nonsense").unwrap_err().to_string();
        assert!(error.starts_with("nonsense is no address of liquidregtest"), "{error}");
    }
}

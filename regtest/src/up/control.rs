//! Both ends of a world's socket: one request and one answer per connection, each a line of JSON.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use bitcoin::Amount;
use elements::{Address, Txid};
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio_stream::wrappers::UnixListenerStream;

use crate::liquid::params::{ADDRESS_PARAMS, CHAIN_NAME};
use crate::liquid::{LiquidChain, Snapshot};
use crate::world::liquid::Liquid;

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
    Mine { blocks: u32 },
    /// Replaces the newest blocks by one more.
    Reorg { depth: u32 },
    /// Pays from the faucet.
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
    pub txid: Option<Txid>,
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

/// A world's chain, as the socket's callers see it.
pub(super) struct Control<'a> {
    liquid: &'a Liquid,
    snapshots: Mutex<BTreeMap<String, Snapshot>>,
}

impl<'a> Control<'a> {
    pub(super) fn new(liquid: &'a Liquid) -> Control<'a> {
        Control {
            liquid,
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
        let mut txid = None;
        match request {
            Request::Mine { blocks } => self.mine(blocks).await?,
            Request::Reorg { depth } => self.reorg(depth).await?,
            Request::Fund { address, amount_sat } => txid = Some(self.fund(&address, amount_sat).await?),
            Request::Snapshot { name } => self.snapshot(name)?,
            Request::Revert { name } => self.revert(&name)?,
        }
        let height = self.liquid.height().await?;
        Ok(Done { height, txid })
    }

    async fn mine(&self, blocks: u32) -> Result<()> {
        ensure!(
            (1..=MOST_BLOCKS).contains(&blocks),
            "{blocks} blocks to mine: 1 to {MOST_BLOCKS} at a time"
        );
        let mut left = blocks;
        while left > 0 {
            let now = left.min(AT_A_TIME);
            self.liquid.mine(now).await?;
            left -= now;
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    async fn reorg(&self, depth: u32) -> Result<()> {
        let height = self.liquid.height().await?;
        ensure!(depth > 0, "a reorganisation of 0 blocks changes nothing");
        ensure!(depth <= height, "{depth} blocks to replace, the chain has {height}");
        self.liquid.reorg(depth).await
    }

    async fn fund(&self, address: &str, amount_sat: u64) -> Result<Txid> {
        check_address(address)?;
        let paid = self.liquid.fund(address, Amount::from_sat(amount_sat)).await;
        paid.with_context(|| format!("{amount_sat} sat to {address}"))
    }

    fn snapshot(&self, name: String) -> Result<()> {
        let snapshot = self.embedded()?.snapshot();
        self.snapshots
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name, snapshot);
        Ok(())
    }

    fn revert(&self, name: &str) -> Result<()> {
        let chain = self.embedded()?;
        let snapshots = self.snapshots.lock().unwrap_or_else(PoisonError::into_inner);
        match snapshots.get(name) {
            Some(snapshot) => chain.revert(snapshot),
            None if snapshots.is_empty() => bail!("no snapshot was taken"),
            None => {
                let known: Vec<&str> = snapshots.keys().map(String::as_str).collect();
                bail!("no snapshot named {name}, but {}", known.join(", "))
            }
        }
        Ok(())
    }

    fn embedded(&self) -> Result<&LiquidChain> {
        self.liquid
            .embedded()
            .context("a real elementsd takes no snapshots: `reorg` works on it")
    }
}

fn check_address(text: &str) -> Result<()> {
    if let Err(error) = Address::parse_with_params(text, ADDRESS_PARAMS) {
        // One of another network can be read, but not with this chain's parameters.
        match text.parse::<Address>() {
            Ok(_) => bail!("address {text} is of another network: those of {CHAIN_NAME} begin with el1 or ert1"),
            Err(_) => bail!("{text} is no address of {CHAIN_NAME}: {error}"),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_of_the_chain() {
        assert!(check_address("ert1qw508d6qejxtdg4y5r3zarvary0c5xw7kxtwpqg").is_err());
        let other = "ex1q7gkeyjut0mrxc3j0kjlt7rmcnvsh0gt45d3fud";
        let error = check_address(other).unwrap_err().to_string();
        assert!(error.contains("another network"), "{error}");
        let error = check_address("nonsense").unwrap_err().to_string();
        assert!(error.starts_with("nonsense is no address of liquidregtest"), "{error}");
    }
}

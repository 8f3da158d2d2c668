//! The commands that work on a world that is up.

use std::io::Write;

use anyhow::Result;
use sluice::units::Asset;

use super::control::{self, Done, MOST_BLOCKS, Request};
use super::{place, values};

/// Which world, and how to answer.
#[derive(Debug, clap::Args)]
struct Target {
    /// The world's name [default: the only one that is up]
    #[arg(long, value_name = "NAME", value_parser = values::name)]
    world: Option<String>,
    /// Answers with a line of JSON
    #[arg(long)]
    json: bool,
}

impl Target {
    async fn ask(&self, request: &Request, say: impl FnOnce(&Done) -> String) -> Result<()> {
        let socket = place::find(self.world.as_deref())?;
        let done = control::ask(&socket, request).await?;
        let text = match self.json {
            true => serde_json::to_string(&done)?,
            false => say(&done),
        };
        Ok(writeln!(std::io::stdout(), "{text}")?)
    }
}

/// `mine`
#[derive(Debug, clap::Args)]
pub struct Mine {
    /// How many blocks
    #[arg(value_name = "N", default_value_t = 1, value_parser = blocks())]
    blocks: u32,
    /// Of which chain
    #[arg(long, value_name = "lbtc|btc", default_value_t = Asset::Lbtc)]
    asset: Asset,
    #[command(flatten)]
    target: Target,
}

impl Mine {
    pub(super) async fn run(self) -> Result<()> {
        let (asset, blocks) = (self.asset, self.blocks);
        let say = |done: &Done| format!("mined {}, the tip is at height {}", count(blocks), done.height);
        self.target.ask(&Request::Mine { asset, blocks }, say).await
    }
}

/// `reorg`
#[derive(Debug, clap::Args)]
pub struct Reorg {
    /// How many blocks are replaced, by one more; what was in them is mined again
    #[arg(value_name = "N", value_parser = blocks())]
    depth: u32,
    /// Of which chain
    #[arg(long, value_name = "lbtc|btc", default_value_t = Asset::Lbtc)]
    asset: Asset,
    #[command(flatten)]
    target: Target,
}

impl Reorg {
    pub(super) async fn run(self) -> Result<()> {
        let (asset, depth) = (self.asset, self.depth);
        let say = |done: &Done| {
            let (old, new) = (count(depth), depth.saturating_add(1));
            format!("replaced {old} by {new}, the tip is at height {}", done.height)
        };
        self.target.ask(&Request::Reorg { asset, depth }, say).await
    }
}

/// `fund`
#[derive(Debug, clap::Args)]
pub struct Fund {
    /// An address: el1… (the amount is hidden) or ert1… on Liquid, bcrt1… on Bitcoin
    address: String,
    /// How much, in whole satoshi, such as 1_000_000
    #[arg(value_name = "SAT", value_parser = values::satoshi)]
    amount_sat: u64,
    #[command(flatten)]
    target: Target,
}

impl Fund {
    pub(super) async fn run(self) -> Result<()> {
        let request = Request::Fund {
            address: self.address,
            amount_sat: self.amount_sat,
        };
        let say = |done: &Done| {
            let txid = done.txid.map(|txid| txid.to_string()).unwrap_or_default();
            format!("{txid} waits for a block")
        };
        self.target.ask(&request, say).await
    }
}

/// `snapshot`, `revert`
#[derive(Debug, clap::Args)]
pub struct Named {
    /// The snapshot's name
    #[arg(default_value = "default", value_parser = values::name)]
    name: String,
    #[command(flatten)]
    target: Target,
}

impl Named {
    pub(super) async fn take(self) -> Result<()> {
        let name = self.name.clone();
        let say = |done: &Done| format!("snapshot {}: the tip is at height {}", self.name, done.height);
        self.target.ask(&Request::Snapshot { name }, say).await
    }

    pub(super) async fn revert(self) -> Result<()> {
        let name = self.name.clone();
        let say = |done: &Done| format!("back at snapshot {}: the tip is at height {}", self.name, done.height);
        self.target.ask(&Request::Revert { name }, say).await
    }
}

fn blocks() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=i64::from(MOST_BLOCKS))
}

fn count(blocks: u32) -> String {
    match blocks {
        1 => "1 block".to_owned(),
        blocks => format!("{blocks} blocks"),
    }
}

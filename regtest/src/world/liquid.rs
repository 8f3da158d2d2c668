//! The Liquid chain of a world.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use bitcoin::Amount;
use elements::{Address, Transaction, Txid};

use super::elementsd::RealLiquid;
use crate::chain::Auth;
use crate::liquid::{Gate, LiquidChain, Options, Orphans};

/// Which Liquid a world has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// The chain in this process.
    Embedded,
    /// A real elementsd, from `ELEMENTSD_EXE` or the PATH.
    Elementsd,
}

/// A Liquid chain, of whichever kind.
pub enum Liquid {
    /// The chain in this process.
    Embedded(LiquidChain),
    /// A real node.
    Elementsd(Box<RealLiquid>),
}

/// How to call a chain's JSON-RPC.
#[derive(Debug, Clone)]
pub struct Access {
    /// Its address, for calls that need no wallet.
    pub rpc_url: String,
    /// The name for basic authentication.
    pub user: String,
    /// The password for basic authentication.
    pub password: String,
}

impl Liquid {
    pub(super) async fn start(kind: Kind, _folder: &Path, state: Option<&Path>) -> Result<Liquid> {
        match kind {
            Kind::Embedded => Ok(Liquid::Embedded(start_embedded(state).await?)),
            Kind::Elementsd => {
                ensure!(
                    state.is_none(),
                    "a state file is of the embedded chain, not of a real elementsd"
                );
                Ok(Liquid::Elementsd(Box::new(RealLiquid::start(&[]).await?)))
            }
        }
    }

    /// A real elementsd that Go PeerSwap can read: it ends at `warnings` that are a list, as new nodes write them.
    pub(super) async fn start_for_go() -> Result<Liquid> {
        let real = RealLiquid::start(&["-deprecatedrpc=warnings"]).await?;
        Ok(Liquid::Elementsd(Box::new(real)))
    }

    /// The chain in this process, if it is one.
    #[must_use]
    pub fn embedded(&self) -> Option<&LiquidChain> {
        match self {
            Liquid::Embedded(chain) => Some(chain),
            Liquid::Elementsd(_) => None,
        }
    }

    /// How to call it.
    ///
    /// # Errors
    /// If a real node's cookie cannot be read.
    pub fn access(&self) -> Result<Access> {
        match self {
            Liquid::Embedded(chain) => Ok(Access {
                rpc_url: chain.rpc_url(),
                user: chain.user().to_owned(),
                password: chain.password().to_owned(),
            }),
            Liquid::Elementsd(real) => {
                let node = real.node();
                let cookie = std::fs::read_to_string(node.cookie()).context("cookie of elementsd")?;
                let (user, password) = cookie.trim().split_once(':').context("cookie of elementsd")?;
                Ok(Access {
                    rpc_url: node.url(),
                    user: user.to_owned(),
                    password: password.to_owned(),
                })
            }
        }
    }

    /// What connects a `sluiced` to it, with a wallet of that name.
    pub(super) fn arguments(&self, wallet: &str) -> Vec<String> {
        match self {
            Liquid::Embedded(chain) => vec![
                format!("--set=liquid.rpc_url={}", chain.rpc_url()),
                format!("--set=liquid.user={}", chain.user()),
                format!("--set=liquid.password={}", chain.password()),
                format!("--set=liquid.wallet={wallet}"),
            ],
            Liquid::Elementsd(real) => vec![
                format!("--set=liquid.rpc_url={}", real.node().url()),
                format!("--set=liquid.cookie_file={}", real.node().cookie().display()),
                format!("--set=liquid.wallet={wallet}"),
            ],
        }
    }

    /// Mines blocks.
    ///
    /// # Errors
    /// If the node does not.
    pub async fn mine(&self, blocks: u32) -> Result<()> {
        match self {
            Liquid::Embedded(chain) => {
                chain.mine(blocks);
                Ok(())
            }
            Liquid::Elementsd(real) => real.mine(blocks).await,
        }
    }

    /// Mines a block without what waits in the mempool.
    ///
    /// # Errors
    /// If the node does not.
    pub async fn mine_empty(&self) -> Result<()> {
        match self {
            Liquid::Embedded(chain) => {
                chain.mine_exactly(Vec::new())?;
                Ok(())
            }
            Liquid::Elementsd(real) => real.mine_empty().await,
        }
    }

    /// Replaces the newest blocks by one more; their transactions are in the new ones.
    ///
    /// # Errors
    /// If the node does not.
    pub async fn reorg(&self, depth: u32) -> Result<()> {
        match self {
            Liquid::Embedded(chain) => {
                chain.reorg(depth, Orphans::Mined);
                Ok(())
            }
            Liquid::Elementsd(real) => real.reorg(depth).await,
        }
    }

    /// The height of the tip.
    ///
    /// # Errors
    /// If the node does not tell.
    pub async fn height(&self) -> Result<u32> {
        match self {
            Liquid::Embedded(chain) => Ok(chain.tip().height),
            Liquid::Elementsd(real) => real.height().await,
        }
    }

    /// Pays to an address from the faucet, with the transaction that is returned.
    ///
    /// # Errors
    /// If the address is none of this chain, or the faucet is empty.
    pub async fn fund(&self, address: &str, amount: Amount) -> Result<Txid> {
        match self {
            Liquid::Embedded(chain) => {
                let address: Address = address.parse().with_context(|| format!("address {address}"))?;
                Ok(chain.fund(&address, amount)?)
            }
            Liquid::Elementsd(real) => real.fund(address, amount).await,
        }
    }

    /// The ids of the transactions that wait for a block.
    ///
    /// # Errors
    /// If the node does not tell.
    pub async fn mempool(&self) -> Result<Vec<Txid>> {
        match self {
            Liquid::Embedded(chain) => Ok(chain.mempool()),
            Liquid::Elementsd(real) => real.mempool().await,
        }
    }

    /// A transaction, waiting or in a block.
    ///
    /// # Errors
    /// If the node does not tell.
    pub async fn transaction(&self, txid: &Txid) -> Result<Option<Transaction>> {
        match self {
            Liquid::Embedded(chain) => Ok(chain.transaction(txid)),
            Liquid::Elementsd(real) => real.transaction(txid).await,
        }
    }

    /// Makes the node hang: it takes calls and answers none until [`Liquid::resume`]. Ask nothing of it meanwhile.
    ///
    /// # Errors
    /// If it does not run.
    pub fn pause(&self) -> Result<()> {
        match self {
            Liquid::Embedded(chain) => {
                chain.set_gate(Gate::Hanging);
                Ok(())
            }
            Liquid::Elementsd(real) => real.signal("STOP"),
        }
    }

    /// Lets a paused node go on.
    ///
    /// # Errors
    /// If it does not run.
    pub fn resume(&self) -> Result<()> {
        match self {
            Liquid::Embedded(chain) => {
                chain.set_gate(Gate::Open);
                Ok(())
            }
            Liquid::Elementsd(real) => real.signal("CONT"),
        }
    }

    /// Takes the node away as `kill -9` does; what it kept in memory alone is lost.
    pub fn kill(&mut self) {
        match self {
            Liquid::Embedded(chain) => {
                chain.set_gate(Gate::Away);
                chain.forget_memory();
            }
            Liquid::Elementsd(real) => real.kill(),
        }
    }

    /// Starts a killed node again at the same address, and waits until it answers.
    ///
    /// # Errors
    /// If it does not.
    pub async fn restart(&mut self) -> Result<()> {
        match self {
            Liquid::Embedded(chain) => {
                chain.set_gate(Gate::Open);
                Ok(())
            }
            Liquid::Elementsd(real) => real.launch().await,
        }
    }
}

/// A chain that begins with the state file, if it exists. A file that cannot be written is known at once.
async fn start_embedded(state: Option<&Path>) -> Result<LiquidChain> {
    let options = Options {
        auth: Auth::random(),
        state_file: state.map(Path::to_owned),
        ..Options::default()
    };
    let context = || format!("state {}", state.unwrap_or(Path::new("in memory")).display());
    let chain = LiquidChain::start(options).await.with_context(context)?;
    chain.save().with_context(context)?;
    Ok(chain)
}

//! The Liquid chain of a world.

use std::path::Path;

use anyhow::{Context, Result};
use bitcoin::Amount;
use elements::{Address, Transaction, Txid};

use crate::liquid::{LiquidChain, Orphans};

/// Which Liquid a world has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// The chain in this process.
    Embedded,
}

/// A Liquid chain, of whichever kind.
pub enum Liquid {
    /// The chain in this process.
    Embedded(LiquidChain),
}

impl Liquid {
    pub(super) async fn start(kind: Kind, _folder: &Path) -> Result<Liquid> {
        match kind {
            Kind::Embedded => Ok(Liquid::Embedded(LiquidChain::start(Default::default()).await?)),
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
        }
    }

    /// The height of the tip.
    ///
    /// # Errors
    /// If the node does not tell.
    pub async fn height(&self) -> Result<u32> {
        match self {
            Liquid::Embedded(chain) => Ok(chain.tip().height),
        }
    }

    /// Pays to an address from the faucet.
    ///
    /// # Errors
    /// If the address is none of this chain, or the faucet is empty.
    pub async fn fund(&self, address: &str, amount: Amount) -> Result<()> {
        match self {
            Liquid::Embedded(chain) => {
                let address: Address = address.parse().with_context(|| format!("address {address}"))?;
                chain.fund(&address, amount)?;
                Ok(())
            }
        }
    }

    /// The ids of the transactions that wait for a block.
    ///
    /// # Errors
    /// If the node does not tell.
    pub async fn mempool(&self) -> Result<Vec<Txid>> {
        match self {
            Liquid::Embedded(chain) => Ok(chain.mempool()),
        }
    }

    /// A transaction, waiting or in a block.
    ///
    /// # Errors
    /// If the node does not tell.
    pub async fn transaction(&self, txid: &Txid) -> Result<Option<Transaction>> {
        match self {
            Liquid::Embedded(chain) => Ok(chain.transaction(txid)),
        }
    }
}

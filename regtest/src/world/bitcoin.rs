//! The Bitcoin chain of a world.

use std::path::Path;

use ::bitcoin::{Address, Amount, Network, Transaction, Txid};
use anyhow::{Context, Result, ensure};

use super::bitcoind::RealBitcoin;
use super::liquid::Access;
use crate::bitcoin::{BitcoinChain, Daemon, Gate, Options, Orphans};
use crate::chain::Auth;

/// Which Bitcoin a world has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// The chain in this process.
    Embedded,
    /// A real bitcoind, from `BITCOIND_EXE`, the PATH or what `regtest/daemons/install` fetched.
    Bitcoind,
}

/// A Bitcoin chain, of whichever kind.
pub enum Bitcoin {
    /// The chain in this process.
    Embedded(BitcoinChain),
    /// A real node.
    Bitcoind(Box<RealBitcoin>),
}

impl Bitcoin {
    /// Starts a chain whose faucet has coins; the embedded one begins with the state file, if it exists.
    ///
    /// # Errors
    /// If it does not start, or a state file is given to a real node.
    pub async fn start(kind: Kind, daemon: Daemon, state: Option<&Path>) -> Result<Bitcoin> {
        match kind {
            Kind::Embedded => {
                let options = Options {
                    auth: Auth::random(),
                    release: daemon,
                    state_file: state.map(Path::to_owned),
                    ..Options::default()
                };
                let chain = BitcoinChain::start(options).await?;
                chain.save()?;
                Ok(Bitcoin::Embedded(chain))
            }
            Kind::Bitcoind => {
                ensure!(
                    state.is_none(),
                    "a state file is of the embedded chain, not of a real bitcoind"
                );
                ensure!(
                    daemon == Daemon::WithWallet,
                    "the faucet of a real bitcoind is a wallet of its own"
                );
                Ok(Bitcoin::Bitcoind(Box::new(RealBitcoin::start().await?)))
            }
        }
    }

    /// The chain in this process, if it is one.
    #[must_use]
    pub fn embedded(&self) -> Option<&BitcoinChain> {
        match self {
            Bitcoin::Embedded(chain) => Some(chain),
            Bitcoin::Bitcoind(_) => None,
        }
    }

    /// How to call it.
    #[must_use]
    pub fn access(&self) -> Access {
        match self {
            Bitcoin::Embedded(chain) => Access {
                rpc_url: chain.rpc_url(),
                user: chain.user().to_owned(),
                password: chain.password().to_owned(),
            },
            Bitcoin::Bitcoind(real) => {
                let (user, password) = real.node().credentials();
                Access {
                    rpc_url: format!("http://{}", real.node().rpc_address()),
                    user: user.to_owned(),
                    password: password.to_owned(),
                }
            }
        }
    }

    /// What makes a `sluiced` use it, with a wallet of its own.
    pub(super) fn arguments(&self, wallet: &str) -> Vec<String> {
        let access = self.access();
        vec![
            format!("--set=bitcoin.rpc_url={}", access.rpc_url),
            format!("--set=bitcoin.user={}", access.user),
            format!("--set=bitcoin.password={}", access.password),
            format!("--set=bitcoin.wallet={wallet}"),
        ]
    }

    /// Mines blocks.
    ///
    /// # Errors
    /// If the node does not.
    pub async fn mine(&self, blocks: u32) -> Result<()> {
        match self {
            Bitcoin::Embedded(chain) => {
                chain.mine(blocks);
                Ok(())
            }
            Bitcoin::Bitcoind(real) => real.mine(blocks).await,
        }
    }

    /// Mines a block without what waits in the mempool.
    ///
    /// # Errors
    /// If the node does not.
    pub async fn mine_empty(&self) -> Result<()> {
        match self {
            Bitcoin::Embedded(chain) => {
                chain.mine_exactly(Vec::new())?;
                Ok(())
            }
            Bitcoin::Bitcoind(real) => real.mine_empty().await,
        }
    }

    /// Replaces the newest blocks by one more; their transactions are in the new ones.
    ///
    /// # Errors
    /// If the node does not, or has not so many.
    pub async fn reorg(&self, depth: u32) -> Result<()> {
        match self {
            Bitcoin::Embedded(chain) => {
                let blocks = chain.reorg(depth, Orphans::Mined);
                ensure!(!blocks.is_empty(), "the chain has no {depth} blocks to replace");
                Ok(())
            }
            Bitcoin::Bitcoind(real) => real.reorg(depth).await,
        }
    }

    /// The height of the tip.
    ///
    /// # Errors
    /// If the node does not tell.
    pub async fn height(&self) -> Result<u32> {
        match self {
            Bitcoin::Embedded(chain) => Ok(chain.tip().height),
            Bitcoin::Bitcoind(real) => real.node().height().await,
        }
    }

    /// Pays to an address from the faucet, with the transaction that is returned.
    ///
    /// # Errors
    /// If the address is none of this chain, or the faucet is empty.
    pub async fn fund(&self, address: &str, amount: Amount) -> Result<Txid> {
        let context = || format!("address {address}");
        match self {
            Bitcoin::Embedded(chain) => {
                let given: Address<_> = address.parse().with_context(context)?;
                let given = given.require_network(Network::Regtest).with_context(context)?;
                Ok(chain.fund(&given, amount)?)
            }
            Bitcoin::Bitcoind(real) => real.fund(address, amount).await.with_context(context),
        }
    }

    /// The ids of the transactions that wait for a block.
    ///
    /// # Errors
    /// If the node does not tell.
    pub async fn mempool(&self) -> Result<Vec<Txid>> {
        match self {
            Bitcoin::Embedded(chain) => Ok(chain.mempool()),
            Bitcoin::Bitcoind(real) => real.mempool().await,
        }
    }

    /// A transaction, waiting or in a block.
    ///
    /// # Errors
    /// If the node does not tell.
    pub async fn transaction(&self, txid: &Txid) -> Result<Option<Transaction>> {
        match self {
            Bitcoin::Embedded(chain) => Ok(chain.transaction(txid)),
            Bitcoin::Bitcoind(real) => real.transaction(txid).await,
        }
    }

    /// Makes the node hang: it takes calls and answers none until [`Bitcoin::resume`]. Ask nothing of it meanwhile.
    ///
    /// # Errors
    /// If it does not run.
    pub fn pause(&self) -> Result<()> {
        match self {
            Bitcoin::Embedded(chain) => {
                chain.set_gate(Gate::Hanging);
                Ok(())
            }
            Bitcoin::Bitcoind(real) => real.node().signal("STOP"),
        }
    }

    /// Lets a paused node go on.
    ///
    /// # Errors
    /// If it does not run.
    pub fn resume(&self) -> Result<()> {
        match self {
            Bitcoin::Embedded(chain) => {
                chain.set_gate(Gate::Open);
                Ok(())
            }
            Bitcoin::Bitcoind(real) => real.node().signal("CONT"),
        }
    }

    /// Takes the node away as `kill -9` does; what it kept in memory alone is lost, but for blocks.
    ///
    /// # Errors
    /// If it does not answer any more.
    pub async fn kill(&mut self) -> Result<()> {
        match self {
            Bitcoin::Embedded(chain) => {
                chain.set_gate(Gate::Away);
                chain.forget_memory();
                Ok(())
            }
            Bitcoin::Bitcoind(real) => real.kill().await,
        }
    }

    /// Starts a killed node again at the same address, and waits until it answers.
    ///
    /// # Errors
    /// If it does not.
    pub async fn restart(&mut self) -> Result<()> {
        match self {
            Bitcoin::Embedded(chain) => {
                chain.set_gate(Gate::Open);
                Ok(())
            }
            Bitcoin::Bitcoind(real) => real.restart().await,
        }
    }
}

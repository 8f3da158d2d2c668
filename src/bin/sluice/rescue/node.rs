//! The chain's node: where the coins are, and the way of a transaction to the network. No wallet of it is touched.

use std::time::Duration;

use jsonrpsee::rpc_params;
use sluice::chain::backend::BackendConfig;
use sluice::chain::bitcoind::{BITCOIN_FEE_FLOOR, Bitcoind};
use sluice::chain::elementsd::{Elementsd, ElementsdConfig, KNOWN_SAFE, LIQUID_FEE_FLOOR};
use sluice::chain::rpc::{Auth, Endpoint, NodeRpc};
use sluice::config::{BITCOIN_FEE_CEILING, LIQUID_FEE_CEILING};
use sluice::ports::{Chain, ChainInfo, PortError, Tip, Watch};
use sluice::rescue::{Facts, Place, Record};
use sluice::swap::event::SpendPath;
use sluice::tx::{self, Coin, FeeBasis};
use sluice::units::{Asset, FeeRate, Height, OutPoint, RawTx, TxId};
use zeroize::Zeroizing;

use crate::args::NodeArgs;
use crate::exit::Failure;

const ANSWER: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_secs(20);
/// How often the chain may move between two calls.
const TRIES: u32 = 10;

/// A node of the swap's chain.
pub struct Node {
    client: Client,
    info: ChainInfo,
    url: String,
}

enum Client {
    Liquid(Elementsd),
    Bitcoin(Bitcoind),
}

/// Where the coins are.
pub enum Standing {
    /// In the opening's output, or on their way there.
    Open {
        /// Where the opening is.
        facts: Facts,
        /// A transaction in the mempool spends it.
        being_spent: bool,
    },
    /// Taken.
    Spent(Spent),
    /// The opening can never get into a block.
    Voided {
        /// The block of what took its coins.
        at: Height,
        /// The tip.
        tip: Height,
    },
}

/// What took the coins out of the opening.
pub struct Spent {
    /// In which block.
    pub at: Height,
    /// The tip.
    pub tip: Height,
    /// The block of the opening.
    pub opened_at: Option<Height>,
    /// The transaction.
    pub txid: TxId,
    /// By which path of the script.
    pub path: SpendPath,
    /// It pays to our address.
    pub ours: bool,
}

impl Standing {
    /// The tip, and the block of the opening.
    pub fn heights(&self) -> (Option<Height>, Option<Height>) {
        match self {
            Standing::Open { facts, .. } => match facts.opening {
                Place::Block(at) => (Some(facts.tip), Some(at)),
                Place::Nowhere | Place::Mempool => (Some(facts.tip), None),
            },
            Standing::Spent(spent) => (Some(spent.tip), spent.opened_at),
            Standing::Voided { tip, .. } => (Some(*tip), None),
        }
    }
}

impl Node {
    /// Connects, and makes sure that it is the swap's chain.
    pub async fn connect(args: &NodeArgs, record: &Record) -> Result<Node, Failure> {
        let url = args.node_url.clone().unwrap_or_default();
        let endpoint = Endpoint {
            url: url.clone(),
            auth: auth(args)?,
            wallet: String::new(),
            timeout: ANSWER,
            poll: POLL,
        };
        let client = match record.asset {
            Asset::Lbtc => Elementsd::connect_without_wallet(ElementsdConfig {
                node: BackendConfig {
                    endpoint,
                    witness: None,
                    fee_floor: LIQUID_FEE_FLOOR,
                    fee_ceiling: LIQUID_FEE_CEILING,
                },
                safe_releases: KNOWN_SAFE.to_vec(),
            })
            .await
            .map(Client::Liquid),
            Asset::Btc => Bitcoind::connect_without_wallet(BackendConfig {
                endpoint,
                witness: None,
                fee_floor: BITCOIN_FEE_FLOOR,
                fee_ceiling: BITCOIN_FEE_CEILING,
            })
            .await
            .map(Client::Bitcoin),
        };
        let client = client.map_err(|error| failure(&url, error))?;
        let info = client.chain().info().await.map_err(|error| failure(&url, error))?;
        if info.genesis != record.genesis {
            return Err(Failure::Other(format!(
                "the node at {url} is on chain {} with block 0 {}, the swap was on {} with block 0 {}",
                info.chain, info.genesis, record.chain, record.genesis
            )));
        }
        if let Some(reason) = &info.unfit {
            eprintln!("note: {reason}");
        }
        Ok(Node { client, info, url })
    }

    /// The size by which it judges fees.
    pub fn basis(&self) -> FeeBasis {
        match (&self.client, self.info.discount) {
            (Client::Liquid(_), true) => FeeBasis::Discounted,
            (Client::Liquid(_), false) | (Client::Bitcoin(_), _) => FeeBasis::Full,
        }
    }

    pub async fn fee_rate(&self) -> Result<FeeRate, Failure> {
        self.client
            .chain()
            .fee_rate()
            .await
            .map_err(|error| self.failure(error))
    }

    pub async fn broadcast(&self, tx: &RawTx) -> Result<(), Failure> {
        let given = self.client.chain().broadcast(tx).await;
        given.map_err(|error| self.failure(error))
    }

    /// Where the coins are. Blocks are read only if the opening is not unspent.
    pub async fn look(&self, record: &Record) -> Result<Standing, Failure> {
        let tip = self.first_tip().await?;
        let (coin, outpoint) = opening_of(record)?;
        if let Some(facts) = self.unspent(outpoint).await? {
            let being_spent = !self.is_unspent_in_mempool(outpoint).await?;
            return Ok(Standing::Open { facts, being_spent });
        }
        if tip.height.0.saturating_sub(record.anchor.0) > 1000 {
            eprintln!("reading blocks from {} to {}", record.anchor, tip.height);
        }
        let watch = Watch {
            swap: record.swap_id,
            script: record.script().to_p2wsh(),
            opening: Some(outpoint.txid),
            tx: None,
            inputs: record.opening.inputs.clone(),
            since: record.anchor,
        };
        let seen = self
            .client
            .chain()
            .view(&watch)
            .await
            .map_err(|error| self.failure(error))?;
        let (opening, tip) = (seen.opening.as_ref(), seen.tip.height);
        if let Some((found, at)) = seen.spend.as_ref().and_then(|found| Some((found, found.at?))) {
            let unusable = |error| Failure::Other(format!("the transaction that took the coins: {error}"));
            let told = tx::classify_spend(coin, &found.tx, outpoint, &record.payout.script).map_err(unusable)?;
            if let Some(told) = told {
                return Ok(Standing::Spent(Spent {
                    at,
                    tip,
                    opened_at: opening.and_then(|found| found.at),
                    txid: tx::txid_of(coin, &found.tx).map_err(unusable)?,
                    path: told.path,
                    ours: told.pays_payout,
                }));
            }
        }
        if let Some(at) = seen.conflict.and_then(|found| found.at) {
            return Ok(Standing::Voided { at, tip });
        }
        let opening = match opening {
            None => Place::Nowhere,
            Some(found) => found.at.map_or(Place::Mempool, Place::Block),
        };
        let facts = Facts { tip, opening };
        Ok(Standing::Open {
            facts,
            being_spent: false,
        })
    }

    /// The opening's block, if its output is unspent there.
    async fn unspent(&self, outpoint: OutPoint) -> Result<Option<Facts>, Failure> {
        for _ in 0..TRIES {
            let tip = self.client.chain().tip().await.map_err(|error| self.failure(error))?;
            let found = self.client.rpc().tx_out(outpoint).await;
            let Some(found) = found.map_err(|error| self.failure(error.into()))? else {
                return Ok(None);
            };
            if found.bestblock == tip.hash {
                let at = tip.height.0.saturating_add(1).saturating_sub(found.confirmations);
                return Ok(Some(Facts {
                    tip: tip.height,
                    opening: Place::Block(Height(at)),
                }));
            }
        }
        Err(Failure::Other(format!(
            "the chain of {} keeps moving: try again",
            self.url
        )))
    }

    async fn is_unspent_in_mempool(&self, outpoint: OutPoint) -> Result<bool, Failure> {
        let params = rpc_params![outpoint.txid.0, outpoint.vout, true];
        let found: Result<Option<serde_json::Value>, _> = self.client.rpc().call("gettxout", params).await;
        found
            .map(|found| found.is_some())
            .map_err(|error| self.failure(error.into()))
    }

    /// The client follows the chain from here on.
    async fn first_tip(&self) -> Result<Tip, Failure> {
        let mut tips = self.client.chain().tips();
        let tip = tokio::time::timeout(ANSWER, tips.wait_for(Option::is_some)).await;
        match tip {
            Ok(Ok(tip)) => Ok(tip.expect("waited for")),
            Ok(Err(_)) | Err(_) => Err(self.failure(PortError::Unreachable("it tells no block".into()))),
        }
    }

    fn failure(&self, error: PortError) -> Failure {
        failure(&self.url, error)
    }
}

impl Client {
    fn chain(&self) -> &dyn Chain {
        match self {
            Client::Liquid(elementsd) => elementsd,
            Client::Bitcoin(bitcoind) => bitcoind,
        }
    }

    fn rpc(&self) -> &NodeRpc {
        match self {
            Client::Liquid(elementsd) => elementsd.rpc(),
            Client::Bitcoin(bitcoind) => bitcoind.rpc(),
        }
    }
}

/// The opening's output, and the coin in it.
fn opening_of(record: &Record) -> Result<(Coin, OutPoint), Failure> {
    let unusable = |error: tx::TxError| Failure::Other(format!("the opening in the file: {error}"));
    let coin = record.coin().map_err(unusable)?;
    let script = record.script().to_p2wsh();
    let vout = tx::find_output(coin, &record.opening.tx, &script).map_err(unusable)?;
    let vout = vout.ok_or_else(|| Failure::Other("the opening in the file has no output of the swap".into()))?;
    let txid = record.opening.txid;
    Ok((coin, OutPoint { txid, vout }))
}

fn auth(args: &NodeArgs) -> Result<Auth, Failure> {
    match (&args.node_cookie, &args.node_user, &args.node_password_file) {
        (Some(cookie), _, _) => Ok(Auth::Cookie(cookie.clone())),
        (None, Some(user), Some(file)) => {
            let password = std::fs::read_to_string(file).map(Zeroizing::new);
            let password = password.map_err(|error| Failure::Other(format!("{}: {error}", file.display())))?;
            Ok(Auth::Password {
                user: user.clone(),
                password: Zeroizing::new(password.trim_end_matches(['\r', '\n']).to_owned()),
            })
        }
        (None, _, _) => Err(Failure::Usage(
            "the node wants to know who asks: give --node-cookie, or --node-user and --node-password-file".into(),
        )),
    }
}

/// What a failed call means to the one who typed the command.
fn failure(url: &str, error: PortError) -> Failure {
    match error {
        PortError::Unreachable(reason) => Failure::NoNode {
            url: url.to_owned(),
            reason,
        },
        PortError::Refused(reason) | PortError::Broken(reason) => {
            Failure::Other(format!("the node at {url}: {reason}"))
        }
    }
}

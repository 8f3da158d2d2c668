//! An operator, whichever program it runs, and what can be asked of either.

use anyhow::{Context, Result, bail};
use jsonrpsee::core::ClientError;
use sluice::api::SluiceApiClient;
use sluice::api::types::{OutcomeKind, PremiumChange, SwapRef, SwapRequest, SwapView, WalletRef};
use sluice::swap::{Kind, Role};
use sluice::units::{Asset, AssetChoice, NodeId, Ppm, SwapId, TxId};

use super::can_swap;
use super::operator::Operator;
use crate::daemons::peerswapd::{self, Peerswapd};

pub use crate::daemons::peerswapd::Order;

/// What an operator runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Program {
    /// The `sluiced` of this workspace.
    Sluice,
    /// Go PeerSwap's `peerswapd`, from `PEERSWAPD_EXE` or the PATH, with `pscli` beside it.
    Peerswap,
}

impl Program {
    /// A short name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Program::Sluice => "sluice",
            Program::Peerswap => "go",
        }
    }
}

/// A running Go PeerSwap and whose it is.
pub struct Gopher {
    /// `alice` or `bob`.
    pub name: String,
    /// The Lightning node's id.
    pub id: NodeId,
    /// The daemon.
    pub daemon: Peerswapd,
}

/// An operator with one program or the other.
pub enum Party {
    /// One that runs Sluice.
    Sluice(Operator),
    /// One that runs Go PeerSwap.
    Go(Gopher),
}

/// A swap as one side sees it, in what both programs tell.
#[derive(Debug, Clone)]
pub struct Sight {
    /// Where it stands, in that program's words.
    pub state: String,
    /// That side's part.
    pub role: Role,
    /// The agreed premium; positive: the initiator pays. Nothing before it is agreed, with Go PeerSwap zero.
    pub premium_sat: Option<i64>,
    /// What is paid in advance for the opening; Go PeerSwap does not tell.
    pub fee_invoice_sat: Option<u64>,
    /// The published opening, once that side knows of it.
    pub opening: Option<TxId>,
    /// How it ended; None until it is closed.
    pub outcome: Option<OutcomeKind>,
}

impl Party {
    /// `alice` or `bob`.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Party::Sluice(operator) => &operator.name,
            Party::Go(gopher) => &gopher.name,
        }
    }

    /// The Lightning node's id.
    #[must_use]
    pub fn id(&self) -> NodeId {
        match self {
            Party::Sluice(operator) => operator.id,
            Party::Go(gopher) => gopher.id,
        }
    }

    /// What it runs, its process and its address, for people.
    #[must_use]
    pub fn introduction(&self) -> String {
        let (program, pid, address) = match self {
            Party::Sluice(operator) => ("sluiced", operator.daemon.pid(), operator.daemon.url()),
            Party::Go(gopher) => ("peerswapd", gopher.daemon.pid(), gopher.daemon.address()),
        };
        let pid = pid.map_or("not running".into(), |pid| format!("pid {pid}"));
        format!("{program} ({pid}) at {address}")
    }

    /// The last lines of its log.
    #[must_use]
    pub fn tail(&self) -> String {
        match self {
            Party::Sluice(operator) => operator.tail(),
            Party::Go(gopher) => gopher.daemon.tail(),
        }
    }

    /// Orders a swap. It may have been refused when this returns: its end tells.
    ///
    /// # Errors
    /// If no swap came to be.
    pub async fn order(&self, order: &Order) -> Result<SwapId> {
        match self {
            Party::Sluice(operator) => order_of_sluice(operator, order).await,
            Party::Go(gopher) => order_of_go(&gopher.daemon, order).await,
        }
    }

    /// A swap as it sees it; None if it knows of none with that id.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn sight(&self, swap_id: SwapId) -> Result<Option<Sight>> {
        match self {
            Party::Sluice(operator) => match operator.client()?.swap_get(SwapRef { swap_id }).await {
                Ok(view) => Ok(Some(sight_of_sluice(&view))),
                Err(ClientError::Call(_)) => Ok(None),
                Err(error) => Err(error).context("swap_get"),
            },
            Party::Go(gopher) => {
                let swap = gopher.daemon.swap(swap_id).await?;
                swap.as_ref().map(sight_of_go).transpose()
            }
        }
    }

    /// Sets the premium that it asks of everybody.
    ///
    /// # Errors
    /// If it does not take it.
    pub async fn set_premium(&self, asset: Asset, direction: Kind, rate: Ppm) -> Result<()> {
        match self {
            Party::Sluice(operator) => {
                let change = PremiumChange {
                    peer: None,
                    asset,
                    direction,
                    ppm: Some(rate.0),
                };
                operator.client()?.premium_set(change).await?;
                Ok(())
            }
            Party::Go(gopher) => gopher.daemon.set_premium(asset, direction, rate).await,
        }
    }

    /// A new address of its wallet.
    ///
    /// # Errors
    /// If it does not tell; Go PeerSwap has no Bitcoin wallet of its own.
    pub async fn address(&self, asset: Asset) -> Result<String> {
        match (self, asset) {
            (Party::Sluice(operator), asset) => {
                Ok(operator.client()?.wallet_address(WalletRef { asset }).await?.address)
            }
            (Party::Go(gopher), Asset::Lbtc) => gopher.daemon.lbtc_address().await,
            (Party::Go(_), Asset::Btc) => bail!("the Bitcoin wallet of a peerswapd is that of its node"),
        }
    }

    /// Whether it can swap an asset with a peer, as far as it knows.
    ///
    /// # Errors
    /// If it does not tell.
    pub async fn can_swap(&self, peer: NodeId, asset: Asset) -> Result<bool> {
        match self {
            Party::Sluice(operator) => {
                let known = operator.client()?.peer_list().await?.peers;
                let known = known.iter().find(|known| known.node_id == peer);
                Ok(known.is_some_and(|peer| can_swap(peer, asset)))
            }
            Party::Go(gopher) => Ok(gopher.daemon.peers().await?.contains(&peer)),
        }
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        match self {
            Party::Sluice(operator) => operator.daemon.kill(),
            Party::Go(gopher) => gopher.daemon.kill(),
        }
    }

    /// Starts it again and waits until it answers.
    ///
    /// # Errors
    /// With its last lines, if it does not.
    pub async fn begin(&mut self) -> Result<()> {
        match self {
            Party::Sluice(operator) => operator.daemon.begin().await.map(drop),
            Party::Go(gopher) => gopher.daemon.begin().await,
        }
    }
}

async fn order_of_sluice(operator: &Operator, order: &Order) -> Result<SwapId> {
    let client = operator.client()?;
    let request = SwapRequest {
        channel: order.channel,
        amount_sat: order.amount_sat,
        asset: AssetChoice::One(order.asset),
        max_premium_ppm: order.limit.0,
        idempotency_key: None,
    };
    let started = match order.kind {
        Kind::Out => client.swap_out(request).await,
        Kind::In => client.swap_in(request).await,
    };
    match started {
        Ok(started) => Ok(started.swap_id),
        // its sentence is made for people; the object around it is not
        Err(ClientError::Call(refused)) => {
            bail!("{}'s sluiced refuses the order: {}", operator.name, refused.message())
        }
        Err(error) => Err(error).with_context(|| format!("{}'s sluiced does not answer", operator.name)),
    }
}

/// It tells of no swap that was cancelled while it waited: that is the one that is new.
async fn order_of_go(daemon: &Peerswapd, order: &Order) -> Result<SwapId> {
    let before = daemon.swaps().await?;
    let refused = match daemon.order(order).await {
        Ok(swap) => return Ok(swap.id),
        Err(refused) => refused,
    };
    let is_new = |swap: &peerswapd::Swap| before.iter().all(|known| known.id != swap.id);
    let after = daemon.swaps().await?;
    let new = after.iter().find(|swap| swap.is_initiator() && is_new(swap));
    new.map(|swap| swap.id).ok_or(refused)
}

fn sight_of_sluice(view: &SwapView) -> Sight {
    let published = view.timings_ms.opening_published.is_some();
    let opening = view.opening.as_ref().filter(|_| published);
    Sight {
        state: view.state.clone(),
        role: view.role,
        premium_sat: view.premium_sat,
        fee_invoice_sat: view.fee_invoice_sat,
        opening: opening.map(|opening| opening.txid),
        outcome: view.outcome.as_ref().map(|outcome| outcome.kind),
    }
}

fn sight_of_go(swap: &peerswapd::Swap) -> Result<Sight> {
    let role = swap.part();
    let outcome = match (swap.state.as_str(), role) {
        ("State_ClaimedPreimage", Role::Maker) => Some(OutcomeKind::ClaimPaid),
        ("State_ClaimedPreimage", Role::Taker) => Some(OutcomeKind::ClaimedByInvoice),
        ("State_ClaimedCoop", Role::Maker) => Some(OutcomeKind::ClaimedByCoop),
        ("State_ClaimedCoop", Role::Taker) => Some(OutcomeKind::CoopClosed),
        ("State_ClaimedCsv", _) => Some(OutcomeKind::ClaimedByCsv),
        ("State_SwapCanceled", _) => Some(OutcomeKind::Canceled),
        _ => None,
    };
    let state = if swap.cancel_message.is_empty() {
        swap.state.clone()
    } else {
        format!("{} ({})", swap.state, swap.cancel_message)
    };
    Ok(Sight {
        state,
        role,
        premium_sat: Some(swap.premium_sat()),
        fee_invoice_sat: None,
        opening: swap.opening()?,
        outcome,
    })
}

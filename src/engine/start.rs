//! How a swap begins: checked, its keys drawn, committed. Nothing is said before that.

use std::sync::Arc;

use bitcoin::{Amount, SignedAmount};
use rand::RngCore;
use rand::rngs::OsRng;
use tracing::info;

use super::admit::{self, Denial};
use super::{Shared, Side};
use crate::keys;
use crate::ports::{Channel, PortError};
use crate::protocol::{Request, RequestChain};
use crate::store::{Created, StoreError};
use crate::swap::state::{Maker, State, Swap, Taker};
use crate::swap::terms::{self, Deal, FeePolicy, Terms};
use crate::swap::timelocks::Timelocks;
use crate::swap::{Kind, Role};
use crate::tx;
use crate::units::{Asset, FeeRate, NodeId, Ppm, PubKey, Scid, SwapId, Timestamp};

/// How long a peer has to answer a request, in seconds.
const REQUEST_SECS: u64 = 120;
/// The discounted size of an opening with a few inputs, for estimates. One input and change: 281 (measured).
const OPENING_DVSIZE: u64 = 300;
/// Go PeerSwap charges for this flat size (onchain/liquid.go:401 at 816a5bb), so a bound from exact sizes would refuse it.
const GO_OPENING_DVSIZE: u64 = 750;

/// A swap that the operator wants.
#[derive(Debug, Clone)]
pub struct NewSwap {
    /// In or out, as we see it.
    pub kind: Kind,
    /// Over which channel.
    pub scid: Scid,
    /// How much.
    pub amount: Amount,
    /// Against what.
    pub asset: Asset,
    /// The most to pay for it.
    pub max_premium: Ppm,
    /// The same key never swaps twice.
    pub idempotency_key: Option<String>,
}

/// Why a swap did not begin.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It is against a rule, or cannot be carried.
    #[error("{0}")]
    Denied(#[from] Denial),
    /// The peer does not offer it.
    #[error("peer {peer} cannot swap: {reason}")]
    Peer {
        /// Who.
        peer: NodeId,
        /// Why.
        reason: String,
    },
    /// The idempotency key was used for another order.
    #[error("the idempotency key has made swap {swap}, with another {differs}")]
    KeyReused {
        /// The swap it made.
        swap: SwapId,
        /// What differs.
        differs: &'static str,
    },
    /// A backend did not answer, or said no.
    #[error("{0}")]
    Port(#[from] PortError),
    /// The store failed.
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// A swap that was wanted, and is stored.
#[derive(Debug, Clone)]
pub struct Started {
    /// It.
    pub swap: Arc<Swap>,
    /// An earlier order with the same idempotency key made it.
    pub repeated: bool,
}

pub(super) async fn initiate(shared: &Arc<Shared>, new: NewSwap) -> Result<Started, StartError> {
    if let Some(key) = &new.idempotency_key
        && let Some(earlier) = shared.store.swap_of_key(key)?
    {
        return repeated(shared, &new, earlier);
    }
    let policy = shared.policy();
    let side = fit(shared, new.asset)?;
    let channels = shared.node.channels().await?;
    let channel = admit::channel(&channels, new.scid, None)?;
    policy
        .admit_own(&channel.peer, new.asset, new.amount)
        .map_err(Denial::from)?;
    let version = shared
        .peers
        .can_swap(&channel.peer, new.asset)
        .map_err(|reason| StartError::Peer {
            peer: channel.peer,
            reason,
        })?;
    let no_amount = || Denial::Amount {
        amount: new.amount,
        premium_ppm: new.max_premium,
    };
    let premium_limit = new.max_premium.of(new.amount).ok_or_else(no_amount)?;
    let rate = side.chain.fee_rate().await?;
    let role = if new.kind == Kind::Out {
        Role::Taker
    } else {
        Role::Maker
    };
    // What is agreed is not known yet: the check takes the announced premium, or nothing, and the limit bounds the rest.
    let expected = shared
        .peers
        .premium(&channel.peer, new.asset, new.kind)
        .and_then(|ppm| ppm.of(new.amount));
    let expected = expected.unwrap_or(SignedAmount::ZERO).min(premium_limit);
    check_money(shared, &side, channel, role, (new.kind, new.amount, expected), rate).await?;
    let fee_invoice = rate.fee(GO_OPENING_DVSIZE.saturating_mul(shared.fee_invoice_factor));
    let draft = Draft {
        id: fresh_id(),
        peer: channel.peer,
        kind: new.kind,
        role,
        version,
        asset: new.asset,
        scid: channel.scid,
        amount: new.amount,
        premium_limit,
        fee_invoice,
    };
    let deadline = shared.clock.now().plus_secs(REQUEST_SECS);
    let swap = draft
        .commit_to(shared, &side, State::Requested { sent: false, deadline })
        .await?;
    match shared.store.create(&swap, new.idempotency_key.as_deref())? {
        Created::New(_) => {
            info!(id = %swap.id, kind = ?swap.kind, amount_sat = swap.terms.amount.to_sat(), peer = %swap.peer, "swap begun");
            shared.spawn(swap.clone(), false);
            Ok(Started {
                swap: Arc::new(swap),
                repeated: false,
            })
        }
        Created::Earlier(earlier) => repeated(shared, &new, earlier),
    }
}

/// The same key and the same order: the swap that it made. The same key and another order is a mistake.
fn repeated(shared: &Arc<Shared>, new: &NewSwap, id: SwapId) -> Result<Started, StartError> {
    let swap = shared.store.swap(id)?.ok_or(StoreError::Unknown(id))?;
    let terms = &swap.terms;
    let differs = [
        ("direction", new.kind != swap.kind),
        ("channel", new.scid != terms.scid),
        ("amount_sat", new.amount != terms.amount),
        ("asset", new.asset != terms.asset),
        (
            "max_premium_ppm",
            new.max_premium.of(new.amount) != Some(terms.premium_limit),
        ),
    ];
    if let Some((differs, _)) = differs.into_iter().find(|(_, differs)| *differs) {
        return Err(StartError::KeyReused { swap: id, differs });
    }
    Ok(Started {
        swap: Arc::new(swap),
        repeated: true,
    })
}

/// The chain of an asset, if it takes new swaps.
fn fit(shared: &Shared, asset: Asset) -> Result<Arc<Side>, Denial> {
    let side = shared
        .side(asset)
        .ok_or_else(|| Denial::Asset(format!("{asset} swaps are not configured here")))?;
    match side.problem() {
        Some(reason) => Err(Denial::Unfit { asset, reason }),
        None => Ok(side),
    }
}

/// Checks that channel and wallet can carry the swap.
async fn check_money(
    shared: &Shared,
    side: &Side,
    channel: &Channel,
    role: Role,
    (kind, amount, premium): (Kind, Amount, SignedAmount),
    rate: FeeRate,
) -> Result<(), StartError> {
    let amounts = terms::amounts(kind, amount, premium).ok_or(Denial::NothingLeft { amount, premium })?;
    admit::balance(channel, role == Role::Taker, amounts.claim)?;
    if role == Role::Maker {
        let balance = side.wallet.balance().await?;
        admit::wallet(balance.spendable, amounts.opening, rate.fee(OPENING_DVSIZE))?;
    }
    if let Some(holder) = shared.store.channel_holder(channel.scid)? {
        let scid = channel.scid;
        return Err(Denial::Busy { scid, holder }.into());
    }
    Ok(())
}

fn fresh_id() -> SwapId {
    let mut id = [0; 32];
    OsRng.fill_bytes(&mut id);
    SwapId(id)
}

/// A swap before its keys, its payout and its anchor.
struct Draft {
    id: SwapId,
    peer: NodeId,
    kind: Kind,
    role: Role,
    version: u8,
    asset: Asset,
    scid: Scid,
    amount: Amount,
    premium_limit: SignedAmount,
    fee_invoice: Amount,
}

impl Draft {
    async fn commit_to(self, shared: &Shared, side: &Side, state: State) -> Result<Swap, PortError> {
        let path = keys::draw_path(&mut OsRng);
        let keys = shared
            .seed
            .secrets(&path, self.role)
            .public(path, self.role, self.kind, self.asset);
        let payout = side.wallet.new_address(&label(self.id)).await?;
        // The anchor comes before the first message: the payment window counts from here.
        let anchor = side.chain.tip().await?.height;
        let info = side.info();
        let terms = Terms {
            version: self.version,
            asset: self.asset,
            genesis: info.genesis,
            policy_asset: info.policy_asset,
            node: shared.identity.id,
            scid: self.scid,
            amount: self.amount,
            premium_limit: self.premium_limit,
            payout,
            fees: FeePolicy {
                fee_invoice: self.fee_invoice,
            },
        };
        let created_at: Timestamp = shared.clock.now();
        Ok(Swap {
            id: self.id,
            peer: self.peer,
            kind: self.kind,
            role: self.role,
            terms,
            keys,
            anchor,
            created_at,
            state,
        })
    }
}

/// As Go PeerSwap labels its claims (labels/labels.go at 816a5bb), without the kind, which is not known yet.
fn label(id: SwapId) -> String {
    format!("peerswap -- Claim(swap id={})", id.short())
}

/// Answers a peer's request: begins the swap, or says why not.
pub(super) async fn respond(
    shared: &Arc<Shared>,
    peer: NodeId,
    kind: Kind,
    request: Request,
) -> Result<(), StartError> {
    let asset = match &request.chain {
        RequestChain::Liquid(_) => Asset::Lbtc,
        RequestChain::Bitcoin(_) => Asset::Btc,
    };
    // First of all checks: whoever may not ask learns nothing else.
    shared
        .policy()
        .admit(&peer, asset, request.amount)
        .map_err(Denial::from)?;
    if Timelocks::of(asset, request.version).is_none() {
        let theirs = request.version;
        return Err(Denial::Version { theirs, asset }.into());
    }
    let side = fit(shared, asset)?;
    check_chain(shared, &side, &request.chain)?;
    let channels = shared.node.channels().await?;
    let channel = admit::channel(&channels, request.scid, Some(&peer))?;
    let deal = deal(shared, &peer, asset, kind, &request)?;
    let role = if kind == Kind::Out { Role::Maker } else { Role::Taker };
    let rate = side.chain.fee_rate().await?;
    check_money(shared, &side, channel, role, (kind, request.amount, deal.premium), rate).await?;
    let draft = Draft {
        id: request.swap_id,
        peer,
        kind,
        role,
        version: request.version,
        asset,
        scid: channel.scid,
        amount: request.amount,
        premium_limit: request.acceptable_premium,
        fee_invoice: rate.fee(OPENING_DVSIZE),
    };
    let state = match role {
        Role::Maker => State::Maker(deal, Maker::AwaitingFee { fee: None }),
        Role::Taker => State::Taker(deal, Taker::AwaitingOpening),
    };
    let swap = draft.commit_to(shared, &side, state).await?;
    match shared.store.create(&swap, None)? {
        Created::New(_) => {
            info!(id = %swap.id, ?kind, amount_sat = swap.terms.amount.to_sat(), %peer, "swap accepted");
            shared.spawn(swap, false);
            Ok(())
        }
        Created::Earlier(_) => Ok(()),
    }
}

fn check_chain(shared: &Shared, side: &Side, chain: &RequestChain) -> Result<(), Denial> {
    match (chain, side.info().policy_asset) {
        (RequestChain::Liquid(asked), Some(ours)) if *asked == tx::asset_to_wire(ours) => Ok(()),
        (RequestChain::Liquid(asked), _) => Err(Denial::Asset(format!("invalid liquid asset {}", hex::encode(asked)))),
        (RequestChain::Bitcoin(network), _) if *network == shared.network => Ok(()),
        (RequestChain::Bitcoin(network), _) => Err(Denial::Asset(format!("invalid bitcoin network {network}"))),
    }
}

/// Our rate for this peer, within its limit.
fn deal(shared: &Shared, peer: &PubKey, asset: Asset, kind: Kind, request: &Request) -> Result<Deal, Denial> {
    let limit = request.acceptable_premium;
    let rate = shared.premiums().rate(peer, asset, kind);
    let no_amount = Denial::Amount {
        amount: request.amount,
        premium_ppm: rate,
    };
    let premium = rate.of(request.amount).ok_or(no_amount)?;
    if premium > limit {
        return Err(Denial::TooDear { premium, limit });
    }
    Ok(Deal {
        premium,
        peer_key: request.pubkey,
    })
}

impl StartError {
    /// What a peer is told: why its request breaks our rules, but nothing of our backends.
    pub(super) fn for_peer(&self) -> String {
        match self {
            StartError::Denied(denial) => denial.for_peer(),
            StartError::Store(StoreError::ChannelHeld { scid, .. }) => {
                format!("another swap is active on channel {scid}")
            }
            StartError::Peer { .. } | StartError::KeyReused { .. } | StartError::Port(_) | StartError::Store(_) => {
                "the swap is not possible just now".into()
            }
        }
    }
}

//! How a swap begins: checked, its keys drawn, committed. Nothing is said before that.

use std::sync::Arc;

use bitcoin::{Amount, SignedAmount};
use rand::RngCore;
use tracing::info;

use super::admit::{self, Denial};
use super::{Absence, Shared, Side, opening_fee};
use crate::keys;
use crate::ports::{Channel, PortError};
use crate::protocol::{Request, RequestChain};
use crate::store::{Created, StoreError};
use crate::swap::state::{Maker, State, Swap, Taker};
use crate::swap::terms::{self, Deal, FeePolicy, Terms};
use crate::swap::timelocks::Timelocks;
use crate::swap::{Kind, Role};
use crate::tx;
use crate::units::{Asset, FeeRate, NodeId, PubKey, Scid, SwapId, Timestamp};

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
    /// The Lightning node did not answer, or said no.
    #[error("{0}")]
    Node(PortError),
    /// The chain's node or wallet did not answer, or said no.
    #[error("{0}")]
    Port(#[from] PortError),
    /// The choice of the asset was ours, and neither can be.
    #[error("no lbtc: {lbtc}; no btc: {btc}")]
    NoAsset {
        /// Why not L-BTC.
        lbtc: String,
        /// Why not BTC.
        btc: String,
    },
    /// The store failed.
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// The chain of an asset, if it takes new swaps.
pub(super) fn fit(shared: &Shared, asset: Asset) -> Result<Arc<Side>, Denial> {
    let unfit = |reason| Denial::Unfit { asset, reason };
    let side = match shared.sides.get(asset) {
        Err(Absence::NotConfigured) => return Err(Denial::NotConfigured(asset)),
        Err(absence @ Absence::Awaited(_)) => Err(unfit(absence.to_string())),
        Ok(side) => Ok(side),
    };
    // a pause is told first: it is the operator's own
    shared.hindrance(asset).map_or(side, |reason| Err(unfit(reason)))
}

/// Checks that channel and wallet can carry the swap: in a swap-out the channel carries the opening's fee as well.
pub(super) async fn check_money(
    shared: &Shared,
    side: &Side,
    channel: &Channel,
    role: Role,
    (kind, amount, premium): (Kind, Amount, SignedAmount),
    rate: FeeRate,
) -> Result<(), StartError> {
    let amounts = terms::amounts(kind, amount, premium).ok_or(Denial::NothingLeft { amount, premium })?;
    let fee = match kind {
        Kind::Out => opening_fee::expected(side.chain.asset(), rate),
        Kind::In => Amount::ZERO,
    };
    let needed = amounts.claim.checked_add(fee).unwrap_or(Amount::MAX_MONEY);
    admit::balance(channel, role == Role::Taker, needed)?;
    if role == Role::Maker {
        let balance = side.wallet.balance().await?;
        let asset = side.chain.asset();
        admit::wallet(
            asset,
            balance.spendable,
            amounts.opening,
            opening_fee::expected(asset, rate),
        )?;
    }
    if let Some(holder) = shared.store.channel_holder(channel.scid)? {
        let scid = channel.scid;
        return Err(Denial::Busy { scid, holder }.into());
    }
    Ok(())
}

pub(super) fn fresh_id(shared: &Shared) -> SwapId {
    let mut id = [0; 32];
    shared.entropy.rng().fill_bytes(&mut id);
    SwapId(id)
}

/// A swap before its keys, its payout and its anchor.
pub(super) struct Draft {
    pub(super) id: SwapId,
    pub(super) peer: NodeId,
    pub(super) kind: Kind,
    pub(super) role: Role,
    pub(super) version: u8,
    pub(super) asset: Asset,
    pub(super) scid: Scid,
    pub(super) amount: Amount,
    pub(super) premium_limit: SignedAmount,
    pub(super) fee_invoice: Amount,
}

impl Draft {
    pub(super) async fn commit_to(self, shared: &Shared, side: &Side, state: State) -> Result<Swap, PortError> {
        let path = keys::draw_path(&mut shared.entropy.rng());
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
    shared.policy().admit(&peer, request.amount).map_err(Denial::from)?;
    shared.admit_conduct(&peer)?;
    shared.room_for(&peer)?;
    if Timelocks::of(asset, request.version).is_none() {
        let theirs = request.version;
        return Err(Denial::Version { theirs, asset }.into());
    }
    let side = fit(shared, asset)?;
    check_chain(shared, &side, &request.chain)?;
    let channels = shared.node.channels().await.map_err(StartError::Node)?;
    let channel = admit::channel(&channels, request.scid, Some(&peer))?;
    let deal = deal(shared, &peer, asset, kind, &request)?;
    let role = if kind == Kind::Out { Role::Maker } else { Role::Taker };
    let rate = admit::rate(asset, &side.chain.fee_rates().await?)?;
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
        fee_invoice: opening_fee::expected(asset, rate),
    };
    let state = match role {
        Role::Maker => State::Maker(deal, Maker::AwaitingFee { fee: None }),
        Role::Taker => State::Taker(deal, Taker::AwaitingOpening),
    };
    let swap = draft.commit_to(shared, &side, state).await?;
    if shared.judging.is_withdrawn(peer, swap.id) {
        info!(id = swap.id.short(), %peer, "a request that was taken back is dropped");
        return Ok(());
    }
    // again, and until the swap runs nothing is awaited: others were judged at the same time
    shared.room_for(&peer)?;
    match shared.create(&swap, None)? {
        Created::New(_) => {
            info!(id = %swap.id, ?kind, amount_sat = swap.terms.amount.to_sat(), %peer, "swap accepted");
            shared.spawn(swap, false);
            Ok(())
        }
        Created::Earlier(_) => Ok(()),
    }
}

impl Shared {
    /// Stores a new swap. A store whose disk failed takes nothing more until it is opened again, so the daemon ends:
    /// else it would refuse every swap from then on, and run.
    pub(super) fn create(&self, swap: &Swap, idempotency_key: Option<&str>) -> Result<Created, StoreError> {
        let created = self.store.create(swap, idempotency_key);
        if let Err(failure) = &created
            && failure.is_final()
        {
            self.fail(format!("a new swap could not be stored: {failure}"));
        }
        created
    }
}

fn check_chain(shared: &Shared, side: &Side, chain: &RequestChain) -> Result<(), Denial> {
    match (chain, side.info().policy_asset) {
        (RequestChain::Liquid(asked), Some(ours)) if *asked == tx::asset_to_wire(ours) => Ok(()),
        (RequestChain::Liquid(asked), _) => Err(Denial::Chain(format!("invalid liquid asset {}", hex::encode(asked)))),
        (RequestChain::Bitcoin(network), _) if *network == shared.network => Ok(()),
        (RequestChain::Bitcoin(network), _) => Err(Denial::Chain(format!("invalid bitcoin network {network}"))),
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
    /// Whether another asset may do what this one cannot.
    pub(super) fn is_of_the_asset(&self) -> bool {
        match self {
            StartError::Denied(denial) => matches!(
                denial,
                Denial::Unfit { .. } | Denial::NotConfigured(_) | Denial::Wallet { .. } | Denial::TooDear { .. }
            ),
            StartError::Peer { .. } | StartError::Port(_) => true,
            StartError::Node(_) | StartError::NoAsset { .. } | StartError::KeyReused { .. } | StartError::Store(_) => {
                false
            }
        }
    }

    /// Whether the same request will be refused whenever it comes.
    pub(super) fn is_against_the_rules(&self) -> bool {
        matches!(self, StartError::Denied(denial) if denial.is_against_the_rules())
    }

    /// What a peer is told: why its request breaks our rules, but nothing of our backends.
    pub(super) fn for_peer(&self) -> String {
        match self {
            StartError::Denied(denial) => denial.for_peer(),
            StartError::Store(StoreError::ChannelHeld { scid, .. }) => {
                format!("another swap is active on channel {scid}")
            }
            StartError::Peer { .. }
            | StartError::KeyReused { .. }
            | StartError::Node(_)
            | StartError::Port(_)
            | StartError::NoAsset { .. }
            | StartError::Store(_) => "the swap is not possible just now".into(),
        }
    }
}

//! Orders of the operator: which chain, and whether the swap can be. It begins here; nothing is said before it is stored.

use std::sync::Arc;

use bitcoin::{Amount, SignedAmount};
use tracing::{info, warn};

use super::admit::{self, Denial};
use super::start::{Draft, StartError, check_money, fit, fresh_id};
use super::{Shared, opening_fee};
use crate::policy;
use crate::store::{Created, StoreError};
use crate::swap::state::{State, Swap};
use crate::swap::{Kind, Role};
use crate::units::{Asset, AssetChoice, NodeId, Ppm, Scid, SwapId};

/// How long a peer has to answer a request, in seconds.
const REQUEST_SECS: u64 = 120;

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
    pub asset: AssetChoice,
    /// The most to pay for it.
    pub max_premium: Ppm,
    /// The same key never swaps twice.
    pub idempotency_key: Option<String>,
}

/// A swap that was wanted, and is stored.
#[derive(Debug, Clone)]
pub struct Started {
    /// It.
    pub swap: Arc<Swap>,
    /// An earlier order with the same idempotency key made it.
    pub repeated: bool,
}

pub(super) async fn place(shared: &Arc<Shared>, new: NewSwap) -> Result<Started, StartError> {
    check_numbers(&new)?;
    if let Some(key) = &new.idempotency_key
        && let Some(earlier) = shared.store.swap_of_key(key)?
    {
        return repeated(shared, &new, earlier);
    }
    match new.asset {
        AssetChoice::One(asset) => begin(shared, &new, asset, None).await,
        AssetChoice::Auto => choose(shared, &new).await,
    }
}

/// What no channel, wallet or peer need be asked for.
fn check_numbers(new: &NewSwap) -> Result<(), Denial> {
    if new.amount > Amount::MAX_MONEY {
        return Err(Denial::MoreThanExists(new.amount));
    }
    Ok(policy::check_rate(new.max_premium)?)
}

/// L-BTC if it can be: it is final first. Else BTC, and why.
async fn choose(shared: &Arc<Shared>, new: &NewSwap) -> Result<Started, StartError> {
    let lbtc = match begin(shared, new, Asset::Lbtc, Some("it is possible, and final first")).await {
        Err(error) if error.is_of_the_asset() => error,
        done => return done,
    };
    if !shared.sides.has(Asset::Btc) {
        return Err(lbtc);
    }
    let why = lbtc.to_string();
    match begin(shared, new, Asset::Btc, Some(&format!("no lbtc: {why}"))).await {
        Err(error) if error.is_of_the_asset() && shared.sides.has(Asset::Lbtc) => Err(StartError::NoAsset {
            lbtc: why,
            btc: error.to_string(),
        }),
        done => done,
    }
}

/// Begins a swap. `chosen`: why this asset, if the choice was ours; then the premium that the peer announced must be
/// within the limit already, because the other asset may be cheaper.
async fn begin(shared: &Arc<Shared>, new: &NewSwap, asset: Asset, chosen: Option<&str>) -> Result<Started, StartError> {
    let channels = shared.node.channels().await.map_err(StartError::Node)?;
    let channel = admit::channel(&channels, new.scid, None)?;
    let peer = channel.peer;
    shared.policy().admit_own(&peer, new.amount).map_err(Denial::from)?;
    shared.admit_conduct(&peer)?;
    let side = fit(shared, asset)?;
    let version = shared
        .peers
        .can_swap(&peer, asset)
        .map_err(|reason| StartError::Peer { peer, reason })?;
    let premium_limit = new.max_premium.of(new.amount).ok_or(Denial::Amount {
        amount: new.amount,
        premium_ppm: new.max_premium,
    })?;
    let premium = expected_premium(shared, &peer, new, asset);
    if chosen.is_some() && premium > premium_limit {
        let limit = premium_limit;
        return Err(Denial::TooDear { premium, limit }.into());
    }
    let rates = side.chain.fee_rates().await?;
    let rate = admit::rate(asset, &rates)?;
    let role = match new.kind {
        Kind::Out => Role::Taker,
        Kind::In => Role::Maker,
    };
    let terms = (new.kind, new.amount, premium.min(premium_limit));
    check_money(shared, &side, channel, role, terms, rate).await?;
    let draft = Draft {
        id: fresh_id(shared),
        peer,
        kind: new.kind,
        role,
        version,
        asset,
        scid: channel.scid,
        amount: new.amount,
        premium_limit,
        fee_invoice: opening_fee::bound(asset, &rates, shared.fee_invoice_factor),
    };
    let deadline = shared.clock.now().plus_secs(REQUEST_SECS);
    let requested = State::Requested { sent: false, deadline };
    let swap = draft.commit_to(shared, &side, requested).await?;
    store(shared, new, swap, chosen)
}

/// What is agreed is not known yet: the peer's announced premium, or nothing.
fn expected_premium(shared: &Shared, peer: &NodeId, new: &NewSwap, asset: Asset) -> SignedAmount {
    let announced = shared.peers.premium(peer, asset, new.kind);
    announced
        .and_then(|ppm| ppm.of(new.amount))
        .unwrap_or(SignedAmount::ZERO)
}

fn store(shared: &Arc<Shared>, new: &NewSwap, swap: Swap, chosen: Option<&str>) -> Result<Started, StartError> {
    match shared.create(&swap, new.idempotency_key.as_deref())? {
        Created::New(_) => {
            let why = chosen.unwrap_or("ordered");
            info!(id = %swap.id, kind = ?swap.kind, amount_sat = swap.terms.amount.to_sat(), asset = %swap.terms.asset,
                why, peer = %swap.peer, "swap begun");
            // without the note the swap is there all the same, and must have its driver
            if let Some(failure) = chosen.and_then(|chosen| shared.store.note_choice(swap.id, chosen).err()) {
                warn!(%failure, "why the asset was chosen could not be noted");
            }
            shared.spawn(swap.clone(), false);
            Ok(Started {
                swap: Arc::new(swap),
                repeated: false,
            })
        }
        Created::Earlier(earlier) => repeated(shared, new, earlier),
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
        ("asset", !new.asset.allows(terms.asset)),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(amount_sat: u64, max_premium: i64) -> Result<(), String> {
        let new = NewSwap {
            kind: Kind::Out,
            scid: Scid(1),
            amount: Amount::from_sat(amount_sat),
            asset: AssetChoice::Auto,
            max_premium: Ppm(max_premium),
            idempotency_key: None,
        };
        check_numbers(&new).map_err(|denial| denial.to_string())
    }

    #[test]
    fn an_order_names_no_more_than_exists() {
        assert_eq!(checked(2_100_000_000_000_000, 0), Ok(()));
        for amount in [2_100_000_000_000_001, u64::MAX] {
            let wrong = format!("{amount} sat is more than there can be: at most 2100000000000000 sat");
            assert_eq!(checked(amount, 0), Err(wrong));
        }
    }

    #[test]
    fn the_limit_of_an_order_is_bounded_as_the_rates_are() {
        for ppm in [-1_000_000, 0, 1_000_000] {
            assert_eq!(checked(1, ppm), Ok(()));
        }
        for ppm in [-1_000_001, 1_000_001, i64::MIN, i64::MAX] {
            let wrong = format!("premium rate {}: must be -1000000 to 1000000 ppm", Ppm(ppm));
            assert_eq!(checked(1, ppm), Err(wrong));
        }
    }
}

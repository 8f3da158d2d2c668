//! Why a swap did not begin, in the API's codes.

use bitcoin::Amount;

use super::broken;
use crate::api::error::ApiError;
use crate::api::types::SwapRequest;
use crate::engine::{Denial, StartError};
use crate::policy;
use crate::protocol::MAX_RATE;
use crate::store::StoreError;
use crate::swap::Kind;

pub(super) fn of(error: StartError, direction: Kind, request: &SwapRequest) -> ApiError {
    let channel = request.channel;
    match error {
        StartError::Denied(denial) => denied(denial, direction, request),
        StartError::Peer { peer, reason } => ApiError::PeerUnusable { peer, reason },
        StartError::KeyReused { swap, differs } => ApiError::KeyReused {
            key: request
                .idempotency_key
                .as_ref()
                .map(|key| key.as_str().to_owned())
                .unwrap_or_default(),
            swap_id: swap,
            differs: differs.into(),
        },
        StartError::Node(failure) => ApiError::from_port("the lightning node", failure),
        StartError::Port(failure) => ApiError::from_port("the chain's node", failure),
        StartError::NoAsset { lbtc, btc } => ApiError::NoAssetUsable { lbtc, btc },
        StartError::Store(StoreError::ChannelHeld { holder, .. }) => ApiError::ChannelBusy {
            channel,
            swap_id: holder,
        },
        StartError::Store(failure) => broken(failure),
    }
}

fn denied(denial: Denial, direction: Kind, request: &SwapRequest) -> ApiError {
    let channel = request.channel;
    let amount = |rule: String| ApiError::invalid("amount_sat", request.amount_sat, rule);
    let premium = |rule: String| ApiError::invalid("max_premium_ppm", request.max_premium_ppm, rule);
    match denial {
        Denial::Policy(denial) => against_policy(denial, request),
        Denial::NoChannel(channel) => ApiError::UnknownChannel { channel },
        Denial::Inactive { peer, .. } => ApiError::ChannelInactive { channel, peer },
        Denial::Busy { holder, .. } => ApiError::ChannelBusy {
            channel,
            swap_id: holder,
        },
        Denial::Balance { available, needed, .. } => ApiError::ChannelBalance {
            channel,
            direction,
            needed_sat: needed.to_sat(),
            available_sat: available.to_sat(),
        },
        Denial::Wallet {
            asset,
            available,
            needed,
        } => ApiError::WalletBalance {
            asset,
            needed_sat: needed.to_sat(),
            available_sat: available.to_sat(),
        },
        Denial::Quarantined { peer, .. } | Denial::TooMany { peer, .. } => ApiError::PeerUnusable {
            peer,
            reason: denial.to_string(),
        },
        Denial::Unfit { asset, reason } => ApiError::AssetUnusable { asset, reason },
        Denial::NotConfigured(asset) => ApiError::AssetUnusable {
            asset,
            reason: "it is not configured here".into(),
        },
        Denial::Rate(_) => {
            let most = MAX_RATE.0;
            premium(format!("must be -{most} to {most} ppm"))
        }
        Denial::TooDear { .. } => premium(denial.to_string()),
        // Of an amount above zero only a premium that is paid back leaves nothing.
        Denial::NothingLeft { .. } if request.amount_sat > 0 => premium(denial.to_string()),
        Denial::MoreThanExists(_) => {
            let most = Amount::MAX_MONEY.to_sat();
            amount(format!("must be at most {most} sat, which is all that there can be"))
        }
        Denial::Amount { .. } | Denial::NothingLeft { .. } | Denial::Chain(_) => amount(denial.to_string()),
        Denial::Version { .. } => ApiError::Internal {
            reason: denial.to_string(),
        },
    }
}

fn against_policy(denial: policy::Denial, request: &SwapRequest) -> ApiError {
    let amount = |rule: String| ApiError::invalid("amount_sat", request.amount_sat, rule);
    match denial {
        policy::Denial::Peer(peer) | policy::Denial::Blocked(peer) => ApiError::PeerUnusable {
            peer,
            reason: "it is blocked by the policy".into(),
        },
        policy::Denial::Disabled => ApiError::SwapsPaused {},
        policy::Denial::TooSmall { minimum, .. } => amount(format!(
            "must be at least {} sat (policy: min_amount_sat)",
            minimum.to_sat()
        )),
        policy::Denial::TooLarge { maximum, .. } => amount(format!(
            "must be at most {} sat (policy: max_amount_sat)",
            maximum.to_sat()
        )),
    }
}

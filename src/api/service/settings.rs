//! The daemon itself, its policy and premiums, the wallet.

use bitcoin::Amount;

use super::{Service, broken};
use crate::api::error::ApiError;
use crate::api::types::{
    Info, NodeStatus, PolicyChange, PolicyView, PremiumChange, PremiumRate, PremiumTable, RescueStatus, SendAnswer,
    SendRequest, WalletAddress, WalletBalanceView,
};
use crate::engine::Engine;
use crate::policy::{Policy, Premiums, RateTable};
use crate::ports::{PortError, SendError};
use crate::protocol;
use crate::store::{Filter, StoreError};
use crate::swap::Kind;
use crate::units::{Asset, NodeId, Ppm};

/// An error of a change: the store's, or the caller's.
enum ChangeError {
    Store(StoreError),
    Caller(ApiError),
}

impl From<StoreError> for ChangeError {
    fn from(failure: StoreError) -> Self {
        ChangeError::Store(failure)
    }
}

impl From<ChangeError> for ApiError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Store(failure) => broken(failure),
            ChangeError::Caller(error) => error,
        }
    }
}

impl Service {
    pub(super) async fn info_now(&self) -> Result<Info, ApiError> {
        let engine = self.engine()?;
        let identity = engine.identity();
        let (block_height, problem) = match self.engine()?.node().info().await {
            Ok(now) if now.synced => (now.block_height, None),
            Ok(now) => (now.block_height, Some("it is not synced to its chain".to_owned())),
            Err(failure) => (identity.block_height, Some(failure.to_string())),
        };
        let swaps = self
            .engine()?
            .store()
            .list(&Filter::default(), usize::MAX)
            .map_err(broken)?;
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        Ok(Info {
            version: env!("CARGO_PKG_VERSION").into(),
            protocol_version: protocol::VERSION,
            pid: std::process::id(),
            uptime_secs: self.began.elapsed().as_secs(),
            node: NodeStatus {
                node_id: identity.id,
                alias: identity.alias.clone(),
                network: identity.network.clone(),
                version: identity.version.clone(),
                block_height,
                problem,
            },
            chains: super::chains::statuses(engine),
            rescue: rescue_status(engine),
            accept_new_swaps: self.engine()?.policy().accept_new_swaps,
            active_swaps: count(swaps.iter().filter(|swap| swap.outcome.is_none()).count()),
            total_swaps: count(swaps.len()),
        })
    }

    pub(super) fn change_policy(&self, change: &PolicyChange) -> Result<PolicyView, ApiError> {
        let changed = self
            .engine()?
            .update_policy(|policy| apply(policy, change).map_err(ChangeError::Caller))?;
        Ok(policy_view(&changed))
    }

    pub(super) fn change_premium(&self, change: &PremiumChange) -> Result<PremiumTable, ApiError> {
        let changed = self.engine()?.update_premiums(|premiums| {
            let table = match change.peer {
                Some(peer) => premiums.peers.entry(peer).or_default(),
                None => &mut premiums.default,
            };
            let set = table.set(change.asset, change.direction, change.ppm.map(Ppm));
            set.map_err(|error| ChangeError::Caller(ApiError::invalid("ppm", change.ppm, error.to_string())))?;
            premiums.peers.retain(|_, table| *table != RateTable::default());
            Ok::<(), ChangeError>(())
        })?;
        Ok(premium_table(&changed, None))
    }

    pub(super) async fn address(&self, asset: Asset) -> Result<WalletAddress, ApiError> {
        let made = self.side(asset)?.wallet.new_address("sluice").await;
        let payout = made.map_err(|failure| wallet_failed(asset, failure))?;
        Ok(WalletAddress {
            asset,
            address: payout.address,
        })
    }

    pub(super) async fn balance(&self, asset: Asset) -> Result<WalletBalanceView, ApiError> {
        let balance = self.side(asset)?.wallet.balance().await;
        let balance = balance.map_err(|failure| wallet_failed(asset, failure))?;
        Ok(WalletBalanceView {
            asset,
            spendable_sat: balance.spendable.to_sat(),
            pending_sat: balance.pending.to_sat(),
            locked_sat: balance.locked.to_sat(),
        })
    }

    pub(super) async fn send(&self, request: &SendRequest) -> Result<SendAnswer, ApiError> {
        if request.amount_sat == 0 {
            return Err(ApiError::invalid("amount_sat", 0, "must be more than 0"));
        }
        let side = self.side(request.asset)?;
        let sent = side
            .wallet
            .send(&request.address, Amount::from_sat(request.amount_sat))
            .await;
        let txid = sent.map_err(|failure| not_sent(request, failure))?;
        Ok(SendAnswer { txid })
    }
}

fn not_sent(request: &SendRequest, failure: SendError) -> ApiError {
    let asset = request.asset;
    match failure {
        SendError::Address => {
            let rule = format!("must be an address of the chain of {asset}, of this network");
            ApiError::invalid("address", request.address.as_str(), rule)
        }
        // the fee is the wallet's to know: where the amount alone would do, at least a satoshi is missing for it
        SendError::TooLittle { available, wanted } => ApiError::WalletBalance {
            asset,
            needed_sat: wanted.to_sat().max(available.to_sat().saturating_add(1)),
            available_sat: available.to_sat(),
        },
        SendError::Unknown(failure) => ApiError::SentUnknown {
            asset,
            reason: failure.to_string(),
        },
        SendError::Port(failure) => wallet_failed(asset, failure),
    }
}

fn wallet_failed(asset: Asset, failure: PortError) -> ApiError {
    ApiError::from_port(&format!("the {asset} wallet"), failure)
}

/// Refuses a change that asks for a peer what it forbids, or undoes what it does.
fn check_lists(change: &PolicyChange) -> Result<(), ApiError> {
    let opposites = [
        (("allow", &change.allow), ("disallow", &change.disallow)),
        (("allow", &change.allow), ("block", &change.block)),
        (("block", &change.block), ("unblock", &change.unblock)),
    ];
    for ((field, peers), (other, others)) in opposites {
        if let Some(peer) = peers.iter().find(|peer| others.contains(peer)) {
            let rule = format!("must not name a peer that `{other}` names too");
            return Err(ApiError::invalid(field, peer.to_string(), rule));
        }
    }
    Ok(())
}

fn rescue_status(engine: &Engine) -> RescueStatus {
    let (folders, health) = engine.rescue();
    RescueStatus {
        dir: folders.own.display().to_string(),
        problem: health.own,
        copy_dir: folders.copy.as_ref().map(|folder| folder.display().to_string()),
        copy_problem: health.copy,
    }
}

fn apply(policy: &mut Policy, change: &PolicyChange) -> Result<(), ApiError> {
    check_lists(change)?;
    if let Some(accept) = change.accept_new_swaps {
        policy.accept_new_swaps = accept;
    }
    if let Some(accept) = change.accept_all_peers {
        policy.accept_all_peers = accept;
    }
    if let Some(minimum) = change.min_amount_sat {
        policy.min_amount_sat = Amount::from_sat(minimum);
    }
    if let Some(maximum) = change.max_amount_sat {
        policy.max_amount_sat = maximum.map(Amount::from_sat);
    }
    if let Some(maximum) = policy.max_amount_sat
        && maximum < policy.min_amount_sat
    {
        let (minimum, maximum) = (policy.min_amount_sat.to_sat(), maximum.to_sat());
        // what is named is what the caller gave
        return Err(match change.min_amount_sat {
            Some(given) if change.max_amount_sat.is_none() => {
                let rule = format!("must not be above max_amount_sat, {maximum}");
                ApiError::invalid("min_amount_sat", given, rule)
            }
            _ => {
                let rule = format!("must not be below min_amount_sat, {minimum}");
                ApiError::invalid("max_amount_sat", maximum, rule)
            }
        });
    }
    policy.allowlist.extend(&change.allow);
    policy.allowlist.retain(|peer| !change.disallow.contains(peer));
    policy.blocked.extend(&change.block);
    policy.blocked.retain(|peer| !change.unblock.contains(peer));
    Ok(())
}

pub(super) fn policy_view(policy: &Policy) -> PolicyView {
    PolicyView {
        accept_new_swaps: policy.accept_new_swaps,
        accept_all_peers: policy.accept_all_peers,
        allowlist: policy.allowlist.iter().copied().collect(),
        blocked: policy.blocked.iter().copied().collect(),
        min_amount_sat: policy.min_amount_sat.to_sat(),
        max_amount_sat: policy.max_amount_sat.map(Amount::to_sat),
    }
}

/// The default rates, and those set for single peers; or what holds for one peer.
pub(super) fn premium_table(premiums: &Premiums, peer: Option<NodeId>) -> PremiumTable {
    let all = Asset::ALL
        .into_iter()
        .flat_map(|asset| [(asset, Kind::In), (asset, Kind::Out)]);
    let rate = |peer, asset, direction, ppm: Ppm| PremiumRate {
        peer,
        asset,
        direction,
        ppm: ppm.0,
    };
    if let Some(peer) = peer {
        let rates = all.map(|(asset, kind)| rate(Some(peer), asset, kind, premiums.rate(&peer, asset, kind)));
        return PremiumTable { rates: rates.collect() };
    }
    let built_in = |asset, kind| RateTable::BUILT_IN.get(asset, kind);
    let default = all.clone().filter_map(|(asset, kind)| {
        let ppm = premiums.default.get(asset, kind).or_else(|| built_in(asset, kind))?;
        Some(rate(None, asset, kind, ppm))
    });
    let own = premiums.peers.iter().flat_map(|(peer, table)| {
        let set = all
            .clone()
            .filter_map(|(asset, kind)| Some((asset, kind, table.get(asset, kind)?)));
        set.map(|(asset, kind, ppm)| rate(Some(*peer), asset, kind, ppm))
    });
    PremiumTable {
        rates: default.chain(own).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_sent_is_told_by_its_cause() {
        let request = SendRequest {
            asset: Asset::Lbtc,
            address: "nowhere".into(),
            amount_sat: 1_000,
        };
        let address = not_sent(&request, SendError::Address);
        assert!(
            matches!(&address, ApiError::InvalidParams { field, .. } if field == "address"),
            "{address}"
        );
        let lost = not_sent(&request, SendError::Unknown(PortError::Unreachable("timed out".into())));
        assert!(
            matches!(&lost, ApiError::SentUnknown { reason, .. } if reason.contains("timed out")),
            "{lost}"
        );
        for (available, needed) in [(10, 1_000), (1_000, 1_001), (1_200, 1_201)] {
            let failure = SendError::TooLittle {
                available: Amount::from_sat(available),
                wanted: Amount::from_sat(request.amount_sat),
            };
            let expected = ApiError::WalletBalance {
                asset: Asset::Lbtc,
                needed_sat: needed,
                available_sat: available,
            };
            assert_eq!(not_sent(&request, failure), expected);
        }
    }

    #[test]
    fn bounds_that_cross_are_refused_by_the_one_that_was_given() {
        let mut policy = Policy {
            max_amount_sat: Some(Amount::from_sat(500_000)),
            ..Policy::default()
        };
        let refused = |policy: &mut Policy, min_amount_sat, max_amount_sat| {
            let change = PolicyChange {
                min_amount_sat,
                max_amount_sat,
                ..PolicyChange::default()
            };
            match apply(policy, &change) {
                Err(ApiError::InvalidParams { field, value, .. }) => (field, value),
                other => panic!("{other:?}"),
            }
        };
        let named = |field: &str, value: u64| (field.to_owned(), Some(value.into()));
        assert_eq!(
            refused(&mut policy, Some(600_000), None),
            named("min_amount_sat", 600_000)
        );
        assert_eq!(refused(&mut policy, None, Some(Some(1))), named("max_amount_sat", 1));
        assert_eq!(refused(&mut policy, Some(9), Some(Some(8))), named("max_amount_sat", 8));
    }

    #[test]
    fn a_change_that_contradicts_itself_is_refused_and_names_both_lists() {
        let peer: NodeId = "024d4b6cd1361032ca9bd2aeb9d900aa4d45d9ead80ac9423374c451a7254d0766"
            .parse()
            .expect("a node id");
        let change = |lists: [bool; 4]| {
            let [allow, disallow, block, unblock] = lists.map(|named| if named { vec![peer] } else { Vec::new() });
            PolicyChange {
                allow,
                disallow,
                block,
                unblock,
                ..PolicyChange::default()
            }
        };
        for (lists, names) in [
            ([true, true, false, false], ["allow", "`disallow`"]),
            ([true, false, true, false], ["allow", "`block`"]),
            ([false, false, true, true], ["block", "`unblock`"]),
        ] {
            let mut policy = Policy::default();
            let text = apply(&mut policy, &change(lists))
                .expect_err("a contradiction")
                .to_string();
            assert!(names.iter().all(|name| text.contains(name)), "{text}");
            assert_eq!(policy, Policy::default(), "nothing is changed");
        }
        for lists in [[true, false, false, true], [false, true, true, false]] {
            assert_eq!(apply(&mut Policy::default(), &change(lists)), Ok(()));
        }
    }
}

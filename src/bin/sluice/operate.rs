//! Everything but swaps, chains and peers: the daemon, policy, premiums, the wallet.

use jsonrpsee::core::ClientError;
use jsonrpsee::http_client::HttpClient;
use sluice::api::SluiceApiClient;
use sluice::api::types::{
    Info, PolicyChange, PolicyView, PremiumChange, PremiumFilter, PremiumTable, SendRequest, WalletRef,
};
use sluice::api::view::text::{grouped, lasting, sats};
use sluice::units::Asset;

use crate::args::{PolicyCommand, PremiumCommand, WalletCommand};
use crate::connect::Daemon;
use crate::exit::{Exit, Failure};
use crate::screen::{Screen, Tone};

pub async fn info(daemon: &Daemon, screen: Screen) -> Result<Exit, Failure> {
    let info = daemon.client()?.info().await.map_err(|error| daemon.failure(error))?;
    screen.answer(&info, |info| about(screen, info))?;
    Ok(Exit::Done)
}

pub async fn stop(daemon: &Daemon, screen: Screen) -> Result<Exit, Failure> {
    let answer = daemon.client()?.stop().await.map_err(|error| daemon.failure(error))?;
    screen.answer(&answer, |_| "stopping; swaps go on at the next start".into())?;
    Ok(Exit::Done)
}

pub async fn policy(command: PolicyCommand, daemon: &Daemon, screen: Screen) -> Result<Exit, Failure> {
    let change = match command {
        PolicyCommand::Get => None,
        PolicyCommand::Set(set) => Some(PolicyChange {
            accept_new_swaps: set.accept_new_swaps,
            accept_all_peers: set.accept_all_peers,
            min_amount_sat: set.min_amount,
            max_amount_sat: set.max_amount.map(|limit| limit.0),
            ..PolicyChange::default()
        }),
        PolicyCommand::Allow(named) => Some(PolicyChange {
            allow: named.peers,
            ..PolicyChange::default()
        }),
        PolicyCommand::Disallow(named) => Some(PolicyChange {
            disallow: named.peers,
            ..PolicyChange::default()
        }),
        PolicyCommand::Block(named) => Some(PolicyChange {
            block: named.peers,
            ..PolicyChange::default()
        }),
        PolicyCommand::Unblock(named) => Some(PolicyChange {
            unblock: named.peers,
            ..PolicyChange::default()
        }),
    };
    let client = daemon.client()?;
    let answer: Result<PolicyView, ClientError> = match change {
        None => client.policy_get().await,
        Some(change) => client.policy_set(change).await,
    };
    let policy = answer.map_err(|error| daemon.failure(error))?;
    screen.answer(&policy, |policy| rules(screen, policy))?;
    Ok(Exit::Done)
}

pub async fn premium(command: PremiumCommand, daemon: &Daemon, screen: Screen) -> Result<Exit, Failure> {
    let client = daemon.client()?;
    let change = match command {
        PremiumCommand::Get { peer } => {
            let answer = client.premium_get(PremiumFilter { peer }).await;
            let table = answer.map_err(|error| daemon.failure(error))?;
            screen.answer(&table, |table| rates(screen, table))?;
            return Ok(Exit::Done);
        }
        PremiumCommand::Set { rate, ppm } => (rate, Some(ppm)),
        PremiumCommand::Delete { rate } => (rate, None),
    };
    let (rate, ppm) = change;
    let change = PremiumChange {
        peer: rate.peer,
        asset: asset_of(rate.asset, daemon, &client).await?,
        direction: rate.direction.into(),
        ppm,
    };
    let table = client
        .premium_set(change)
        .await
        .map_err(|error| daemon.failure(error))?;
    screen.answer(&table, |table| rates(screen, table))?;
    Ok(Exit::Done)
}

/// What was named, or the only asset that is configured; of two the first.
async fn asset_of(named: Option<Asset>, daemon: &Daemon, client: &HttpClient) -> Result<Asset, Failure> {
    if let Some(asset) = named {
        return Ok(asset);
    }
    let list = client.chain_list().await.map_err(|error| daemon.failure(error))?;
    Ok(list.chains.first().map_or(Asset::Lbtc, |chain| chain.asset))
}

pub async fn wallet(command: WalletCommand, daemon: &Daemon, screen: Screen) -> Result<Exit, Failure> {
    let client = daemon.client()?;
    let (WalletCommand::Address(wallet) | WalletCommand::Balance(wallet) | WalletCommand::Send { wallet, .. }) =
        &command;
    let asset = asset_of(wallet.asset, daemon, &client).await?;
    match command {
        WalletCommand::Address(_) => {
            let answer = client.wallet_address(WalletRef { asset }).await;
            let answer = answer.map_err(|error| daemon.failure(error))?;
            screen.answer(&answer, |answer| answer.address.clone())?;
        }
        WalletCommand::Balance(_) => {
            let answer = client.wallet_balance(WalletRef { asset }).await;
            let answer = answer.map_err(|error| daemon.failure(error))?;
            screen.answer(&answer, |balance| {
                screen.facts(&[
                    (
                        "spendable",
                        Some(format!("{} {}", sats(balance.spendable_sat), balance.asset)),
                    ),
                    ("pending", Some(sats(balance.pending_sat))),
                    ("locked for swaps", Some(sats(balance.locked_sat))),
                ])
            })?;
        }
        WalletCommand::Send { address, amount, .. } => {
            let request = SendRequest {
                asset,
                address,
                amount_sat: amount,
            };
            // who is not there sends nothing: asked first, so that an answer lost later is known to be one
            client.info().await.map_err(|error| daemon.failure(error))?;
            let sent = client.wallet_send(request).await;
            let answer = sent.map_err(|error| daemon.failure(error).after_sending())?;
            screen.answer(&answer, |answer| answer.txid.to_string())?;
        }
    }
    Ok(Exit::Done)
}

fn about(screen: Screen, info: &Info) -> String {
    let health = |problem: &Option<String>| match problem {
        None => screen.paint("ok", Tone::Good),
        Some(problem) => screen.paint(problem, Tone::Bad),
    };
    let uptime = lasting(std::time::Duration::from_secs(info.uptime_secs));
    let node = &info.node;
    let names: Vec<String> = info.chains.iter().map(|chain| chain.asset.to_string()).collect();
    let mut facts = vec![
        (
            "sluiced",
            Some(format!("{}, PeerSwap {}", info.version, info.protocol_version)),
        ),
        ("running", Some(format!("{uptime}, process {}", info.pid))),
        ("node", Some(format!("{} {}", node.alias, node.node_id))),
        (
            "",
            Some(format!(
                "{}, {}, block {}: {}",
                node.version,
                node.network,
                grouped(node.block_height),
                health(&node.problem)
            )),
        ),
    ];
    for (name, chain) in names.iter().zip(&info.chains) {
        let height = chain
            .height
            .map_or("no block".into(), |height| format!("block {}", grouped(height)));
        let paused = chain.paused.as_ref().map(|_| "paused".to_owned());
        let state = health(&chain.problem.clone().or(paused));
        let node = match (&chain.chain, &chain.version) {
            (Some(chain), Some(version)) => format!("{chain}, {version}, {height}: "),
            (_, _) => String::new(),
        };
        facts.push((name, Some(format!("{node}{state}"))));
    }
    let (active, total) = (grouped(info.active_swaps), grouped(info.total_swaps));
    facts.push(("swaps", Some(format!("{active} active, {total} in all"))));
    let new = if info.accept_new_swaps {
        "yes"
    } else {
        "switched off by the operator"
    };
    facts.push(("new swaps", Some(new.to_owned())));
    let rescue = &info.rescue;
    facts.push((
        "rescue files",
        Some(format!("{}: {}", rescue.dir, health(&rescue.problem))),
    ));
    if let Some(copy) = &rescue.copy_dir {
        facts.push(("", Some(format!("copied to {copy}: {}", health(&rescue.copy_problem)))));
    }
    screen.facts(&facts)
}

fn rules(screen: Screen, policy: &PolicyView) -> String {
    let yes = |flag: bool| Some(if flag { "yes" } else { "no" }.to_owned());
    let list = |items: Vec<String>| {
        Some(if items.is_empty() {
            "nobody".into()
        } else {
            items.join("\n")
        })
    };
    screen.facts(&[
        ("new swaps", yes(policy.accept_new_swaps)),
        ("smallest amount", Some(sats(policy.min_amount_sat))),
        (
            "largest amount",
            Some(policy.max_amount_sat.map_or("what the channel carries".into(), sats)),
        ),
        ("every peer may ask", yes(policy.accept_all_peers)),
        (
            "allowed",
            list(policy.allowlist.iter().map(ToString::to_string).collect()),
        ),
        (
            "blocked",
            list(policy.blocked.iter().map(ToString::to_string).collect()),
        ),
    ])
}

fn rates(screen: Screen, table: &PremiumTable) -> String {
    if table.rates.is_empty() {
        return "no rates are set".into();
    }
    let rows = table.rates.iter().map(|rate| {
        vec![
            rate.peer.map_or("everybody".into(), |peer| peer.to_string()),
            rate.asset.to_string(),
            rate.direction.to_string(),
            grouped(rate.ppm),
        ]
    });
    screen.table(&["PEER", "ASSET", "DIR", "PPM"], &[3], rows.collect())
}

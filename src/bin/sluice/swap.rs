//! `sluice swap …`.

use std::time::Duration;

use jsonrpsee::http_client::HttpClient;
use serde::Serialize;
use sluice::api::SluiceApiClient;
use sluice::api::types::{
    BumpAnswer, BumpRequest, CancelAnswer, ChoiceView, NextView, SwapFilter, SwapList, SwapRef, SwapRequest,
    SwapStarted, SwapView, SwapWaited, VersionSummary,
};
use sluice::api::view::text::{grouped, sats};
use sluice::swap::{Kind, Role};

use crate::args::{NewSwap, OneSwap, Patience, SwapCommand};
use crate::connect::Daemon;
use crate::exit::{Exit, Failure};
use crate::follow::{follow, watch};
use crate::progress::{Progress, age};
use crate::screen::Screen;

pub async fn run(command: SwapCommand, daemon: &Daemon, screen: Screen) -> Result<Exit, Failure> {
    let client = daemon.client()?;
    match command {
        SwapCommand::Out(order) => start(Kind::Out, order, daemon, &client, screen).await,
        SwapCommand::In(order) => start(Kind::In, order, daemon, &client, screen).await,
        SwapCommand::Get(swap) => {
            let request = named(&swap, daemon, &client).await?;
            let swap = client.swap_get(request).await.map_err(|error| daemon.failure(error))?;
            screen.answer(&swap, |swap| details(screen, swap))?;
            Ok(Exit::Done)
        }
        SwapCommand::List {
            active,
            limit,
            offset,
            peer,
            channel,
        } => {
            let filter = SwapFilter {
                limit,
                offset,
                active_only: active,
                id_prefix: None,
                peer,
                channel,
            };
            let list = client.swap_list(filter).await.map_err(|error| daemon.failure(error))?;
            screen.answer(&list, |list| listing(screen, list))?;
            Ok(Exit::Done)
        }
        SwapCommand::Cancel(swap) => {
            let request = named(&swap, daemon, &client).await?;
            let answer = client
                .swap_cancel(request)
                .await
                .map_err(|error| daemon.failure(error))?;
            screen.answer(&answer, canceled)?;
            Ok(Exit::Done)
        }
        SwapCommand::Bump { swap, fee_rate } => {
            let SwapRef { swap_id } = named(&swap, daemon, &client).await?;
            let request = BumpRequest {
                swap_id,
                fee_rate_sat_per_kvb: fee_rate,
            };
            let answer = client.swap_bump(request).await.map_err(|error| daemon.failure(error))?;
            screen.answer(&answer, bumped)?;
            Ok(Exit::Done)
        }
        SwapCommand::Wait { swap, patience } => {
            let SwapRef { swap_id } = named(&swap, daemon, &client).await?;
            let waited = wait(swap_id, patience, daemon, screen).await?;
            screen.answer(&waited, |waited| details(screen, &waited.swap))?;
            Ok(ended(&waited))
        }
        SwapCommand::Watch { swap } => {
            let swap_id = match &swap {
                Some(prefix) => Some(daemon.resolve(&client, prefix).await?),
                None => None,
            };
            watch_changes(swap_id, daemon, screen).await
        }
    }
}

async fn named(swap: &OneSwap, daemon: &Daemon, client: &HttpClient) -> Result<SwapRef, Failure> {
    let swap_id = daemon.resolve(client, &swap.swap).await?;
    Ok(SwapRef { swap_id })
}

/// A start and its end, for `--wait --json`.
#[derive(Serialize)]
struct StartedAndWaited {
    swap_id: sluice::units::SwapId,
    repeated: bool,
    reached: bool,
    swap: SwapView,
}

async fn start(
    direction: Kind,
    order: NewSwap,
    daemon: &Daemon,
    client: &HttpClient,
    screen: Screen,
) -> Result<Exit, Failure> {
    let request = SwapRequest {
        channel: order.channel,
        amount_sat: order.amount,
        asset: order.asset,
        max_premium_ppm: order.max_premium_ppm,
        idempotency_key: order.idempotency_key,
    };
    let started = match direction {
        Kind::Out => client.swap_out(request).await,
        Kind::In => client.swap_in(request).await,
    };
    let started = started.map_err(|error| daemon.failure(error))?;
    if !order.wait {
        screen.answer(&started, |started| begun(started, true))?;
        return Ok(Exit::Done);
    }
    if !screen.json {
        screen.line(begun(&started, false).trim_end())?;
    }
    let waited = wait(started.swap_id, order.patience, daemon, screen).await?;
    let exit = ended(&waited);
    let answer = StartedAndWaited {
        swap_id: started.swap_id,
        repeated: started.repeated,
        reached: waited.reached,
        swap: waited.swap,
    };
    screen.answer(&answer, |answer| details(screen, &answer.swap))?;
    Ok(exit)
}

async fn wait(
    swap_id: sluice::units::SwapId,
    patience: Patience,
    daemon: &Daemon,
    screen: Screen,
) -> Result<SwapWaited, Failure> {
    let mut progress = Progress::begin(screen);
    let timeout = patience.timeout.map(Duration::from_secs);
    let followed = follow(daemon, swap_id, patience.until.into(), timeout, &mut progress).await;
    progress.end();
    followed.map(|followed| SwapWaited {
        reached: followed.reached,
        swap: followed.swap,
    })
}

fn ended(waited: &SwapWaited) -> Exit {
    if waited.reached {
        Exit::of(&waited.swap)
    } else {
        Exit::Timeout
    }
}

async fn watch_changes(
    swap_id: Option<sluice::units::SwapId>,
    daemon: &Daemon,
    screen: Screen,
) -> Result<Exit, Failure> {
    let mut exit = Exit::Done;
    let mut progress = Progress::hidden(screen);
    let each = |swap: SwapView, _: &mut Progress| {
        screen.answer(&swap, |swap| {
            format!("{}  {}", &swap.swap_id.to_string()[..8], swap.state)
        })?;
        exit = Exit::of(&swap);
        Ok(swap_id.is_some() && swap.outcome.is_some())
    };
    watch(daemon, swap_id, &mut progress, each).await?;
    Ok(exit)
}

fn begun(started: &SwapStarted, with_hint: bool) -> String {
    let SwapStarted { swap_id, swap, .. } = started;
    let what = if started.repeated {
        "made earlier, by the same key"
    } else {
        &swap.state
    };
    let mut text = format!("swap {swap_id}: {what}");
    if let Some(reason) = &swap.asset_reason {
        text.push_str(&format!("\nasset {}: {reason}", swap.asset));
    }
    if with_hint {
        let short = &swap_id.to_string()[..8];
        text.push_str(&format!("\nfollow it with: sluice swap wait {short}"));
    }
    text
}

fn canceled(answer: &CancelAnswer) -> String {
    format!("{}\nnow: {}", answer.explanation, answer.swap.state)
}

fn bumped(answer: &BumpAnswer) -> String {
    let new = answer.new_txid.map_or("not made yet".into(), |txid| txid.to_string());
    format!(
        "{}\nfrom {}\nto   {new}\nnow: {}",
        answer.explanation, answer.txid, answer.swap.state
    )
}

fn listing(screen: Screen, list: &SwapList) -> String {
    if list.swaps.is_empty() {
        return "no swaps".into();
    }
    let rows = list.swaps.iter().map(|swap| {
        vec![
            swap.swap_id.to_string()[..8].to_owned(),
            age(swap.created_at),
            if swap.initiator { "we" } else { "peer" }.to_owned(),
            swap.direction.to_string(),
            swap.asset.to_string(),
            grouped(swap.amount_sat),
            swap.premium_sat.map_or("-".into(), grouped),
            swap.peer.to_string()[..8].to_owned(),
            swap.channel.to_string(),
            swap.state.clone(),
        ]
    });
    let head = [
        "SWAP", "AGE", "BY", "DIR", "ASSET", "AMOUNT", "PREMIUM", "PEER", "CHANNEL", "STATE",
    ];
    let mut text = screen.table(&head, &[1, 5, 6], rows.collect());
    let shown = u64::try_from(list.swaps.len()).unwrap_or(u64::MAX);
    if shown < list.total {
        text.push_str(&format!("\n{shown} of {}", grouped(list.total)));
    }
    text
}

fn details(screen: Screen, swap: &SwapView) -> String {
    let role = match (swap.role, swap.initiator) {
        (Role::Maker, true) => "maker, initiator",
        (Role::Maker, false) => "maker, responder",
        (Role::Taker, true) => "taker, initiator",
        (Role::Taker, false) => "taker, responder",
    };
    let transaction = |txid: String, fee: Option<u64>, vsize: Option<u64>, discount: Option<u64>| {
        let fee = fee.map(|fee| format!(", fee {}", sats(fee)));
        let size = discount.or(vsize).map(|size| format!(" for {} vB", grouped(size)));
        format!("{txid}{}{}", fee.unwrap_or_default(), size.unwrap_or_default())
    };
    let mut facts = vec![
        ("swap", Some(swap.swap_id.to_string())),
        ("state", Some(swap.state.clone())),
    ];
    facts.extend(swap.next.iter().flat_map(coming));
    facts.extend([
        (
            "amount",
            Some(format!(
                "{} {}, swap-{}",
                sats(swap.amount_sat),
                swap.asset,
                swap.direction
            )),
        ),
        (
            "asset",
            swap.asset_reason
                .as_ref()
                .map(|reason| format!("{}: {reason}", swap.asset)),
        ),
        ("premium", swap.premium_sat.map(sats)),
        ("fee in advance", swap.fee_invoice_sat.map(sats)),
        ("role", Some(role.into())),
        ("peer", Some(swap.peer.to_string())),
        ("channel", Some(swap.channel.to_string())),
        (
            "made",
            Some(format!("{} ({} ago)", swap.created_at_text, age(swap.created_at))),
        ),
        (
            "opening",
            swap.opening.as_ref().map(|opening| {
                let txid = opening
                    .vout
                    .map_or(opening.txid.to_string(), |vout| format!("{}:{vout}", opening.txid));
                transaction(txid, opening.fee_sat, opening.vsize, opening.discount_vsize)
            }),
        ),
        (
            "pushed by",
            swap.opening.as_ref().and_then(|opening| versions(&opening.pushes)),
        ),
        (
            "spend",
            swap.spend.as_ref().map(|spend| {
                let txid = spend.txid.map_or("the peer's".into(), |txid| txid.to_string());
                transaction(txid, spend.fee_sat, spend.vsize, spend.discount_vsize)
            }),
        ),
        (
            "in the place of",
            swap.spend.as_ref().and_then(|spend| versions(&spend.replaced)),
        ),
    ]);
    screen.facts(&facts)
}

/// What comes next, and a line for each thing that the operator may do.
fn coming(next: &NextView) -> Vec<(&'static str, Option<String>)> {
    let mut facts = vec![
        ("next", Some(next.what.clone())),
        ("by", next.deadline.as_ref().map(|by| by.text.clone())),
        ("if nothing happens", Some(next.if_nothing_happens.clone())),
    ];
    facts.extend(next.you_may.iter().map(|choice| {
        let ChoiceView { command, effect, .. } = choice;
        ("you may", Some(format!("{command}: {effect}")))
    }));
    facts
}

/// One after the other with their fees; None if there are none.
fn versions(versions: &[VersionSummary]) -> Option<String> {
    let each = versions.iter().map(|version| {
        let (fee, size) = (sats(version.fee_sat), grouped(version.discount_vsize));
        format!("{}, fee {fee} for {size} vB", version.txid)
    });
    let text = each.collect::<Vec<_>>().join("; ");
    (!text.is_empty()).then_some(text)
}

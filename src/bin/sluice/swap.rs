//! `sluice swap …`.

mod words;

use std::time::Duration;

use jsonrpsee::http_client::HttpClient;
use serde::Serialize;
use sluice::api::SluiceApiClient;
use sluice::api::types::{BumpRequest, SwapFilter, SwapRef, SwapRequest, SwapView, SwapWaited};
use sluice::swap::Kind;

use crate::args::{NewSwap, OneSwap, Patience, SwapCommand, WhichSwaps};
use crate::connect::Daemon;
use crate::exit::{Exit, Failure};
use crate::follow::{follow, watch};
use crate::progress::Progress;
use crate::screen::Screen;
use words::{begun, bumped, canceled, details, listing};

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
        SwapCommand::List(which) => list(which, daemon, &client, screen).await,
        SwapCommand::Cancel(swap) => {
            let request = named(&swap, daemon, &client).await?;
            let answer = client
                .swap_cancel(request)
                .await
                .map_err(|error| daemon.failure(error))?;
            screen.answer(&answer, canceled)?;
            Ok(Exit::Done)
        }
        SwapCommand::Bump { swap, fee_rate } => bump(&swap, fee_rate, daemon, &client, screen).await,
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

async fn list(which: WhichSwaps, daemon: &Daemon, client: &HttpClient, screen: Screen) -> Result<Exit, Failure> {
    let filter = SwapFilter {
        limit: which.limit,
        offset: which.offset,
        active_only: which.active,
        id_prefix: None,
        peer: which.peer,
        channel: which.channel,
    };
    let list = client.swap_list(filter).await.map_err(|error| daemon.failure(error))?;
    screen.answer(&list, |list| listing(screen, list, which.active))?;
    Ok(Exit::Done)
}

async fn bump(
    swap: &OneSwap,
    fee_rate: Option<u64>,
    daemon: &Daemon,
    client: &HttpClient,
    screen: Screen,
) -> Result<Exit, Failure> {
    let SwapRef { swap_id } = named(swap, daemon, client).await?;
    let request = BumpRequest {
        swap_id,
        fee_rate_sat_per_kvb: fee_rate,
    };
    let answer = client.swap_bump(request).await.map_err(|error| daemon.failure(error))?;
    screen.answer(&answer, bumped)?;
    Ok(Exit::Done)
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

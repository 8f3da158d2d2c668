//! The chains and their switches.

use sluice::api::SluiceApiClient;
use sluice::api::types::{ChainList, ChainPause, ChainRef, ChainStatus};
use sluice::api::view::text::{grouped, rfc3339};
use sluice::units::Timestamp;

use crate::args::ChainCommand;
use crate::connect::Daemon;
use crate::exit::{Exit, Failure};
use crate::screen::{Screen, Tone};

pub async fn run(command: ChainCommand, daemon: &Daemon, screen: Screen) -> Result<Exit, Failure> {
    let client = daemon.client()?;
    let answer = match command {
        ChainCommand::List => client.chain_list().await,
        ChainCommand::Pause { asset, note } => client.chain_pause(ChainPause { asset, note }).await,
        ChainCommand::Resume { asset } => client.chain_resume(ChainRef { asset }).await,
    };
    let list = answer.map_err(|error| daemon.failure(error))?;
    screen.answer(&list, |list| chains(screen, list))?;
    Ok(Exit::Done)
}

fn chains(screen: Screen, list: &ChainList) -> String {
    let rows = list.chains.iter().map(|chain| {
        let (new, tone) = if chain.new_swaps {
            ("yes", Tone::Good)
        } else {
            ("no", Tone::Bad)
        };
        vec![
            chain.asset.to_string(),
            chain.chain.clone().unwrap_or("-".into()),
            chain.wallet.clone().unwrap_or("-".into()),
            chain.height.map_or("-".into(), grouped),
            screen.paint(new, tone),
            because(chain).join("\n"),
        ]
    });
    screen.table(
        &["ASSET", "CHAIN", "WALLET", "BLOCK", "NEW SWAPS", "BECAUSE"],
        &[3],
        rows.collect(),
    )
}

/// Why no new swaps are made, each reason with since when.
fn because(chain: &ChainStatus) -> Vec<String> {
    let paused = chain.paused.as_ref().map(|pause| {
        let note = if pause.note.is_empty() {
            String::new()
        } else {
            format!(": {}", pause.note)
        };
        format!("{}, since {}{note}", pause.by, pause.since_text)
    });
    let problem = chain.problem.as_ref().map(|problem| match chain.problem_since {
        Some(since) => format!("{problem}, since {}", rfc3339(Timestamp(since))),
        None => problem.clone(),
    });
    paused.into_iter().chain(problem).collect()
}

//! Peers: what can be swapped with each, what each has used up, and their quarantine.

use sluice::api::SluiceApiClient;
use sluice::api::types::{Offer, PeerList, PeerQuarantine, PeerRef, PeerView};
use sluice::api::view::text::grouped;

use crate::args::PeerCommand;
use crate::connect::Daemon;
use crate::exit::{Exit, Failure};
use crate::screen::{Screen, Tone};

pub async fn run(command: PeerCommand, daemon: &Daemon, screen: Screen) -> Result<Exit, Failure> {
    let client = daemon.client()?;
    let answer = match command {
        PeerCommand::List => {
            let list = client.peer_list().await.map_err(|error| daemon.failure(error))?;
            screen.answer(&list, |list| peers(screen, list))?;
            return Ok(Exit::Done);
        }
        PeerCommand::Get(one) => client.peer_get(PeerRef { peer: one.peer }).await,
        PeerCommand::Quarantine { peer, hours, note } => {
            let request = PeerQuarantine {
                peer: peer.peer,
                duration_secs: hours.saturating_mul(3_600),
                note,
            };
            client.peer_quarantine(request).await
        }
        PeerCommand::Release(one) => client.peer_release(PeerRef { peer: one.peer }).await,
    };
    let peer = answer.map_err(|error| daemon.failure(error))?;
    screen.answer(&peer, |peer| one_peer(screen, peer))?;
    Ok(Exit::Done)
}

/// Its quarantine, and what it has used up, where that is anything.
fn conduct(screen: Screen, peer: &PeerView) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(quarantine) = &peer.quarantine {
        let text = format!(
            "quarantined at {}, until {}; `sluice peer release` ends it",
            quarantine.since_text, quarantine.until_text
        );
        lines.push(screen.paint(&text, Tone::Bad));
    }
    let conduct = &peer.conduct;
    if conduct.running_swaps > 0 {
        lines.push(format!(
            "asked for {} swaps that run (of {}), {} wait for its fee or opening (of {})",
            conduct.running_swaps, conduct.most_running_swaps, conduct.pending_swaps, conduct.most_pending_swaps
        ));
    }
    if conduct.dropped_messages > 0 {
        let dropped = grouped(conduct.dropped_messages);
        lines.push(format!("{dropped} messages dropped since the daemon's start: too many"));
    }
    let counted = conduct.offences.iter().map(|counted| {
        format!(
            "{}: {} of {} in {} min",
            counted.offence,
            counted.count,
            counted.threshold,
            counted.within_secs / 60
        )
    });
    lines.extend(counted);
    lines
}

fn peers(screen: Screen, list: &PeerList) -> String {
    if list.peers.is_empty() {
        return "no peers with channels, and none in quarantine".into();
    }
    let texts: Vec<String> = list.peers.iter().map(|peer| one_peer(screen, peer)).collect();
    texts.join("\n")
}

fn one_peer(screen: Screen, peer: &PeerView) -> String {
    let alias = peer.alias.clone().unwrap_or_default();
    let version = peer
        .protocol_version
        .map_or("no PeerSwap heard".into(), |v| format!("PeerSwap {v}"));
    let online = if peer.online { "online" } else { "offline" };
    let allowed = if peer.allowed {
        "may ask us"
    } else {
        "may not ask us (policy allow)"
    };
    let allows = match peer.allows_us {
        Some(true) => ", answers us",
        Some(false) => ", does not answer us",
        None => "",
    };
    let mut text = format!("{} {alias}\n  {online}, {version}, {allowed}{allows}\n", peer.node_id);
    if let Some(problem) = &peer.problem {
        text.push_str(&format!("  {}\n", screen.paint(problem, Tone::Warning)));
    }
    for line in conduct(screen, peer) {
        text.push_str(&format!("  {line}\n"));
    }
    text.push_str(&offers(screen, peer));
    text.push_str(&channels(screen, peer));
    text
}

fn channels(screen: Screen, peer: &PeerView) -> String {
    let rows = peer.channels.iter().map(|channel| {
        let state = match (&channel.busy_with, channel.active) {
            (Some(swap), _) => format!("swap {}", swap.short()),
            (None, true) => "free".into(),
            (None, false) => "inactive".into(),
        };
        vec![
            channel.channel.to_string(),
            grouped(channel.capacity_sat),
            grouped(channel.local_sat),
            grouped(channel.remote_sat),
            grouped(channel.spendable_sat),
            grouped(channel.receivable_sat),
            state,
        ]
    });
    let head = ["CHANNEL", "CAPACITY", "LOCAL", "REMOTE", "MAX OUT", "MAX IN", "STATE"];
    let table = screen.table(&head, &[1, 2, 3, 4, 5], rows.collect());
    table.lines().map(|line| format!("  {line}\n")).collect()
}

fn offers(screen: Screen, peer: &PeerView) -> String {
    let mut text = String::new();
    for Offer {
        asset,
        direction,
        premium_ppm,
        problem,
    } in &peer.offers
    {
        let premium = premium_ppm.map_or("premium not known".into(), |ppm| format!("{} ppm", grouped(ppm)));
        let state = match problem {
            None => screen.paint("possible", Tone::Good),
            Some(problem) => screen.paint(problem, Tone::Warning),
        };
        text.push_str(&format!("  swap-{direction} {asset}: {premium}, {state}\n"));
    }
    text
}

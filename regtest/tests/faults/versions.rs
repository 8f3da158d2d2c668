//! Peers of other protocol versions, and many peers' requests at once.

use anyhow::{Context, Result, ensure};
use sluice::api::SluiceApiClient;
use sluice::api::types::PolicyChange;
use sluice::protocol::MessageType;
use sluice::units::Asset;
use sluice_regtest::world::peer::{Heard, RawPeer};
use sluice_regtest::world::{Options, World};

use super::messages::{id, request};
use super::orders::{network, node};

async fn join(world: &World) -> Result<RawPeer> {
    let mallory = RawPeer::join(network(world), "mallory", node(world, 0)).await?;
    let change = PolicyChange {
        allow: vec![mallory.id()],
        ..PolicyChange::default()
    };
    world.alice.client()?.policy_set(change).await?;
    Ok(mallory)
}

/// What mallory says of herself, and the poll that she then gets.
async fn introduce(mallory: &RawPeer, version: u64) -> Result<serde_json::Value> {
    let polls = |mallory: &RawPeer| {
        mallory
            .heard()
            .iter()
            .filter(|heard| heard.kind == MessageType::Poll)
            .count()
    };
    let before = polls(mallory);
    let offer = format!(r#"{{"version":{version},"assets":["LBTC","BTC"],"peer_allowed":true}}"#);
    mallory.say(MessageType::RequestPoll, offer).await?;
    mallory.hear("a poll", |_| polls(mallory) > before).await?;
    let heard = mallory.heard();
    let last = heard.iter().rfind(|heard| heard.kind == MessageType::Poll);
    Ok(last.context("a poll")?.body.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_version_is_said_to_a_peer_before_it_has_said_its_own() -> Result<()> {
    let world = World::start(Options::default()).await?;
    let mallory = join(&world).await?;
    let asked = mallory
        .hear("a question", |heard| heard.kind == MessageType::RequestPoll)
        .await?;
    ensure!(asked == serde_json::json!({}), "{asked}");
    ensure!(
        mallory.heard().iter().all(|heard| heard.body.get("version").is_none()),
        "{:?}",
        mallory.heard()
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_is_answered_in_its_own_version_with_what_is_safe_in_it() -> Result<()> {
    let world = World::start(Options::default()).await?;
    let mallory = join(&world).await?;
    for (theirs, ours, assets) in [
        (4, 5, None),
        (5, 5, None),
        (6, 6, None),
        (7, 7, Some("LBTC")),
        (8, 7, Some("LBTC")),
    ] {
        introduce(&mallory, theirs).await?;
        // one that was on its way before it heard of the new version may come first
        let answered = |heard: &Heard| heard.kind == MessageType::Poll && heard.body["version"] == ours;
        let poll = mallory.hear("a poll in that version", answered).await?;
        ensure!(
            poll["assets"][0].as_str() == assets,
            "to a peer of version {theirs}: {poll}"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_peer_list_says_what_a_peers_version_allows() -> Result<()> {
    let world = World::start(Options::default()).await?;
    let mallory = join(&world).await?;
    for (version, reason) in [
        (4, "it speaks protocol version 4, we speak 5 to 7"),
        (
            6,
            "it speaks protocol version 6: lbtc timelocks are not safe before version 7",
        ),
        (8, "it speaks protocol version 8, we speak 5 to 7"),
    ] {
        introduce(&mallory, version).await?;
        let peer = world
            .alice
            .wait_for_peer(mallory.id(), |peer| peer.protocol_version == Some(version))
            .await?;
        let lbtc = peer
            .offers
            .iter()
            .find(|offer| offer.asset == Asset::Lbtc)
            .context("an offer")?;
        ensure!(lbtc.problem.as_deref() == Some(reason), "{lbtc:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_requests_in_the_same_moment_are_all_answered() -> Result<()> {
    let world = World::start(Options::default()).await?;
    let mallory = join(&world).await?;
    let elsewhere = "1x1x1";
    for number in 0..100 {
        mallory
            .say(MessageType::SwapOutRequest, request(&id(number), elsewhere, &[]))
            .await?;
    }
    for number in 0..100 {
        mallory.hear_of(MessageType::Cancel, &id(number)).await?;
    }
    Ok(())
}

//! A peer that does all it can to be in the way: how much it costs, what becomes of it, and that others do not notice.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use jsonrpsee::core::ClientError;
use sluice::api::SluiceApiClient;
use sluice::api::error::Code;
use sluice::api::types::{OutcomeKind, PeerRef, PeerView, SwapFilter};
use sluice::policy::Cause;
use sluice::policy::limits::Offence;
use sluice::protocol::MessageType;
use sluice::store::FILE_NAME;
use sluice::swap::Kind;
use sluice_regtest::daemons::wait_for;
use sluice_regtest::world::peer::RawPeer;
use sluice_regtest::world::{PATIENCE, World};

use super::messages::{id, request, with_mallory};
use super::orders::{finish, look, node, order, outcome};

/// Messages of each sort in a flood.
const MANY: usize = 10_000;
/// Messages of the greatest size: 65 MB in all.
const LARGE: usize = 1_000;
/// The most that a payload may have: 65,535 bytes with the type (BOLT 1).
const LARGEST: usize = 65_533;
/// What a flood of 85 MB may cost: resident memory, and bytes of the database, which grows by large steps and has a swap
/// with bob in it as well.
const MEMORY_KIB: u64 = 32 * 1024;
pub const DISK: u64 = 4 * 1024 * 1024;
/// Bytes of log; a line for each message would be six megabytes.
const LOG: u64 = 128 * 1024;
/// Between two calls of the API that are timed.
const ASK_EVERY: Duration = Duration::from_millis(50);
/// A swap that the flood does not slow may still take so many times as long: what sends the flood works on the same cores.
const SLOWER: u32 = 10;
/// The longest that the API may take to answer while all that goes on, on a machine that builds beside it.
const ANSWER: Duration = Duration::from_secs(5);

pub async fn seen(world: &World, mallory: &RawPeer) -> Result<PeerView> {
    let peer = mallory.id();
    Ok(world.alice.client()?.peer_get(PeerRef { peer }).await?)
}

pub async fn quarantined(world: &World, mallory: &RawPeer) -> Result<PeerView> {
    wait_for("mallory's quarantine", PATIENCE, || async {
        let view = seen(world, mallory).await?;
        Ok(view.quarantine.is_some().then_some(view))
    })
    .await
}

/// Everything of which there can be too much, all at once.
fn flood(world: &World, mallory: &RawPeer) {
    let scid = mallory.scid.to_string();
    let opened = |number: usize| format!("{{\"swap_id\":\"{}\",\"payreq\":\"\",\"tx_id\":\"\"}}", id(number));
    let offer = |number: usize| {
        format!(
            "{{\"version\":7,\"assets\":[\"LBTC\"],\"lbtc_swap_in_premium_rate_ppm\":{number},\"peer_allowed\":true}}"
        )
    };
    let numbers = 1_000_000..1_000_000 + MANY;
    let sorts: [(MessageType, Vec<Vec<u8>>); 6] = [
        (
            MessageType::SwapInRequest,
            numbers.clone().map(|n| request(&id(n), &scid, &[]).into()).collect(),
        ),
        (
            MessageType::SwapOutRequest,
            vec![request(&id(7), &scid, &[]).into(); MANY],
        ),
        (
            MessageType::OpeningTxBroadcasted,
            numbers.clone().map(|n| opened(n).into()).collect(),
        ),
        (MessageType::Cancel, vec![b"{".to_vec(); MANY]),
        (MessageType::Poll, (0..MANY).map(|n| offer(n).into()).collect()),
        (MessageType::CoopClose, vec![vec![b'x'; LARGEST]; LARGE]),
    ];
    for (kind, payloads) in sorts {
        mallory.node.flood(
            node(world, 0),
            payloads.into_iter().map(|payload| (kind.code(), payload)),
        );
    }
}

/// What alice's daemon has taken: KiB of memory, bytes of the database, bytes of log.
pub fn taken(world: &World) -> Result<[u64; 3]> {
    let daemon = &world.alice.daemon;
    let size = |path: std::path::PathBuf| -> Result<u64> { Ok(std::fs::metadata(path)?.len()) };
    Ok([
        daemon.rss_kib().context("the daemon runs")?,
        size(daemon.data_dir().join(FILE_NAME))?,
        size(daemon.log_path())?,
    ])
}

/// Asks the API again and again while `work` goes on, and tells the longest that it took to answer.
async fn answering<T>(world: &World, work: impl Future<Output = Result<T>>) -> Result<(T, Duration)> {
    let client = world.alice.client()?;
    let mut longest = Duration::ZERO;
    let mut turn = tokio::time::interval(ASK_EVERY);
    let mut work = std::pin::pin!(work);
    loop {
        let asking = async {
            turn.tick().await;
            let began = Instant::now();
            client.info().await.map(|_| began.elapsed())
        };
        let done = tokio::select! {
            done = &mut work => return Ok((done?, longest)),
            took = asking => took?,
        };
        longest = longest.max(done);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_costs_little_holds_nobody_up_and_quarantines_who_sent_it() -> Result<()> {
    let (mut world, mallory) = with_mallory(true).await?;
    let before_the_flood = order(&world.alice, Kind::Out, world.channels[0], 300_000).await?;
    let began = Instant::now();
    finish(&world, &[before_the_flood]).await?;
    let undisturbed = began.elapsed();
    let before = taken(&world)?;

    let under_it = order(&world.alice, Kind::Out, world.channels[0], 400_000).await?;
    flood(&world, &mallory);
    let began = Instant::now();
    let ((), longest) = answering(&world, finish(&world, &[under_it])).await?;
    let flooded = began.elapsed();
    eprintln!("a swap took {flooded:?}, {undisturbed:?} without the flood; the API took {longest:?} at most to answer");
    ensure!(
        flooded < undisturbed * SLOWER,
        "a swap took {flooded:?}, {undisturbed:?} without the flood"
    );
    ensure!(longest < ANSWER, "the API took {longest:?} to answer");
    let view = look(&world.alice, under_it).await.context("the swap is known")?;
    assert_eq!(outcome(&view), Some(OutcomeKind::ClaimedByInvoice));

    let view = quarantined(&world, &mallory).await?;
    let all = u64::try_from(5 * MANY + LARGE)?;
    let view = wait_for("the whole flood to be dropped", PATIENCE, || async {
        let view = seen(&world, &mallory).await?;
        let few = 10_000;
        Ok((view.conduct.dropped_messages + few > all).then_some(view))
    })
    .await
    .with_context(|| format!("dropped {}", view.conduct.dropped_messages))?;
    let quarantine = view.quarantine.clone().context("it is still in quarantine")?;
    assert_eq!(quarantine.cause, Cause::Flood);
    assert_eq!(quarantine.until - quarantine.since, 3_600);
    stays_within_bounds(&world, before).await?;

    world.alice.daemon.terminate().await?;
    world.alice.daemon.begin().await?;
    let again = seen(&world, &mallory).await?;
    assert_eq!(again.quarantine, Some(quarantine), "it survives a restart");
    refused_both_ways(&world, &mallory).await?;
    let peer = mallory.id();
    let free = world.alice.client()?.peer_release(PeerRef { peer }).await?;
    assert_eq!((free.quarantine, free.conduct.offences), (None, Vec::new()));
    let asked = request(&id(99), &mallory.scid.to_string(), &[]);
    mallory
        .say(
            MessageType::Cancel,
            format!("{{\"swap_id\":{:?},\"message\":\"\"}}", id(1_000_000)),
        )
        .await?;
    mallory.say(MessageType::SwapInRequest, asked).await?;
    mallory.hear("an answer", |heard| heard.swap_id() == id(99)).await?;
    Ok(())
}

/// What the flood has cost, beside what was there before it.
async fn stays_within_bounds(world: &World, before: [u64; 3]) -> Result<()> {
    let bounds = [
        ("KiB of memory", MEMORY_KIB),
        ("bytes of disk", DISK),
        ("bytes of log", LOG),
    ];
    for (((what, most), before), after) in bounds.into_iter().zip(before).zip(taken(world)?) {
        eprintln!("{what}: {before} before the flood, {after} after it");
        ensure!(
            after <= before + most,
            "{what}: {before} before the flood, {after} after it"
        );
    }
    let swaps = world.alice.client()?.swap_list(SwapFilter::default()).await?.total;
    ensure!(
        swaps <= 3,
        "{swaps} swaps: of the flood's requests one at most was agreed to"
    );
    Ok(())
}

/// Neither may mallory ask, who is told why once, nor may alice.
async fn refused_both_ways(world: &World, mallory: &RawPeer) -> Result<()> {
    let scid = mallory.scid.to_string();
    for number in [51, 52, 53] {
        mallory
            .say(MessageType::SwapInRequest, request(&id(number), &scid, &[]))
            .await?;
    }
    let told = mallory.hear_of(MessageType::Cancel, &id(51)).await?;
    let told = told["message"].as_str().unwrap_or_default();
    ensure!(
        told.starts_with("no new swaps for") && told.contains("more minutes, after 1000"),
        "{told}"
    );
    ensure!(
        mallory.greet().await?.get("peer_allowed").is_none(),
        "the poll allows her"
    );
    for number in [52, 53] {
        assert_eq!(mallory.count(MessageType::Cancel, &id(number)), 0, "once is enough");
    }
    let ordered = super::orders::request(mallory.scid, 300_000);
    let Err(ClientError::Call(error)) = world.alice.client()?.swap_out(ordered).await else {
        anyhow::bail!("alice's own order was taken");
    };
    assert_eq!(error.code(), Code::PeerUnusable.number());
    ensure!(error.message().contains("peer_release"), "{}", error.message());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_a_rule_each_time_is_an_offence_and_what_passes_is_none() -> Result<()> {
    let (world, mallory) = with_mallory(true).await?;
    let scid = mallory.scid.to_string();
    mallory
        .say(MessageType::SwapInRequest, request(&id(1), &scid, &[]))
        .await?;
    mallory.hear_of(MessageType::SwapInAgreement, &id(1)).await?;
    // busy, and too much for the channel: nobody's fault
    for number in 2..32 {
        let too_much: &[(&str, &str)] = if number % 2 == 0 {
            &[]
        } else {
            &[("amount", "9999999"), ("acceptable_premium", "99999")]
        };
        mallory
            .say(MessageType::SwapInRequest, request(&id(number), &scid, too_much))
            .await?;
        mallory.hear_of(MessageType::Cancel, &id(number)).await?;
    }
    assert_eq!(seen(&world, &mallory).await?.conduct.offences, Vec::new());
    let strangers = format!("\"{}\"", world.channels[0]);
    let first = 1_000;
    let count = usize::try_from(Offence::Refused.threshold().count)?;
    for number in first..first + count {
        let asked = request(&id(number), &scid, &[("scid", &strangers)]);
        mallory.say(MessageType::SwapOutRequest, asked).await?;
        mallory.hear_of(MessageType::Cancel, &id(number)).await?;
    }
    let view = quarantined(&world, &mallory).await?;
    assert_eq!(view.quarantine.map(|quarantine| quarantine.cause), Some(Cause::Refused));
    assert_eq!(view.conduct.running_swaps, 1, "what runs goes on");
    Ok(())
}

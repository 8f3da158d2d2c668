//! A database that has lost rows, or all of them: what is left of it goes on, and what is not is told.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use sluice::api::SluiceApiClient;
use sluice::api::types::{OutcomeKind, PolicyChange, SwapFilter};
use sluice::policy::PausedBy;
use sluice::protocol::MessageType;
use sluice::store::{FILE_NAME, SCHEMA};
use sluice::swap::Kind;
use sluice::units::Asset;
use sluice_regtest::daemons::wait_for;
use sluice_regtest::world::operator::Operator;
use sluice_regtest::world::peer::RawPeer;
use sluice_regtest::world::{Options, PATIENCE, World};

use super::books::Books;
use super::messages::{id, request as asked};
use super::moments::Moments;
use super::orders::{chain, is_claimed, look, network, node, order, outcome, request, tails, wait_for_height};
use super::rescue::{AMOUNT, is_rescued, keep, opening_is_known, rescue_file};

/// How the record of the policy begins.
const POLICY: &str = r#""accept_new_swaps""#;

/// Spoils every row of a database whose record begins so, of whichever schema and wherever it stands in the file.
pub fn spoil(file: &Path, record: &str) -> Result<()> {
    let mut bytes = fs::read(file)?;
    let rows = (1..=SCHEMA).map(|schema| format!(r#"{{"schema":{schema},"record":{{{record}"#));
    let rows: Vec<String> = rows.collect();
    let places: Vec<usize> = (0..bytes.len())
        .filter(|place| rows.iter().any(|row| bytes[*place..].starts_with(row.as_bytes())))
        .collect();
    ensure!(!places.is_empty(), "the database has such a row");
    for place in places {
        bytes[place] = b'?';
    }
    Ok(fs::write(file, bytes)?)
}

/// Everything that an operator's daemon has said since its log had this many bytes.
fn said(operator: &Operator, since: usize) -> Result<String> {
    let text = fs::read_to_string(operator.daemon.log_path())?;
    Ok(text.get(since..).context("a log that only grows")?.to_owned())
}

/// A log has all of these words.
fn tells(log: &str, words: &[&str]) -> Result<()> {
    for word in words {
        ensure!(log.contains(word), "no `{word}` in:\n{log}");
    }
    Ok(())
}

/// The damaged databases that were kept.
fn kept(operator: &Operator) -> Result<Vec<String>> {
    let names =
        fs::read_dir(operator.daemon.data_dir())?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names.filter(|name| name.starts_with("sluice.redb.damaged-")).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_whose_database_is_damaged_finishes_its_swaps_and_begins_none_until_it_is_told_to() -> Result<()> {
    let mut moments = Moments::reach().await?;
    let books = Books::open(&moments.world).await?;
    moments.begin().await?;
    moments.world.bob.daemon.kill();
    let since = said(&moments.world.bob, 0)?.len();
    spoil(&moments.world.bob.daemon.data_dir().join(FILE_NAME), POLICY)?;
    let (alice, bob) = (moments.world.alice.id, moments.world.bob.id);
    moments.world.bob.daemon.begin().await?;
    moments.world.bob.wait_for_peer(alice, |peer| peer.online).await?;
    let client = moments.world.bob.client()?;
    for chain in client.chain_list().await?.chains {
        let pause = chain.paused.context("it is paused")?;
        ensure!(pause.by == PausedBy::Damage, "{pause:?}");
    }
    let refused = client.swap_out(request(moments.world.channels[0], 500_000)).await;
    let refused = refused.expect_err("it begins nothing").to_string();
    ensure!(refused.contains("paused after damage to the database"), "{refused}");

    let files = kept(&moments.world.bob)?;
    ensure!(files.len() == 1, "{files:?}");
    let swaps = client.swap_list(SwapFilter::default()).await?.total;
    let log = said(&moments.world.bob, since)?;
    tells(
        &log,
        &["the database is damaged", &files[0], "settings policy: syntax error"],
    )?;
    tells(
        &log,
        &[&format!("saved: {swaps} swaps"), ", 0 settings, 1 capabilities"],
    )?;
    ensure!(!log.contains("it was under way and cannot be read"), "{log}");

    moments.world.alice.wait_for_peer(bob, |peer| peer.online).await?;
    moments.let_go();
    let swaps = moments.finish().await?;
    books.balance(&moments.world, &swaps).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_swap_that_is_lost_is_named_with_its_rescue_file_and_the_other_goes_on() -> Result<()> {
    let mut world = World::start(Options {
        channels: 2,
        ..Options::default()
    })
    .await?;
    let mallory = RawPeer::join(network(&world), "mallory", node(&world, 1)).await?;
    let allowed = PolicyChange {
        allow: vec![mallory.id()],
        ..PolicyChange::default()
    };
    world.bob.client()?.policy_set(allowed).await?;
    let lost = order(&world.alice, Kind::Out, world.channels[0], AMOUNT).await?;
    let other = order(&world.alice, Kind::In, world.channels[1], AMOUNT).await?;
    for swap in [lost, other] {
        opening_is_known(&world, swap).await?;
    }
    keep(&world, &world.bob, lost, |record| record.signed.len() == 1).await?;
    world.alice.daemon.kill();
    world.bob.daemon.kill();
    let since = said(&world.bob, 0)?.len();
    let record = format!(r#""id":"{lost}","peer""#);
    spoil(&world.bob.daemon.data_dir().join(FILE_NAME), &record)?;
    world.bob.daemon.begin().await?;

    let log = said(&world.bob, since)?;
    let file = rescue_file(&world.bob, lost);
    tells(
        &log,
        &[
            "it was under way and cannot be read",
            &lost.to_string(),
            &file.display().to_string(),
        ],
    )?;
    tells(&log, &["saved: 1 swaps"])?;
    ensure!(
        !log.contains(&rescue_file(&world.bob, other).display().to_string()),
        "{log}"
    );
    ensure!(look(&world.bob, lost).await.is_none(), "nothing is made up");
    begins_nothing_for(&mallory).await?;

    // alice's node is there to be paid, her daemon is not
    world.liquid.mine(2).await?;
    wait_for_height(&world.bob, chain(&world).tip().height).await?;
    is_claimed(&world, &world.bob, other).await?;
    world.liquid.mine(2).await?;
    let over = world
        .wait_for_swap(&world.bob, other, "over", |view| view.outcome.is_some())
        .await?;
    ensure!(outcome(&over) == Some(OutcomeKind::ClaimedByInvoice), "{over:?}");

    world.liquid.mine(10_080).await?;
    let kept = keep(&world, &world.bob, lost, |_| true).await?;
    is_rescued(&world, Asset::Lbtc, &kept).await
}

/// What a peer asks of a daemon that only recovers is refused, in either direction.
async fn begins_nothing_for(mallory: &RawPeer) -> Result<()> {
    mallory.greet().await?;
    let scid = mallory.scid.to_string();
    let kinds = [MessageType::SwapOutRequest, MessageType::SwapInRequest];
    for (number, kind) in (1..).zip(kinds) {
        mallory.say(kind, asked(&id(number), &scid, &[])).await?;
        let told = mallory.hear_of(MessageType::Cancel, &id(number)).await?;
        ensure!(told["message"] == "no new lbtc swaps for now", "{told}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_beyond_reading_ends_the_start_and_names_the_folder_with_the_way_to_the_coins() -> Result<()> {
    let mut world = World::start(Options::default()).await?;
    let swap = order(&world.alice, Kind::Out, world.channels[0], AMOUNT).await?;
    opening_is_known(&world, swap).await?;
    let kept = keep(&world, &world.bob, swap, |record| record.signed.len() == 1).await?;
    world.alice.daemon.kill();
    world.bob.daemon.kill();
    let file = world.bob.daemon.data_dir().join(FILE_NAME);
    let bytes = fs::read(&file)?;
    let spoiled: Vec<u8> = bytes.iter().map(|byte| byte ^ 0x55).collect();
    fs::write(&file, &spoiled)?;
    world.bob.daemon.launch()?;
    let bob = std::cell::RefCell::new(&mut world.bob);
    let ended = wait_for("the end of the start", PATIENCE, || async {
        Ok(bob.borrow_mut().daemon.ended())
    });
    let ended = ended.await?;
    let folder = world.bob.daemon.data_dir().join("rescue");
    tells(
        &ended,
        &[
            "is damaged beyond reading",
            "sluice rescue",
            &folder.display().to_string(),
        ],
    )?;
    ensure!(fs::read(&file)? == spoiled, "it is left as it was\n{}", tails(&world));

    world.liquid.mine(10_081).await?;
    is_rescued(&world, Asset::Lbtc, &kept).await
}

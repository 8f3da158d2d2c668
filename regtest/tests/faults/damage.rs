//! A database that has lost rows: what is left of it goes on.

use std::fs;

use anyhow::{Context, Result, ensure};
use sluice::api::SluiceApiClient;
use sluice::policy::PausedBy;

use super::books::Books;
use super::moments::Moments;
use super::orders::request;

/// How the row of the policy begins, wherever it stands in the file.
const POLICY: &[u8] = br#"{"schema":1,"record":{"accept_new_swaps""#;

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_whose_database_is_damaged_finishes_its_swaps_and_begins_none_until_it_is_told_to() -> Result<()> {
    let mut moments = Moments::reach().await?;
    let books = Books::open(&moments.world).await?;
    moments.begin().await?;
    moments.world.bob.daemon.kill();
    let folder = moments.world.bob.daemon.data_dir();
    let file = folder.join("sluice.redb");
    let mut bytes = fs::read(&file)?;
    let places: Vec<usize> = (0..bytes.len() - POLICY.len())
        .filter(|place| bytes[*place..].starts_with(POLICY))
        .collect();
    ensure!(!places.is_empty(), "the database has a policy");
    for place in places {
        bytes[place] = b'?';
    }
    fs::write(&file, &bytes)?;
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
    let kept = fs::read_dir(&folder)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    ensure!(kept.filter(|name| name.starts_with("sluice.redb.damaged-")).count() == 1);
    moments.world.alice.wait_for_peer(bob, |peer| peer.online).await?;
    moments.let_go();
    let swaps = moments.finish().await?;
    books.balance(&moments.world, &swaps).await?;
    Ok(())
}

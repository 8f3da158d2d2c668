//! A rescue file shows its secrets to nobody but the seed's owner.

use anyhow::{Result, ensure};
use sluice::keys::Seed;
use sluice::rescue::Key;
use sluice::swap::{Kind, Role};
use sluice_regtest::daemons::wait_for;
use sluice_regtest::world::{Options, PATIENCE, World};

use super::known::{What, secrets};
use super::written::{Search, When, Written};
use crate::orders::{finish, is_claimed, order};

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_can_be_read_in_a_rescue_file_of_either_side() -> Result<()> {
    let mut world = World::start(Options::default()).await?;
    let channel = world.channels[0];
    let swap = order(&world.alice, Kind::Out, channel, 1_000_000).await?;
    world
        .wait_for_swap(&world.bob, swap, "opened", |view| view.opening.is_some())
        .await?;
    // the taker's file is there from the payment on, and knows the preimage once it is paid
    world
        .wait_for_swap(&world.alice, swap, "opened", |view| view.opening.is_some())
        .await?;
    world.liquid.mine(2).await?;
    is_claimed(&world, &world.alice, swap).await?;
    let (mut files, mut plain) = (Written::default(), String::new());
    for operator in [&world.alice, &world.bob] {
        let path = operator.daemon.data_dir().join(format!("rescue/{swap}.rescue"));
        let key = Key::of(&Seed::open(&operator.daemon.data_dir().join("seed"))?);
        let file = wait_for("a rescue file that knows the most", PATIENCE, || async {
            let text = std::fs::read_to_string(&path)?;
            let record = key.open(&text)?;
            // a maker that was paid keeps no refund in its file
            let full = match record.role {
                Role::Maker => record.paid,
                Role::Taker => record.preimage.is_some() && !record.signed.is_empty(),
            };
            Ok(full.then_some(text))
        })
        .await?;
        plain.push_str(&serde_json::to_string(&key.open(&file)?)?);
        files.note(format!("{}'s rescue file", operator.name), file);
    }
    finish(&world, &[swap]).await?;
    world.alice.daemon.terminate().await?;
    world.bob.daemon.terminate().await?;
    let mut all = secrets(&world, &world.alice, 0, &[swap])?;
    all.extend(secrets(&world, &world.bob, 1, &[swap])?);
    let mut search = Search::for_all(&all, &[])?;
    let leaks = search.leaks(&files, When::Claimed);
    ensure!(leaks.is_empty(), "{}", leaks.join("\n"));
    let inside = search.found_in(plain.as_bytes());
    let inside: Vec<What> = inside.iter().map(|secret| all[*secret].what).collect();
    ensure!(
        inside.contains(&What::ClaimPreimage) && inside.contains(&What::BlindingKey),
        "the files hold the preimage and the blinding key, which only the seed can read: {inside:?}"
    );
    Ok(())
}

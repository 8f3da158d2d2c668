//! A `sluiced` of today goes on with what an older one wrote, in the middle of a swap of every kind.
//!
//! `SLUICED_BEFORE` names the older one. With `KEEP_SCHEMA=NAME` its databases are kept in `tests/data/schemas/NAME`, where
//! `tests/schemas.rs` opens them ever after; without `SLUICED_BEFORE` those are of today's form.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use flate2::Compression;
use flate2::write::GzEncoder;
use sluice::store::FILE_NAME;
use sluice::swap::Kind;
use sluice::units::Asset;
use sluice_regtest::world::operator::Operator;
use sluice_regtest::world::{Options, build};

use super::books::Books;
use super::fixture::slim;
use super::moments::Moments;
use super::orders::{finish_of, order_of, request_of};

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

/// Keeps a copy of a database that no process has open.
fn keep(folder: &Path, asset: Asset, operator: &Operator) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    let copy = operator.daemon.data_dir().join("copy.redb");
    std::fs::copy(operator.daemon.data_dir().join(FILE_NAME), &copy)?;
    slim(&copy)?;
    let packed = File::create(folder.join(format!("{asset}.redb.gz")))?;
    let mut packed = GzEncoder::new(packed, Compression::best());
    std::io::copy(&mut File::open(copy)?, &mut packed)?;
    packed.finish()?;
    Ok(())
}

async fn take_over(asset: Asset) -> Result<()> {
    let (before, kept) = (variable("SLUICED_BEFORE"), variable("KEEP_SCHEMA"));
    if before.is_none() && kept.is_none() {
        eprintln!("SKIPPED: SLUICED_BEFORE names no older sluiced, nor KEEP_SCHEMA a fixture to make");
        return Ok(());
    }
    let options = Options {
        executable: before.map(Into::into),
        ..Options::default()
    };
    let mut moments = Moments::reach_in(asset, options).await?;
    let request = request_of(asset, moments.world.channels[0], 150_000);
    let closed = order_of(&moments.world.alice, Kind::Out, request).await?;
    finish_of(&moments.world, asset, &[closed]).await?;
    let books = Books::open_in(&moments.world, asset).await?;
    moments.begin().await?;
    let today = build::sluiced().await?;
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/schemas");
    for operator in [&mut moments.world.alice, &mut moments.world.bob] {
        operator.daemon.kill();
        // either side makes and takes
        if let Some(name) = kept.as_ref().filter(|_| operator.name == "alice") {
            keep(&fixtures.join(name), asset, operator)?;
        }
        operator.daemon.replace_program(today.clone());
        operator.daemon.begin().await.context("today's")?;
    }
    let (alice, bob) = (&moments.world.alice, &moments.world.bob);
    alice.wait_for_peer(bob.id, |peer| peer.online).await?;
    bob.wait_for_peer(alice.id, |peer| peer.online).await?;
    moments.let_go();
    let swaps = moments.finish().await?;
    books.balance(&moments.world, &swaps).await
}

#[tokio::test(flavor = "multi_thread")]
async fn swaps_of_lbtc_that_an_older_release_began_are_finished_by_this_one() -> Result<()> {
    take_over(Asset::Lbtc).await
}

#[tokio::test(flavor = "multi_thread")]
async fn swaps_of_btc_that_an_older_release_began_are_finished_by_this_one() -> Result<()> {
    take_over(Asset::Btc).await
}

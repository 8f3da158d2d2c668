//! A `sluiced` of today goes on with what an older one wrote, in the middle of a swap of every kind.
//!
//! `SLUICED_BEFORE` names the older one. With `KEEP_SCHEMA=NAME` its databases are kept in `tests/data/schemas/NAME`, where
//! `tests/schemas.rs` opens them ever after; without `SLUICED_BEFORE` those are of today's form.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use flate2::Compression;
use flate2::write::GzEncoder;
use sluice::api::SluiceApiClient;
use sluice::api::types::{PeerQuarantine, PremiumChange};
use sluice::store::FILE_NAME;
use sluice::swap::Kind;
use sluice::units::Asset;
use sluice_regtest::world::operator::Operator;
use sluice_regtest::world::sluiced::Executable;
use sluice_regtest::world::{Options, build};

use super::books::Books;
use super::damage::spoil;
use super::fixture::slim;
use super::moments::Moments;
use super::orders::{finish_of, order_of, request_of};
use super::unpaid::Unpaid;

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

/// What a test of this file is about: another `sluiced` than today's, or a fixture to make. None: neither is named.
struct Before {
    /// Today's, if none is named.
    executable: Option<Executable>,
    /// Where databases are kept, if they are.
    fixtures: Option<PathBuf>,
}

impl Before {
    fn named() -> Option<Before> {
        let (before, kept) = (variable("SLUICED_BEFORE"), variable("KEEP_SCHEMA"));
        if before.is_none() && kept.is_none() {
            eprintln!("SKIPPED: SLUICED_BEFORE names no older sluiced, nor KEEP_SCHEMA a fixture to make");
            return None;
        }
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/schemas");
        Some(Before {
            executable: before.map(Into::into),
            fixtures: kept.map(|name| fixtures.join(name)),
        })
    }

    fn options(&self) -> Options {
        Options {
            executable: self.executable.clone(),
            ..Options::default()
        }
    }

    /// Keeps a copy of a database that no process has open.
    fn keep(&self, name: &str, operator: &Operator) -> Result<()> {
        let Some(folder) = &self.fixtures else {
            return Ok(());
        };
        std::fs::create_dir_all(folder)?;
        let copy = operator.daemon.data_dir().join("copy.redb");
        std::fs::copy(operator.daemon.data_dir().join(FILE_NAME), &copy)?;
        slim(&copy)?;
        let packed = File::create(folder.join(format!("{name}.redb.gz")))?;
        let mut packed = GzEncoder::new(packed, Compression::best());
        std::io::copy(&mut File::open(copy)?, &mut packed)?;
        packed.finish()?;
        Ok(())
    }
}

async fn take_over(asset: Asset) -> Result<()> {
    let Some(before) = Before::named() else {
        return Ok(());
    };
    let mut moments = Moments::reach_in(asset, before.options()).await?;
    let request = request_of(asset, moments.world.channels[0], 150_000);
    let closed = order_of(&moments.world.alice, Kind::Out, request).await?;
    finish_of(&moments.world, asset, &[closed]).await?;
    let books = Books::open_in(&moments.world, asset).await?;
    moments.begin().await?;
    let today = build::sluiced().await?;
    for operator in [&mut moments.world.alice, &mut moments.world.bob] {
        operator.daemon.kill();
        // either side makes and takes
        if operator.name == "alice" {
            before.keep(&asset.to_string(), operator)?;
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

/// How the record of the premiums begins.
const PREMIUMS: &str = r#""default""#;

/// The same with coins on their way back; what alice is kept with also has a peer in quarantine, and was damaged once.
async fn take_over_unpaid(asset: Asset) -> Result<()> {
    let Some(before) = Before::named() else {
        return Ok(());
    };
    let mut unpaid = Unpaid::reach(asset, before.options()).await?;
    let today = build::sluiced().await?;
    let (peer, alice) = (unpaid.mallory.id(), &mut unpaid.world.alice);
    unpaid.world.bob.daemon.kill();
    let client = alice.client()?;
    let rate = PremiumChange {
        peer: None,
        asset,
        direction: Kind::In,
        ppm: Some(1),
    };
    client.premium_set(rate).await?;
    let quarantine = PeerQuarantine {
        peer,
        duration_secs: PeerQuarantine::MOST_SECS,
        note: "gone".into(),
    };
    client.peer_quarantine(quarantine).await?;
    alice.daemon.kill();
    spoil(&alice.daemon.data_dir().join(FILE_NAME), PREMIUMS)?;
    alice.daemon.begin().await.context("what saves the rest")?;
    alice.daemon.kill();
    before.keep(&format!("unpaid-{asset}"), alice)?;
    alice.daemon.replace_program(today.clone());
    alice.daemon.begin().await.context("today's")?;
    let void_fee = unpaid.finish_alone().await?;
    unpaid.world.bob.daemon.replace_program(today);
    unpaid.world.bob.daemon.begin().await.context("bob's of today")?;
    unpaid.finish(void_fee).await
}

#[tokio::test(flavor = "multi_thread")]
async fn swaps_of_lbtc_that_an_older_release_began_are_finished_by_this_one() -> Result<()> {
    take_over(Asset::Lbtc).await
}

#[tokio::test(flavor = "multi_thread")]
async fn swaps_of_btc_that_an_older_release_began_are_finished_by_this_one() -> Result<()> {
    take_over(Asset::Btc).await
}

#[tokio::test(flavor = "multi_thread")]
async fn lbtc_that_an_older_release_was_getting_back_comes_back_by_this_one() -> Result<()> {
    take_over_unpaid(Asset::Lbtc).await
}

#[tokio::test(flavor = "multi_thread")]
async fn btc_that_an_older_release_was_getting_back_comes_back_by_this_one() -> Result<()> {
    take_over_unpaid(Asset::Btc).await
}

//! Rows that are played one after the other, and the world that they are played in.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use sluice::api::SluiceApiClient;
use sluice::swap::timelocks::Timelocks;
use sluice::units::Asset;

use super::AMOUNT;
use super::record::{Played, Verdict};
use crate::play::page::Page;
use crate::play::row::Row;
use crate::play::script;
use crate::play::story::Story;
use crate::world::liquid;
use crate::world::pair::{Options, Pair};
use crate::world::party::Party;
use crate::world::side::Side;

/// Rows of one run that share a world.
#[derive(Debug)]
pub(super) struct Lot {
    /// The run, from 1.
    pub(super) run: u32,
    pub(super) rows: Vec<Row>,
}

impl Lot {
    /// All rows of a run, in their order.
    pub(super) fn all(run: u32, rows: &[Row]) -> Vec<Lot> {
        let mut lots: Vec<Lot> = Vec::new();
        for row in rows {
            match lots.iter_mut().find(|lot| lot.rows[0].shares_world(row)) {
                Some(lot) => lot.rows.push(*row),
                None => lots.push(Lot { run, rows: vec![*row] }),
            }
        }
        lots
    }
}

/// Where a lot is played: a world that is kept while it serves.
pub(super) struct Bench<'a> {
    page: Option<Page>,
    binary: &'a Path,
    assets: Vec<Asset>,
    go: Option<u8>,
    world: Option<Pair>,
}

impl Bench<'_> {
    /// `go`: the protocol version of the Go PeerSwap that is there.
    pub(super) fn new<'a>(lot: &Lot, page: Option<Page>, binary: &'a Path, go: Option<u8>) -> Bench<'a> {
        // A peer of an older version swaps BTC alone: no world waits for an asset that no row wants.
        let wanted = |asset: &Asset| lot.rows.iter().any(|row| row.asset == *asset);
        Bench {
            page,
            binary,
            assets: Asset::ALL.into_iter().filter(wanted).collect(),
            go,
            world: None,
        }
    }

    pub(super) async fn play(&mut self, run: u32, row: Row) -> Played {
        let began = Instant::now();
        let verdict = match row.missing() {
            Some(missing) => Verdict::Skipped(missing),
            None => match self.try_play(row).await {
                Ok(()) => Verdict::Ok,
                Err(error) => {
                    // Whatever state it is in, the next row begins in another.
                    self.world = None;
                    Verdict::Failed(format!("{error:#}"))
                }
            },
        };
        Played {
            run,
            row,
            verdict,
            began,
            took: began.elapsed(),
        }
    }

    async fn try_play(&mut self, row: Row) -> Result<()> {
        let pair = match &mut self.world {
            Some(pair) => pair,
            none => none.insert(start(&row, &self.assets, self.binary, self.go).await?),
        };
        pair.ready().await?;
        let story = self.page.map_or_else(Story::untold, Story::on);
        script::play(pair, &row, AMOUNT, &story).await.map(drop)
    }
}

async fn start(row: &Row, assets: &[Asset], binary: &Path, go: Option<u8>) -> Result<Pair> {
    let options = Options {
        programs: row.programs,
        liquid: liquid::Kind::Elementsd,
        lightning: row.lightning,
        assets: assets.to_vec(),
        binary: Some(binary.to_owned()),
    };
    let pair = Pair::start(&options).await?;
    for side in Side::BOTH {
        if let (Party::Go(_), Some(version)) = (pair.party(side), go) {
            check_offers(&pair, side, version, assets).await?;
        }
    }
    Ok(pair)
}

/// Sluice tells what can be swapped with a Go PeerSwap of that version, and why the rest cannot.
async fn check_offers(pair: &Pair, gopher: Side, version: u8, assets: &[Asset]) -> Result<()> {
    let Party::Sluice(operator) = pair.party(gopher.other()) else {
        return Ok(());
    };
    let known = operator.client()?.peer_list().await?.peers;
    let of_gopher = known.iter().find(|peer| peer.node_id == pair.party(gopher).id());
    let peer = of_gopher.context("peer_list without the peer")?;
    ensure!(
        peer.protocol_version == Some(version.into()),
        "the peer speaks version {version}; peer_list says {:?}",
        peer.protocol_version
    );
    for offer in &peer.offers {
        let problem = offer.problem.as_deref();
        let as_it_is = match Timelocks::of(offer.asset, version) {
            Some(_) => problem.is_none() || !assets.contains(&offer.asset),
            None => problem.is_some_and(|why| why.contains(&format!("version {version}")) && why.contains("not safe")),
        };
        ensure!(
            as_it_is,
            "peer_list says of {} in version {version}: {problem:?}",
            offer.asset
        );
    }
    Ok(())
}

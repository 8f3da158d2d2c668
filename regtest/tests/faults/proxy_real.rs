//! Some of the same faults before real daemons.

use anyhow::{Context, Result};
use sluice::swap::Kind;
use sluice::units::Asset;
use sluice_regtest::daemons::proxy::Fault;
use sluice_regtest::daemons::require;
use sluice_regtest::world::{Options, PATIENCE, World, bitcoin, lightning, liquid};

use super::books::Books;
use super::orders::{finish_of, order_of, request_of, tails};
use super::proxy::{Backend, LATE, wait_until_missed, way};

/// What befalls which way of whom, with a swap that has just been ordered.
const CELLS: [(Backend, usize, Fault); 9] = [
    (Backend::Chain(Asset::Lbtc), 0, Fault::Refused),
    (Backend::Chain(Asset::Lbtc), 1, Fault::Cut(20)),
    (Backend::Chain(Asset::Lbtc), 0, Fault::Cut(150)),
    (Backend::Chain(Asset::Lbtc), 1, Fault::Status(401)),
    (Backend::Chain(Asset::Btc), 0, Fault::Hanging),
    (Backend::Chain(Asset::Btc), 1, Fault::Cut(150)),
    (Backend::Lightning, 0, Fault::Hanging),
    (Backend::Lightning, 1, Fault::Cut(40)),
    (Backend::Lightning, 0, Fault::Refused),
];

async fn play(world: &World, backend: Backend, side: usize, fault: &Fault, kind: Kind) -> Result<()> {
    let asset = match backend {
        Backend::Chain(asset) => asset,
        Backend::Lightning => Asset::Lbtc,
    };
    let books = Books::open_in(world, asset).await?;
    let swap = order_of(&world.alice, kind, request_of(asset, world.channels[0], 600_000)).await?;
    // before that the peer may refuse the order
    world.wait_for_swap(&world.bob, swap, "accepted", |_| true).await?;
    let broken = way(world, side, backend)?;
    broken.suffer(fault.clone());
    match fault {
        Fault::Refused => wait_until_missed([&world.alice, &world.bob][side], backend).await?,
        _ => broken.wait_for_befallen(1, PATIENCE).await?,
    }
    broken.heal();
    finish_of(world, asset, &[swap]).await?;
    books.balance(world, &[swap]).await
}

async fn play_all(options: Options, cells: &[(Backend, usize, Fault)]) -> Result<()> {
    let world = World::start(options).await?;
    for (index, (backend, side, fault)) in cells.iter().enumerate() {
        let kind = if index.is_multiple_of(2) { Kind::Out } else { Kind::In };
        let played = play(&world, *backend, *side, fault, kind).await;
        played.with_context(|| format!("{backend:?} of {side}, {fault:?}, {kind:?}\n{}", tails(&world)))?;
    }
    Ok(())
}

fn is_missing(programs: &[&str]) -> bool {
    let missing = programs.iter().find_map(|program| require(program).err());
    if let Some(missing) = &missing {
        eprintln!("SKIPPED: {missing}");
    }
    missing.is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn real_daemons_behind_a_way_that_fails_for_a_while_cost_no_satoshi() -> Result<()> {
    if is_missing(&["elementsd", "bitcoind", "lnd"]) {
        return Ok(());
    }
    let options = Options {
        liquid: liquid::Kind::Elementsd,
        bitcoin: Some(bitcoin::Kind::Bitcoind),
        lightning: lightning::Kind::Lnd,
        proxied: true,
        ..Options::default()
    };
    play_all(options, &CELLS).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_lightningd_behind_a_way_that_fails_for_a_while_costs_no_satoshi() -> Result<()> {
    if is_missing(&["bitcoind", "lightningd"]) {
        return Ok(());
    }
    let options = Options {
        lightning: lightning::Kind::Cln,
        proxied: true,
        ..Options::default()
    };
    let faults = [Fault::Refused, Fault::Hanging, Fault::Cut(40), Fault::Late(LATE)];
    // each to the side that orders, and to the other
    let cells: Vec<_> = (0..2)
        .flat_map(|side| faults.clone().map(|fault| (Backend::Lightning, side, fault)))
        .collect();
    play_all(options, &cells).await
}

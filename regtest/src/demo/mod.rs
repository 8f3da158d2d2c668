//! `cargo regtest demo`: a swap between two operators, shown to a person.
//!
//! ```text
//! options ─► terms ─► play ──does──► stage (world, both daemons' subscriptions, mempool)
//!                                      │ hears
//!                                      ▼
//!                     books, report   narrator ─► page
//! ```
//!
//! Everything goes over the public API of two `sluiced` processes; fees and sizes are read from the chain as well, and
//! every balance must come out as terms and fees say.

mod books;
mod go;
mod narrator;
mod options;
mod play;
mod report;
mod stage;
mod terms;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use sluice::api::SluiceApiClient;
use sluice::api::types::PremiumChange;
use sluice::api::view::text::sats;
use sluice::swap::Kind;
use sluice::units::Asset;

pub use options::Args;

use crate::play::page::{Page, Tone};
use crate::play::{Direction, Ending};
use crate::world::backends::name_of;
use crate::world::party::Program;
use crate::world::{Options, World, build};
use narrator::Narrator;
use report::Report;
use stage::{Side, Stage};
use terms::Terms;

/// How long a build may take before something is said about it.
const BUILD_QUIETLY: Duration = Duration::from_secs(1);

/// Shows a swap.
///
/// # Errors
/// If it does not end as it should, or a balance is not what terms and fees say.
pub async fn run(args: Args) -> Result<()> {
    let shown = async {
        match args.peer {
            Program::Sluice if args.initiator == Program::Peerswap => {
                bail!("nobody runs Go PeerSwap: say --peer peerswap")
            }
            Program::Sluice => show(&args).await,
            Program::Peerswap => go::show(&args).await,
        }
    };
    tokio::select! {
        shown = shown => shown,
        // what was started ends with the world
        interrupted = tokio::signal::ctrl_c() => {
            interrupted?;
            bail!("interrupted")
        }
    }
}

async fn show(args: &Args) -> Result<()> {
    let page = Page::new(args.json);
    let binary = built(&page).await?;
    let began = Instant::now();
    page.line(&page.paint(&title(args), Tone::Strong))?;
    let world = World::start(Options {
        executable: Some(binary.into()),
        ..args.backends.world(args.asset == Asset::Btc)
    })
    .await?;
    let channel = *world.channels.first().context("a world without channels")?;
    let terms = Terms::new(args, channel);
    set_premium(&world, &terms).await?;
    introduce(&page, args, &world, &terms).await?;
    page.fact("ready", &format!("in {:.1} s", began.elapsed().as_secs_f64()))?;
    page.heading(&format!("{:>7}  who    what happens", "seconds"))?;

    let mut stage = Stage::new(world, Narrator::new(page, terms)).await?;
    let before = books::balances(&stage).await?;
    let played = play::play(&mut stage, args.ending).await?;
    check_terms(&stage, args.ending)?;
    let ledger = books::settle(&stage, args.ending, before, &played).await?;
    ledger.show(&page)?;
    let report = Report::new(&stage, args, &played)?;
    page.hanging("", 0, &duration(args, played.total))?;
    if args.json {
        report.print()?;
    }
    Ok(())
}

fn duration(args: &Args, total: Duration) -> String {
    let real = match (args.ending, args.asset) {
        (Ending::Paid | Ending::Coop, Asset::Lbtc) => " On Liquid, with a block every minute: two minutes.",
        (Ending::Paid | Ending::Coop, Asset::Btc) => " On Bitcoin, with a block every ten minutes: half an hour.",
        (Ending::Csv, _) => " In the real world: a week.",
        (Ending::Cancel, _) => "",
    };
    format!("From order to end: {:.2} s.{real}", total.as_secs_f64())
}

async fn built(page: &Page) -> Result<std::path::PathBuf> {
    let building = build::sluiced();
    tokio::pin!(building);
    if let Ok(done) = tokio::time::timeout(BUILD_QUIETLY, &mut building).await {
        return done;
    }
    page.line("Building sluiced (the first time takes a minute or two) ...")?;
    building.await
}

fn title(args: &Args) -> String {
    let coin = match args.asset {
        Asset::Lbtc => "L-BTC",
        Asset::Btc => "BTC",
    };
    let swap = match (args.ending, args.direction) {
        (Ending::Paid, Direction::Out) => format!("a swap-out, Lightning balance for {coin}"),
        (Ending::Paid, Direction::In) => format!("a swap-in, {coin} for Lightning balance"),
        (Ending::Coop, _) => "a swap that the taker cannot pay for".to_owned(),
        (Ending::Csv, _) => "a swap whose taker is gone for good".to_owned(),
        (Ending::Cancel, _) => "a swap that is too dear".to_owned(),
    };
    format!("Sluice demo: {swap}")
}

/// Bob names his price, for both directions.
async fn set_premium(world: &World, terms: &Terms) -> Result<()> {
    for direction in [Kind::In, Kind::Out] {
        let change = PremiumChange {
            peer: None,
            asset: terms.asset,
            direction,
            ppm: Some(terms.rate.0),
        };
        world.bob.client()?.premium_set(change).await?;
    }
    Ok(())
}

async fn introduce(page: &Page, args: &Args, world: &World, terms: &Terms) -> Result<()> {
    let height = world.chains().height(terms.asset).await?;
    let chain = match terms.asset {
        Asset::Lbtc => "liquid",
        Asset::Btc => "bitcoin",
    };
    page.fact(chain, &format!("{}, block {height}", args.backends.chain(terms.asset)))?;
    let channel = format!("{}, channel {}", name_of(&args.backends.lightning), terms.channel);
    page.fact("lightning", &channel)?;
    for side in Side::BOTH {
        let operator = match side {
            Side::Alice => &world.alice,
            Side::Bob => &world.bob,
        };
        let pid = operator.daemon.pid().context("a daemon ended")?;
        page.fact(
            side.name(),
            &format!("sluiced (pid {pid}) at {}", operator.daemon.url()),
        )?;
    }
    let premium = sats(terms.premium_sat(terms.rate)?);
    page.fact(
        "swap",
        &format!("{}; bob's premium is {premium}", sats(terms.amount_sat)),
    )
}

/// A swap that was agreed to must be what was ordered, on both sides.
fn check_terms(stage: &Stage, ending: Ending) -> Result<()> {
    if ending == Ending::Cancel {
        return Ok(());
    }
    let mut views = Side::BOTH
        .into_iter()
        .filter_map(|side| Some((side, stage.view(side)?)));
    views.try_for_each(|(side, view)| stage.narrator.terms().check(side, view))
}

//! No secret in anything that a daemon writes or answers: files, logs at their loudest, answers, refusals, core dumps.

mod asked;
mod core_dumps;
mod known;
mod rescue_files;
mod written;

use anyhow::{Context as _, Result, ensure};
use sluice::swap::Kind;
use sluice::units::{Asset, SwapId};
use sluice_regtest::world::operator::Operator;
use sluice_regtest::world::{Options, World, bitcoin};

use super::orders::{finish_of, is_claimed, mine, node, order_of, request_of};
use asked::Told;
use known::{Secret, secrets};
use written::{Search, When, Written};

/// A swap of each direction on each chain, all ordered by alice.
const SWAPS: [(Kind, Asset); 4] = [
    (Kind::Out, Asset::Lbtc),
    (Kind::In, Asset::Lbtc),
    (Kind::Out, Asset::Btc),
    (Kind::In, Asset::Btc),
];

fn options() -> Options {
    Options {
        channels: SWAPS.len(),
        bitcoin: Some(bitcoin::Kind::Embedded),
        // of every crate
        arguments: vec!["--set=log.level=trace".into()],
        ..Options::default()
    }
}

/// Who claims what a swap opens.
fn taker(world: &World, kind: Kind) -> &Operator {
    match kind {
        Kind::Out => &world.alice,
        Kind::In => &world.bob,
    }
}

/// Orders every swap and waits until both sides have seen its opening.
async fn open(world: &World) -> Result<Vec<SwapId>> {
    let mut swaps = Vec::new();
    for ((kind, asset), channel) in SWAPS.iter().zip(&world.channels) {
        let request = request_of(*asset, *channel, 1_000_000);
        swaps.push(order_of(&world.alice, *kind, request).await?);
    }
    for swap in &swaps {
        for operator in [&world.alice, &world.bob] {
            let opened = |view: &sluice::api::types::SwapView| view.opening.is_some();
            world.wait_for_swap(operator, *swap, "opened", opened).await?;
        }
    }
    Ok(swaps)
}

/// Mines until every taker has paid, and published its claim.
async fn claim(world: &World, swaps: &[SwapId]) -> Result<()> {
    mine(world, Asset::Lbtc, 2).await?;
    mine(world, Asset::Btc, 3).await?;
    for ((kind, _), swap) in SWAPS.iter().zip(swaps) {
        is_claimed(world, taker(world, *kind), *swap).await?;
    }
    Ok(())
}

/// The claims that wait for a block, in hex: what is in them is everybody's.
async fn published(world: &World) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for txid in world.liquid.mempool().await? {
        let tx = world.liquid.transaction(&txid).await?.context("it waits")?;
        found.push(elements::encode::serialize_hex(&tx));
    }
    let chain = world.bitcoin_chain()?;
    for txid in chain.mempool().await? {
        let tx = chain.transaction(&txid).await?.context("it waits")?;
        found.push(::bitcoin::consensus::encode::serialize_hex(&tx));
    }
    ensure!(found.len() == SWAPS.len(), "{} claims wait for a block", found.len());
    Ok(found)
}

async fn finish(world: &World, swaps: &[SwapId]) -> Result<()> {
    for asset in [Asset::Lbtc, Asset::Btc] {
        let of_asset = SWAPS.iter().zip(swaps).filter(|((_, of), _)| *of == asset);
        let of_asset: Vec<SwapId> = of_asset.map(|(_, swap)| *swap).collect();
        finish_of(world, asset, &of_asset).await?;
    }
    Ok(())
}

/// What was to be seen of swaps.
struct Played {
    swaps: Vec<SwapId>,
    claims: Vec<String>,
    /// All that was written and answered on the way and after it.
    moments: Vec<(When, Written)>,
}

/// Swaps from the order to the end.
async fn play(world: &mut World) -> Result<Played> {
    let told = [Told::by(&world.alice).await?, Told::by(&world.bob).await?];
    let swaps = open(world).await?;
    let mut moments = vec![(When::Unpaid, Written::below(world.folder())?)];
    // alice is the taker of the first
    let rescue = world.folder().join("off-site.rescue");
    claim(world, &swaps).await?;
    let claims = published(world).await?;
    let kept = world
        .alice
        .daemon
        .data_dir()
        .join(format!("rescue/{}.rescue", swaps[0]));
    std::fs::copy(kept, &rescue).context("the rescue file of coins at stake")?;
    moments.push((When::Claimed, Written::below(world.folder())?));
    finish(world, &swaps).await?;

    let rescue = rescue.display().to_string();
    let mut after = Written::default();
    for operator in [&world.alice, &world.bob] {
        after.join(asked::everything(world, operator, &swaps).await?);
    }
    asked::commands(&world.alice, swaps[0], &rescue, &mut after).await?;
    asked::wrong_words(&world.alice, &world.bob, &rescue, &mut after).await?;
    world.alice.daemon.terminate().await?;
    world.bob.daemon.terminate().await?;
    for told in told {
        told.into(&mut after)?;
    }
    for operator in [&world.alice, &world.bob] {
        asked::database(operator, &mut after).await?;
    }
    let macaroon = node(world, 1).macaroon_path().display().to_string();
    asked::failing_starts(&mut world.alice, &macaroon).await?;
    after.join(Written::below(world.folder())?);
    moments.push((When::Over, after));
    Ok(Played { swaps, claims, moments })
}

fn secrets_of_both(world: &World, swaps: &[SwapId]) -> Result<Vec<Secret>> {
    let mut found = secrets(world, &world.alice, 0, swaps)?;
    found.extend(secrets(world, &world.bob, 1, swaps)?);
    Ok(found)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_both_sides_of_whole_swaps_write_or_answer_holds_a_secret() -> Result<()> {
    let mut world = World::start(options()).await?;
    let Played { swaps, claims, moments } = play(&mut world).await?;
    let (_, after) = moments.last().context("there is an end")?;
    for name in ["alice", "bob"] {
        let log = after.text(&format!("{name}/sluiced.log"))?;
        ensure!(
            log.contains("TRACE") && log.contains(&swaps[0].short()),
            "{name}'s log tells all of the swaps"
        );
        ensure!(
            after.count(&format!("answers of {name}")) > 20,
            "every answer of {name} is here"
        );
        ensure!(
            after
                .text(&format!("sluice of {name}: db export"))?
                .contains(&swaps[3].to_string())
        );
    }
    let secrets = secrets_of_both(&world, &swaps)?;
    let mut search = Search::for_all(&secrets, &claims)?;
    let leaks: Vec<String> = moments
        .iter()
        .flat_map(|(when, written)| search.leaks(written, *when))
        .collect();
    ensure!(leaks.is_empty(), "{}", leaks.join("\n"));
    let idle = search.idle();
    ensure!(
        idle.is_empty(),
        "these places keep no secret and need not be allowed to: {idle:?}"
    );
    Ok(())
}

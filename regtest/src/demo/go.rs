//! The demo with Go PeerSwap as the peer: alice runs Sluice, bob `peerswapd`, on real nodes and chains.

use std::time::Instant;

use anyhow::{Result, bail};
use bitcoin::Amount;
use sluice::api::view::text::sats;

use super::options::Args;
use super::{built, duration};
use crate::play::Ending;
use crate::play::page::{Page, Tone};
use crate::play::row::Row;
use crate::play::script;
use crate::play::story::Story;
use crate::world::backends::name_of;
use crate::world::pair::{Options, Pair};
use crate::world::party::Program;
use crate::world::side::Side;
use crate::world::{lightning, liquid};

/// Shows a swap.
///
/// # Errors
/// If a daemon is missing, the swap does not end as it should, or a balance is not what terms and fees say.
pub(super) async fn show(args: &Args) -> Result<()> {
    if args.json {
        bail!(
            "--json is for swaps of Sluice with itself; cargo regtest matrix plays swaps with Go PeerSwap for programs"
        );
    }
    let row = Row {
        programs: [Program::Sluice, Program::Peerswap],
        lightning: lightning::Kind::Lnd,
        initiator: match args.initiator {
            Program::Sluice => Side::Alice,
            Program::Peerswap => Side::Bob,
        },
        kind: args.direction.into(),
        asset: args.asset,
        ending: args.ending,
    };
    if let Some(missing) = row.missing() {
        bail!("a swap with Go PeerSwap needs real daemons: {missing}");
    }
    let page = Page::new(false);
    let binary = built(&page).await?;
    let began = Instant::now();
    page.line(&page.paint(&title(args), Tone::Strong))?;
    let mut pair = Pair::start(&Options {
        programs: row.programs,
        liquid: liquid::Kind::Elementsd,
        lightning: row.lightning,
        assets: vec![row.asset],
        binary: Some(binary),
    })
    .await?;
    introduce(&page, args, &row, &pair).await?;
    page.fact("ready", &format!("in {:.1} s", began.elapsed().as_secs_f64()))?;
    page.heading(&format!("{:>7}  who    what happens", "seconds"))?;
    let ordered = Instant::now();
    let story = Story::on(page);
    let ledger = script::play(&mut pair, &row, Amount::from_sat(args.amount), &story).await?;
    ledger.show(&page)?;
    page.hanging("", 0, &duration(args, ordered.elapsed()))
}

fn title(args: &Args) -> String {
    let end = match args.ending {
        Ending::Paid => "a swap",
        Ending::Coop => "a swap that the taker cannot pay for",
        Ending::Csv => "a swap whose taker is gone for a week",
        Ending::Cancel => "a swap that is too dear",
    };
    let (from, to) = match args.initiator {
        Program::Sluice => ("Sluice", "Go PeerSwap"),
        Program::Peerswap => ("Go PeerSwap", "Sluice"),
    };
    format!("Sluice demo: {end}, {from} asks {to}")
}

async fn introduce(page: &Page, args: &Args, row: &Row, pair: &Pair) -> Result<()> {
    let height = pair.liquid.height().await?;
    page.fact(
        "liquid",
        &format!("{}, block {height}", name_of(&liquid::Kind::Elementsd)),
    )?;
    let channel = format!("{}, channel {}", name_of(&row.lightning), pair.channel);
    page.fact("lightning", &channel)?;
    for side in Side::BOTH {
        page.fact(side.name(), &pair.party(side).introduction())?;
    }
    let premium = sats(script::premium(Amount::from_sat(args.amount))?.unsigned_abs());
    let responder = row.initiator.other().name();
    page.fact(
        "swap",
        &format!("{}; {responder}'s premium is {premium}", sats(args.amount)),
    )
}

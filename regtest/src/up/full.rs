//! `cargo regtest up`: the whole world.

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::place::Place;
use super::site::Site;
use super::stay::{Ending, stay};
use super::{Common, env, screen};
use crate::world::{Options, World, bitcoin, build, lightning, liquid};

/// How long both daemons may take to end; then they are killed.
const GRACE: Duration = Duration::from_millis(700);

/// How.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which Liquid
    #[arg(long, value_enum, default_value_t = liquid::Kind::Embedded)]
    liquid: liquid::Kind,
    /// Which Bitcoin BTC is swapped on; without it the world swaps L-BTC alone
    #[arg(long, value_enum)]
    bitcoin: Option<bitcoin::Kind>,
    /// Which Lightning
    #[arg(long, value_enum, default_value_t = lightning::Kind::Embedded)]
    lightning: lightning::Kind,
    /// Channels between the nodes, of ten million satoshi each, half on either side
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=100))]
    channels: u8,
    #[command(flatten)]
    common: Common,
}

pub(super) async fn run(args: Args) -> Result<()> {
    let mut ending = Ending::listen()?;
    let place = Place::claim(args.common.world.as_deref())?;
    let start = start(&args);
    let (mut world, took) = tokio::select! {
        world = start => world?,
        () = ending.come() => return Ok(()),
    };
    let sluice = build::sluiced().await?.with_file_name("sluice");
    let site = Site::of_world(&place, &world).await?;
    env::write(&site, Some(&sluice))?;
    let ready = || {
        let text = match args.common.json {
            true => serde_json::to_string(&site)? + "\n",
            false => screen::text(&site, Some(&sluice), took, args.common.block_time)?,
        };
        Ok(std::io::stdout().write_all(text.as_bytes())?)
    };
    let stayed = stay(&place, world.chains(), &args.common, ready, &mut ending).await;
    end(&mut world).await;
    stayed
}

async fn start(args: &Args) -> Result<(World, Duration)> {
    if !args.common.json {
        writeln!(std::io::stderr(), "building sluiced, if it is not built yet")?;
    }
    let binary = build::sluiced().await?;
    let began = Instant::now();
    let options = Options {
        liquid: args.liquid,
        bitcoin: args.bitcoin,
        lightning: args.lightning,
        channels: args.channels.into(),
        executable: Some(binary.into()),
        state: args.common.state.clone(),
        ..Options::default()
    };
    Ok((World::start(options).await?, began.elapsed()))
}

/// Both daemons are asked to end; what does not is killed when the world is dropped.
async fn end(world: &mut World) {
    let both = futures::future::join(world.alice.daemon.terminate(), world.bob.daemon.terminate());
    drop(tokio::time::timeout(GRACE, both).await);
}

//! A world that is played in for as long as it serves.

use std::path::Path;

use anyhow::Result;
use bitcoin::Amount;
use sluice::api::SluiceApiClient;
use sluice::api::types::{PeerRef, PremiumChange};
use sluice::swap::Kind;
use sluice::units::{Asset, Ppm};

use super::knife::{Act, Desk, Orders};
use super::plan::{Plan, Task};
use super::play::{self, Played, Tempo};
use super::{Args, SLUICED};
use crate::world::sluiced::Executable;
use crate::world::{Options, World};

/// What bob asks for, as `play::script` reckons.
const RATE: Ppm = Ppm(1_500);
/// What each wallet is given: enough for hundreds of swaps in one direction.
const WALLET: Amount = Amount::from_sat(1_000_000_000);
/// Blocks after which a world has become slow.
const OLD: u32 = 60_000;

/// Plays tasks until there are none.
pub(super) async fn work(plan: &Plan, args: &Args, program: &Path) -> Result<()> {
    let mut bench = Bench {
        options: options(args, program, plan.wants_bitcoin()),
        epoch: 0,
        world: None,
    };
    while let Some(task) = plan.next().await {
        let played = bench.play(&task, plan.tempo()).await;
        if played.is_err() {
            // Whatever state it is in, the next one begins in another.
            bench.world = None;
        }
        plan.done(&task, played);
    }
    Ok(())
}

struct Bench {
    options: Options,
    epoch: u64,
    world: Option<World>,
}

impl Bench {
    async fn play(&mut self, task: &Task, tempo: Tempo) -> Result<Played> {
        let asset = task.script.asset;
        let is_old = match &self.world {
            Some(world) => world.chains().height(asset).await? > OLD,
            None => false,
        };
        if is_old {
            self.world = None;
        }
        let world = match &mut self.world {
            Some(world) => world,
            none => none.insert(start(self.options.clone()).await?),
        };
        if task.script.is_left() {
            self.epoch += 1;
            pardon(world, self.epoch).await?;
        }
        play::play(world, &mut self.epoch, task.script, task.cut.as_ref(), tempo).await
    }
}

/// Has the operators forget what they hold against each other: a taker that strands opening after opening would be
/// quarantined. No orders of an earlier swap hold meanwhile.
async fn pardon(world: &World, epoch: u64) -> Result<()> {
    for operator in [&world.alice, &world.bob] {
        Desk::beside(&operator.daemon.data_dir()).give(&Orders::live(epoch, Act::First))?;
        let peer = world.other(operator).id;
        operator.client()?.peer_release(PeerRef { peer }).await?;
    }
    Ok(())
}

fn options(args: &Args, program: &Path, bitcoin: bool) -> Options {
    Options {
        wallet: WALLET,
        executable: Some(Executable {
            path: program.to_owned(),
            first: vec![SLUICED.into()],
        }),
        ..args.backends.world(bitcoin)
    }
}

async fn start(options: Options) -> Result<World> {
    // Who starts under the knife must find orders.
    let folder = tempfile::Builder::new().prefix("sluice-chaos-").tempdir()?;
    for name in ["alice", "bob"] {
        Desk::beside(&folder.path().join(name).join("sluice")).give(&Orders::live(0, Act::First))?;
    }
    let world = World::start_in(folder, options).await?;
    for asset in world.assets() {
        set_premiums(&world, asset).await?;
    }
    Ok(world)
}

async fn set_premiums(world: &World, asset: Asset) -> Result<()> {
    for direction in [Kind::In, Kind::Out] {
        let change = PremiumChange {
            peer: None,
            asset,
            direction,
            ppm: Some(RATE.0),
        };
        world.bob.client()?.premium_set(change).await?;
    }
    Ok(())
}

//! The two operators: they order swaps over every channel, one after the other, and now and then change their minds.

use std::sync::Arc;
use std::time::Duration;

use bitcoin::Amount;
use rand::Rng;
use sluice::engine::{Engine, NewSwap};
use sluice::swap::fees::Wish;
use sluice::swap::{Kind, holds_channel};
use sluice::units::{Asset, AssetChoice, FeeRate, Ppm, Scid, SwapId};
use tokio::time::{sleep, timeout};

use crate::prices::usual_price;
use crate::world::{Who, World};

/// More than any peer asks for.
const MAX_PREMIUM: Ppm = Ppm(10_000);

/// Orders that many swaps over a channel.
pub async fn order(world: Arc<World>, scid: Scid, swaps: u32) {
    let mut begun = 0;
    while begun < swaps {
        // Nobody orders from a peer that is not there.
        if world.lock().absent.is_some() {
            sleep(Duration::from_secs(60)).await;
            continue;
        }
        make_up(&world);
        let (who, new) = draw(&world, scid);
        let engine = world.lock().engine(who);
        let Some(engine) = engine else {
            sleep(Duration::from_secs(20)).await;
            continue;
        };
        // A daemon that dies meanwhile never answers.
        let Ok(started) = timeout(Duration::from_secs(300), engine.start(new)).await else {
            continue;
        };
        match started {
            Ok(started) => {
                begun += 1;
                let id = started.swap.id;
                world.note(|| {
                    format!(
                        "{who:?} orders {}: {:?} {}",
                        id.short(),
                        started.swap.kind,
                        started.swap.terms.asset
                    )
                });
                world.lock().evidence.ordered.insert(id);
                until_free(&world, who, scid, id).await;
                // Not all at once: an outage would take them all.
                let pause = world.lock().stretch(Duration::from_secs(1), Duration::from_secs(900));
                sleep(pause).await;
            }
            Err(reason) => {
                world.lock().evidence.refused(&reason);
                sleep(Duration::from_secs(30)).await;
            }
        }
    }
}

/// The operators know why openings were left to their timelocks, and go on with each other.
fn make_up(world: &World) {
    if world.plan.absence_every.is_none() {
        return;
    }
    for who in Who::BOTH {
        let engine = world.lock().engine(who);
        for peer in engine.iter().flat_map(Engine::quarantined) {
            world.note(|| format!("{who:?} makes new swaps again"));
            // A disk may be full: then it is tried again.
            let _ = engine.as_ref().map(|engine| engine.release(peer));
        }
    }
}

fn draw(world: &World, scid: Scid) -> (Who, NewSwap) {
    let mut state = world.lock();
    let rng = &mut state.rng;
    let who = if rng.r#gen() { Who::Alice } else { Who::Bob };
    let asset = if rng.gen_range(0..10_000) < world.plan.btc {
        Asset::Btc
    } else {
        Asset::Lbtc
    };
    let new = NewSwap {
        kind: if rng.r#gen() { Kind::In } else { Kind::Out },
        scid,
        amount: Amount::from_sat(rng.gen_range(100_000..2_000_000)),
        asset: AssetChoice::One(asset),
        max_premium: MAX_PREMIUM,
        idempotency_key: None,
    };
    (who, new)
}

/// Waits until neither side's swap holds the channel, as far as they are there to be asked.
async fn until_free(world: &Arc<World>, who: Who, scid: Scid, id: SwapId) {
    let abort = world.lock().chance(world.plan.abort);
    let mut abort_after: i32 = world.lock().rng.gen_range(0..60);
    loop {
        sleep(Duration::from_secs(15)).await;
        let held = {
            let mut state = world.lock();
            Who::BOTH.map(|who| {
                let open = state.open_swaps(who);
                open.iter()
                    .any(|swap| swap.terms.scid == scid && holds_channel(&swap.state))
            })
        };
        if held == [false, false] {
            return;
        }
        hurry(world, scid);
        if abort && abort_after == 0 {
            let engine = world.lock().engine(who);
            if let Some(engine) = engine {
                world.note(|| format!("{who:?} wants out of {}", id.short()));
                // The daemon may die meanwhile: nobody waits for its answer.
                tokio::spawn(async move { engine.abort(id, "the operator changed its mind").await.map(drop) });
            }
        }
        abort_after -= 1;
    }
}

/// Now and then one of the operators does not want to wait for a block, and perhaps asks twice in a row.
fn hurry(world: &Arc<World>, scid: Scid) {
    let mut state = world.lock();
    if !state.chance(world.plan.bump) {
        return;
    }
    let who = if state.rng.r#gen() { Who::Alice } else { Who::Bob };
    let open = state.open_swaps(who);
    let swap = open.iter().find(|swap| swap.terms.scid == scid);
    let (Some(swap), Some(engine)) = (swap, state.engine(who)) else {
        return;
    };
    let (id, usual) = (swap.id, usual_price(swap.terms.asset).0);
    for _ in 0..state.rng.gen_range(1..=2) {
        let rate = state.rng.gen_bool(0.5);
        let rate = rate.then(|| FeeRate(usual * state.rng.gen_range(1..=20)));
        let pause = state.stretch(Duration::from_millis(1), Duration::from_secs(20));
        let (world, engine) = (world.clone(), engine.clone());
        // Nobody waits for the answer of a daemon that may die meanwhile.
        tokio::spawn(async move {
            sleep(pause).await;
            world.note(|| format!("{who:?} wants {} sooner: {rate:?}", id.short()));
            engine.bump(id, Wish { rate }).await.map(drop)
        });
    }
}

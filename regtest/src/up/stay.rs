//! What a world does while it is up.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use sluice::units::Asset;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::MissedTickBehavior;

use super::Common;
use super::control::Control;
use super::place::Place;
use crate::liquid::LiquidChain;
use crate::world::chains::Chains;
use crate::world::liquid::Liquid;

/// How often a chain with a state file is saved, if it changed.
const SAVE_EVERY: Duration = Duration::from_secs(1);
/// Saving may take this part of the time: a long chain is saved more rarely.
const SAVE_SHARE: u32 = 20;

/// A block of Bitcoin comes by itself with every tenth of Liquid, as in the real world.
const LIQUID_PER_BITCOIN: u64 = 10;

/// What ends a world: Ctrl-C, SIGTERM, or its terminal is closed.
pub(crate) struct Ending([Signal; 3]);

impl Ending {
    /// From now on these signals end nothing by themselves.
    pub(crate) fn listen() -> Result<Ending> {
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let [interrupt, terminate, hangup] = kinds.map(signal);
        Ok(Ending([interrupt?, terminate?, hangup?]))
    }

    /// Returns when one came.
    pub(crate) async fn come(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

/// A world's commands are answered, blocks come, the chain is saved, until the end is asked for.
///
/// # Errors
/// The chain cannot be saved, or a real node does not mine.
pub(super) async fn stay(
    place: &Place,
    chains: Chains<'_>,
    common: &Common,
    ready: impl FnOnce() -> Result<()>,
    ending: &mut Ending,
) -> Result<()> {
    let control = Control::new(chains);
    let liquid = chains.liquid;
    let listener = place.listen()?;
    ready()?;
    tokio::select! {
        () = ending.come() => {}
        () = stopped(liquid) => {}
        () = control.serve(listener) => {}
        failed = mine_by_itself(chains, common.block_time) => failed?,
        failed = save_by_itself(liquid) => failed?,
    }
    match liquid.embedded() {
        Some(chain) => save(chain),
        None => Ok(()),
    }
}

/// Returns once somebody called the method `stop` of the embedded chain.
async fn stopped(liquid: &Liquid) {
    match liquid.embedded() {
        Some(chain) => chain.stopped().await,
        None => std::future::pending().await,
    }
}

async fn mine_by_itself(chains: Chains<'_>, every: Option<Duration>) -> Result<()> {
    let Some(every) = every else {
        return std::future::pending().await;
    };
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    for ticked in 1u64.. {
        ticks.tick().await;
        chains.mine(Asset::Lbtc, 1).await.context("mining by itself")?;
        if chains.bitcoin.is_some() && ticked.is_multiple_of(LIQUID_PER_BITCOIN) {
            chains.mine(Asset::Btc, 1).await.context("mining by itself")?;
        }
    }
    Ok(())
}

async fn save_by_itself(liquid: &Liquid) -> Result<()> {
    let Some(chain) = liquid.embedded() else {
        return std::future::pending().await;
    };
    let state = || (chain.tip(), chain.mempool(), chain.calls());
    let (mut saved, mut pause) = (None, SAVE_EVERY);
    loop {
        let now = Some(state());
        if saved != now {
            let began = Instant::now();
            save(chain)?;
            saved = now;
            pause = SAVE_EVERY.max(began.elapsed() * SAVE_SHARE);
        }
        tokio::time::sleep(pause).await;
    }
}

/// Nothing without a state file.
fn save(chain: &LiquidChain) -> Result<()> {
    Ok(tokio::task::block_in_place(|| chain.save())?)
}

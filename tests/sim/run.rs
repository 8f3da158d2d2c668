//! One run: two daemons, many swaps, bad weather; then good weather until every swap has ended; then the books.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sluice::store::{Seq, Store, StoreError};
use sluice::units::Asset;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::books::{self, Endings};
use crate::node::Machine;
use crate::plan::Plan;
use crate::world::{State, Who, World};
use crate::{operator, wallet, weather};

/// The longest that the operators' orders take.
const ORDERING: Duration = Duration::from_secs(30 * 24 * 3600);
/// The longest that a swap takes once nothing goes wrong any more: Liquid's timelock is a week.
const ENDING: Duration = Duration::from_secs(12 * 24 * 3600);

/// What came of a run.
pub struct Report {
    pub plan: Plan,
    pub begun: u32,
    pub endings: Endings,
    pub faults: Vec<String>,
    /// What happened, line by line.
    pub journal: Vec<String>,
    /// Steps of both daemons, as their databases have them.
    pub steps: [Vec<String>; 2],
    /// Why orders were refused, and how often.
    pub refusals: BTreeMap<String, u32>,
    /// How much time passed in it.
    pub simulated: Duration,
}

/// Plays a run.
///
/// # Panics
/// If it leaves anything behind: hours of runs would fill the memory.
pub fn play(plan: Plan) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    let (world, report) = runtime.unwrap().block_on(async {
        let world = World::new(plan);
        let report = live(&world).await;
        (world, report)
    });
    // The daemons hold the world by their ports.
    let daemons = std::mem::take(&mut world.lock().running);
    drop(daemons);
    assert_eq!(Arc::strong_count(&world), 1, "something of the run is left");
    report
}

async fn live(world: &Arc<World>) -> Report {
    for asset in Asset::ALL {
        wallet::endow(world.lock().ledger(asset), asset);
    }
    let machines = Who::BOTH.map(|who| Machine::new(world, who));
    for machine in &machines {
        tokio::spawn(machine.clone().keep_running());
    }
    weather::begin(world, &machines);
    tokio::select! {
        biased;
        () = world.accused() => report(world, Vec::new()),
        late = course(world, &machines) => report(world, late),
    }
}

/// Bad weather, then good weather; tells what has not come to an end.
async fn course(world: &Arc<World>, machines: &[Arc<Machine>; 2]) -> Vec<String> {
    let mut late = Vec::new();
    if timeout(ORDERING, orders(world)).await.is_err() {
        late.push("the operators' orders do not come to an end".to_owned());
    }
    world.note(|| "the world heals".into());
    world.lock().heal(machines);
    if timeout(ENDING, ended(world)).await.is_err() {
        late.push("not every swap has ended".to_owned());
    }
    late
}

async fn orders(world: &Arc<World>) {
    let scids = world.lock().lightning.scids();
    let count = world.plan.swaps;
    let mut ordering = JoinSet::new();
    for (n, scid) in (0..).zip(&scids) {
        let channels = world.plan.channels;
        let share = count / channels + u32::from(n < count % channels);
        ordering.spawn(operator::order(world.clone(), *scid, share));
    }
    while ordering.join_next().await.is_some() {}
}

/// Returns when no swap is open, nothing is in flight, every transaction is in a block and no coin is locked.
async fn ended(world: &Arc<World>) {
    loop {
        sleep(Duration::from_secs(120)).await;
        if is_quiet(&mut world.lock()) {
            // What is done at the end of the last swap is done.
            return sleep(Duration::from_millis(1)).await;
        }
    }
}

fn is_quiet(state: &mut State) -> bool {
    let up = Who::BOTH.into_iter().all(|who| state.running[who.index()].is_some());
    let open = Who::BOTH.into_iter().any(|who| !state.open_swaps(who).is_empty());
    let waiting = state.ledgers.values().any(|ledger| ledger.mempool_len() > 0);
    up && !open && !waiting && state.locked_coins().is_empty()
}

fn report(world: &World, late: Vec<String>) -> Report {
    let state = world.lock();
    let engines = Who::BOTH.map(|who| state.engine(who));
    let (mut endings, mut steps) = (Endings::default(), [Vec::new(), Vec::new()]);
    let ended_early = !state.evidence.accusations.is_empty();
    let mut faults = state.evidence.faults();
    faults.extend(late);
    for (steps, engine) in steps.iter_mut().zip(engines.iter().flatten()) {
        *steps = steps_of(engine.store());
    }
    match &engines {
        // Nothing is to be expected of its books.
        _ if ended_early => {}
        [Some(alice), Some(bob)] => match close(&state, [alice.store(), bob.store()]) {
            Ok((counted, found)) => {
                endings = counted;
                faults.extend(found);
            }
            Err(failure) => faults.push(format!("the books cannot be read: {failure}")),
        },
        _ => faults.push("a daemon is down at the end".into()),
    }
    Report {
        plan: world.plan.clone(),
        begun: state.evidence.ordered.len() as u32,
        endings,
        faults,
        journal: state.evidence.journal().to_vec(),
        steps,
        refusals: state.evidence.refusals.clone(),
        simulated: world.elapsed(),
    }
}

fn close(state: &State, stores: [&Store; 2]) -> Result<(Endings, Vec<String>), StoreError> {
    let (endings, mut faults) = books::close(state, stores)?;
    faults.extend(state.files_left(stores)?);
    Ok((endings, faults))
}

fn steps_of(store: &Store) -> Vec<String> {
    // The disk may be without power when a run ends early.
    let rows = store.events_since(Seq(0), usize::MAX).unwrap_or_default();
    let line = |row: &sluice::store::JournalRow| {
        let (before, event) = (
            row.before.as_deref().unwrap_or("-"),
            row.event.as_deref().unwrap_or("-"),
        );
        format!(
            "{} {} {before} -> {}: {event}",
            row.at.0,
            row.swap_id.short(),
            row.after
        )
    };
    rows.iter().map(line).collect()
}

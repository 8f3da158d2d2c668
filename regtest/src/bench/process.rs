//! What the daemon's process takes, as the system counts it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use sluice::api::SluiceApiClient;
use sluice::api::types::SwapFilter;

use super::Bench;
use super::figures::Figures;
use crate::world::operator::Operator;

/// The most that an idle daemon holds, in MiB.
const IDLE_MIB: f64 = 20.0;
/// The most of a core that an idle daemon takes, in percent.
const IDLE_PERCENT: f64 = 0.1;
/// The most from a daemon's start to its first answer, in ms.
const START_MS: f64 = 1000.0;
/// Linux counts a process's time in hundredths of a second (proc(5), `USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

/// Memory, processor time and calls of daemons that have nothing to do.
pub(super) async fn idle(world: &Bench, time: Duration, figures: &mut Figures) -> Result<()> {
    memory(world, "resident memory, idle", IDLE_MIB, figures);
    processor(world, "processor time, idle", time, Some(IDLE_PERCENT), figures).await
}

/// Processor time of both daemons while nothing happens, and the calls they make meanwhile.
pub(super) async fn processor(
    world: &Bench,
    what: &str,
    time: Duration,
    target: Option<f64>,
    figures: &mut Figures,
) -> Result<()> {
    let both = [&world.alice, &world.bob];
    let before = both.map(cpu);
    super::waiting::reset_calls(world);
    let began = Instant::now();
    tokio::time::sleep(time).await;
    let passed = began.elapsed().as_secs_f64();
    let mut percents = Vec::new();
    for (operator, before) in both.into_iter().zip(before) {
        let used = cpu(operator)?.saturating_sub(before?);
        percents.push(used.as_secs_f64() / passed * 100.0);
    }
    figures.add(what, "% of a core", percents, target);
    super::waiting::add_calls(
        world,
        &format!("{what}: calls to the chain's node a minute"),
        passed / 60.0,
        None,
        figures,
    );
    Ok(())
}

/// Resident memory of both daemons.
pub(super) fn memory(world: &Bench, what: &str, target_mib: f64, figures: &mut Figures) {
    let both = [&world.alice, &world.bob].into_iter();
    let mib = both.filter_map(|operator| operator.daemon.rss_kib());
    // A daemon's memory is far below 2^52 KiB.
    #[expect(clippy::cast_precision_loss)]
    let mib = mib.map(|kib| kib as f64 / 1024.0).collect();
    figures.add(what, "MiB", mib, Some(target_mib));
}

/// Stops bob's daemon as an operator would, starts it again, and sees that it has taken up its swaps.
pub(super) async fn start_again(world: &mut Bench, what: &str, open: usize, figures: &mut Figures) -> Result<()> {
    let mut times = Vec::new();
    for _ in 0..3 {
        world.bob.daemon.terminate().await?;
        times.push(world.bob.daemon.begin().await?.as_secs_f64() * 1000.0);
        let active = SwapFilter {
            active_only: true,
            ..SwapFilter::default()
        };
        let total = world.bob.client()?.swap_list(active).await?.total;
        crate::world::expect_equal("the swaps taken up", &total, &u64::try_from(open)?)?;
    }
    figures.add(what, "ms", times, Some(START_MS));
    Ok(())
}

/// Time that a daemon's process has spent in itself and in the system for it.
fn cpu(operator: &Operator) -> Result<Duration> {
    let pid = operator.daemon.pid().context("the daemon does not run")?;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name in brackets may hold anything; after it come state, …, utime (14th of all) and stime.
    let (_, fields) = stat.rsplit_once(')').context("a line of /proc without a name")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |place: usize| -> Result<u32> { Ok(fields.get(place).context("a short line of /proc")?.parse()?) };
    Ok(TICK * (ticks(11)? + ticks(12)?))
}

//! Many runs, on every core, and what is said of them.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use crate::books::Endings;
use crate::run::Report;
use crate::{SWAPS_PER_RUN, run};

/// Between two lines about how far it is.
const PROGRESS: Duration = Duration::from_secs(60);

impl Report {
    /// Fails with everything that is known if something was lost.
    pub fn check(&self) {
        if self.faults.is_empty() {
            return;
        }
        self.print_journal();
        panic!(
            "{} faults:\n  {}\nplay it again: SIM_SEED={} cargo test --test sim one_run",
            self.faults.len(),
            self.faults.join("\n  "),
            self.plan.seed
        );
    }

    pub fn print_journal(&self) {
        println!("{:#?}", self.plan);
        for line in &self.journal {
            println!("{line}");
        }
        for (name, steps) in ["alice", "bob"].iter().zip(&self.steps) {
            for step in steps {
                println!("{name} {step}");
            }
        }
        println!("orders refused: {:#?}", self.refusals);
        println!("{} swaps in {:?}: {:?}", self.begun, self.simulated, self.endings);
    }
}

/// What all runs together came to.
#[derive(Default)]
struct Sum {
    begun: u64,
    steps: u64,
    endings: Endings,
    simulated: Duration,
    told: Duration,
}

impl Sum {
    fn add(&mut self, report: &Report) {
        self.begun += u64::from(report.begun);
        self.steps += report.steps.iter().map(|steps| steps.len() as u64).sum::<u64>();
        self.endings.swapped += report.endings.swapped;
        self.endings.refunded += report.endings.refunded;
        self.endings.by_csv += report.endings.by_csv;
        self.endings.canceled += report.endings.canceled;
        self.endings.proven += report.endings.proven;
        self.simulated += report.simulated;
    }

    fn tell(&self, wanted: u64, took: Duration) {
        let Endings {
            swapped,
            refunded,
            by_csv,
            canceled,
            proven,
        } = self.endings;
        let (begun, steps) = (self.begun, self.steps);
        let rate = begun as f64 / took.as_secs_f64();
        let days = self.simulated.as_secs() / 86_400;
        println!(
            "{begun} of {wanted} swaps: {swapped} swapped, {refunded} refunded ({by_csv} by timelock), {canceled} came to \
             nothing; {proven} with real proofs; {steps} steps committed, {days} days simulated in {} s ({rate:.0} swaps/s)",
            took.as_secs()
        );
    }
}

/// Plays runs from that seed on until so many swaps have begun.
pub fn many(swaps: u64, seed: u64) {
    let runs = swaps.div_ceil(u64::from(SWAPS_PER_RUN));
    let (next, failed, sum) = (AtomicU64::new(0), AtomicBool::new(false), Mutex::new(Sum::default()));
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while !failed.load(Ordering::Relaxed) {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= runs {
                        return;
                    }
                    let report = run(seed + n);
                    if !report.faults.is_empty() {
                        failed.store(true, Ordering::Relaxed);
                        report.check();
                    }
                    let mut sum = sum.lock().unwrap();
                    sum.add(&report);
                    if began.elapsed() >= sum.told + PROGRESS {
                        sum.told = began.elapsed();
                        sum.tell(swaps, began.elapsed());
                    }
                }
            });
        }
    });
    sum.lock().unwrap().tell(swaps, began.elapsed());
}

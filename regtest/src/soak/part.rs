//! What a soak is made of.

use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

use super::turn::Turn;
use super::{Place, WORKSPACE};
use crate::chaos;
use crate::daemons;
use crate::world::lightning;

/// Swaps of one turn of the simulation, about a minute. Seeds of turns are as far from each other: no run is played
/// twice.
const SIMULATED: u64 = 5_000;
/// Far from the seeds of tests and CI.
const FIRST_SEED: u64 = 1_000_000;
/// Seconds of one turn of a fuzz target.
const FUZZED_SECS: u64 = 300;
/// The targets in `fuzz/`.
const TARGETS: [&str; 6] = ["wire", "opening", "invoice", "record", "config", "rpc"];

/// Something that looks for a loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Two daemons in a simulated world.
    Simulation,
    /// Daemons cut off at every boundary, in the embedded world.
    Chaos,
    /// The same, with elementsd, bitcoind and lnd.
    ChaosOnDaemons,
    /// Outages, reorgs, hostile peers.
    Faults,
    /// Every kind of swap on real daemons.
    Matrix,
    /// Input that nobody would think of.
    Fuzz(&'static str),
}

impl Part {
    pub(super) fn all() -> impl Iterator<Item = Part> {
        use Part::{Chaos, ChaosOnDaemons, Faults, Fuzz, Matrix, Simulation};
        let played = [Simulation, Chaos, ChaosOnDaemons, Faults, Matrix];
        played.into_iter().chain(TARGETS.map(Fuzz))
    }

    pub(super) fn name(self) -> String {
        match self {
            Part::Simulation => "simulation".into(),
            Part::Chaos => "chaos".into(),
            Part::ChaosOnDaemons => "chaos on daemons".into(),
            Part::Faults => "faults".into(),
            Part::Matrix => "matrix".into(),
            Part::Fuzz(target) => format!("fuzz {target}"),
        }
    }

    /// What is counted: the word after the number, where its commands print it.
    pub(super) fn unit(self) -> &'static str {
        match self {
            Part::Simulation => "swaps",
            Part::Chaos | Part::ChaosOnDaemons => "cuts",
            Part::Faults => "passed",
            Part::Matrix => "ok",
            Part::Fuzz(_) => "runs",
        }
    }

    /// Its share of the time, beside those of the others.
    pub(super) fn share(self) -> u32 {
        match self {
            Part::Simulation | Part::Chaos => 6,
            Part::ChaosOnDaemons | Part::Matrix => 3,
            Part::Faults => 2,
            Part::Fuzz(_) => 1,
        }
    }

    /// What it needs and is not there; None: it can be played.
    pub(super) async fn lacks(self) -> Option<String> {
        let daemons: &[&str] = match self {
            Part::Simulation | Part::Chaos | Part::Faults => &[],
            Part::ChaosOnDaemons => &["elementsd", "bitcoind", "lnd"],
            Part::Matrix => &["elementsd", "bitcoind", "lnd", "lightningd", "peerswapd"],
            Part::Fuzz(_) => return lacks_fuzzer().await,
        };
        let lacking = daemons.iter().find_map(|program| daemons::require(program).err());
        lacking.map(|error| error.to_string())
    }

    /// Its turn of that number, from 0.
    pub(super) fn turn(self, number: u64, place: &Place) -> Turn {
        let regtest = |words: &str| Turn::regtest(&place.program.0, words);
        match self {
            Part::Simulation => Turn::cargo("test --workspace --test sim thousands -- --nocapture")
                .with("SIM_SWAPS", SIMULATED)
                .with("SIM_SEED", FIRST_SEED + number * SIMULATED),
            Part::Chaos => regtest(&chaos_of(lightning::Kind::Embedded, number)),
            Part::ChaosOnDaemons => regtest(&format!(
                "{} --liquid elementsd --bitcoin bitcoind --lightning lnd",
                chaos_of(lightning::Kind::Lnd, number)
            )),
            Part::Faults => Turn::cargo("test --workspace --test faults"),
            Part::Matrix => regtest("matrix"),
            Part::Fuzz(target) => fuzzing(target, &place.folder),
        }
    }
}

fn chaos_of(nodes: lightning::Kind, number: u64) -> String {
    let mut all = chaos::commands(nodes);
    let count = u64::try_from(all.len()).expect("a hundred");
    all.swap_remove(usize::try_from(number % count).expect("below their count"))
}

/// What is new goes beside the report: the inputs of the project grow when somebody looked at them.
fn fuzzing(target: &str, folder: &Path) -> Turn {
    let found = folder.join("corpus").join(target);
    let options = format!("-max_total_time={FUZZED_SECS} -max_len=8192 -rss_limit_mb=2048 -timeout=10");
    let artifacts = folder.join(format!("{target}-"));
    Turn::cargo(&format!("+nightly fuzz run {target}"))
        .and(found.display())
        .and(format!("fuzz/corpus/{target}"))
        .and("--")
        .words(&options)
        .and(format!("-artifact_prefix={}", artifacts.display()))
        .in_folder(found)
}

async fn lacks_fuzzer() -> Option<String> {
    let mut version = Command::new("cargo");
    version.args(["+nightly", "fuzz", "--version"]).current_dir(WORKSPACE);
    version.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let there = version.status().await.is_ok_and(|status| status.success());
    (!there).then(|| "needs a nightly compiler and cargo-fuzz".to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::Program;
    use super::*;

    #[test]
    fn turns_of_chaos_cut_every_kind_of_swap_in_every_manner_before_any_is_cut_again() {
        for (nodes, kinds) in [(lightning::Kind::Embedded, 20), (lightning::Kind::Lnd, 16)] {
            let all = kinds * 6;
            let first: BTreeSet<String> = (0..all).map(|number| chaos_of(nodes, number)).collect();
            assert_eq!(first.len(), usize::try_from(all).expect("a few"));
            assert_eq!(chaos_of(nodes, all), chaos_of(nodes, 0));
            assert_eq!(
                chaos_of(nodes, 0),
                "chaos --asset lbtc --direction out --ending paid --manner kill"
            );
        }
    }

    #[test]
    fn no_seed_is_simulated_twice() {
        let place = Place {
            folder: "/".into(),
            program: Program("/".into()),
        };
        let seed = |number| Part::Simulation.turn(number, &place).to_string();
        assert!(
            seed(0).starts_with("SIM_SWAPS=5000 SIM_SEED=1000000 cargo test"),
            "{}",
            seed(0)
        );
        assert!(seed(1).contains("SIM_SEED=1005000"), "{}", seed(1));
    }

    #[test]
    fn every_fuzz_target_is_played() {
        let there = std::fs::read_dir(Path::new(WORKSPACE).join("fuzz/fuzz_targets")).expect("the targets");
        let there: BTreeSet<String> = there
            .map(|file| {
                file.expect("a file")
                    .path()
                    .file_stem()
                    .expect("a name")
                    .display()
                    .to_string()
            })
            .collect();
        assert_eq!(there, TARGETS.map(str::to_owned).into());
    }
}

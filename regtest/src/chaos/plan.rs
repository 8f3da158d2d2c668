//! What is still to be cut, and what came of what was.

use std::collections::{HashSet, VecDeque};
use std::io::IsTerminal;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sluice::swap::Role;
use sluice::units::Asset;

use super::Args;
use super::knife::{Act, Entry};
use super::play::{Played, Tempo};
use super::script::{Cut, Ending, Manner, Script};
use super::table::{Report, Row, Violation};
use crate::world::side::Side;

/// How often a cut is tried again whose boundary the run did not pass: runs differ by what two threads do at once.
const TRIES: u32 = 8;
/// How long nothing may be seen in a world whose pace is not known yet.
const UNKNOWN: Duration = Duration::from_secs(5);
/// The shortest time after which nothing more is expected.
const SHORTEST: Duration = Duration::from_millis(250);
/// Nothing more is expected after so many times the longest wait of a swap with nothing cut.
const MARGIN: u32 = 3;
/// How often a swap is looked at.
const LOOK_AT_SWAP: Duration = Duration::from_millis(15);
/// How soon who has nothing to do looks again.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// One swap to play.
#[derive(Debug, Clone)]
pub(super) struct Task {
    pub(super) script: Script,
    /// None: it is played to see what can be cut.
    pub(super) cut: Option<Cut>,
    attempt: u32,
}

/// The queue and the results.
pub(super) struct Plan {
    roles: Vec<Role>,
    manners: Vec<Manner>,
    only: Option<super::knife::Boundary>,
    world: String,
    wants_bitcoin: bool,
    bar: ProgressBar,
    began: Instant,
    state: Mutex<State>,
}

struct State {
    queue: VecDeque<Task>,
    at_work: usize,
    known: HashSet<(String, Cut)>,
    rows: Vec<Row>,
    violations: Vec<Violation>,
    /// The longest wait of a swap with nothing cut; None: none was played yet.
    longest_wait: Option<Duration>,
}

impl Plan {
    pub(super) fn new(args: &Args, scripts: Vec<Script>, bar: bool) -> Plan {
        let roles = [Role::Maker, Role::Taker];
        let roles: Vec<Role> = roles
            .into_iter()
            .filter(|role| args.side.is_none_or(|side| side == *role))
            .collect();
        let all = <Manner as clap::ValueEnum>::value_variants().to_vec();
        let manners = if args.manner.is_empty() {
            all
        } else {
            args.manner.clone()
        };
        let rows = scripts
            .iter()
            .flat_map(|script| roles.iter().map(|role| Row::new(*script, *role)));
        let rows = rows.collect();
        let whole = |script| Task {
            script,
            cut: None,
            attempt: 0,
        };
        let mut queue: VecDeque<Task> = scripts.iter().copied().map(whole).collect();
        // of one whose taker is away nothing is learned of the pace
        if let Some(first) = scripts.first().filter(|_| scripts.iter().all(Script::is_left)) {
            queue.push_front(whole(Script {
                ending: Ending::Paid,
                ..*first
            }));
        }
        Plan {
            roles,
            manners,
            only: args.at.clone(),
            world: args.backends.to_string(),
            wants_bitcoin: scripts.iter().any(|script| script.asset == Asset::Btc),
            bar: progress(bar, queue.len()),
            began: Instant::now(),
            state: Mutex::new(State {
                queue,
                at_work: 0,
                known: HashSet::new(),
                rows,
                violations: Vec::new(),
                longest_wait: None,
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn wants_bitcoin(&self) -> bool {
        self.wants_bitcoin
    }

    /// The pace of this machine, as seen so far: it may be busy with something else.
    pub(super) fn tempo(&self) -> Tempo {
        let longest = self.state().longest_wait;
        Tempo {
            look: LOOK_AT_SWAP,
            calm: longest.map_or(UNKNOWN, |wait| (wait * MARGIN).clamp(SHORTEST, UNKNOWN)),
        }
    }

    /// The next swap to play; None once nothing can be added any more.
    pub(super) async fn next(&self) -> Option<Task> {
        loop {
            {
                let mut state = self.state();
                if let Some(task) = state.queue.pop_front() {
                    state.at_work += 1;
                    return Some(task);
                }
                if state.at_work == 0 {
                    return None;
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Takes down what came of a swap.
    pub(super) fn done(&self, task: &Task, played: Result<Played>) {
        let mut state = self.state();
        state.at_work -= 1;
        match played {
            Err(error) => {
                let command = match &task.cut {
                    Some(cut) => cut.command(&task.script, &self.world),
                    None => format!("cargo regtest chaos, {}, with nothing cut", task.script),
                };
                let why = format!("{error:#}");
                self.bar.suspend(|| eprintln!("VIOLATION: {command}\n{why}\n"));
                if let Some(row) = state.row(task) {
                    row.violations += 1;
                }
                state.violations.push(Violation { command, why });
            }
            Ok(played) => {
                // who takes coins back alone is busy for long with many blocks
                if task.cut.is_none() && !task.script.is_left() {
                    state.longest_wait = state.longest_wait.max(Some(played.longest_wait));
                }
                self.note(&mut state, task, &played);
                if let Some(cut) = &task.cut
                    && !played.met
                    && task.attempt < TRIES
                {
                    let attempt = task.attempt + 1;
                    let (script, cut) = (task.script, Some(cut.clone()));
                    state.queue.push_back(Task { script, cut, attempt });
                    self.bar.inc_length(1);
                } else if let Some(row) = state.row(task) {
                    row.add(task.cut.as_ref().map(|cut| cut.manner), played.met);
                }
            }
        }
        self.bar.inc(1);
    }

    /// Puts what was passed, and was not known, into the queue.
    fn note(&self, state: &mut State, task: &Task, played: &Played) {
        let script = task.script.to_string();
        if !state.rows.iter().any(|row| row.script == script) {
            return; // it was played for its pace alone
        }
        for side in Side::BOTH {
            let role = task.script.role(side);
            if !self.roles.contains(&role) {
                continue;
            }
            let passed = &played.passed[side.index()];
            for entry in passed.iter().filter(|entry| is_of_script(task, role, entry)) {
                for manner in self.manners.iter().filter(|manner| manner.fits(entry)) {
                    let cut = Cut {
                        role,
                        manner: *manner,
                        at: entry.boundary.clone(),
                    };
                    let wanted = self.only.as_ref().is_none_or(|only| *only == cut.at);
                    if wanted && state.known.insert((script.clone(), cut.clone())) {
                        state.queue.push_back(Task {
                            script: task.script,
                            cut: Some(cut),
                            attempt: 0,
                        });
                        self.bar.inc_length(1);
                    }
                }
            }
        }
    }

    pub(super) fn into_report(self) -> Report {
        self.bar.finish_and_clear();
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut rows = state.rows;
        for row in &mut rows {
            let of_row = state.known.iter().filter(|(script, cut)| {
                *script == row.script && cut.role == row.role() && Some(&cut.manner) == self.manners.first()
            });
            row.boundaries = of_row.count();
        }
        Report::new(rows, state.violations, self.began.elapsed())
    }
}

/// What a daemon passes after a cut belongs to the cut, as does all that its peer passes, which may see the swap go
/// another way; what it passes when it comes back as the script says, to the script.
fn is_of_script(task: &Task, role: Role, entry: &Entry) -> bool {
    match &task.cut {
        None => true,
        Some(cut) => cut.role == role && entry.boundary.act == Act::First,
    }
}

impl State {
    /// The row of a cut; None for a swap that was played to see what can be cut.
    fn row(&mut self, task: &Task) -> Option<&mut Row> {
        let role = task.cut.as_ref()?.role;
        let script = task.script.to_string();
        self.rows
            .iter_mut()
            .find(|row| row.script == script && row.role() == role)
    }
}

fn progress(wanted: bool, tasks: usize) -> ProgressBar {
    let target = if wanted && std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let style = ProgressStyle::with_template("{bar:30} {pos} of {len} swaps, {elapsed}, {eta} left");
    let bar = ProgressBar::with_draw_target(Some(tasks as u64), target);
    bar.with_style(style.expect("the template is one"))
}

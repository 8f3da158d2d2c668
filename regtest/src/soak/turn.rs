//! One command, played to its end.

use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::process::{Child, Command};

use super::WORKSPACE;
use crate::up::Ending;
use crate::world::build;

/// A turn that takes longer is one that hangs.
const LIMIT: Duration = Duration::from_secs(3 * 3600);
/// How long what is interrupted may take to put its daemons away.
const GRACE: Duration = Duration::from_secs(15);
/// Between two looks at whether it has ended.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The last lines of what failed that are shown.
const TAIL: usize = 20;

/// A command. What it prints goes into a log; it fails if it says so, or prints no count.
#[derive(Debug, Clone)]
pub(super) struct Turn {
    /// How the program is called by a person.
    called: &'static str,
    program: PathBuf,
    args: Vec<String>,
    env: Vec<(&'static str, String)>,
    /// A folder that it wants to be there.
    folder: Option<PathBuf>,
    limit: Duration,
}

/// How a turn ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Well, after so many of what it counts.
    Done(u64),
    /// The last lines that it printed.
    Failed(String),
    /// By the user, who ends the soak.
    Interrupted,
}

impl Turn {
    fn new(called: &'static str, program: PathBuf, words: &str) -> Turn {
        let turn = Turn {
            called,
            program,
            args: Vec::new(),
            env: Vec::new(),
            folder: None,
            limit: LIMIT,
        };
        turn.words(words)
    }

    pub(super) fn cargo(words: &str) -> Turn {
        // not this process's CARGO: only the one in PATH knows `+nightly`
        Turn::new("cargo", "cargo".into(), words)
    }

    pub(super) fn regtest(program: &Path, words: &str) -> Turn {
        Turn::new("cargo regtest", program.to_owned(), words)
    }

    pub(super) fn words(mut self, words: &str) -> Turn {
        self.args.extend(words.split_whitespace().map(str::to_owned));
        self
    }

    pub(super) fn and(mut self, word: impl fmt::Display) -> Turn {
        self.args.push(word.to_string());
        self
    }

    pub(super) fn with(mut self, name: &'static str, value: impl fmt::Display) -> Turn {
        self.env.push((name, value.to_string()));
        self
    }

    pub(super) fn in_folder(mut self, folder: PathBuf) -> Turn {
        self.folder = Some(folder);
        self
    }

    /// Plays it, and tells `ticked` now and then how long that has taken. A log stays only if the turn failed.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub(super) async fn play(
        &self,
        log: &Path,
        unit: &str,
        ending: &mut Ending,
        mut ticked: impl FnMut(Duration),
    ) -> Result<(End, Duration)> {
        let began = Instant::now();
        let mut group = match self.start(log) {
            Ok(group) => group,
            Err(error) => return Ok((End::Failed(format!("{error:#}")), began.elapsed())),
        };
        while group.goes_on() && began.elapsed() <= self.limit {
            ticked(began.elapsed());
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = ending.come() => {
                    group.interrupt().await?;
                    return Ok((End::Interrupted, began.elapsed()));
                }
            }
        }
        let in_time = !group.goes_on();
        let status = group.interrupt().await?;
        let printed = fs::read(log).with_context(|| log.display().to_string())?;
        let success = in_time.then(|| status.success());
        let end = judge(success, &String::from_utf8_lossy(&printed), unit, self.limit);
        if matches!(end, End::Done(_)) {
            fs::remove_file(log)?;
        }
        Ok((end, began.elapsed()))
    }

    fn start(&self, log: &Path) -> Result<Group> {
        if let Some(folder) = &self.folder {
            fs::create_dir_all(folder)?;
        }
        let file = File::create(log).with_context(|| log.display().to_string())?;
        let mut command = Command::new(&self.program);
        build::forget_cargo(&mut command);
        command
            .args(&self.args)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .current_dir(WORKSPACE)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .process_group(0);
        Ok(Group(command.spawn().with_context(|| self.to_string())?))
    }
}

impl fmt::Display for Turn {
    /// As a person plays it again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.env {
            write!(f, "{name}={value} ")?;
        }
        write!(f, "{} {}", self.called, self.args.join(" "))
    }
}

/// A process and all that it starts.
struct Group(Child);

impl Group {
    /// None: it has been waited for, and its number may be another's.
    fn id(&self) -> Option<Pid> {
        self.0
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw)
    }

    fn signal(&self, signal: Signal) {
        if let Some(id) = self.id() {
            // all of it may have ended meanwhile
            let _ = kill_process_group(id, signal);
        }
    }

    /// Ends all of it, and what its first process has left behind. That one is waited for last: as long as it is not,
    /// the group's number is its own.
    async fn interrupt(&mut self) -> Result<ExitStatus> {
        if self.goes_on() {
            self.signal(Signal::INT);
        }
        let began = Instant::now();
        while began.elapsed() < GRACE && self.goes_on() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        self.signal(Signal::KILL);
        Ok(self.0.wait().await?)
    }

    fn goes_on(&self) -> bool {
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        self.id()
            .is_some_and(|id| matches!(waitid(WaitId::Pid(id), look), Ok(None)))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// `success`: None, if it had to be ended.
fn judge(success: Option<bool>, printed: &str, unit: &str, limit: Duration) -> End {
    let trouble = match (success, count(printed, unit)) {
        (Some(true), Some(count)) => return End::Done(count),
        (Some(true), None) => format!("it printed no number of `{unit}`"),
        (Some(false), _) => String::new(),
        (None, _) => format!("it did not end within {} s", limit.as_secs()),
    };
    let lines: Vec<&str> = printed.lines().collect();
    let mut tail = lines[lines.len().saturating_sub(TAIL)..].join("\n");
    tail.push('\n');
    tail.push_str(&trouble);
    End::Failed(tail.trim_end().to_owned())
}

/// The number before the last word that is `unit`.
fn count(printed: &str, unit: &str) -> Option<u64> {
    let words: Vec<&str> = printed.split_whitespace().collect();
    let mut pairs = words.windows(2).rev();
    pairs.find_map(|pair| match pair {
        [number, word] if word.trim_end_matches([',', ';', ':']) == unit => number.parse().ok(),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn shell(script: &str) -> Turn {
        Turn::new("sh", "sh".into(), "-c").and(script)
    }

    async fn play(turn: &Turn) -> (End, bool) {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let (end, _) = turn
            .play(&log, "swaps", &mut Ending::listen().unwrap(), |_| {})
            .await
            .unwrap();
        (end, log.exists())
    }

    #[test]
    fn the_count_is_read_where_each_part_prints_it() {
        for (printed, unit, expected) in [
            ("5000 of 5000 swaps: 3 swapped, 2 refunded", "swaps", Some(5000)),
            ("1 cuts in 3 s\n506 cuts in 253 s, 0 violations", "cuts", Some(506)),
            ("test result: ok. 77 passed; 0 failed", "passed", Some(77)),
            ("run 1 of 1: 80 ok, 0 FAILED, 0 skipped, in 400 s", "ok", Some(80)),
            ("Done 4711 runs in 300 second(s)", "runs", Some(4711)),
            ("no swaps", "swaps", None),
        ] {
            assert_eq!(count(printed, unit), expected, "{printed}");
        }
    }

    #[tokio::test]
    async fn a_turn_that_ends_well_is_counted_and_leaves_no_log() {
        assert_eq!(play(&shell("echo 12 swaps")).await, (End::Done(12), false));
    }

    #[tokio::test]
    async fn a_turn_that_fails_or_counts_nothing_keeps_its_log_and_shows_its_end() {
        let failing = shell("echo 12 swaps; echo a satoshi is missing >&2; exit 1");
        let (end, log) = play(&failing).await;
        assert_eq!((end, log), (End::Failed("12 swaps\na satoshi is missing".into()), true));
        let (end, log) = play(&shell("echo nothing to do")).await;
        assert_eq!(
            (end, log),
            (
                End::Failed("nothing to do\nit printed no number of `swaps`".into()),
                true
            )
        );
    }

    #[tokio::test]
    async fn a_turn_that_hangs_is_ended_and_told_so() {
        let mut hanging = shell("sleep 1000");
        hanging.limit = Duration::ZERO;
        let (end, _) = play(&hanging).await;
        assert!(
            matches!(&end, End::Failed(why) if why.contains("did not end")),
            "{end:?}"
        );
    }

    #[tokio::test]
    async fn a_turn_that_nobody_waits_for_ends_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let pid = folder.path().join("pid");
        let hanging = shell(&format!("sleep 1000 & echo $! > {}; wait", pid.display()));
        let started = async {
            loop {
                let written = fs::read_to_string(&pid).unwrap_or_default();
                if let Some(child) = written.strip_suffix('\n') {
                    return child.to_owned();
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let child = tokio::select! {
            child = started => child,
            ended = play(&hanging) => panic!("it ended: {ended:?}"),
        };
        let gone = || {
            let stat = fs::read_to_string(format!("/proc/{child}/stat"));
            stat.map_or(true, |stat| stat.contains(") Z "))
        };
        let patience = Instant::now() + Duration::from_secs(20);
        while !gone() {
            assert!(Instant::now() < patience, "what the turn started still runs");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

//! Real daemons as child processes: temporary folders, free ports of 127.0.0.1, killed by pid when dropped.
//!
//! Where a program comes from, in this order: its environment variable (`LND_EXE`, …), `PATH`, the folder that
//! `regtest/daemons/install` fills.

pub mod bitcoind;
pub mod elementsd;
pub mod lightningd;
pub mod lnd;
pub mod peerswapd;
pub mod proxy;

use std::ffi::OsStr;
use std::fs::File;
use std::future::Future;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::time::Instant;

/// Between two looks at something that a daemon is expected to show.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Lines of a daemon's output that are shown when it fails.
const TAIL: usize = 60;

/// What `regtest/daemons/install` can fetch.
const INSTALLABLE: [&str; 2] = ["bitcoind", "lnd"];

/// Where a daemon's program is, or None.
#[must_use]
pub fn find(program: &str) -> Option<PathBuf> {
    let variable = format!("{}_EXE", program.to_uppercase());
    if let Some(named) = std::env::var_os(variable).filter(|value| !value.is_empty()) {
        return Some(named.into());
    }
    let folders: Vec<PathBuf> = std::env::var_os("PATH")
        .map(|p| std::env::split_paths(&p).collect())
        .unwrap_or_default();
    let installed = installed_folder().map(|folder| folder.join(program));
    folders
        .into_iter()
        .chain(installed)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}

/// Where a daemon's program is.
///
/// # Errors
/// When it is nowhere; the text says what to set.
pub fn require(program: &str) -> Result<PathBuf> {
    let variable = format!("{}_EXE", program.to_uppercase());
    // What a variable names need not be there.
    match find(program) {
        Some(found) if found.is_file() => Ok(found),
        Some(named) => bail!("{variable} is {}, which is no file", named.display()),
        None if INSTALLABLE.contains(&program) => {
            bail!("{program} not found: set {variable}, put it into the PATH, or run regtest/daemons/install")
        }
        None => bail!("{program} not found: set {variable} or put it into the PATH"),
    }
}

/// As `regtest/daemons/install` chooses it.
fn installed_folder() -> Option<PathBuf> {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    set("SLUICE_DAEMONS_DIR").or_else(|| {
        let cache = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
        cache.map(|cache| cache.join("sluice-daemons"))
    })
}

/// A port of 127.0.0.1 that was free just now.
///
/// # Errors
/// When the system has none.
pub fn free_port() -> Result<u16> {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("a free port of 127.0.0.1")?;
    Ok(socket.local_addr()?.port())
}

/// Asks `probe` until it finds something.
///
/// # Errors
/// When the limit has passed; the text names what was waited for, and why the last look failed.
pub async fn wait_for<T, F>(what: &str, limit: Duration, mut probe: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<Option<T>>>,
{
    let until = Instant::now() + limit;
    loop {
        let last = match probe().await {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => "not yet".to_string(),
            Err(e) => format!("{e:#}"),
        };
        if Instant::now() >= until {
            bail!("waited {limit:?} for {what}: {last}");
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Sends a signal, by its name without `SIG`, to a process that the caller started.
///
/// # Errors
/// When it cannot be sent: there is no such process any more.
pub fn signal(pid: u32, name: &str) -> Result<()> {
    let sent = Command::new("kill")
        .args([format!("-{name}"), pid.to_string()])
        .status()
        .context("kill")?;
    if !sent.success() {
        bail!("process {pid} takes no signal {name}");
    }
    Ok(())
}

/// The last lines of what a daemon printed.
fn tail(output: &Path) -> String {
    let text = std::fs::read(output).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL)..].join("\n")
}

/// A running child process. Dropped, it is killed.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    output: PathBuf,
}

impl Process {
    /// Starts a program; what it prints goes to the end of `output`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start<A: AsRef<OsStr>>(name: &str, program: &Path, arguments: &[A], output: &Path) -> Result<Process> {
        let mut command = Command::new(program);
        command.args(arguments);
        Process::spawn(name, command, output)
    }

    /// Starts a command; what it prints goes to the end of `output`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn(name: &str, mut command: Command, output: &Path) -> Result<Process> {
        let open = || File::options().create(true).append(true).open(output);
        let child = command
            .stdin(Stdio::null())
            .stdout(open()?)
            .stderr(open()?)
            .spawn()
            .with_context(|| format!("cannot start {} as {name}", command.get_program().display()))?;
        Ok(Process {
            name: name.into(),
            child,
            output: output.into(),
        })
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Fails when the process has ended, with the last lines that it printed.
    ///
    /// # Errors
    /// See above.
    pub fn check(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} ended with {status}:\n{}", self.name, self.tail()),
        }
    }

    /// The last lines that it printed.
    #[must_use]
    pub fn tail(&self) -> String {
        tail(&self.output)
    }

    /// Kills it, as `kill -9` does, and waits for its end.
    pub fn kill(&mut self) {
        // Both fail only for a process that has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

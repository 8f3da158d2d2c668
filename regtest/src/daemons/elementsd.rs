//! A real elementsd on a chain of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use super::bitcoind::KEEP_CALLERS;
use super::free_port;

/// The environment variable that names the program.
pub const EXE: &str = "ELEMENTSD_EXE";
/// The chain's name: what Go PeerSwap expects of a Liquid regtest.
pub const CHAIN: &str = "liquidregtest";
/// How long it may take to start or to stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running node. Its process ends, and its folder goes, when this is dropped.
#[derive(Debug)]
pub struct Elementsd {
    exe: PathBuf,
    extra: Vec<String>,
    port: u16,
    child: Option<Child>,
    dir: TempDir,
}

/// The program: what [`EXE`] names, or `elementsd` in the PATH.
#[must_use]
pub fn find() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(EXE).filter(|named| !named.is_empty()) {
        return Some(PathBuf::from(named));
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|dir| dir.join("elementsd"))
        .find(|exe| exe.is_file())
}

impl Elementsd {
    /// Starts a node with these options besides the usual ones, and waits until it has written its cookie.
    pub async fn start(exe: &Path, extra: &[&str]) -> Result<Self> {
        let mut node = Self {
            exe: exe.to_owned(),
            extra: extra.iter().map(|&option| option.to_owned()).collect(),
            port: free_port()?,
            child: None,
            dir: TempDir::with_prefix("elementsd-")?,
        };
        node.launch().await?;
        Ok(node)
    }

    /// Where its RPC answers.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Its cookie file, another one after every start.
    #[must_use]
    pub fn cookie(&self) -> PathBuf {
        self.dir.path().join(CHAIN).join(".cookie")
    }

    /// Stops it as an operator would, and waits until it is gone.
    pub async fn stop(&mut self) -> Result<()> {
        let Some(mut child) = self.child.take() else {
            return Ok(());
        };
        let pid = child.id();
        super::signal(pid, "TERM")?;
        let deadline = Instant::now() + PATIENCE;
        while child.try_wait()?.is_none() {
            if Instant::now() > deadline {
                child.kill()?;
                child.wait()?;
                bail!("elementsd with pid {pid} did not stop within {PATIENCE:?}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Its process id, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Both fail only for a process that has ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
        // The cookie would be taken for that of the next start.
        let _ = std::fs::remove_file(self.cookie());
    }

    /// Starts it again on the same folder and port.
    pub async fn launch(&mut self) -> Result<()> {
        let child = Command::new(&self.exe)
            .arg(format!("-datadir={}", self.dir.path().display()))
            .arg(format!("-chain={CHAIN}"))
            .arg(format!("-rpcport={}", self.port))
            .args([
                "-server=1",
                "-listen=0",
                "-dnsseed=0",
                "-fixedseeds=0",
                "-printtoconsole=0",
            ])
            .args(["-rpcbind=127.0.0.1", "-rpcallowip=127.0.0.1", KEEP_CALLERS])
            // on a test chain it checks its whole index at every block: 3 ms at height 8,000, which a week of blocks feels
            .arg("-checkblockindex=0")
            // a thousand keys for each of four kinds of address take seconds
            .arg("-keypool=20")
            .args([
                "-validatepegin=0",
                "-initialfreecoins=2100000000000000",
                "-anyonecanspendaremine=1",
            ])
            .args(&self.extra)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", self.exe.display()))?;
        let child = self.child.insert(child);
        let cookie = self.dir.path().join(CHAIN).join(".cookie");
        let deadline = Instant::now() + PATIENCE;
        while !cookie.is_file() {
            if let Some(status) = child.try_wait()? {
                let mut words = String::new();
                if let Some(mut stderr) = child.stderr.take() {
                    std::io::Read::read_to_string(&mut stderr, &mut words)?;
                }
                bail!("elementsd ended with {status}: {}", words.trim());
            }
            if Instant::now() > deadline {
                bail!("elementsd wrote no cookie within {PATIENCE:?}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

impl Drop for Elementsd {
    fn drop(&mut self) {
        self.kill();
    }
}

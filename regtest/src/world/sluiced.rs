//! A `sluiced` process.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use http::{HeaderMap, HeaderValue, header};
use jsonrpsee::core::ClientError;
use jsonrpsee::http_client::HttpClient;
use jsonrpsee::ws_client::{WsClient, WsClientBuilder};
use sluice::api::SluiceApiClient;

use super::PATIENCE;
use crate::daemons::{Process, free_port, wait_for};

/// How long a call may take: `swap_wait` holds one for as long as it is told.
const CALL: Duration = Duration::from_secs(120);

/// What runs as a `sluiced`.
#[derive(Debug, Clone)]
pub struct Executable {
    /// The program.
    pub path: PathBuf,
    /// What stands before the daemon's own arguments: a program that runs the daemon among other things is told so.
    pub first: Vec<String>,
}

impl From<PathBuf> for Executable {
    fn from(path: PathBuf) -> Executable {
        let first = Vec::new();
        Executable { path, first }
    }
}

/// A `sluiced`, running or not. Dropped, it is killed.
pub struct Sluiced {
    name: String,
    executable: Executable,
    directory: PathBuf,
    arguments: Vec<String>,
    process: Option<Process>,
    port: u16,
}

impl Sluiced {
    pub(super) async fn start(
        name: &str,
        executable: Executable,
        directory: PathBuf,
        arguments: Vec<String>,
    ) -> Result<Sluiced> {
        std::fs::create_dir_all(&directory)?;
        let mut sluiced = Sluiced {
            name: name.into(),
            executable,
            directory,
            arguments,
            process: None,
            port: free_port()?,
        };
        sluiced.begin().await?;
        Ok(sluiced)
    }

    /// Starts it again, with the same folder and port, and waits until its API answers. Tells how long that took.
    ///
    /// # Errors
    /// With its last lines, if it ends or does not answer in time.
    pub async fn begin(&mut self) -> Result<Duration> {
        let began = Instant::now();
        self.launch()?;
        self.wait_until_ready().await?;
        Ok(began.elapsed())
    }

    /// Another program is started from now on: an upgrade.
    pub fn replace_program(&mut self, program: PathBuf) {
        self.executable = program.into();
    }

    /// Starts it without waiting for anything.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn launch(&mut self) -> Result<()> {
        self.launch_with(&[])
    }

    /// The same, with more arguments for this once: what they set again counts.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn launch_with(&mut self, more: &[String]) -> Result<()> {
        let mut arguments = self.executable.first.clone();
        arguments.extend([
            "--data-dir".into(),
            self.directory.join("sluice").display().to_string(),
            "--log-format=human".into(),
            "--set=log.level=info,sluice=debug".into(),
            format!("--set=api.listen=127.0.0.1:{}", self.port),
        ]);
        arguments.extend(self.arguments.iter().chain(more).cloned());
        let name = format!("{}'s sluiced", self.name);
        self.process = Some(Process::start(
            &name,
            &self.executable.path,
            &arguments,
            &self.log_path(),
        )?);
        Ok(())
    }

    /// Waits until its API answers, and every chain is there.
    ///
    /// # Errors
    /// With its last lines, if it ends or does not answer in time.
    pub async fn wait_until_ready(&mut self) -> Result<()> {
        let (url, token) = (self.url(), self.token_path());
        let process = std::cell::RefCell::new(&mut self.process);
        let what = format!("{}'s sluiced", self.name);
        let ready = wait_for(&what, PATIENCE, || async {
            if let Some(process) = process.borrow_mut().as_mut()
                && let Err(ended) = process.check()
            {
                return Ok(Some(Err(ended)));
            }
            let client = connect(&url, &token)?;
            client.policy_get().await?;
            match client.chain_list().await {
                Ok(list) => {
                    let away = list.chains.iter().find(|chain| chain.chain.is_none());
                    ensure!(away.is_none(), "{away:?}");
                }
                // an older one has no such call, and answers nothing before its chains are there
                Err(ClientError::Call(_)) => {}
                Err(error) => return Err(error.into()),
            }
            Ok(Some(Ok(())))
        });
        ready.await.with_context(|| self.tail())?
    }

    /// How it ended by itself, with its last lines; None while it runs, and after [`Sluiced::kill`].
    pub fn ended(&mut self) -> Option<String> {
        let ended = self.process.as_mut()?.check().err()?;
        Some(format!("{ended:#}"))
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Asks it to end (SIGTERM) and waits until it has. Tells how long that took.
    ///
    /// # Errors
    /// If it has not ended in time.
    pub async fn terminate(&mut self) -> Result<Duration> {
        let began = Instant::now();
        let Some(mut process) = self.process.take() else {
            return Ok(Duration::ZERO);
        };
        let pid = process.pid().to_string();
        std::process::Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .context("kill -TERM")?;
        wait_for("the daemon's end", PATIENCE, || {
            let ended = process.check().is_err().then_some(());
            async move { Ok(ended) }
        })
        .await?;
        Ok(began.elapsed())
    }

    /// Its process id, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }

    /// Where its API is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Its data folder.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.directory.join("sluice")
    }

    /// The file that its API token is in.
    #[must_use]
    pub fn token_path(&self) -> PathBuf {
        self.data_dir().join("api.token")
    }

    /// Everything that it printed.
    #[must_use]
    pub fn log_path(&self) -> PathBuf {
        self.directory.join("sluiced.log")
    }

    /// The last lines that it printed.
    #[must_use]
    pub fn tail(&self) -> String {
        let text = std::fs::read_to_string(self.log_path()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    /// A client of its API.
    ///
    /// # Errors
    /// If it has not written its token.
    pub fn client(&self) -> Result<HttpClient> {
        connect(&self.url(), &self.token_path())
    }

    /// A client of its API that can subscribe.
    ///
    /// # Errors
    /// If it has not written its token, or does not answer.
    pub async fn socket(&self) -> Result<WsClient> {
        let url = format!("ws://127.0.0.1:{}", self.port);
        let headers = authorization(&self.token_path())?;
        Ok(WsClientBuilder::new().set_headers(headers).build(url).await?)
    }

    /// Resident memory, in KiB, while it runs.
    #[must_use]
    pub fn rss_kib(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()?)).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        line.split_whitespace().nth(1)?.parse().ok()
    }
}

fn authorization(token: &Path) -> Result<HeaderMap> {
    let token = std::fs::read_to_string(token).with_context(|| format!("token {}", token.display()))?;
    let bearer = HeaderValue::from_str(&format!("Bearer {}", token.trim()))?;
    Ok(HeaderMap::from_iter([(header::AUTHORIZATION, bearer)]))
}

fn connect(url: &str, token: &Path) -> Result<HttpClient> {
    Ok(HttpClient::builder()
        .set_headers(authorization(token)?)
        .request_timeout(CALL)
        .build(url)?)
}

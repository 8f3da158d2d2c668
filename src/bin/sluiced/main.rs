//! `sluiced`: the daemon.

mod backends;
mod log;

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::{Parser, ValueEnum};
use sluice::api::server::{self, ApiHandle};
use sluice::api::service::{Service, Startup};
use sluice::api::token::Token;
use sluice::config::{Config, Sources};
use sluice::engine::{Engine, Pace, Parts};
use sluice::keys::Seed;
use sluice::store::{self, Store, StoreIdentity};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::{error, info};

/// How long calls under way may take when the daemon stops.
const GRACE: Duration = Duration::from_millis(300);

/// Swaps Lightning channel balance against L-BTC and BTC with direct peers (PeerSwap protocol v7).
#[derive(Debug, Parser)]
#[command(name = "sluiced", version)]
struct Args {
    /// The configuration file [default: sluice.toml in the data folder, if it is there]
    #[arg(long, env = "SLUICE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data folder
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// How log lines look
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<Format>,
    /// Any other key of the configuration, such as liquid.rpc_url=http://127.0.0.1:7041
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// Human on a terminal, JSON elsewhere
    Auto,
    /// Lines for people
    Human,
    /// One JSON object a line
    Json,
}

impl Args {
    fn sources(self) -> Sources {
        let mut overrides = self.overrides;
        overrides.extend(self.data_dir.map(|dir| format!("data_dir={dir}")));
        overrides.extend(self.log_format.map(|format| {
            let name = match format {
                Format::Auto => "auto",
                Format::Human => "human",
                Format::Json => "json",
            };
            format!("log.format={name}")
        }));
        Sources::of_process(self.config, overrides)
    }
}

fn main() -> ExitCode {
    let config = match Config::load(&Args::parse().sources()) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("sluiced: {error}");
            return ExitCode::from(2);
        }
    };
    if let Err(error) = log::begin(&config.log) {
        eprintln!("sluiced: {error}");
        return ExitCode::from(2);
    }
    // Two workers: the work is waiting for others, and blinding, which has threads of its own. Few of these: a hundred
    // claims that are made in the same second would take a hundred threads, and be made no sooner. Calls to bitcoind
    // hold up to four of them.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(12)
        .enable_all()
        .build();
    let runtime = runtime.expect("the system gives a runtime its threads");
    let ended = runtime.block_on(run(&config));
    runtime.shutdown_timeout(GRACE);
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(config: &Config) -> anyhow::Result<()> {
    let began = Instant::now();
    let mut stopped = stopping()?;
    tokio::select! {
        running = start(config) => {
            let (api, engine, mut asked) = running?;
            info!(api = %api.address(), ms = began.elapsed().as_millis(), "ready");
            let failed = tokio::select! {
                () = stopped.wait() => None,
                _ = asked.wait_for(|stop| *stop) => {
                    info!("asked to stop");
                    None
                }
                reason = engine.failed() => Some(reason),
            };
            api.stop(GRACE).await;
            if let Some(reason) = failed {
                bail!("{reason}");
            }
        }
        () = stopped.wait() => {}
    }
    info!("stopped; every swap goes on at the next start");
    Ok(())
}

async fn start(config: &Config) -> anyhow::Result<(ApiHandle, Engine, watch::Receiver<bool>)> {
    let mut folder = DirBuilder::new();
    let made = folder.recursive(true).mode(0o700).create(&config.data_dir);
    made.with_context(|| format!("data_dir {}", config.data_dir.display()))?;
    let listener = TcpListener::bind(config.api.listen).await;
    let listener = listener.with_context(|| format!("api.listen {}: cannot listen there", config.api.listen))?;
    let token = Token::load_or_create(&config.api.token_file)?;
    let startup = Arc::new(Startup::default());
    let (stop, asked) = watch::channel(false);
    let api = server::serve(listener, token, Service::new(startup.clone(), stop))?;
    let lightning = backends::lightning(config, &startup).await?;
    let identity = lightning.identity;
    let sides = backends::chains(config, &identity, &startup).await?;
    let identity_of_store = StoreIdentity {
        node: identity.id,
        network: identity.network.clone(),
        genesis: sides
            .iter()
            .map(|(asset, side)| (*asset, side.info().genesis))
            .collect(),
    };
    let seed = seed(&config.data_dir)?;
    let store = Store::open(&config.data_dir, &identity_of_store)?;
    let parts = Parts {
        sides,
        node: lightning.node,
        messenger: lightning.messenger,
        identity,
        clock: Arc::new(backends::SystemClock),
        store,
        seed: Arc::new(seed),
        pace: Pace::default(),
        fee_invoice_factor: config.limits.fee_invoice_factor,
    };
    let engine = Engine::start_up(parts).await?;
    startup.ready(engine.clone());
    Ok((api, engine, asked))
}

/// The seed beside the database. Where there is a database, a missing seed is a loss and not a first start: a new one
/// could not spend what the old one's swaps hold.
fn seed(data_dir: &Path) -> anyhow::Result<Seed> {
    let (path, database) = (data_dir.join("seed"), data_dir.join(store::FILE_NAME));
    if database.exists() && !path.exists() {
        bail!(
            "{} is missing, but {} is there: put the seed of this database back",
            path.display(),
            database.display()
        );
    }
    Ok(Seed::open_or_create(&path)?)
}

/// SIGTERM and SIGINT.
struct Stopping {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

fn stopping() -> anyhow::Result<Stopping> {
    Ok(Stopping {
        terminate: signal(SignalKind::terminate())?,
        interrupt: signal(SignalKind::interrupt())?,
    })
}

impl Stopping {
    async fn wait(&mut self) {
        let name = tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        };
        info!(signal = name, "stopping");
    }
}

//! `sluiced`: the daemon.

mod backends;
mod folder;
mod log;

use std::fs::DirBuilder;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::{Parser, ValueEnum};
use rand::rngs::OsRng;
use sluice::api::server::{self, ApiHandle};
use sluice::api::service::{Service, Startup};
use sluice::api::token::Token;
use sluice::config::{Config, Sources};
use sluice::engine::{Engine, Pace, Parts, RescueFolders};
use sluice::store::{self, StoreIdentity};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::{error, info, warn};

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
    /// Begin an empty database beside the seed that is there: swaps that the lost one knew are forgotten
    #[arg(long)]
    new_database: bool,
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
    let args = Args::parse();
    let new_database = args.new_database;
    let config = match Config::load(&args.sources()) {
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
    let ended = runtime.block_on(run(&config, new_database));
    runtime.shutdown_timeout(GRACE);
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!("{}", sentence(&error));
            ExitCode::FAILURE
        }
    }
}

async fn run(config: &Config, new_database: bool) -> anyhow::Result<()> {
    let began = Instant::now();
    let mut stopped = stopping()?;
    tokio::select! {
        running = start(config, new_database) => {
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

async fn start(config: &Config, new_database: bool) -> anyhow::Result<(ApiHandle, Engine, watch::Receiver<bool>)> {
    let mut folder = DirBuilder::new();
    let made = folder.recursive(true).mode(0o700).create(&config.data_dir);
    made.with_context(|| format!("data_dir {}", config.data_dir.display()))?;
    folder::check(&config.data_dir, new_database)?;
    if is_exposed(config.api.listen) {
        warn!(
            listen = %config.api.listen,
            "the API is reachable from other machines without encryption: who sees the traffic can take the token, and \
             with it the wallet's coins; set api.listen to 127.0.0.1 and come through ssh or a proxy with TLS"
        );
    }
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
    let (store, seed) = folder::open(&config.data_dir, &identity_of_store)?;
    let parts = Parts {
        sides,
        node: lightning.node,
        messenger: lightning.messenger,
        identity,
        clock: Arc::new(backends::SystemClock),
        entropy: Arc::new(OsRng),
        store,
        seed: Arc::new(seed),
        rescue: RescueFolders {
            own: config.data_dir.join("rescue"),
            copy: config.rescue.copy_dir.clone(),
        },
        pace: Pace::default(),
        fee_invoice_factor: config.limits.fee_invoice_factor,
    };
    let engine = Engine::start_up(parts).await;
    let engine = engine.with_context(|| config.data_dir.join(store::FILE_NAME).display().to_string())?;
    startup.ready(engine.clone());
    Ok((api, engine, asked))
}

/// Whether more than this machine can reach that address.
fn is_exposed(listen: SocketAddr) -> bool {
    !listen.ip().to_canonical().is_loopback()
}

/// An error with its causes, each said once: many errors name their cause in their own text.
fn sentence(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_others_can_reach_is_told_from_a_local_one() {
        for (listen, exposed) in [
            ("127.0.0.1:9738", false),
            ("[::1]:9738", false),
            ("[::ffff:127.0.0.1]:9738", false),
            ("0.0.0.0:9738", true),
            ("[::]:9738", true),
            ("192.168.1.2:9738", true),
        ] {
            assert_eq!(is_exposed(listen.parse().expect("an address")), exposed, "{listen}");
        }
    }

    #[test]
    fn a_cause_is_said_once() {
        let cause = || std::io::Error::other("disk on fire");
        let named = anyhow::Error::new(cause()).context("seed: disk on fire");
        assert_eq!(sentence(&named), "seed: disk on fire");
        let unnamed = anyhow::Error::new(cause()).context("seed");
        assert_eq!(sentence(&unnamed), "seed: disk on fire");
    }
}

//! The daemon: joins the configured adapters, the store and the engine, and keeps them until it is asked to stop.
//!
//! ```text
//! Args ─► Config ─► backends ──┐
//!                   folder  ───┼─► Seams ─► Engine ─► API
//! ```
//!
//! Knows everything. `sluiced` runs it with nothing in its [`Seams`]; the harness runs the same with a knife in each.

mod args;
mod backends;
mod chains;
mod error;
mod folder;
mod log;
mod seams;

use std::fs::DirBuilder;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::rngs::OsRng;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tracing::{error, info, warn};

use crate::api::server::{self, ApiHandle};
use crate::api::service::{Service, Startup};
use crate::api::token::Token;
use crate::config::Config;
use crate::engine::{Engine, Pace, Parts, RescueFolders};
use crate::keys::forbid_core_dumps;
use crate::node::READ_WITHIN;
use crate::store::StoreIdentity;
use chains::Connector;

pub use args::{Args, Format};
pub use error::DaemonError;
pub use seams::{Direct, Seams};

/// How long calls under way may take when the daemon stops.
const GRACE: Duration = Duration::from_millis(300);

/// Runs the daemon as a process: until SIGTERM or SIGINT, until it is asked to stop, or until it cannot go on.
/// Tells what is wrong on standard error.
pub fn main(args: Args, seams: &impl Seams) -> ExitCode {
    // before anything that is secret is read
    let undumped = forbid_core_dumps();
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
    if let Err(error) = undumped {
        warn!(%error, "core dumps cannot be forbidden: after a crash a file may hold keys");
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
    let ended = runtime.block_on(run(&config, new_database, seams));
    runtime.shutdown_timeout(GRACE);
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(config: &Config, new_database: bool, seams: &impl Seams) -> Result<(), DaemonError> {
    let began = Instant::now();
    let mut stopped = Stopping::begin().map_err(DaemonError::Signals)?;
    tokio::select! {
        running = start(config, new_database, seams) => {
            let Running { api, engine, mut asked, connector } = running?;
            info!(api = %api.address(), ms = began.elapsed().as_millis(), "ready");
            let failed = tokio::select! {
                () = stopped.wait() => None,
                () = connector.join_later(&engine) => None,
                _ = asked.wait_for(|stop| *stop) => {
                    info!("asked to stop");
                    None
                }
                reason = engine.failed() => Some(reason),
            };
            api.stop(GRACE).await;
            if let Some(reason) = failed {
                return Err(DaemonError::Failed(reason));
            }
        }
        () = stopped.wait() => {}
    }
    info!("stopped; every swap goes on at the next start");
    Ok(())
}

struct Running<'a, S> {
    api: ApiHandle,
    engine: Engine,
    /// True, once somebody asked for the end.
    asked: watch::Receiver<bool>,
    connector: Connector<'a, S>,
}

async fn start<'a, S: Seams>(
    config: &'a Config,
    new_database: bool,
    seams: &'a S,
) -> Result<Running<'a, S>, DaemonError> {
    make_folder(config)?;
    folder::check(&config.data_dir, new_database)?;
    let startup = Arc::new(Startup::default());
    let (stop, asked) = watch::channel(false);
    let api = serve(config, Service::new(startup.clone(), stop)).await?;
    let lightning = backends::lightning(config, seams.node_reads_within(READ_WITHIN), &startup).await?;
    let identity = lightning.identity;
    let connector = Connector {
        config,
        node: identity.clone(),
        seams,
    };
    let (sides, awaited) = connector.first(&startup).await?;
    let genesis = sides.iter().map(|(asset, side)| (*asset, side.info().genesis));
    let identity_of_store = StoreIdentity {
        node: identity.id,
        network: identity.network.clone(),
        genesis: genesis.collect(),
    };
    let held = folder::open(&config.data_dir, &identity_of_store, seams)?;
    let parts = Parts {
        sides,
        awaited,
        node: seams.node(lightning.node),
        messenger: seams.messenger(lightning.messenger),
        identity,
        clock: seams.clock(Arc::new(backends::SystemClock)),
        entropy: Arc::new(OsRng),
        store: held.store,
        loaded: held.loaded,
        seed: Arc::new(held.seed),
        rescue: RescueFolders {
            own: config.data_dir.join("rescue"),
            copy: config.rescue.copy_dir.clone(),
        },
        pace: seams.pace(Pace::default()),
        fee_invoice_factor: config.limits.fee_invoice_factor,
    };
    let engine = Engine::start_up(parts);
    startup.ready(engine.clone());
    Ok(Running {
        api,
        engine,
        asked,
        connector,
    })
}

fn make_folder(config: &Config) -> Result<(), DaemonError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&config.data_dir);
    made.map_err(|source| DaemonError::Folder {
        path: config.data_dir.clone(),
        source,
    })
}

/// The API, which answers from now on that the daemon is starting.
async fn serve(config: &Config, service: Service) -> Result<ApiHandle, DaemonError> {
    let address = config.api.listen;
    if is_exposed(address) {
        warn!(
            listen = %address,
            "the API is reachable from other machines without encryption: who sees the traffic can take the token, and \
             with it the wallet's coins; set api.listen to 127.0.0.1 and come through ssh or a proxy with TLS"
        );
    }
    let unusable = |source| DaemonError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(unusable)?;
    let token = Token::load_or_create(&config.api.token_file)?;
    server::serve(listener, token, service).map_err(unusable)
}

/// Whether more than this machine can reach that address.
fn is_exposed(listen: SocketAddr) -> bool {
    !listen.ip().to_canonical().is_loopback()
}

/// SIGTERM and SIGINT.
struct Stopping {
    terminate: Signal,
    interrupt: Signal,
}

impl Stopping {
    fn begin() -> std::io::Result<Stopping> {
        Ok(Stopping {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

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
}

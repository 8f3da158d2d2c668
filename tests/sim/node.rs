//! A daemon from start to crash, again and again, and what it has committed.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sluice::engine::{Engine, Pace, Parts, RescueFolders, Side};
use sluice::keys::Seed;
use sluice::policy::{Policy, Premiums};
use sluice::ports::{Clock, Entropy, SecretRng};
use sluice::store::{Store, StoreError, StoreIdentity};
use sluice::swap::{State as At, Swap};
use sluice::units::{Asset, SwapId, Timestamp};
use tempfile::TempDir;
use tokio::sync::broadcast;
use tokio::time::sleep;

use crate::chain::{self, SimChain};
use crate::disk::Disk;
use crate::ledger::Ledger;
use crate::network::SimMessenger;
use crate::payments::{self, SimNode};
use crate::plan::Plan;
use crate::planted::{self, Mistake, Planted};
use crate::port::{Life, Port};
use crate::rescue::Vault;
use crate::wallet::SimWallet;
use crate::world::{State, Who, World};

/// An engine at work.
pub struct Running {
    pub engine: Engine,
    pub life: Arc<Life>,
    pub disk: Arc<Disk>,
    changes: broadcast::Receiver<Arc<Swap>>,
    /// Every open swap, as last committed.
    open: BTreeMap<SwapId, Arc<Swap>>,
}

impl Running {
    fn new(engine: Engine, life: Arc<Life>, disk: Arc<Disk>) -> Result<Running, StoreError> {
        let changes = engine.changes();
        let open = engine.store().open_swaps()?;
        Ok(Running {
            changes,
            life,
            disk,
            open: open.into_iter().map(|swap| (swap.id, Arc::new(swap))).collect(),
            engine,
        })
    }

    /// The open swaps, as last committed.
    pub fn open(&mut self) -> &BTreeMap<SwapId, Arc<Swap>> {
        loop {
            match self.changes.try_recv() {
                Ok(swap) if matches!(swap.state, At::Closed(_)) => drop(self.open.remove(&swap.id)),
                Ok(swap) => drop(self.open.insert(swap.id, swap)),
                Err(broadcast::error::TryRecvError::Lagged(_)) => {}
                Err(_) => return &self.open,
            }
        }
    }
}

/// The daemon's clock: the world's, and what it is wrong by.
struct SimClock(Port);

#[async_trait]
impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        let skew = self.0.world.lock().skew[self.0.who.index()];
        Timestamp(self.0.world.now().0.saturating_add_signed(skew))
    }

    async fn sleep_until(&self, until: Timestamp) {
        // In steps, as the system's clock: it may be set meanwhile.
        while self.now() < until {
            sleep(until.since(self.now()).min(Duration::from_secs(30))).await;
        }
    }
}

/// Ids, keys and blinding factors, all of the run's seed.
struct SimEntropy(Mutex<StdRng>);

impl SimEntropy {
    fn new(seed: u64) -> Arc<SimEntropy> {
        Arc::new(SimEntropy(Mutex::new(StdRng::seed_from_u64(!seed))))
    }
}

impl Entropy for SimEntropy {
    fn rng(&self) -> Box<dyn SecretRng> {
        let seed: [u8; 32] = self.0.lock().unwrap().r#gen();
        Box::new(StdRng::from_seed(seed))
    }
}

/// A daemon's computer: what outlives its lives.
pub struct Machine {
    pub world: Arc<World>,
    pub who: Who,
    pub disk: Arc<Disk>,
    entropy: Arc<SimEntropy>,
    seed: Arc<Seed>,
    planted: Option<Arc<Planted>>,
    /// Where its rescue files are: real ones, in memory where the system has such a folder.
    rescue: TempDir,
}

/// A number of each daemon's own, in each run.
fn number(plan: &Plan, who: Who) -> u64 {
    plan.seed.wrapping_mul(2).wrapping_add(who.index() as u64)
}

impl Machine {
    pub fn new(world: &Arc<World>, who: Who) -> Arc<Machine> {
        let number = number(&world.plan, who);
        let mut entropy = [who.index() as u8; 16];
        entropy[..8].copy_from_slice(&world.plan.seed.to_le_bytes());
        let seed = Arc::new(Seed::from_entropy(&entropy));
        let mistake = world.plan.mistake.filter(|_| who == Who::Alice);
        let rescue = tempfile::tempdir_in("/dev/shm")
            .or_else(|_| tempfile::tempdir())
            .unwrap();
        let vault = Vault::new(rescue.path(), seed.clone());
        world.lock().vaults.insert(who, vault);
        Arc::new(Machine {
            world: world.clone(),
            who,
            disk: Disk::new(number),
            entropy: SimEntropy::new(number),
            planted: mistake.map(|mistake| Planted::new(mistake, seed.clone())),
            seed,
            rescue,
        })
    }

    /// Keeps the daemon running for as long as the run lasts.
    pub async fn keep_running(self: Arc<Machine>) {
        loop {
            let life = Arc::new(Life::default());
            match self.start(&life).await {
                Ok(engine) => {
                    let failed = tokio::select! {
                        biased;
                        () = life.over() => "it died".to_owned(),
                        reason = engine.failed() => reason,
                    };
                    if failed.contains("panicked") {
                        self.world.accuse(format!("{:?}: {failed}", self.who));
                    }
                    self.world.note(|| format!("{:?} is down: {failed}", self.who));
                }
                Err(failure) => self.world.note(|| format!("{:?} does not start: {failure}", self.who)),
            }
            life.end();
            let pause = self.down();
            sleep(pause).await;
            while self.world.lock().absent == Some(self.who) {
                sleep(Duration::from_secs(60)).await;
            }
        }
    }

    /// What a dead daemon leaves, and for how long it stays down.
    fn down(&self) -> Duration {
        let mut state = self.world.lock();
        state.running[self.who.index()] = None;
        state.inboxes.remove(&self.who);
        for asset in Asset::ALL {
            state.tips.remove(&(self.who, asset));
        }
        let longest = if state.rough && state.rng.gen_bool(0.2) {
            self.world.plan.longest_outage
        } else {
            Duration::from_secs(30)
        };
        state.stretch(Duration::from_secs(1), longest)
    }

    async fn start(&self, life: &Arc<Life>) -> Result<Engine, StoreError> {
        let identity = payments::info(&self.world.lock(), self.who);
        let genesis = Asset::ALL.map(|asset| (asset, Ledger::genesis(asset)));
        let bound_to = StoreIdentity {
            node: identity.id,
            network: identity.network.clone(),
            genesis: genesis.into(),
        };
        let name = format!("{:?}", self.who);
        let mounted = self.disk.mount(life.clone());
        let store = match self.planted.clone() {
            Some(planted) => Store::open_on(planted::disk(mounted, planted), Path::new(&name), &bound_to)?,
            None => Store::open_on(mounted, Path::new(&name), &bound_to)?,
        };
        let loaded = store.load()?;
        let port = Port {
            world: self.world.clone(),
            who: self.who,
            life: life.clone(),
        };
        let parts = Parts {
            sides: Asset::ALL.map(|asset| (asset, self.side(&port, asset))).into(),
            awaited: [].into(),
            node: planted::node(SimNode { port: port.clone() }, self.planted.as_ref()),
            messenger: Arc::new(SimMessenger { port: port.clone() }),
            identity,
            clock: Arc::new(SimClock(port)),
            entropy: self.entropy(),
            store,
            loaded,
            seed: self.seed.clone(),
            rescue: RescueFolders {
                own: planted::folder(self.rescue.path(), self.planted.as_ref()),
                copy: None,
            },
            pace: self.pace(),
            fee_invoice_factor: 3,
        };
        let engine = Engine::start_up(parts);
        self.configure(&engine)?;
        let running = Running::new(engine.clone(), life.clone(), self.disk.clone())?;
        self.world.lock().running[self.who.index()] = Some(running);
        self.world.note(|| format!("{:?} is up", self.who));
        Ok(engine)
    }

    fn side(&self, port: &Port, asset: Asset) -> Side {
        let chain = SimChain {
            port: port.clone(),
            asset,
        };
        let wallet = SimWallet {
            port: port.clone(),
            asset,
        };
        let planted = self.planted.as_ref();
        let (chain, wallet) = (planted::chain(chain, planted), planted::wallet(wallet, planted));
        Side::new(chain, wallet, chain::info(asset), None)
    }

    fn entropy(&self) -> Arc<SimEntropy> {
        match &self.planted {
            Some(planted) if planted.mistake == Mistake::RepeatsItsRandomness => {
                SimEntropy::new(number(&self.world.plan, self.who))
            }
            _ => self.entropy.clone(),
        }
    }

    fn pace(&self) -> Pace {
        Pace {
            resend: self.world.plan.resend,
            poll: Duration::from_secs(120),
            ..Pace::default()
        }
    }

    /// The operator's settings, once.
    fn configure(&self, engine: &Engine) -> Result<(), StoreError> {
        if engine.policy() != Policy::default() {
            return Ok(());
        }
        let rates = self.world.plan.rates();
        engine.update_premiums(|premiums: &mut Premiums| {
            premiums.default = rates;
            Ok::<_, StoreError>(())
        })?;
        engine.update_policy(|policy| {
            policy.accept_all_peers = true;
            Ok::<_, StoreError>(())
        })?;
        Ok(())
    }
}

impl State {
    /// The open swaps of a daemon, as last committed; none while it is down.
    pub fn open_swaps(&mut self, who: Who) -> Vec<Arc<Swap>> {
        let running = self.running[who.index()].as_mut();
        running.map_or(Vec::new(), |running| running.open().values().cloned().collect())
    }

    pub fn engine(&self, who: Who) -> Option<Engine> {
        let running = self.running[who.index()].as_ref();
        running.map(|running| running.engine.clone())
    }

    /// Ends a daemon's life, as `kill -9` does.
    pub fn kill(&mut self, who: Who) {
        if let Some(running) = &self.running[who.index()] {
            running.life.end();
        }
    }
}

//! The handle of a running chain: what tests and the harness do with it in process.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bitcoin::opcodes::OP_TRUE;
use bitcoin::script::Builder;
use bitcoin::{Amount, ScriptBuf};
use rand::RngCore;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::blocks::Chain;
use super::consensus::Reject;
use super::mempool::Mempool;
use super::node::{FAUCET, FeeMarket, Node, State, Tip};
use super::persist::{self, StateFileError};
use super::rpc::{self, Endpoint, Gate, Shown, base64};
use super::wallet::{Wallet, WalletError, wallet_seed};
use super::{Auth, Options, Orphans, Snapshot, StartError};

/// How often, and after what pause each, a port is asked for that is still in use.
const CLOSING_TRIES: u32 = 50;
const CLOSING_PAUSE: Duration = Duration::from_millis(10);

/// A running chain. It ends when this is dropped.
pub struct EmbeddedChain<L: Shown> {
    endpoint: Arc<Endpoint<L>>,
    address: SocketAddr,
    user: String,
    password: String,
    cookie_file: Option<PathBuf>,
    state_file: Option<PathBuf>,
    server: JoinHandle<()>,
    miner: Option<JoinHandle<()>>,
}

impl<L: Shown> EmbeddedChain<L> {
    /// Starts a chain and waits until it answers.
    ///
    /// # Errors
    /// The port is taken, or a file cannot be read or written.
    pub async fn start(options: Options<L>) -> Result<Self, StartError> {
        let (node, seed) = match options.state_file.as_deref().filter(|path| path.exists()) {
            Some(path) => persist::load(path, options.release)?,
            None => fresh(options.seed.unwrap_or_else(random_bytes), options.release)?,
        };
        let listener = bind(options.bind).await?;
        let address = listener.local_addr()?;
        let (user, password, cookie_file) = match options.auth {
            Auth::User { user, password } => (user, password, None),
            Auth::Cookie(path) => {
                let password = hex::encode(random_bytes());
                write_secret(&path, &format!("__cookie__:{password}"))?;
                ("__cookie__".to_owned(), password, Some(path))
            }
        };
        let endpoint = Arc::new(Endpoint {
            node: Arc::new(Mutex::new(node)),
            credentials: base64(format!("{user}:{password}").as_bytes()),
            release: options.release,
            seed,
            calls: Mutex::new(BTreeMap::new()),
            gate: watch::Sender::new(Gate::Open),
            stuck: watch::Sender::default(),
            stopped: watch::Sender::new(false),
        });
        let server = rpc::serve(endpoint.clone(), listener);
        let miner = options
            .block_time
            .map(|every| tokio::spawn(mine_by_itself(endpoint.clone(), every)));
        Ok(Self {
            endpoint,
            address,
            user,
            password,
            cookie_file,
            state_file: options.state_file,
            server,
            miner,
        })
    }

    fn node(&self) -> MutexGuard<'_, Node<L>> {
        lock_node(&self.endpoint)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:…`, for calls that need no wallet.
    pub fn rpc_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The address for calls on one wallet.
    pub fn wallet_url(&self, name: &str) -> String {
        format!("http://{}/wallet/{name}", self.address)
    }

    /// Name for basic authentication.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Password for basic authentication.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The cookie file, if that is how callers prove who they are.
    pub fn cookie_file(&self) -> Option<&Path> {
        self.cookie_file.as_deref()
    }

    /// The tip.
    pub fn tip(&self) -> Tip<L> {
        self.node().tip()
    }

    /// Follows the tip.
    pub fn watch_tip(&self) -> watch::Receiver<Tip<L>> {
        self.node().watch_tip()
    }

    /// Mines so many blocks; fees go to the faucet.
    pub fn mine(&self, blocks: u32) -> Vec<L::BlockHash> {
        mine_for_faucet(&mut self.node(), blocks)
    }

    /// Mines so many blocks to an address.
    pub fn mine_to(&self, blocks: u32, address: &L::Address) -> Vec<L::BlockHash> {
        let (mut node, script) = (self.node(), L::address_script(address));
        (0..blocks).map(|_| node.mine(&script)).collect()
    }

    /// Makes a block and what stands on it invalid. `false` for an unknown block or genesis.
    pub fn invalidate(&self, block: &L::BlockHash) -> bool {
        self.node().invalidate(block)
    }

    /// Takes that back. `false` for an unknown block.
    pub fn reconsider(&self, block: &L::BlockHash) -> bool {
        self.node().reconsider(block)
    }

    /// Replaces the last `depth` blocks by one more than that, as a longer branch would. Returns the new blocks; none if the
    /// chain is not that deep.
    pub fn reorg(&self, depth: u32, orphans: Orphans) -> Vec<L::BlockHash> {
        let mut node = self.node();
        let first = node
            .tip()
            .height
            .checked_sub(depth.saturating_sub(1))
            .filter(|height| *height > 0 && depth > 0);
        let Some(hash) = first
            .and_then(|height| node.state.chain.at(height))
            .map(|entry| entry.hash)
        else {
            return Vec::new();
        };
        node.invalidate(&hash);
        let waiting = match orphans {
            Orphans::Mined => Mempool::default(),
            Orphans::Waiting | Orphans::Dropped => std::mem::take(&mut node.state.mempool),
        };
        let blocks = mine_for_faucet(&mut node, depth + 1);
        if orphans == Orphans::Waiting {
            node.state.mempool = waiting;
        }
        blocks
    }

    /// Pays an amount from the faucet into the mempool; hidden if the address has a blinding key.
    ///
    /// # Errors
    /// More than there is, or too many payments since the last block.
    pub fn fund(&self, address: &L::Address, amount: Amount) -> Result<L::Txid, WalletError> {
        self.node().pay_from_faucet(address, amount.to_sat())
    }

    /// Mines a block of exactly these transactions, whether they wait or conflict with what waits. Fees are burnt.
    ///
    /// # Errors
    /// The consensus rule that one of them breaks.
    pub fn mine_exactly(&self, transactions: Vec<L::Transaction>) -> Result<L::BlockHash, Reject> {
        let mut node = self.node();
        let block = node.block_of(transactions, &op_true())?;
        Ok(node.connect(block))
    }

    /// Puts a transaction into the mempool.
    ///
    /// # Errors
    /// What a node refuses it for.
    pub fn broadcast(&self, tx: &L::Transaction) -> Result<L::Txid, Reject> {
        self.node().accept(tx)
    }

    /// Ids of the waiting transactions, parents before children.
    pub fn mempool(&self) -> Vec<L::Txid> {
        self.node()
            .state
            .mempool
            .in_order()
            .iter()
            .map(|entry| entry.txid)
            .collect()
    }

    /// A transaction that waits or is on the active branch.
    pub fn transaction(&self, txid: &L::Txid) -> Option<L::Transaction> {
        let node = self.node();
        let waiting = node.state.mempool.get(txid).map(|entry| (*entry.tx).clone());
        waiting.or_else(|| node.state.chain.transaction(txid).cloned())
    }

    /// Everything as it is now.
    pub fn snapshot(&self) -> Snapshot<L> {
        Snapshot(self.node().state.clone())
    }

    /// Everything as it was then.
    pub fn revert(&self, snapshot: &Snapshot<L>) {
        self.node().restore(snapshot.0.clone());
    }

    /// Writes everything to the state file of the options; nothing without one.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self) -> Result<(), StateFileError> {
        match &self.state_file {
            Some(path) => self.save_to(path),
            None => Ok(()),
        }
    }

    /// Writes everything to a file that [`Options::state_file`] can name.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save_to(&self, path: &Path) -> Result<(), StateFileError> {
        persist::save(&self.node(), &self.endpoint.seed, path)
    }

    /// RPC calls since the start or the last [`EmbeddedChain::reset_calls`], by method. Waiting calls count when they begin.
    pub fn calls(&self) -> BTreeMap<String, u64> {
        self.endpoint
            .calls
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Counts from zero again.
    pub fn reset_calls(&self) {
        self.endpoint
            .calls
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// Makes the daemon hang, go away or come back. The chain itself goes on: blocks can be mined meanwhile.
    pub fn set_gate(&self, gate: Gate) {
        self.endpoint.gate.send_replace(gate);
    }

    /// Makes the network ask for other fees; what waits already goes on waiting.
    pub fn set_market(&self, market: FeeMarket) {
        self.node().market = market;
    }

    /// What a waiting transaction pays, sat, and the size by which that is judged, vbytes.
    pub fn paid(&self, txid: &L::Txid) -> Option<(u64, u64)> {
        let node = self.node();
        node.state
            .mempool
            .get(txid)
            .map(|entry| (entry.fee_sat, entry.fee_vsize))
    }

    /// Calls of these methods are taken and wait, as in a daemon that is slow with them, until they are not named any more.
    pub fn set_stuck(&self, methods: &[&'static str]) {
        self.endpoint.stuck.send_replace(methods.to_vec());
    }

    /// Forgets what a real daemon keeps in memory alone: locks of outputs that were not persistent.
    pub fn forget_memory(&self) {
        self.node().state.wallets.values_mut().for_each(Wallet::forget_locks);
    }

    /// Returns once somebody called the method `stop`.
    pub async fn stopped(&self) {
        let mut stopped = self.endpoint.stopped.subscribe();
        drop(stopped.wait_for(|stopped| *stopped).await);
    }
}

impl<L: Shown> Drop for EmbeddedChain<L> {
    fn drop(&mut self) {
        self.endpoint.stopped.send_replace(true);
        self.endpoint.gate.send_replace(Gate::Away);
        self.server.abort();
        if let Some(miner) = &self.miner {
            miner.abort();
        }
        if let Some(path) = &self.cookie_file {
            // As the real daemon does; a file that is gone already is fine.
            drop(std::fs::remove_file(path));
        }
    }
}

fn lock_node<L: Shown>(endpoint: &Endpoint<L>) -> MutexGuard<'_, Node<L>> {
    endpoint.node.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Binds, and waits a moment for a chain on that port that was dropped just now and is still closing.
async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    for _ in 0..CLOSING_TRIES {
        match TcpListener::bind(address).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => tokio::time::sleep(CLOSING_PAUSE).await,
            bound => return bound,
        }
    }
    TcpListener::bind(address).await
}

/// A chain whose faucet has coins.
fn fresh<L: Shown>(seed: [u8; 32], release: L::Release) -> Result<(Node<L>, [u8; 32]), WalletError> {
    let faucet = Wallet::new(FAUCET, wallet_seed(&seed, FAUCET));
    let state = State {
        chain: Chain::new(),
        mempool: Mempool::default(),
        wallets: BTreeMap::from([(FAUCET.to_owned(), faucet)]),
        unloaded: BTreeMap::new(),
        mock_time: None,
    };
    let mut node = Node::new(state, release);
    L::open_faucet(&mut node)?;
    Ok((node, seed))
}

/// Mines so many blocks as nobody says whom they pay. To derive their script takes as long as all the rest of an empty one.
fn mine_for_faucet<L: Shown>(node: &mut Node<L>, blocks: u32) -> Vec<L::BlockHash> {
    let faucet = node.state.wallets.get(FAUCET);
    let script = faucet.map_or_else(op_true, Wallet::mining_script);
    (0..blocks).map(|_| node.mine(&script)).collect()
}

async fn mine_by_itself<L: Shown>(endpoint: Arc<Endpoint<L>>, every: Duration) {
    let mut ticks = tokio::time::interval(every);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        mine_for_faucet(&mut lock_node(&endpoint), 1);
    }
}

/// The script that anyone can spend.
fn op_true() -> ScriptBuf {
    Builder::new().push_opcode(OP_TRUE).into_script()
}

fn random_bytes() -> [u8; 32] {
    let mut bytes = [0; 32];
    rand::rngs::OsRng.fill_bytes(&mut bytes);
    bytes
}

/// Writes a file that only its owner can read.
fn write_secret(path: &Path, text: &str) -> io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())
}

//! The network: nodes, channels between them, and what the harness may ask or change.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bitcoin::hashes::Hash;
use bitcoin::secp256k1::{PublicKey, Secp256k1, SecretKey};
use bitcoin::{Amount, OutPoint, Txid};
use sluice::units::{Msat, PaymentHash, Scid};
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::channel::{Channel, End};
use super::node::Node;
use super::state::{HeightSource, NodeState, State, Timer};

/// How a network is made.
#[derive(Clone)]
pub struct Options {
    /// Below it every node has a folder of its own, laid out as LND's.
    pub directory: PathBuf,
    /// From a payment's call to its success, when nothing holds it.
    pub latency: Duration,
    /// Where the height of the Bitcoin chain comes from.
    pub height: Arc<dyn Fn() -> u32 + Send + Sync>,
}

impl Options {
    /// Payments of 50 ms on a chain that stands at height 200.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Options {
        Options {
            directory: directory.into(),
            latency: Duration::from_millis(50),
            height: Arc::new(|| 200),
        }
    }
}

/// A channel to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelSpec {
    /// What the funding output holds.
    pub capacity: Amount,
    /// What the other end gets of it; the rest, less the commitment's fee and anchors, is the initiator's.
    pub push: Amount,
    /// None: the next free one.
    pub scid: Option<Scid>,
    /// None: all but the reserve, as LND sets it.
    pub max_htlc: Option<Msat>,
    /// Not announced to the network.
    pub private: bool,
    /// The alias each end gave out, the initiator's first.
    pub aliases: Option<(Scid, Scid)>,
    /// Used before it confirmed: `chan_id` is an alias for good.
    pub zero_conf: bool,
}

impl ChannelSpec {
    /// An announced channel without aliases.
    #[must_use]
    pub fn new(capacity: Amount, push: Amount) -> ChannelSpec {
        ChannelSpec {
            capacity,
            push,
            scid: None,
            max_htlc: None,
            private: false,
            aliases: None,
            zero_conf: false,
        }
    }
}

/// What cannot be done to the network.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// A folder, a file or a socket.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// The node's certificate or its use.
    #[error("tls: {0}")]
    Tls(String),
    /// A channel that could not exist.
    #[error("channel of {capacity}: {reason}")]
    Channel {
        /// What was asked for.
        capacity: Amount,
        /// Why not.
        reason: &'static str,
    },
    /// No such channel at this node.
    #[error("node {node} has no channel {scid}")]
    UnknownChannel {
        /// The node's alias.
        node: String,
        /// What was asked for.
        scid: Scid,
    },
    /// More than the channel can move.
    #[error("channel {scid} can move {spendable}, {asked} was asked")]
    TooMuch {
        /// The channel.
        scid: Scid,
        /// What could move.
        spendable: Msat,
        /// What was asked for.
        asked: Msat,
    },
}

impl NetworkError {
    /// Wraps what the system said.
    pub(super) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> NetworkError {
        let what = what.into();
        move |source| NetworkError::Io { what, source }
    }
}

/// Nodes and channels in this process. Clones are the same network; it ends with the last of them.
#[derive(Clone)]
pub struct Network {
    core: Arc<Core>,
}

struct Core {
    directory: PathBuf,
    state: Mutex<State>,
    changed: watch::Sender<u64>,
    runtime: Handle,
}

impl Core {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic under the lock is a failing test; the others should not fail with it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The only way to the state: sets the timers it asked for and wakes who waits for a change.
    fn with<T>(self: &Arc<Self>, work: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let result = work(&mut state);
        let timers = std::mem::take(&mut state.timers);
        drop(state);
        for (delay, timer) in timers {
            self.set(delay, timer);
        }
        self.changed.send_modify(|count| *count += 1);
        result
    }

    fn set(self: &Arc<Self>, delay: Duration, timer: Timer) {
        let core: Weak<Core> = Arc::downgrade(self);
        self.runtime.spawn(async move {
            tokio::time::sleep(delay).await;
            if let Some(core) = core.upgrade() {
                core.with(|state| state.fire(timer));
            }
        });
    }
}

impl Network {
    /// An empty network. Must be called within a tokio runtime, which drives it.
    #[must_use]
    pub fn new(options: Options) -> Network {
        let height: HeightSource = options.height;
        Network {
            core: Arc::new(Core {
                directory: options.directory,
                state: Mutex::new(State::new(options.latency, height)),
                changed: watch::Sender::new(0),
                runtime: Handle::current(),
            }),
        }
    }

    /// Works on the state under the lock.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        self.core.with(work)
    }

    /// Reads the state; wakes nobody.
    pub(super) fn read<T>(&self, work: impl FnOnce(&State) -> T) -> T {
        work(&self.core.lock())
    }

    /// Starts a node with a key, certificate and macaroon of its own.
    ///
    /// # Errors
    /// [`NetworkError::Io`] or [`NetworkError::Tls`] when its folder or its server cannot be made.
    pub async fn add_node(&self, alias: &str) -> Result<Node, NetworkError> {
        let key = SecretKey::new(&mut rand::thread_rng());
        let id = PublicKey::from_secret_key(&Secp256k1::signing_only(), &key);
        let node = Node::create(self.clone(), id, alias, self.core.directory.join(alias))?;
        self.with(|state| state.nodes.insert(id, NodeState::new(alias.into(), key)));
        node.listen()?;
        Ok(node)
    }

    /// Connects two nodes that have no channel.
    pub fn connect(&self, one: &Node, other: &Node) {
        self.with(|state| state.link(&one.id(), &other.id()));
    }

    /// Opens a channel, confirmed and active; its nodes become peers.
    ///
    /// # Errors
    /// [`NetworkError::Channel`] when the numbers make no channel or the scid is taken.
    pub fn open_channel(&self, initiator: &Node, acceptor: &Node, spec: &ChannelSpec) -> Result<Scid, NetworkError> {
        let refuse = |reason| {
            Err(NetworkError::Channel {
                capacity: spec.capacity,
                reason,
            })
        };
        let capacity = Msat::from_amount(spec.capacity);
        let (Some(capacity), Some(push)) = (capacity, Msat::from_amount(spec.push)) else {
            return refuse("no such money");
        };
        // lnwallet, MinChanFundingSize.
        if spec.capacity < Amount::from_sat(20_000) || push >= capacity {
            return refuse("the smallest is 20000 sat, of which the initiator keeps a part");
        }
        if spec.zero_conf && spec.aliases.is_none() {
            return refuse("a zero-conf channel has aliases");
        }
        self.with(|state| {
            let next = || Scid(u64::from(state.height()) << 40 | (state.channels.len() as u64 + 1) << 16);
            let scid = spec.scid.unwrap_or_else(next);
            if state.channels.iter().any(|channel| channel.scid == scid) {
                return refuse("the scid is taken");
            }
            let aliases = spec
                .aliases
                .map_or([None, None], |(one, other)| [Some(one), Some(other)]);
            let end = |node: &Node, balance: u64, alias| End {
                node: node.id(),
                balance: Msat(balance),
                alias,
                next_htlc: 0,
            };
            let mut channel = Channel {
                scid,
                point: OutPoint::new(Txid::from_byte_array(rand::random()), 0),
                capacity: spec.capacity,
                max_htlc: capacity,
                private: spec.private,
                zero_conf: spec.zero_conf,
                enabled: true,
                announced_active: false,
                ends: [
                    end(initiator, capacity.0 - push.0, aliases[0]),
                    end(acceptor, push.0, aliases[1]),
                ],
                htlcs: Vec::new(),
            };
            let all_but_reserve = Msat((spec.capacity - channel.reserve()).to_sat() * 1_000);
            channel.max_htlc = spec.max_htlc.unwrap_or(all_but_reserve);
            state.channels.push(channel);
            state.link(&initiator.id(), &acceptor.id());
            state.announce_open(state.channels.len() - 1);
            Ok(scid)
        })
    }

    /// From now on payments take this long.
    pub fn set_latency(&self, latency: Duration) {
        self.with(|state| state.latency = latency);
    }

    /// How many HTLCs were ever sent for a hash, by anyone.
    #[must_use]
    pub fn htlcs_sent(&self, hash: PaymentHash) -> u32 {
        self.read(|state| state.htlcs_sent.get(&hash).copied().unwrap_or(0))
    }

    /// The Bitcoin chain's height as the nodes see it.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.read(State::height)
    }

    /// Waits until `probe` finds something; it is asked again after every change in the network.
    pub async fn wait_for<T>(&self, probe: impl Fn(&Network) -> Option<T>) -> T {
        let mut changes = self.core.changed.subscribe();
        loop {
            changes.borrow_and_update();
            if let Some(found) = probe(self) {
                return found;
            }
            changes.changed().await.expect("the sender is ours");
        }
    }
}

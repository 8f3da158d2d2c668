//! The seams between the engine and the world: what Sluice needs of a chain, a wallet, a Lightning node, a store.
//!
//! Adapters implement these; the engine calls them. Adapters never call back: they return a value or yield a stream.
//! What may run twice is named `ensure_…`.

pub(crate) mod untaken;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bitcoin::{Amount, ScriptBuf};
use futures::stream::BoxStream;
use rand::rngs::OsRng;
use rand::{CryptoRng, RngCore};
use tokio::sync::watch;

use crate::swap::event::{InvoiceStatus, PaymentStatus};
use crate::swap::fees::FeeRates;
use crate::swap::state::{Claim, Opening};
use crate::swap::terms::Payout;
use crate::tx::OpeningOutput;
use crate::units::{
    Asset, Blocks, CltvDelta, FeeRate, Height, Msat, NodeId, OutPoint, PaymentHash, Preimage, RawTx, Scid, SwapId,
    Timestamp, TxId,
};

/// Why a call did not do what was asked, classed by what the caller does about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    /// No answer, or not now: retry, for ever. Whether the call had an effect is not known.
    #[error("{0}")]
    Unreachable(String),
    /// Answered, and it is no: give up.
    #[error("{0}")]
    Refused(String),
    /// The answer makes no sense, or the backend is not the one it was: alarm.
    #[error("{0}")]
    Broken(String),
}

/// The tip of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tip {
    /// Its height.
    pub height: Height,
    /// Its block's hash.
    pub hash: bitcoin::BlockHash,
}

/// What a chain node is, and whether new swaps may rely on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainInfo {
    /// The node's name of the chain, such as `liquidv1`.
    pub chain: String,
    /// Hash of block 0.
    pub genesis: bitcoin::BlockHash,
    /// The policy asset's id on Liquid; None on Bitcoin.
    pub policy_asset: Option<elements::AssetId>,
    /// The node's release, as it names itself.
    pub version: String,
    /// Liquid: the node judges fees by the discounted size (ELIP-200). Else, and always on Bitcoin, by the virtual size.
    pub discount: bool,
    /// The time in the newest block.
    pub tip_time: Option<Timestamp>,
    /// Why no new swap may be made on it (syncing, unsafe release); None when all is well.
    pub unfit: Option<String>,
}

/// What to look for on a chain on behalf of one swap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    /// The swap.
    pub swap: SwapId,
    /// The opening output's script.
    pub script: ScriptBuf,
    /// The opening transaction, once it is known. Before that nothing is looked for.
    pub opening: Option<TxId>,
    /// That transaction, where the swap has it: a node may have pruned the block that holds it.
    pub tx: Option<RawTx>,
    /// Maker: the opening's inputs, whose other spends matter.
    pub inputs: Vec<OutPoint>,
    /// Blocks before this height cannot hold anything of this swap.
    pub since: Height,
}

/// A transaction found for a [`Watch`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The block that holds it; None: in the mempool.
    pub at: Option<Height>,
    /// The transaction.
    pub tx: RawTx,
}

/// What the best chain shows of a [`Watch`], all of it at one tip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// The tip it holds for.
    pub tip: Tip,
    /// The opening transaction.
    pub opening: Option<Found>,
    /// The transaction in a block that spends the opening's output with the watched script.
    pub spend: Option<Found>,
    /// A transaction in a block, other than the opening, that spends one of the watched inputs.
    pub conflict: Option<Found>,
}

/// A chain, as one node of it shows it.
#[async_trait]
pub trait Chain: Send + Sync {
    /// The asset that lives on it.
    fn asset(&self) -> Asset;
    /// What the node is.
    async fn info(&self) -> Result<ChainInfo, PortError>;
    /// The newest tip seen, pushed; None until the node has answered, and again while it does not. Closed when nobody
    /// looks any more, which is the end of the daemon.
    fn tips(&self) -> watch::Receiver<Option<Tip>>;
    /// Why the chain that the node shows may not be the one: a second node shows another. None: they agree, or there
    /// is no second node. An error means: not known now.
    async fn doubt(&self) -> Result<Option<String>, PortError>;
    /// Blocks undone by the deepest reorg that this adapter has seen.
    fn deepest_reorg(&self) -> Blocks;
    /// Asks the node for its tip now.
    async fn tip(&self) -> Result<Tip, PortError>;
    /// What the chain shows of a watch. The first call for a watch may ask the node; later ones answer from blocks
    /// already fetched.
    async fn view(&self, watch: &Watch) -> Result<Sighting, PortError>;
    /// Stops looking for a swap's transactions.
    fn forget(&self, swap: SwapId);
    /// Hands a transaction to the network. Already known, in the mempool or a block, is Ok.
    async fn broadcast(&self, tx: &RawTx) -> Result<(), PortError>;
    /// Whether an output cannot be spent, whatever the fee: no block has it unspent, and its transaction is not in the
    /// mempool either. A transaction that spends it is in a block, or can be in none as things are.
    async fn is_gone(&self, output: OutPoint) -> Result<bool, PortError>;
    /// How many transactions of the mempool stand on this one, at whatever distance: what takes its place undoes them all.
    /// None: it is not in the mempool itself.
    async fn standing_on(&self, txid: TxId) -> Result<Option<u32>, PortError>;
    /// Whether the node has a transaction in its mempool. The mempool is asked for once per block, whoever asks.
    async fn has_in_mempool(&self, tx: &RawTx) -> Result<bool, PortError>;
    /// What the network asks for, what the node takes, and what the operator allows, now. The node is asked once per
    /// block, whoever asks.
    async fn fee_rates(&self) -> Result<FeeRates, PortError>;
    /// The rate of what may as well be left, such as a new opening: within the operator's bounds. `Refused` while the
    /// node takes nothing that the operator allows.
    async fn fee_rate(&self) -> Result<FeeRate, PortError> {
        let rate = self.fee_rates().await?.for_new();
        rate.map_err(|error| PortError::Refused(error.to_string()))
    }
}

/// The wallet's money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WalletBalance {
    /// Confirmed and not locked: can be spent.
    pub spendable: Amount,
    /// Seen and not yet confirmed.
    pub pending: Amount,
    /// Locked for openings that are being made or not yet published.
    pub locked: Amount,
}

/// Why money was not sent.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SendError {
    /// The text is not an address of this chain.
    #[error("not an address of this chain")]
    Address,
    /// The wallet has too little for the amount and its fee.
    #[error("the wallet has {available} to spend, {wanted} and a fee are wanted")]
    TooLittle {
        /// What can be spent.
        available: Amount,
        /// What was to be sent.
        wanted: Amount,
    },
    /// It was told to send, and how that came out was not heard: to send again may be to pay twice.
    #[error("whether it was sent is not known: {0}")]
    Unknown(PortError),
    /// Anything else: nothing was sent.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// The operator's wallet on a chain.
#[async_trait]
pub trait Wallet: Send + Sync {
    /// Whose it is, for people.
    fn holder(&self) -> String;
    /// What it holds of the chain's asset.
    async fn balance(&self) -> Result<WalletBalance, PortError>;
    /// A fresh address.
    async fn new_address(&self, label: &str) -> Result<Payout, PortError>;
    /// Selects and locks coins, blinds and signs a transaction with that output. Never publishes it.
    /// Too little money is `Refused` with both amounts.
    async fn fund(&self, output: &OpeningOutput, rate: FeeRate) -> Result<Opening, PortError>;
    /// Locks the inputs of these openings and frees every other locked coin: openings never committed.
    async fn keep_only(&self, openings: &[Opening]) -> Result<(), PortError>;
    /// Signs a transaction that spends an input of the opening to the wallet itself, at that rate, and at no less than what
    /// takes the place of the opening, whose cost is that of all that goes with it, and of `replaced`, the one that was
    /// made before (BIP 125, rules 3 and 4; on Liquid by the undiscounted size). Never publishes it.
    async fn void(&self, opening: &Opening, replaced: Option<&Claim>, rate: FeeRate) -> Result<Claim, PortError>;
    /// Signs a transaction that gets the opening into a block sooner: a child that spends the opening's change back to
    /// the wallet, with a fee by which both together pay `rate` (on Liquid by their discounted sizes). It takes the
    /// place of `replaced`, the child that was made before, and pays for that (BIP 125, rules 3 and 4; on Liquid by its
    /// undiscounted size). What it spends stays locked. Never publishes it.
    ///
    /// `Refused` in a plain sentence: the opening has no change of this wallet or too little, it is not in the mempool,
    /// or its change is spent by a transaction that must not be undone. Another block may change each but the first.
    async fn push(&self, opening: &Opening, replaced: Option<&Claim>, rate: FeeRate) -> Result<Claim, PortError>;
    /// Names a transaction's address for the operator's books. A failure is of no consequence.
    async fn label(&self, address: &str, label: &str) -> Result<(), PortError>;
    /// Sends money to an address, for the operator.
    async fn send(&self, address: &str, amount: Amount) -> Result<TxId, SendError>;
}

/// What a Lightning node says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeInfo {
    /// Its identity.
    pub id: NodeId,
    /// Its name.
    pub alias: String,
    /// Its network: `mainnet`, `testnet3`, `testnet4`, `signet` or `regtest`.
    pub network: String,
    /// Its software and release.
    pub version: String,
    /// Whether it follows its chain.
    pub synced: bool,
    /// Its Bitcoin height.
    pub block_height: u32,
}

/// A channel with a direct peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Its short id.
    pub scid: Scid,
    /// Other ids it goes by (aliases).
    pub aliases: Vec<Scid>,
    /// The other end.
    pub peer: NodeId,
    /// Both ends are there and it takes HTLCs.
    pub active: bool,
    /// Its size.
    pub capacity: Amount,
    /// Our side, with the reserve.
    pub local: Amount,
    /// Their side, with the reserve.
    pub remote: Amount,
    /// The most we can send over it now.
    pub spendable: Amount,
    /// The most we can receive over it now.
    pub receivable: Amount,
}

/// An invoice to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvoiceSpec {
    /// What settles it.
    pub preimage: Preimage,
    /// What it asks for.
    pub amount: Msat,
    /// Its text.
    pub description: String,
    /// Its lifetime.
    pub expiry_secs: u64,
    /// Its final CLTV delta; None: the node's default.
    pub final_cltv: Option<CltvDelta>,
}

/// A payment to make over one channel, in one part, without fee.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentSpec {
    /// The invoice.
    pub bolt11: String,
    /// What it is locked to.
    pub hash: PaymentHash,
    /// What it asks for.
    pub amount: Msat,
    /// The channel it must go over.
    pub scid: Scid,
    /// The HTLC's expiry must be less than this many blocks away; None: no limit.
    pub max_cltv: Option<CltvDelta>,
    /// How long the node may look for a way.
    pub time_limit: Duration,
}

/// The operator's Lightning node.
#[async_trait]
pub trait LightningNode: Send + Sync {
    /// Who it is.
    async fn info(&self) -> Result<NodeInfo, PortError>;
    /// Its channels.
    async fn channels(&self) -> Result<Vec<Channel>, PortError>;
    /// What the peers of its channels call themselves (BOLT 7: the alias of `node_announcement`), as far as it has heard
    /// of it. Strangers' text.
    async fn aliases(&self) -> Result<Aliases, PortError>;
    /// Makes an invoice, or finds the one made before with the same preimage. Returns its BOLT 11 text.
    async fn ensure_invoice(&self, spec: &InvoiceSpec) -> Result<String, PortError>;
    /// Yields an invoice's state now and at each change, until it is paid or closed. An end without that, or an
    /// error, means: not known, ask again.
    async fn watch_invoice(&self, hash: PaymentHash) -> Result<BoxStream<'static, InvoiceStatus>, PortError>;
    /// Makes an invoice unpayable, unless it is paid; tells which.
    async fn cancel_invoice(&self, hash: PaymentHash) -> Result<InvoiceStatus, PortError>;
    /// Makes a payment unless there is one of this hash that is under way or settled; returns when its end is
    /// certain, or `InFlight` when the time limit came first. At most one HTLC per hash, ever, at a time.
    async fn ensure_payment(&self, spec: &PaymentSpec) -> Result<PaymentStatus, PortError>;
    /// What the node knows of a payment, now. `Unreachable` while it says that there is none, or that it failed, and
    /// may not have read yet a call that begins one: a call that got no answer, or one of a process before this one.
    async fn payment_status(&self, hash: PaymentHash) -> Result<PaymentStatus, PortError>;
    /// Waits until a payment's end is certain and returns it; does not wait if there is none. Else as `payment_status`.
    async fn await_payment(&self, hash: PaymentHash) -> Result<PaymentStatus, PortError>;
}

/// What nodes call themselves.
pub type Aliases = BTreeMap<NodeId, String>;

/// A custom message (BOLT 1) from a peer. Its payload does not print: it may be a key.
#[derive(Clone, PartialEq, Eq)]
pub struct Incoming {
    /// Who sent it.
    pub from: NodeId,
    /// Its type.
    pub kind: u16,
    /// Its payload.
    pub payload: Vec<u8>,
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Incoming { from, kind, payload } = self;
        write!(f, "Incoming({from}, {kind}, {} bytes)", payload.len())
    }
}

/// What the messenger yields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerEvent {
    /// A message.
    Message(Incoming),
    /// A peer is connected now.
    Online(NodeId),
    /// A peer is gone.
    Offline(NodeId),
}

/// The node's connections to its peers.
#[async_trait]
pub trait PeerMessenger: Send + Sync {
    /// Hands a message to a connected peer. `Unreachable` while it is not connected.
    async fn send(&self, to: NodeId, kind: u16, payload: Vec<u8>) -> Result<(), PortError>;
    /// Messages and comings and goings, from now on. Ends when the node goes away; begin again then.
    async fn events(&self) -> Result<BoxStream<'static, PeerEvent>, PortError>;
    /// Who is connected now.
    async fn connected(&self) -> Result<Vec<NodeId>, PortError>;
}

/// Where ids, keys and blinding factors are drawn from, so that a simulation can repeat itself. Production's is the
/// operating system's, and nothing else will do.
pub trait Entropy: Send + Sync {
    /// A source to draw from.
    fn rng(&self) -> Box<dyn SecretRng>;
}

/// A source that is fit for keys.
pub trait SecretRng: RngCore + CryptoRng {}

impl<R: RngCore + CryptoRng> SecretRng for R {}

impl Entropy for OsRng {
    fn rng(&self) -> Box<dyn SecretRng> {
        Box::new(OsRng)
    }
}

/// The clock, so that tests can have another.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
    /// Returns once the clock shows `until`.
    async fn sleep_until(&self, until: Timestamp);
}

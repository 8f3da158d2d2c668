//! A swap, as the operator sees it.

use serde::{Deserialize, Serialize};

use crate::swap::event::SpendPath;
use crate::swap::fees::Bumped;
use crate::swap::terms::{Kind, Role};
use crate::units::{Asset, NodeId, Scid, SwapId, TxId};

/// How far a swap is, for programs. The order is that of a swap in which all goes well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The peer has not answered yet.
    Requested,
    /// Terms and premium are agreed; nothing is on the chain.
    Agreed,
    /// The opening transaction is being made or handed to the network.
    Opening,
    /// The opening transaction is with the network, in no block yet.
    OpeningPublished,
    /// The opening transaction is in a block and gains depth.
    Confirming,
    /// The claim invoice is being paid, or is waited for.
    Paying,
    /// The claim invoice is paid; the taker's claim is waited for (maker).
    Paid,
    /// The coins are being claimed with what the payment bought (taker).
    Claiming,
    /// The coins are being taken back (maker).
    Refunding,
    /// Nothing will be paid; what is left is being put in order.
    Closing,
    /// Over.
    Closed,
}

/// How a swap ended, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeKind {
    /// Maker: paid.
    ClaimPaid,
    /// Taker: paid, and the coins are ours.
    ClaimedByInvoice,
    /// Maker: not paid, the coins are back by the peer's key.
    ClaimedByCoop,
    /// Maker: not paid, the coins are back by the timelock.
    ClaimedByCsv,
    /// Taker: not paid, the peer has our key and its coins.
    CoopClosed,
    /// Nothing was opened.
    Canceled,
    /// Coins are gone against the rules.
    Lost,
}

/// How a swap ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomeView {
    /// For programs.
    pub kind: OutcomeKind,
    /// Whether the swap did what it was made for: one side paid, the other claimed.
    pub success: bool,
    /// Why, where the outcome has a reason.
    pub reason: Option<String>,
}

/// When something must have happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deadline {
    /// A height of the swap's chain.
    pub height: Option<u32>,
    /// Unix time; estimated from the height, where there is one.
    pub at: Option<u64>,
    /// For people, such as `block 10,581 (about 6 d 23 h)`.
    pub text: String,
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextView {
    /// What is expected or done next.
    pub what: String,
    /// The same in a few words, for a column of a table: `peer pays`.
    #[serde(default)]
    pub brief: String,
    /// By when; None: there is no limit.
    pub deadline: Option<Deadline>,
    /// What comes of it if that does not happen.
    pub if_nothing_happens: String,
    /// What the operator may do now; empty where nothing but waiting is left.
    #[serde(default)]
    pub you_may: Vec<ChoiceView>,
    /// What happens without the operator, should the swap not go as planned. None where nothing is left to be taken back,
    /// closed or claimed.
    #[serde(default)]
    pub by_itself: Option<String>,
}

/// What an operator may do about a swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChoiceKind {
    /// Get a transaction of ours into a block sooner: `swap_bump`.
    Bump,
    /// End the swap as far as that is safe: `swap_cancel`.
    Cancel,
}

/// Something that the operator may do about a swap now, and that is not refused for the state that the swap is in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChoiceView {
    /// For programs.
    pub kind: ChoiceKind,
    /// As it is typed: `sluice swap cancel a1a1a1a1`.
    pub command: String,
    /// What it would do in this state.
    pub effect: String,
}

/// The opening transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpeningSummary {
    /// Its id.
    pub txid: TxId,
    /// Its output that holds the swap's coins, where known.
    pub vout: Option<u32>,
    /// The block that holds it, as last seen.
    pub height: Option<u32>,
    /// Its fee, where known.
    pub fee_sat: Option<u64>,
    /// Its virtual size, where known.
    pub vsize: Option<u64>,
    /// Its discounted virtual size (ELIP-200), where known.
    pub discount_vsize: Option<u64>,
    /// Whether amount and asset of the swap's output are hidden, where known.
    pub confidential: Option<bool>,
    /// Maker: the children that were to push it into a block, each in the place of the one before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pushes: Vec<VersionSummary>,
}

/// A transaction that pushed another, or that another took the place of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionSummary {
    /// Its id.
    pub txid: TxId,
    /// Its fee.
    pub fee_sat: u64,
    /// Its virtual size.
    pub vsize: u64,
    /// Its discounted virtual size (ELIP-200); on Bitcoin the same.
    pub discount_vsize: u64,
}

/// The transaction that spends the opening.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpendSummary {
    /// By which path of the script.
    pub kind: SpendPath,
    /// Whether it is this node's.
    pub ours: bool,
    /// Its id; known of our own.
    pub txid: Option<TxId>,
    /// The block that holds it, as last seen.
    pub height: Option<u32>,
    /// Its fee; known of our own.
    pub fee_sat: Option<u64>,
    /// Its virtual size; known of our own.
    pub vsize: Option<u64>,
    /// Its discounted virtual size (ELIP-200); known of our own.
    pub discount_vsize: Option<u64>,
    /// Our versions of it before the newest, which paid less.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaced: Vec<VersionSummary>,
}

/// When each thing happened, in milliseconds since the swap was stored. What has not happened is not there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Timings {
    /// Terms and premium were agreed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agreed: Option<u64>,
    /// The opening was with the network (maker), or announced (taker).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opening_published: Option<u64>,
    /// The opening had the confirmations it needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<u64>,
    /// The claim payment began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_started: Option<u64>,
    /// The claim invoice was paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paid: Option<u64>,
    /// Our spend of the opening was with the network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spend_published: Option<u64>,
    /// The swap closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed: Option<u64>,
}

/// A swap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwapView {
    /// Its id.
    pub swap_id: SwapId,
    /// The peer.
    pub peer: NodeId,
    /// The channel.
    pub channel: Scid,
    /// As its initiator sees it.
    pub direction: Kind,
    /// Our side of the opening.
    pub role: Role,
    /// Whether this node asked for it.
    pub initiator: bool,
    /// What is swapped.
    pub asset: Asset,
    /// Why this asset, if the order left the choice to the daemon.
    pub asset_reason: Option<String>,
    /// The amount swapped, without premium.
    pub amount_sat: u64,
    /// The agreed premium; positive: the initiator pays. None until agreed.
    pub premium_sat: Option<i64>,
    /// The most premium that the initiator would pay.
    pub max_premium_sat: i64,
    /// What the opening holds for the taker. None until agreed.
    pub chain_amount_sat: Option<u64>,
    /// What the claim invoice asks for. None until agreed.
    pub lightning_amount_sat: Option<u64>,
    /// What is paid in advance for the opening's fee (swap-out). None where there is nothing to pay, or not yet.
    pub fee_invoice_sat: Option<u64>,
    /// When it was stored, Unix time.
    pub created_at: u64,
    /// The same in RFC 3339, UTC.
    pub created_at_text: String,
    /// Where it stands, in plain words.
    pub state: String,
    /// Where it stands, for programs.
    pub stage: Stage,
    /// Confirmations of the opening, at most as many as needed.
    pub confirmations: u32,
    /// Confirmations the opening needs.
    pub confirmations_needed: u32,
    /// Paid for and, on the taker's side, its claim published; or closed.
    pub settled: bool,
    /// How it ended; None until it is closed.
    pub outcome: Option<OutcomeView>,
    /// What comes next; None once it is closed.
    pub next: Option<NextView>,
    /// The opening transaction, once there is one.
    pub opening: Option<OpeningSummary>,
    /// The opening's spend, once there is one.
    pub spend: Option<SpendSummary>,
    /// When each thing happened.
    pub timings_ms: Timings,
}

/// The answer to `swap_out` and `swap_in`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwapStarted {
    /// The swap's id.
    pub swap_id: SwapId,
    /// An earlier order with the same idempotency key made this swap; this one made none.
    pub repeated: bool,
    /// The swap.
    pub swap: SwapView,
}

/// The answer to `swap_list`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwapList {
    /// The newest first.
    pub swaps: Vec<SwapView>,
    /// How many match, whatever the limit.
    pub total: u64,
}

/// The answer to `swap_wait`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwapWaited {
    /// Whether what was waited for has come; else the time is over.
    pub reached: bool,
    /// The swap, now.
    pub swap: SwapView,
}

/// What `swap_cancel` did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelAction {
    /// The swap ends.
    Canceled,
    /// The wish is noted; the swap ends as soon as it is certain that no payment can be made any more.
    Noted,
    /// The swap was ending already.
    AlreadyEnding,
}

/// The answer to `swap_cancel`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelAnswer {
    /// The swap.
    pub swap_id: SwapId,
    /// What was done.
    pub action: CancelAction,
    /// What that means for the money.
    pub explanation: String,
    /// The swap, now.
    pub swap: SwapView,
}

/// The answer to `swap_bump`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BumpAnswer {
    /// The swap.
    pub swap_id: SwapId,
    /// Which transaction: an opening is pushed by a child, a claim or a refund is replaced.
    pub transaction: Bumped,
    /// What was pushed or replaced.
    pub txid: TxId,
    /// What it paid; an opening together with the child it had.
    pub paid_fee_sat: u64,
    /// The same in satoshi per 1000 virtual bytes.
    pub paid_rate_sat_per_kvb: u64,
    /// The child or the replacement; None: it is not made yet.
    pub new_txid: Option<TxId>,
    /// What is paid now; an opening together with its child.
    pub new_fee_sat: u64,
    /// The same in satoshi per 1000 virtual bytes.
    pub new_rate_sat_per_kvb: u64,
    /// The most that may be paid now.
    pub ceiling_sat: u64,
    /// All that in a sentence.
    pub explanation: String,
    /// The swap, now.
    pub swap: SwapView,
}

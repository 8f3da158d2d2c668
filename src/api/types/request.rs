//! Requests. Every one refuses names it does not know: a misspelt limit must not be a limit that is not there.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use crate::swap::terms::Kind;
use crate::units::{Asset, AssetChoice, NodeId, ParseUnitError, Scid, SwapId};

/// A name that the caller gives to an order, so that the same order, sent again, does not swap again.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for IdempotencyKey {
    type Error = ParseUnitError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let fits = (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        if fits {
            return Ok(IdempotencyKey(text));
        }
        Err(ParseUnitError {
            what: "idempotency key",
            value: text.chars().take(80).collect(),
            rule: "must be 1 to 64 printable ASCII characters without spaces",
        })
    }
}

impl std::str::FromStr for IdempotencyKey {
    type Err = ParseUnitError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.to_owned().try_into()
    }
}

impl From<IdempotencyKey> for String {
    fn from(key: IdempotencyKey) -> String {
        key.0
    }
}

/// The parameters of a method that takes none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoParams {}

/// A channel in any form that operators have at hand.
fn channel<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Scid, D::Error> {
    Scid::from_operator(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// The same, or null.
fn any_channel<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Scid>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| Scid::from_operator(&text).map_err(D::Error::custom))
        .transpose()
}

/// `swap_out` and `swap_in`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwapRequest {
    /// The channel whose balance moves.
    #[serde(deserialize_with = "channel")]
    pub channel: Scid,
    /// The amount swapped, without premium.
    pub amount_sat: u64,
    /// What is swapped on the chain: `lbtc`, `btc`, or `auto`, which takes L-BTC if it is possible and BTC if not.
    #[serde(default)]
    pub asset: AssetChoice,
    /// The most that is paid to the peer, in millionths of the amount. 0 unless given: no premium is paid that was not
    /// allowed. Negative: the least that the peer must pay.
    #[serde(default)]
    pub max_premium_ppm: i64,
    /// The same key never swaps twice: a repeated order answers with the swap that the first one made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<IdempotencyKey>,
}

/// `swap_get` and `swap_cancel`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwapRef {
    /// The swap.
    pub swap_id: SwapId,
}

/// `swap_bump`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BumpRequest {
    /// The swap.
    pub swap_id: SwapId,
    /// The rate to pay, in satoshi per 1000 virtual bytes (on Liquid, discounted ones); reckoned unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee_rate_sat_per_kvb: Option<u64>,
}

/// `swap_list`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SwapFilter {
    /// The most swaps to answer with: 50 unless given, at most 1000.
    pub limit: u32,
    /// How many of the newest to leave out.
    pub offset: u32,
    /// Only swaps that are not closed.
    pub active_only: bool,
    /// Only swaps whose id begins with these hex digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_prefix: Option<String>,
    /// Only swaps with this peer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<NodeId>,
    /// Only swaps on this channel.
    #[serde(deserialize_with = "any_channel", skip_serializing_if = "Option::is_none")]
    pub channel: Option<Scid>,
}

impl SwapFilter {
    /// The most that `limit` may be.
    pub const MAX_LIMIT: u32 = 1000;
}

impl Default for SwapFilter {
    fn default() -> Self {
        SwapFilter {
            limit: 50,
            offset: 0,
            active_only: false,
            id_prefix: None,
            peer: None,
            channel: None,
        }
    }
}

/// What `swap_wait` waits for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// The last transaction is final.
    #[default]
    Closed,
    /// The swap is paid for and, on the taker's side, its claim is with the network; or it is closed.
    Settled,
}

/// `swap_wait`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwapWait {
    /// The swap.
    pub swap_id: SwapId,
    /// When to answer in any case: 60 unless given, at most 3600. 0 answers at once.
    #[serde(default = "SwapWait::default_timeout_secs")]
    pub timeout_secs: u64,
    /// What to wait for.
    #[serde(default)]
    pub until: Until,
}

impl SwapWait {
    /// The longest wait; who wants more asks again.
    pub const MAX_TIMEOUT_SECS: u64 = 3600;

    fn default_timeout_secs() -> u64 {
        60
    }
}

/// `swap_subscribe`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SwapTopic {
    /// The swap; all swaps unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swap_id: Option<SwapId>,
}

/// `policy_set`: what is not named stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyChange {
    /// Whether new swaps are made at all, ours and the peers'.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accept_new_swaps: Option<bool>,
    /// Whether every peer may request swaps, on the allowlist or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accept_all_peers: Option<bool>,
    /// The smallest amount of a swap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_amount_sat: Option<u64>,
    /// The largest amount of a swap; null: what the channel carries.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Option::is_none")]
    pub max_amount_sat: Option<Option<u64>>,
    /// Peers to put on the allowlist.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<NodeId>,
    /// Peers to take off the allowlist.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub disallow: Vec<NodeId>,
    /// Peers not to swap with, whoever asks, whatever else holds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub block: Vec<NodeId>,
    /// Peers to swap with again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unblock: Vec<NodeId>,
}

/// `chain_pause`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainPause {
    /// The asset that lives on the chain.
    pub asset: Asset,
    /// Why, for people: at most 200 characters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// `chain_resume`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainRef {
    /// The asset that lives on the chain.
    pub asset: Asset,
}

/// `peer_get` and `peer_release`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerRef {
    /// Its node id.
    pub peer: NodeId,
}

/// `peer_quarantine`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerQuarantine {
    /// Its node id.
    pub peer: NodeId,
    /// How long: a day unless given, at most a year.
    #[serde(default = "PeerQuarantine::default_secs")]
    pub duration_secs: u64,
    /// Why, for people: at most 200 characters. The peer is not told.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

impl PeerQuarantine {
    /// The longest, in seconds: a year. For ever is `policy_set` with `block`.
    pub const MOST_SECS: u64 = 365 * 24 * 3_600;

    /// How long it lasts unless given, in seconds: a day.
    #[must_use]
    pub fn default_secs() -> u64 {
        24 * 3_600
    }
}

/// A field that is there, null or not.
fn nullable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<u64>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// `premium_get`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PremiumFilter {
    /// Only the rates that hold for this peer; all rates unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<NodeId>,
}

/// `premium_set`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PremiumChange {
    /// The peer it is for; everybody unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<NodeId>,
    /// The asset it is for.
    pub asset: Asset,
    /// The direction as the peer, who initiates, sees it.
    pub direction: Kind,
    /// The rate in millionths of the amount. Positive: the peer pays us. Null deletes the rate.
    #[serde(deserialize_with = "said")]
    pub ppm: Option<i64>,
}

/// Null has a meaning, so the field must be there: an omitted rate must not delete one.
fn said<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Option::deserialize(deserializer)
}

/// `wallet_address` and `wallet_balance`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WalletRef {
    /// Which wallet: `lbtc` unless given.
    pub asset: Asset,
}

impl Default for WalletRef {
    fn default() -> Self {
        WalletRef { asset: Asset::Lbtc }
    }
}

/// `wallet_send`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SendRequest {
    /// Which wallet: `lbtc` unless given.
    #[serde(default = "SendRequest::default_asset")]
    pub asset: Asset,
    /// Where to.
    pub address: String,
    /// What arrives there; the fee is added.
    pub amount_sat: u64,
}

impl SendRequest {
    fn default_asset() -> Asset {
        WalletRef::default().asset
    }
}

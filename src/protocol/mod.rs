//! PeerSwap protocol version 7 on the wire: custom messages whose payload is bare JSON.
//!
//! Knows encodings. Must not know states, chains' nodes, keys' origin. Where the published specification and the
//! running Go implementation (ElementsProject/peerswap at 816a5bb) differ, the implementation decides.

mod fields;
mod gojson;
pub mod invoice;
mod message_type;
pub mod text;

mod wire;

#[cfg(test)]
mod roundtrip;
#[cfg(test)]
mod tests;

use bitcoin::{Amount, SignedAmount};
use serde::{Deserialize, Serialize};

use crate::units::{Asset, Ppm, PubKey, Scid, SwapId, SwapSecret, TxId};

pub use fields::MAX_PAYLOAD;
pub use message_type::MessageType;
pub use wire::{DecodeError, MAX_RATE, decode, encode};

/// The newest protocol version that Sluice speaks.
pub const VERSION: u8 = 7;
/// The oldest one: for BTC, whose rules have been the same since.
pub const OLDEST_VERSION: u8 = 5;

/// The version to speak with a peer that says `theirs`: a Go peer swaps with nobody who speaks another one, older or
/// newer (peersync/compatibility.go at 816a5bb). Outside of our window, its end that is nearest. None for 0: a peer
/// that says no version waits for ours.
#[must_use]
pub fn version_with(theirs: u64) -> Option<u8> {
    let nearest = theirs.clamp(OLDEST_VERSION.into(), VERSION.into());
    (theirs != 0).then(|| u8::try_from(nearest).unwrap_or(VERSION))
}

/// Every message of the protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// 42069: the initiator wants to give chain coins for Lightning balance.
    SwapInRequest(Request),
    /// 42071: the initiator wants to give Lightning balance for chain coins.
    SwapOutRequest(Request),
    /// 42073: the responder (taker) agrees.
    SwapInAgreement(Agreement),
    /// 42075: the responder (maker) agrees, and asks for the opening's fee.
    SwapOutAgreement(Agreement, String),
    /// 42077: the maker has published the opening.
    OpeningTxBroadcasted(OpeningTxBroadcasted),
    /// 42079: either side ends the swap.
    Cancel(Cancel),
    /// 42081: the taker gives its key to the maker.
    CoopClose(CoopClose),
    /// 42083: what the sender offers.
    Poll(Capability),
    /// 42085: what the sender offers, and a wish for the same.
    RequestPoll(Capability),
}

impl Message {
    /// Which message it is.
    #[must_use]
    pub fn message_type(&self) -> MessageType {
        match self {
            Message::SwapInRequest(_) => MessageType::SwapInRequest,
            Message::SwapOutRequest(_) => MessageType::SwapOutRequest,
            Message::SwapInAgreement(_) => MessageType::SwapInAgreement,
            Message::SwapOutAgreement(..) => MessageType::SwapOutAgreement,
            Message::OpeningTxBroadcasted(_) => MessageType::OpeningTxBroadcasted,
            Message::Cancel(_) => MessageType::Cancel,
            Message::CoopClose(_) => MessageType::CoopClose,
            Message::Poll(_) => MessageType::Poll,
            Message::RequestPoll(_) => MessageType::RequestPoll,
        }
    }

    /// The swap it speaks of; None for polls and for a cancel that names none.
    #[must_use]
    pub fn swap_id(&self) -> Option<SwapId> {
        match self {
            Message::SwapInRequest(request) | Message::SwapOutRequest(request) => Some(request.swap_id),
            Message::SwapInAgreement(agreement) | Message::SwapOutAgreement(agreement, _) => Some(agreement.swap_id),
            Message::OpeningTxBroadcasted(opening) => Some(opening.swap_id),
            Message::Cancel(cancel) => cancel.swap_id,
            Message::CoopClose(close) => Some(close.swap_id),
            Message::Poll(_) | Message::RequestPoll(_) => None,
        }
    }
}

/// The chain that a request names: exactly one of `asset` and `network` is set on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestChain {
    /// Liquid, by 01 and the reversed asset id, 33 bytes.
    Liquid([u8; 33]),
    /// Bitcoin, by network name as btcd has it (`mainnet`, `testnet3`, …).
    Bitcoin(String),
}

/// swap_in_request and swap_out_request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The version the initiator speaks in this swap.
    pub version: u8,
    /// Chosen by the initiator.
    pub swap_id: SwapId,
    /// On which chain.
    pub chain: RequestChain,
    /// The channel.
    pub scid: Scid,
    /// Without premium.
    pub amount: Amount,
    /// The initiator's swap key.
    pub pubkey: PubKey,
    /// The most that the initiator pays; may be negative.
    pub acceptable_premium: SignedAmount,
}

/// swap_in_agreement, and swap_out_agreement without its invoice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    /// The version the responder speaks in this swap.
    pub version: u8,
    /// The swap.
    pub swap_id: SwapId,
    /// The responder's swap key.
    pub pubkey: PubKey,
    /// Positive: the initiator pays the responder.
    pub premium: SignedAmount,
}

/// opening_tx_broadcasted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpeningTxBroadcasted {
    /// The swap.
    pub swap_id: SwapId,
    /// The claim invoice, BOLT 11.
    pub payreq: String,
    /// The opening transaction.
    pub txid: TxId,
    /// Its output. A Go maker says 0 on Liquid, whatever is true.
    pub script_out: u32,
    /// On Liquid the private blinding key; None on Bitcoin.
    pub blinding_key: Option<SwapSecret>,
}

/// cancel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cancel {
    /// The swap; a Go peer that refuses an invalid request names none.
    pub swap_id: Option<SwapId>,
    /// Why, for people.
    pub message: String,
}

/// coop_close.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoopClose {
    /// The swap.
    pub swap_id: SwapId,
    /// Why, for people.
    pub message: String,
    /// The taker's private swap key.
    pub privkey: SwapSecret,
}

/// poll and request_poll: what the sender offers to the receiver.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Capability {
    /// The sender's protocol version.
    pub version: u64,
    /// What it swaps.
    pub assets: Vec<Asset>,
    /// Whether the receiver may request swaps.
    pub peer_allowed: bool,
    /// The rates it applies to the receiver.
    pub rates: Rates,
}

/// Premium rates of one responder for one initiator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Rates {
    /// BTC, swap-in.
    pub btc_in: Ppm,
    /// BTC, swap-out.
    pub btc_out: Ppm,
    /// L-BTC, swap-in.
    pub lbtc_in: Ppm,
    /// L-BTC, swap-out.
    pub lbtc_out: Ppm,
}

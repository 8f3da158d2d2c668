//! The encoding of messages: bare JSON, key for key as the Go implementation has it (swap/messages.go and
//! peersync/capability_snapshot.go of ElementsProject/peerswap at 816a5bb).
//!
//! Reading accepts what Go accepts, so that no honest peer is refused, except for what no honest peer sends: points
//! off the curve, amounts beyond 63 bits, strings without end. It never panics and never shows a key.

use bitcoin::{Amount, SignedAmount};

use super::fields::Fields;
use super::gojson::Object;
use super::text::{MAX_REASON, plain};
use super::{
    Agreement, Cancel, Capability, CoopClose, Message, MessageType, OpeningTxBroadcasted, Rates, Request, RequestChain,
};
use crate::units::{Asset, Ppm, SwapId, TxId};

/// The longest invoice that is read, in characters; lnd's own limit (maxInvoiceLength in zpay32/invoice.go).
const MAX_PAYREQ: usize = 7089;

/// The largest premium rate that a peer may ask for or give, in ppm (peersync/peer.go:59 at 816a5bb).
pub const MAX_RATE: Ppm = Ppm(1_000_000);

/// Networks by the names that the Go implementation reads; it writes `testnet3`, never `testnet`.
const NETWORKS: [&str; 6] = ["mainnet", "testnet", "testnet3", "testnet4", "signet", "regtest"];

/// A payload that is not a well-formed message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}: {field} is {value}, {rule}")]
pub struct DecodeError {
    /// What the payload should have been.
    pub message: MessageType,
    /// The swap it speaks of, if that could be read.
    pub swap_id: Option<SwapId>,
    /// The member that is wrong, or `payload`.
    pub field: &'static str,
    /// What stands there, shortened; of a secret only its length.
    pub value: String,
    /// What is allowed.
    pub rule: &'static str,
}

/// The custom-message type and the payload. A reason for people is cut to 1000 characters.
#[must_use]
pub fn encode(message: &Message) -> (u16, Vec<u8>) {
    let object = match message {
        Message::SwapInRequest(request) => {
            let (asset, network) = chain_texts(&request.chain);
            let object = opened(request.version, request.swap_id);
            request_rest(object.text("network", network).text("asset", &asset), request)
        }
        Message::SwapOutRequest(request) => {
            let (asset, network) = chain_texts(&request.chain);
            let object = opened(request.version, request.swap_id);
            request_rest(object.text("asset", &asset).text("network", network), request)
        }
        Message::SwapInAgreement(agreement) => opened(agreement.version, agreement.swap_id)
            .text("pubkey", &agreement.pubkey.to_string())
            .literal("premium", agreement.premium.to_sat()),
        Message::SwapOutAgreement(agreement, payreq) => opened(agreement.version, agreement.swap_id)
            .text("pubkey", &agreement.pubkey.to_string())
            // the Go struct has no name for this member, so Go prints the field's own
            .text("Payreq", payreq)
            .literal("premium", agreement.premium.to_sat()),
        Message::OpeningTxBroadcasted(opening) => Object::new()
            .text("swap_id", &opening.swap_id.to_string())
            .text("payreq", &opening.payreq)
            .text("tx_id", &opening.txid.to_string())
            .literal("script_out", opening.script_out)
            .text(
                "blinding_key",
                &opening.blinding_key.clone().map_or_else(String::new, String::from),
            ),
        Message::Cancel(Cancel { swap_id, message }) => match swap_id {
            Some(id) => Object::new().text("swap_id", &id.to_string()),
            None => Object::new().literal("swap_id", "null"),
        }
        .text("message", &plain(message, MAX_REASON)),
        Message::CoopClose(close) => Object::new()
            .text("swap_id", &close.swap_id.to_string())
            .text("message", &plain(&close.message, MAX_REASON))
            .text("privkey", &String::from(close.privkey.clone())),
        Message::Poll(capability) | Message::RequestPoll(capability) => capability_object(capability),
    };
    (message.message_type().code(), object.into_bytes())
}

fn opened(version: u8, swap_id: SwapId) -> Object {
    Object::new()
        .literal("protocol_version", version)
        .text("swap_id", &swap_id.to_string())
}

fn chain_texts(chain: &RequestChain) -> (String, &str) {
    match chain {
        RequestChain::Liquid(asset) => (hex::encode(asset), ""),
        RequestChain::Bitcoin(network) => (String::new(), network),
    }
}

fn request_rest(object: Object, request: &Request) -> Object {
    object
        .text("scid", &request.scid.to_string())
        .literal("amount", request.amount.to_sat())
        .text("pubkey", &request.pubkey.to_string())
        .literal("acceptable_premium", request.acceptable_premium.to_sat())
}

/// Every member is left out when it says nothing: `omitempty` in Go.
fn capability_object(capability: &Capability) -> Object {
    let mut object = Object::new();
    if capability.version != 0 {
        object = object.literal("version", capability.version);
    }
    if !capability.assets.is_empty() {
        let names = capability.assets.iter().map(|asset| asset.to_string().to_uppercase());
        object = object.texts("assets", names);
    }
    if capability.peer_allowed {
        object = object.literal("peer_allowed", true);
    }
    let rates = &capability.rates;
    for (key, rate) in [
        ("btc_swap_in_premium_rate_ppm", rates.btc_in),
        ("btc_swap_out_premium_rate_ppm", rates.btc_out),
        ("lbtc_swap_in_premium_rate_ppm", rates.lbtc_in),
        ("lbtc_swap_out_premium_rate_ppm", rates.lbtc_out),
    ] {
        if rate != Ppm(0) {
            object = object.literal(key, rate.0);
        }
    }
    object
}

/// Reads a custom message; None if its type is not one of this protocol.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn decode(kind: u16, payload: &[u8]) -> Result<Option<Message>, DecodeError> {
    let Some(kind) = MessageType::from_code(kind) else {
        return Ok(None);
    };
    let fields = Fields::parse(kind, payload)?;
    Ok(Some(match kind {
        MessageType::SwapInRequest => Message::SwapInRequest(request(&fields)?),
        MessageType::SwapOutRequest => Message::SwapOutRequest(request(&fields)?),
        MessageType::SwapInAgreement => Message::SwapInAgreement(agreement(&fields)?),
        MessageType::SwapOutAgreement => Message::SwapOutAgreement(agreement(&fields)?, payreq(&fields)?),
        MessageType::OpeningTxBroadcasted => Message::OpeningTxBroadcasted(OpeningTxBroadcasted {
            swap_id: fields.swap_id()?,
            payreq: payreq(&fields)?,
            txid: TxId(fields.parsed("tx_id", "must be 64 hex digits")?),
            script_out: narrow(&fields, "script_out", "must be an integer of 0 to 4294967295")?,
            blinding_key: fields.secret("blinding_key")?,
        }),
        MessageType::Cancel => Message::Cancel(Cancel {
            swap_id: if fields.text("swap_id")?.is_empty() {
                None
            } else {
                Some(fields.swap_id()?)
            },
            message: reason(&fields)?,
        }),
        MessageType::CoopClose => Message::CoopClose(CoopClose {
            swap_id: fields.swap_id()?,
            message: reason(&fields)?,
            privkey: fields
                .secret("privkey")?
                .ok_or_else(|| fields.error("privkey", "empty", "must be 64 hex digits that are a private key"))?,
        }),
        MessageType::Poll => Message::Poll(capability(&fields)?),
        MessageType::RequestPoll => Message::RequestPoll(capability(&fields)?),
    }))
}

fn request(fields: &Fields) -> Result<Request, DecodeError> {
    let (asset, network) = (fields.text("asset")?, fields.text("network")?);
    let chain = match (asset.is_empty(), network.is_empty()) {
        (false, true) => RequestChain::Liquid(fields.bytes("asset", "must be 66 hex digits")?),
        (true, false) if NETWORKS.contains(&network) => RequestChain::Bitcoin(network.into()),
        (true, false) => {
            let rule = "must be mainnet, testnet3, testnet4, signet or regtest";
            return Err(fields.error("network", format!("`{network}`"), rule));
        }
        (true, true) => return Err(fields.error("asset", "empty", "must be set if `network` is not")),
        (false, false) => return Err(fields.error("asset", format!("`{asset}`"), "must be empty if `network` is set")),
    };
    let max = i64::MAX.unsigned_abs();
    Ok(Request {
        version: version(fields)?,
        swap_id: fields.swap_id()?,
        chain,
        scid: fields.parsed("scid", "must be block x transaction x output, parted by `x` or `:`")?,
        amount: Amount::from_sat(fields.unsigned(
            "amount",
            max,
            "must be an integer of 0 to 9223372036854775807 sat",
        )?),
        pubkey: fields.pubkey("pubkey")?,
        acceptable_premium: SignedAmount::from_sat(fields.signed("acceptable_premium")?),
    })
}

fn agreement(fields: &Fields) -> Result<Agreement, DecodeError> {
    Ok(Agreement {
        version: version(fields)?,
        swap_id: fields.swap_id()?,
        pubkey: fields.pubkey("pubkey")?,
        premium: SignedAmount::from_sat(fields.signed("premium")?),
    })
}

fn capability(fields: &Fields) -> Result<Capability, DecodeError> {
    let mut assets = Vec::new();
    for name in fields.texts("assets")? {
        let asset: Asset = name
            .trim()
            .parse()
            .map_err(|_| fields.error("assets", format!("`{name}`"), "must name BTC or LBTC"))?;
        // at most two are kept, however many are named
        if !assets.contains(&asset) {
            assets.push(asset);
        }
    }
    Ok(Capability {
        version: fields.unsigned("version", u64::MAX, "must be an integer of 0 to 2^64 - 1")?,
        assets,
        peer_allowed: fields.flag("peer_allowed")?,
        rates: Rates {
            btc_in: rate(fields, "btc_swap_in_premium_rate_ppm")?,
            btc_out: rate(fields, "btc_swap_out_premium_rate_ppm")?,
            lbtc_in: rate(fields, "lbtc_swap_in_premium_rate_ppm")?,
            lbtc_out: rate(fields, "lbtc_swap_out_premium_rate_ppm")?,
        },
    })
}

fn rate(fields: &Fields, field: &'static str) -> Result<Ppm, DecodeError> {
    let ppm = fields.signed(field)?;
    if ppm.unsigned_abs() > MAX_RATE.0.unsigned_abs() {
        return Err(fields.error(field, ppm, "must be -1000000 to 1000000 ppm"));
    }
    Ok(Ppm(ppm))
}

fn version(fields: &Fields) -> Result<u8, DecodeError> {
    narrow(fields, "protocol_version", "must be an integer of 0 to 255")
}

fn narrow<T: TryFrom<u64>>(fields: &Fields, field: &'static str, rule: &'static str) -> Result<T, DecodeError> {
    let number = fields.unsigned(field, u64::MAX, rule)?;
    T::try_from(number).map_err(|_| fields.error(field, number, rule))
}

fn payreq(fields: &Fields) -> Result<String, DecodeError> {
    fields.bounded("payreq", MAX_PAYREQ, "must be an invoice of 1 to 7089 bytes")
}

fn reason(fields: &Fields) -> Result<String, DecodeError> {
    Ok(plain(fields.text("message")?, MAX_REASON))
}

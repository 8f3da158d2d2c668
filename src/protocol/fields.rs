//! Reads a payload's JSON object member by member, as leniently as Go's `encoding/json` and no more: keys in any
//! case, unknown ones skipped, a missing one or `null` is the zero value, the last of several wins.

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess};
use serde_json::Value;

use super::text::plain;
use super::wire::DecodeError;
use super::{MessageType, PubKey, SwapId};
use crate::units::SwapSecret;

/// The longest payload that is read, in bytes; the Go implementation's limit (swap/service.go:179 at 816a5bb).
pub const MAX_PAYLOAD: usize = 100 * 1024;

/// Characters of a refused value that an error shows.
const MAX_SHOWN: usize = 80;

/// Every key of every message; the values of others are skipped unread.
const KEYS: [&str; 22] = [
    "protocol_version",
    "swap_id",
    "asset",
    "network",
    "scid",
    "amount",
    "pubkey",
    "acceptable_premium",
    "premium",
    "payreq",
    "tx_id",
    "script_out",
    "blinding_key",
    "message",
    "privkey",
    "version",
    "assets",
    "peer_allowed",
    "btc_swap_in_premium_rate_ppm",
    "btc_swap_out_premium_rate_ppm",
    "lbtc_swap_in_premium_rate_ppm",
    "lbtc_swap_out_premium_rate_ppm",
];

/// The members of a payload that mean something.
pub(super) struct Fields {
    message: MessageType,
    swap_id: Option<SwapId>,
    members: Vec<(&'static str, Value)>,
}

impl Fields {
    /// Reads a payload: one JSON object, not too long and not nested without end.
    pub(super) fn parse(message: MessageType, payload: &[u8]) -> Result<Fields, DecodeError> {
        let whole = |value: String, rule| DecodeError {
            message,
            swap_id: None,
            field: "payload",
            value,
            rule,
        };
        if payload.len() > MAX_PAYLOAD {
            let length = format!("{} bytes", payload.len());
            return Err(whole(length, "must be at most 102400 bytes"));
        }
        // as in Go, bytes that are no UTF-8 spoil the string they are in and not the message
        let text = String::from_utf8_lossy(payload);
        let members: Members = serde_json::from_str(&text).map_err(|error| match error.classify() {
            serde_json::error::Category::Data => whole("other JSON".into(), "must be a JSON object"),
            _ => whole(
                format!("broken at line {} column {}", error.line(), error.column()),
                "must be a JSON object, nested at most 127 deep",
            ),
        })?;
        let mut fields = Fields {
            message,
            swap_id: None,
            members: members.0,
        };
        fields.swap_id = fields.text("swap_id").ok().and_then(|id| id.parse().ok());
        Ok(fields)
    }

    /// An error about one member.
    pub(super) fn error(&self, field: &'static str, value: impl fmt::Display, rule: &'static str) -> DecodeError {
        DecodeError {
            message: self.message,
            swap_id: self.swap_id,
            field,
            value: plain(&value.to_string(), MAX_SHOWN),
            rule,
        }
    }

    fn value(&self, field: &'static str) -> Option<&Value> {
        let mut given = self.members.iter().rev();
        given
            .find(|(key, value)| *key == field && !value.is_null())
            .map(|(_, value)| value)
    }

    /// A string; empty if it is not there.
    pub(super) fn text(&self, field: &'static str) -> Result<&str, DecodeError> {
        match self.value(field) {
            None => Ok(""),
            Some(Value::String(text)) => Ok(text),
            Some(other) => Err(self.error(field, kind_of(other), "must be a string")),
        }
    }

    /// A string that must be there and fit, such as an invoice.
    pub(super) fn bounded(&self, field: &'static str, max: usize, rule: &'static str) -> Result<String, DecodeError> {
        let text = self.text(field)?;
        if text.is_empty() || text.len() > max {
            return Err(self.error(field, format!("{} bytes", text.len()), rule));
        }
        Ok(text.into())
    }

    /// A string that says something by its characters, such as an id in hex.
    pub(super) fn parsed<T: FromStr>(&self, field: &'static str, rule: &'static str) -> Result<T, DecodeError> {
        let text = self.text(field)?;
        text.parse().map_err(|_| self.error(field, format!("`{text}`"), rule))
    }

    /// A number of bytes in hex.
    pub(super) fn bytes<const N: usize>(
        &self,
        field: &'static str,
        rule: &'static str,
    ) -> Result<[u8; N], DecodeError> {
        let text = self.text(field)?;
        let bytes = hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.ok_or_else(|| self.error(field, format!("`{text}`"), rule))
    }

    /// A compressed point that is on the curve. The Go implementation counts its bytes only.
    pub(super) fn pubkey(&self, field: &'static str) -> Result<PubKey, DecodeError> {
        let rule = "must be 66 hex digits that name a point on the curve";
        let bytes = self.bytes::<33>(field, rule)?;
        PubKey::from_slice(&bytes).map_err(|_| self.error(field, hex::encode(bytes), rule))
    }

    /// A private key; None if the string is empty. Its value is in no error.
    pub(super) fn secret(&self, field: &'static str) -> Result<Option<SwapSecret>, DecodeError> {
        let text = self.text(field)?;
        if text.is_empty() {
            return Ok(None);
        }
        let key: Option<SwapSecret> = text.parse().ok();
        let key = key.filter(|key| bitcoin::secp256k1::SecretKey::from_slice(key.expose()).is_ok());
        let hidden = || format!("a string of {} bytes", text.len());
        key.map(Some)
            .ok_or_else(|| self.error(field, hidden(), "must be 64 hex digits that are a private key"))
    }

    /// An integer of 0 to `max`; 0 if it is not there.
    pub(super) fn unsigned(&self, field: &'static str, max: u64, rule: &'static str) -> Result<u64, DecodeError> {
        let Some(value) = self.value(field) else { return Ok(0) };
        let number = value.as_u64().filter(|number| *number <= max);
        number.ok_or_else(|| self.error(field, number_or_kind(value), rule))
    }

    /// An integer of 64 bits with a sign; 0 if it is not there.
    pub(super) fn signed(&self, field: &'static str) -> Result<i64, DecodeError> {
        let Some(value) = self.value(field) else { return Ok(0) };
        let rule = "must be an integer of 64 bits";
        value
            .as_i64()
            .ok_or_else(|| self.error(field, number_or_kind(value), rule))
    }

    /// A bool; false if it is not there.
    pub(super) fn flag(&self, field: &'static str) -> Result<bool, DecodeError> {
        let Some(value) = self.value(field) else {
            return Ok(false);
        };
        let flag = value.as_bool();
        flag.ok_or_else(|| self.error(field, number_or_kind(value), "must be true or false"))
    }

    /// An array of strings; empty if it is not there.
    pub(super) fn texts(&self, field: &'static str) -> Result<Vec<&str>, DecodeError> {
        let Some(value) = self.value(field) else {
            return Ok(Vec::new());
        };
        let texts: Option<Vec<&str>> = value
            .as_array()
            .and_then(|elements| elements.iter().map(Value::as_str).collect());
        texts.ok_or_else(|| self.error(field, number_or_kind(value), "must be an array of strings"))
    }

    /// The swap's id, which all but `cancel` must have.
    pub(super) fn swap_id(&self) -> Result<SwapId, DecodeError> {
        self.parsed("swap_id", "must be 64 hex digits")
    }
}

/// Numbers are shown; what else stands in a number's place is named, so that no misplaced secret is.
fn number_or_kind(value: &Value) -> String {
    match value {
        Value::Number(number) => number.to_string(),
        other => kind_of(other).into(),
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a bool",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// The members in their order, which a map would lose: keys that differ only by case are the same member.
struct Members(Vec<(&'static str, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> de::Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            let folded = fold(&key);
            match KEYS.iter().find(|known| **known == folded) {
                Some(known) => members.push((*known, map.next_value()?)),
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(Members(members))
    }
}

/// Lower case by Go's rule for keys, which takes two letters beyond ASCII for their look-alikes
/// (foldName in go/src/encoding/json/fold.go).
fn fold(key: &str) -> String {
    key.chars()
        .map(|c| match c {
            'ſ' => 's',
            '\u{212a}' => 'k',
            c => c.to_ascii_lowercase(),
        })
        .collect()
}

//! Parameters of a call: by position or by name, checked against the method's signature.

use std::str::FromStr;

use serde_json::Value;

use super::super::Ledger;
use super::error::{
    DESERIALIZATION_ERROR, INVALID_ADDRESS_OR_KEY, INVALID_PARAMETER, MISC_ERROR, RpcError, TYPE_ERROR,
};

/// No amount may exceed this, in sat: 21,000,000 coins (consensus/amount.h).
const MAX_MONEY_SAT: u64 = 2_100_000_000_000_000;

/// The parameters of one call.
#[derive(Clone, Debug)]
pub struct Args {
    values: Vec<Value>,
}

/// One parameter of a signature such as `txid:s n:n include_mempool:b?`.
struct Param<'a> {
    names: &'a str,
    kind: char,
    optional: bool,
}

fn signature(text: &str) -> Vec<Param<'_>> {
    let parse = |word| -> Option<Param<'_>> {
        let (names, kind): (&str, &str) = str::split_once(word, ':')?;
        Some(Param {
            names,
            kind: kind.chars().next()?,
            optional: kind.ends_with('?'),
        })
    };
    text.split_whitespace().filter_map(parse).collect()
}

/// The signature as `help` shows it: `gettxout "txid" n ( include_mempool )`.
pub fn usage(method: &str, text: &str) -> String {
    let mut line = method.to_owned();
    let mut open = false;
    for param in signature(text) {
        let name = param.names.split('|').next().unwrap_or_default();
        if param.optional && !open {
            line.push_str(" (");
            open = true;
        }
        line.push_str(&if param.kind == 's' {
            format!(" \"{name}\"")
        } else {
            format!(" {name}")
        });
    }
    if open { line + " )" } else { line }
}

impl Args {
    /// Checks and orders the parameters of a call.
    ///
    /// # Errors
    /// Too many or too few (−1, with the usage), unknown names (−8), wrong types (−3).
    pub fn bind(method: &str, text: &str, given: Value) -> Result<Self, RpcError> {
        let params = signature(text);
        let mut values = match given {
            Value::Array(values) => values,
            Value::Object(named) => by_position(&params, named)?,
            _ => Vec::new(),
        };
        let required = params.iter().filter(|param| !param.optional).count();
        if values.len() > params.len() || values.len() < required {
            return Err(RpcError::new(MISC_ERROR, format!("{}\n", usage(method, text))));
        }
        check_types(&params, &values)?;
        values.resize(params.len(), Value::Null);
        Ok(Self { values })
    }

    /// The value at this position, if given.
    pub fn get(&self, position: usize) -> Option<&Value> {
        self.values.get(position).filter(|value| !value.is_null())
    }

    /// Whether no parameter was given from this position on.
    pub fn is_absent(&self, position: usize) -> bool {
        self.get(position).is_none()
    }

    /// A string; empty if absent.
    pub fn text(&self, position: usize) -> &str {
        self.get(position).and_then(Value::as_str).unwrap_or_default()
    }

    /// A truth value.
    pub fn flag(&self, position: usize, default: bool) -> bool {
        self.get(position).and_then(Value::as_bool).unwrap_or(default)
    }

    /// An integer.
    pub fn int(&self, position: usize, default: i64) -> Result<i64, RpcError> {
        match self.get(position) {
            None => Ok(default),
            Some(value) => value
                .as_i64()
                .ok_or_else(|| RpcError::new(MISC_ERROR, "JSON integer out of range")),
        }
    }

    /// A verbosity that may also be given as a truth value.
    pub fn verbosity(&self, position: usize, default: i64) -> Result<i64, RpcError> {
        match self.get(position) {
            Some(Value::Bool(flag)) => Ok(i64::from(*flag)),
            _ => self.int(position, default),
        }
    }

    /// The id of a transaction or block.
    pub fn hash<T: FromStr>(&self, position: usize, name: &str) -> Result<T, RpcError> {
        parse_hash(self.text(position), name)
    }

    /// A raw transaction in hex.
    pub fn transaction<L: Ledger>(&self, position: usize, error: &str) -> Result<L::Transaction, RpcError> {
        decode_transaction::<L>(self.text(position)).ok_or_else(|| RpcError::new(DESERIALIZATION_ERROR, error))
    }

    /// An array; empty if absent.
    pub fn array(&self, position: usize) -> &[Value] {
        self.get(position).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }
}

fn by_position(params: &[Param<'_>], mut named: serde_json::Map<String, Value>) -> Result<Vec<Value>, RpcError> {
    let mut values = match named.remove("args") {
        Some(Value::Array(values)) => values,
        _ => Vec::new(),
    };
    for (position, param) in params.iter().enumerate() {
        let Some(value) = param.names.split('|').find_map(|name| named.remove(name)) else {
            continue;
        };
        if position < values.len() {
            let text = format!(
                "Parameter {} specified twice both as positional and named argument",
                param.names
            );
            return Err(RpcError::new(INVALID_PARAMETER, text));
        }
        values.resize(position, Value::Null);
        values.push(value);
    }
    match named.keys().next() {
        Some(name) => Err(RpcError::new(
            INVALID_PARAMETER,
            format!("Unknown named parameter {name}"),
        )),
        None => Ok(values),
    }
}

fn check_types(params: &[Param<'_>], values: &[Value]) -> Result<(), RpcError> {
    let mut wrong = Vec::new();
    for (position, (param, value)) in params.iter().zip(values).enumerate() {
        let expected = match param.kind {
            's' => "string",
            'n' => "number",
            'b' => "bool",
            'a' => "array",
            'o' => "object",
            _ => continue,
        };
        let found = type_name(value);
        if found != expected && !(param.optional && value.is_null()) {
            wrong.push(format!(
                "    \"Position {} ({})\": \"JSON value of type {found} is not of expected type {expected}\"",
                position + 1,
                param.names
            ));
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(RpcError::new(
        TYPE_ERROR,
        format!("Wrong type passed:\n{{\n{}\n}}", wrong.join(",\n")),
    ))
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// A hash of 64 hex digits.
pub fn parse_hash<T: FromStr>(text: &str, name: &str) -> Result<T, RpcError> {
    if text.len() != 64 {
        let message = format!("{name} must be of length 64 (not {}, for '{text}')", text.len());
        return Err(RpcError::new(INVALID_PARAMETER, message));
    }
    let broken = || {
        RpcError::new(
            INVALID_PARAMETER,
            format!("{name} must be hexadecimal string (not '{text}')"),
        )
    };
    text.parse().map_err(|_| broken())
}

/// A raw transaction in hex.
pub fn decode_transaction<L: Ledger>(text: &str) -> Option<L::Transaction> {
    L::read_transaction(&hex::decode(text).ok()?)
}

/// `{"txid":…,"vout":…}`.
pub fn parse_outpoint<L: Ledger>(value: &Value) -> Result<L::OutPoint, RpcError> {
    let txid = parse_hash(value["txid"].as_str().unwrap_or_default(), "txid")?;
    let Some(vout) = value["vout"].as_i64() else {
        return Err(RpcError::new(INVALID_PARAMETER, "Invalid parameter, missing vout key"));
    };
    let negative = || RpcError::new(INVALID_PARAMETER, "Invalid parameter, vout cannot be negative");
    Ok(L::outpoint(txid, u32::try_from(vout).map_err(|_| negative())?))
}

/// An amount of BTC, a number or a string of at most eight decimals, as sat (`AmountFromValue`).
pub fn parse_amount(value: &Value) -> Result<u64, RpcError> {
    parse_decimal(value, 8)
}

/// A number or string of at most so many decimals, in units of the last of them.
pub fn parse_decimal(value: &Value, decimals: u32) -> Result<u64, RpcError> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        _ => {
            return Err(RpcError::new(TYPE_ERROR, "Amount is not a number or string"));
        }
    };
    let units = fixed_point(&text, decimals).ok_or_else(|| RpcError::new(TYPE_ERROR, "Invalid amount"))?;
    let out_of_range = || RpcError::new(TYPE_ERROR, "Amount out of range");
    u64::try_from(units)
        .ok()
        .filter(|units| *units <= MAX_MONEY_SAT)
        .ok_or_else(out_of_range)
}

/// `-12.34e-5` exactly, in units of the given decimal (`ParseFixedPoint`).
fn fixed_point(text: &str, decimals: u32) -> Option<i128> {
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let plain = whole.len() == 1 || !whole.starts_with('0');
    if whole.is_empty() || !plain || mantissa.ends_with('.') || digits.len() > 30 {
        return None;
    }
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value: i128 = digits.parse().ok()?;
    let shift = exponent
        .checked_add(i32::try_from(decimals).ok()?)?
        .checked_sub(i32::try_from(fraction.len()).ok()?)?;
    let value = match u32::try_from(shift) {
        Ok(shift) => value.checked_mul(10_i128.checked_pow(shift)?)?,
        Err(_) => {
            let divisor = 10_i128.checked_pow(shift.unsigned_abs())?;
            if value % divisor != 0 {
                return None;
            }
            value / divisor
        }
    };
    Some(if negative { -value } else { value })
}

/// An address of this chain.
pub fn parse_address<L: Ledger>(text: &str, error: &str) -> Result<L::Address, RpcError> {
    L::read_address(text).ok_or_else(|| RpcError::new(INVALID_ADDRESS_OR_KEY, error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn amounts_are_read_exactly_from_numbers_and_strings() {
        assert_eq!(parse_amount(&json!(0.1)), Ok(10_000_000));
        assert_eq!(parse_amount(&json!("20999999.99999999")), Ok(2_099_999_999_999_999));
        assert_eq!(
            parse_amount(&serde_json::from_str("20999999.99999999").unwrap()),
            Ok(2_099_999_999_999_999)
        );
        assert_eq!(parse_amount(&json!(1e-8)), Ok(1));
        assert_eq!(parse_amount(&json!(1)), Ok(100_000_000));
        assert_eq!(
            parse_amount(&json!("0.000000001")).unwrap_err().message,
            "Invalid amount"
        );
        assert_eq!(parse_amount(&json!(-1)).unwrap_err().message, "Amount out of range");
        assert_eq!(parse_amount(&json!("01")).unwrap_err().message, "Invalid amount");
    }

    #[test]
    fn named_parameters_find_their_places_and_unknown_names_are_refused() {
        let text = "txid:s n:n include_mempool:b?";
        let args = Args::bind(
            "gettxout",
            text,
            json!({"include_mempool": false, "txid": "00", "n": 1}),
        )
        .unwrap();
        assert_eq!((args.text(0), args.int(1, 0), args.flag(2, true)), ("00", Ok(1), false));
        let error = Args::bind("gettxout", text, json!({"txid": "00", "m": 1})).unwrap_err();
        assert_eq!((error.code, error.message.as_str()), (-8, "Unknown named parameter m"));
    }

    #[test]
    fn wrong_types_and_counts_are_refused_as_the_daemons_do() {
        let error = Args::bind("getblockhash", "height:n", json!(["a"])).unwrap_err();
        let text = "Wrong type passed:\n{\n    \"Position 1 (height)\": \"JSON value of type string is not of expected type number\"\n}";
        assert_eq!((error.code, error.message.as_str()), (-3, text));
        let error = Args::bind("gettxout", "txid:s n:n include_mempool:b?", json!([])).unwrap_err();
        assert_eq!(
            (error.code, error.message.as_str()),
            (-1, "gettxout \"txid\" n ( include_mempool )\n")
        );
    }
}

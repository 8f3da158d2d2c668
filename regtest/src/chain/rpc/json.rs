//! JSON that is written in the order it was built, with amounts as exact decimals.
//!
//! `serde_json::Value` would turn `0.00000001` into a float; the real daemon prints digits, so do we.

use std::fmt::{self, Write};

/// Sat in one BTC.
pub const COIN: i128 = 100_000_000;

/// A JSON value to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// An integer.
    Int(i128),
    /// An amount: sat, written as BTC with eight decimals.
    Btc(i128),
    /// A string.
    Str(String),
    /// An array.
    Arr(Vec<Json>),
    /// An object, in order.
    Obj(Vec<(String, Json)>),
    /// Text that is JSON already.
    Raw(String),
}

/// Sat as BTC with eight decimals.
pub fn btc_text(sat: i128) -> String {
    let sign = if sat < 0 { "-" } else { "" };
    let sat = sat.abs();
    format!("{sign}{}.{:08}", sat / COIN, sat % COIN)
}

impl Json {
    /// An object of what is there: absent values are left out.
    pub fn object(fields: impl IntoIterator<Item = (&'static str, Option<Json>)>) -> Self {
        Self::Obj(
            fields
                .into_iter()
                .filter_map(|(key, value)| Some((key.to_owned(), value?)))
                .collect(),
        )
    }

    /// An amount in sat, written as BTC.
    pub fn btc(sat: impl Into<i128>) -> Self {
        Self::Btc(sat.into())
    }

    /// What prints itself, as a string.
    pub fn text(value: impl fmt::Display) -> Self {
        Self::Str(value.to_string())
    }

    /// Adds a field to an object.
    pub fn push(&mut self, key: impl Into<String>, value: impl Into<Json>) {
        if let Self::Obj(fields) = self {
            fields.push((key.into(), value.into()));
        }
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<&str> for Json {
    fn from(value: &str) -> Self {
        Self::Str(value.to_owned())
    }
}

impl From<String> for Json {
    fn from(value: String) -> Self {
        Self::Str(value)
    }
}

macro_rules! json_from_integer {
    ($($type:ty),*) => {$(
        impl From<$type> for Json {
            fn from(value: $type) -> Self {
                Self::Int(value as i128)
            }
        }
    )*};
}
json_from_integer!(i32, u32, i64, u64, usize, i128);

impl<T: Into<Json>> From<Vec<T>> for Json {
    fn from(values: Vec<T>) -> Self {
        Self::Arr(values.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Json>> From<Option<T>> for Json {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl FromIterator<Json> for Json {
    fn from_iter<I: IntoIterator<Item = Json>>(values: I) -> Self {
        Self::Arr(values.into_iter().collect())
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Btc(sat) => f.write_str(&btc_text(*sat)),
            Self::Str(text) => write_string(f, text),
            Self::Raw(text) => f.write_str(text),
            Self::Arr(values) => write_list(f, '[', ']', values, |f, value| write!(f, "{value}")),
            Self::Obj(fields) => write_list(f, '{', '}', fields, |f, (key, value)| {
                write_string(f, key)?;
                write!(f, ":{value}")
            }),
        }
    }
}

fn write_list<T>(
    f: &mut fmt::Formatter<'_>,
    open: char,
    close: char,
    items: &[T],
    write_item: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    f.write_char(open)?;
    for (position, item) in items.iter().enumerate() {
        if position > 0 {
            f.write_char(',')?;
        }
        write_item(f, item)?;
    }
    f.write_char(close)
}

fn write_string(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str(&serde_json::to_string(text).expect("a string is always JSON"))
}

/// An object literal: `obj! { "height" => 5, "hash" => hash }`.
macro_rules! obj {
    (@one $key:literal, $value:expr) => { ($key, Some($crate::chain::rpc::json::Json::from($value))) };
    ($($key:literal => $value:expr),* $(,)?) => {
        $crate::chain::rpc::json::Json::object([$(obj!(@one $key, $value)),*])
    };
}
pub(crate) use obj;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact_decimals() {
        assert_eq!(Json::btc(1_u64).to_string(), "0.00000001");
        assert_eq!(Json::btc(-33_i64).to_string(), "-0.00000033");
        assert_eq!(Json::btc(2_100_000_000_000_000_u64).to_string(), "21000000.00000000");
    }

    #[test]
    fn objects_keep_their_order_and_escape_strings() {
        let json = obj! { "b" => "a\"\n", "a" => vec![1, 2], "n" => Json::Null };
        assert_eq!(json.to_string(), r#"{"b":"a\"\n","a":[1,2],"n":null}"#);
    }
}

//! JSON in which every name is there once: of two limits the last would win silently.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::ApiError;

/// A value, and the first name in it that was given twice.
struct Read {
    value: Value,
    repeated: Option<String>,
}

/// Reads parameters.
///
/// # Errors
/// [`ApiError::InvalidParams`]: a name is given twice, or they cannot be held in memory.
pub(super) fn read(text: &str) -> Result<Value, ApiError> {
    let wrong = |field: &str, rule: &str| ApiError::InvalidParams {
        field: field.into(),
        value: None,
        rule: rule.into(),
    };
    // it is JSON, since it has come so far: what fails here is its depth, or a number or text beyond all bounds
    let read: Read = serde_json::from_str(text).map_err(|error| {
        if error.to_string().starts_with("recursion limit") {
            wrong("params", "must not be nested more than 127 levels deep")
        } else {
            wrong("params", "must not hold numbers beyond 64 bits or halves of characters")
        }
    })?;
    match read.repeated {
        Some(name) => Err(wrong(&name, "must be given once, not twice")),
        None => Ok(read.value),
    }
}

impl<'de> Deserialize<'de> for Read {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ReadVisitor)
    }
}

fn plain<E>(value: impl Into<Value>) -> Result<Read, E> {
    Ok(Read {
        value: value.into(),
        repeated: None,
    })
}

struct ReadVisitor;

impl<'de> Visitor<'de> for ReadVisitor {
    type Value = Read;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Read, E> {
        plain(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Read, E> {
        plain(value)
    }

    fn visit_i64<E>(self, value: i64) -> Result<Read, E> {
        plain(value)
    }

    fn visit_u64<E>(self, value: u64) -> Result<Read, E> {
        plain(value)
    }

    fn visit_f64<E>(self, value: f64) -> Result<Read, E> {
        plain(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Read, E> {
        plain(value)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Read, A::Error> {
        let (mut values, mut repeated) = (Vec::new(), None);
        while let Some(item) = items.next_element::<Read>()? {
            repeated = repeated.or(item.repeated);
            values.push(item.value);
        }
        Ok(Read {
            value: Value::Array(values),
            repeated,
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Read, A::Error> {
        let (mut object, mut repeated) = (Map::new(), None);
        while let Some((name, item)) = entries.next_entry::<String, Read>()? {
            repeated = repeated.or(item.repeated);
            if object.contains_key(&name) {
                repeated = repeated.or_else(|| Some(name.clone()));
            }
            object.insert(name, item.value);
        }
        Ok(Read {
            value: Value::Object(object),
            repeated,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        read(text).expect_err("it must be refused").to_string()
    }

    #[test]
    fn a_value_is_read_as_it_is() {
        let text = r#"{"a":[1,-2,1.5,true,null,"x\u00e9"],"b":{"a":18446744073709551615}}"#;
        let plain: Value = serde_json::from_str(text).unwrap();
        assert_eq!(read(text), Ok(plain));
    }

    #[test]
    fn a_name_that_is_given_twice_is_refused_and_named() {
        let text = r#"{"amount_sat":1,"channel":"1x1x1","amount_sat":2}"#;
        assert_eq!(refusal(text), "parameter amount_sat: must be given once, not twice");
        assert!(refusal(&format!("[{text}]")).contains("amount_sat"));
    }

    #[test]
    fn what_cannot_be_held_is_refused_without_a_parsers_words() {
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        for text in [deep.as_str(), "[1e999]"] {
            let refused = read(text).expect_err("it must be refused");
            assert!(matches!(&refused, ApiError::InvalidParams { field, value: None, .. } if field == "params"));
            assert!(!refused.to_string().contains("line"), "{refused}");
        }
    }
}

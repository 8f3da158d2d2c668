//! Parameters by name, checked before a method sees them.
//!
//! The library takes the names it knows and drops the rest; here a name it does not know is an error, and every error
//! names the parameter. What passes goes on as one positional argument: the request struct.

use jsonrpsee::core::middleware::{Batch, BatchEntry, BatchEntryErr, Notification, RpcServiceT};
use jsonrpsee::server::MethodResponse;
use jsonrpsee::types::{ErrorObjectOwned, Request};
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use super::error::ApiError;
use super::types::{
    BumpRequest, ChainPause, ChainRef, NoParams, PeerQuarantine, PeerRef, PolicyChange, PremiumChange, PremiumFilter,
    SendRequest, SwapFilter, SwapRef, SwapRequest, SwapTopic, SwapWait, WalletRef,
};

mod rule;
mod unique;

/// What a method does with its parameters.
enum Shape {
    /// Takes none.
    None,
    /// Takes a request struct.
    Named,
    /// Belongs to the library.
    Foreign,
}

/// Checks a call's parameters as the server does, without making it.
///
/// # Errors
/// [`ApiError::InvalidParams`] with the parameter's name, what was given and what is allowed.
pub fn check_params(method: &str, params: &Value) -> Result<(), ApiError> {
    check(method, params).map(|_| ())
}

/// The shape of a method, once its parameters have been found good.
fn check(method: &str, params: &Value) -> Result<Shape, ApiError> {
    let read = match method {
        "info" | "peer_list" | "chain_list" | "policy_get" | "stop" => {
            return read::<NoParams>(params).map(|()| Shape::None);
        }
        "swap_out" | "swap_in" => read::<SwapRequest>(params),
        "swap_get" | "swap_cancel" => read::<SwapRef>(params),
        "swap_bump" => read::<BumpRequest>(params),
        "swap_list" => read::<SwapFilter>(params),
        "swap_wait" => read::<SwapWait>(params),
        "swap_subscribe" => read::<SwapTopic>(params),
        "peer_get" | "peer_release" => read::<PeerRef>(params),
        "peer_quarantine" => read::<PeerQuarantine>(params),
        "chain_pause" => read::<ChainPause>(params),
        "chain_resume" => read::<ChainRef>(params),
        "policy_set" => read::<PolicyChange>(params),
        "premium_get" => read::<PremiumFilter>(params),
        "premium_set" => read::<PremiumChange>(params),
        "wallet_address" | "wallet_balance" => read::<WalletRef>(params),
        "wallet_send" => read::<SendRequest>(params),
        _ => return Ok(Shape::Foreign),
    };
    read.map(|()| Shape::Named)
}

fn read<T: DeserializeOwned>(params: &Value) -> Result<(), ApiError> {
    let failed = match serde_path_to_error::deserialize::<_, T>(params) {
        Ok(_) => return Ok(()),
        Err(error) => error,
    };
    let path = failed.path().to_string();
    let text = failed.inner().to_string();
    // serde reports a missing or an unknown name on the struct, not on the field; it quotes the name first
    let (field, rule) = if let Some(rest) = text.strip_prefix("unknown field `") {
        // the name is the caller's: it may hold all that serde writes behind it
        let none = rest.strip_suffix("`, there are no fields");
        let some = || rest.rsplit_once("`, expected ").unwrap_or((rest, "another"));
        let (name, known) = none.map_or_else(some, |name| (name, "no parameters"));
        (name.to_owned(), format!("is not known here, expected {known}"))
    } else if text.starts_with("missing field") {
        let quoted = text.split('`').nth(1).unwrap_or_default();
        (quoted.to_owned(), "is missing".to_owned())
    } else {
        // what was given may hold all that stands around it in the text: there it is left out
        let text = match at(params, &path).and_then(Value::as_str) {
            Some(given) => [format!("`{given}`"), format!("{given:?}")]
                .iter()
                .fold(text, |text, quoted| text.replacen(quoted, "``", 1)),
            None => text,
        };
        (path, rule::plain(&text))
    };
    let value = at(params, &field).cloned();
    Err(ApiError::InvalidParams { field, value, rule })
}

/// What was given at a path such as `allow[0]`.
fn at<'a>(params: &'a Value, path: &str) -> Option<&'a Value> {
    let mut keys = path.split(['.', '[']);
    keys.try_fold(params, |value, key| match key.trim_end_matches(']').parse::<usize>() {
        Ok(index) => value.get(index),
        Err(_) => value.get(key),
    })
}

/// The one argument: the object itself, or what the generated client sends, an array of that object alone.
fn object(raw: Option<&RawValue>) -> Result<Value, ApiError> {
    let by_name = |value: Value| ApiError::InvalidParams {
        field: "params".into(),
        value: Some(value),
        rule: "must be an object with the parameters by name".into(),
    };
    let value = match raw {
        None => return Ok(Value::Object(serde_json::Map::new())),
        Some(raw) => unique::read(raw.get())?,
    };
    match value {
        Value::Null => Ok(Value::Object(serde_json::Map::new())),
        Value::Object(_) => Ok(value),
        Value::Array(mut items) if items.len() <= 1 => match items.pop() {
            None => Ok(Value::Object(serde_json::Map::new())),
            Some(object @ Value::Object(_)) => Ok(object),
            Some(other) => Err(by_name(other)),
        },
        Value::Array(_) | Value::Bool(_) | Value::Number(_) | Value::String(_) => Err(by_name(value)),
    }
}

fn prepare<'a>(mut request: Request<'a>) -> Result<Request<'a>, ErrorObjectOwned> {
    // the library's own methods take its own parameters
    if request.method_name() == "swap_unsubscribe" {
        return Ok(request);
    }
    let params = object(request.params.as_deref())?;
    request.params = match check(request.method_name(), &params)? {
        Shape::Foreign => return Ok(request),
        Shape::None => None,
        Shape::Named => {
            let one = to_raw_value(&[params]).expect("a JSON value has a JSON text");
            Some(std::borrow::Cow::Owned(one))
        }
    };
    Ok(request)
}

/// The service that checks parameters, around the one that calls methods.
#[derive(Debug, Clone)]
pub(super) struct ByName<S>(pub S);

impl<S> RpcServiceT for ByName<S>
where
    S: RpcServiceT<MethodResponse = MethodResponse>,
{
    type MethodResponse = MethodResponse;
    type NotificationResponse = S::NotificationResponse;
    type BatchResponse = S::BatchResponse;

    fn call<'a>(&self, request: Request<'a>) -> impl Future<Output = Self::MethodResponse> + Send + 'a {
        let id = request.id();
        let answer = match prepare(request) {
            Ok(request) => Ok(self.0.call(request)),
            Err(error) => Err(MethodResponse::error(id, error)),
        };
        async move {
            match answer {
                Ok(answer) => answer.await,
                Err(error) => error,
            }
        }
    }

    fn batch<'a>(&self, batch: Batch<'a>) -> impl Future<Output = Self::BatchResponse> + Send + 'a {
        let entries = batch.into_iter().map(|entry| match entry {
            Ok(BatchEntry::Call(request)) => {
                let id = request.id();
                match prepare(request) {
                    Ok(request) => Ok(BatchEntry::Call(request)),
                    Err(error) => Err(BatchEntryErr::new(id, error)),
                }
            }
            other @ (Ok(BatchEntry::Notification(_)) | Err(_)) => other,
        });
        self.0.batch(Batch::from(entries.collect()))
    }

    fn notification<'a>(
        &self,
        notification: Notification<'a>,
    ) -> impl Future<Output = Self::NotificationResponse> + Send + 'a {
        self.0.notification(notification)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_parameter_and_what_was_given() {
        let cases = [
            (r#"{"channel":"1x1x1","asset":"lbtc"}"#, "amount_sat", "is missing"),
            (
                r#"{"channel":"1x1x1","amount_sat":1,"asset":"lbtc","max_premium":3}"#,
                "max_premium",
                "is not known here, expected one of `channel`",
            ),
            (
                r#"{"channel":"1x1","amount_sat":1,"asset":"lbtc"}"#,
                "channel",
                "must be block x transaction x output",
            ),
            (
                r#"{"channel":"1x1x1","amount_sat":"1","asset":"lbtc"}"#,
                "amount_sat",
                "must be a whole number from 0 to 18446744073709551615",
            ),
            (
                r#"{"channel":"1x1x1","amount_sat":-5,"asset":"lbtc"}"#,
                "amount_sat",
                "must be a whole number from 0 to 18446744073709551615",
            ),
            (
                r#"{"channel":"1x1x1","amount_sat":1.5,"asset":"lbtc"}"#,
                "amount_sat",
                "must be a whole number from 0 to 18446744073709551615",
            ),
            (
                r#"{"channel":"1x1x1","amount_sat":1,"asset":"usdt"}"#,
                "asset",
                "must be `auto`, `lbtc` or `btc`",
            ),
        ];
        for (params, name, text) in cases {
            let params: Value = serde_json::from_str(params).unwrap();
            let Err(ApiError::InvalidParams { field, value, rule }) = check_params("swap_out", &params) else {
                panic!("{params} was taken");
            };
            assert_eq!(field, name, "{params}");
            assert!(rule.starts_with(text), "{rule}");
            assert_eq!(value.as_ref(), params.get(name), "{params}");
        }
    }

    #[test]
    fn an_unknown_name_is_repeated_on_one_line_and_not_at_length() {
        for (method, known) in [("swap_get", "expected `swap_id`"), ("info", "expected no parameters")] {
            let name = format!("two\nlines, `, expected {}", "x".repeat(5_000));
            let error = check_params(method, &serde_json::json!({ name: 1 })).expect_err("no such parameter");
            let text = error.to_string();
            assert!(text.starts_with("parameter two\\nlines, `, expected xxx"), "{text}");
            assert!(text.contains(&format!(": is not known here, {known}")), "{text}");
            assert!(!text.contains('\n') && text.len() < 300, "{text}");
        }
    }

    #[test]
    fn rules_are_said_in_plain_words_and_do_not_repeat_the_value() {
        let cases = [
            (
                "swap_list",
                r#"{"limit":-1}"#,
                "must be a whole number from 0 to 4294967295",
            ),
            ("swap_list", r#"{"active_only":"yes"}"#, "must be true or false"),
            ("swap_list", r#"{"peer":5}"#, "must be a node id, 66 hex digits"),
            ("swap_list", r#"{"peer":"02ab"}"#, "must be a node id, 66 hex digits"),
            (
                "swap_list",
                r#"{"channel":"812345"}"#,
                "must be block x transaction x output",
            ),
            ("swap_get", r#"{"swap_id":"xyz"}"#, "must be 64 hex digits"),
            ("swap_get", r#"{"swap_id":7}"#, "must be a text"),
            ("policy_set", r#"{"allow":"02"}"#, "must be a list"),
            ("policy_set", r#"{"accept_all_peers":1}"#, "must be true or false"),
            ("wallet_balance", r#"{"asset":"doge"}"#, "must be `lbtc` or `btc`"),
            (
                "premium_set",
                r#"{"asset":"lbtc","direction":"in","ppm":"1"}"#,
                "must be a whole number from -9223372036854775808 to 9223372036854775807",
            ),
            (
                "swap_wait",
                r#"{"swap_id":"0000000000000000000000000000000000000000000000000000000000000000","until":"x"}"#,
                "must be `closed` or `settled`",
            ),
        ];
        for (method, params, wanted) in cases {
            let params: Value = serde_json::from_str(params).unwrap();
            let Err(ApiError::InvalidParams { rule, .. }) = check_params(method, &params) else {
                panic!("{params} was taken");
            };
            assert!(rule.starts_with(wanted), "{params}: {rule}");
            for jargon in ["expected", "invalid", "u64", "variant"] {
                assert!(!rule.contains(jargon), "{params}: {rule}");
            }
        }
    }

    #[test]
    fn a_rule_holds_nothing_of_a_value_that_looks_like_one() {
        let given = format!("x`: y, expected {}`: z\n", "x".repeat(5_000));
        for (method, name, rule) in [
            ("wallet_balance", "asset", "must be `lbtc` or `btc`"),
            ("swap_get", "swap_id", "must be 64 hex digits"),
            ("swap_list", "limit", "must be a whole number from 0 to 4294967295"),
        ] {
            let error = check_params(method, &serde_json::json!({ name: given }));
            let Err(ApiError::InvalidParams { rule: told, .. }) = error else {
                panic!("{method} took it");
            };
            assert!(told.starts_with(rule) && told.len() < 100, "{method}: {told}");
        }
    }

    #[test]
    fn a_channel_is_named_in_any_of_its_forms() {
        for form in ["812345x17x1", "812345:17:1", "893182773266808833"] {
            let params = serde_json::json!({"channel": form, "amount_sat": 1});
            let request: SwapRequest = serde_json::from_value(params).unwrap();
            assert_eq!(request.channel.to_string(), "812345x17x1");
        }
    }

    #[test]
    fn an_omitted_rate_deletes_nothing() {
        let params = serde_json::json!({"asset": "lbtc", "direction": "in"});
        assert!(check_params("premium_set", &params).is_err());
        let params = serde_json::json!({"asset": "lbtc", "direction": "in", "ppm": null});
        assert!(check_params("premium_set", &params).is_ok());
    }
}

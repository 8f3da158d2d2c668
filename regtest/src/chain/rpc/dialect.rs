//! The two dialects of JSON-RPC (rpc/request.cpp, httprpc.cpp).
//!
//! Legacy: an error is an HTTP error, and both `result` and `error` are always there. 2.0, on newer releases and when the
//! request says so: always HTTP 200, `result` or `error` alone, no answer to a call without id.

use serde_json::Value;

use super::error::{INVALID_REQUEST, METHOD_NOT_FOUND, RpcError};
use super::json::Json;

/// How an answer looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// JSON-RPC 1.0 with HTTP errors.
    Legacy,
    /// JSON-RPC 2.0.
    V2,
}

/// A parsed request.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its dialect.
    pub dialect: Dialect,
    /// Its id; `None` makes it a notification in the 2.0 dialect.
    pub id: Option<Value>,
    /// Method.
    pub method: String,
    /// Parameters, array or object.
    pub params: Value,
}

/// A request that cannot be executed, with what is known of it.
pub struct BadRequest {
    /// Dialect, as far as it was said.
    pub dialect: Dialect,
    /// Id, if there was one.
    pub id: Option<Value>,
    /// What is wrong.
    pub error: RpcError,
}

impl Request {
    /// Reads one request.
    ///
    /// # Errors
    /// What the daemons say of a malformed one, code −32600.
    pub fn parse(value: &Value, knows_v2: bool) -> Result<Self, BadRequest> {
        let invalid = |dialect, id: Option<Value>, text: &str| BadRequest {
            dialect,
            id,
            error: RpcError::new(INVALID_REQUEST, text),
        };
        let Some(object) = value.as_object() else {
            return Err(invalid(Dialect::Legacy, None, "Invalid Request object"));
        };
        let mut id = object.get("id").cloned();
        let dialect = match (knows_v2, object.get("jsonrpc")) {
            // Releases before JSON-RPC 2.0 support never look at the marker and always answer with an id.
            (false, _) => {
                id = Some(id.unwrap_or(Value::Null));
                Dialect::Legacy
            }
            (true, None | Some(Value::Null)) => Dialect::Legacy,
            (true, Some(Value::String(version))) => match version.as_str() {
                "1.0" => Dialect::Legacy,
                "2.0" => Dialect::V2,
                _ => {
                    return Err(invalid(Dialect::Legacy, id, "JSON-RPC version not supported"));
                }
            },
            (true, Some(_)) => {
                return Err(invalid(Dialect::Legacy, id, "jsonrpc field must be a string"));
            }
        };
        let method = match object.get("method") {
            None | Some(Value::Null) => return Err(invalid(dialect, id, "Missing method")),
            Some(Value::String(method)) => method.clone(),
            Some(_) => return Err(invalid(dialect, id, "Method must be a string")),
        };
        let params = match object.get("params") {
            None | Some(Value::Null) => Value::Array(Vec::new()),
            Some(params @ (Value::Array(_) | Value::Object(_))) => params.clone(),
            Some(_) => return Err(invalid(dialect, id, "Params must be an array or object")),
        };
        Ok(Self {
            dialect,
            id,
            method,
            params,
        })
    }

    /// Whether the caller wants no answer.
    pub fn is_notification(&self) -> bool {
        self.dialect == Dialect::V2 && self.id.is_none()
    }
}

/// The body of an answer.
pub fn reply(dialect: Dialect, id: Option<&Value>, outcome: &Result<Json, RpcError>) -> Json {
    let mut body = Json::Obj(Vec::new());
    if dialect == Dialect::V2 {
        body.push("jsonrpc", "2.0");
    }
    match outcome {
        Ok(result) => {
            body.push("result", result.clone());
            if dialect == Dialect::Legacy {
                body.push("error", Json::Null);
            }
        }
        Err(error) => {
            if dialect == Dialect::Legacy {
                body.push("result", Json::Null);
            }
            body.push("error", error.to_json());
        }
    }
    if let Some(id) = id {
        body.push("id", Json::Raw(id.to_string()));
    }
    body
}

/// The HTTP status of a single answer.
pub fn status(dialect: Dialect, outcome: &Result<Json, RpcError>) -> u16 {
    match (dialect, outcome) {
        (Dialect::V2, _) | (_, Ok(_)) => 200,
        (Dialect::Legacy, Err(error)) => match error.code {
            INVALID_REQUEST => 400,
            METHOD_NOT_FOUND => 404,
            _ => 500,
        },
    }
}

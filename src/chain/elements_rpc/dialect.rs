//! One dialect out of two, below the JSON-RPC client.
//!
//! Releases before JSON-RPC 2.0 answer with `"error": null` beside a result, with `"result": null` beside an error, and
//! put errors into HTTP 500, 404 and 400. The client takes the first for malformed and loses the error in the second.
//!
//! ```text
//! jsonrpsee client ──▶ Dialect: adds credentials ──▶ HTTP
//!                  ◀── Dialect: rewrites to 2.0  ◀──
//! ```

use std::sync::Arc;
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::BoxFuture;
use http::StatusCode;
use http::header::{AUTHORIZATION, CONTENT_LENGTH};
use jsonrpsee::core::http_helpers::{HttpError, read_body};
use jsonrpsee::http_client::transport::Error as TransportError;
use jsonrpsee::http_client::{HttpBackend, HttpBody, HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tower::{Layer, Service};

use super::credentials::Credentials;

/// The longest answer that is read: a full block is 4 MB, hence 8 MB in hex.
pub(super) const MAX_ANSWER_BYTES: u32 = 32 * 1024 * 1024;

/// Puts [`Dialect`] around the HTTP client.
#[derive(Debug, Clone)]
pub(super) struct DialectLayer(pub(super) Arc<Credentials>);

impl<S> Layer<S> for DialectLayer {
    type Service = Dialect<S>;
    fn layer(&self, inner: S) -> Dialect<S> {
        Dialect {
            inner,
            credentials: Arc::clone(&self.0),
        }
    }
}

/// The shim itself.
#[derive(Debug, Clone)]
pub(super) struct Dialect<S> {
    inner: S,
    credentials: Arc<Credentials>,
}

impl Service<HttpRequest> for Dialect<HttpBackend> {
    type Response = HttpResponse;
    type Error = TransportError;
    type Future = BoxFuture<'static, Result<HttpResponse, TransportError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Service::<HttpRequest>::poll_ready(&mut self.inner, cx)
    }

    fn call(&mut self, mut request: HttpRequest) -> Self::Future {
        match self.credentials.header() {
            Ok(header) => request.headers_mut().insert(AUTHORIZATION, header),
            Err(reason) => return async move { Err(HttpError::Stream(reason.into()).into()) }.boxed(),
        };
        let answer = self.inner.call(request);
        async move {
            let (mut parts, body) = answer.await?.into_parts();
            let bytes = match read_body(&parts.headers, body, MAX_ANSWER_BYTES).await {
                Ok((bytes, _)) => bytes,
                // plain text, such as "Work queue depth exceeded": the status says enough
                Err(HttpError::Malformed) if !parts.status.is_success() => Vec::new(),
                Err(error) => return Err(error.into()),
            };
            let body = match rewrite(&bytes) {
                Some(rewritten) => {
                    parts.status = StatusCode::OK;
                    rewritten
                }
                None => bytes,
            };
            parts.headers.remove(CONTENT_LENGTH);
            Ok(HttpResponse::from_parts(parts, HttpBody::from(body)))
        }
        .boxed()
    }
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    id: &'a RawValue,
}

#[derive(Serialize)]
struct Rewritten<'a> {
    jsonrpc: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a RawValue>,
    id: &'a RawValue,
}

/// An answer of either dialect in JSON-RPC 2.0; None for what is no answer at all.
fn rewrite(bytes: &[u8]) -> Option<Vec<u8>> {
    let answer: Answer<'_> = serde_json::from_slice(bytes).ok()?;
    let result = if answer.error.is_some() {
        None
    } else {
        Some(answer.result.unwrap_or(RawValue::NULL))
    };
    serde_json::to_vec(&Rewritten {
        jsonrpc: "2.0",
        result,
        error: answer.error,
        id: answer.id,
    })
    .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(text: &str) -> Option<String> {
        rewrite(text.as_bytes()).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn both_dialects_become_one() {
        let cases = [
            (
                r#"{"result":5,"error":null,"id":1}"#,
                r#"{"jsonrpc":"2.0","result":5,"id":1}"#,
            ),
            (
                r#"{"jsonrpc":"2.0","result":5,"id":1}"#,
                r#"{"jsonrpc":"2.0","result":5,"id":1}"#,
            ),
            (
                r#"{"result":null,"error":null,"id":1}"#,
                r#"{"jsonrpc":"2.0","result":null,"id":1}"#,
            ),
            (
                r#"{"jsonrpc":"2.0","result":null,"id":1}"#,
                r#"{"jsonrpc":"2.0","result":null,"id":1}"#,
            ),
            (
                r#"{"result":null,"error":{"code":-25,"message":"no"},"id":"a"}"#,
                r#"{"jsonrpc":"2.0","error":{"code":-25,"message":"no"},"id":"a"}"#,
            ),
            (
                r#"{"jsonrpc":"2.0","error":{"code":-25,"message":"no"},"id":1}"#,
                r#"{"jsonrpc":"2.0","error":{"code":-25,"message":"no"},"id":1}"#,
            ),
        ];
        for (given, wanted) in cases {
            assert_eq!(rewritten(given).as_deref(), Some(wanted), "{given}");
        }
    }

    #[test]
    fn amounts_pass_digit_by_digit() {
        let text = r#"{"result":{"fee":0.10000000,"most":20999999.99999999},"error":null,"id":1}"#;
        assert!(
            rewritten(text)
                .unwrap()
                .contains(r#"{"fee":0.10000000,"most":20999999.99999999}"#)
        );
    }

    #[test]
    fn what_is_no_answer_is_left_alone() {
        assert_eq!(rewritten("Work queue depth exceeded"), None);
        assert_eq!(rewritten(r#"{"hello":"world"}"#), None);
    }
}

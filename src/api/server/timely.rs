//! The body of a request: read whole before anything is done with it, within a size and a time.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Bytes};
use jsonrpsee::core::BoxError;
use jsonrpsee::server::HttpBody;
use jsonrpsee::server::http::response::too_large;
use tower::{Layer, Service};

use super::MAX_REQUEST;

/// Has bodies read whole, within this time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Within(pub(super) Duration);

impl<S> Layer<S> for Within {
    type Service = Timely<S>;
    fn layer(&self, inner: S) -> Timely<S> {
        Timely { inner, limit: self.0 }
    }
}

/// The service that [`Within`] makes.
#[derive(Debug, Clone)]
pub(super) struct Timely<S> {
    inner: S,
    limit: Duration,
}

impl<S, B> Service<Request<B>> for Timely<S>
where
    S: Service<Request<HttpBody>, Response = Response<HttpBody>, Error = BoxError> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<HttpBody>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut inner, limit) = (self.inner.clone(), self.limit);
        let (head, body) = request.into_parts();
        let size = usize::try_from(MAX_REQUEST).unwrap_or(usize::MAX);
        if body.size_hint().lower() > MAX_REQUEST.into() {
            return Box::pin(async { Ok(too_large(MAX_REQUEST)) });
        }
        Box::pin(async move {
            match tokio::time::timeout(limit, Limited::new(body, size).collect()).await {
                Ok(Ok(body)) => {
                    let body = HttpBody::from(Vec::from(body.to_bytes()));
                    inner.call(Request::from_parts(head, body)).await
                }
                Ok(Err(failure)) if failure.is::<LengthLimitError>() => Ok(too_large(MAX_REQUEST)),
                // it has gone: there is nobody to be answered
                Ok(Err(failure)) => Err(failure),
                Err(_) => Ok(too_slow(limit)),
            }
        })
    }
}

fn too_slow(limit: Duration) -> Response<HttpBody> {
    let body = serde_json::json!({
        "jsonrpc": "2.0",
        "id": null,
        "error": {
            "code": super::TOO_SLOW,
            "message": format!("the request's body has not come within {limit:?}"),
            "data": { "error": "too_slow", "limit_ms": u64::try_from(limit.as_millis()).unwrap_or(u64::MAX) },
        },
    });
    let mut response = Response::new(HttpBody::from(body.to_string()));
    *response.status_mut() = StatusCode::REQUEST_TIMEOUT;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(http::header::CONNECTION, HeaderValue::from_static("close"));
    response
}

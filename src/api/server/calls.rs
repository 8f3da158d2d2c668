//! Calls that are being answered on one connection: a bounded number, so that a client that asks faster than it is
//! answered holds up only itself.

use std::sync::Arc;

use jsonrpsee::core::middleware::{Batch, Notification, RpcServiceT};
use jsonrpsee::server::MethodResponse;
use jsonrpsee::types::{ErrorObjectOwned, Id, Request};
use tokio::sync::Semaphore;
use tower::Layer;

use crate::api::error::ApiError;

/// The places for calls of one connection.
#[derive(Clone)]
pub(super) struct Calls {
    most: usize,
    places: Arc<Semaphore>,
}

impl Calls {
    pub(super) fn new(most: usize) -> Calls {
        Calls {
            most,
            places: Arc::new(Semaphore::new(most)),
        }
    }

    fn refusal(&self) -> ErrorObjectOwned {
        ApiError::TooManyCalls { most: self.most }.into()
    }
}

impl<S> Layer<S> for Calls {
    type Service = AtMost<S>;
    fn layer(&self, inner: S) -> AtMost<S> {
        AtMost {
            calls: self.clone(),
            inner,
        }
    }
}

/// Refuses calls that come on top of the others.
#[derive(Clone)]
pub(super) struct AtMost<S> {
    calls: Calls,
    inner: S,
}

impl<S> RpcServiceT for AtMost<S>
where
    S: RpcServiceT<MethodResponse = MethodResponse, BatchResponse = MethodResponse>,
{
    type MethodResponse = MethodResponse;
    type NotificationResponse = S::NotificationResponse;
    type BatchResponse = MethodResponse;

    fn call<'a>(&self, request: Request<'a>) -> impl Future<Output = Self::MethodResponse> + Send + 'a {
        let id = request.id();
        let answer = match self.calls.places.clone().try_acquire_owned() {
            Ok(place) => Ok((place, self.inner.call(request))),
            Err(_) => Err(MethodResponse::error(id, self.calls.refusal())),
        };
        async move {
            match answer {
                Ok((_place, answer)) => answer.await,
                Err(refused) => refused,
            }
        }
    }

    fn batch<'a>(&self, batch: Batch<'a>) -> impl Future<Output = Self::BatchResponse> + Send + 'a {
        let answer = match self.calls.places.clone().try_acquire_owned() {
            Ok(place) => Ok((place, self.inner.batch(batch))),
            Err(_) => Err(MethodResponse::error(Id::Null, self.calls.refusal())),
        };
        async move {
            match answer {
                Ok((_place, answer)) => answer.await,
                Err(refused) => refused,
            }
        }
    }

    fn notification<'a>(
        &self,
        notification: Notification<'a>,
    ) -> impl Future<Output = Self::NotificationResponse> + Send + 'a {
        self.inner.notification(notification)
    }
}

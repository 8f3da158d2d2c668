//! Streams of a daemon's events.

use std::future::Future;
use std::pin::Pin;
use std::task::Poll;

use futures::future;
use futures::stream::{self, Stream, StreamExt};
use tonic::codec::Streaming;
use tonic::{Response, Status};
use tracing::debug;

use super::connection::Dialect;
use super::error::CallError;
use crate::ports::PortError;

/// The events of one subscription, then None: it has ended.
pub(in crate::node) fn subscription<D: Dialect, T, E>(
    method: &'static str,
    read: fn(T) -> Option<E>,
    open: impl Future<Output = Result<Response<Streaming<T>>, Status>>,
) -> impl Stream<Item = Option<E>> {
    let ended = move |status: Option<Status>| {
        let reason = status.map_or_else(
            || format!("closed by {}", D::DAEMON),
            |s| CallError::from_status::<D>(method, &s).to_string(),
        );
        debug!(method, reason, "subscription ended");
    };
    stream::once(open)
        .filter_map(move |opened| future::ready(opened.map_err(|status| ended(Some(status))).ok()))
        .flat_map(move |response| {
            stream::unfold(response.into_inner(), move |mut updates| async move {
                match updates.message().await {
                    Ok(Some(update)) => Some((update, updates)),
                    Ok(None) => {
                        ended(None);
                        None
                    }
                    Err(status) => {
                        ended(Some(status));
                        None
                    }
                }
            })
        })
        .filter_map(move |update| future::ready(read(update)))
        .map(Some)
        .chain(stream::once(future::ready(None)))
}

/// Puts the requests behind `events` on their way, and passes the events on until one of the subscriptions ends.
///
/// # Errors
/// `Unreachable` when one has ended at once.
pub(in crate::node) async fn started<D: Dialect, E: Send + 'static>(
    method: &'static str,
    events: impl Stream<Item = Option<E>> + Send + 'static,
) -> Result<Pin<Box<dyn Stream<Item = E> + Send>>, PortError> {
    let until_one_ends = events.take_while(|item| future::ready(item.is_some()));
    let mut events = Box::pin(until_one_ends.filter_map(future::ready).peekable());
    // A daemon may send not even headers before there is an event, so waiting for an answer could take for ever.
    if let Poll::Ready(None) = futures::poll!(events.as_mut().peek()) {
        return Err(CallError::no_answer::<D>(method, "the stream ended at once").into());
    }
    Ok(events)
}

//! Swaps: begun, watched, ended.

use std::sync::Arc;
use std::time::Duration;

use bitcoin::Amount;
use futures::{Stream, StreamExt, stream};
use jsonrpsee::PendingSubscriptionSink;
use jsonrpsee::core::SubscriptionResult;
use tokio::sync::broadcast::error::RecvError;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;

use super::{Service, broken, refusal};
use crate::api::cancel::{self, advise};
use crate::api::error::ApiError;
use crate::api::server::forward;
use crate::api::types::{
    CancelAnswer, SwapFilter, SwapList, SwapRequest, SwapStarted, SwapTopic, SwapView, SwapWait, SwapWaited,
};
use crate::api::view::has_reached;
use crate::engine::NewSwap;
use crate::store::{Filter, Summary};
use crate::swap::{Kind, Swap};
use crate::units::{Ppm, SwapId};

impl Service {
    pub(super) async fn start(&self, kind: Kind, request: SwapRequest) -> Result<SwapStarted, ApiError> {
        if *self.stop.borrow() {
            return Err(ApiError::Stopping {});
        }
        let key = request.idempotency_key.as_ref().map(|key| key.as_str().to_owned());
        let new = NewSwap {
            kind,
            scid: request.channel,
            amount: Amount::from_sat(request.amount_sat),
            asset: request.asset,
            max_premium: Ppm(request.max_premium_ppm),
            idempotency_key: key.clone(),
        };
        let started = self.engine()?.start(new).await;
        let started = started.map_err(|error| refusal::of(error, kind, &request))?;
        let swap = self.view(&started.swap)?;
        Ok(SwapStarted {
            swap_id: started.swap.id,
            repeated: started.repeated,
            swap,
        })
    }

    pub(super) fn known(&self, swap_id: SwapId) -> Result<Arc<Swap>, ApiError> {
        let swap = self.engine()?.swap(swap_id).map_err(broken)?;
        swap.ok_or(ApiError::UnknownSwap { swap_id })
    }

    pub(super) async fn cancel(&self, swap_id: SwapId) -> Result<CancelAnswer, ApiError> {
        let mut swap = self.known(swap_id)?;
        let mut advice = advise(&swap)?;
        if advice.abort {
            let aborted = self.engine()?.abort(swap_id, "canceled by the operator").await;
            let (before, after) = aborted.map_err(broken)?.ok_or(ApiError::UnknownSwap { swap_id })?;
            advice = cancel::done(&before, &after)?;
            swap = after;
        }
        let swap = self.view(&swap)?;
        Ok(CancelAnswer {
            swap_id,
            action: advice.action,
            explanation: advice.explanation.into(),
            swap,
        })
    }

    pub(super) fn list(&self, filter: &SwapFilter) -> Result<SwapList, ApiError> {
        if filter.limit > SwapFilter::MAX_LIMIT {
            let rule = format!("must be at most {}", SwapFilter::MAX_LIMIT);
            return Err(ApiError::invalid("limit", filter.limit, rule));
        }
        let wanted = Filter {
            open: filter.active_only.then_some(true),
            peer: filter.peer,
            ..Filter::default()
        };
        let prefix = filter.id_prefix.as_deref().unwrap_or_default().to_ascii_lowercase();
        if !prefix.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(ApiError::invalid("id_prefix", prefix, "must be hex digits"));
        }
        let fits = |summary: &Summary| {
            let channel = filter.channel.is_none_or(|channel| channel == summary.scid);
            channel && (prefix.is_empty() || summary.id.to_string().starts_with(&prefix))
        };
        let mut listed = self.engine()?.store().list(&wanted, usize::MAX).map_err(broken)?;
        listed.retain(fits);
        let total = u64::try_from(listed.len()).unwrap_or(u64::MAX);
        let (offset, limit) = (filter.offset as usize, filter.limit as usize);
        let page = listed.into_iter().skip(offset).take(limit);
        let swaps = page
            .map(|summary| self.view(&*self.known(summary.id)?))
            .collect::<Result<_, _>>()?;
        Ok(SwapList { swaps, total })
    }

    pub(super) async fn wait(&self, wait: &SwapWait) -> Result<SwapWaited, ApiError> {
        if wait.timeout_secs > SwapWait::MAX_TIMEOUT_SECS {
            let rule = format!("must be at most {}", SwapWait::MAX_TIMEOUT_SECS);
            return Err(ApiError::invalid("timeout_secs", wait.timeout_secs, rule));
        }
        let timeout = tokio::time::sleep(Duration::from_secs(wait.timeout_secs));
        tokio::pin!(timeout);
        // Listening begins before the first look: a change in between is not missed.
        let mut changes = self.engine()?.changes();
        loop {
            let swap = self.view(&*self.known(wait.swap_id)?)?;
            let reached = has_reached(&swap, wait.until);
            if reached {
                return Ok(SwapWaited { reached, swap });
            }
            let mut changed = std::pin::pin!(async {
                loop {
                    match changes.recv().await {
                        Ok(swap) if swap.id != wait.swap_id => {}
                        Ok(_) | Err(RecvError::Lagged(_)) => return true,
                        Err(RecvError::Closed) => return false,
                    }
                }
            });
            let going_on = tokio::select! {
                going_on = &mut changed => going_on,
                () = &mut timeout => false,
            };
            if !going_on {
                let swap = self.view(&*self.known(wait.swap_id)?)?;
                let reached = has_reached(&swap, wait.until);
                return Ok(SwapWaited { reached, swap });
            }
        }
    }

    pub(super) async fn subscribe(&self, pending: PendingSubscriptionSink, topic: SwapTopic) -> SubscriptionResult {
        let changes = BroadcastStream::new(self.engine()?.changes());
        let first = match topic.swap_id.map(|id| self.known(id)).transpose() {
            Ok(first) => first,
            Err(error) => {
                pending.reject(error).await;
                return Ok(());
            }
        };
        let later = changes.filter_map(|change| async {
            match change {
                Ok(swap) => topic.swap_id.is_none_or(|id| id == swap.id).then_some(swap),
                // What was missed may have been the last change of this swap: look.
                Err(BroadcastStreamRecvError::Lagged(_)) => topic.swap_id.and_then(|id| self.known(id).ok()),
            }
        });
        let swaps = stream::iter(first).chain(later);
        let one = topic.swap_id.is_some();
        let views = swaps.filter_map(|swap| async move { self.view(&swap).ok() });
        forward(pending, until_closed(views, one)).await
    }
}

/// The views of one swap end with the one that is closed.
fn until_closed(views: impl Stream<Item = SwapView> + Send, one: bool) -> impl Stream<Item = SwapView> + Send {
    stream::unfold((Box::pin(views), false), move |(mut views, over)| async move {
        if over {
            return None;
        }
        let view = views.next().await?;
        let over = one && view.outcome.is_some();
        Some((view, (views, over)))
    })
}

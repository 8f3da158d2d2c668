//! Following a swap over a subscription, across restarts of the daemon.

use std::time::{Duration, Instant};

use sluice::api::SluiceApiClient;
use sluice::api::types::{SwapTopic, SwapView, Until};
use sluice::api::view::has_reached;
use sluice::units::SwapId;

use crate::connect::Daemon;
use crate::exit::Failure;
use crate::progress::Progress;

/// How long a daemon that answered once may be away before following it is given up.
const AWAY_AT_MOST: Duration = Duration::from_secs(60);
/// The pause between two attempts to reach it again.
const PAUSE: Duration = Duration::from_millis(500);

/// How the wait ended.
pub struct Followed {
    /// What was waited for has come; else the time is over.
    pub reached: bool,
    /// The swap as last seen.
    pub swap: SwapView,
}

/// Waits until the swap has reached that point or the time is over, showing its way.
pub async fn follow(
    daemon: &Daemon,
    swap_id: SwapId,
    until: Until,
    timeout: Option<Duration>,
    progress: &mut Progress,
) -> Result<Followed, Failure> {
    let mut last = None;
    let waiting = watch(daemon, Some(swap_id), progress, |swap, progress| {
        progress.show(&swap)?;
        let reached = has_reached(&swap, until);
        last = Some(swap);
        Ok(reached)
    });
    let reached = match timeout {
        None => waiting.await.map(|()| true)?,
        Some(timeout) => match tokio::time::timeout(timeout, waiting).await {
            Ok(done) => done.map(|()| true)?,
            Err(_) => false,
        },
    };
    let swap = match last {
        Some(swap) => swap,
        // the time was over before the first word
        None => {
            let client = daemon.client()?;
            let request = sluice::api::types::SwapRef { swap_id };
            client.swap_get(request).await.map_err(|error| daemon.failure(error))?
        }
    };
    Ok(Followed { reached, swap })
}

/// Hands every change to `each` until it says that it has seen enough.
pub async fn watch(
    daemon: &Daemon,
    swap_id: Option<SwapId>,
    progress: &mut Progress,
    mut each: impl FnMut(SwapView, &mut Progress) -> Result<bool, Failure>,
) -> Result<(), Failure> {
    let mut answered = false;
    let mut away_since = None;
    loop {
        let lost = match listen(daemon, swap_id, progress, &mut answered, &mut away_since, &mut each).await {
            Ok(()) => return Ok(()),
            Err(failure @ Failure::Away { .. }) if answered => failure,
            Err(failure) => return Err(failure),
        };
        let since = *away_since.get_or_insert_with(|| {
            progress.remark("the connection to the daemon is lost, trying again; the swap itself does not need it");
            Instant::now()
        });
        if since.elapsed() > AWAY_AT_MOST {
            return Err(lost);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// One connection's worth of [`watch`].
async fn listen(
    daemon: &Daemon,
    swap_id: Option<SwapId>,
    progress: &mut Progress,
    answered: &mut bool,
    away_since: &mut Option<Instant>,
    each: &mut impl FnMut(SwapView, &mut Progress) -> Result<bool, Failure>,
) -> Result<(), Failure> {
    let socket = daemon.socket().await?;
    let topic = SwapTopic { swap_id };
    let mut changes = socket
        .swap_subscribe(topic)
        .await
        .map_err(|error| daemon.failure(error))?;
    *answered = true;
    *away_since = None;
    while let Some(change) = changes.next().await {
        let swap = change.map_err(|error| Failure::Other(format!("the daemon's answer: {error}")))?;
        if each(swap, progress)? {
            return Ok(());
        }
    }
    Err(Failure::Away {
        url: daemon.url().to_owned(),
        reason: "the connection was closed".into(),
    })
}

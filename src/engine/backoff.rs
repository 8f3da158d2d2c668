//! How long to wait before something is tried again.

use std::time::Duration;

use tracing::{debug, warn};

use super::Pace;
use crate::ports::PortError;

/// The pauses between attempts: doubling, capped, for ever.
pub(super) struct Backoff {
    next: Duration,
    cap: Duration,
}

impl Backoff {
    pub(super) fn of(pace: &Pace) -> Backoff {
        Backoff {
            next: pace.retry_first,
            cap: pace.retry_cap,
        }
    }

    pub(super) async fn pause(&mut self) {
        tokio::time::sleep(self.next).await;
        self.next = self.next.saturating_mul(2).min(self.cap);
    }

    /// Waits before another attempt after an error that time may heal. A refusal is returned: the caller gives up.
    pub(super) async fn after(&mut self, what: &str, failure: PortError) -> Option<String> {
        match failure {
            PortError::Unreachable(reason) => debug!(what, reason, "not now; trying again"),
            PortError::Broken(reason) => {
                warn!(what, reason, "ALARM: the backend's answer makes no sense; trying again")
            }
            PortError::Refused(reason) => return Some(reason),
        }
        self.pause().await;
        None
    }

    /// Waits before another attempt whatever the error: for what nobody can give up.
    pub(super) async fn after_any(&mut self, what: &str, failure: PortError) {
        if let Some(reason) = self.after(what, failure).await {
            warn!(what, reason, "refused; trying again");
            self.pause().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_never_given_up_is_tried_again_after_a_growing_pause_whatever_the_error() {
        let second = Duration::from_secs(1);
        for failure in [PortError::Unreachable, PortError::Refused, PortError::Broken] {
            let mut backoff = Backoff {
                next: second,
                cap: 3 * second,
            };
            for pause in [second, 2 * second, 3 * second, 3 * second] {
                let began = Instant::now();
                backoff.after_any("look at the chain", failure("no".into())).await;
                assert_eq!(began.elapsed(), pause);
            }
        }
    }
}

//! A clock that the harness sets ahead, so that nobody waits for half an hours.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sluice::ports::Clock;
use sluice::units::Timestamp;

use super::Knife;

/// How soon it is seen that the clock was set.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A clock that is ahead of another one.
pub(super) struct Ahead {
    clock: Arc<dyn Clock>,
    knife: Arc<Knife>,
}

impl Ahead {
    pub(super) fn new(clock: Arc<dyn Clock>, knife: Arc<Knife>) -> Ahead {
        Ahead { clock, knife }
    }
}

#[async_trait]
impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        self.clock.now().plus_secs(self.knife.ahead_secs())
    }

    async fn sleep_until(&self, until: Timestamp) {
        while self.now() < until {
            tokio::time::sleep(until.since(self.now()).min(LOOK_EVERY)).await;
        }
    }
}

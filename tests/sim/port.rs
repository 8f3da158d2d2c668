//! How a daemon reaches its backends: through calls that may be slow, lost, refused, or be its last.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand::Rng;
use sluice::ports::{PortError, Tip};
use sluice::units::{Asset, Timestamp};
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::sleep;

use crate::world::{Backend, State, Who, World};

/// One life of a daemon, from a start to a crash. What belongs to a life that is over never gets an answer again.
#[derive(Debug, Default)]
pub struct Life {
    over: AtomicBool,
    ended: Notify,
}

impl Life {
    pub fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
        self.ended.notify_one();
    }

    /// Returns when it is over.
    pub async fn over(&self) {
        while !self.over.load(Ordering::Relaxed) {
            self.ended.notified().await;
        }
    }

    /// Goes on only while it lasts.
    pub async fn lasts(&self) {
        if self.over.load(Ordering::Relaxed) {
            pending::<()>().await;
        }
    }
}

/// A daemon's way out.
#[derive(Clone)]
pub struct Port {
    pub world: Arc<World>,
    pub who: Who,
    pub life: Arc<Life>,
}

/// What becomes of a call.
struct Fate {
    /// How long the call takes to arrive.
    before: Duration,
    /// How long its answer takes.
    after: Duration,
    twist: Twist,
}

#[derive(PartialEq)]
enum Twist {
    None,
    /// It never arrives.
    Unheard(Silence),
    /// It takes effect, which the caller does not hear.
    Unanswered(Silence),
    Refused,
    DiesBefore,
    DiesAfter,
}

/// What a caller sees of a call without an answer.
#[derive(PartialEq, Clone, Copy)]
enum Silence {
    Unreachable,
    /// The answer was cut in the middle.
    Torn,
}

impl Silence {
    fn error(self, what: &str) -> PortError {
        match self {
            Silence::Unreachable => PortError::Unreachable(format!("{what}: connection lost")),
            Silence::Torn => PortError::Broken(format!("{what}: the answer ends in the middle")),
        }
    }
}

/// Whether a call may be refused without reason: where the caller asks again, or gives up harmlessly.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Changes nothing.
    Reads,
    /// Changes something; may be refused.
    Acts,
}

impl Port {
    /// Makes a call. Once it is on its way, its effect does not depend on whether anybody still waits for the answer.
    pub async fn call<T: Send + 'static>(
        &self,
        backend: Backend,
        manner: Manner,
        what: &'static str,
        effect: impl FnOnce(&mut State, Timestamp) -> Result<T, PortError> + Send + 'static,
    ) -> Result<T, PortError> {
        self.life.lasts().await;
        let Some(fate) = self.fate(backend, manner) else {
            sleep(Duration::from_millis(20)).await;
            self.life.lasts().await;
            return Err(PortError::Unreachable(format!("{what}: connection refused")));
        };
        match fate.twist {
            Twist::None if fate.before.is_zero() => {
                let answer = effect(&mut self.world.lock(), self.world.now());
                self.answer(fate.after, answer).await
            }
            Twist::Unheard(error) => self.answer(fate.after, Err(error.error(what))).await,
            Twist::Refused => {
                let refused = PortError::Refused(format!("{what}: not today"));
                self.answer(fate.after, Err(refused)).await
            }
            Twist::DiesBefore => {
                self.world.note(|| format!("{:?} dies before {what}", self.who));
                self.life.end();
                pending().await
            }
            Twist::DiesAfter => {
                let _ = effect(&mut self.world.lock(), self.world.now());
                self.world.note(|| format!("{:?} dies after {what}", self.who));
                self.life.end();
                pending().await
            }
            Twist::Unanswered(error) => {
                drop(self.send_off(fate.before, effect));
                self.answer(fate.after, Err(error.error(what))).await
            }
            Twist::None => {
                let answered = self.send_off(fate.before, effect).await;
                let answer = answered.unwrap_or_else(|_| Err(PortError::Unreachable(what.into())));
                self.answer(fate.after, answer).await
            }
        }
    }

    /// The effect comes later, whatever the caller does.
    fn send_off<T: Send + 'static>(
        &self,
        before: Duration,
        effect: impl FnOnce(&mut State, Timestamp) -> Result<T, PortError> + Send + 'static,
    ) -> oneshot::Receiver<Result<T, PortError>> {
        let (answer, answered) = oneshot::channel();
        let world = self.world.clone();
        tokio::spawn(async move {
            sleep(before).await;
            let done = effect(&mut world.lock(), world.now());
            let _ = answer.send(done);
        });
        answered
    }

    async fn answer<T>(&self, after: Duration, answer: Result<T, PortError>) -> Result<T, PortError> {
        if !after.is_zero() {
            sleep(after).await;
        }
        self.life.lasts().await;
        answer
    }

    /// A listener to a chain's tips. To a life that is over nothing is shown.
    pub fn tips(&self, asset: Asset) -> watch::Receiver<Option<Tip>> {
        if self.life.over.load(Ordering::Relaxed) {
            return watch::channel(None).1;
        }
        self.world.lock().listen(self.who, asset)
    }

    /// None: the backend is away.
    fn fate(&self, backend: Backend, manner: Manner) -> Option<Fate> {
        let plan = &self.world.plan;
        let mut state = self.world.lock();
        if state.away.contains(&(self.who, backend)) {
            return None;
        }
        let (mut before, mut after) = (Duration::ZERO, Duration::ZERO);
        if state.chance(plan.slow) {
            let longest = Duration::from_secs(25);
            before = state.stretch(Duration::from_millis(1), longest);
            after = state.stretch(Duration::from_millis(1), longest);
        }
        let acts = manner == Manner::Acts;
        let twist = if state.chance(plan.lost) {
            let torn = state.rng.gen_range(0..4) == 0;
            let seen = if torn { Silence::Torn } else { Silence::Unreachable };
            if acts && state.rng.gen_bool(0.5) {
                // The caller's end of the connection is gone; the call may still sit in the node for a while.
                before = state.stretch(Duration::from_millis(1), Duration::from_secs(45));
                after = Duration::from_millis(state.rng.gen_range(0..50));
                Twist::Unanswered(seen)
            } else {
                Twist::Unheard(seen)
            }
        } else if acts && state.chance(plan.refused) {
            Twist::Refused
        } else if acts && state.chance(plan.dies) {
            if state.rng.gen_bool(0.5) {
                Twist::DiesBefore
            } else {
                Twist::DiesAfter
            }
        } else {
            Twist::None
        };
        Some(Fate { before, after, twist })
    }
}

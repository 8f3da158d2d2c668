//! The daemon before and after its start: the API answers from the first moment, if only with what is waited for.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::api::error::ApiError;
use crate::engine::Engine;

/// The engine, once it runs; until then, for what the daemon waits.
#[derive(Default)]
pub struct Startup {
    engine: OnceLock<Engine>,
    /// The backends that are waited for, each with what it said; nothing until it has.
    waiting: Mutex<Vec<(String, Option<String>)>>,
}

impl Startup {
    fn waiting(&self) -> MutexGuard<'_, Vec<(String, Option<String>)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The daemon asks that backend, or it has said why it does not answer. Several may be waited for at a time.
    pub fn waiting_for(&self, backend: &str, reason: Option<&str>) {
        let mut waiting = self.waiting();
        waiting.retain(|(waited, _)| waited != backend);
        waiting.push((backend.into(), reason.map(Into::into)));
    }

    /// That backend has answered.
    pub fn answered(&self, backend: &str) {
        self.waiting().retain(|(waited, _)| waited != backend);
    }

    /// The engine runs: from now on every call is done by it.
    pub fn ready(&self, engine: Engine) {
        // A daemon starts once; a second engine would be nobody's.
        let _ = self.engine.set(engine);
    }

    /// The engine.
    ///
    /// # Errors
    /// [`ApiError::BackendAway`] with what is waited for, until it runs.
    pub fn engine(&self) -> Result<&Engine, ApiError> {
        self.engine.get().ok_or_else(|| self.hindrance())
    }

    /// What is waited for: rather a backend that has said why than one that was only asked.
    fn hindrance(&self) -> ApiError {
        let waiting = self.waiting();
        let said = waiting.iter().find(|(_, reason)| reason.is_some());
        let (backend, reason) = match said.or(waiting.first()) {
            Some((backend, Some(reason))) => (backend.as_str(), reason.as_str()),
            Some((backend, None)) => (backend.as_str(), "it was asked and has not answered yet"),
            None => ("sluiced", "it is starting"),
        };
        ApiError::BackendAway {
            backend: backend.into(),
            reason: reason.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(startup: &Startup) -> String {
        startup.hindrance().to_string()
    }

    #[test]
    fn of_the_backends_that_are_waited_for_one_that_said_why_is_told() {
        let startup = Startup::default();
        assert_eq!(told(&startup), "sluiced does not answer: it is starting");
        startup.waiting_for("elementsd", None);
        startup.waiting_for("elementsd", Some("user or password is wrong (HTTP 401)"));
        startup.waiting_for("bitcoind", None);
        let wrong = "elementsd does not answer: user or password is wrong (HTTP 401)";
        assert_eq!(told(&startup), wrong);
        startup.answered("bitcoind");
        assert_eq!(told(&startup), wrong);
        startup.waiting_for("bitcoind", None);
        startup.answered("elementsd");
        assert_eq!(
            told(&startup),
            "bitcoind does not answer: it was asked and has not answered yet"
        );
    }
}

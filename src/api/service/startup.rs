//! The daemon before and after its start: the API answers from the first moment, if only with what is waited for.

use std::sync::{Mutex, OnceLock, PoisonError};

use crate::api::error::ApiError;
use crate::engine::Engine;

/// The engine, once it runs; until then, for what the daemon waits.
#[derive(Default)]
pub struct Startup {
    engine: OnceLock<Engine>,
    waiting: Mutex<(String, String)>,
}

impl Startup {
    /// The daemon waits for that backend, which said that or nothing yet.
    pub fn waiting_for(&self, backend: &str, reason: &str) {
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = (backend.into(), reason.into());
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
        self.engine.get().ok_or_else(|| {
            let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            let (backend, reason) = waiting.clone();
            ApiError::BackendAway { backend, reason }
        })
    }
}

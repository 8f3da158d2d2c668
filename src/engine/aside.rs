//! Work that would keep the tasks waiting.

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::{JoinError, spawn_blocking};

/// Runs what takes tens of milliseconds, as blinding and syncing do, beside the tasks. A runtime of one thread has no
/// beside: there it runs at once, and the order of events in a simulation is its own.
///
/// # Errors
/// It panicked.
pub(super) async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, JoinError> {
    if Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread {
        return Ok(work());
    }
    spawn_blocking(work).await
}
